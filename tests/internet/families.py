#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""families.py BUILD: hosts with addresses of both families, of which one may lead nowhere. A
connect may take an hour here: who arrives within a test did not wait for it."""
from world import World, main

FOUR, FOUR_DEAD, FOUR_SILENT, FOUR_NEXT = (f"192.0.2.{n}" for n in range(1, 5))
SIX, SIX_DEAD, SIX_SILENT = (f"2001:db8::{n}" for n in range(1, 4))

ZONE = f"""both MX 10 mx.both
mx.both A {FOUR}
mx.both AAAA {SIX}
refused6 MX 10 mx.refused6
mx.refused6 A {FOUR}
mx.refused6 AAAA {SIX_DEAD}
silent6 MX 10 mx.silent6
mx.silent6 A {FOUR}
mx.silent6 AAAA {SIX_SILENT}
unreachable6 MX 10 mx.unreachable6
mx.unreachable6 A {FOUR}
mx.unreachable6 AAAA 2001:db8:dead::1
refused4 MX 10 mx.refused4
mx.refused4 A {FOUR_DEAD}
mx.refused4 AAAA {SIX}
silent4 MX 10 mx.silent4
mx.silent4 A {FOUR_SILENT}
mx.silent4 AAAA {SIX}
several MX 10 mx.several
mx.several A {FOUR_DEAD}
mx.several A {FOUR_SILENT}
mx.several A {FOUR}
mx.several AAAA {SIX_DEAD}
mx.several AAAA {SIX_SILENT}
none MX 10 mx.none
none MX 20 next.none
mx.none A {FOUR_DEAD}
mx.none AAAA {SIX_DEAD}
next.none A {FOUR_NEXT}
six MX 10 mx.six
mx.six AAAA {SIX}
"""


class Families(World):
    def __init__(self, build):
        super().__init__(build, {"test": ZONE}, queue="host_rest = 0; max_messages_connection = 1;",
                         timeout_connect="1h")
        self.four, self.six, self.next = map(self.sink, (FOUR, SIX, FOUR_NEXT))
        self.silent(FOUR_SILENT)
        self.silent(SIX_SILENT)

    def known(self, domain):
        """Both families are looked up and kept: IPv4 would not wait long for the other answer."""
        self.server.command("routes", "test", "writer@client.test", f"reader@{domain}.test")

    def by(self, sink, domain, times=3):
        self.known(domain)
        for n in range(times):
            message = self.arrives(f"reader-{n}@{domain}.test", sink)
            assert not any(message.sender == m.sender for other in (self.four, self.six, self.next)
                           if other is not sink for m in other.messages)

    def six_first(self):
        """IPv4 alone would be connected at once. That it had no part in it is not said, for it has
        when the machine stands still for a quarter of a second."""
        self.known("both")
        for n in range(10):
            asked = len(self.six.talks)
            sender = self.send(f"reader-{n}@both.test")
            self.six.until(lambda: len(self.six.talks) > asked, 60)
            self.server.lines.wait(f"delivered .*from={sender} ")


def run(cases, build):
    with Families(build) as world:
        four, six = world.four, world.six
        cases.run("both answer: IPv6 is asked first", world.six_first)
        cases.run("IPv6 is refused: IPv4", world.by, four, "refused6")
        cases.run("IPv6 has no way there: IPv4", world.by, four, "unreachable6")
        cases.run("IPv6 is silent: IPv4", world.by, four, "silent6")
        cases.run("IPv4 is refused: IPv6", world.by, six, "refused4")
        cases.run("IPv4 is silent: IPv6", world.by, six, "silent4")
        cases.run("one of five addresses answers", world.by, four, "several")
        cases.run("no address of the first host answers: the next host", world.by, world.next,
                  "none")
        cases.run("IPv6 alone", world.by, six, "six")
        cases.run("the queue is empty after all that", world.empty)


main(run)

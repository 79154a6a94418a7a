#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sources.py BUILD: from which local address mail goes out, as the next server sees it, and by what
name we go there."""
from world import World, main

FOUR, SIX, NEXT = "192.0.2.1", "2001:db8::1", "192.0.2.2"
OURS = [f"198.51.100.{n}" for n in range(1, 5)]
OURS_SIX = [f"2001:db8::{n:x}" for n in range(0x31, 0x35)]
FOREIGN, FOREIGN_SIX = "100.64.0.1", "2001:db8:dead::1"  # of nobody here

ZONE = f"""four MX 10 mx.four
mx.four A {FOUR}
six MX 10 mx.six
mx.six AAAA {SIX}
both MX 10 mx.both
mx.both A {FOUR}
mx.both AAAA {SIX}
"""


class Sources(World):
    """local_ips is this world's setting; routes may say otherwise."""

    def __init__(self, build, local_ips, queue=""):
        listed = ", ".join(f'"{one}"' for one in local_ips)
        super().__init__(build, {"test": ZONE}, queue=f"host_rest = 0; max_messages_connection = 1;"
                         f"local_ips = [ {listed} ]; {queue}")
        self.four, self.six = self.sink(FOUR), self.sink(SIX)

    def seen(self, domain, sink, times=1):
        """The addresses from which so many messages came."""
        return [self.arrives(f"reader@{domain}.test", sink).talk.peer for _ in range(times)]


def ordered(build):
    """With & it is the first, always."""
    with Sources(build, [f"{OURS[1]}&{OURS[0]}&[{OURS_SIX[1]}]&[{OURS_SIX[0]}]"]) as world:
        assert set(world.seen("four", world.four, 5)) == {OURS[1]}
        assert set(world.seen("six", world.six, 5)) == {OURS_SIX[1]}


def ordered_fails_over(build):
    """The first is not ours (any more): the next of its family."""
    with Sources(build, [f"{FOREIGN}&{OURS[2]}&[{FOREIGN_SIX}]&[{OURS_SIX[2]}]"]) as world:
        assert world.seen("four", world.four) == [OURS[2]]
        assert world.seen("six", world.six) == [OURS_SIX[2]]


def in_turns(build):
    """With | each has its share: that one of four is left out of 100 by chance is one time in
    100,000,000,000."""
    with Sources(build, ["|".join(OURS + [f"[{a}]" for a in OURS_SIX])]) as world:
        assert set(world.seen("four", world.four, 100)) == set(OURS)
        assert set(world.seen("six", world.six, 100)) == set(OURS_SIX)


def listed(build):
    """Several entries of the list are as one with |; of two, one is left out of 40 as seldom."""
    with Sources(build, OURS[:2]) as world:
        assert set(world.seen("four", world.four, 40)) == set(OURS[:2])


def of_one_family(build):
    """To the family of which there is none goes nothing, or from where the kernel likes; what
    matters is that mail arrives, and from our address where it can."""
    with Sources(build, [OURS[0]]) as world:
        peers = {world.arrives("reader@both.test", sink).talk.peer for sink in [world.four]}
        assert peers == {OURS[0]}, peers


def of_a_route(build):
    """What a route says counts for its mail alone."""
    with Sources(build, [OURS[0]]) as world:
        world.route("four.test", "-rh", "mx.four.test", "-l", f"{OURS[3]}&{OURS[2]}")
        world.route("six.test", "-rh", "mx.six.test", "-l", f"[{OURS_SIX[3]}]")
        assert world.seen("four", world.four) == [OURS[3]]
        assert world.seen("six", world.six) == [OURS_SIX[3]]
        world.server.command("routes", "del", world.server.json("routes", "list")[0]["id"])
        assert world.seen("four", world.four) == [OURS[0]]


def nothing_ours(build):
    """No address of the list is this host's: the mail waits, for it goes out by no other."""
    with Sources(build, [f"{FOREIGN}&100.64.0.2"]) as world:
        world.defers("reader@four.test")
        assert not world.four.talks


def names(build):
    """The name in EHLO is that of the address it comes from."""
    helo = (f'helo = ( {{ ip = "{OURS[0]}"; name = "one.client.test"; }},'
            f'{{ ip = "{OURS_SIX[0]}"; name = "six.client.test"; }} );')
    with Sources(build, [f"{OURS[0]}|{OURS[1]}|[{OURS_SIX[0]}]"], helo) as world:
        world.seen("four", world.four, 40)
        world.seen("six", world.six)
        said = {(t.peer, t.lines[0][1]) for s in (world.four, world.six) for t in s.talks}
        assert said == {(OURS[0], "EHLO one.client.test"), (OURS[1], "EHLO mx.test"),
                        (OURS_SIX[0], "EHLO six.client.test")}, said


def run(cases, build):
    for name, case in (("the first of a & b, of both families", ordered),
                       ("the second of a & b when the first is not ours", ordered_fails_over),
                       ("a | b in turns, of both families", in_turns),
                       ("entries of the list in turns", listed),
                       ("of one family: hosts with both are reached by it", of_one_family),
                       ("of a route", of_a_route),
                       ("none is ours: the mail waits", nothing_ours),
                       ("the name for each of them", names)):
        cases.run("local addresses: " + name, case, build)


main(run)

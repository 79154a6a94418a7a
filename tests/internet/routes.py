#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""routes.py BUILD: routes an administrator wrote down win over MX, the more is said the sooner;
`routes test` says beforehand what then happens."""
import itertools

from world import World, main

MX = "192.0.2.1"
SENDER, DOMAIN = "boss@west.client.test", "deep.example.test"
# From what says least to what says most.
KINDS = (("-d", "*"), ("-d", ".example.test"), ("-d", DOMAIN), ("-f", "west.client.test"),
         ("-f", SENDER), ("-f", "west.client.test", "-d", DOMAIN), ("-f", SENDER, "-d", DOMAIN))

ZONE = f"""{DOMAIN}. MX 10 mx
elsewhere MX 10 mx
mx A {MX}
null MX 0 .
""" + "".join(f"r{n} A 192.0.2.{n}\n" for n in range(2, 20))


class Routes(World):
    def __init__(self, build):
        super().__init__(build, {"test": ZONE}, queue='host_rest = 0; retry_min = "1h"; '
                         'max_messages_connection = 1;')
        self.sinks = {n: self.sink(f"192.0.2.{n}") for n in range(1, 9)}
        self.reader = (f"reader-{n}" for n in itertools.count(1))

    def clear(self):
        for row in self.server.json("routes", "list"):
            self.server.command("routes", "del", str(row["id"]))

    def add(self, n, *flags):
        """A route to host n."""
        self.server.command("routes", "add", "-rh", f"r{n}.test", *flags)

    def goes(self, n, domain=DOMAIN, sender=SENDER):
        recipient = f"{next(self.reader)}@{domain}"
        self.send(recipient, sender=sender)
        self.sinks[n].find(lambda m: recipient in m.recipients, 30)
        for other, sink in self.sinks.items():
            assert other == n or not any(recipient in m.recipients for m in sink.messages), other

    def said(self, domain=DOMAIN, sender=SENDER):
        """Hosts that `routes test` gives, in order."""
        return [row["host"] for row in
                self.server.json("routes", "test", sender, f"reader@{domain}")]

    # ---- the cases -----------------------------------------------------------------------------

    def kinds(self):
        """Each wins over those before it and over MX; without it they are as before."""
        self.clear()
        assert self.said() == ["mx.test"], self.said()
        self.goes(1)
        for n, flags in enumerate(KINDS, 2):
            self.add(n, *flags)
            assert self.said() == [f"r{n}.test"], (flags, self.said())
            self.goes(n)
        for n in range(len(KINDS) + 1, 1, -1):
            self.goes(n)
            (row,) = [row for row in self.server.json("routes", "list")
                      if row["remote_host"] == f"r{n}.test"]
            self.server.command("routes", "del", str(row["id"]))
        self.goes(1)

    def others(self):
        """Who is not meant goes by MX."""
        self.clear()
        for n, flags in enumerate(KINDS[1:], 3):
            self.add(n, *flags)
        self.goes(1, "elsewhere.test", "somebody@east.client.test")
        self.goes(1, "elsewhere.test", "")

    def weights(self):
        """Three rows to one: a share of 3 in 4, of 300. Below 175 or above 270 it would be once in
        10,000,000,000 runs, and at one row to one, above 174, once in 400."""
        self.clear()
        for _ in range(3):
            self.add(2, "-d", DOMAIN)
        self.add(3, "-d", DOMAIN)
        before = [len(self.sinks[n].messages) for n in (2, 3)]
        for _ in range(300):
            self.send(f"{next(self.reader)}@{DOMAIN}")
        self.empty(60)
        shares = [len(self.sinks[n].messages) - b for n, b in zip((2, 3), before)]
        assert sum(shares) == 300 and 175 <= shares[0] <= 270, f"3 to 1 came out as {shares}"

    def priorities(self):
        """Lowest first; the next is asked when there is nobody, or when it says no for now."""
        self.clear()
        self.add(10, "-d", DOMAIN, "-p", "1")
        self.add(11, "-d", DOMAIN, "-p", "2")
        self.add(4, "-d", DOMAIN, "-p", "3")
        self.add(5, "-d", DOMAIN, "-p", "4")
        self.sink("192.0.2.11", {"MAIL": "451 4.3.0 Busy"})
        assert self.said() == [f"r{n}.test" for n in (10, 11, 4, 5)], self.said()
        self.goes(4)

    def unlike_mx(self):
        """A name with an MX of its own is a host here, as it is."""
        self.clear()
        self.add(6, "-d", "elsewhere.test")
        assert self.said("elsewhere.test") == ["r6.test"]
        self.goes(6, "elsewhere.test")

    def retried(self):
        """What waits goes the new way when it is tried again."""
        self.clear()
        self.add(15, "-d", DOMAIN)
        recipient = f"{next(self.reader)}@{DOMAIN}"
        self.send(recipient)
        self.row(recipient)
        self.clear()
        self.add(7, "-d", DOMAIN)
        self.server.command("queue", "flush")
        self.sinks[7].find(lambda m: recipient in m.recipients, 60)
        self.empty()

    def says_why(self):
        """`routes test` sends nothing, tells of addresses and of what is refused."""
        self.clear()
        talks = sum(len(sink.talks) for sink in self.sinks.values())
        (row,) = self.server.json("routes", "test", SENDER, f"reader@{DOMAIN}")
        assert row["addresses"] == MX and row["router"] == "route/mx", row
        run = self.server.command("routes", "test", SENDER, "reader@null.test", check=False)
        assert run.returncode == 1, run
        assert sum(len(sink.talks) for sink in self.sinks.values()) == talks


def run(cases, build):
    with Routes(build) as world:
        cases.run("routes: each kind wins over those that say less, and over MX", world.kinds)
        cases.run("routes: who is not meant goes by MX", world.others)
        cases.run("routes: three rows to one", world.weights)
        cases.run("routes: priorities", world.priorities)
        cases.run("routes: the name of a route is a host", world.unlike_mx)
        cases.run("routes: a retry goes the new way", world.retried)
        cases.run("routes: what `routes test` says of MX", world.says_why)


main(run)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mx.py BUILD: where mail goes by MX records, and what becomes of it when they lead nowhere."""
import socket

from world import MODULES, Tmail, World, main

FIRST, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"
DEAD, REFUSING, OURS = "192.0.2.10", "192.0.2.11", "192.0.2.20"

ZONE = f"""first.a A {FIRST}
second.a A {SECOND}
third.a A {THIRD}
dead.a A {DEAD}
refusing.a A {REFUSING}
ours.a A {OURS}
broken.a CNAME host.lame.test.
order MX 20 second.a
order MX 10 first.a
order MX 30 third.a
over MX 10 dead.a
over MX 20 second.a
deep MX 10 dead.a
deep MX 20 nobody.a
deep MX 30 broken.a
deep MX 40 third.a
lost MX 10 nobody.a
lost MX 20 first.a
broken MX 10 broken.a
broken MX 20 first.a
later MX 10 refusing.a
later MX 20 second.a
equal MX 10 first.a
equal MX 10 second.a
equal MX 10 third.a
equal MX 20 dead.a
implicit A {FIRST}
six AAAA 2001:db8::1
alias CNAME order
chain CNAME alias
mxalias MX 10 cname.mxalias
cname.mxalias CNAME first.a
null MX 0 .
nullplus MX 0 .
nullplus MX 10 first.a
empty TXT "neither MX nor address"
hopeless MX 10 nobody.a
hopeless MX 20 nobody2.a
servfail MX 10 broken.a
servfail MX 20 nobody.a
ours MX 10 ours.a
ours MX 20 second.a
backup MX 10 first.a
backup MX 20 ours.a
backup MX 30 second.a
deadfirst MX 10 dead.a
deadfirst MX 20 ours.a
deadfirst MX 20 third.a
deadfirst MX 30 second.a
local MX 10 here.local
here.local A 127.0.0.1
here.local AAAA ::1
localfirst MX 10 here.local
localfirst MX 20 first.a
locallast MX 10 first.a
locallast MX 20 here.local
any MX 10 zero.any
zero.any A 0.0.0.0
"""


class Mx(World):
    def __init__(self, build):
        super().__init__(
            build, {"test": ZONE, "lame.test": None},
            queue="host_rest = 0; max_messages_connection = 1;",
            listen='( { address = "127.0.0.1"; port = 0; role = "mx"; },'
                   f'{{ address = "{OURS}"; port = 25; role = "mx"; name = "public"; }} )')
        self.first, self.second, self.third = map(self.sink, (FIRST, SECOND, THIRD))
        self.six = self.sink("2001:db8::1")
        self.sink(REFUSING, {"EHLO": "421 4.3.2 Not now", "HELO": "421 4.3.2 Not now"})
        self.loopback = [self.sink("127.0.0.1"), self.sink("::1")]

    def only(self, domain, sink):
        """There and nowhere else; the name of the host that the log gives."""
        message = self.arrives("reader@" + domain, sink)
        for other in (self.first, self.second, self.third):
            assert other is sink or not any(m.sender == message.sender for m in other.messages)
        return self.server.lines.wait(
            rf"delivered .*to=reader@{domain} host=([^\[]+)").group(1)

    # ---- which of them -------------------------------------------------------------------------

    def order(self):
        for _ in range(10):
            assert self.only("order.test", self.first) == "first.a.test"

    def fails_over(self):
        assert self.only("over.test", self.second) == "second.a.test"

    def past_all_sorts(self):
        """One that refuses the connection, one that is not, one that nobody can tell of."""
        assert self.only("deep.test", self.third) == "third.a.test"

    def lost_name(self):
        assert self.only("lost.test", self.first) == "first.a.test"

    def broken_name(self):
        assert self.only("broken.test", self.first) == "first.a.test"

    def not_now(self):
        assert self.only("later.test", self.second) == "second.a.test"

    def equal(self):
        """Each of three takes its share: that one is left out of 60 by chance is one time in
        10,000,000,000."""
        sinks = (self.first, self.second, self.third)
        before = [len(sink.messages) for sink in sinks]
        for _ in range(60):
            self.send("reader@equal.test")
        self.empty(60)
        shares = [len(sink.messages) - n for sink, n in zip(sinks, before)]
        assert sum(shares) == 60 and min(shares) > 0, f"60 came out as {shares}"

    def implicit(self):
        assert self.only("implicit.test", self.first) == "implicit.test"

    def implicit_six(self):
        self.arrives("reader@six.test", self.six)

    def alias(self):
        assert self.only("alias.test", self.first) == "first.a.test"
        assert self.only("chain.test", self.first) == "first.a.test"

    def host_alias(self):
        self.only("mxalias.test", self.first)

    def literal(self):
        self.arrives(f"reader@[{FIRST}]", self.first)
        self.arrives("reader@[IPv6:2001:db8::1]", self.six)

    # ---- none of them --------------------------------------------------------------------------

    def null_mx(self):
        self.bounces("reader@null.test", "5.1.10", "null MX")

    def null_mx_and_more(self):
        """RFC 7505 3: a null MX stands alone, or is none."""
        self.only("nullplus.test", self.first)

    def no_such_domain(self):
        self.bounces("reader@gone.test", "5.4.4", "host gone.test not found")

    def no_address(self):
        self.bounces("reader@empty.test", "5.4.4")

    def no_host_has_an_address(self):
        self.bounces("reader@hopeless.test", "5.4.4")

    def servfail_of_hosts(self):
        """Who knows whether it has an address: nothing is final."""
        self.defers("reader@servfail.test")

    def servfail_of_domain(self):
        self.defers("reader@lame.test")

    def refused_query(self):
        """A zone this server does not have is refused, which says nothing of the domain."""
        self.defers("reader@elsewhere.invalid")

    def silence(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            dns = (f'dns = {{ servers = [ "127.0.0.1@{mute.getsockname()[1]}" ];'
                   ' timeout = "1s"; };\n')
            mine = self.server
            with Tmail(mine.build, "smtp = { reverse_lookup = 0; };\n" + dns,
                       modules=MODULES) as self.server:
                self.server.command("relayip", "add", "127.0.0.1")
                try:
                    assert self.defers("reader@order.test")["reason"]
                finally:
                    self.server = mine

    # ---- ourselves -----------------------------------------------------------------------------

    def ours_is_best(self):
        """We are the best: who is worse would only send it back (RFC 5321 5.1)."""
        self.bounces("reader@ours.test", "5.4.6")
        assert not any("reader@ours.test" in m.recipients for m in self.second.messages)

    def ours_is_backup(self):
        self.only("backup.test", self.first)

    def nobody_behind_ours(self):
        """The best is down: it waits, for those as good as we, and worse ones, are no way."""
        self.defers("reader@deadfirst.test")
        for sink in (self.second, self.third):
            assert not any("reader@deadfirst.test" in m.recipients for m in sink.messages)

    def loopback_refused(self):
        """What a stranger says is at our loopback is nowhere, whoever listens there; the next of his
        hosts is."""
        for domain in ("local.test", "any.test"):
            self.bounces("reader@" + domain, "5.4.6")
        self.arrives("reader@localfirst.test", self.first)
        self.arrives("reader@locallast.test", self.first)
        for sink in self.loopback:
            assert not sink.messages and not sink.talks, "it was sent to"


def run(cases, build):
    with Mx(build) as mx:
        cases.run("MX: the lowest preference first", mx.order)
        cases.run("MX: the second when the first refuses connections", mx.fails_over)
        cases.run("MX: the fourth when three are no good, each in its way", mx.past_all_sorts)
        cases.run("MX: the second when the first has no address", mx.lost_name)
        cases.run("MX: the second when the first is SERVFAIL", mx.broken_name)
        cases.run("MX: the second when the first says 421", mx.not_now)
        cases.run("MX: equal ones share the mail", mx.equal)
        cases.run("MX: none, but an address", mx.implicit)
        cases.run("MX: none, but an IPv6 address", mx.implicit_six)
        cases.run("MX: of a domain behind CNAMEs", mx.alias)
        cases.run("MX: of a host that is a CNAME", mx.host_alias)
        cases.run("MX: address literals of both families", mx.literal)
        cases.run("a null MX bounces", mx.null_mx)
        cases.run("a null MX beside another is no null MX", mx.null_mx_and_more)
        cases.run("a domain that does not exist bounces", mx.no_such_domain)
        cases.run("a domain with neither MX nor address bounces", mx.no_address)
        cases.run("a domain none of whose hosts exists bounces", mx.no_host_has_an_address)
        cases.run("hosts that are SERVFAIL defer", mx.servfail_of_hosts)
        cases.run("a domain that is SERVFAIL defers", mx.servfail_of_domain)
        cases.run("a name server that refuses defers", mx.refused_query)
        cases.run("a name server that does not answer defers", mx.silence)
        cases.run("we are the best MX: a loop, bounced", mx.ours_is_best)
        cases.run("we are a backup: to the best", mx.ours_is_backup)
        cases.run("we are a backup and the best is down: it waits", mx.nobody_behind_ours)
        cases.run("MX: never to the loopback", mx.loopback_refused)


main(run)

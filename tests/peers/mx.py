# SPDX-License-Identifier: MIT
"""route/mx with a real name server: tmail finds the servers of a domain by their MX records. Mail
goes to port 25, so each server has a loopback address of its own, drawn by chance."""
import random
import re
import socket

from nsd import Nsd
from servers import bounce_report
from sink import Sink
from tmail import Session, Skipped, Tmail

MODULES = """(
  { module = "store/sqlite"; },
  { module = "store/journal"; },
  { module = "auth/relayip"; },
  { module = "route/mx"; }
)"""

# What the addresses are for; {names} become them.
ZONE = """order MX 20 second.order
order MX 10 first.order
first.order A {first}
second.order A {second}
over MX 10 dead.over
over MX 20 second.over
dead.over A {dead}
second.over A {second}
lost MX 10 nobody.lost
lost MX 20 first.lost
first.lost A {first}
later MX 10 refusing.later
later MX 20 second.later
refusing.later A {refusing}
second.later A {second}
six MX 10 both.six
both.six AAAA ::1:dead
both.six A {first}
implicit A {first}
alias CNAME order
null MX 0 .
empty TXT "neither MX nor address"
hopeless MX 10 nobody.hopeless
client MX 10 back.client
back.client A {back}
"""


def address():
    """One of the loopback's whose port 25 can be had."""
    for _ in range(50):
        text = f"127.{random.randint(2, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"
        with socket.socket() as s:
            try:
                s.bind((text, 25))
                return text
            except PermissionError:
                raise Skipped("port 25 needs root") from None
            except OSError:
                continue
    raise Skipped("no loopback address has a free port 25")


class Domains:
    def __init__(self, build):
        self.sinks = []
        names = {name: address() for name in ("first", "second", "dead", "refusing", "back")}
        try:
            self.first, self.second = self.sink(names["first"]), self.sink(names["second"])
            self.back = self.sink(names["back"])
            self.refusing = self.sink(names["refusing"], lambda verb, _: "421 4.3.2 Not now" if
                                      verb == "EHLO" else None)
            self.dns = Nsd({"test": ZONE.format(**names)}).__enter__()
            self.server = Tmail(build, self.settings(self.dns.setting), modules=MODULES)
            self.server.start()
            self.server.command("relayip", "add", "127.0.0.1")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def settings(dns):
        return ("smtp = { reverse_lookup = 0; };\n"
                "queue = { host_rest = 0; timeout_connect = \"5s\"; };\n" + dns)

    def sink(self, at, answer=None):
        self.sinks.append(Sink(at, answer, port=25).__enter__())
        return self.sinks[-1]

    def close(self):
        for name in ("server", "dns"):
            if hasattr(self, name):
                getattr(self, name).__exit__(None, None, None)
        for sink in self.sinks:
            sink.__exit__()

    def send(self, recipient, server=None):
        """Sender of its own, for one message whose subject is what a report is checked for."""
        sender = re.sub("[^a-z0-9]+", "-", recipient).strip("-") + "@client.test"
        session = Session((server or self.server).port)
        answer = session.message(sender, [recipient], b"Subject: refused\r\n\r\ntext\r\n")
        session.close()
        assert answer[0] == 250, answer
        return sender

    def arrives(self, domain, sink):
        """At this one; answers the host's name that the log gives."""
        recipient = "reader@" + domain
        sender = self.send(recipient)
        sink.find(lambda m: m.sender == sender and m.recipients == [recipient], 30)
        for other in (self.first, self.second):
            assert other is sink or not any(m.sender == sender for m in other.messages)
        return self.server.lines.wait(rf"delivered .*to={recipient} host=([^\[]+)").group(1)

    def bounces(self, domain, *words):
        sender = self.send("reader@" + domain)
        text, fields = bounce_report(self.back, sender)
        assert fields["Action"] == "failed", fields.as_string()
        said = fields.as_string() + text
        for word in words:
            assert word in said, said

    def defers(self, server, domain):
        self.send("reader@" + domain, server)
        row = server.queue_row("Scheduled", "--to", "reader@" + domain)
        assert row["next_delivery"], row
        return row["reason"]

    # ---- the cases -----------------------------------------------------------------------------

    def order(self):
        assert self.arrives("order.test", self.first) == "first.order.test"

    def fails_over(self):
        assert self.arrives("over.test", self.second) == "second.over.test"

    def passes_over_lost_name(self):
        assert self.arrives("lost.test", self.first) == "first.lost.test"

    def passes_over_who_says_not_now(self):
        assert self.arrives("later.test", self.second) == "second.later.test"

    def both_families(self):
        assert self.arrives("six.test", self.first) == "both.six.test"

    def implicit(self):
        assert self.arrives("implicit.test", self.first) == "implicit.test"

    def alias(self):
        assert self.arrives("alias.test", self.first) == "first.order.test"

    def literal(self):
        where = self.first.server.server_address[0]
        sender = self.send(f"reader@[{where}]")
        self.first.find(lambda m: m.sender == sender, 30)

    def null_mx(self):
        self.bounces("null.test", "5.1.10", "null MX")

    def no_such_domain(self):
        self.bounces("gone.test", "5.4.4", "x-tmail; host gone.test not found")

    def no_address(self):
        self.bounces("empty.test", "5.4.4")

    def no_host_has_an_address(self):
        self.bounces("hopeless.test", "5.4.4")

    def servfail(self):
        """A zone this server does not have is refused, which says nothing of the domain."""
        self.defers(self.server, "elsewhere.invalid")

    def silence(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            port = mute.getsockname()[1]
            dns = f'dns = {{ servers = [ "127.0.0.1@{port}" ]; timeout = "1s"; }};\n'
            with Tmail(self.server.build, self.settings(dns), modules=MODULES) as server:
                server.command("relayip", "add", "127.0.0.1")
                reason = self.defers(server, "order.test")
                assert reason, "the reason is empty"
                assert not any("bounced" in line for line in server.lines.lines)


def run(cases, build, _cache):
    try:
        domains = Domains(build)
    except Skipped as reason:
        cases.skip("MX from a real name server", reason)
        return
    try:
        cases.run("MX: the lowest preference first", domains.order)
        cases.run("MX: the second when the first does not answer", domains.fails_over)
        cases.run("MX: the second when the first has no address", domains.passes_over_lost_name)
        cases.run("MX: the second when the first says 421", domains.passes_over_who_says_not_now)
        cases.run("MX: IPv4 when IPv6 leads nowhere", domains.both_families)
        cases.run("MX: none, but an address", domains.implicit)
        cases.run("MX: behind a CNAME", domains.alias)
        cases.run("an address literal", domains.literal)
        cases.run("a null MX bounces", domains.null_mx)
        cases.run("a domain that does not exist bounces", domains.no_such_domain)
        cases.run("a domain with neither MX nor address bounces", domains.no_address)
        cases.run("a domain whose only MX has no address bounces", domains.no_host_has_an_address)
        cases.run("a name server that refuses defers", domains.servfail)
        cases.run("a name server that does not answer defers", domains.silence)
    finally:
        domains.close()

# SPDX-License-Identifier: MIT
"""route/mx through the running program, as far as port 25 is not needed (tests/peers/mx.py has the
rest): what becomes of mail by what a real name server answers."""
import json

from nsd import Nsd
from tmail import Session, Skipped, Tmail

ZONE = """null MX 0 .
empty TXT "no address"
lost MX 10 nowhere.lost
plain A 192.0.2.10
plain AAAA 2001:db8::10
mixed MX 20 last
mixed MX 10 nowhere
mixed MX 10 first
first A 192.0.2.1
last A 192.0.2.2
last AAAA 2001:db8::2
www CNAME mixed
aliased MX 10 alias
alias CNAME alias2
alias2 CNAME first
dangling MX 10 dead
dead CNAME gone
equal MX 5 first
equal MX 5 last
equal MX 5 plain
xn--bcher-kva MX 10 first
backup MX 10 first
backup MX 20 me
backup MX 20 last
backup MX 30 plain
primary MX 10 me
primary MX 20 last
stray MX 10 here
stray MX 20 last
me A 192.0.2.9
here A 127.0.0.1
socket MX 10 /run/inside.sock.
four MX 10 127.0.0.1.
six MX 10 ::1.
strange MX 10 /run/inside.sock.
strange MX 20 127.0.0.1.
strange MX 30 first
"""
MODULES = """(
  { module = "store/sqlite"; },
  { module = "store/journal"; },
  { module = "auth/relayip"; },
  { module = "route/table"; },
  { module = "route/mx"; }
)"""


class Mx:
    def __init__(self, build):
        self.dns = Nsd({"test": ZONE}).__enter__()
        settings = "smtp = { reverse_lookup = 0; };\n" + self.dns.setting
        self.server = Tmail(build, settings, modules=MODULES)
        self.server.start()
        self.server.command("relayip", "add", "127.0.0.1")

    def close(self):
        self.server.close()
        self.dns.__exit__()

    def fate(self, domain, sender="a@null.test"):
        """(word, reply) of the log."""
        session = Session(self.server.port)
        assert session.message(sender, ["b@" + domain], b"Subject: x\r\n\r\nx\r\n")[0] == 250
        session.close()
        line = rf'(bounced|deferred|delivered) .*to=b@{domain} .*reply="([^"]*)"'
        return self.server.lines.wait(line).groups()

    def bounced(self, domain, words):
        fate, reply = self.fate(domain)
        assert fate == "bounced" and words in reply, (fate, reply)

    def null(self):
        self.bounced("null.test", "null MX")

    def gone(self):
        self.bounced("gone.test", "gone.test")

    def empty(self):
        self.bounced("empty.test", "empty.test")

    def lost(self):
        self.bounced("lost.test", "nowhere.lost.test")

    def no_names(self):
        """A zone names hosts, never a socket or an address of ours; nor does a domain."""
        for domain in ("socket.test", "four.test", "six.test"):
            fate, reply = self.fate(domain)
            assert fate == "deferred" and "cannot be understood" in reply, (domain, fate, reply)
        assert self.usable("strange.test") == [(30, "first.test", "192.0.2.1")]
        self.bounced("127.0.0.1", "needs brackets")

    def refused(self):
        fate, _ = self.fate("not-its-zone.example")
        assert fate == "deferred", fate

    def behind_routes(self):
        """What a route takes is not looked up."""
        self.server.command("routes", "add", "-d", "gone-but-routed.test", "-rh", "127.0.0.1",
                            "-rp", "1")
        fate, _ = self.fate("gone-but-routed.test")
        assert fate == "deferred", fate


    # ---- what would be tried: `routes test`, for which port 25 is not needed ---------------------

    def ways(self, domain, server=None):
        """[(priority, host, addresses, why it is left out)], and the complaint."""
        run = (server or self.server).command(
            "routes", "test", "", domain if "@" in domain else "b@" + domain, "--json", check=False)
        return [(r["priority"], r["host"], r["addresses"] or "", r["left_out"] or "")
                for r in json.loads(run.stdout or "[]")], run.stderr

    def usable(self, domain, server=None):
        return [way[:3] for way in self.ways(domain, server)[0] if not way[3]]

    def order(self):
        """By preference; what does not resolve does not end the search."""
        ways, errors = self.ways("mixed.test")
        assert not errors and sorted(ways[:2]) == [
            (10, "first.test", "192.0.2.1", ""),
            (10, "nowhere.test", "", "its name is not found")], (ways, errors)
        assert ways[2:] == [(20, "last.test", "2001:db8::2 192.0.2.2", "")], ways

    def equals(self):
        """In an order of chance: each is first in some of 60."""
        first = {self.ways("equal.test")[0][0][1] for _ in range(60)}
        assert first == {"first.test", "last.test", "plain.test"}, first

    def aliases(self):
        """CNAMEs are followed, of the domain and of the host (RFC 5321 5.1)."""
        assert self.usable("www.test")[-1] == (20, "last.test", "2001:db8::2 192.0.2.2")
        assert self.usable("aliased.test") == [(10, "alias.test", "192.0.2.1")]
        ways, errors = self.ways("dangling.test")
        assert ways[0][3] == "its name is not found" and "it bounces" in errors, (ways, errors)

    def implicit(self):
        """Without an MX the domain is its own host; without either it bounces."""
        assert self.usable("plain.test") == [(0, "plain.test", "2001:db8::10 192.0.2.10")]
        for domain in ("gone.test", "empty.test"):
            ways, errors = self.ways(domain)
            assert ways == [(0, domain, "", "its name is not found")], ways
            assert "it bounces" in errors, errors

    def literals(self):
        assert self.usable("b@[192.0.2.9]") == [(0, "192.0.2.9", "192.0.2.9")]
        assert self.usable("b@[IPv6:2001:DB8::9]")[0][2] == "2001:db8::9"

    def idn(self):
        assert self.usable("b\u00fccher.test") == [(10, "first.test", "192.0.2.1")]

    def told(self):
        """Why there is no way, and whether that is for ever."""
        ways, errors = self.ways("null.test")
        assert ways == [] and "it bounces: route/mx says 556 5.1.10" in errors, (ways, errors)
        ways, errors = self.ways("not-its-zone.example")
        assert ways == [] and "it waits: route/mx says 4.4.3" in errors, (ways, errors)

    def ourselves(self, build):
        """Hosts that are no better than this server are left out (RFC 5321 5.1). Port 25 is not
        bound for it: the server is stopped."""
        listen = '( { address = "127.0.0.1"; port = 25; role = "mx"; } )'
        with_us = Tmail(build, self.dns.setting, MODULES, listen, hostname="me.test")
        try:
            with_us.command("db", "init")
            assert self.usable("backup.test", with_us) == [(10, "first.test", "192.0.2.1")]
            out = self.ways("backup.test", with_us)[0][1:]
            assert sorted(way[1] for way in out) == ["last.test", "me.test", "plain.test"], out
            ways, errors = self.ways("primary.test", with_us)
            assert len(ways) == 2 and all(way[3] for way in ways), ways
            assert "554 5.4.6" in errors and "loops back" in errors, errors
            # An address that means whoever asks makes nobody a host of the domain.
            assert [way[:2] for way in self.usable("stray.test", with_us)] == [(20, "last.test")]
        finally:
            with_us.close()


def run(cases, build):
    try:
        mx = Mx(build)
    except Skipped as reason:
        cases.skip("mx: with a real name server", reason)
        return
    try:
        cases.run("mx: a null MX bounces", mx.null)
        cases.run("mx: a domain that does not exist bounces", mx.gone)
        cases.run("mx: a domain with no address bounces", mx.empty)
        cases.run("mx: an MX that leads nowhere bounces", mx.lost)
        cases.run("mx: neither a zone nor a domain names a socket or an address", mx.no_names)
        cases.run("mx: a name server that refuses defers", mx.refused)
        cases.run("mx: what a route takes is not looked up", mx.behind_routes)
        cases.run("mx: by preference, past names that do not resolve", mx.order)
        cases.run("mx: equal ones in an order of chance", mx.equals)
        cases.run("mx: CNAMEs are followed", mx.aliases)
        cases.run("mx: no MX, and no address either", mx.implicit)
        cases.run("mx: address literals", mx.literals)
        cases.run("mx: names that are not ASCII", mx.idn)
        cases.run("mx: routes test says why there is no way", mx.told)
        cases.run("mx: no host that is no better than this server", mx.ourselves, build)
    finally:
        mx.close()

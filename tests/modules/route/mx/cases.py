# SPDX-License-Identifier: MIT
"""route/mx through the running program, as far as port 25 is not needed (tests/peers/mx.py has the
rest): what becomes of mail by what a real name server answers."""
from nsd import Nsd
from tmail import Session, Skipped, Tmail

ZONE = """null MX 0 .
empty TXT "no address"
lost MX 10 nowhere.lost
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

    def refused(self):
        fate, _ = self.fate("not-its-zone.example")
        assert fate == "deferred", fate

    def behind_routes(self):
        """What a route takes is not looked up."""
        self.server.command("routes", "add", "-d", "gone-but-routed.test", "-rh", "127.0.0.1",
                            "-rp", "1")
        fate, _ = self.fate("gone-but-routed.test")
        assert fate == "deferred", fate


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
        cases.run("mx: a name server that refuses defers", mx.refused)
        cases.run("mx: what a route takes is not looked up", mx.behind_routes)
    finally:
        mx.close()

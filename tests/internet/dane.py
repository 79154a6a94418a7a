#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dane.py BUILD: TLSA records (RFC 7672) in a zone that is signed, of servers that have what they
say and of others: what arrived where, and what the trace says of it."""
import itertools

from pki import Pki
from world import MODULES, World, main

WITH_DANE = MODULES.replace('{ module = "route/mx"; }',
                            '{ module = "route/mx"; }, { module = "route/dane"; }')
KEY, NEXT, CLEAR, CHAIN, ROOTLESS, EXPIRED, DOMAIN = (f"192.0.2.{n}" for n in range(1, 8))
NOBODYS = "ab" * 32  # a digest of nothing that is here
FORGED = "cd" * 32   # becomes one that is right when all is signed


class Dane(World):
    def __init__(self, build, pki):
        # Its name is nobody's, as those of many servers.
        self.key, self.next = pki.own("nobody.example"), pki.own("nobody.example")
        self.expired, self.root = pki.expired("nobody.example"), pki.root
        chain = pki.signed("mx.chain.test")
        self.right = self.key.tlsa(3, 1, 1)
        self.zone, self.open = [], []
        self.hosts(chain)
        super().__init__(
            build, {"test": "\n".join(self.zone), "open": "\n".join(self.open),
                    "_tcp.mx.servfail.test": None, "_tcp.broken.open": None,
                    "_tcp.mx.openrecord.test": "_25 TLSA 3 1 1 " + NOBODYS},
            dns={"signed": ["test"],
                 "forged": {FORGED: self.right.split()[-1], "MX\t17 ": "MX\t18 "}},
            settings='log = { level = "debug"; };\n', modules=WITH_DANE)
        self.sinks = {address: self.sink(address, tls=one and one.context) for address, one in {
            KEY: self.key, NEXT: self.next, CLEAR: None, CHAIN: chain, EXPIRED: self.expired,
            ROOTLESS: pki.signed("mx.rootless.test", "mx.whole.test", "mx.wholekey.test",
                                 with_root=False),
            DOMAIN: pki.signed("named.test")}.items()}

    # ---- zones ---------------------------------------------------------------------------------

    def host(self, name, address, *records, zone=None):
        zone = self.zone if zone is None else zone
        zone += [f"{name} A {address}"] + [f"_25._tcp.{name} TLSA {data}" for data in records]

    def domain(self, name, address, *records):
        self.zone.append(f"{name} MX 10 mx.{name}")
        self.host("mx." + name, address, *records)

    def hosts(self, chain):
        wrong, key = "3 1 1 " + NOBODYS, self.key
        for n, form in enumerate(itertools.product((3,), (0, 1), (0, 1, 2))):
            self.domain(f"form{n}", KEY, key.tlsa(*form))
        self.domain("rollover", KEY, wrong, self.right)
        self.domain("expired", EXPIRED, self.expired.tlsa(3, 1, 1))
        self.domain("none", KEY)
        self.domain("noneclear", CLEAR)
        self.domain("wrong", KEY, wrong)
        self.domain("agile", KEY, "3 1 2 " + 2 * NOBODYS, self.right)
        self.domain("clear", CLEAR, self.right)
        self.domain("web", KEY, key.tlsa(1, 1, 1), "0 0 1 " + NOBODYS)
        self.domain("strange", KEY, "3 1 9 " + NOBODYS, "3 7 1 " + NOBODYS, "9 1 1 " + NOBODYS,
                    "3 1 1 abcd", "3 0 0 1234")
        self.domain("webclear", CLEAR, key.tlsa(1, 1, 1))
        self.domain("bogus", KEY, "3 1 1 " + FORGED)
        self.domain("servfail", KEY)
        # One that is no good before another.
        self.domain("over", KEY, wrong)
        self.domain("bogusover", KEY, "3 1 1 " + FORGED)
        self.domain("clearover", CLEAR, self.right)
        for name in ("over", "bogusover", "clearover"):
            self.zone.append(f"{name} MX 20 mx2.{name}")
            self.host("mx2." + name, NEXT, self.next.tlsa(3, 1, 1))
        # Authorities.
        self.domain("chain", CHAIN, self.root.tlsa(2, 0, 1))
        self.domain("named", DOMAIN, self.root.tlsa(2, 1, 1))
        self.domain("unnamed", CHAIN, self.root.tlsa(2, 0, 1))
        self.domain("leaf", CHAIN, chain.tlsa(2, 0, 1))
        self.domain("rootless", ROOTLESS, self.root.tlsa(2, 0, 1))
        self.domain("whole", ROOTLESS, self.root.tlsa(2, 0, 0))
        self.domain("wholekey", ROOTLESS, self.root.tlsa(2, 1, 0))
        # Ways.
        self.host("implicit", KEY, self.right)
        self.zone += ["implicitalias CNAME implicit",
                      "alias MX 10 mx.alias", "mx.alias CNAME behind",
                      "_25._tcp.mx.alias TLSA " + wrong]
        self.host("behind", KEY, self.right)
        self.zone += ["own MX 10 mx.own", "mx.own CNAME bare", "bare A " + KEY,
                      "_25._tcp.mx.own TLSA " + self.right]
        self.zone += ["half MX 10 mx.half", "mx.half CNAME end.open.",
                      "_25._tcp.mx.half TLSA " + self.right,
                      "halfwrong MX 10 mx.halfwrong", "mx.halfwrong CNAME end.open.",
                      "_25._tcp.mx.halfwrong TLSA " + wrong]
        self.domain("openrecord", KEY)
        self.zone += ["_tcp.mx.openrecord NS ns."]
        self.zone += ["away MX 10 end.open.", "awaybroken MX 10 broken.open.",
                      "forgedmx MX 17 mx.none"]
        self.host("end", KEY, wrong, zone=self.open)
        self.open += ["broken A " + KEY, "all MX 10 end", "home MX 10 mx.wrong.test."]

    # ---- mail ----------------------------------------------------------------------------------

    def got(self, domain):
        """(address of the server, Message) of each that came for it."""
        return [(address, m) for address, sink in self.sinks.items()
                for m in list(sink.messages) if "reader@" + domain in m.recipients]

    def goes(self, domain, address, *words, name=None, clear=False):
        """To that server and nowhere else; `name` is what the server was called."""
        text = self.server.story(self.server.hand_in(domain), "delivered")
        for word in words:
            assert word in text, f"no {word!r} in {text}"
        (where, message), = self.got(domain)
        assert where == address, where
        assert clear == (message.talk.tls is None), message.talk.tls
        assert name in (None, message.talk.server_name), message.talk.server_name
        return text

    def safe(self, domain, address, record=None, **more):
        """As it has to be; and `record` is what the trace has of the domain's."""
        text = self.goes(domain, address, 'policy="dane (tlsa)"', "verified=yes", **more)
        (line,) = [line for line in text.splitlines() if " tls_policy " in line][-1:]
        assert record is None or 'policy="dane (tlsa)"' in line and record in line, line

    def waits(self, domain, *words):
        """And nobody got it."""
        text = self.server.story(self.server.hand_in(domain), "deferred")
        for word in words:
            assert word in text, f"no {word!r} in {text}"
        assert not self.got(domain), self.got(domain)
        return text

    # ---- keys ----------------------------------------------------------------------------------

    def forms(self):
        for n in range(6):
            self.safe(f"form{n}.test", KEY, name=f"mx.form{n}.test")

    def says(self):
        self.safe("rollover.test", KEY, record=self.right)
        text = self.server.command("explain", "--ip", "127.0.0.1", "--from", "a@client.test",
                                   "--to", "b@rollover.test")
        assert "tls dane (tlsa): 3 1 1 " in text and self.right in text, text
        row, = self.server.json("routes", "test", "", "b@rollover.test")
        assert row["tls"] == "dane (tlsa)", row
        text = self.server.command("explain", "--ip", "127.0.0.1", "--from", "a@client.test",
                                   "--to", "b@bogus.test")
        assert "TLSA records cannot be known now: _25._tcp.mx.bogus.test" in text, text

    def wrong(self):
        text = self.waits("wrong.test", f'says="3 1 1 {NOBODYS}"', "host_failed", "stage=TLS",
                          "no matching DANE TLSA records")
        assert "secured" not in text and "tls_fallback" not in text, text

    def strongest(self):
        self.waits("agile.test", "no matching DANE TLSA records")

    def over(self):
        for domain in ("over.test", "bogusover.test", "clearover.test"):
            self.safe(domain, NEXT, name="mx2." + domain)

    # ---- authorities ---------------------------------------------------------------------------

    def chain(self):
        self.safe("chain.test", CHAIN, name="mx.chain.test")

    def named(self):
        """The certificate is the domain's, not the host's."""
        self.safe("named.test", DOMAIN, name="mx.named.test")

    def unnamed(self):
        self.waits("unnamed.test", "ostname mismatch")

    def leaf(self):
        self.waits("leaf.test", "no matching DANE TLSA records")

    def rootless(self):
        self.waits("rootless.test", "no matching DANE TLSA records")

    def whole(self):
        self.safe("whole.test", ROOTLESS)
        self.safe("wholekey.test", ROOTLESS)

    # ---- nothing to go by ----------------------------------------------------------------------

    def none(self):
        text = self.goes("none.test", KEY, "may (tls)")
        assert "tls_policy" not in text, text
        self.goes("noneclear.test", CLEAR, clear=True)

    def clear(self):
        text = self.waits("clear.test", "TLS is required, and STARTTLS is not offered")
        assert " sending " not in text, text

    def unusable(self):
        for domain in ("web.test", "strange.test"):
            self.goes(domain, KEY, 'policy="dane (tlsa)"', "verified=no",
                      'why="no usable TLSA record"')
        self.waits("webclear.test", "TLS is required, and STARTTLS is not offered")

    def unsigned(self):
        """All, the MX, the host's addresses, or the records: they are wrong, and anybody may have
        made them; or they are not to be had at all, which is common."""
        for domain in ("all.open", "home.open", "away.test", "openrecord.test",
                       "awaybroken.test"):
            text = self.goes(domain, KEY, "may (tls)")
            assert "tls_policy" not in text, text

    # ---- what cannot be known ------------------------------------------------------------------

    def unknown(self, domain, *words):
        text = self.waits(domain, *words)
        assert " connected " not in text, text

    def bogus(self):
        """The key is even right."""
        self.unknown("bogus.test", "tls_policy", 'policy="may (tlsa)"', "refused=dnssec-invalid",
                     "its TLSA records cannot be known now: _25._tcp.mx.bogus.test")

    def servfail(self):
        self.unknown("servfail.test", "refused=dnssec-invalid", "SERVFAIL")

    def forged_mx(self):
        self.unknown("forgedmx.test")

    # ---- ways ----------------------------------------------------------------------------------

    def implicit(self):
        self.safe("implicit.test", KEY, name="implicit.test")
        self.safe("implicitalias.test", KEY, name="implicit.test")

    def alias(self):
        self.safe("alias.test", KEY, name="behind.test")
        self.safe("own.test", KEY, name="mx.own.test")

    def half(self):
        """The alias is signed, and what it leads to is not."""
        self.safe("half.test", KEY, name="mx.half.test")
        self.waits("halfwrong.test", "no matching DANE TLSA records")

    # ---- demanded ------------------------------------------------------------------------------

    def demand(self, domain, host):
        self.server.command("routes", "add", "-d", domain, "-rh", host, "-rp", "25", "--tls",
                            "dane")

    def demanded(self):
        self.demand("good.route", "mx.form4.test")
        self.safe("good.route", KEY, name="mx.form4.test")
        self.demand("none.route", "mx.none.test")
        self.waits("none.route", "DANE is required, and there is no TLSA record to trust")
        self.demand("open.route", "end.open")
        self.waits("open.route", "DANE is required, and there is no TLSA record to trust")
        self.demand("web.route", "mx.web.test")
        self.waits("web.route", "no usable TLSA record")
        self.demand("address.route", KEY)
        self.waits("address.route", "DANE is required, and there is no TLSA record to trust")


def run(cases, build):
    with Pki() as pki, Dane(build, pki) as dane:
        cases.run("TLSA 3: a key or certificate, whole or a digest of it", dane.forms)
        cases.run("TLSA: one of two matches; trace, explain and routes test say so", dane.says)
        cases.run("TLSA 3: a certificate that has expired",
                  lambda: dane.safe("expired.test", EXPIRED))
        cases.run("TLSA that does not match: it waits", dane.wrong)
        cases.run("TLSA: the strongest digest counts", dane.strongest)
        cases.run("the next host when TLSA does not match, is bogus, or there is no TLS", dane.over)
        cases.run("TLSA 2: an authority, and the host's name", dane.chain)
        cases.run("TLSA 2: an authority, and the domain's name", dane.named)
        cases.run("TLSA 2: an authority, and another name", dane.unnamed)
        cases.run("TLSA 2: a certificate that is of no authority", dane.leaf)
        cases.run("TLSA 2: an authority that is not shown", dane.rootless)
        cases.run("TLSA 2: an authority that is whole in the record", dane.whole)
        cases.run("no TLSA: as without DANE", dane.none)
        cases.run("TLSA, and no STARTTLS: it waits", dane.clear)
        cases.run("TLSA that cannot be used: encrypted, with any certificate", dane.unusable)
        cases.run("TLSA where a part of the way is not signed: as without DANE", dane.unsigned)
        cases.run("TLSA with a broken signature: it waits", dane.bogus)
        cases.run("TLSA that is SERVFAIL: it waits", dane.servfail)
        cases.run("MX with a broken signature: it waits", dane.forged_mx)
        cases.run("TLSA of a domain without MX", dane.implicit)
        cases.run("TLSA of the name behind an alias, or of the alias", dane.alias)
        cases.run("TLSA of an alias that leads out of what is signed", dane.half)
        cases.run("a route that demands DANE", dane.demanded)


main(run)

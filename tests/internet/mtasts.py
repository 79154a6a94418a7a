#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mtasts.py BUILD: policies on the web (MTA-STS, RFC 8461), good ones and all that can be wrong with
one: what arrived where, what is kept, and what the trace says of it."""
import http.server
import json
import os
import re
import signal
import threading

from pki import Pki
from world import MODULES, World, main, wait_for

GOOD, OWN, EXPIRED, OTHER, CLEAR, WEB, NOBODY = (f"192.0.2.{n}" for n in range(1, 8))
YEAR = 31557600


def policy(*mx, mode="enforce", max_age=86400, end="\r\n"):
    return end.join(["version: STSv1", "mode: " + mode, *("mx: " + m for m in mx),
                     f"max_age: {max_age}", ""])


class Web:
    """The web servers of all: web.pages["mta-sts.x.test"] is (status, headers, body); each has a
    certificate of its own, by the name that is wanted."""

    def __init__(self, pki, address):
        self.pages, self.contexts, self.asked, self.lock = {}, {}, [], threading.Lock()
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.headers["Host"]
                with web.lock:
                    web.asked.append((name, self.path))
                    status, headers, body = web.pages.get(name, (404, {}, ""))
                self.send_response(status)
                for key, value in {"Content-Type": "text/plain", **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                try:
                    self.wfile.write(body.encode())
                except OSError:
                    pass  # it has had enough

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                connection, peer = super().get_request()
                return web.context.wrap_socket(connection, server_side=True,
                                               do_handshake_on_connect=False), peer

            def handle_error(self, *_):
                pass  # who does not like a certificate hangs up

        self.context = pki.own("nobody.example").context()
        self.context.sni_callback = self.named
        self.server = Server((address, 443), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def named(self, connection, name, _):
        if name in self.contexts:
            connection.context = self.contexts[name]
        return None

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def times(self, domain):
        """How often it was asked for the policy of that domain."""
        with self.lock:
            return self.asked.count(("mta-sts." + domain, "/.well-known/mta-sts.txt"))


class Mtasts(World):
    def __init__(self, build, pki):
        self.pki, self.zone, self.pages, self.certificates = pki, [], {}, {}
        self.hosts()
        modules = MODULES.replace(
            '{ module = "route/mx"; }',
            f'{{ module = "route/mx"; }}, {{ module = "route/mtasts"; ca_file = "{pki.root.chain}"; '
            'retry = "10m"; }, { module = "route/tlsrpt"; }')
        super().__init__(build, {"test": "\n".join(self.zone)},
                         queue=f'host_rest = 0; max_messages_connection = 1; retry_min = "1h"; tls_ca = "{pki.root.chain}";',
                         settings='log = { level = "debug"; };\n', modules=modules)
        self.web = Web(pki, WEB)
        self.stack.callback(self.web.close)
        self.web.pages.update(self.pages)
        for name, certificate in self.certificates.items():
            self.web.contexts["mta-sts." + name] = certificate.context()
        mx = pki.signed(*sorted(self.mx_names))
        self.sinks = {address: self.sink(address, tls=one and one.context) for address, one in {
            GOOD: mx, OWN: pki.own("mx.own.test"), EXPIRED: pki.expired("mx.expired.test"),
            OTHER: pki.signed("nobody.example"), CLEAR: None}.items()}

    # ---- zones ---------------------------------------------------------------------------------

    def domain(self, name, address, text=None, *, record="v=STSv1; id=1;", host=None, mx=None,
               certificate=None, web=WEB, page=None):
        """A domain, its mail server, what it says of that by DNS and on the web."""
        host = host or "mx." + name
        self.mx_names = getattr(self, "mx_names", set()) | {host + ".test"}
        self.zone += [f"{name} MX 10 {host}", f"{host} A {address}", f"mta-sts.{name} A {web}"]
        for one in [record] if isinstance(record, str) else record:
            self.zone.append(f'_mta-sts.{name} 0 TXT "{one}"')
        text = text if text is not None else policy(*(mx or [host + ".test"]))
        self.pages[f"mta-sts.{name}.test"] = page or (200, {}, text)
        self.certificates[name + ".test"] = certificate or self.pki.signed(
            f"mta-sts.{name}.test")

    def hosts(self):
        pki, web = self.pki, "mta-sts."
        self.domain("good", GOOD)
        self.domain("lines", GOOD, policy("MX.Lines.test.", end="\n") + "what: ever\nmode: none\n")
        for name, address in (("own", OWN), ("expired", EXPIRED), ("other", OTHER),
                              ("clear", CLEAR), ("mended", OWN)):
            self.domain(name, address)
        self.domain("nomx", GOOD, mx=["mx.elsewhere.test"])
        self.domain("over", GOOD, mx=["mx2.over.test"])
        self.zone += ["over MX 20 mx2.over", "mx2.over A " + GOOD]
        self.mx_names.add("mx2.over.test")
        self.domain("wild", GOOD, mx=["*.wild.test"])
        self.domain("deep", GOOD, mx=["*.deep.test"], host="a.mx.deep")
        self.domain("bare", GOOD, mx=["*.bare.test"], host="bare")
        self.domain("testing", OWN, policy("mx.testing.test", mode="testing"))
        self.domain("testingmx", GOOD, policy("mx.elsewhere.test", mode="testing"))
        self.domain("none", CLEAR, policy(mode="none"))
        self.domain("change", GOOD, mx=["mx.elsewhere.test"])
        self.domain("quiet", GOOD)
        self.domain("kept", OWN)
        self.domain("nocurl", OWN)
        self.domain("short", OWN, policy("mx.short.test", max_age=3))
        self.domain("shown", GOOD, policy("mx.shown.test", max_age=99 * YEAR))
        # What is no policy: mail goes, since these hosts' certificates are nobody's.
        self.domain("webexpired", OWN, certificate=pki.expired("mta-sts.webexpired.test"))
        self.domain("webname", OWN, certificate=pki.signed("mta-sts.good.test"))
        self.domain("webown", OWN, certificate=pki.own("mta-sts.webown.test"))
        self.domain("unreachable", OWN, web=NOBODY)
        self.domain("redirect", OWN, page=(301, {"Location": f"https://{web}good.test/x"}, ""))
        self.domain("away", OWN, page=(404, {}, policy("mx.elsewhere.test")))
        self.domain("long", OWN, policy("mx.elsewhere.test") + "x: y\n" * 20000)
        self.domain("html", OWN, page=(200, {"Content-Type": "text/html"}, policy("mx.e.test")))
        self.domain("broken", OWN, policy(mode="enforce"))
        self.domain("two", OWN, record=["v=STSv1; id=1;", "v=STSv1; id=2;"])
        self.domain("malformed", OWN, record="v=STSv1; id=not-one;")
        self.domain("unsaid", OWN, record=[])

    def publish(self, name, ident, text):
        """The domain has another policy, and says so."""
        self.web.pages[f"mta-sts.{name}.test"] = (200, {}, text)
        path = self.dns.folder + "/test.zone"
        with open(path, encoding="utf-8") as file:
            zone = file.read()
        serial = int(re.search(r"hostmaster\. (\d+) ", zone).group(1)) + 1
        zone = re.sub(r"hostmaster\. \d+ ", f"hostmaster. {serial} ", zone)
        zone = re.sub(rf'(_mta-sts\.{name} 0 TXT ).*', rf'\1"v=STSv1; id={ident};"', zone)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(zone)
        os.replace(path + ".new", path)
        self.dns.process.send_signal(signal.SIGHUP)

    # ---- mail ----------------------------------------------------------------------------------

    def got(self, domain):
        return [(address, m) for address, sink in self.sinks.items()
                for m in list(sink.messages) if "reader@" + domain in m.recipients]

    def goes(self, domain, address, *words):
        """To that server."""
        text = self.server.story(self.server.hand_in(domain), "delivered")
        for word in words:
            assert word in text, f"no {word!r} in {text}"
        where = {a for a, _ in self.got(domain)}
        assert where == {address}, where
        return text

    def waits(self, domain, *words):
        """And nobody got it."""
        before = len(self.got(domain))
        text = self.server.story(self.server.hand_in(domain), "deferred")
        for word in words:
            assert word in text, f"no {word!r} in {text}"
        assert len(self.got(domain)) == before, self.got(domain)
        return text

    def kept(self, domain):
        """What is, of this domain: rows."""
        return self.server.json("mtasts", "list", "--domain", domain)

    # ---- good ones -----------------------------------------------------------------------------

    def good(self):
        text = self.goes("good.test", GOOD, 'policy="verify (sts)', "verified=yes",
                         "id 1, enforce", "mx: mx.good.test")
        assert "wrong=" not in text, text
        row, = self.kept("good.test")
        assert (row["id"], row["mode"], row["mx"]) == ("1", "enforce", "mx.good.test"), row
        assert self.web.times("good.test") == 1
        self.goes("good.test", GOOD, "verified=yes")
        assert self.web.times("good.test") == 1, "it is not fetched twice"

    def lines(self):
        self.goes("lines.test", GOOD, "verify (sts)", "verified=yes")

    def says(self):
        row, = self.server.json("routes", "test", "", "b@shown.test")
        assert row["tls"] == "verify (sts)", row
        text = self.server.command("explain", "--ip", "127.0.0.1", "--from", "a@client.test",
                                   "--to", "b@shown.test")
        assert "tls verify (sts): id 1, enforce; version: STSv1" in text, text
        text = self.server.command("explain", "--ip", "127.0.0.1", "--from", "a@client.test",
                                   "--to", "b@nomx.test")
        assert "no mx of the domain's MTA-STS policy (id 1, enforce)" in text, text

    def certificates_are_wrong(self):
        self.waits("own.test", "verify (sts)", "host_failed", "stage=TLS", "self-signed")
        self.waits("expired.test", "verify (sts)", "host_failed", "stage=TLS")
        self.waits("other.test", "verify (sts)", "host_failed", "ostname mismatch")
        text = self.waits("clear.test", "STARTTLS is not offered")
        assert " sending " not in text and "tls_fallback" not in text, text

    def mended(self):
        message = self.server.hand_in("mended.test")
        self.server.story(message, "deferred")
        self.sinks[OWN].tls = self.pki.signed("mx.mended.test").context
        try:
            self.server.command("queue", "retry", "--to", "reader@mended.test")
            text = self.server.story(message, "delivered")
        finally:
            self.sinks[OWN].tls = self.pki.own("mx.own.test").context
        assert "verified=yes" in text, text

    def no_mx(self):
        text = self.waits("nomx.test", "mx.nomx.test is no mx of the domain's MTA-STS policy",
                          "refused=validation-failure")
        assert " connected " not in text, text

    def over(self):
        text = self.goes("over.test", GOOD, "mx2.over.test", "verified=yes")
        assert "mx.over.test is no mx" in text, text

    def wild(self):
        self.goes("wild.test", GOOD, "verify (sts)", "verified=yes")
        self.waits("deep.test", "a.mx.deep.test is no mx")
        self.waits("bare.test", "bare.test is no mx")

    def testing(self):
        self.goes("testing.test", OWN, 'policy="may (sts)', "id 1, testing", "verified=no")
        self.goes("testingmx.test", GOOD, 'policy="may (sts)',
                  "wrong=\"mx.testingmx.test is no mx")

    def none(self):
        text = self.goes("none.test", CLEAR)
        assert "(sts)" not in text, text
        row, = self.kept("none.test")
        assert row["mode"] == "none", row

    # ---- ones that are none --------------------------------------------------------------------

    def unusable(self, domain, *words):
        self.goes(domain, OWN, *words)
        assert self.kept(domain) == []

    def web_certificates(self):
        for domain in ("webexpired.test", "webname.test", "webown.test"):
            self.unusable(domain, 'policy="may (sts)"', "wrong=")

    def web_answers(self):
        self.unusable("unreachable.test", 'policy="may (sts)"', "wrong=")
        self.unusable("redirect.test", "the web server said 301, not 200")
        self.unusable("away.test", "the web server said 404, not 200")
        self.unusable("long.test", "it has more than 65536 octets")
        self.unusable("html.test", "it is text/html, not text/plain")
        self.unusable("broken.test", "it has no mx")
        assert all(path == "/.well-known/mta-sts.txt" for _, path in self.web.asked)

    def records(self):
        for domain in ("two.test", "malformed.test", "unsaid.test"):
            text = self.goes(domain, OWN)
            assert "(sts)" not in text, text
            assert self.web.times(domain) == 0

    def not_again(self):
        """What failed is left alone for a while, but for another id."""
        times = self.web.times("away.test")
        self.goes("away.test", OWN, "the web server said 404, not 200")
        assert self.web.times("away.test") == times
        self.publish("away", 2, policy("mx.away.test"))

        def asked():
            self.server.hand_in("away.test")
            return self.web.times("away.test") > times
        wait_for(asked, what="a fetch of the new policy")
        wait_for(lambda: self.kept("away.test"), what="the new policy")
        self.waits("away.test", "verify (sts)", "self-signed")

    # ---- time ----------------------------------------------------------------------------------

    def change(self):
        """The old policy rules the host out: the new one is waited for."""
        message = self.server.hand_in("change.test")
        self.server.story(message, "deferred")
        self.publish("change", "v2", policy("mx.change.test"))

        def arrived():
            self.server.command("queue", "retry", "--to", "reader@change.test")
            return " delivered " in self.server.command("trace", message)
        wait_for(arrived, what="mail by the new policy")
        row, = self.kept("change.test")
        assert (row["id"], row["mx"]) == ("v2", "mx.change.test"), row

    def quiet(self):
        """The old policy has the host: the new one is fetched meanwhile."""
        self.goes("quiet.test", GOOD, "id 1, enforce")
        self.publish("quiet", 2, policy("mx.elsewhere.test"))

        def fetched():
            self.server.hand_in("quiet.test")
            return [row["id"] for row in self.kept("quiet.test")] == ["2"]
        wait_for(fetched, what="the new policy")
        self.waits("quiet.test", "id 2, enforce", "is no mx")

    def no_libcurl(self):
        """As on a machine where it was removed: said, and mail goes as without policies."""
        for name in ("libcurl.so.4", "libcurl-gnutls.so.4"):
            with open(os.path.join(self.server.folder, name), "w", encoding="utf-8"):
                pass
        self.server.stop()
        self.server.env["LD_LIBRARY_PATH"] = self.server.folder
        self.server.start()
        self.server.lines.wait("mtasts_no_libcurl.*libcurl.so.4: file too short")
        self.unusable("nocurl.test", 'policy="may (sts)"', "libcurl.so.4: file too short")
        assert self.web.times("nocurl.test") == 0
        self.server.stop()
        del self.server.env["LD_LIBRARY_PATH"]
        self.server.start()
        self.waits("nocurl.test", "verify (sts)", "self-signed")

    def survives(self):
        """The web server has gone, and tmail was started anew."""
        self.waits("kept.test", "verify (sts)")
        self.waits("short.test", "verify (sts)")
        assert len(self.kept("kept.test")) == 1
        self.publish("kept", 2, policy("mx.elsewhere.test"))
        self.web.pages["mta-sts.kept.test"] = self.web.pages["mta-sts.short.test"] = (503, {}, "")
        self.server.stop()
        self.server.start()
        times = self.web.times("kept.test")

        def tried():
            self.waits("kept.test", "verify (sts)", "id 1, enforce", "self-signed")
            return self.web.times("kept.test") > times
        wait_for(tried, what="a fetch that fails")
        self.waits("kept.test", "verify (sts)", "id 1, enforce", "self-signed")
        assert [row["id"] for row in self.kept("kept.test")] == ["1"]
        # And one that has ended is not used any more.
        wait_for(lambda: not self.kept("short.test"), what="the end of a policy")
        self.goes("short.test", OWN, 'policy="may (sts)"', "the web server said 503")

    def commands(self):
        assert self.server.command("mtasts", "refresh", "good.test") == ""
        assert self.web.times("good.test") > 1
        failed = self.server.command("mtasts", "refresh", "redirect.test", check=False)
        assert failed.returncode and "said 301" in failed.stderr, failed
        failed = self.server.command("mtasts", "refresh", "unsaid.test", check=False)
        assert failed.returncode and "no record" in failed.stderr, failed
        times = self.web.times("good.test")
        self.server.command("mtasts", "del", "good.test")
        assert self.kept("good.test") == []
        failed = self.server.command("mtasts", "del", "good.test", check=False)
        assert failed.returncode and "no policy of good.test" in failed.stderr, failed
        self.goes("good.test", GOOD, "verify (sts)")
        assert self.web.times("good.test") == times + 1


    def counts(self, domain, kind, result):
        """One that this is counted of; its row."""
        def row():
            return next((r for r in self.server.json("tlsrpt", "list", "--domain", domain)
                         if (r["policy"], r["result"]) == (kind, result)), None)
        self.server.hand_in(domain)
        return wait_for(row, what=f"{kind} {result} of {domain}")

    def counted(self):
        for domain, kind, result in (
                ("good", "sts", "success"), ("own", "sts", "certificate-not-trusted"),
                ("other", "sts", "certificate-host-mismatch"),
                ("clear", "sts", "starttls-not-supported"), ("nomx", "sts", "validation-failure"),
                ("testing", "sts", "certificate-not-trusted"),
                ("testingmx", "sts", "validation-failure"),
                ("webexpired", "sts", "sts-webpki-invalid"),
                ("webname", "sts", "sts-webpki-invalid"),
                ("none", "no-policy-found", "starttls-not-supported")):
            row = self.counts(domain + ".test", kind, result)
            assert row["host"] == f"mx.{domain}.test" and row["sessions"] > 0, row
        report = json.loads(self.server.command("tlsrpt", "show", "nomx.test", row["day"]))
        found, = report["policies"]
        assert found["policy"]["policy-string"] == [
            "version: STSv1", "mode: enforce", "mx: mx.elsewhere.test", "max_age: 86400"], found
        assert found["policy"]["mx-host"] == ["mx.elsewhere.test"], found
        assert found["summary"]["total-successful-session-count"] == 0, found


def run(cases, build):
    with Pki() as pki, Mtasts(build, pki) as sts:
        cases.run("MTA-STS: mail goes over TLS that was checked, fetched once", sts.good)
        cases.run("MTA-STS: lines, dots, capitals and keys of all kinds", sts.lines)
        cases.run("MTA-STS: explain and routes test say so", sts.says)
        cases.run("MTA-STS: certificates that are not good, or none: it waits",
                  sts.certificates_are_wrong)
        cases.run("MTA-STS: it arrives once the certificate was mended", sts.mended)
        cases.run("MTA-STS: a host that is no mx: it waits", sts.no_mx)
        cases.run("MTA-STS: the next host is one", sts.over)
        cases.run("MTA-STS: a star is one label", sts.wild)
        cases.run("MTA-STS testing: mail goes, and what is wrong is told", sts.testing)
        cases.run("MTA-STS none: as without", sts.none)
        cases.run("a web server's certificate that is not good: as without", sts.web_certificates)
        cases.run("a web server's answer that is no policy: as without", sts.web_answers)
        cases.run("a record that is none, or two: as without", sts.records)
        cases.run("what failed is left alone, but for another id", sts.not_again)
        cases.run("another id: a host that was none is one", sts.change)
        cases.run("another id: fetched while mail goes", sts.quiet)
        cases.run("without libcurl: as without, and it is said", sts.no_libcurl)
        cases.run("a policy survives its web server and a start, to its end", sts.survives)
        cases.run("what went wrong is counted, in the words of RFC 8460", sts.counted)
        cases.run("mtasts list, refresh, del", sts.commands)


main(run)

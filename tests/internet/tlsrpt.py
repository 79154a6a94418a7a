#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tlsrpt.py BUILD: what is counted of TLS on the way to others (RFC 8460), judged against the
connections that servers had: by domain, policy, host and result, over restarts, and as a report."""
import contextlib
import glob
import json
import os
import re
import shutil
import sqlite3
import tempfile
import time

from pki import Pki
from world import MODULES, World, main, wait_for

WITH_COUNTS = MODULES.replace(
    '{ module = "route/mx"; }',
    '{ module = "route/mx"; }, { module = "route/dane"; }, { module = "route/tlsrpt"; '
    'organization = "Sender Ltd"; contact = "postmaster@client.test"; write_every = "1s"; }')
KEY, CLEAR, BROKEN, ONE_EACH = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"
NOBODYS = "3 1 1 " + "ab" * 32


class Hidden:
    """TLS whose handshake fails: no version is left that both have."""

    def __init__(self, certificate):
        self.certificate = certificate

    def __call__(self):
        made = self.certificate.context()
        made.set_ciphers("aNULL")
        made.maximum_version = made.minimum_version = made.maximum_version.TLSv1_2
        return made


class Counted(World):
    def __init__(self, build, pki):
        key = pki.own("nobody.example")
        self.right = key.tlsa(3, 1, 1)
        self.zone = []
        for name in ("plain", "again", "kept", "killed", "explained"):
            self.domain(name, KEY)
        for name in ("clear", "routed"):
            self.domain(name, CLEAR)
        self.domain("broken", BROKEN)
        self.domain("dane", KEY, self.right)
        self.domain("wrong", KEY, NOBODYS)
        self.domain("two", KEY, NOBODYS)
        self.zone += ["two MX 20 mx2.two", "mx2.two A " + ONE_EACH,
                      "_25._tcp.mx2.two TLSA " + self.right]
        super().__init__(build, {"test": "\n".join(self.zone)}, dns={"signed": ["test"]},
                         modules=WITH_COUNTS)
        self.sinks = {address: self.sink(address, tls=tls) for address, tls in {
            KEY: key.context, CLEAR: None, BROKEN: Hidden(key), ONE_EACH: key.context}.items()}

    def domain(self, name, address, record=None):
        self.zone += [f"{name} MX 10 mx.{name}", f"mx.{name} A {address}"]
        if record:
            self.zone.append(f"_25._tcp.mx.{name} TLSA {record}")

    # ---- mail ----------------------------------------------------------------------------------

    def goes(self, domain):
        """To somebody of these; the address of the server."""
        self.send("reader@" + domain)

        def came():
            return [address for address, sink in self.sinks.items()
                    for m in list(sink.messages) if "reader@" + domain in m.recipients]
        return wait_for(came, what="mail for " + domain)[0]

    def waits(self, domain):
        self.send("reader@" + domain)
        return self.row("reader@" + domain)

    def rows(self, domain, *words):
        return self.server.json("tlsrpt", "list", "--domain", domain, *words)

    def counted(self, domain, number=1):
        """Its rows, when there are so many: a session is told of a little before its mail came."""
        return wait_for(lambda: len(self.rows(domain)) >= number and self.rows(domain),
                        what=f"{number} rows of {domain}")

    def one(self, domain, **expected):
        row, = self.counted(domain)
        expected = {"domain": domain, "host": "mx." + domain, "sessions": 1, **expected}
        for name, value in expected.items():
            assert row[name] == value, f"{name} is not {value!r} in {row}"
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", row["day"]), row
        return row

    def report(self, domain):
        row = self.counted(domain)[0]
        return json.loads(self.server.command("tlsrpt", "show", domain, row["day"]))

    # ---- cases ---------------------------------------------------------------------------------

    def plain(self):
        assert self.goes("plain.test") == KEY
        row = self.one("plain.test", policy="no-policy-found", result="success", receiving=KEY)
        (talk,) = [m.talk for m in self.sinks[KEY].messages if "reader@plain.test" in m.recipients]
        assert row["sending"] == talk.peer and not row["details"], row

    def clear(self):
        assert self.goes("clear.test") == CLEAR
        row = self.one("clear.test", policy="no-policy-found", result="starttls-not-supported",
                       receiving=CLEAR)
        assert "STARTTLS" in row["details"], row

    def broken(self):
        """In clear behind it, which is no success either."""
        assert self.goes("broken.test") == BROKEN
        rows = self.counted("broken.test")
        assert not [row for row in rows if row["result"] == "success"], rows
        assert {row["receiving"] for row in rows} == {BROKEN}, rows
        assert [row for row in rows if "handshake" in row["details"]], rows

    def dane(self):
        assert self.goes("dane.test") == KEY
        self.one("dane.test", policy="tlsa", result="success", receiving=KEY)

    def wrong(self):
        assert self.waits("wrong.test")
        row = self.one("wrong.test", policy="tlsa", result="validation-failure", receiving=KEY)
        assert "TLSA" in row["details"], row

    def two(self):
        """A host each, a policy each: what they are is not mixed up in the report either."""
        assert self.goes("two.test") == ONE_EACH
        rows = {row["host"]: row for row in self.counted("two.test", 2)}
        assert rows["mx.two.test"]["result"] == "validation-failure", rows
        assert rows["mx2.two.test"]["result"] == "success", rows
        policies = {p["policy"]["policy-string"][0]: p for p in self.report("two.test")["policies"]}
        wrong, right = policies[NOBODYS], policies[self.right]
        assert wrong["summary"] == {"total-successful-session-count": 0,
                                    "total-failure-session-count": 1}, wrong
        failure, = wrong["failure-details"]
        assert failure["result-type"] == "validation-failure", failure
        assert failure["receiving-mx-hostname"] == "mx.two.test", failure
        assert failure["receiving-ip"] == KEY and failure["failed-session-count"] == 1, failure
        assert right["summary"] == {"total-successful-session-count": 1,
                                    "total-failure-session-count": 0}, right
        assert "failure-details" not in right, right

    def routed(self):
        """An administrator has decided: nobody's report has it."""
        self.route("routed.test", "-rh", CLEAR, "-rp", "25")
        assert self.goes("routed.test") == CLEAR
        assert self.rows("routed.test") == []

    def explained(self):
        self.server.command("explain", "--ip", "127.0.0.1", "--from", "a@client.test", "--to",
                            "b@explained.test")
        assert self.rows("explained.test") == []

    def shown(self):
        self.goes("plain.test")
        day = self.rows("plain.test")[0]["day"]
        report = self.report("plain.test")
        assert report["organization-name"] == "Sender Ltd", report
        assert report["contact-info"] == "postmaster@client.test", report
        assert report["date-range"] == {"start-datetime": day + "T00:00:00Z",
                                        "end-datetime": day + "T23:59:59Z"}, report
        (policy,) = report["policies"]
        assert policy["policy"] == {"policy-type": "no-policy-found", "policy-string": [],
                                    "policy-domain": "plain.test"}, policy

    def asked(self):
        """By day and domain; what cannot be is refused."""
        day = self.counted("plain.test")[0]["day"]
        assert self.rows("PLAIN.test.", "--day", day) and not self.rows("plain.test", "--day",
                                                                        "2001-01-01")
        domains = {row["domain"] for row in self.server.json("tlsrpt", "list", "--day", day)}
        assert {"plain.test", "clear.test"} <= domains, domains
        for words, said in ((("list", "--day", "2026-02-30"), "a day is YYYY-MM-DD"),
                            (("show", "plain.test", "yesterday"), "a day is YYYY-MM-DD"),
                            (("show", "nobody.test", day), "no mail went to nobody.test")):
            run = self.server.command("tlsrpt", *words, check=False)
            assert run.returncode and said in run.stderr, run

    # ---- the table -----------------------------------------------------------------------------

    def sessions(self, domain):
        return sum(row["sessions"] for row in self.rows(domain))

    @property
    def path(self):
        return self.server.folder + "/db/tmail.db"

    def written(self):
        """Of a copy: the server lets nobody else at its own."""
        with tempfile.TemporaryDirectory(prefix="tmail-copy-") as folder:
            for name in glob.glob(self.path + "*"):
                shutil.copy(name, folder)
            copy = os.path.join(folder, os.path.basename(self.path))
            with contextlib.closing(sqlite3.connect(copy)) as database:
                try:
                    return database.execute("select sessions from tlsrpt_sessions where"
                                            " domain = 'killed.test'").fetchall()
                except sqlite3.DatabaseError:  # copied while it was written
                    return None

    def again(self, number):
        """After a restart the same row is counted on: no other begins."""
        for n in range(1, number + 1):
            before = len(self.sinks[KEY].messages)
            self.send("reader@again.test")
            wait_for(lambda: len(self.sinks[KEY].messages) > before, what="mail")
            assert self.server.stop() == 0
            offline = self.rows("again.test")
            assert [row["sessions"] for row in offline] == [n], offline
            self.server.start()

    def swept(self):
        """Days that are over go, those that are not stay."""
        self.goes("kept.test")
        self.counted("kept.test")
        assert self.server.stop() == 0
        past = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 32 * 86400))
        within = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 28 * 86400))
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            for day in (past, within):
                database.execute(
                    "insert into tlsrpt_sessions (tag, day, domain, kind, policy, host, result,"
                    " sending, receiving, details, sessions) select ?, ?, domain, kind, policy,"
                    " host, result, sending, receiving, details, sessions from tlsrpt_sessions"
                    " where domain = 'kept.test' limit 1", (day, day))
        assert len(self.rows("kept.test")) == 3
        self.server.start()
        wait_for(lambda: len(self.rows("kept.test")) < 3, what="the sweep")
        days = [row["day"] for row in self.rows("kept.test")]
        assert past not in days and within in days and len(days) == 2, days

    def killed(self):
        """What was written before a kill is there after it."""
        self.goes("killed.test")

        assert wait_for(self.written, what="its row, without being asked for") == [(1,)]
        self.server.stop(9)
        self.server.start()
        assert self.sessions("killed.test") == 1


def run(cases, build):
    with Pki() as pki, Counted(build, pki) as world:
        cases.run("TLS without a policy is a success", world.plain)
        cases.run("no STARTTLS is a failure, although mail went", world.clear)
        cases.run("a handshake that fails is one, although mail went", world.broken)
        cases.run("TLSA that matches", world.dane)
        cases.run("TLSA that does not match: mail waits", world.wrong)
        cases.run("two hosts, two policies, in the list and in the report", world.two)
        cases.run("routes are not counted", world.routed)
        cases.run("explain is not counted", world.explained)
        cases.run("the report says whose it is and of when", world.shown)
        cases.run("lists by day and domain, and what is refused", world.asked)
        cases.run("stopped and started: counted on in the same row", lambda: world.again(3))
        cases.run("days that are too old go", world.swept)
        cases.run("killed: what was written is there", world.killed)


main(run)

# SPDX-License-Identifier: MIT
"""route/rcpthost through the running program."""
import os
import sqlite3

from tmail import Session, Tmail
from unpacked import wait_for

MODULES = """(
  { module = "store/sqlite"; file = "%s"; },
  { module = "store/journal"; },
  { module = "route/rcpthost"; }
)"""
DENIED = (554, ["5.7.1 <a@{}>: Relay access denied."])


class Rcpthost:
    def __init__(self, build):
        self.build = build
        settings = ('table_ttl = "1s";\nqueue = { deliver = false; };\n'
                    "smtp = { max_bad_rcpt = 0; };\n")
        self.server = Tmail(build, settings, modules=MODULES % "db/tmail.db")
        self.database = os.path.join(self.server.folder, "db/tmail.db")
        self.other = Tmail(build, settings, modules=MODULES % self.database)
        self.server.start()
        self.session = Session(self.server.port)
        self.session.expect("EHLO client.test", 250)
        self.session.expect("MAIL FROM:<a@client.test>", 250)

    def close(self):
        self.session.close()  # in a transaction, for which a server that stops would wait
        self.server.close()
        self.other.close()

    def rcpt(self, domain, session=None):
        return (session or self.session).ask(f"RCPT TO:<a@{domain}>")

    def denied(self, domain):
        code, (text,) = self.rcpt(domain)
        assert (code, [text]) == (DENIED[0], [DENIED[1][0].format(domain)]), (code, text)

    def at_once(self):
        """In a session that is open, whose refusal has just been cached."""
        for _ in range(20):
            self.denied("example.com")
            self.server.command("rcpthost", "add", "example.com")
            assert self.rcpt("example.com")[0] == 250, "it is refused though it was added"
            self.server.command("rcpthost", "del", "example.com")
        self.denied("example.com")

    def case_and_dot(self):
        self.server.command("rcpthost", "add", "Some.EXAMPLE.Com.")
        for domain in ("some.example.com", "SOME.example.COM"):
            assert self.rcpt(domain)[0] == 250, domain
        assert [r["hostname"] for r in self.server.json("rcpthost", "list")] == ["some.example.com"]
        self.server.command("rcpthost", "del", "SOME.example.com.")
        self.denied("some.example.com")

    def neighbours(self):
        """A domain is not its subdomains, nor what merely ends or begins like it."""
        self.server.command("rcpthost", "add", "example.com")
        for domain in ("sub.example.com", "notexample.com", "example.com.org", "com", "example.co"):
            self.denied(domain)
        self.server.command("rcpthost", "del", "example.com")

    def local(self):
        """With no module for mailboxes yet, its recipients are taken as of any other."""
        self.server.command("rcpthost", "add", "-l", "local.example")
        assert self.rcpt("local.example")[0] == 250
        kinds = {r["hostname"]: r["kind"] for r in self.server.json("rcpthost", "list")}
        assert kinds["local.example"] == "local", kinds

    def written_by_others(self):
        """What another program writes is seen within table_ttl."""
        self.denied("by-hand.example")
        with sqlite3.connect(self.database, timeout=30) as db:
            db.execute("insert into rcpt_hosts (hostname) values ('by-hand.example')")
        db.close()
        wait_for(lambda: self.rcpt("by-hand.example")[0] == 250, 30, "the row written by hand")

    def other_node(self):
        """What a command says to one server, another on the same database knows soon."""
        self.other.start()
        session = Session(self.other.port)
        session.expect("EHLO client.test", 250)
        session.expect("MAIL FROM:<a@client.test>", 250)
        assert self.rcpt("shared.example", session)[0] == 554
        self.server.command("rcpthost", "add", "shared.example")
        wait_for(lambda: self.rcpt("shared.example", session)[0] == 250, 30, "the other's change")
        self.other.command("rcpthost", "del", "shared.example")
        wait_for(lambda: self.rcpt("shared.example")[0] == 554, 30, "the other's change")
        session.close()

    def many(self):
        """A thousand domains, all known, all gone again."""
        with sqlite3.connect(self.database, timeout=30) as db:
            db.executemany("insert into rcpt_hosts (hostname) values (?)",
                           [(f"d{i}.many.example",) for i in range(1000)])
        db.close()
        wait_for(lambda: self.rcpt("d0.many.example")[0] == 250, 30, "the rows")
        session = Session(self.server.port)
        session.expect("EHLO client.test", 250)
        session.expect("MAIL FROM:<a@client.test>", 250)
        session.send("".join(f"RCPT TO:<a@d{i}.many.example>\r\n" for i in range(0, 1000, 2)))
        assert all(session.reply()[0] == 250 for _ in range(500))
        session.close()
        assert len(self.server.json("rcpthost", "list")) >= 1000

    def survives(self):
        self.server.command("rcpthost", "add", "kept.example")
        self.session.close()
        self.server.stop()
        self.server.start()
        self.session = session = Session(self.server.port)
        session.expect("EHLO client.test", 250)
        session.expect("MAIL FROM:<a@client.test>", 250)
        assert self.rcpt("kept.example")[0] == 250


def run(cases, build):
    rcpthost = Rcpthost(build)
    try:
        cases.run("rcpthost: add and del are in force at once in an open session", rcpthost.at_once)
        cases.run("rcpthost: case and the dot at the end do not matter", rcpthost.case_and_dot)
        cases.run("rcpthost: only the domain itself", rcpthost.neighbours)
        cases.run("rcpthost: a local domain", rcpthost.local)
        cases.run("rcpthost: rows that others write", rcpthost.written_by_others)
        cases.run("rcpthost: two servers on one database", rcpthost.other_node)
        cases.run("rcpthost: a thousand domains", rcpthost.many)
        cases.run("rcpthost: it is there after a restart", rcpthost.survives)
    finally:
        rcpthost.close()

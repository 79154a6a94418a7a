#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lies.py BUILD: next servers that break the rules. Each recipient ends as it must, nobody is told
that mail has gone where it has not, and mail to an honest server goes on meanwhile."""
import datetime
import re

from world import World, main

from sink import HANG_UP, RESET, SILENCE

HONEST = "192.0.2.200"
FLOOD = b"".join(b"250-%07d and there is more\r\n" % n for n in range(200000))
OK = "250 2.0.0 Ok"

# What is made of it.
DEFERRED, UNKNOWN, BOUNCED, DELIVERED = "deferred", "unknown", "bounced", "delivered"

# name: (what it says, what becomes of the recipient, words of the reason)
LIES = {
    "greeting-nonsense": ({"CONNECT": b"\x16\x03\x01 hello?\r\n"}, DEFERRED, ""),
    "greeting-flood": ({"CONNECT": FLOOD.replace(b"250-", b"220-")}, DEFERRED, ""),
    "greeting-endless": ({"CONNECT": (b"220 " + b"x" * 1000000, HANG_UP)}, DEFERRED, ""),
    "greeting-silence": ({"CONNECT": SILENCE}, DEFERRED, "timed out|no answer|time"),
    "greeting-of-another": ({"CONNECT": b"* OK IMAP4rev1 ready\r\n"}, DEFERRED, ""),
    "all-said-at-once": ({"CONNECT": b"220 x\r\n250 x\r\n250 x\r\n250 x\r\n354 x\r\n250 x\r\n"},
                         DEFERRED, ""),
    "ehlo-flood": ({"EHLO": FLOOD, "HELO": FLOOD}, DEFERRED, ""),
    "ehlo-354": ({"EHLO": "354 Go", "HELO": "354 Go"}, DEFERRED, ""),
    "ehlo-nul": ({"EHLO": b"250-x\0y\r\n250-SIZE\0\r\n250 \0\r\n"}, DELIVERED, ""),
    "mail-two-codes": ({"MAIL": b"250-yes\r\n550 no\r\n"}, DEFERRED, ""),
    "mail-999": ({"MAIL": b"999 over the top\r\n"}, DEFERRED, ""),
    "mail-no-code": ({"MAIL": b"yes, of course\r\n"}, DEFERRED, ""),
    "mail-silence": ({"MAIL": SILENCE}, DEFERRED, "timed out|time"),
    "rcpt-354": ({"RCPT": b"354 Go\r\n"}, DEFERRED, ""),
    "rcpt-garbage": ({"RCPT": b"\xff\xfe\0\0\r\n"}, DEFERRED, ""),
    "data-250": ({"DATA": OK}, DEFERRED, ""),
    "data-silence": ({"DATA": SILENCE}, DEFERRED, "timed out|time"),
    "data-220": ({"DATA": "220 Once more"}, DEFERRED, ""),
    "dot-end": ({".": HANG_UP}, UNKNOWN, "lost|closed"),
    "dot-reset": ({".": RESET}, UNKNOWN, "lost|closed|reset"),
    "dot-silence": ({".": SILENCE}, UNKNOWN, "timed out|time"),
    "dot-354": ({".": "354 More"}, UNKNOWN, ""),
    "dot-nonsense": ({".": b"taken!\r\n"}, UNKNOWN, ""),
    "dot-half": ({".": (b"250-queued\r\n250-as", HANG_UP)}, UNKNOWN, ""),
    "dot-5": ({".": b"554-5.7.1 No\x1b[2J\r\n554 5.7.1 and\0 no\r\n"}, BOUNCED, "5.7.1"),
    "twice": ({".": b"250 taken\r\n250 taken\r\n"}, DELIVERED, ""),
    "taken-and-gone": ({".": (b"250 taken\r\n", HANG_UP)}, DELIVERED, ""),
}


def octet_by_octet(_argument):
    return tuple(bytes([c]) for c in b"250-2.0.0 slowly\r\n250 2.0.0 said\r\n")


class Lies(World):
    def __init__(self, build):
        names = [*LIES, "drip", "nobody", "crowded", "small", "stepwise", "forgetful"]
        self.at = {name: f"192.0.2.{n}" for n, name in enumerate(names, 1)}
        zone = f"honest MX 10 mx.honest\nmx.honest A {HONEST}\n" + "".join(
            f"{name} MX 10 mx.{name}\nmx.{name} A {address}\n" for name, address in self.at.items())
        super().__init__(build, {"test": zone}, queue='host_rest = 0; '
                         'timeout_command = "2s"; timeout_data = "6s";')
        self.honest = self.sink(HONEST)

    def liar(self, name, table, **more):
        return self.sink(self.at[name], table, **more)

    def lie(self, name):
        table, fate, words = LIES[name]
        sink, recipient = self.liar(name, table), f"reader@{name}.test"
        sender = self.send(recipient)
        sink.until(lambda: sink.talks, 30)
        self.arrives("reader@honest.test", self.honest)
        if fate == BOUNCED:
            report = self.back.find(lambda m: m.recipients == [sender], 60)
            assert words.encode() in report.content and b"\x1b" not in report.content
        elif fate == DELIVERED:
            self.server.lines.wait(rf"delivered .*to={re.escape(recipient)} ")
            assert len(sink.messages) == 1, f"{len(sink.messages)} messages"
        else:
            self.waits(recipient, words, fate == UNKNOWN)
            assert len(sink.messages) <= (fate == UNKNOWN), "it was taken, and is tried again"

    def waits(self, recipient, words, unknown):
        row = self.row(recipient)
        assert re.search(words, row["reason"]) and row["reason"].isprintable(), row
        added, due = (datetime.datetime.fromisoformat(row[c].replace("Z", "+00:00"))
                      for c in ("added", "next_delivery"))
        assert (due - added >= datetime.timedelta(minutes=10)) == unknown, row

    def drip(self):
        """Slowly, and correct: an octet a packet."""
        table = {verb: octet_by_octet for verb in ("EHLO", "MAIL", "RCPT", ".")}
        self.arrives("reader@drip.test", self.liar("drip", table))

    def for_nobody(self):
        """All recipients are refused and the data asked for: it gets none, and all bounce."""
        sink = self.liar("nobody", {"RCPT": "550 5.1.1 No", "DATA": "354 Go on"})
        sender = self.send("a@nobody.test", "b@nobody.test",
                           content=b"Subject: refused\r\n\r\nsecret\r\n")
        report = self.back.find(lambda m: m.recipients == [sender], 60)
        assert b"a@nobody.test" in report.content and b"b@nobody.test" in report.content
        assert not any(b"secret" in m.content for m in sink.messages)

    def crowded(self):
        """No more than three recipients at a time: the others follow at once."""
        count = []

        def rcpt(argument):
            count.append(argument)
            return None if len(count) <= 3 else "452 4.5.3 Too many recipients"
        sink = self.liar("crowded", {"MAIL": lambda _: count.clear(), "RCPT": rcpt})
        sent = {f"reader-{n}@crowded.test" for n in range(10)}
        self.send(*sent)
        sink.until(lambda: {r for m in sink.messages for r in m.recipients} == sent, 60)
        assert sum(len(m.recipients) for m in sink.messages) == 10, "somebody got it twice"

    def small(self):
        """What is larger than it says it takes is not sent there."""
        sink = self.liar("small", None, offers=("PIPELINING", "SIZE 2000"))
        sender = self.send("reader@small.test",
                           content=b"Subject: refused\r\n\r\n" + b"x" * 70 * 50 + b"\r\n")
        report = self.back.find(lambda m: m.recipients == [sender], 60)
        assert b"5.3.4" in report.content, report.content
        assert not sink.messages and all("DATA" not in talk.verbs() for talk in sink.talks)
        self.arrives("reader@small.test", sink)

    def stepwise(self):
        """Who does not offer PIPELINING gets one command at a time."""
        ahead = []
        sink = self.liar("stepwise", {verb: lambda _: ahead.append(sink.talks[-1].ahead())
                                      for verb in ("MAIL", "RCPT", "DATA")}, offers=("8BITMIME",))
        self.arrives("reader@stepwise.test", sink)
        assert ahead == [b""] * 3, ahead

    def forgetful(self):
        """It closes each connection after its first message, without a word: nobody notices."""
        sink = self.liar("forgetful", {".": (OK, HANG_UP)})
        for n in range(10):
            self.arrives(f"reader-{n}@forgetful.test", sink)
        assert len(sink.messages) == 10, f"{len(sink.messages)} messages"


def run(cases, build):
    with Lies(build) as world:
        for name, (_, fate, _) in LIES.items():
            cases.run(f"a server that lies: {name}: {fate}", world.lie, name)
        cases.run("a server that says octets: delivered", world.drip)
        cases.run("a server that wants data for nobody: bounced", world.for_nobody)
        cases.run("a server of three recipients at a time: delivered", world.crowded)
        cases.run("a server of small messages: the large one bounced", world.small)
        cases.run("a server without PIPELINING: one command at a time", world.stepwise)
        cases.run("a server that closes after each message: delivered", world.forgetful)


main(run)

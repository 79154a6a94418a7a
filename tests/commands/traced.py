# SPDX-License-Identifier: MIT
"""tmail trace: the life of messages and sessions, while the server runs, after it stopped, after it
was started again, and when the ring has come round."""
import json
import os
import re

from sink import Script, Sink
from tmail import Session, Tmail, wait_for

CONTENT = b"Subject: x\r\n\r\ntext\r\n"
ID = re.compile(r"[0-9a-v]{26}")


def accepted(server, recipient, sender="me@client.test"):
    """(session's id, message's id)"""
    session = Session(server.port)
    reply = session.message(sender, [recipient], CONTENT)
    assert reply[0] == 250, reply
    session.expect("QUIT", 221)
    session.close()
    return ID.search(session.greeting[1][0]).group(), ID.search(reply[1][-1]).group()


def names(rows):
    return [row["what"] for row in rows]


def trace_until(server, event, ident):
    """Rows once there is such an event among them: the last are told after the log's line."""
    return wait_for(lambda: (rows := server.json("trace", ident)) and event in names(rows) and rows,
                    what=event)


def first(rows, event, **having):
    found = [row for row in rows if row["what"] == event and
             all(text in row[column] for column, text in having.items())]
    assert found, (event, having, rows)
    return found[0]


class Traced:
    def __init__(self, build):
        self.busy = Sink(answer=Script({"RCPT": ["451 4.2.0 not \x1b[31mtoday"] * 9}))
        self.rude = Sink(answer=Script({"CONNECT": ["554 5.3.2 go away"] * 9}))
        self.good = Sink()
        for sink in (self.busy, self.rude, self.good):
            sink.__enter__()
        self.server = Tmail(build, "smtp = { reverse_lookup = 0; max_bad_rcpt = 0; max_errors = 0; max_junk = 0; };\n"
                                   'queue = { retry_min = "1h"; };\n'
                                   "log = { trace_size = 1048576; };\n").start()
        self.server.command("rcpthost", "add", "dest.test")
        for priority, sink in enumerate((self.rude, self.busy, self.good)):
            self.server.command("routes", "add", "-d", "dest.test", "-rh", "127.0.0.1", "-rp",
                                str(sink.port), "-p", str(priority))

    def close(self):
        self.server.close()
        for sink in (self.busy, self.rude, self.good):
            sink.__exit__()

    def hosts(self):
        """Delivered at the third: who was tried, what they said, and where it was to go."""
        session, message = self.session, self.message = accepted(self.server, "a@dest.test")
        self.good.wait(1)
        rows = self.rows = trace_until(self.server, "ended", message)
        at = [names(rows).index(name) for name in ("session_opened", "hello", "accepted", "routed",
                                                   "host_failed", "next_host", "delivered",
                                                   "ended")]
        assert at == sorted(at), rows
        for event in ("host_failed", "next_host"):  # nothing is told of a connection before it began
            assert "connecting" in names(rows)[:names(rows).index(event)], names(rows)
        first(rows, "session_opened", where="127.0.0.1", details=session)
        first(rows, "hello", details="helo=client.test")
        first(rows, "routed", details="to=a@dest.test destination=")
        first(rows, "host_failed", where="127.0.0.1", details="stage=greeting code=554")
        assert "go away" in first(rows, "host_failed")["details"]
        first(rows, "connected", where=f":{self.busy.port}", details="source=127.0.0.1")
        refused = first(rows, "next_host", where=f":{self.busy.port}")
        assert "to=a@dest.test" in refused["details"] and "451" in refused["details"], refused
        taken = first(rows, "delivered", where=f":{self.good.port}")
        assert "Taken" in taken["details"] and taken["took"].endswith(" ms"), taken
        times = [row["time"] for row in rows]
        assert times == sorted(times), times

    def table(self):
        """For people: columns, and nothing that steers their terminal."""
        text = self.server.command("trace", self.message)
        assert re.match(r"TIME +WHERE +WHAT +TOOK +DETAILS\n", text), text
        assert "\x1b" not in text and "[31mtoday" in text, text

    def session_id(self):
        rows = self.server.json("trace", self.session)
        assert names(rows)[0] == "session_opened" and names(rows)[-1] == "session_closed", rows
        first(rows, "accepted", details=self.message)
        assert "delivered" not in names(rows), rows

    def refused(self):
        """By the id in its greeting."""
        session = Session(self.server.port)
        ident = ID.search(session.greeting[1][0]).group()
        session.expect("EHLO other.test", 250)
        session.expect("MAIL FROM:<a@client.test>", 250)
        session.expect("RCPT TO:<x@elsewhere.example>", 554)
        session.expect("QUIT", 221)
        session.close()
        rows = trace_until(self.server, "session_closed", ident)
        first(rows, "hello", details="helo=other.test")
        first(rows, "refused", where="127.0.0.1", details="to=x@elsewhere.example")

    def administrator(self):
        """Held, released, deferred, discarded: by whom and until when; a report has a trace."""
        self.good.answer = Script({"RCPT": ["450 4.2.1 later"] * 9})
        _, message = accepted(self.server, "b@dest.test")
        rows = trace_until(self.server, "deferred", message)
        assert re.search(r"retry=\d{4}-\d\d-\d\dT", first(rows, "deferred")["details"]), rows
        for verb in ("hold", "release", "retry"):
            self.server.command("queue", verb, message)
        rows = trace_until(self.server, "retried", message)
        for event in ("held", "released", "retried"):
            first(rows, event, details="by=admin")
        self.server.command("queue", "discard", message)
        trace_until(self.server, "discarded", message)
        self.good.answer = Script({"RCPT": ["550 5.1.1 never heard of"]})
        _, message = accepted(self.server, "c@dest.test", "back@dest.test")
        rows = trace_until(self.server, "ended", message)
        first(rows, "bounced", details="never heard of")
        report = ID.search(first(rows, "report")["details"].partition("report=")[2]).group()
        rows = trace_until(self.server, "ended", report)
        first(rows, "report", details=f"id={message}")
        first(rows, "injected", details="rcpts=1")
        first(rows, "delivered", details="to=back@dest.test")
        self.good.answer = lambda verb, argument: None

    def nothing(self):
        """A mistake, what never was, and what is older than all are told apart."""
        run = self.server.command("trace", self.message[:-1], check=False)
        assert run.returncode == 2 and "is no id" in run.stderr, run
        run = self.server.command("trace", self.message[:-3] + "abc", check=False)
        assert run.returncode == 1 and "there was no session or message" in run.stderr, run
        run = self.server.command("trace", "000" + "1" * 23, check=False)
        assert run.returncode == 1, run
        assert re.search(r"older than what is kept, since \d{4}-", run.stderr), run
        run = self.server.command("trace", "000" + "1" * 23, "--json", check=False)
        assert "older" in json.loads(run.stderr)["errors"][0], run

    def stopped(self):
        """The same without a server, and what is done without one is kept, too."""
        before = self.server.json("trace", self.message)
        assert self.server.stop() == 0
        assert self.server.json("trace", self.message) == before

    def restarted(self):
        before = self.server.json("trace", self.message)
        self.server.start()
        assert self.server.json("trace", self.message) == before
        self.good.answer = Script({"RCPT": ["450 4.2.1 later"] * 9})
        _, message = accepted(self.server, "d@dest.test")
        trace_until(self.server, "deferred", message)
        self.server.stop()
        self.server.command("queue", "discard", message)
        first(self.server.json("trace", message), "discarded")
        self.good.answer = lambda verb, argument: None
        self.server.start()

    def replaced(self):
        """A new server beside the old one takes the file over."""
        at = len(self.server.lines.lines)
        self.server.command("restart")
        self.server.lines.wait(r"\bserving\b", start=at)
        _, message = accepted(self.server, "g@dest.test")
        trace_until(self.server, "ended", message)
        first(self.server.json("trace", self.message), "delivered")
        assert not any("trace_unusable" in line for line in self.server.lines.lines)

    def killed(self):
        """What was told before is there after a crash of the server's process."""
        _, message = accepted(self.server, "e@dest.test")
        trace_until(self.server, "ended", message)
        pid = int(self.server.status()["pid"])
        at = len(self.server.lines.lines)
        os.kill(pid, 9)
        self.server.lines.wait(r"\bserving\b", start=at)
        assert "ended" in names(self.server.json("trace", message))

    def wrapped(self):
        """The oldest goes, the newest is there, the file stays as large as it was."""
        session = Session(self.server.port)
        session.expect("EHLO client.test", 250)

        def is_gone():
            for _ in range(200):
                session.expect("MAIL FROM:<a@client.test>", 250)
                session.expect(f"RCPT TO:<{'x' * 60}@{'y' * 60}.{'z' * 60}.example>", 554)
                session.expect("RSET", 250)
            return self.server.command("trace", self.message, check=False).returncode
        wait_for(is_gone, what="the end of the oldest")
        run = self.server.command("trace", self.message, check=False)
        assert run.returncode == 1 and "it is older than what is kept" in run.stderr, run
        session.close()
        _, message = accepted(self.server, "f@dest.test")
        trace_until(self.server, "ended", message)
        size = os.stat(os.path.join(self.server.folder, "log", "trace")).st_size
        assert size == 1048576, size

    def off(self):
        self.server.stop()
        with open(self.server.conf, encoding="utf-8") as f:
            text = f.read()
        self.server.write(text.replace("trace_size = 1048576", "trace_size = 0"))
        self.server.start()
        run = self.server.command("trace", self.message, check=False)
        assert run.returncode == 1 and "log.trace_size is 0" in run.stderr, run


def run(cases, build):
    traced = Traced(build)
    try:
        cases.run("trace: a message over three hosts, of which two refuse", traced.hosts)
        cases.run("trace: as a table", traced.table)
        cases.run("trace: a session", traced.session_id)
        cases.run("trace: a session that was refused", traced.refused)
        cases.run("trace: what an administrator does, and a report", traced.administrator)
        cases.run("trace: what is not there", traced.nothing)
        cases.run("trace: with the server stopped", traced.stopped)
        cases.run("trace: after a restart", traced.restarted)
        cases.run("trace: after a restart beside it", traced.replaced)
        cases.run("trace: after a crash", traced.killed)
        cases.run("trace: when the ring came round", traced.wrapped)
        cases.run("trace: when nothing is kept", traced.off)
    finally:
        traced.close()

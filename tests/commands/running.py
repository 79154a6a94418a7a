# SPDX-License-Identifier: MIT
"""Commands and signals to a running server: status, reload, restart, stop. Nothing that is under
way is lost by any of them."""
import os
import signal

from tmail import Session, Tmail
from unpacked import wait_for

CONTENT = b"Subject: x\r\n\r\ntext\r\n"


class Running:
    """A server that keeps what it accepts; `text` is its configuration as it is at first."""

    def __init__(self, build):
        self.build = build
        self.server = Tmail(build, self.settings())
        self.server.start()
        self.server.command("rcpthost", "add", "example.com")
        self.text = self.read()

    @staticmethod
    def settings():
        return ("queue = { deliver = false; };\n"
                "smtp = { reverse_lookup = 0; max_recipients = 30; };\n"
                'stop_timeout = "20s";\n')

    def read(self):
        with open(self.server.conf, encoding="utf-8") as f:
            return f.read()

    def close(self):
        self.server.close()

    def recipients(self, session):
        """How many the session takes: the setting that is in force for it."""
        session.expect("EHLO client.test", 250)
        session.expect("MAIL FROM:<a@client.test>", 250)
        for count in range(100):
            if session.ask(f"RCPT TO:<r{count}@example.com>")[0] != 250:
                session.expect("RSET", 250)
                return count
        raise AssertionError("no limit")

    def status(self):
        rows = {r["name"]: r["value"] for r in self.server.json("status")}
        assert rows["version"] and int(rows["pid"]) > 0 and int(rows["uptime"]) >= 0, rows
        assert rows["socket.mx"].endswith(f":{self.server.port}"), rows
        before = int(rows["sessions"])
        session = Session(self.server.port)
        session.expect("NOOP", 250)
        now = {r["name"]: r["value"] for r in self.server.json("status")}
        assert int(now["sessions"]) == before + 1, now
        session.close()
        assert any(name.startswith("counter.") for name in now), now
        assert now["queue.messages"] == 0, now

    def bad_reload(self):
        """What does not check is refused, by command and by signal, and the old stays."""
        self.server.write(self.text.replace("max_recipients = 30", "max_recipients = -1"))
        run = self.server.command("reload", check=False)
        assert run.returncode == 1 and f"{self.server.conf}:" in run.stderr, run
        at = len(self.server.lines.lines)
        self.server.process.send_signal(signal.SIGHUP)
        self.server.lines.wait("reload_refused", start=at)
        session = Session(self.server.port)
        assert self.recipients(session) == 30
        session.close()
        self.server.write(self.text)

    def good_reload(self):
        """In force for new sessions; those under way keep what they began with."""
        old = Session(self.server.port)
        old.expect("EHLO client.test", 250)
        self.server.write(self.text.replace("max_recipients = 30", "max_recipients = 4"))
        self.server.command("reload")
        new = Session(self.server.port)
        assert self.recipients(new) == 4
        assert self.recipients(old) == 30
        self.server.write(self.text)
        at = len(self.server.lines.lines)
        self.server.process.send_signal(signal.SIGHUP)
        self.server.lines.wait(r"\breloaded\b", start=at)
        third = Session(self.server.port)
        assert self.recipients(third) == 30 and self.recipients(new) == 4
        for session in (old, new, third):
            session.close()

    def reload_listens(self):
        """An address that is new is bound, one that is gone is closed, one that stays stays; who is
        in the middle of a message on the one that is gone finishes it."""
        kept = self.server.port
        session = Session(kept)
        one = '( { address = "127.0.0.1"; port = 0; role = "mx"; } )'
        more = one[:-1] + ', { address = "127.0.0.2"; port = 0; name = "other"; } )'
        at = len(self.server.lines.lines)
        self.server.write(self.text.replace(one, more))
        self.server.command("reload")
        line = self.server.lines.wait(r"listening address=127\.0\.0\.2:(\d+)", start=at)
        port = int(line.group(1))
        other = Session(port, "127.0.0.2")
        other.expect("EHLO client.test", 250)
        other.expect("MAIL FROM:<a@client.test>", 250)
        other.expect("RCPT TO:<other@example.com>", 250)
        other.expect("DATA", 354)
        self.server.write(self.text)
        self.server.command("reload")
        wait_for(lambda: refused(port, "127.0.0.2"), what="the closed listener")
        rows = self.server.json("status")
        listening = [r["value"] for r in rows if r["name"].startswith("socket.")]
        assert listening == [f"127.0.0.1:{kept}"], listening
        assert other.send(CONTENT + b".\r\n").reply()[0] == 250
        session.expect("NOOP", 250)
        Session(kept).close()
        session.close()
        other.close()
        self.server.command("queue", "discard", "--all")

    def hundred_reloads(self):
        """While a client sends; every message is accepted, and none of the generations stays."""
        session = Session(self.server.port)
        before = len(self.server.json("queue", "list"))
        for number in range(100):
            self.server.process.send_signal(signal.SIGHUP)
            answer = session.message("a@client.test", [f"hup-{number}@example.com"], CONTENT)
            assert answer[0] == 250, answer
        session.close()
        assert len(self.server.json("queue", "list")) == before + 100
        self.server.command("reload")
        self.server.command("queue", "discard", "--all")

    def restart(self):
        """A new server begins where the old one has ended; who is in a transaction finishes it, who
        comes meanwhile waits."""
        pid = self.value("pid")
        under_way = Session(self.server.port)
        under_way.expect("EHLO client.test", 250)
        under_way.expect("MAIL FROM:<a@client.test>", 250)
        under_way.expect("RCPT TO:<restart@example.com>", 250)
        under_way.expect("DATA", 354)
        under_way.send(b"Subject: half\r\n\r\nfirst half\r\n")
        at = len(self.server.lines.lines)
        self.server.command("restart")
        self.server.lines.wait(r"\bstopping\b", start=at)
        meanwhile = Session(self.server.port, greet=False)
        under_way.send(b"second half\r\n.\r\n")
        assert under_way.reply()[0] == 250
        under_way.close()
        assert meanwhile.reply()[0] == 220, "who came meanwhile was not greeted"
        assert meanwhile.message("a@client.test", ["meanwhile@example.com"], CONTENT)[0] == 250
        meanwhile.close()
        assert self.value("pid") != pid
        to = {r["to"] for r in self.server.json("queue", "list")}
        assert {"restart@example.com", "meanwhile@example.com"} <= to, to
        assert self.server.process.poll() is None

    def value(self, name):
        return next(r["value"] for r in self.server.json("status") if r["name"] == name)

    def crash(self):
        """The parent starts another, which has everything the dead one promised."""
        pid = int(self.value("pid"))
        before = {r["id"] for r in self.server.json("queue", "list")}
        assert before
        at = len(self.server.lines.lines)
        os.kill(pid, signal.SIGKILL)
        self.server.lines.wait(r"\bserving\b", start=at)
        assert {r["id"] for r in self.server.json("queue", "list")} == before
        session = Session(self.server.port)
        assert session.message("a@client.test", ["after@example.com"], CONTENT)[0] == 250
        session.close()

    def terminated(self):
        """Idle clients are told 421, a message under way is still taken, nobody new is; the exit
        status is 0 and all that was accepted is there at the next start."""
        idle = Session(self.server.port)
        idle.expect("EHLO client.test", 250)
        under_way = Session(self.server.port)
        under_way.expect("EHLO client.test", 250)
        under_way.expect("MAIL FROM:<a@client.test>", 250)
        under_way.expect("RCPT TO:<last@example.com>", 250)
        under_way.expect("DATA", 354)
        self.server.process.send_signal(signal.SIGTERM)
        assert idle.reply()[0] == 421 and idle.reply()[0] == 0
        port = self.server.port
        under_way.send(CONTENT + b".\r\n")
        assert under_way.reply()[0] == 250
        assert under_way.reply()[0] in (0, 421)
        assert self.server.stop() == 0
        assert refused(port, "127.0.0.1")
        for session in (idle, under_way):
            session.close()
        to = {r["to"] for r in self.server.json("queue", "list")}
        assert "last@example.com" in to, to
        self.server.start()
        assert {r["to"] for r in self.server.json("queue", "list")} == to

    def terminated_late(self):
        """Who does not finish within stop_timeout is told 421, and the server is gone."""
        with Tmail(self.build, 'queue = { deliver = false; };\nstop_timeout = "1s";\n') as server:
            server.command("relayip", "add", "127.0.0.1")
            session = Session(server.port)
            session.expect("EHLO client.test", 250)
            session.expect("MAIL FROM:<a@client.test>", 250)
            session.expect("RCPT TO:<b@client.test>", 250)
            session.expect("DATA", 354)
            assert server.stop() == 0
            assert session.reply()[0] in (421, 0)
            session.close()
            assert server.json("queue", "list") == []


def refused(port, host):
    try:
        Session(port, host, greet=False, seconds=5).close()
        return False
    except ConnectionRefusedError:
        return True


def run(cases, build):
    running = Running(build)
    try:
        cases.run("status", running.status)
        cases.run("a reload with a bad file keeps the old settings", running.bad_reload)
        cases.run("a reload is in force for new sessions", running.good_reload)
        cases.run("a reload opens and closes listeners", running.reload_listens)
        cases.run("100 reloads under a client", running.hundred_reloads)
        cases.run("a restart under open connections drops nothing", running.restart)
        cases.run("a server that is killed is replaced, and nothing is lost", running.crash)
        cases.run("SIGTERM", running.terminated)
        cases.run("SIGTERM and a client that does not finish", running.terminated_late)
    finally:
        running.close()

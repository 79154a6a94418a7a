# SPDX-License-Identifier: MIT
"""A tmail of one's own for a test: a folder, a configuration, the built program; started,
asked, stopped, killed. Every port is the kernel's choice. Python's standard library only."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

MODULES = """(
  { module = "store/sqlite"; },
  { module = "store/journal"; },
  { module = "route/rcpthost"; },
  { module = "auth/relayip"; },
  { module = "route/table"; },
  { module = "route/mx"; }
)"""


class Failed(Exception):
    """A command answered other than 0."""

    def __init__(self, status, output, errors):
        super().__init__(f"exit {status}: {errors.strip() or output.strip()}")
        self.status, self.output, self.errors = status, output, errors


class Skipped(Exception):
    """A case cannot be run here; says why."""


def wait_for(condition, seconds=60, what="what was waited for"):
    """Looks until it answers something true, for states that nobody tells of."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come in {seconds} s")
        time.sleep(0.01)


class Lines:
    """What a program writes, kept, and waited for without looking again and again."""

    def __init__(self, stream, copy=None):
        self.lines, self.ended = [], False
        self.change = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream, copy), daemon=True)
        self.thread.start()

    def _read(self, stream, copy):
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if copy:
                copy.write(line + "\n")
                copy.flush()
            with self.change:
                self.lines.append(line)
                self.change.notify_all()
        with self.change:
            self.ended = True
            self.change.notify_all()

    def wait(self, pattern, count=1, start=0, seconds=60):
        """The count-th line from `start` on that matches; the program's end or too long a wait
        raises with what there was."""
        search = re.compile(pattern).search

        def found():
            hits = [m for m in map(search, self.lines[start:]) if m]
            return hits[count - 1] if len(hits) >= count else None
        with self.change:
            self.change.wait_for(lambda: found() or self.ended, seconds)
            match = found()
        if not match:
            raise AssertionError(f"no line {pattern!r} in:\n" + "\n".join(self.lines[-40:]))
        return match


class Tmail:
    """with Tmail("build") as server: server.port, server.command("queue", "list") ..."""

    def __init__(self, build, settings="", modules=MODULES, listen=None, hostname="mx.test",
                 folder=None, env=None, program=None):
        self.build = os.path.abspath(os.path.join(TOP, build))
        self.program = program or os.path.join(self.build, "tmail")
        self.own = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="tmail-test-")
        self.env = dict(os.environ, **(env or {}))
        self.conf = os.path.join(self.folder, "tmail.conf")
        self.process = self.lines = None
        listen = listen or '( { address = "127.0.0.1"; port = 0; role = "mx"; } )'
        user = "" if os.geteuid() else 'user = "root";\n'
        self.write(f'hostname = "{hostname}";\n{user}store = {{ create = true; }};\n'
                   f"listen = {listen};\nmodules = {modules};\n{settings}\n")

    def write(self, text, name="tmail.conf"):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def start(self, wait=True, prefix=()):
        self.process = subprocess.Popen(
            [*prefix, self.program, "-c", self.conf, "serve"], env=self.env, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        copy = open(os.path.join(self.folder, "server.log"), "a", encoding="utf-8")
        self.lines = Lines(self.process.stdout, copy)
        if wait:
            self.lines.wait(r"\bserving\b")
        return self

    @property
    def ports(self):
        """Of each listener, in the order of the configuration."""
        return [int(m.group(1)) for line in self.lines.lines
                for m in [re.search(r"\blistening\b.*address=\S*:(\d+)", line)] if m]

    @property
    def port(self):
        return self.ports[0]

    def command(self, *words, check=True, input=None):
        """Standard output of `tmail WORDS`."""
        run = subprocess.run([self.program, "-c", self.conf, *map(str, words)], env=self.env,
                             text=True, cwd=self.folder, capture_output=True, input=input)
        if check and run.returncode:
            raise Failed(run.returncode, run.stdout, run.stderr)
        return run.stdout if check else run

    def json(self, *words):
        return json.loads(self.command(*words, "--json"))

    def status(self):
        """What `status` says, by name."""
        return {row["name"]: row["value"] for row in self.json("status")}

    def queued(self):
        """Recipients in the queue."""
        return int(self.json("queue", "count")[0]["recipients"])

    def queue_row(self, status, *filters):
        """The first row of `tmail queue list FILTERS` that says so, waited for: the store hears of
        an outcome a little after the log."""
        def row():
            rows = self.json("queue", "list", *filters)
            return next((r for r in rows if r["status"] == status), None)
        return wait_for(row, what=f"a message that is {status}")

    def hand_in(self, domain, content=b"Subject: x\r\n\r\n"):
        """A message to reader@domain; its id."""
        session = Session(self.port)
        answer = session.message("writer@client.test", ["reader@" + domain], content)
        session.close()
        assert answer[0] == 250, answer
        return answer[1][-1].split()[-1]

    def story(self, message, event):
        """Its trace, once that has happened."""
        def told():
            text = self.command("trace", message)
            return text if f" {event} " in text else None
        return wait_for(told, what=f"{event} in the trace of {message}")

    def stop(self, how=signal.SIGTERM):
        """Its exit status; nothing is left running."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait()
        self.lines.thread.join(60)
        self.process.stdout.close()
        self.process = None
        return status

    def close(self):
        if self.process:
            self.stop()
        if self.own and not os.environ.get("TMAIL_TEST_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)


class Session:
    """An SMTP conversation, octets and replies."""

    def __init__(self, port, host="127.0.0.1", greet=True, seconds=60, source=None):
        self.socket = socket.create_connection((host, port), seconds, source and (source, 0))
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply() if greet else None

    def reply(self):
        """(code, [lines without their codes]); code 0 at the end of the connection."""
        lines = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                return 0, [line.decode("latin-1")]
            lines.append(line[4:-2].decode("latin-1"))
            if line[3:4] != b"-":
                return int(line[:3]), lines

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode("latin-1"))
        return self

    def ask(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def expect(self, line, code):
        answer = self.ask(line)
        assert answer[0] == code, f"{line!r} was answered {answer}, not {code}"
        return answer

    def message(self, sender, recipients, content, hello="client.test"):
        """Sends one; answers the reply to its end."""
        self.expect("EHLO " + hello, 250)
        self.expect(f"MAIL FROM:<{sender}>", 250)
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>", 250)
        self.expect("DATA", 354)
        self.send(content + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


class Cases:
    """Named checks, run one after the other and counted."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, function, *arguments):
        try:
            function(*arguments)
        except Skipped as reason:
            self.skip(name, reason)
        except Exception as trouble:  # every trouble of a case is that case's failure
            self.failed += 1
            print(f"FAIL {name}\n     {type(trouble).__name__}: {trouble}", flush=True)
        else:
            self.passed += 1
            print(f"ok   {name}", flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        print(f"skip {name}: {reason}", flush=True)

    def end(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}")
        return 1 if self.failed else 0

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs SMTP conversations, one a file, against the built program.

  tests/dialog/run.py BUILD [FILE ...]     BUILD: the folder with the program; -v: transcripts

A file (tests/dialog/CLASS/NAME.txt) reads from top to bottom:

  title: what it shows                     the first line
  setup: max_errors = 3;                   settings of the group `smtp` (may be repeated)
  listen: proxy = true; ...                more settings of the listener
  logins: yes                              with a certificate, and a service for logins: joe@local.test,
                                           who may relay, and ann@local.test; their password is "secret"
  cut: no                                  not a second time, octet by octet
  C: EHLO client.test                      said with CRLF; neighbouring lines are one packet
  C> no line end                           said as it is
  ---                                      a new packet
  C! half | reset | close | tls            the client shuts its side, resets, leaves, begins TLS
  S: 250 2.1.0                             the next reply begins so
  S+ SIZE                                  the reply heard last has a line that begins so
  S- STARTTLS                              ... has none
  S: closed                                the server closes without another word
  queued: 1                                messages in the queue at the end (default: as many
                                           as were answered "Ok: queued")
  from: a@b   to: c@d e@f                  of the message queued last
  Q: line                                  its content, without our trace: all its lines
  T: text                                  is in what we put on top of it

Escapes in C: and Q: are \\r \\n \\t \\0 \\xHH \\\\; {3*text} is repeated, {base64 text} encoded.
$from and $to are an address of the conversation's own, $n a number of its own (use it in every
address, so that nothing that is queued goes unseen).
Each file is run a second time with every octet in a packet of its own."""
import base64
import concurrent.futures
import os
import re
import socket
import ssl
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from tmail import Tmail  # noqa: E402

MODULES = """( { module = "store/sqlite"; }, { module = "store/journal"; },
  { module = "route/rcpthost"; }, { module = "auth/relayip"; } )"""
LOGINS = """{ module = "auth/users"; mechanisms = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256";
  argon2_memory = "1M"; argon2_passes = 1; scram_iterations = 4096; }"""
PATIENT = {"auth_delay": 0, "max_auth_errors": 0, "max_auth_failures_login": 0, "max_errors": 0}
TLS = """tls = { certificates = ( { certificate = "own.pem"; key = "own.key"; } ); create = true; };
"""
SETTINGS = "queue = {{ deliver = false; }};\nsmtp = {{ {} }};\n"
LISTEN = '( {{ address = "127.0.0.1"; port = 0; {} }} )'
SECONDS = 60      # no test is judged by the clock; this only ends one that hangs
CUT_MOST = 20000  # octets; longer conversations are not cut
TOGETHER = 8


class Wrong(Exception):
    """The conversation went another way."""


def unescape(text):
    """Octets of a line, with its escapes and repetitions."""
    while True:
        again = re.search(r"\{(\d+)\*((?:[^{}\\]|\\.)*)\}", text)
        if not again:
            break
        text = text[:again.start()] + again.group(2) * int(again.group(1)) + text[again.end():]
    text = re.sub(r"\{base64 ((?:[^{}\\]|\\.)*)\}",
                  lambda m: base64.b64encode(unescape(m.group(1))).decode(), text)
    one = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    text = re.sub(r"\\(?:x([0-9a-fA-F]{2})|(.))",
                  lambda m: chr(int(m.group(1), 16)) if m.group(1) else one[m.group(2)], text)
    return text.encode("latin-1")


class Dialog:
    """A file, read."""

    def __init__(self, path):
        self.path = os.path.relpath(path, HERE)
        self.title, self.setup, self.listen, self.cut = "", "", "", True
        self.logins = False
        self.steps, self.queued, self.facts = [], None, {}
        self.content, self.trace = None, []
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                try:
                    self.read(line.rstrip("\n"))
                except (KeyError, ValueError) as e:
                    raise SystemExit(f"{path}:{number}: {line.strip()!r}: {e}")
        if not self.title or not self.steps:
            raise SystemExit(f"{path}: no title, or nobody speaks")

    def read(self, line):
        key, value = line[:2], line[3:]
        if key in ("C:", "C>"):
            self.say(value + ("\\r\\n" if key == "C:" else ""))
        elif key in ("S:", "S+", "S-", "C!"):
            self.steps.append((key, value))
        elif line == "---":
            self.steps.append(("packet", ""))
        elif key == "Q:":
            self.content = (self.content or "") + value + "\\r\\n"
        elif key == "T:":
            self.trace.append(value)
        elif line and not line.startswith("#"):
            self.head(*line.split(": ", 1))

    def say(self, text):
        if self.steps and self.steps[-1][0] == "C":
            self.steps[-1] = ("C", self.steps[-1][1] + text)
        else:
            self.steps.append(("C", text))

    def head(self, name, value=""):
        if name in ("setup", "listen"):
            setattr(self, name, getattr(self, name) + value + " ")
        elif name == "cut":
            self.cut = value != "no"
        elif name == "logins":
            self.logins = value == "yes"
        elif name == "queued":
            self.queued = int(value)
        elif name in ("from", "to"):
            self.facts[name] = value
        elif name == "title":
            self.title = value
        else:
            raise ValueError("what is that?")


class Run:
    """A conversation under way."""

    def __init__(self, dialog, port, number, cut):
        self.dialog, self.number, self.cut = dialog, number, cut
        self.log, self.ids, self.input = [], [], b""
        self.reply_lines = []
        self.words = {"$from": f"from-{number}@sender.test", "$to": f"to-{number}@remote.test",
                      "$n": str(number)}
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def expand(self, text):
        for word, meaning in self.words.items():
            text = text.replace(word, meaning)
        return text

    def say(self, text):
        octets = unescape(self.expand(text))
        self.log.append("C: " + repr(octets)[1:][:400])
        try:
            if self.cut:
                for i in range(len(octets)):
                    self.socket.sendall(octets[i:i + 1])
            else:
                self.socket.sendall(octets)
        except OSError:
            pass  # the server has closed: what it said tells

    def line(self):
        while b"\n" not in self.input:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            except socket.timeout:
                raise Wrong("no answer")
            if not more:
                if self.input:
                    raise Wrong(f"closed in the middle of {self.input!r}")
                return None
            self.input += more
        line, self.input = self.input.split(b"\n", 1)
        if not line.endswith(b"\r") or len(line) > 511 or not re.match(rb"[2-5]\d\d[ -]", line):
            raise Wrong(f"not a line of a reply: {line!r}")
        return line[:-1].decode("utf-8")

    def hear(self):
        """The next reply's lines, or None at the end."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                self.log.append("S: closed")
                return None
            lines.append(line)
            if line[3] == " ":
                break
        if len({line[:3] for line in lines}) > 1:
            raise Wrong(f"codes differ: {lines}")
        self.log.append("S: " + " / ".join(lines))
        queued = re.match(r"250 2\.0\.0 Ok: queued (\w{26})$", lines[-1])
        if queued:
            self.ids.append(queued.group(1))
        return lines

    def expect(self, wanted):
        lines = self.hear()
        if wanted == "closed":
            if lines is not None:
                raise Wrong(f"heard {lines[0]!r} instead of the end")
            return
        if lines is None:
            raise Wrong(f"closed instead of {wanted!r}")
        if not lines[0].startswith(self.expand(wanted)):
            raise Wrong(f"heard {lines[0]!r} instead of {wanted!r}")
        self.reply_lines = lines

    def act(self, what):
        if what == "half":
            self.socket.shutdown(socket.SHUT_WR)
        elif what == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()
        elif what == "close":
            self.socket.close()
        elif what == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        else:
            raise Wrong(f"C! {what}: what is that?")

    def step(self, key, value):
        if key == "C":
            self.say(value)
        elif key == "packet":
            time.sleep(0.002)  # so that it mostly is one; no answer depends on it
        elif key == "C!":
            self.act(value)
        elif key == "S:":
            self.expect(value)
        elif any(line[4:].startswith(self.expand(value)) for line in self.reply_lines) != (key == "S+"):
            raise Wrong(f"{key} {value}: the reply was {self.reply_lines}")

    def run(self):
        try:
            for key, value in self.dialog.steps:
                self.step(key, value)
        finally:
            self.socket.close()


def difference(one, other):
    """Where two long texts part."""
    at = len(os.path.commonprefix([one, other]))
    return f"{one[max(0, at - 20):at + 60]!r}, not {other[max(0, at - 20):at + 60]!r} (from octet {at} on)"


def attempt(dialog, port, number, cut):
    run = None
    try:
        run = Run(dialog, port, number, cut)
        run.run()
        return run, None
    except (Wrong, OSError, UnicodeDecodeError) as e:
        return run, f"{type(e).__name__}: {e}" if not isinstance(e, Wrong) else str(e)


def check_queue(server, run, rows):
    """What is in the queue of this conversation, and what should be."""
    dialog = run.dialog
    mine = [r for r in rows if re.search(rf"-{run.number}@", r["from"] + " " + r["to"])
            or r["id"] in run.ids]
    ids = sorted({r["id"] for r in mine})
    wanted = dialog.queued if dialog.queued is not None else len(run.ids)
    if len(ids) != wanted:
        raise Wrong(f"{len(ids)} messages are queued, not {wanted}")
    last = run.ids[-1] if run.ids else (ids or [None])[-1]
    here = [r for r in mine if r["id"] == last]
    if "from" in dialog.facts and here[0]["from"] != run.expand(dialog.facts["from"]):
        raise Wrong(f"from {here[0]['from']}")
    if "to" in dialog.facts and (sorted(r["to"] for r in here)
                                 != sorted(run.expand(dialog.facts["to"]).split())):
        raise Wrong(f"to {sorted(r['to'] for r in here)}")
    if dialog.content is None and not dialog.trace:
        return
    content = server.json("queue", "show", last, "--content")[0]["content"]
    trace = re.match(r"Received: .*\r\n(?:[ \t].*\r\n)*", content).group(0)
    if dialog.content is not None:
        expected = unescape(run.expand(dialog.content)).decode("utf-8")
        if content[len(trace):] != expected:
            raise Wrong("the content is " + difference(content[len(trace):], expected))
    for text in dialog.trace:
        if run.expand(text) not in trace:
            raise Wrong(f"the trace {trace!r} lacks {run.expand(text)!r}")


def served(build, setup, listen, logins):
    """A server of such settings."""
    modules = MODULES.replace('{ module = "auth/relayip"; }',
                              '{ module = "auth/relayip"; }, ' + LOGINS) if logins else MODULES
    if logins:
        setup += "".join(f"{name} = {n}; " for name, n in PATIENT.items() if name not in setup)
    settings = SETTINGS.format(setup) + (TLS if logins else "")
    server = Tmail(build, settings, modules, LISTEN.format(listen))
    if logins:
        server.command("check")  # which makes the certificate
        server.command("user", "add", "-r", "joe@local.test", "secret")
        server.command("user", "add", "ann@local.test", "secret")
    return server


def run_group(build, settings, dialogs, first, verbose):
    """All that want the same settings, on one server; (dialog, trouble) each."""
    results = []
    with served(build, *settings) as server:
        server.command("rcpthost", "add", "remote.test")
        server.command("rcpthost", "add", "-l", "local.test")
        server.command("relayip", "add", "203.0.113.0/24")
        with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
            runs = []
            for dialog in dialogs:
                octets = sum(len(v) for k, v in dialog.steps if k == "C")
                for cut in (False, True) if dialog.cut and octets < CUT_MOST else (False,):
                    first += 1
                    runs.append(pool.submit(attempt, dialog, server.port, first, cut))
            runs = [r.result() for r in runs]
        rows = server.json("queue", "list")
        for run, trouble in runs:
            if run is None:
                results.append((None, None, trouble))
                continue
            try:
                if not trouble:
                    check_queue(server, run, rows)
            except Wrong as e:
                trouble = str(e)
            if trouble and verbose or verbose > 1:
                print("\n".join("     " + line for line in run.log))
            results.append((run.dialog, run.cut, trouble))
        if server.process.poll() is not None or server.stop() != 0:
            results.append((None, None, "the server did not end well:\n" +
                            "\n".join(server.lines.lines[-20:])))
    return results


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("-")]
    verbose = sum(a.count("v") for a in sys.argv[1:] if a.startswith("-"))
    if not arguments:
        raise SystemExit(__doc__)
    files = arguments[1:] or sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(HERE)
        for name in names if name.endswith(".txt"))
    dialogs = [Dialog(path) for path in files]
    groups = {}
    for dialog in dialogs:
        groups.setdefault((dialog.setup, dialog.listen, dialog.logins), []).append(dialog)
    failed, first = set(), 1000
    for settings, members in groups.items():
        try:
            results = run_group(arguments[0], settings, members, first, verbose)
        except (AssertionError, OSError) as trouble:  # it does not start, or commands fail
            results = [(dialog, False, str(trouble)) for dialog in members]
        for dialog, cut, trouble in results:
            if trouble:
                failed.add(dialog.path if dialog else "server")
                where = f"{dialog.path}{' (octet by octet)' if cut else ''}" if dialog else "server"
                print(f"FAIL {where}: {dialog.title if dialog else ''}\n     {trouble}", flush=True)
        first += 2 * len(members)
    print(f"{len(dialogs) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

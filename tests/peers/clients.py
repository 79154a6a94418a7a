# SPDX-License-Identifier: MIT
"""Other people's clients and servers send to tmail, which passes everything on to a sink: what
comes out is what went in, octet for octet, with one Received field on top."""
import os
import shutil
import smtplib
import subprocess

from exim import Exim
from messages import EIGHT_BIT, LARGE, ODD, ORDINARY, same_but_trace
from postfix import Postfix, smtp_source
from sink import Sink
from tmail import Session, Tmail

EVERYTHING = {**ORDINARY, **EIGHT_BIT, **ODD, **LARGE}
POLITE = {**ORDINARY, **EIGHT_BIT, **LARGE}


def stuffed(content):
    """As it goes over the wire, the final dot included."""
    return b"".join(b"." + line if line.startswith(b".") else line
                    for line in content.splitlines(True)) + b".\r\n"


class Clients:
    """A tmail that takes mail for example.com and hands all of it to the sink."""

    def __init__(self, build, cache):
        self.cache = cache
        self.sink = Sink().__enter__()
        self.server = Tmail(build, "smtp = { max_message_size = 0; reverse_lookup = 0; };\n")
        self.server.start()
        self.server.command("rcpthost", "add", "example.com")
        self.server.command("routes", "add", "-rh", "127.0.0.1", "-rp", str(self.sink.port))
        self.count = 0

    def close(self):
        self.server.close()
        self.sink.__exit__()

    def sender(self):
        """One of its own for each message, so that it is known at the sink."""
        self.count += 1
        return f"writer-{self.count}@client.test"

    def each(self, contents, send, hops=1):
        """Sends all, then looks at all: send(sender, content)."""
        sent = []
        for content in contents.values():
            sent.append((self.sender(), content))
            send(*sent[-1])
        for sender, content in sent:
            got = self.sink.find(lambda m, sender=sender: m.sender == sender)
            assert got.recipients == ["reader@example.com"], got.recipients
            same_but_trace(got.content, content, hops)

    # ---- octets by hand ------------------------------------------------------------------------

    def data(self):
        session = Session(self.server.port)

        def send(sender, content):
            session.expect("EHLO client.test", 250)
            session.expect(f"MAIL FROM:<{sender}> BODY=8BITMIME", 250)
            session.expect("RCPT TO:<reader@example.com>", 250)
            session.expect("DATA", 354)
            answer = session.send(stuffed(content)).reply()
            assert answer[0] == 250, answer
        self.each({**EVERYTHING, "nothing": b""}, send)
        session.close()

    def chunks(self):
        session = Session(self.server.port)

        def send(sender, content):
            session.expect("EHLO client.test", 250)
            session.expect(f"MAIL FROM:<{sender}> BODY=8BITMIME", 250)
            session.expect("RCPT TO:<reader@example.com>", 250)
            middle = len(content) // 3
            for part, last in ((content[:middle], ""), (content[middle:], " LAST")):
                answer = session.send(f"BDAT {len(part)}{last}\r\n".encode() + part).reply()
                assert answer[0] == 250, answer
        self.each(EVERYTHING, send)
        session.close()

    # ---- clients -------------------------------------------------------------------------------

    def smtplib(self):
        with smtplib.SMTP("127.0.0.1", self.server.port) as client:
            self.each(EVERYTHING, lambda sender, content: client.sendmail(
                sender, ["reader@example.com"], content, ["BODY=8BITMIME"]))

    def smtplib_utf8(self):
        content = "From: jürgen@client.test\r\nSubject: Grüße\r\n\r\n你好 🙂\r\n".encode()
        sender, recipient = "jürgen@client.test", "用户@example.com"
        with smtplib.SMTP("127.0.0.1", self.server.port) as client:
            client.sendmail(sender, [recipient], content, ["SMTPUTF8", "BODY=8BITMIME"])
        wire = sender.encode().decode("latin-1"), recipient.encode().decode("latin-1")
        got = self.sink.find(lambda m: m.sender == wire[0])
        assert got.recipients == [wire[1]], got.recipients
        same_but_trace(got.content, content)

    def many_recipients(self):
        sender = self.sender()
        recipients = [f"reader-{i}@example.com" for i in range(250)]
        with smtplib.SMTP("127.0.0.1", self.server.port) as client:
            assert not client.sendmail(sender, recipients, ORDINARY["short"])

        def reached():
            return sorted(r for m in self.sink.messages if m.sender == sender for r in m.recipients)
        with self.sink.change:
            self.sink.change.wait_for(lambda: len(reached()) >= len(recipients), 60)
        assert reached() == sorted(recipients), f"{len(reached())} recipients were reached"
        for message in self.sink.messages:
            if message.sender == sender:
                same_but_trace(message.content, ORDINARY["short"])

    def program(self, name):
        path = shutil.which(name)
        assert path, f"{name} is not installed: see packaging/needs/test"
        return path

    def run(self, *words, content=b""):
        run = subprocess.run(words, input=content, capture_output=True, timeout=120)
        assert run.returncode == 0, f"{words[0]}: {(run.stderr or run.stdout)[-500:].decode()}"

    def swaks(self):
        swaks = self.program("swaks")
        path = os.path.join(self.server.folder, "swaks.data")

        def send(sender, content):
            with open(path, "wb") as f:
                f.write(stuffed(content))
            self.run(swaks, "--server", "127.0.0.1", "--port", str(self.server.port), "--silent",
                     "--from", sender, "--to", "reader@example.com", "--no-data-fixup", "--data",
                     "@" + path)
        self.each({**ORDINARY, **EIGHT_BIT, **ODD}, send)

    def curl(self):
        curl = self.program("curl")
        self.each(POLITE, lambda sender, content: self.run(
            curl, "-sS", "--url", f"smtp://127.0.0.1:{self.server.port}/client.test", "--mail-from",
            sender, "--mail-rcpt", "reader@example.com", "-T", "-", content=content))

    def msmtp(self):
        msmtp = self.program("msmtp")
        self.each({**ORDINARY, **EIGHT_BIT}, lambda sender, content: self.run(
            msmtp, "--file=/dev/null", "--host=127.0.0.1", f"--port={self.server.port}",
            "--set-from-header=off", "--set-date-header=off", "--set-msgid-header=off",
            "--domain=client.test", f"--from={sender}", "reader@example.com",
            content=content.replace(b"\r\n", b"\n")))

    def smtp_source(self):
        sender = self.sender()
        smtp_source(self.cache, self.server.port, "-s", "20", "-m", "300", "-l", "4096", "-f",
                    sender, "-t", "reader@example.com", "-M", "client.test")
        with self.sink.change:
            mine = lambda: [m for m in self.sink.messages if m.sender == sender]
            assert self.sink.change.wait_for(lambda: len(mine()) >= 300, 60), f"{len(mine())} came"
        ids = {m.content.partition(b"Message-Id: ")[2].split(b"\r\n")[0] for m in mine()}
        assert len(mine()) == len(ids) == 300, f"{len(mine())} messages of {len(ids)}"
        for message in mine():
            head, _, body = message.content.partition(b"\r\n\r\n")
            assert head.startswith(b"Received: from client.test"), head
            assert len(body) in range(4000, 4100), len(body)
            assert set(body) <= set(b"0123456789X\r\n"), set(body)

    # ---- servers that relay to it --------------------------------------------------------------

    def relayed(self, relay, contents):
        """Everything goes through another server first, which puts its own trace on top."""
        with relay as first:
            session = Session(first.port)

            def send(sender, content):
                session.expect("EHLO client.test", 250)
                session.expect(f"MAIL FROM:<{sender}> BODY=8BITMIME", 250)
                session.expect("RCPT TO:<reader@example.com>", 250)
                session.expect("DATA", 354)
                answer = session.send(stuffed(content)).reply()
                assert answer[0] == 250, answer
            try:
                self.each(contents, send, hops=2)
            except AssertionError as trouble:
                raise AssertionError(f"{trouble}\n{first.log()[-1500:]}") from None
            session.close()

    def postfix(self):
        self.relayed(Postfix(self.cache, next_hop=("127.0.0.1", self.server.port)), POLITE)

    def exim(self):
        self.relayed(Exim(self.cache, next_hop=("127.0.0.1", self.server.port)), POLITE)

    def exim_without_chunking(self):
        self.relayed(Exim(self.cache, next_hop=("127.0.0.1", self.server.port), chunking=False),
                     {**ORDINARY, **EIGHT_BIT})

    def nothing_left(self):
        assert self.server.json("queue", "list") == [], self.server.command("queue", "list")


def run(cases, build, cache):
    clients = Clients(build, cache)
    try:
        cases.run("messages of every sort by DATA", clients.data)
        cases.run("messages of every sort by BDAT in chunks", clients.chunks)
        cases.run("Python's smtplib", clients.smtplib)
        cases.run("Python's smtplib with SMTPUTF8 addresses", clients.smtplib_utf8)
        cases.run("250 recipients of one message", clients.many_recipients)
        cases.run("swaks", clients.swaks)
        cases.run("curl", clients.curl)
        cases.run("msmtp", clients.msmtp)
        cases.run("smtp-source, 300 messages in 20 sessions", clients.smtp_source)
        cases.run("a Postfix that relays to tmail", clients.postfix)
        cases.run("an Exim that relays to tmail with BDAT", clients.exim)
        cases.run("an Exim that relays to tmail with DATA", clients.exim_without_chunking)
        cases.run("the queue is empty after all that", clients.nothing_left)
    finally:
        clients.close()

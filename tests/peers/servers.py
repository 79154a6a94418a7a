# SPDX-License-Identifier: MIT
"""tmail sends to other people's servers, along routes: to their mailboxes, and through them to a
sink; to servers that speak as little as is allowed; and to servers that refuse."""
import glob
import json
import os
import subprocess
import tempfile

from exim import Exim
from messages import EIGHT_BIT, LARGE, ORDINARY, head, lines, same_at_end, same_but_trace
from opensmtpd import OpenSmtpd
from postfix import Postfix, SmtpSink
from report import bounce_report
from sink import Sink
from tmail import Session, Tmail
from unpacked import wait_for

POLITE = {**ORDINARY, **EIGHT_BIT, **LARGE}
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's aiosmtpd


class Aiosmtpd:
    """with Aiosmtpd() as server: server.port, server.messages(n)"""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="tmail-aiosmtpd-")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "aiosink.py")
        if not os.path.exists(PYTHON) or subprocess.run([PYTHON, "-c", "import aiosmtpd"],
                                                        capture_output=True).returncode:
            raise AssertionError("python3-aiosmtpd is not installed: see packaging/needs/test")
        self.process = subprocess.Popen([PYTHON, script, self.folder], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def messages(self, count):
        """(envelope, content) of each, when there are so many."""
        pattern = self.folder + "/*.json"
        found = []
        for path in wait_for(lambda: len(glob.glob(pattern)) >= count and glob.glob(pattern),
                             what=f"{count} messages at aiosmtpd"):
            with open(path, encoding="utf-8") as f, open(path[:-4] + "eml", "rb") as content:
                found.append((json.load(f), content.read()))
        return found


class Servers:
    """A tmail whose routes lead to them, a domain each, and mail for writers back to the sink."""

    def __init__(self, build, cache, settings=""):
        """settings: of the queue."""
        self.cache = cache
        self.sink = Sink().__enter__()
        self.server = Tmail(build, "smtp = { max_message_size = 0; reverse_lookup = 0; };\n"
                                   "queue = { host_rest = 0; " + settings + "};\n")
        self.server.start()
        self.server.command("relayip", "add", "127.0.0.1")
        self.route("client.test", self.sink.port)
        self.count = 0

    def close(self):
        self.server.close()
        self.sink.__exit__()

    def route(self, domain, port):
        self.server.command("routes", "add", "-d", domain, "-rh", "127.0.0.1", "-rp", str(port))

    def send(self, domain, contents):
        """One message each; {sender: content}."""
        session, sent = Session(self.server.port), {}
        session.expect("EHLO client.test", 250)
        for content in contents.values():
            self.count += 1
            sender = f"writer-{self.count}@client.test"
            session.expect(f"MAIL FROM:<{sender}> BODY=8BITMIME", 250)
            session.expect(f"RCPT TO:<reader@{domain}>", 250)
            session.expect("DATA", 354)
            octets = b"".join(b"." + line if line.startswith(b".") else line
                              for line in content.splitlines(True))
            answer = session.send(octets + b".\r\n").reply()
            assert answer[0] == 250, answer
            sent[sender] = content
        session.close()
        return sent

    # ---- mailboxes -----------------------------------------------------------------------------

    def mailbox(self, target, domain):
        """Into its maildir, whose lines end with LF and where no sender need be told apart."""
        with target as server:
            self.route(domain, server.port)
            sent = self.send(domain, POLITE)
            mails = server.mails(len(sent))
            assert len(mails) == len(sent), f"{len(mails)} of {len(sent)}"
            for content in sent.values():
                key = content.partition(b"Message-ID: ")[2].split(b"\r\n")[0]
                got = next((m for m in mails if key in m), b"")
                same_at_end(got, content.replace(b"\r\n", b"\n"))

    def postfix_mailbox(self):
        self.mailbox(Postfix(self.cache, "maildir"), "postfix.test")

    def exim_mailbox(self):
        self.mailbox(Exim(self.cache, "maildir"), "exim.test")

    def opensmtpd_mailbox(self):
        self.mailbox(OpenSmtpd(self.cache, "maildir"), "opensmtpd.test")

    def aiosmtpd(self):
        with Aiosmtpd() as server:
            self.route("aiosmtpd.test", server.port)
            sent = self.send("aiosmtpd.test", POLITE)
            for envelope, content in server.messages(len(sent)):
                assert envelope["recipients"] == ["reader@aiosmtpd.test"], envelope
                assert any(o.startswith("BODY=8BITMIME") for o in envelope["options"]), envelope
                same_but_trace(content, sent.pop(envelope["sender"]))
            assert not sent, f"missing: {list(sent)}"
            many, content = self.send_many("aiosmtpd.test")
            recipient = self.send_utf8("aiosmtpd.test")
            got = {tuple(envelope["recipients"]): (envelope, octets)
                   for envelope, octets in server.messages(len(POLITE) + 2)}
            same_but_trace(got[tuple(many)][1], content)
            assert "SMTPUTF8" in got[(recipient,)][0]["options"], got[(recipient,)][0]

    # ---- envelopes -----------------------------------------------------------------------------

    def send_many(self, domain):
        """One message for fifty; (they, content)."""
        session, content = Session(self.server.port), head("many") + b"\r\ntext\r\n"
        recipients = [f"reader-{n}@{domain}" for n in range(50)]
        assert session.message("many@client.test", recipients, content)[0] == 250
        session.close()
        return recipients, content

    def send_utf8(self, domain):
        """One from an address of plain ASCII to one that is not; answers that."""
        session, recipient = Session(self.server.port), "grüße@" + domain
        session.expect("EHLO client.test", 250)
        session.expect("MAIL FROM:<utf8@client.test> SMTPUTF8 BODY=8BITMIME", 250)
        session.send(f"RCPT TO:<{recipient}>\r\n".encode())
        assert session.reply()[0] == 250
        session.expect("DATA", 354)
        content = head("refused") + lines("X-Name: grüße", "", "Grüße")
        assert session.send(content + b".\r\n").reply()[0] == 250
        session.close()
        return recipient

    def many_arrive(self, domain):
        """Each of the fifty once, in however many messages."""
        recipients, content = self.send_many(domain)

        def got():
            return [r for m in self.sink.messages for r in m.recipients if r.endswith(domain)
                    and r.startswith("reader-")]
        self.sink.until(lambda: len(got()) >= 50, what="fifty recipients")
        assert sorted(got()) == sorted(recipients), got()
        for message in self.sink.messages:
            if message.recipients[0] in recipients:
                same_but_trace(message.content, content, hops=2)

    # ---- through them to the sink --------------------------------------------------------------

    def through(self, target, domain, utf8=True):
        with target as server:
            self.route(domain, server.port)
            for sender, content in self.send(domain, POLITE).items():
                got = self.sink.find(lambda m, sender=sender: m.sender == sender)
                assert got.recipients == ["reader@" + domain], got.recipients
                same_but_trace(got.content, content, hops=2)
            self.many_arrive(domain)
            octets = self.send_utf8(domain).encode()
            if utf8:
                self.sink.find(lambda m: [r.encode("latin-1") for r in m.recipients] == [octets])
            else:
                got = self.sink.find(lambda m: m.sender == ""
                                     and m.recipients == ["utf8@client.test"])
                assert b"\r\nStatus: 5.6.7\r\n" in got.content, got.content  # RFC 6531 3.7

    def through_postfix(self):
        self.through(Postfix(self.cache, next_hop=("127.0.0.1", self.sink.port)), "by-postfix.test")

    def through_exim(self):
        self.through(Exim(self.cache, next_hop=("127.0.0.1", self.sink.port)), "by-exim.test")

    def through_opensmtpd(self):
        """Which has no SMTPUTF8."""
        self.through(OpenSmtpd(self.cache, next_hop=("127.0.0.1", self.sink.port)),
                     "by-opensmtpd.test", utf8=False)

    # ---- those who speak little ----------------------------------------------------------------

    def smtp_sink(self, domain, contents, *flags):
        with SmtpSink(self.cache, os.path.join(self.server.folder, domain), *flags) as server:
            self.route(domain, server.port)
            sent = self.send(domain, contents)
            for text in server.messages(len(sent)):
                sender = text.split(b"X-Mail-Args: <")[1].split(b">")[0].decode()
                same_at_end(text, sent.pop(sender).replace(b"\r\n", b"\n") + b"\n")
            assert not sent, f"missing: {list(sent)}"

    def smtp_sink_whole(self):
        self.smtp_sink("smtp-sink.test", POLITE, "-h", "smtp-sink.test")

    def smtp_sink_step_by_step(self):
        self.smtp_sink("no-pipelining.test", ORDINARY, "-p")

    def smtp_sink_helo_only(self):
        self.smtp_sink("helo-only.test", ORDINARY, "-e")

    # ---- those who refuse ----------------------------------------------------------------------

    def refused(self, target, domain, words):
        with target as server:
            self.route(domain, server.port)
            (sender,) = self.send(domain, {"": head("refused") + b"\r\ntext\r\n"})
            text, fields = bounce_report(self.sink, sender)
            assert fields["Final-Recipient"].replace(" ", "") == f"rfc822;reader@{domain}"
            assert fields["Action"] == "failed", fields.as_string()
            assert fields["Status"].startswith("5."), fields["Status"]
            assert words in fields["Diagnostic-Code"], fields["Diagnostic-Code"]
            assert f"reader@{domain}" in text, text

    def postfix_refuses(self):
        self.refused(Postfix(self.cache, settings="smtpd_recipient_restrictions = reject\n"),
                     "refusing.test", "554 5.7.1")

    def smtp_sink_refuses(self):
        folder = os.path.join(self.server.folder, "hard")
        self.refused(SmtpSink(self.cache, folder, "-f", "."), "hard.test", "500 ")

    def smtp_sink_tempfails(self):
        folder = os.path.join(self.server.folder, "soft")
        with SmtpSink(self.cache, folder, "-r", "rcpt") as server:
            self.route("soft.test", server.port)
            self.send("soft.test", {"": head("soft") + b"\r\ntext\r\n"})
            row = self.server.queue_row("Scheduled", "--state", "deferred", "--to",
                                        "reader@soft.test")
            assert "450" in row["reason"] and row["attempts"] == 1 and row["next_delivery"], row
        self.server.command("queue", "discard", row["id"])

    def nothing_left(self):
        wait_for(lambda: self.server.json("queue", "list") == [], 20, "an empty queue")


def run(cases, build, cache):
    servers = Servers(build, cache)
    try:
        cases.run("into Postfix's mailbox", servers.postfix_mailbox)
        cases.run("into Exim's mailbox", servers.exim_mailbox)
        cases.run("into OpenSMTPD's mailbox", servers.opensmtpd_mailbox)
        cases.run("to aiosmtpd", servers.aiosmtpd)
        cases.run("to smtp-sink", servers.smtp_sink_whole)
        cases.run("to smtp-sink without PIPELINING", servers.smtp_sink_step_by_step)
        cases.run("to smtp-sink that knows only HELO", servers.smtp_sink_helo_only)
        cases.run("through Postfix to a sink", servers.through_postfix)
        cases.run("through Exim to a sink", servers.through_exim)
        cases.run("through OpenSMTPD to a sink", servers.through_opensmtpd)
        cases.run("Postfix refuses a recipient: a report comes back", servers.postfix_refuses)
        cases.run("smtp-sink refuses a message: a report comes back", servers.smtp_sink_refuses)
        cases.run("smtp-sink refuses for now: the message waits", servers.smtp_sink_tempfails)
        cases.run("the queue is empty after all that", servers.nothing_left)
    finally:
        servers.close()

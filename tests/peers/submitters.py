# SPDX-License-Identifier: MIT
"""Other people's clients, and servers that are clients here, hand in mail through TLS and with a login:
STARTTLS on the submission port and TLS from the first octet. What is right arrives under its login, a
wrong password is told as one, and nothing of it arrives."""
import os
import shutil
import subprocess
import tempfile

import npm
from exim import Exim
from postfix import Postfix
from secure import certificates
from sink import Sink
from tmail import MODULES, Tmail, wait_for
from unpacked import download

LOGIN, PASSWORD = "joe@example.org", "correct horse"
WRONG = "wrong horse"
LISTEN = """(
  { address = "127.0.0.1"; port = 0; role = "submission"; },
  { address = "127.0.0.1"; port = 0; role = "smtps"; }
)"""
SETTINGS = """tls = { certificates = ( { certificate = "pair.pem"; key = "pair.key"; } ); };
smtp = { auth_delay = "10ms"; max_auth_failures_login = 0; };
"""
USERS = """{ module = "auth/users"; argon2_memory = "64K"; argon2_passes = 1; scram_iterations = 4096;
    mechanisms = [ "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256" ]; },
  { module = "route/table\""""
NODEMAILER = ((6, "nodemailer@6.9.16"),)
NODE = """const [mailer, port, secure, method, user, pass, ca, from] = process.argv.slice(2)
require(mailer).createTransport({
    host: 'localhost', port: Number(port), secure: secure === 'yes', requireTLS: secure !== 'yes',
    authMethod: method, auth: { user, pass }, tls: { ca: require('fs').readFileSync(ca) }
}).sendMail({ from, to: 'x@elsewhere.test', subject: 'x', text: 'by nodemailer\\n' }, (trouble, sent) => {
    console.log(trouble ? `${trouble.code} ${trouble.responseCode}` : sent.response)
    process.exitCode = trouble ? 1 : 0
})
"""
POSTFIX = """smtp_tls_security_level = verify
smtp_tls_CAfile = /etc/postfix/ca.pem
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:/etc/postfix/passwords
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = {mechanism}
smtp_tls_wrappermode = {wrapped}
"""


class Submitters:
    """A tmail that passes what its user sends on to a sink."""

    def __init__(self, build, cache):
        self.cache, self.count = cache, 0
        self.sink = Sink().__enter__()
        self.pki = tempfile.TemporaryDirectory(prefix="tmail-pki-")
        pair = certificates(self.pki.name, "localhost")
        self.ca = self.pki.name + "/ca.pem"
        self.server = Tmail(build, SETTINGS, listen=LISTEN,
                            modules=MODULES.replace('{ module = "route/table"', USERS))
        for name, pem in zip(("pair.pem", "pair.key"), pair):
            self.server.write(pem, name)
        self.server.start()
        self.server.command("routes", "add", "-rh", "127.0.0.1", "-rp", str(self.sink.port))
        self.server.command("user", "add", "-r", LOGIN, "-", input=PASSWORD + "\n")

    def close(self):
        self.server.close()
        self.sink.__exit__()
        self.pki.cleanup()

    def port(self, smtps):
        return self.server.ports[1 if smtps else 0]

    def sender(self):
        self.count += 1
        return f"writer-{self.count}@example.org"

    def arrived(self, sender):
        """It did, through TLS from who is logged in, to whom it was for."""
        message = self.sink.find(lambda m: m.sender == sender)
        assert message.recipients == ["x@elsewhere.test"], message.recipients
        trace = message.content.split(b"\nReceived:" if message.content.count(b"Received:") > 1
                                      else b"\nFrom:", 1)[0]
        assert b"ESMTPSA" in trace, trace

    def nothing(self, *senders):
        """None of these is at the sink or in the queue."""
        wait_for(lambda: self.server.queued() == 0, what="an empty queue")
        found = [m.sender for m in self.sink.messages if m.sender in senders]
        assert not found, found

    # ---- programs of people ----------------------------------------------------------------

    def each(self, client, mechanisms):
        """client(smtps, mechanism, password, sender) -> what ran."""
        for smtps in (False, True):
            for mechanism in mechanisms:
                good, bad = self.sender(), self.sender()
                run = client(smtps, mechanism, PASSWORD, good)
                assert run.returncode == 0, (mechanism, run.stdout, run.stderr)
                self.arrived(good)
                run = client(smtps, mechanism, WRONG, bad)
                assert run.returncode and "535" in run.stdout + run.stderr, (
                    mechanism, run.returncode, run.stdout, run.stderr)
                self.nothing(bad)

    def nodemailer(self):
        mailer = npm.installed(self.cache, "nodemailer", NODEMAILER)
        script = os.path.join(self.pki.name, "send.js")
        with open(script, "w", encoding="utf-8") as f:
            f.write(NODE)
        self.each(lambda smtps, mechanism, password, sender: subprocess.run(
            ["node", script, mailer, str(self.port(smtps)), "yes" if smtps else "no", mechanism,
             LOGIN, password, self.ca, sender], text=True, capture_output=True),
            ("PLAIN", "LOGIN", "CRAM-MD5"))

    def msmtp(self):
        if not shutil.which("msmtp"):
            raise AssertionError("msmtp is not installed: packaging/needs/install test")
        self.each(lambda smtps, mechanism, password, sender: subprocess.run(
            ["msmtp", "--host=localhost", f"--port={self.port(smtps)}", f"--auth={mechanism}",
             f"--user={LOGIN}", f"--passwordeval=echo '{password}'", f"--from={sender}", "--tls=on",
             "--tls-starttls=" + ("off" if smtps else "on"), f"--tls-trust-file={self.ca}",
             "x@elsewhere.test"], input="From: joe\nSubject: x\n\nx\n", text=True,
            capture_output=True, env=dict(os.environ, HOME="/nonexistent")),
            ("plain", "login", "cram-md5", "scram-sha-256"))

    # ---- servers that hand on --------------------------------------------------------------

    def relays(self, kind, smtps, mechanism, password):
        """The server, and who wrote what it was given; it listens, takes one and passes it on."""
        with open(self.ca, encoding="ascii") as f:
            ca = f.read()
        server, sender = kind(smtps, mechanism, password, ca), self.sender()
        with server:
            subprocess.run(["swaks", "--silent", "2", "--server", "127.0.0.1", "--port",
                            str(server.port), "--from", sender, "--to", "x@elsewhere.test"],
                           check=True, capture_output=True)
            if password == PASSWORD:
                self.arrived(sender)
            else:
                wait_for(lambda: "535" in server.log(), what="535 in " + server.package + "'s log")
                assert server.queued() == 1, server.log()
        if password != PASSWORD:
            self.nothing(sender)

    def exim(self, smtps, mechanism, password, ca):
        return Exim(self.cache, next_hop=("localhost", self.port(smtps)), ca=ca, smtps=smtps,
                    mechanisms=(mechanism,), login=(LOGIN, password))

    def postfix(self, smtps, mechanism, password, ca):
        port = self.port(smtps)
        server = Postfix(self.cache, next_hop=("localhost", port), settings=POSTFIX.format(
            mechanism=mechanism, wrapped="yes" if smtps else "no"))
        server.write("/etc/postfix/passwords", f"[localhost]:{port} {LOGIN}:{password}\n")
        # Its SASL library loads each mechanism from a package of its own.
        subprocess.run(["dpkg", "-x", download("libsasl2-modules", self.cache), server.root],
                       check=True)
        server.write("/etc/postfix/ca.pem", ca)
        return server


def run(cases, build, cache):
    there = Submitters(build, cache)
    try:
        cases.run("nodemailer logs in through TLS", there.nodemailer)
        cases.run("msmtp logs in through TLS", there.msmtp)
        for kind, mechanisms in ((there.exim, ("plain", "cram")),
                                 (there.postfix, ("plain", "cram-md5"))):
            name = kind.__name__.capitalize()
            for smtps in (False, True):
                for mechanism in mechanisms:
                    where = "from the first octet" if smtps else "with STARTTLS"
                    cases.run(f"{name} logs in by {mechanism}, TLS {where}",
                              lambda: there.relays(kind, smtps, mechanism, PASSWORD))
            cases.run(f"{name} keeps what a wrong password cannot hand in",
                      lambda: there.relays(kind, False, mechanisms[0], WRONG))
    finally:
        there.close()

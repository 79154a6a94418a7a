# SPDX-License-Identifier: MIT
"""tmail sends through TLS, and with logins, to other people's servers, and says what came of it."""
import os
import subprocess
import tempfile

from dovecot import Dovecot
from exim import Exim
from messages import ORDINARY
from postfix import Postfix
from servers import Servers

LOGIN = ("me@client.test", "pass word")
CONTENT = ORDINARY[next(iter(ORDINARY))]
# What a Postfix is told so that it takes nothing in clear.
POSTFIX = """smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = /etc/postfix/certificate.pem
smtpd_tls_key_file = /etc/postfix/key.pem
"""
# And so that it wants a login, which it asks Dovecot about.
POSTFIX_LOGINS = """smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{port}
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""


def certificates(folder, name):
    """(chain, key) of that name, by an authority that is in `folder`/ca.pem."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    if not os.path.exists(folder + "/ca.pem"):
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj",
                "/CN=authority", "-days", "2")
    with open(folder + "/ext", "w", encoding="ascii") as f:
        f.write(f"subjectAltName=DNS:{name}\n")
    openssl("req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=" + name)
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", "certificate.pem", "-days", "2", "-extfile", "ext")
    with open(folder + "/certificate.pem", encoding="ascii") as chain, \
            open(folder + "/key.pem", encoding="ascii") as key_file:
        return chain.read(), key_file.read()


class Secure(Servers):
    """The same tmail, which trusts an authority of the test's own."""

    def __init__(self, build, cache):
        self.pki = tempfile.TemporaryDirectory(prefix="tmail-pki-")
        self.certificate = certificates(self.pki.name, "localhost")
        super().__init__(build, cache, f'tls_ca = "{self.pki.name}/ca.pem"; idle_timeout = 0;')

    def close(self):
        super().close()
        self.pki.cleanup()

    def secure_route(self, domain, port, *flags):
        self.server.command("routes", "add", "-d", domain, "-rh", "localhost", "-rp", str(port),
                            *flags)

    def arrives(self, domain, *words):
        text = self.server.story(self.server.hand_in(domain, CONTENT), "delivered")
        for word in words:
            assert word in text, f"no {word} in {text}"
        assert LOGIN[1] not in text, text

    def waits(self, domain, *words):
        message = self.server.hand_in(domain, CONTENT)
        text = self.server.story(message, "deferred")
        for word in words:
            assert word in text, f"no {word} in {text}"
        assert LOGIN[1] not in text, text
        self.server.command("queue", "discard", message)

    def postfix(self, more=""):
        server = Postfix(self.cache, "maildir", settings=POSTFIX + more)
        server.write("/etc/postfix/certificate.pem", self.certificate[0])
        server.write("/etc/postfix/key.pem", self.certificate[1], 0o600)
        return server

    def into_postfix(self):
        with self.postfix() as server:
            self.secure_route("may.test", server.port)
            self.arrives("may.test", "secured", "may (tls)", "TLSv1.3", "verified=yes")
            self.secure_route("verify.test", server.port, "--tls", "verify")
            self.arrives("verify.test", "secured", "verify (route)")
            server.mails(2)
            self.secure_route("none.test", server.port, "--tls", "none")
            message = self.server.hand_in("none.test", CONTENT)
            assert "Must issue a STARTTLS" in self.server.story(message, "bounced")

    def not_into_another(self):
        """A certificate of another name is no reason to send in clear."""
        with self.postfix() as server:
            self.server.command("routes", "add", "-d", "other.test", "-rh", "127.0.0.1", "-rp",
                                str(server.port), "--tls", "verify")
            self.waits("other.test", "host_failed", "stage=TLS", "mismatch")

    def logged_in_to_postfix(self):
        """The right password arrives, a wrong one and none wait or come back."""
        with Dovecot(self.cache, [(LOGIN[0], "{PLAIN}" + LOGIN[1])]) as accounts:
            with self.postfix(POSTFIX_LOGINS.format(port=accounts.port)) as server:
                route = ("--tls", "verify", "-rl", LOGIN[0], "-rpwd")
                self.secure_route("login.test", server.port, *route, LOGIN[1])
                self.arrives("login.test", "secured", "logged_in", "mechanism=PLAIN")
                server.mails(1)
                self.secure_route("wrong.test", server.port, *route, "another")
                self.waits("wrong.test", "stage=AUTH", "login refused: 535")
                self.secure_route("nobody.test", server.port, "--tls", "verify")
                self.server.story(self.server.hand_in("nobody.test", CONTENT), "bounced")
                assert len(server.mails(1)) == 1

    def exim(self, *mechanisms):
        return Exim(self.cache, "maildir", mechanisms=mechanisms, login=LOGIN,
                    certificate=self.certificate)

    def log_in(self, mechanism, name):
        with self.exim(mechanism) as server:
            domain = mechanism + ".test"
            self.secure_route(domain, server.port, "--tls", "verify", "-rl", LOGIN[0], "-rpwd",
                              LOGIN[1])
            self.arrives(domain, "secured", "logged_in", "mechanism=" + name)
            server.mails(1)

    def refused(self):
        with self.exim("plain") as server:
            self.secure_route("refused.test", server.port, "-rl", LOGIN[0], "-rpwd", "another")
            self.waits("refused.test", "host_failed", "stage=AUTH", "login refused: 535")


def run(cases, build, cache):
    secure = Secure(build, cache)
    try:
        cases.run("through TLS into a Postfix that demands it", secure.into_postfix)
        cases.run("not to a Postfix of another name", secure.not_into_another)
        cases.run("to a Postfix that demands TLS and a login", secure.logged_in_to_postfix)
        cases.run("to Exim with a login by PLAIN", lambda: secure.log_in("plain", "PLAIN"))
        cases.run("to Exim with a login by LOGIN", lambda: secure.log_in("login", "LOGIN"))
        cases.run("to Exim with a login by CRAM-MD5", lambda: secure.log_in("cram", "CRAM-MD5"))
        cases.run("Exim refuses a login: the message waits", secure.refused)
    finally:
        secure.close()

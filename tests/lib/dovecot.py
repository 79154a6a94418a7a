# SPDX-License-Identifier: MIT
"""A real Dovecot of one's own (see unpacked.py) that says whether passwords are right: its auth
service at a port, for a Postfix to ask, with the accounts in a passwd-file. As Debian configures
it otherwise; so its cache of answers is off."""
import socket

from unpacked import Unpacked, free_port, wait_for

CONFIGURATION = """base_dir = /run/dovecot
log_path = /var/log/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=61004 gid=61004 home=/var/mail
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class Dovecot(Unpacked):
    """with Dovecot(cache, [("joe@example.org", "{ARGON2ID}$argon2id$...")]) as dovecot:
    dovecot.port"""

    package, also = "dovecot-core", "/usr/lib/dovecot"

    def __init__(self, cache, accounts):
        super().__init__(cache)
        self.port = free_port()
        self.write("/etc/dovecot/dovecot.conf", CONFIGURATION.format(port=self.port))
        self.write("/etc/dovecot/users", "".join(f"{name}:{stored}\n" for name, stored in accounts))
        for name in ("/run/dovecot", "/var/log", "/var/lib/dovecot", "/var/mail"):
            self.folder(name)

    def spawn(self, *_):
        super().spawn("/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf")

    def start(self):
        self.spawn()

        def answer():
            if self.process.poll() is not None:
                raise AssertionError(f"Dovecot ended:\n{self.said()[-2000:]}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    return s.recv(8) == b"VERSION\t"
            except OSError:
                return False
        wait_for(answer, 30, "Dovecot's auth service")
        return self

    def log(self):
        try:
            with open(self.root + "/var/log/dovecot.log", encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

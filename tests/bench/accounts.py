# SPDX-License-Identifier: MIT
"""Who logs in at the programs that are measured, and what they show for themselves: the same accounts
and the same certificate for all."""
import functools
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tmail import Tmail  # noqa: E402


def certificate_made(folder):
    """(chain, key) as PEM: ECDSA with P-256, signed by itself."""
    files = [os.path.join(folder, name) for name in ("certificate.pem", "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mx.test",
                    "-keyout", files[1], "-out", files[0]], check=True, capture_output=True)
    texts = []
    for path in files:
        with open(path, encoding="ascii") as f:
            texts.append(f.read())
    return texts


@functools.cache
def sample_modules(build, users=""):
    """Those of the sample configuration, as they come but for settings of auth/users."""
    sample = subprocess.run([os.path.join(build, "tmail"), "sample"], check=True, text=True,
                            capture_output=True).stdout
    names = re.findall(r'^ *module = "(\S+)";', sample, re.M)
    return "( " + ",\n".join('{ module = "%s"; %s }' % (name, users if name == "auth/users" else "")
                             for name in names) + " )"


class Accounts:
    """`file`: a login and a password a line, for load.c."""

    def __init__(self, build, folder, count=8):
        self.build, self.folder = build, folder
        self.logins = [(f"user{n}@bench.test", f"password-of-{n}") for n in range(count)]
        self.file = os.path.join(folder, "logins")
        with open(self.file, "w", encoding="ascii") as f:
            f.writelines(f"{login} {password}\n" for login, password in self.logins)

    @functools.cached_property
    def stored(self):
        """[(login, hash)], as tmail hashes them with its settings as they come, for others to judge
        by."""
        server = Tmail(self.build, modules=sample_modules(self.build),
                       folder=tempfile.mkdtemp(prefix="accounts-", dir=self.folder))
        with server:
            self.add_to(server)
        with sqlite3.connect(server.folder + "/db/tmail.db") as rows:
            return rows.execute("select login, dove_passwd from users").fetchall()

    def add_to(self, server):
        """They may send to anybody."""
        for login, password in self.logins:
            server.command("user", "add", "-r", login, "-", input=password + "\n")

# SPDX-License-Identifier: MIT
"""A real OpenSMTPD of one's own (see unpacked.py): Debian's, with a configuration that takes what
local clients send and passes it on, keeps it, or puts it into a mailbox."""
import glob
import os
import shutil

from unpacked import GROUPS, Unpacked, free_port, wait_for

MODES = {
    "relay": 'relay host smtp://{host}:{next_port}',
    "hold": 'relay host smtp://127.0.0.1:9',
    "maildir": 'maildir "/var/mail/box" virtual {{ "@" = "virtual" }}',
}

CONFIGURATION = """smtp max-message-size 1G
smtp limit max-rcpt 1000
smtp limit max-mails 100000
queue ttl 1d
listen on {address} port {port} hostname {hostname} {listen}
action "way" {way}
match from any for any action "way"
{settings}
"""


class OpenSmtpd(Unpacked):
    """with OpenSmtpd(cache, mode="relay", next_hop=("127.0.0.1", port)) as server: server.port"""

    package = "opensmtpd"

    def __init__(self, cache, mode="relay", next_hop=("127.0.0.1", 25), address="127.0.0.1",
                 port=None, hostname="opensmtpd.test", listen="", settings=""):
        super().__init__(cache)
        self.address, self.port, self.mode = address, port or free_port(address), mode
        way = MODES[mode].format(host=next_hop[0], next_port=next_hop[1])
        self.write("/etc/smtpd.conf", CONFIGURATION.format(
            address=address, port=self.port, hostname=hostname, listen=listen, way=way,
            settings=settings))
        self.write("/etc/mailname", hostname + "\n")
        self.folder("/var/mail", "virtual", 0o700)
        self.folder("/var/lib/opensmtpd/empty")
        self.folder("/var/spool")
        self.folder("/var/run")
        os.chown(self.root + "/usr/sbin/smtpctl", 0, GROUPS["opensmtpq"])
        os.chmod(self.root + "/usr/sbin/smtpctl", 0o2555)
        os.makedirs(self.root + "/bin", exist_ok=True)
        shutil.copy2(os.path.realpath("/bin/sh"), self.root + "/bin/sh")  # it delivers by one

    def start(self):
        self.spawn("/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf")
        self.greets(self.address, self.port)
        if self.mode == "hold":
            self.run("/usr/sbin/smtpctl", "pause", "mta")
        return self

    def queued(self):
        """Messages it has and has not delivered."""
        return len(glob.glob(self.root + "/var/spool/smtpd/queue/*/*/message"))

    def mails(self, count):
        """Contents of the mailbox of mode maildir, when there are so many."""
        pattern = self.root + "/var/mail/box/new/*"
        paths = wait_for(lambda: len(glob.glob(pattern)) >= count and glob.glob(pattern),
                         what=f"{count} messages in OpenSMTPD's mailbox")
        contents = []
        for path in sorted(paths):
            with open(path, "rb") as f:
                contents.append(f.read())
        return contents

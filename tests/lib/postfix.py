# SPDX-License-Identifier: MIT
"""A real Postfix of one's own (see unpacked.py): as Debian configures it, with an address, a port
and a queue of its own. What a comparison needs to be fair is set: no in_flow_delay, enough
processes, its log in a file."""
import glob
import os
import subprocess

from unpacked import Unpacked, free_port, greeting, library_folders, unpack, wait_for

LIBRARIES = "/usr/lib/postfix"

MAIN = """compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = {hostname}
mydestination =
mynetworks = 127.0.0.0/8 [::1]/128
inet_interfaces = {address}
inet_protocols = all
alias_maps =
alias_database =
local_transport = error:nobody is local
maillog_file = /var/log/postfix.log
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
local_header_rewrite_clients =
message_size_limit = 0
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_host_lookup = native
in_flow_delay = 0
default_process_limit = {processes}
"""

MASTER = """{address}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# What becomes of the mail it takes.
MODES = {
    "relay": "relayhost = [{host}]:{next_port}\n",
    "hold": "smtpd_client_restrictions = check_client_access static:HOLD\n",
    "discard": "default_transport = discard\n",
    "maildir": ("virtual_mailbox_domains = static:all\nvirtual_mailbox_base = /var/mail\n"
                "virtual_mailbox_maps = static:box/\nvirtual_uid_maps = static:61004\n"
                "virtual_gid_maps = static:61004\nvirtual_minimum_uid = 1000\n"
                "virtual_mailbox_limit = 0\nmailbox_size_limit = 0\n"),
}


class Postfix(Unpacked):
    """with Postfix(cache, mode="relay", next_hop=("127.0.0.1", port)) as postfix: postfix.port"""

    package, also = "postfix", LIBRARIES

    def __init__(self, cache, mode="relay", next_hop=("127.0.0.1", 25), processes=100,
                 address="127.0.0.1", port=None, hostname="postfix.test", settings=""):
        super().__init__(cache)
        self.address, self.port = address, port or free_port(address)
        values = {"address": address, "port": self.port, "hostname": hostname,
                  "processes": processes, "host": next_hop[0], "next_port": next_hop[1]}
        self.write("/etc/postfix/main.cf", (MAIN + MODES[mode]).format(**values) + settings)
        self.write("/etc/postfix/master.cf", MASTER.format(**values))
        self.write("/etc/postfix/dynamicmaps.cf", "")
        self.folders()

    def folders(self):
        self.folder("/var/lib/postfix", "postfix", 0o700)
        self.folder("/var/log")
        self.folder("/var/mail", "virtual", 0o700)
        self.folder("/var/spool/postfix")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                     "incoming", "private", "saved", "trace"):
            self.folder("/var/spool/postfix/" + name, "postfix", 0o700)
        self.folder("/var/spool/postfix/maildrop", "postfix", 0o730, group="postdrop")
        self.folder("/var/spool/postfix/public", "postfix", 0o710, group="postdrop")
        self.folder("/var/spool/postfix/pid")

    def start(self):
        self.spawn("/usr/lib/postfix/sbin/master", "-c", "/etc/postfix")
        self.greets(self.address, self.port)
        return self

    def log(self):
        try:
            with open(self.root + "/var/log/postfix.log", encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def queued(self):
        """Messages it has and has not delivered."""
        return sum(len(files) for name in ("incoming", "active", "deferred", "hold", "maildrop")
                   for _, _, files in os.walk(f"{self.root}/var/spool/postfix/{name}"))

    def mails(self, count):
        """Contents of the mailbox of mode maildir, when there are so many."""
        pattern = self.root + "/var/mail/box/new/*"
        paths = wait_for(lambda: len(glob.glob(pattern)) >= count and glob.glob(pattern),
                         what=f"{count} messages in Postfix's mailbox")
        contents = []
        for path in sorted(paths):
            with open(path, "rb") as f:
                contents.append(f.read())
        return contents


def tool(cache, name):
    """(command, environment) of smtp-source or smtp-sink; for everybody, not only root."""
    folder = unpack("postfix", cache, chroot=False, also=LIBRARIES)
    return ([f"{folder}/usr/sbin/{name}"],
            dict(os.environ, LD_LIBRARY_PATH=library_folders(folder, LIBRARIES),
                 MAIL_CONFIG=folder + "/etc/postfix"))


def smtp_source(cache, port, *flags):
    """Sends, and answers when all were accepted."""
    words, env = tool(cache, "smtp-source")
    return subprocess.run([*words, *flags, f"127.0.0.1:{port}"], env=env, check=True,
                          capture_output=True, text=True, timeout=60)


class SmtpSink:
    """Postfix's smtp-sink; keeps what comes, a file a message."""

    def __init__(self, cache, folder, *flags):
        self.words, self.env = tool(cache, "smtp-sink")
        self.folder, self.flags = folder, flags
        os.makedirs(folder, exist_ok=True)
        self.port, self.process = free_port(), None

    def __enter__(self):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        os.chmod(self.folder, 0o777)
        self.process = subprocess.Popen(
            [*self.words, *self.flags, *user, "-d", "mail.", f"127.0.0.1:{self.port}", "100"],
            env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for(lambda: greeting("127.0.0.1", self.port).startswith("220"), what="smtp-sink")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def messages(self, count):
        """(what smtp-sink says of the envelope, content with its line ends) of each."""
        def complete():
            found = []
            for path in sorted(glob.glob(self.folder + "/mail.*")):
                with open(path, "rb") as f:
                    text = f.read()
                if not text.endswith(b"\n\n"):  # its own empty line behind the message
                    return None
                found.append(text)
            return found if len(found) >= count else None
        return wait_for(complete, what=f"{count} messages in smtp-sink")

# SPDX-License-Identifier: MIT
"""A real Exim of one's own (see unpacked.py): Debian's, with a configuration that takes what local
clients send and passes it on, holds it, or keeps it in a mailbox."""
import glob
import os

from unpacked import Unpacked, free_port, wait_for

CONFIGURATION = """primary_hostname = {hostname}
daemon_smtp_ports = {port}
local_interfaces = {address}
pid_file_path = /run/exim.pid
hostlist relay_from_hosts = 127.0.0.0/8 : ::1
acl_smtp_rcpt = acl_rcpt
tls_advertise_hosts = {tls}
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
accept_8bitmime = true
dsn_advertise_hosts = *
host_lookup =
rfc1413_query_timeout = 0s
dns_dnssec_ok = -1
dns_ipv4_lookup = *
never_users = root
smtp_accept_max = {connections}
smtp_accept_max_per_connection = 100000
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 4096
smtp_enforce_sync = false
split_spool_directory = true
message_size_limit = 0
queue_run_max = 5
remote_max_parallel = 2
delay_warning =
keep_environment =
add_environment = PATH=/usr/sbin:/usr/bin
{settings}
begin acl
acl_rcpt:
{acl}  accept hosts = +relay_from_hosts
begin routers
{router}
begin transports
remote:
  driver = smtp
  hosts_try_fastopen =
  hosts_try_chunking = {chunking}
  connection_max_messages = 500
  message_linelength_limit = 998
  allow_localhost
{remote}mailbox:
  driver = appendfile
  maildir_format
  directory = /var/mail/box
  create_directory
  delivery_date_add = false
  envelope_to_add = false
  return_path_add = false
  user = virtual
  group = virtual
begin retry
* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
begin authenticators
{authenticators}
"""

# Of a client that logs in, through TLS alone, to a server whose name it checks.
CLIENT_AUTHENTICATORS = {
    "plain": """plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^{login}^{password}
""",
    "cram": """cram:
  driver = cram_md5
  public_name = CRAM-MD5
  client_name = {login}
  client_secret = {password}
""",
}
CLIENT_REMOTE = """  hosts_require_tls = *
  hosts_require_auth = *
  tls_verify_certificates = /etc/exim4/ca.pem
  tls_verify_hosts = *
  tls_verify_cert_hostnames = *
"""

# Of a server that takes logins, by any of these, and mail through TLS from who is logged in.
AUTHENTICATORS = {
    "plain": """plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{login}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
""",
    "login": """login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{login}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
""",
    "cram": """cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{login}}}{{{password}}}fail}}
  server_set_id = $auth1
""",
}
SECURE_ACL = """  deny message = TLS first
    !encrypted = *
  deny message = log in first
    !authenticated = *
"""

MODES = {
    "relay": """smart:
  driver = manualroute
  route_list = * {host}::{next_port} byname
  transport = remote
  self = send
""",
    "maildir": """box:
  driver = accept
  transport = mailbox
""",
}
MODES["hold"] = MODES["relay"]


class Exim(Unpacked):
    """with Exim(cache, mode="relay", next_hop=("127.0.0.1", port)) as exim: exim.port"""

    package = "exim4-daemon-light"

    def __init__(self, cache, mode="relay", next_hop=("127.0.0.1", 25), connections=12000,
                 address="127.0.0.1", port=None, hostname="exim.test", settings="",
                 chunking=True, mechanisms=(), login=("", ""), certificate=None, ca=None,
                 smtps=False):
        """mechanisms: of AUTHENTICATORS; then mail is taken through TLS alone, from who says that
        login and password. certificate: (chain, key), as PEM. With `ca`, an authority's PEM, it is
        the client: it logs in to the next hop so, through TLS (from the first octet: smtps)."""
        super().__init__(cache)
        if certificate:
            for name, pem in zip(("certificate", "key"), certificate):
                self.write(f"/etc/exim4/{name}.pem", pem)
                settings += f"tls_{name.replace('key', 'privatekey')} = /etc/exim4/{name}.pem\n"
        remote, authenticators = "", AUTHENTICATORS
        if ca:
            self.write("/etc/exim4/ca.pem", ca)
            remote = CLIENT_REMOTE + ("  protocol = smtps\n  port = 465\n" if smtps else "")
            authenticators = CLIENT_AUTHENTICATORS
        self.address, self.port = address, port or free_port(address)
        if mode == "hold":
            settings += "queue_only = true\n"
        self.write("/etc/exim4/exim4.conf", CONFIGURATION.format(
            hostname=hostname, address=address, port=self.port, connections=connections,
            settings=settings, chunking="*" if chunking else "",
            tls="*" if certificate else "", remote=remote,
            acl=SECURE_ACL if mechanisms and not ca else "",
            authenticators="".join(authenticators[m].format(login=login[0], password=login[1])
                                   for m in mechanisms),
            router=MODES[mode].format(host=next_hop[0], next_port=next_hop[1])))
        for name in ("/var/spool/exim4", "/var/log/exim4"):
            self.folder(name, "Debian-exim", 0o750)
        self.folder("/var/mail", "virtual", 0o700)
        os.chmod(self.root + "/usr/sbin/exim4", 0o4755)
        self.interval = [] if mode == "hold" else ["-q1m"]

    def start(self):
        self.spawn("/usr/sbin/exim4", "-bdf", *self.interval)
        self.greets(self.address, self.port)
        return self

    def log(self):
        text = ""
        for path in glob.glob(self.root + "/var/log/exim4/*"):
            with open(path, encoding="utf-8", errors="replace") as f:
                text += f.read()
        return text

    def queued(self):
        """Messages it has and has not delivered."""
        return len(glob.glob(self.root + "/var/spool/exim4/input/*/*-H"))

    def mails(self, count):
        """Contents of the mailbox of mode maildir, when there are so many."""
        pattern = self.root + "/var/mail/box/new/*"
        paths = wait_for(lambda: len(glob.glob(pattern)) >= count and glob.glob(pattern),
                         what=f"{count} messages in Exim's mailbox")
        contents = []
        for path in sorted(paths):
            with open(path, "rb") as f:
                contents.append(f.read())
        return contents

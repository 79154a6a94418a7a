# SPDX-License-Identifier: MIT
"""The programs that are measured, with one face: made for a way of working (`hold`: accept and
keep; `relay`: to a server on this host), started, counted, and gone with all they wrote.

What makes the comparison fair is said where it is set. All log a line a message into a file, none
looks up its clients' names, all but OpenSMTPD answer 250 after a flush. All but the
reference are asked after a run what they keep, tmail once more after a restart."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from accounts import sample_modules
from measure import banner_wait, family, inside

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dovecot import Dovecot  # noqa: E402
from exim import Exim  # noqa: E402
from haraka import Haraka  # noqa: E402
from opensmtpd import OpenSmtpd  # noqa: E402
from postfix import Postfix  # noqa: E402
from tmail import Tmail  # noqa: E402
from unpacked import free_port, wait_for  # noqa: E402

TLS = 'tls = { certificates = ( { certificate = "certificate.pem"; key = "key.pem"; } ); };\n'
POSTFIX_TLS = """smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/postfix/certificate.pem
smtpd_tls_key_file = /etc/postfix/key.pem
"""
POSTFIX_LOGIN = """smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{port}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""


class Setting:
    """How a program is to work in a measurement."""

    def __init__(self, mode="hold", next_hop=0, connections=100, slow_flush=False, queue="",
                 tls=False, login=False, users=""):
        self.mode, self.next_hop = mode, next_hop
        self.queue, self.users = queue, users  # settings, tmail's
        self.connections, self.slow_flush = connections, slow_flush
        self.tls, self.login = tls, login  # offered; needed by those who send


class Counted:
    """A file in which slowsync.c counts, and what must be in the environment for it."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(8))
        os.chmod(path, 0o666)  # the server's users write to it

    def value(self):
        with open(self.path, "rb") as f:
            return int.from_bytes(f.read(), sys.byteorder)


class Program:
    """with TmailProgram(bench, setting) as program: program.port, program.processes() ..."""

    name, pace = "", 1.0  # pace: messages in a given time, beside the fastest

    def __init__(self, bench, setting):
        self.bench, self.setting = bench, setting
        self.flushes = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def queued(self):
        """Messages kept; None: cannot be asked."""
        return None

    def queued_after_restart(self):
        return None

    def send(self, connections, messages, per_connection=1000000, **more):
        """What load.c says of it."""
        logins = self.bench.accounts.file if self.setting.login else None
        return self.bench.tools.send(self.port, connections, messages, per_connection,
                                     logins=logins, **more)

    def start_timed(self):
        """Seconds from exec to the first greeting, of a program that has run before."""
        self.stop()
        start = time.monotonic()
        self.spawn()
        return banner_wait(self.port, start)


class TmailProgram(Program):
    """The modules of the sample configuration; delivery held or along one route."""

    name = "tmail"

    def __init__(self, bench, setting):
        super().__init__(bench, setting)
        self.port, env = free_port(), {}
        role = 'role = "submission"; auth_clear = true' if setting.login else 'role = "mx"'
        self.server = Tmail(
            bench.build, modules=sample_modules(bench.build, setting.users),
            settings=(
                'log = { target = "file"; file = "log/tmail.log"; };\n'
                "smtp = { reverse_lookup = 0; };\n"
                f"queue = {{ deliver = {'false' if setting.mode == 'hold' else 'true'}; "
                f"{setting.queue} }};\n" + (TLS if setting.tls else "")),
            listen=f'( {{ address = "127.0.0.1"; port = {self.port}; {role}; tls = '
                   f'"{"starttls" if setting.tls else "off"}"; }} )',
            folder=tempfile.mkdtemp(prefix="tmail-bench-", dir=bench.folder))
        os.makedirs(self.server.folder + "/log")
        if setting.tls:
            for name, pem in zip(("certificate", "key"), bench.certificate):
                self.server.write(pem, name + ".pem")
        if setting.slow_flush:
            self.flushes = Counted(self.server.folder + "/flushes")
            env = {"LD_PRELOAD": bench.tools.slowsync, "SLOWSYNC_COUNT": self.flushes.path}
        self.env = dict(os.environ, **env)

    def spawn(self):
        self.server.process = subprocess.Popen(
            [self.server.program, "-c", self.server.conf, "serve"], env=self.env,
            cwd=self.server.folder, stdin=subprocess.DEVNULL,
            stdout=open(self.server.folder + "/output", "ab"), stderr=subprocess.STDOUT)

    def start(self):
        start = time.monotonic()
        self.spawn()
        banner_wait(self.port, start)
        if self.setting.login:
            self.bench.accounts.add_to(self.server)
        else:
            self.server.command("relayip", "add", "127.0.0.1")
        if self.setting.mode == "relay":
            self.server.command("routes", "add", "-d", "dest.test", "-rh", "127.0.0.1", "-rp",
                                str(self.setting.next_hop))

    def stop(self):
        if self.server.process:
            self.server.process.send_signal(signal.SIGTERM)
            self.server.process.wait(60)
            self.server.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.server.folder, ignore_errors=True)

    def processes(self):
        return family(self.server.process.pid)

    def queued(self):
        return int(self.server.command("queue", "count"))

    def queued_after_restart(self):
        self.start_timed()
        return self.queued()


class ReferenceProgram(Program):
    """reference.c: the least that answers after a flush. No mail server."""

    name = "reference"

    def start(self):
        self.folder = tempfile.mkdtemp(prefix="reference-bench-", dir=self.bench.folder)
        env = {}
        if self.setting.slow_flush:
            self.flushes = Counted(self.folder + "/flushes")
            env = {"LD_PRELOAD": self.bench.tools.slowsync, "SLOWSYNC_COUNT": self.flushes.path}
        self.process = subprocess.Popen(
            [self.bench.tools.reference, "-d", self.folder], env=dict(os.environ, **env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self):
        return [self.process.pid]


class UnpackedProgram(Program):
    """One of Debian's, in a root folder of its own."""

    helper = None  # another server that it asks

    def __init__(self, bench, setting):
        super().__init__(bench, setting)
        self.server = self.made()
        self.port = self.server.port
        if setting.slow_flush:  # all processes of that root, whatever environment they get
            shutil.copy(bench.tools.slowsync, self.server.root + "/slowsync.so")
            self.server.write("/etc/ld.so.preload", "/slowsync.so\n")
            self.flushes = Counted(self.server.root + "/slowsync.count")

    def start(self):
        if self.helper:
            self.helper.start()
        self.server.start()

    def stop(self):
        self.server.stop()
        wait_for(lambda: not inside(self.server.root), what=f"the end of {self.name}")

    def close(self):
        self.server.close()
        if self.helper:
            self.helper.close()

    def processes(self):
        return inside(self.server.root) + (inside(self.helper.root) if self.helper else [])

    def queued(self):
        return self.server.queued()


class PostfixProgram(UnpackedProgram):
    """Stock settings; but no in_flow_delay, and a process for each connection. Logins are Dovecot's to
    judge, with the same accounts, and hashes of the same cost."""

    name, pace = "postfix", 0.1

    def made(self):
        settings = ""
        if self.setting.login:
            self.helper = Dovecot(self.bench.cache, self.bench.accounts.stored)
            settings = POSTFIX_LOGIN.format(port=self.helper.port)
        server = Postfix(self.bench.cache, mode=self.setting.mode,
                         next_hop=("127.0.0.1", self.setting.next_hop or 25),
                         processes=max(100, self.setting.connections + 50),
                         settings=settings + (POSTFIX_TLS if self.setting.tls else ""))
        if self.setting.tls:
            for name, pem in zip(("certificate", "key"), self.bench.certificate):
                server.write(f"/etc/postfix/{name}.pem", pem, 0o600)
        return server

    def spawn(self):
        self.server.spawn("/usr/lib/postfix/sbin/master", "-c", "/etc/postfix")


class EximProgram(UnpackedProgram):
    """Stock settings; but no limit to connections and to messages of one."""

    name, pace = "exim", 0.06

    def made(self):
        return Exim(self.bench.cache, mode=self.setting.mode,
                    next_hop=("127.0.0.1", self.setting.next_hop or 25),
                    certificate=self.bench.certificate if self.setting.tls else None)

    def spawn(self):
        self.server.spawn("/usr/sbin/exim4", "-bdf", *self.server.interval)


class OpenSmtpdProgram(UnpackedProgram):
    """Stock settings; but no limit to messages of a connection. It does not flush: its 250 is no
    promise that the others' is."""

    name, pace = "opensmtpd", 0.1

    def made(self):
        return OpenSmtpd(self.bench.cache, mode=self.setting.mode,
                         next_hop=("127.0.0.1", self.setting.next_hop or 25))

    def spawn(self):
        self.server.spawn("/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf")


class HarakaProgram(Program):
    """Stock settings; but a process for each processor, and no plugin but one that permits relaying
    and says the next host. Its outbound queue flushes a file a message."""

    name, pace = "haraka", 0.05

    def __init__(self, bench, setting):
        super().__init__(bench, setting)
        self.server = Haraka(bench.cache, mode=setting.mode,
                             next_hop=("127.0.0.1", setting.next_hop or 25),
                             certificate=bench.certificate if setting.tls else None)
        self.port = self.server.port
        self.start, self.spawn = self.server.start, self.server.spawn
        self.stop, self.close = self.server.stop, self.server.close
        self.queued = self.server.queued
        if setting.slow_flush:
            self.flushes = Counted(self.server.root + "/flushes")
            self.server.env = {"LD_PRELOAD": bench.tools.slowsync,
                               "SLOWSYNC_COUNT": self.flushes.path}

    def processes(self):
        return family(self.server.process.pid)


PROGRAMS = {p.name: p for p in (TmailProgram, ReferenceProgram, PostfixProgram, EximProgram,
                                OpenSmtpdProgram, HarakaProgram)}

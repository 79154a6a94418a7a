# SPDX-License-Identifier: MIT
"""A real name server for a test: nsd with zones as text, on a port of the loopback; some of them
signed, by keys in the trust anchor of its setting."""
import os
import shutil
import socket
import struct
import subprocess
import tempfile

from unpacked import Missing, free_port, wait_for

CONFIGURATION = """server:
  ip-address: 127.0.0.1@{port}
  port: {port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  xfrdir: "{folder}"
  database: ""
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""

HEAD = """$ORIGIN {name}.
$TTL 60
@ SOA ns. hostmaster. 1 3600 600 86400 60
@ NS ns.
"""


def program(name="nsd"):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise Missing(f"{name} is not installed")
    return path


class Nsd:
    """with Nsd({"example.test": "@ MX 10 mx\\nmx A 127.0.0.2"}) as dns: dns.setting.
    A zone of None has lost its file: what is asked of it is SERVFAIL. Of those in `signed` the
    records that `forged` has, {"192.0.2.1": "192.0.2.2"}, are changed when they are signed."""

    def __init__(self, zones, signed=(), forged=None):
        self.program, self.process = program(), None
        self.folder = tempfile.mkdtemp(prefix="tmail-nsd-")
        self.port, self.names = None, list(zones)
        self.name = self.names[0]
        for name, text in zones.items():
            if text is None:
                continue
            with open(f"{self.folder}/{name}.zone", "w", encoding="utf-8") as zone:
                zone.write(HEAD.format(name=name) + text + "\n")
        self.anchor = self.folder + "/anchor" if signed else None
        for name in signed:
            self.sign(name, forged or {})

    def sign(self, name, forged):
        """By one key, and in place."""
        def run(*words):
            return subprocess.run([program(words[0]), *words[1:]], cwd=self.folder, check=True,
                                  text=True, capture_output=True).stdout.strip()

        key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", name)
        run("ldns-signzone", "-n", "-o", name, "-f", name + ".signed", name + ".zone", key)
        with open(f"{self.folder}/{key}.key", encoding="ascii") as public, \
                open(self.anchor, "a", encoding="ascii") as anchor:
            anchor.write(public.read())
        with open(f"{self.folder}/{name}.signed", encoding="utf-8") as file:
            zone = file.read()
        for true, false in forged.items():
            assert true in zone, f"{true} is not in {name}"
            zone = zone.replace(true, false)
        with open(f"{self.folder}/{name}.zone", "w", encoding="utf-8") as file:
            file.write(zone)

    def start(self):
        """On a port that the kernel just gave: of UDP, and TCP's may be somebody's; then another."""
        self.port = free_port(kind=socket.SOCK_DGRAM)
        with open(self.folder + "/nsd.conf", "w", encoding="utf-8") as conf:
            conf.write(CONFIGURATION.format(port=self.port, folder=self.folder))
            for name in self.names:
                conf.write(f"zone:\n  name: {name}\n  zonefile: {name}.zone\n")
        with open(self.folder + "/output", "wb") as output:
            self.process = subprocess.Popen(
                [self.program, "-d", "-c", self.folder + "/nsd.conf"], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def setting(self):
        """For tmail.conf."""
        anchor = f'trust_anchor = "{self.anchor}"; ' if self.anchor else ""
        return f'dns = {{ servers = [ "127.0.0.1@{self.port}" ]; {anchor}timeout = "5s"; }};\n'

    def answers(self):
        """Whether it answers for its first zone."""
        if self.process.poll() is not None:
            with open(self.folder + "/output", encoding="utf-8") as f:
                said = f.read()
            if "Address already in use" not in said:
                raise AssertionError("nsd ended:\n" + said)
            self.start()
            return False
        labels = b"".join(bytes([len(p)]) + p.encode() for p in self.name.split("."))
        question = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 6, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.1)
            try:
                s.connect(("127.0.0.1", self.port))
                s.send(question)
                answer = s.recv(512)
            except OSError:
                return False
        return answer[3] & 15 == 0 and answer[7] > 0

    def __enter__(self):
        self.start()
        try:
            wait_for(self.answers, 30, "nsd's answer")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

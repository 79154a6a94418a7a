# SPDX-License-Identifier: MIT
"""What a program costs, as the kernel tells it: processor time and memory of all its processes;
and what a measurement needs: tools that are built, a disk that is quiet, a load, idle clients."""
import json
import os
import select
import socket
import ssl
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")
STORM = 100  # discards in the fifth of a second


class Tools:
    """The C programs of this folder, compiled below the build folder when they are older."""

    def __init__(self, build):
        self.folder = os.path.join(os.path.abspath(build), "bench")
        os.makedirs(self.folder, exist_ok=True)
        self.load = self.made("load", "load.c talk.c wire.c talk.h wire.h", "-lssl", "-lcrypto")
        self.reference = self.made("reference", "reference.c", "-lpthread")
        self.sink = self.made("sink", "sink.c")
        self.slowsync = self.made("slowsync.so", "slowsync.c", "-shared", "-fPIC", "-ldl")

    def made(self, name, sources, *flags):
        paths, made = [os.path.join(HERE, s) for s in sources.split()], f"{self.folder}/{name}"
        if not os.path.exists(made) or os.path.getmtime(made) < max(map(os.path.getmtime, paths)):
            subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", made,
                            *(p for p in paths if p.endswith(".c")), *flags], check=True)
        return made

    def send(self, port, connections, messages, per_connection=1000000, size=4096, seconds=120,
             recipient="user@dest.test", tls=None, logins=None, hello=False):
        """What load.c says of it. tls: "starttls", "implicit"; logins: a file of them; hello: no
        messages, only sessions up to EHLO."""
        run = subprocess.run(
            [self.load, "-c", str(connections), "-n", str(messages), "-m", str(per_connection),
             "-s", str(size), "-t", str(seconds), "-r", recipient, *(["-T", tls] if tls else []),
             *(["-a", logins] if logins else []), *(["-e"] if hello else []), str(port)],
            check=True, capture_output=True)
        result = json.loads(run.stdout)
        result["not_done"] = max(0, messages - result["accepted"] - result["refused"])
        return result


def json_line(stream, seconds):
    """What a tool says when it is done."""
    if not select.select([stream], [], [], seconds)[0]:
        raise AssertionError(f"not done in {seconds} s")
    return json.loads(stream.readline())


def processes():
    """{number: number of its parent}"""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                parents[int(name)] = int(f.read().rsplit(b")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
    return parents


def family(number):
    """A process and all that come from it."""
    parents, found = processes(), [number]
    for one in found:
        found.extend(child for child, parent in parents.items() if parent == one)
    return found


def inside(root):
    """The processes whose root folder it is, or is in it: also those that lost their parents."""
    found = []
    for name in processes():
        try:
            if (os.readlink(f"/proc/{name}/root") + "/").startswith(root + "/"):
                found.append(name)
        except OSError:
            pass  # it has ended
    return found


def cpu_seconds(numbers):
    """Of these processes and of all their children that have ended."""
    ticks = 0
    for number in numbers:
        try:
            with open(f"/proc/{number}/stat", "rb") as f:
                ticks += sum(map(int, f.read().rsplit(b")", 1)[1].split()[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return ticks / TICKS


def memory_kb(numbers):
    """(private dirty, proportional share) of all, together."""
    sums = {b"Private_Dirty:": 0, b"Pss:": 0}
    for number in numbers:
        try:
            with open(f"/proc/{number}/smaps_rollup", "rb") as f:
                for words in map(bytes.split, f):
                    if words[0] in sums:
                        sums[words[0]] += int(words[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return sums[b"Private_Dirty:"], sums[b"Pss:"]


def descriptors(numbers):
    return sum(len(os.listdir(f"/proc/{number}/fd")) for number in numbers)


def disk_discards():
    with open("/proc/diskstats", "rb") as f:
        lines = [line.split() for line in f]
    return sum(int(words[14]) for words in lines if len(words) > 14)


def disk_quiet(seconds=4):
    """Wiped files cost a disk that discards seconds more; nobody shall be measured then."""
    os.sync()
    end, before = time.monotonic() + seconds, disk_discards()
    while time.monotonic() < end:
        time.sleep(0.2)
        now = disk_discards()
        if now - before < STORM:
            return
        before = now


class IdleClients:
    """Connections that have read their greeting, said EHLO, with TLS also through it, and then say
    nothing."""

    def __init__(self, port, count, tls=False):
        self.sockets = []
        for start in range(0, count, 200):
            group = [socket.create_connection(("127.0.0.1", port), 60)
                     for _ in range(min(200, count - start))]
            self.sockets += group
            for s in group:
                self.read(s, b"220 ")
            self.hello(group)
            if tls:
                self.sockets[start:] = group = [self.secured(s) for s in group]
                self.hello(group)

    def hello(self, group):
        for s in group:
            s.sendall(b"EHLO idle.test\r\n")
        for s in group:
            self.read(s, b"250 ")

    def secured(self, s):
        s.sendall(b"STARTTLS\r\n")
        self.read(s, b"220 ")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(s)

    @staticmethod
    def read(s, last):
        octets = b""
        while not (octets.endswith(b"\n") and last in octets):
            more = s.recv(4096)
            if not more:
                raise ConnectionError(f"closed after {octets!r}")
            octets += more

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            s.close()


def banner_wait(port, start, seconds=30):
    """Seconds from `start` until somebody at the port has said 220."""
    while time.monotonic() < start + seconds:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                if s.recv(4) == b"220 ":
                    return time.monotonic() - start
        except OSError:
            time.sleep(0.0005)
    raise AssertionError(f"no greeting on port {port}")

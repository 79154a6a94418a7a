#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The k-th call fails: is anything lost, or a message kept that was refused?

    tests/crash/sweep.py BUILD [--points 40 | --all] [--seed N]

One run counts the calls of every kind (open, write, flush, ...) that a server makes on its files
and sockets while it takes and delivers messages; then servers are run in which one of these calls
fails, or all of its kind from there on, with errors that kind of call has. Whatever fails: the server
goes on, every message answered 250 arrives whole, none that was refused does, and when the fault is
gone messages are taken again without a restart. Faults at the start: it may refuse to start, with a
word about it. Ends with one line of JSON and "N passed, N failed", a fault being a test."""
import argparse
import collections
import errno
import json
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from load import ACKED, Load  # noqa: E402
from power import SMALL, judge  # noqa: E402
from sink import Sink  # noqa: E402
from tmail import Session, Tmail, wait_for  # noqa: E402

# The order is fault.c's.
KINDS = {"open": (errno.ENOSPC, errno.EMFILE), "write": (errno.ENOSPC, errno.EIO),
         "flush": (errno.EIO, errno.ENOSPC), "allocate": (errno.ENOSPC,),
         "truncate": (errno.EIO,), "rename": (errno.EIO,), "unlink": (errno.EIO,),
         "mkdir": (errno.ENOSPC,), "accept": (errno.EMFILE, errno.ENFILE),
         "socket": (errno.EMFILE,)}
NAMES = list(KINDS)
HEAD, COUNTS = struct.Struct("=IIIIQQ"), struct.Struct("=10Q")
SETTINGS = """
queue = { retry_min = "1s"; retry_max = "1s"; host_rest = "1s"; };
"""
Point = collections.namedtuple("Point", "starting kind at error stays")


class Plan:
    """What is to fail, in a file that the server has mapped."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "plan")
        with open(self.path, "wb") as f:
            f.write(bytes(HEAD.size + COUNTS.size))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def arm(self, point=None):
        self.map[:] = bytes(len(self.map))
        kind, at, error, stays = (NAMES.index(point.kind), point.at, point.error, point.stays) \
            if point else (0, 0, 0, 0)
        HEAD.pack_into(self.map, 0, 0, kind, error, stays, at, 0)
        struct.pack_into("=I", self.map, 0, 1)

    def disarm(self):
        struct.pack_into("=I", self.map, 0, 0)

    @property
    def struck(self):
        return HEAD.unpack_from(self.map, 0)[5]

    def calls(self):
        return dict(zip(NAMES, COUNTS.unpack_from(self.map, HEAD.size)))


def library(folder):
    path = os.path.join(folder, "fault.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fault.c")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path, source, "-ldl"],
                   check=True)
    return path


class World:
    """A folder with a store, and what was sent into it."""

    def __init__(self, build, sink, preload):
        self.folder = tempfile.mkdtemp(prefix="tmail-sweep-")
        self.build, self.sink, self.plan = build, sink, Plan(self.folder)
        self.env = {"LD_PRELOAD": preload, "FAULT_PLAN": self.plan.path,
                    "FAULT_FOLDER": os.path.join(self.folder, "live")}
        self.loads = []

    def server(self, faulty):
        folder = os.path.join(self.folder, "live")
        os.makedirs(folder, exist_ok=True)
        return Tmail(self.build, SETTINGS, SMALL, folder=folder, env=self.env if faulty else None)

    def send(self, server, name, count, sizes=(200, 3000, 90000)):
        load = Load(lambda: server.port, [f"{name}{i:03}" for i in range(count)], threads=3,
                    sizes=sizes)
        self.loads.append(load)
        return load.start().join()

    def first(self):
        """A store with something in it: a server that never heard of faults made it."""
        with self.server(False) as server:
            server.command("rcpthost", "add", "dest.test")
            server.command("routes", "add", "-rh", "127.0.0.1", "-rp", str(self.sink.port))
            self.send(server, "before", 6)

    def settle(self):
        """Without faults: everything goes out. Answers what is wrong with what arrived."""
        with self.server(False) as server:
            server.command("queue", "flush")
            wait_for(lambda: server.queued() == 0, what="an empty queue")
        wrong = []
        for load in self.loads:
            mine = [m for m in self.sink.messages if any(
                mark.encode() in m.content for mark in load.size)]
            lost, phantom, damaged, dup = judge(mine, load, load.acked())
            if lost or phantom or damaged:
                wrong.append(f"lost {sorted(lost)}, refused but arrived {sorted(phantom)}, "
                             f"damaged {damaged}")
        return wrong

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def serving(world, point):
    """A fault while messages come and go. Answers what is wrong."""
    with world.server(True) as server:
        pid = server.status()["pid"]
        world.plan.arm(point)
        world.send(server, "during", 12)
        world.plan.disarm()
        wait_for(lambda: takes(server), what="a server that takes messages again")
        if server.status()["pid"] != pid:
            return ["the server died: " + "\n".join(server.lines.lines[-20:])]
        status = server.stop()
        return [f"stopped with {status}"] if status else []


def takes(server):
    try:
        session = Session(server.port)
        code, _ = session.message("a@source.test", ["ok@dest.test"], b"Subject: again\r\n\r\nx\r\n")
        session.close()
        return code == 250
    except (OSError, AssertionError):
        return False


def starting(world, point):
    """A fault on the way up. Answers what is wrong."""
    server = world.server(True)
    world.plan.arm(point)
    server.start(wait=False)
    with server.lines.change:
        server.lines.change.wait_for(lambda: server.lines.ended or any(
            " serving" in line for line in server.lines.lines), 60)
    up = not server.lines.ended
    world.plan.disarm()
    status = server.stop()
    if status < 0 or any("signal" in line for line in server.lines.lines[:-1]):
        return [f"died: {status}: " + "\n".join(server.lines.lines[-10:])]
    told = ("cannot", os.strerror(point.error))  # SQLite has words of its own
    if not up and not any(word in line for line in server.lines.lines for word in told):
        return ["did not start, and did not say why: " + "\n".join(server.lines.lines[-10:])]
    return []


def count(build, sink, preload):
    """Calls of each kind: (while starting, while serving)."""
    world = World(build, sink, preload)
    try:
        world.first()
        server = world.server(True)
        world.plan.arm()
        server.start()
        at_start = world.plan.calls()
        world.plan.arm()
        world.send(server, "during", 12)
        wait_for(lambda: server.queued() == 0, what="an empty queue")
        server.stop()
        return at_start, world.plan.calls()
    finally:
        world.remove()


def points(calls, chance, wanted):
    """Every call once, or `wanted` of them: of every kind some, the first and last among them."""
    every = []
    for is_start, counts in zip((True, False), calls):
        for kind, n in counts.items():
            if is_start and kind in ("accept", "socket"):
                continue
            every += [Point(is_start, kind, at, error, stays) for at in range(1, n + 1)
                      for error in KINDS[kind] for stays in (0, 1)]
    if not wanted:
        return every
    groups = collections.defaultdict(list)
    for point in every:
        groups[point.starting, point.kind].append(point)
    chosen = []
    while len(chosen) < wanted and any(groups.values()):
        for group in groups.values():
            if group and len(chosen) < wanted:
                chosen.append(group.pop(chance.randrange(len(group))))
    return chosen


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--points", type=int, default=40)
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    a = ap.parse_args()
    failed = struck = refused = acked = 0
    work = tempfile.mkdtemp(prefix="tmail-sweep-")
    try:
        preload = library(work)
        with Sink() as sink:
            chosen = points(count(a.build, sink, preload), random.Random(a.seed),
                            0 if a.all else a.points)
            for point in chosen:
                sink.messages.clear()
                world = World(a.build, sink, preload)
                try:
                    world.first()
                    wrong = (starting if point.starting else serving)(world, point)
                    struck += world.plan.struck > 0
                    wrong += world.settle()
                    acked += sum(len(load.acked()) for load in world.loads)
                    refused += sum(fate != ACKED for load in world.loads
                                   for fate in load.fate.values())
                except Exception as trouble:
                    wrong = [f"{type(trouble).__name__}: {trouble}"]
                finally:
                    world.remove()
                failed += bool(wrong)
                for line in wrong:
                    print(f"FAIL {'starting' if point.starting else 'serving'}: {point.kind} "
                          f"{point.at} {errno.errorcode[point.error]}"
                          f"{' and on' if point.stays else ''}: {line}", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(json.dumps({"seed": a.seed, "points": len(chosen), "struck": struck, "acked": acked,
                      "refused": refused}))
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not struck else 0


if __name__ == "__main__":
    sys.exit(main())

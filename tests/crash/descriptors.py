#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No descriptors left: the limit of the running server is set to what it has open and a few, while
more clients come than that, and messages are to be sent.

    tests/crash/descriptors.py BUILD [--cycles 5]

Whoever connects is greeted, told 421, or waits until there are descriptors again; the server goes on,
and does not turn in circles meanwhile: its processor time is printed. Given more it serves everybody
without a restart. Ends with one line of JSON and "N passed, N failed"."""
import argparse
import os
import resource
import select
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from measure import cpu_seconds  # noqa: E402
from scene import QUICK, Scene  # noqa: E402
from tmail import wait_for  # noqa: E402

CROWD, FEW = 60, 12
MANY = "smtp = { reverse_lookup = 0; };\n"


class Idle:
    """Clients that connect and then only look what they are told."""

    def __init__(self, port):
        self.sockets = []
        for _ in range(CROWD):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            self.sockets.append(s)

    def greeted(self):
        """How many have been told anything, be it goodbye."""
        return len(select.select(self.sockets, [], [], 0)[0])

    def close(self):
        for s in self.sockets:
            s.close()


def cycle(scene, load, pid, limit):
    """Seconds of processor a second while there were none left."""
    used = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + FEW, limit))
    crowd = Idle(scene.server.port)
    try:
        wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= used + FEW or
                 crowd.greeted() == CROWD, what="a server without descriptors")
        before, start = cpu_seconds([pid]), time.monotonic()
        scene.stop.wait(1)  # what is measured is a second of it
        spent = (cpu_seconds([pid]) - before) / (time.monotonic() - start)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
        wait_for(lambda: crowd.greeted() == CROWD, what="an answer to everybody who waited")
    finally:
        crowd.close()
    taken = load.codes[250]
    wait_for(lambda: load.codes[250] > taken + 20, what="messages that are taken again")
    return spent


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--cycles", type=int, default=5)
    a = ap.parse_args()
    with Scene(a.build, QUICK + MANY) as scene:
        pid = int(scene.server.status()["pid"])
        limit, load = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1], scene.load("d", threads=4)
        spent = [cycle(scene, load, pid, limit) for _ in range(a.cycles)]
        scene.stop.set()
        load.join()
        scene.drained()
        scene.says(int(scene.server.status()["pid"]) == pid, "the server died")
        scene.says(not set(load.codes) - {250, 421, 450, 451, 452}, f"answers were {load.words}")
    return scene.account(cycles=a.cycles, codes=dict(load.codes), busy=round(max(spent), 2))


if __name__ == "__main__":
    sys.exit(main())

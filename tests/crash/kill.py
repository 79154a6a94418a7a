#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 at random moments under load, with accounting: every message answered 250 arrives,
whole, at least once; none that was refused arrives; duplicates are counted, and each must have a
kill between its two arrivals: they come only from an outcome that was not yet written.

    tests/crash/kill.py BUILD [--kills 20] [--seed N]

Kills the server, the parent, or both. Ends with one line of JSON and "N passed, N failed"."""
import argparse
import os
import random
import select
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from measure import family as family_of  # noqa: E402
from scene import Scene  # noqa: E402
from unpacked import free_port  # noqa: E402


def wait_gone(pid):
    """Until the process is no more; it is not ours to wait for, so a descriptor tells."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([descriptor], [], [], 60)
    os.close(descriptor)


def kill_once(server, chance):
    """One kill, and a server that serves again. When it was killed, and when it served."""
    target = chance.choice(("server", "parent", "both"))
    child, family = int(server.status()["pid"]), family_of(server.process.pid)
    mark, start = len(server.lines.lines), time.monotonic()
    if target != "parent":
        os.kill(child, signal.SIGKILL)
    if target == "server":
        server.lines.wait(r"\bserving\b", start=mark)
        return start, time.monotonic()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    for number in family[1:]:
        wait_gone(number)  # a server whose parent is gone ends by itself
    server.start()
    return start, time.monotonic()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--kills", type=int, default=20)
    ap.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    a = ap.parse_args()
    chance = random.Random(a.seed)
    # A port that stays the same over restarts.
    with Scene(a.build, listen='( { address = "127.0.0.1"; port = %d; } )' % free_port()) as scene:
        load = scene.load("k")
        for _ in range(a.kills):
            scene.stop.wait(chance.uniform(0.05, 0.5))  # the load goes on: this is the moment, not a wait
            scene.kills.append(kill_once(scene.server, chance))
        scene.stop.set()
        load.join()
        scene.drained()
    waits = sorted(served - killed for killed, served in scene.kills)
    return scene.account(seed=a.seed, kills=a.kills,
                         restart_p50_ms=round(waits[len(waits) // 2] * 1e3),
                         restart_max_ms=round(waits[-1] * 1e3))


if __name__ == "__main__":
    sys.exit(main())

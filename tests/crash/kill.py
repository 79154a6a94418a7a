#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 at random moments under load, with accounting: every message answered 250 arrives,
whole, at least once; none that was refused arrives; duplicates are counted.

    tests/crash/kill.py BUILD [--kills 20] [--seed N]

Kills the server, the parent, or both. Ends with one line of JSON and "N passed, N failed"."""
import argparse
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from load import Load  # noqa: E402
from power import SMALL, judge  # noqa: E402
from sink import Sink  # noqa: E402
from tmail import Tmail  # noqa: E402


def endless():
    number = 0
    while True:
        number += 1
        yield f"k{number:07}"


def wait_gone(pid):
    """Until the process is no more; it is not ours to wait for, so a descriptor tells."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select
    select.select([descriptor], [], [], 60)
    os.close(descriptor)


def kill_once(server, chance):
    """One kill, and a server that serves again. Seconds until it does."""
    target = chance.choice(("server", "parent", "both"))
    child = int(server.status()["pid"])
    mark, start = len(server.lines.lines), time.monotonic()
    if target != "parent":
        os.kill(child, signal.SIGKILL)
    if target == "server":
        server.lines.wait(r"\bserving\b", start=mark)
        return target, time.monotonic() - start
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    wait_gone(child)  # a server whose parent is gone ends by itself
    server.start()
    return target, time.monotonic() - start


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--kills", type=int, default=20)
    ap.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    a = ap.parse_args()
    chance, stop, waits = random.Random(a.seed), threading.Event(), []
    with Sink() as sink:
        server = Tmail(a.build, "queue = { retry_min = \"1s\"; retry_max = \"1s\"; host_rest = \"1s\"; };",
                       SMALL, listen='( { address = "127.0.0.1"; port = %d; } )' % free_port())
        with server:
            server.command("rcpthost", "add", "dest.test")
            server.command("routes", "add", "-rh", "127.0.0.1", "-rp", str(sink.port))
            load = Load(lambda: server.port, endless(), stop=stop).start()
            for _ in range(a.kills):
                stop.wait(chance.uniform(0.05, 0.5))  # the load goes on: this is the moment, not a wait
                waits.append(kill_once(server, chance)[1])
            stop.set()
            load.join()
            server.command("queue", "flush")
            while server.queued():
                with sink.change:
                    sink.change.wait(0.05)
        lost, phantom, damaged, dup = judge(sink.messages, load, load.acked())
    waits.sort()
    print(json.dumps({"seed": a.seed, "kills": a.kills, "acked": len(load.acked()),
                      "lost": len(lost), "phantom": len(phantom), "damaged": damaged, "dup": dup,
                      "restart_p50_ms": round(waits[len(waits) // 2] * 1e3),
                      "restart_max_ms": round(waits[-1] * 1e3)}))
    bad = bool(lost or phantom or damaged or not load.acked())
    print(f"{int(not bad)} passed, {int(bad)} failed")
    return bad


def free_port():
    """A port that stays the same over restarts: bound once, and given up at once."""
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Name servers that do not answer: everything that is sent by MX waits, nothing bounces, and clients
are served as if nothing were the matter.

    tests/crash/silence.py BUILD [--messages 300] [--domains 30]

A name server of the test's own is stopped in the middle of the traffic and goes on later; clients'
names are asked for as well. Ends with one line of JSON and "N passed, N failed". Needs root, for a
network of its own."""
import argparse
import json
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "internet")]
import netns  # noqa: E402
from load import Load  # noqa: E402
from power import judge  # noqa: E402
from tmail import wait_for  # noqa: E402
from world import World  # noqa: E402

HOST = "192.0.2.1"
QUEUE = 'host_rest = 0; retry_min = "1s"; retry_max = "1s";'


def send(world, letter, count, domains):
    """Seconds it took, and what was sent."""
    loads, start = [], time.monotonic()
    for number in range(domains):
        marks = [f"{letter}{number:03}x{n:03}" for n in range(count // domains)]
        load = Load(lambda: world.server.port, marks, threads=1,
                    recipient=f"ok@d{number}{letter}.test", sizes=(200, 3000))
        loads.append(load.start())
    for load in loads:
        load.join()
    return time.monotonic() - start, loads


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--messages", type=int, default=300)
    ap.add_argument("--domains", type=int, default=30)
    a = ap.parse_args()
    reason = netns.refusal()
    if reason:
        print(f"skip tests/crash/silence: {reason}\n0 passed, 0 failed, 1 skipped")
        return 0
    netns.enter()
    zone = "".join(f"d{n}{letter} MX 10 mx.here\n" for n in range(a.domains) for letter in "ab")
    with World(os.path.abspath(a.build), {"test": zone + f"mx.here A {HOST}\n"}, QUEUE,
               smtp='reverse_lookup = "1s";') as world:
        sink = world.sink(HOST)
        answering, before = send(world, "a", a.messages, a.domains)
        wait_for(lambda: world.server.queued() == 0, what="an empty queue")
        os.killpg(world.dns.process.pid, signal.SIGSTOP)
        try:
            silent, during = send(world, "b", a.messages, a.domains)
            asked = a.messages // a.domains * a.domains
            wait_for(lambda: int(world.server.status()["counter.deferrals"]) >= asked,
                     what="a deferral of each")
            waiting = world.server.queued()
        finally:
            os.killpg(world.dns.process.pid, signal.SIGCONT)
        wait_for(lambda: world.server.queued() == 0, what="an empty queue")
        bounces = len(world.back.messages)
        wrong, acked = [], 0
        for load in before + during:
            mine = [m for m in sink.messages if m.recipients[0] == load.recipient]
            lost, phantom, damaged, dup = judge(mine, load, load.acked())
            acked += len(load.acked())
            if lost or phantom or damaged or dup or len(load.acked()) != len(load.size):
                wrong.append(f"{load.recipient}: lost {lost}, refused but arrived {phantom}, "
                             f"damaged {damaged}, twice {dup}, answers {dict(load.codes)}")
    if bounces or waiting != asked:
        wrong.append(f"{bounces} bounced, {waiting} of {asked} waited")
    print(json.dumps({"acked": acked, "waited": waiting, "bounced": bounces,
                      "seconds_answering": round(answering, 2), "seconds_silent": round(silent, 2)}))
    for line in wrong:
        print("FAIL " + line)
    print(f"{int(not wrong)} passed, {int(bool(wrong))} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

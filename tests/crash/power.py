#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Power cuts: is every acknowledged message still there, whole, after one at any moment?

    tests/crash/power.py BUILD [--messages 300] [--images 40] [--fail 0] [--seed N]

A server takes messages while every change of its queue is recorded; then the disk is rebuilt as
it could be after a cut at random moments (nothing, all, some, or torn parts of what was not yet
flushed, in any order), tmail recovers on it, and delivers what it finds to a sink. With --fail k
every k-th flush fails: what was in it is lost or not, nothing may be written to that file again, and
what was refused for it must not come back; but for a cut before the next file's header is durable,
which docs/journal.md allows and which is counted. Ends with one line of JSON and "N passed, N failed",
an image being a test."""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from disk import MODES, Disk  # noqa: E402
from load import REFUSED, Load, content_of, mark_of  # noqa: E402
from sink import Sink  # noqa: E402
from tmail import MODULES, Tmail  # noqa: E402

SMALL = MODULES.replace('"store/journal";', '"store/journal"; segment_size = "1M";')


def recorder(folder):
    """The library, compiled: it needs nothing but a C compiler."""
    library = os.path.join(folder, "record.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "record.c")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                   check=True)
    return library


def fill(build, work, count, sink, fail):
    """Messages through a recorded server. Answers marks -> position in the log at their reply."""
    log, store = os.path.join(work, "log"), os.path.join(work, "live", "store")
    os.makedirs(os.path.join(work, "live"))
    env = {"LD_PRELOAD": recorder(work), "RECORD_FOLDER": store, "RECORD_LOG": log}
    server = Tmail(build, 'queue = { deliver = false; };', SMALL, folder=os.path.join(work, "live"),
                   env=env)
    answered = {}
    with server:
        server.command("rcpthost", "add", "dest.test")
        server.command("routes", "add", "-rh", "127.0.0.1", "-rp", str(sink.port))
    if fail:
        server.env["RECORD_FAIL"] = str(fail)
    with server:
        first = os.path.getsize(log)

        def after(mark):
            answered[mark] = os.path.getsize(log)
        load = Load(lambda: server.port, [f"m{i:05}" for i in range(count)], after=after)
        start = time.monotonic()
        load.start().join()
        seconds = time.monotonic() - start
        last = os.path.getsize(log)
    return answered, load, first, last, seconds


def recover(build, work, image, sink):
    """tmail on an image: what it delivers, until its queue is empty."""
    folder = os.path.join(work, "crashed")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    shutil.copytree(os.path.join(work, "live", "db"), os.path.join(folder, "db"))
    image(os.path.join(folder, "store"))
    sink.messages.clear()
    with Tmail(build, "", SMALL, folder=folder) as server:
        while server.queued():
            with sink.change:
                sink.change.wait(0.05)
        return list(sink.messages)


def judge(messages, load, must, refused=None):
    """(lost, phantoms, damaged, duplicates) of what arrived: `must`, and none of the refused."""
    seen, damaged, duplicates = set(), 0, 0
    for message in messages:
        mark = mark_of(message.content)
        duplicates += mark in seen
        seen.add(mark)
        whole = mark in load.size and message.content.endswith(content_of(mark, load.size[mark]))
        damaged += not whole
    return must - seen, seen & (load.of(REFUSED) if refused is None else refused), damaged, duplicates


def examine(a, work, sink, chance, total):
    """All images; how many failed."""
    answered, load, first, last, seconds = fill(a.build, work, a.messages, sink, a.fail)
    acked, refused = load.acked(), load.of(REFUSED)
    store, log = os.path.join(work, "live", "store"), os.path.join(work, "log")
    cuts = sorted(chance.randrange(first, last + 1) for _ in range(a.images - 1)) + [last]
    disk, start, failed = Disk(log, chance), time.monotonic(), 0
    for number, cut in enumerate(cuts):
        mode = MODES[number % len(MODES)]
        disk.play(cut)
        then = {m for m, at in answered.items() if at <= cut}
        lost, phantom, damaged, dup = judge(
            recover(a.build, work, lambda target: disk.image(mode, store, target), sink), load,
            then & acked, then & refused)
        if disk.unsettled:
            total["unsettled"] += len(phantom)
            phantom = set()
        failed += bool(lost or phantom or damaged)
        for key, n in (("lost", len(lost)), ("phantom", len(phantom)), ("damaged", damaged),
                       ("dup", dup)):
            total[key] += n
        if lost or phantom or damaged:
            print(f"FAIL cut at {cut} ({mode}): of {len(then & acked)} lost {sorted(lost)[:5]}, "
                  f"phantom {sorted(phantom)[:5]}, damaged {damaged}", flush=True)
    if disk.trusted:
        failed += 1
        print(f"FAIL {disk.trusted} writes to files of which a flush had failed")
    total.update(acked=len(acked), refused=len(refused), sent=a.messages,
                 rate=round(len(acked) / seconds), failed_flushes=disk.failures,
                 flushes_per_msg=round(disk.flushes / max(1, len(acked)), 3),
                 recovery_s=round((time.monotonic() - start) / a.images, 2))
    return failed


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--messages", type=int, default=300)
    ap.add_argument("--images", type=int, default=40)
    ap.add_argument("--fail", type=int, default=0, help="every flush of this number fails")
    ap.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    ap.add_argument("--keep", action="store_true")
    a = ap.parse_args()
    work = tempfile.mkdtemp(prefix="tmail-power-")
    total = {"seed": a.seed, "images": a.images, "lost": 0, "phantom": 0, "damaged": 0, "dup": 0,
             "unsettled": 0}
    try:
        with Sink() as sink:
            failed = examine(a, work, sink, random.Random(a.seed), total)
    finally:
        if not a.keep:
            shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(total))
    if not total["acked"] or a.fail and not total["failed_flushes"]:
        failed += 1
        print("FAIL nothing was acknowledged, or no flush failed: this says nothing")
    print(f"{a.images - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Power cuts: is every acknowledged message still there, whole, after one at any moment?

    tests/crash/power.py BUILD [--messages 300] [--images 40] [--seed N]

A server takes messages while every change of its queue is recorded; then the disk is rebuilt as
it could be after a cut at random moments (nothing, all, some, or torn parts of what was not yet
flushed), tmail recovers on it, and delivers what it finds to a sink. Ends with one line of JSON
and "N passed, N failed", an image being a test."""
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
from load import Load, content_of, mark_of  # noqa: E402
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


def fill(build, work, count, sink):
    """Messages through a recorded server. Answers marks -> position in the log at their 250."""
    log, store = os.path.join(work, "log"), os.path.join(work, "live", "store")
    os.makedirs(os.path.join(work, "live"))
    server = Tmail(build, 'queue = { deliver = false; };', SMALL, folder=os.path.join(work, "live"),
                   env={"LD_PRELOAD": recorder(work), "RECORD_FOLDER": store, "RECORD_LOG": log})
    acked = {}
    with server:
        server.command("rcpthost", "add", "dest.test")
        server.command("routes", "add", "-rh", "127.0.0.1", "-rp", str(sink.port))
        first = os.path.getsize(log)

        def after(mark):
            acked[mark] = os.path.getsize(log)
        load = Load(lambda: server.port, [f"m{i:05}" for i in range(count)], after=after)
        start = time.monotonic()
        load.start().join()
        seconds = time.monotonic() - start
        last = os.path.getsize(log)
    return acked, load, first, last, seconds


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


def judge(messages, load, must):
    """(lost, phantoms, damaged, duplicates)"""
    seen, damaged, duplicates = set(), 0, 0
    for message in messages:
        mark = mark_of(message.content)
        duplicates += mark in seen
        seen.add(mark)
        whole = mark in load.size and message.content.endswith(content_of(mark, load.size[mark]))
        damaged += not whole
    refused = {m for m, fate in load.fate.items() if fate == "refused"}
    return must - seen, seen & refused, damaged, duplicates


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--messages", type=int, default=300)
    ap.add_argument("--images", type=int, default=40)
    ap.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    ap.add_argument("--keep", action="store_true")
    a = ap.parse_args()
    chance = random.Random(a.seed)
    work = tempfile.mkdtemp(prefix="tmail-power-")
    total = {"seed": a.seed, "images": a.images, "lost": 0, "phantom": 0, "damaged": 0, "dup": 0}
    failed = 0
    try:
        with Sink() as sink:
            acked, load, first, last, seconds = fill(a.build, work, a.messages, sink)
            store = os.path.join(work, "live", "store")
            whole = Disk(os.path.join(work, "log"))
            whole.play(last)
            cuts = sorted(chance.randrange(first, last + 1) for _ in range(a.images - 1)) + [last]
            disk, start = Disk(os.path.join(work, "log")), time.monotonic()
            for number, cut in enumerate(cuts):
                mode = MODES[number % len(MODES)]
                disk.play(cut)
                must = {m for m, at in acked.items() if at <= cut}

                def image(target):
                    disk.image(mode, chance, store, target)
                lost, phantom, damaged, dup = judge(recover(a.build, work, image, sink), load, must)
                bad = bool(lost or phantom or damaged)
                failed += bad
                for key, n in (("lost", len(lost)), ("phantom", len(phantom)),
                               ("damaged", damaged), ("dup", dup)):
                    total[key] += n
                if bad:
                    print(f"FAIL cut at {cut} ({mode}): of {len(must)} lost {sorted(lost)[:5]}, "
                          f"phantom {sorted(phantom)[:5]}, damaged {damaged}")
        total.update(acked=len(acked), sent=a.messages, rate=round(len(acked) / seconds),
                     flushes_per_msg=round(whole.flushes / max(1, len(acked)), 3),
                     recovery_s=round((time.monotonic() - start) / a.images, 2))
    finally:
        if not a.keep:
            shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(total))
    print(f"{a.images - failed} passed, {failed} failed")
    return 1 if failed or not total.get("acked") else 0


if __name__ == "__main__":
    sys.exit(main())

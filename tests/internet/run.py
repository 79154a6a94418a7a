#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/internet/run.py BUILD [NAME ...]: the program and an internet of its own: names, servers on
port 25, both address families. Each file of cases runs in a network of its own, so some run at a
time. Ends with "N passed, N failed"."""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]

import netns
from tmail import TOP

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
NO_CASES = ("run", "world", "pki", "thousand")
AT_A_TIME = 2


def run(path, build):
    """(its lines, passed, failed, skipped)"""
    done = subprocess.run([sys.executable, path, build], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = SUMMARY.findall(done.stdout)
    lines = SUMMARY.sub("", done.stdout).strip()
    if not found or done.returncode and found[-1][1] == "0":
        return lines + f"\nFAIL {os.path.basename(path)} ended with {done.returncode}", 0, 1, 0
    return lines, *(int(n or 0) for n in found[-1])


def main():
    build = os.path.join(TOP, sys.argv[1])
    reason = netns.refusal()
    if reason:
        print(f"skip tests/internet: {reason}\n0 passed, 0 failed, 1 skipped")
        return 0
    names = sys.argv[2:] or sorted(
        name for path in glob.glob(HERE + "/*.py")
        for name in [os.path.basename(path)[:-3]] if name not in NO_CASES)
    sums = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for lines, *counts in pool.map(lambda n: run(f"{HERE}/{n}.py", build), names):
            print(lines, flush=True)
            sums = [a + b for a, b in zip(sums, counts)]
    print(f"{sums[0]} passed, {sums[1]} failed" + (f", {sums[2]} skipped" if sums[2] else ""))
    return 1 if sums[1] else 0


if __name__ == "__main__":
    sys.exit(main())

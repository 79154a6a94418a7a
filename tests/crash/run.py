#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every fault there is a command for, a small number of each: tests/crash/run.py BUILD

What failed is told in the end, whole; of what went well a line is enough."""
import os
import re
import subprocess
import sys

STEPS = ("power.py", "power.py --fail 25 --images 12", "kill.py", "sweep.py", "full.py --cycles 2",
         "descriptors.py --cycles 2", "silence.py", "soak.py --minutes 0.5")
HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    passed = failed = skipped = 0
    troubles = []
    for name, *options in map(str.split, STEPS):
        run = subprocess.run([sys.executable, os.path.join(HERE, name), sys.argv[1], *options],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        counts = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", run.stdout, re.M)
        good, bad, not_here = (int(n or 0) for n in counts[-1]) if counts else (0, 1, 0)
        passed, failed, skipped = passed + good, failed + bad, skipped + not_here
        title, lines = " ".join((name, *options)), run.stdout.splitlines()
        if bad or run.returncode:
            troubles.append(f"--- {title}\n{run.stdout}")
        figures = [line for line in lines if line.startswith("{")]
        skips = [line for line in lines if line.startswith("skip ")]
        print("\n".join([f"{'FAIL' if bad else 'ok  '} {title}: {good} passed, {bad} failed",
                         *("ok       " + line for line in figures), *skips]), flush=True)
    print("\n".join(troubles))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Power cuts, kills and calls that fail, a small number of each: tests/crash/run.py BUILD"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    passed = failed = 0
    for argv in ([name, sys.argv[1]] for name in ("power.py", "kill.py", "sweep.py")):
        run = subprocess.run([sys.executable, os.path.join(HERE, argv[0]), *argv[1:]], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(f"--- {argv[0]}\n{run.stdout}", flush=True)
        counts = re.findall(r"^(\d+) passed, (\d+) failed$", run.stdout, re.M)
        passed += int(counts[-1][0]) if counts else 0
        failed += int(counts[-1][1]) if counts else 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/commands/run.py BUILD [both|settings|running|queue|trace|explain]: the command line and the signals
of tmail. Ends with "N passed, N failed"."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]

import both
import explained
import queued
import running
import settings
import traced
from tmail import TOP, Cases


def main():
    build = os.path.join(TOP, sys.argv[1])
    cases = Cases()
    for name, part in (("both", both), ("settings", settings), ("running", running),
                       ("queue", queued), ("trace", traced), ("explain", explained)):
        if name in sys.argv[2:] or not sys.argv[2:]:
            part.run(cases, build)
    return cases.end()


if __name__ == "__main__":
    sys.exit(main())

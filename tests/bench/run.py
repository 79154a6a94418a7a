#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tmail's figures beside its peers', in one run: each row measures the programs in turns, so that
what else the machine does hits all of them alike, and shows medians. Each result is printed as it
comes, a table with ratios and what was wanted of them at the end. Figures depend on the machine,
ratios less; nothing passes or fails by time. What does fail is a message that was answered 250 and
is not in the queue.

  tests/bench/run.py [BUILD] [--rows accept,one,...] [--peers reference,postfix,...] [--runs 3]
                     [--json FILE] [--raw FILE]

BUILD is the folder of a finished build (optimised), by default build. Postfix, Exim and OpenSMTPD
need root and Debian's archive, Haraka npm; what cannot be had is left out, and said with its reason.
docs/performance.md tells what the rows are."""
import argparse
import functools
import json
import os
import shutil
import socket
import sys
import tempfile
import time

from accounts import Accounts, certificate_made
from measure import Tools, disk_quiet
from programs import PROGRAMS
from rows import all_rows
from tmail import Skipped

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Bench:
    """What measurements share: tools, folders, and the raw results as they come."""

    def __init__(self, options):
        self.build = os.path.abspath(options.build)
        self.tools = Tools(self.build)
        self.cache = os.environ.get("TMAIL_PEERS") or os.path.join(self.build, "peers")
        self.folder = tempfile.mkdtemp(prefix="run-", dir=self.tools.folder)
        self.raw = open(options.raw, "a", encoding="utf-8") if options.raw else None
        self.results, self.wrong, self.left_out = {}, [], {}

    @functools.cached_property
    def certificate(self):
        return certificate_made(self.folder)

    @functools.cached_property
    def accounts(self):
        return Accounts(self.build, self.folder)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.raw:
            self.raw.close()

    @staticmethod
    def closed_port():
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def run(self, row, name, number):
        """One program, once."""
        start = time.monotonic()
        try:
            result = row.one(self, PROGRAMS[name])
        except Skipped as reason:
            self.left_out[name] = str(reason)
            return
        except (AssertionError, OSError) as trouble:  # of one run; others may still be had
            result = {"trouble": f"{type(trouble).__name__}: {trouble}"}
        disk_quiet()
        result["took_s"] = round(time.monotonic() - start, 1)
        for what in result.get("wrong", ()):
            self.wrong.append(f"{row.name} {name} run {number}: {what}")
        self.results.setdefault(row.name, {}).setdefault(name, []).append(result)
        line = json.dumps({"row": row.name, "program": name, "run": number, **result})
        print(line, flush=True)
        if self.raw:
            self.raw.write(line + "\n")
            self.raw.flush()

    def minutes(self):
        """Of each row, all programs and runs together."""
        for row, programs in self.results.items():
            yield row, sum(r["took_s"] for results in programs.values() for r in results) / 60

    def row(self, row, peers, runs):
        """{program: figure}"""
        if not row.of:
            try:
                for number in range(1, min(runs, row.most_runs) + 1):
                    for name in peers:
                        if name in row.peers and name not in self.left_out:
                            self.run(row, name, number)
            finally:
                row.end()
        results = self.results.get(row.of.name if row.of else row.name, {})
        return {name: row.value(results[name]) for name in peers if name in results}


def number_text(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def wanted_text(row, figures):
    """What was wanted and what it is: "≥ 10 × postfix: 11.2, met"."""
    parts = []
    for wanted in row.wanted:
        met = wanted.met(figures)
        if met:
            parts.append(f"{wanted.text(row.unit)}: {met[0]:.3g}, {'met' if met[1] else 'SHORT'}")
        else:
            parts.append(f"{wanted.text(row.unit)}: not measured")
    return "; ".join(parts)


def table_lines(rows, peers, figures):
    yield "| | " + " | ".join(peers) + " | unit | wanted: what it is |"
    yield "|---|" + "---:|" * len(peers) + "---|---|"
    for row in rows:
        cells = [number_text(figures[row.name].get(name), row.digits) for name in peers]
        yield (f"| {row.title} | " + " | ".join(cells)
               + f" | {row.unit} | {wanted_text(row, figures[row.name])} |")


def options_read():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0],
                                     epilog="rows: " + ", ".join(r.name for r in all_rows()))
    parser.add_argument("build", nargs="?", default=os.path.join(TOP, "build"))
    parser.add_argument("--rows", default="", help="only these, separated by commas")
    parser.add_argument("--peers", default="reference,postfix,exim,opensmtpd,haraka")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", help="file for figures and all results")
    parser.add_argument("--raw", help="file to which each result is added when it is there")
    options = parser.parse_args()
    unknown = [p for p in options.peers.split(",") if p and p not in PROGRAMS]
    known = {row.name for row in all_rows()}
    unknown += [r for r in options.rows.split(",") if r and r not in known]
    if unknown:
        parser.error("not known: " + ", ".join(unknown))
    return options


def main():
    options = options_read()
    chosen = [name for name in options.rows.split(",") if name]
    rows = [r for r in all_rows()
            if not chosen or r.name in chosen or r.of and r.of.name in chosen]
    peers = ["tmail"] + [p for p in options.peers.split(",") if p and p != "tmail"]
    bench = Bench(options)
    figures = {}
    try:
        for row in rows:
            figures[row.name] = bench.row(row, peers, options.runs)
    finally:
        bench.close()
    print("\n" + "\n".join(table_lines(rows, peers, figures)))
    print("minutes: " + ", ".join(f"{row} {m:.1f}" for row, m in bench.minutes()))
    for name, reason in bench.left_out.items():
        print(f"skip {name}: {reason}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"figures": figures, "results": bench.results}, f, indent=1)
    for line in bench.wrong:
        print("WRONG " + line)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

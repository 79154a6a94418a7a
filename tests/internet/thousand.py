#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A thousand destinations, of which a tenth are dead and a tenth crawl: is the mail of the others
as fast as without them?

thousand.py BUILD [--messages N] [--destinations N] [--runs N] [--order first|mixed]

sends the mail of the good destinations without the bad ones, then with them, in turns; prints the
seconds from the first message to the arrival of the last good one, and the ratio of the medians.
`first`: the mail of the bad is under way already; `mixed`: it is sent among the rest. Half of the
dead refuse connections, half never answer; those who crawl say an octet in a tenth of a second."""
import argparse
import contextlib
import random
import statistics
import subprocess
import time

import world  # noqa: F401, finds the others' folders
import netns
from measure import Tools, banner_wait, cpu_seconds, disk_quiet, family, json_line
from nsd import Nsd
from tmail import MODULES, Tmail

# Domains are numbered: the good, then those who crawl, refuse, and are silent.
GOOD, CRAWL, REFUSE, SILENT = range(4)
PORT = 2525  # of the server, in a network that has no other
FIRST = ("198.18.0.0", "198.18.64.0", "198.18.128.0", "198.18.192.0")


def addresses(kind, count):
    a, b, c, _ = map(int, FIRST[kind].split("."))
    return [f"{a}.{b}.{c + (n + 1) // 256}.{(n + 1) % 256}" for n in range(count)]


class Server:
    """sink.c on so many addresses, from the first on."""

    def __init__(self, program, first, count, *flags):
        self.words = [program, "-p", "25", "-a", first, "-k", str(count), *flags]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        assert self.stdout.readline() == b"25\n", "the sink does not listen"
        return self

    def __exit__(self, *_):
        self.stdin.close()
        self.process.wait()
        self.stdout.close()


class Internet:
    """Names and servers of so many destinations; a tenth of them crawl, a tenth are dead."""

    def __init__(self, tools, destinations, crawl_ms=100):
        tenth = destinations // 10
        self.counts = {GOOD: destinations - 2 * tenth, CRAWL: tenth, REFUSE: tenth - tenth // 2,
                       SILENT: tenth // 2}
        self.tools, self.crawl_ms = tools, crawl_ms
        self.stack = contextlib.ExitStack()

    def domains(self, *kinds):
        return [f"{'gcrs'[kind]}{n}.test" for kind in kinds for n in range(self.counts[kind])]

    def zone(self):
        return "".join(f"{'gcrs'[kind]}{n} MX 10 mx.{'gcrs'[kind]}{n}\n"
                       f"mx.{'gcrs'[kind]}{n} A {address}\n"
                       for kind, count in self.counts.items()
                       for n, address in enumerate(addresses(kind, count)))

    def __enter__(self):
        self.dns = self.stack.enter_context(Nsd({"test": self.zone()}))
        self.stack.enter_context(self.sink(CRAWL, "-c", str(self.crawl_ms)))
        for address in addresses(SILENT, self.counts[SILENT]):
            self.stack.enter_context(netns.Silent(address))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def sink(self, kind, *flags):
        """The servers of this kind of destinations."""
        return Server(self.tools.sink, addresses(kind, 1)[0], self.counts[kind], *flags)


class Run:
    """One server, from an empty queue to the arrival of the last good message."""

    def __init__(self, build, internet, queue="", settings=""):
        self.internet = internet
        self.server = Tmail(
            build, f'log = {{ target = "file"; file = "log"; }};\n{internet.dns.setting}'
            f"smtp = {{ reverse_lookup = 0; }};\nqueue = {{ {queue} }};\n{settings}",
            listen=f'( {{ address = "127.0.0.1"; port = {PORT}; role = "mx"; }} )',
            modules=MODULES)

    def __enter__(self):
        self.server.start(wait=False)
        banner_wait(PORT, time.monotonic())
        self.server.command("relayip", "add", "127.0.0.1")
        return self

    def __exit__(self, *_):
        self.server.close()

    def load(self, messages, *kinds):
        """Starts to send so many messages, to their domains in a drawn order that is always the
        same: one after the other would be the one order in which no connection is used twice."""
        domains, chance = self.internet.domains(*kinds), random.Random(len(kinds))
        path = self.server.write("".join(
            f"reader@{d}\n" for _ in range(20) for d in chance.sample(domains, len(domains))),
            f"to-{len(domains)}")
        return subprocess.Popen(
            [self.internet.tools.load, "-c", "20", "-n", str(messages), "-m", "1000000", "-s",
             "1024", "-t", "600", "-f", path, str(PORT)], stdout=subprocess.DEVNULL)

    def seconds(self, good, bad, order="first", patience=600):
        """Until so many messages of the good have arrived; bad: messages of the others."""
        with self.internet.sink(GOOD, "-n", str(good)) as sink:
            if bad and order == "first":
                self.load(bad, CRAWL, REFUSE, SILENT).wait()
            start = time.monotonic()
            if bad and order == "mixed":
                sender = self.load(good + bad, GOOD, CRAWL, REFUSE, SILENT)
            else:
                sender = self.load(good, GOOD)
            try:
                return json_line(sink.stdout, patience)["at"] - start
            finally:
                sender.wait()


def options_read():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--messages", type=int, default=100000)
    parser.add_argument("--destinations", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--order", choices=("first", "mixed"), default="first")
    parser.add_argument("--queue", default="", help="settings of the group queue")
    return parser.parse_args()


def main():
    options = options_read()
    netns.enter()
    found = {False: [], True: []}
    with Internet(Tools(options.build), options.destinations) as internet:
        good = options.messages * internet.counts[GOOD] // options.destinations
        for number in range(2 * options.runs):
            # Without and with, with and without: neither always has the fresher disk.
            bad = number % 4 in (1, 2)
            with Run(options.build, internet, options.queue) as run:
                seconds = run.seconds(good, options.messages - good if bad else 0, options.order)
                waiting = run.server.queued()
                cpu = cpu_seconds(family(run.server.process.pid))
            disk_quiet()
            found[bad].append(seconds)
            print(f"{good} messages {'with   ' if bad else 'without'} the bad: {seconds:.2f} s,"
                  f" {good / seconds:.0f} a second, {cpu:.1f} s of the processors;"
                  f" {waiting} still wait", flush=True)
    without, beside = (statistics.median(found[bad]) for bad in (False, True))
    print(f"without {without:.2f} s, with {beside:.2f} s, ratio {beside / without:.2f}")


if __name__ == "__main__":
    main()

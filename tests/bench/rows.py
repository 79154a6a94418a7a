# SPDX-License-Identifier: MIT
"""What is measured: a row each, with the way it is done, how it is shown, and what is wanted of
it beside the peers. `one` measures one program once; a row's figure is the median of its runs."""
import os
import statistics
import subprocess
import time

from measure import IdleClients, cpu_seconds, descriptors, disk_quiet, json_line, memory_kb
from programs import Setting


class Wanted:
    """How tmail's figure is to stand: at least (or at most) `factor` times a peer's, or itself
    at most so much."""

    def __init__(self, peer, factor, most=False):
        self.peer, self.factor, self.most = peer, factor, most

    def text(self, unit=""):
        sign = "≤" if self.most else "≥"
        return f"{sign} {self.factor:.3g} {unit}" if self.peer is None else (
            f"{sign} {self.factor:.3g} × {self.peer}")

    def met(self, figures):
        """(what it is, whether that is enough), or None when the peer was not measured."""
        own = figures.get("tmail")
        if own is None or (self.peer and not figures.get(self.peer)):
            return None
        value = own / figures[self.peer] if self.peer else own
        return value, value <= self.factor if self.most else value >= self.factor


class Row:
    unit, figure, digits, wanted = "", "", 0, ()
    peers = ("tmail", "reference", "postfix", "exim", "opensmtpd")
    of = None  # the row in whose runs this one's figure is found
    quick = 1  # runs, as a part of those asked for

    def __init__(self, name, title):
        self.name, self.title = name, title

    def value(self, results):
        values = [r[self.figure] for r in results if r.get(self.figure) is not None]
        return statistics.median(values) if values else None


class Accept(Row):
    """Messages a second that were answered 250, from one generator on this host."""

    unit, figure = "messages/s", "rate"

    def __init__(self, name, title, messages, connections=20, per_connection=1000000, size=4096,
                 slow_flush=False, wanted=(), paces=None):
        super().__init__(name, title)
        self.paces = paces or {}
        self.messages, self.connections = messages, connections
        self.per_connection, self.size = per_connection, size
        if slow_flush:  # OpenSMTPD does not flush
            self.peers = ("tmail", "reference", "postfix", "exim")
        self.slow_flush, self.wanted = slow_flush, wanted

    def one(self, bench, kind):
        setting = Setting(connections=self.connections, slow_flush=self.slow_flush)
        count = max(int(self.messages * self.paces.get(kind.name, kind.pace)), self.connections * 2)
        with kind(bench, setting) as program:
            first = max(2 * self.connections, 200)  # files are made, processes started
            warm = bench.tools.send(program.port, self.connections, first)
            disk_quiet()
            flushed = program.flushes.value() if program.flushes else 0
            cpu = cpu_seconds(program.processes())
            result = bench.tools.send(program.port, self.connections, count, self.per_connection,
                                      self.size)
            accepted = result["accepted"]
            result["cpu_ms"] = (
                (cpu_seconds(program.processes()) - cpu) * 1e3 / accepted if accepted else None)
            if program.flushes:
                result["flushes"] = program.flushes.value() - flushed
                assert result["flushes"] > 0, f"{kind.name} flushed nothing that was seen"
            result["expected"] = warm["accepted"] + accepted
            result["queued"] = program.queued()
            result["queued_after_restart"] = program.queued_after_restart()
            result["wrong"] = not_kept(result) + not_served(result, kind)
        return result


def not_kept(result):
    """What was answered 250 must be in the queue, no more and no less, also after a restart."""
    return [f"{key} is {result[key]}, answered 250 were {result['expected']}"
            for key in ("queued", "queued_after_restart")
            if result.get(key) is not None and result[key] != result["expected"]]


def not_served(result, kind):
    """Of tmail; how others come through is theirs."""
    return [f"{key} are {result[key]}" for key in ("refused", "lost", "unanswered")
            if kind.name == "tmail" and result[key]]


class Part(Row):
    """Another figure of a row's runs."""

    def __init__(self, of, name, title, figure, unit, digits=0, wanted=()):
        super().__init__(name, title)
        self.of, self.figure, self.unit = of, figure, unit
        self.digits, self.wanted = digits, wanted


class Delivered(Row):
    """Messages a second from a generator through a server to a sink. `reference` is the generator
    straight into the sink: there is no faster way there."""

    unit, figure = "messages/s", "rate"
    peers = ("tmail", "reference", "postfix", "exim")  # OpenSMTPD paces itself: some 15 a second

    def __init__(self, name, title, messages, wanted):
        super().__init__(name, title)
        self.messages, self.wanted = messages, wanted

    def one(self, bench, kind):
        count = int(self.messages * kind.pace)
        sink = subprocess.Popen([bench.tools.sink, "-n", str(count)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        try:
            port = int(sink.stdout.readline())
            if kind.name == "reference":
                return self.through(bench, port, None, count, sink)
            with kind(bench, Setting("relay", port)) as program:
                disk_quiet()
                return self.through(bench, program.port, program, count, sink)
        finally:
            sink.stdin.close()
            sink.wait()
            sink.stdout.close()

    @staticmethod
    def through(bench, port, program, count, sink):
        cpu = cpu_seconds(program.processes()) if program else 0
        start = time.monotonic()
        result = bench.tools.send(port, 20, count)
        end = json_line(sink.stdout, 180)
        result["accept_rate"], result["rate"] = result["rate"], count / (end["at"] - start)
        result["sink_connections"] = end["connections"]
        if program:
            result["cpu_ms"] = (cpu_seconds(program.processes()) - cpu) * 1e3 / count
        return result


class Idle(Row):
    """Memory that clients cost who have said EHLO and wait, of all processes together."""

    unit, figure, digits = "MB more", "more_mb", 2
    peers = ("tmail", "postfix", "exim")

    def __init__(self, name, title, clients, peers, wanted, each=False):
        super().__init__(name, title)
        self.clients, self.peers, self.wanted = clients, peers, wanted
        if each:
            self.unit, self.figure = "KB each", "each_kb"

    def one(self, bench, kind):
        with kind(bench, Setting(connections=self.clients)) as program:
            bench.tools.send(program.port, 20, 200)
            before, _ = memory_kb(program.processes())
            with IdleClients(program.port, self.clients):
                numbers = program.processes()
                after, _ = memory_kb(numbers)
                count = descriptors(numbers)
        return {"private_dirty_kb": after, "before_kb": before, "processes": len(numbers),
                "descriptors": count, "more_mb": (after - before) / 1e3,
                "each_kb": (after - before) / self.clients}


class Start(Row):
    """From exec to the first greeting, with an empty queue; and memory then."""

    unit, figure, digits = "ms", "start_ms", 1
    peers = ("tmail", "postfix", "exim", "opensmtpd")

    def one(self, bench, kind):
        with kind(bench, Setting()) as program:
            seconds = program.start_timed()
            time.sleep(1)  # what starts beside the greeting is part of the memory
            dirty, share = memory_kb(program.processes())
        return {"start_ms": seconds * 1e3, "private_dirty_mb": dirty / 1e3, "pss_mb": share / 1e3}


class Deferred(Row):
    """A queue full of messages whose next server is not there."""

    unit, figure, digits = "octets each", "each_octets", 0
    peers, quick = ("tmail",), 0

    def __init__(self, name, title, messages, wanted):
        super().__init__(name, title)
        self.messages, self.wanted = messages, wanted

    def one(self, bench, kind):
        with kind(bench, Setting("relay", bench.closed_port())) as program:
            bench.tools.send(program.port, 20, 500)
            time.sleep(1)
            before, _ = memory_kb(program.processes())
            result = bench.tools.send(program.port, 20, self.messages)
            command = program.server.command
            for _ in range(600):  # all tried once, and the memory at rest
                settled, _ = memory_kb(program.processes())
                time.sleep(1)
                if settled == memory_kb(program.processes())[0]:
                    break
            result["each_octets"] = (settled - before) * 1024 / result["accepted"]
            for name, words in (("count_ms", ("queue", "count")),
                                ("list_ms", ("queue", "list", "--limit", "100"))):
                start = time.monotonic()
                output = command(*words)
                result[name] = (time.monotonic() - start) * 1e3
                result[name + "_lines"] = output.count("\n")
            result["expected"] = result["accepted"] + 500
            result["queued"] = program.queued()
            result["wrong"] = not_kept(result) + not_served(result, kind)
            result["start_ms"] = program.start_timed() * 1e3
        return result


def all_rows():
    kept = Accept("accept", "accept, 20 connections kept open", 60000,
                  wanted=(Wanted("postfix", 10), Wanted("reference", 0.45)))
    start = Start("start", "exec to the first greeting")
    start.wanted = (Wanted("postfix", 1, most=True), Wanted("exim", 1, most=True))
    deferred = Deferred("deferred", "100,000 deferred: memory", 100000,
                        (Wanted(None, 400, most=True),))
    both = ("tmail", "postfix", "exim")
    return [
        kept,
        Part(kept, "p50", "… dot to 250, half of them", "p50_ms", "ms", 2,
             (Wanted("reference", 2.5, most=True),)),
        Part(kept, "p99", "… dot to 250, all but 1 %", "p99_ms", "ms", 2,
             (Wanted("reference", 4, most=True),)),
        Part(kept, "cpu", "… processor time a message", "cpu_ms", "ms", 3,
             (Wanted("postfix", 1 / 12, most=True),)),
        Accept("one", "accept, 20 connections, one message each", 25000, per_connection=1,
               paces={"exim": 0.02},  # it waits 200 ms for the client's end after QUIT
               wanted=(Wanted("postfix", 2.5), Wanted("reference", 0.45))),
        Accept("c500", "accept, 500 connections kept open", 80000, connections=500,
               wanted=(Wanted("reference", 0.4),)),
        Accept("c1", "accept, 1 connection", 10000, connections=1,
               wanted=(Wanted("postfix", 3),)),
        Accept("large", "accept, 20 connections, 50 KB", 12000, size=51200,
               wanted=(Wanted("postfix", 8), Wanted("reference", 0.45))),
        Accept("slow", "accept, 100 connections, flushes 2 ms longer", 30000, connections=100,
               slow_flush=True, wanted=(Wanted("postfix", 6), Wanted("reference", 0.45))),
        Delivered("delivered", "accept to delivered, 20 connections", 20000,
                  (Wanted("postfix", 8), Wanted("reference", 0.3))),
        Idle("idle1000", "1,000 idle clients", 1000, both, (Wanted(None, 4, most=True),)),
        Idle("idle10000", "10,000 idle clients", 10000, ("tmail",),
             (Wanted(None, 4, most=True),), each=True),
        start,
        Part(start, "dirty", "memory when idle, private", "private_dirty_mb", "MB", 1,
             (Wanted(None, 6, most=True),)),
        Part(start, "pss", "memory when idle, proportional", "pss_mb", "MB", 1,
             (Wanted(None, 16, most=True),)),
        deferred,
        Part(deferred, "count", "… `queue count`", "count_ms", "ms", 1,
             (Wanted(None, 20, most=True),)),
        Part(deferred, "list", "… `queue list --limit 100`", "list_ms", "ms", 1,
             (Wanted(None, 100, most=True),)),
    ]

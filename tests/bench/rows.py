# SPDX-License-Identifier: MIT
"""What is measured: a row each, with the way it is done and what is wanted of it. `one` measures one
program once; a row's figure is the median of its runs."""
import subprocess
import time

from deferred import Crowded, Deferred
from measure import IdleClients, cpu_seconds, descriptors, disk_quiet, json_line, memory_kb
from programs import Setting
from secure import Flood, Handshakes, Logins, ThroughTls
from row import Part, Row, Wanted, not_kept, not_served

WARM = 200  # messages before those that are measured


class Accept(Row):
    """Messages a second that were answered 250, from one generator on this host."""

    unit, figure = "messages/s", "rate"

    def __init__(self, name, title, messages, connections=20, per_connection=1000000, size=4096,
                 slow_flush=False, wanted=(), all_peers=False):
        super().__init__(name, title)
        self.messages, self.connections = messages, connections
        self.per_connection, self.size = per_connection, size
        self.slow_flush, self.wanted = slow_flush, wanted
        if not all_peers:
            self.peers = ("tmail", "reference", "postfix")

    def one(self, bench, kind):
        setting = Setting(connections=self.connections, slow_flush=self.slow_flush)
        count = max(int(self.messages * kind.pace), self.connections * 2)
        with kind(bench, setting) as program:
            first = max(2 * self.connections, WARM)  # files are made, processes started
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
            result["wrong"] = not_kept(result, kind) + not_served(result, kind)
        return result


class Delivered(Row):
    """Messages a second from a generator through a server to a sink. `reference` is the generator
    straight into the sink: there is no faster way there."""

    unit, figure = "messages/s", "rate"
    peers = ("tmail", "reference", "postfix")

    def __init__(self, name, title, messages, wanted):
        super().__init__(name, title)
        self.messages, self.wanted = messages, wanted

    def one(self, bench, kind):
        count = self.messages
        sink = subprocess.Popen([bench.tools.sink, "-n", str(count + WARM)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            port = int(sink.stdout.readline())
            if kind.name == "reference":
                return self.through(bench, port, None, count, sink)
            with kind(bench, Setting("relay", port)) as program:
                return self.through(bench, program.port, program, count, sink)
        finally:
            sink.stdin.close()
            sink.wait()
            sink.stdout.close()

    @staticmethod
    def through(bench, port, program, count, sink):
        bench.tools.send(port, 20, WARM)  # files are made, processes started
        disk_quiet()
        cpu = cpu_seconds(program.processes()) if program else 0
        start = time.monotonic()
        result = bench.tools.send(port, 20, count, seconds=400)
        end = json_line(sink.stdout, 400)
        result["accept_rate"], result["rate"] = result["rate"], count / (end["at"] - start)
        result["sink_connections"] = end["connections"]
        if program:
            result["cpu_ms"] = (cpu_seconds(program.processes()) - cpu) * 1e3 / count
            result["wrong"] = not_served(result, program)
        return result


class Idle(Row):
    """Memory that clients cost who have said EHLO, with TLS behind the handshake, and wait, of all
    processes together."""

    unit, figure, digits = "MB more", "more_mb", 2
    most_runs = 1

    def __init__(self, name, title, clients, peers, wanted, each=False, tls=False):
        super().__init__(name, title)
        self.tls = tls
        self.clients, self.peers, self.wanted = clients, ("tmail", *peers), wanted
        if each:
            self.unit, self.figure = "KB each", "each_kb"

    def one(self, bench, kind):
        with kind(bench, Setting(connections=self.clients, tls=self.tls)) as program:
            program.send(20, 200, tls="starttls" if self.tls else None)
            before, _ = memory_kb(program.processes())
            with IdleClients(program.port, self.clients, self.tls):
                numbers = program.processes()
                after, _ = memory_kb(numbers)
                count = descriptors(numbers)
        return {"private_dirty_kb": after, "before_kb": before, "processes": len(numbers),
                "descriptors": count, "more_mb": (after - before) / 1e3,
                "each_kb": (after - before) / self.clients}


class Start(Row):
    """From exec to the first greeting, with an empty queue; and memory then."""

    unit, figure, digits = "ms", "start_ms", 1
    peers = ("tmail", "postfix", "exim", "opensmtpd", "haraka")

    def __init__(self, name, title, wanted):
        super().__init__(name, title)
        self.wanted = wanted

    def one(self, bench, kind):
        with kind(bench, Setting()) as program:
            seconds = program.start_timed()
            time.sleep(1)  # what starts beside the greeting is part of the memory
            dirty, share = memory_kb(program.processes())
        return {"start_ms": seconds * 1e3, "private_dirty_mb": dirty / 1e3, "pss_mb": share / 1e3}


def all_rows():
    debian = ("postfix", "exim", "opensmtpd")
    every = debian + ("haraka",)
    most = {"most": True}
    kept = Accept("accept", "accept, 20 connections kept open", 60000, all_peers=True, wanted=(
        Wanted("postfix", 10), Wanted(debian, 8), Wanted("reference", 0.45)))
    start = Start("start", "exec to the first greeting", (Wanted(every, 1, **most),))
    deferred = Deferred("deferred", "100,000 deferred: memory", 100000, (Wanted(None, 400, **most),))
    crowded = Crowded("crowded", "accept and deliver, 1,000,000 deferred", 1000000, 40000,
                      (Wanted(None, 0.7),))
    handshakes = Handshakes("tls_handshake", "STARTTLS handshakes to EHLO, 20 connections", 6000, (
        Wanted(("postfix", "exim", "haraka"), 1.5),))
    through = ThroughTls("tls_accept", "accept through TLS, 20 connections kept open", 30000)
    flood = Flood("flood", "500 guess passwords: mail beside them", 500, 30000, 8000,
                  (Wanted(None, 0.5),))
    return [
        kept,
        Part(kept, "p50", "… dot to 250, half of them", "p50_ms", "ms", 2,
             (Wanted("reference", 2.5, **most),)),
        Part(kept, "p99", "… dot to 250, all but 1 %", "p99_ms", "ms", 2,
             (Wanted("reference", 4, **most),)),
        Part(kept, "cpu", "… processor time a message", "cpu_ms", "ms", 3,
             (Wanted("postfix", 1 / 12, **most),)),
        Accept("one", "accept, 20 connections, one message each", 25000, per_connection=1,
               wanted=(Wanted("postfix", 2.5), Wanted("reference", 0.45))),
        Accept("c500", "accept, 500 connections kept open", 80000, connections=500,
               wanted=(Wanted("reference", 0.4),)),
        Accept("c1", "accept, 1 connection", 5000, connections=1,
               wanted=(Wanted("postfix", 3),)),
        Accept("large", "accept, 20 connections, 50 KB", 12000, size=51200,
               wanted=(Wanted("postfix", 8), Wanted("reference", 0.45))),
        Accept("slow", "accept, 100 connections, flushes 2 ms longer", 30000, connections=100,
               slow_flush=True, wanted=(Wanted("postfix", 6), Wanted("reference", 0.45))),
        Delivered("delivered", "accept to delivered, 20 connections", 20000,
                  (Wanted("postfix", 8), Wanted("reference", 0.3))),
        crowded,
        Part(crowded, "crowded_full", "… messages with it", "rate", "messages/s"),
        Part(crowded, "crowded_empty", "… messages with an empty queue", "empty_rate", "messages/s"),
        Part(crowded, "crowded_start", "… exec to the first greeting with it", "start_ms", "ms"),
        Part(crowded, "due", "… all of them due again", "due_ratio", "of empty", 2,
             (Wanted(None, 0.7),)),
        Part(crowded, "due_full", "… messages with these", "due_rate", "messages/s"),
        Idle("idle1000", "1,000 idle clients", 1000, every, (Wanted(None, 4, **most),)),
        Idle("idle10000", "10,000 idle clients", 10000, (), (Wanted(None, 4, **most),), each=True),
        handshakes,
        Part(handshakes, "tls_p50", "… EHLO answered through TLS, one connection, half of them",
             "one_p50_ms", "ms", 2),
        Part(handshakes, "tls_cpu", "… processor time a handshake", "cpu_ms", "ms", 2),
        through,
        Part(through, "tls_ratio", "… of that in clear", "ratio", "", 2, (Wanted(None, 0.7),)),
        Idle("tls_idle", "1,000 idle clients, TLS", 1000, (), (Wanted(None, 20, **most),), each=True,
             tls=True),
        Logins("auth", "accept, AUTH PLAIN, 20 connections, one message each", 8000,
               wanted=(Wanted("postfix", 2),)),
        Logins("auth_tls", "accept, STARTTLS and AUTH PLAIN, one message each", 4000, tls="starttls",
               wanted=(Wanted("postfix", 2),)),
        Logins("auth_hashed", "… each password hashed, none remembered", 300, tls="starttls",
               users='remember = "0";'),
        flood,
        Part(flood, "flood_logins", "… logins beside it, one message each", "logins_ratio",
             "of without", 2, (Wanted(None, 0.5),)),
        start,
        Part(start, "dirty", "memory when idle, private", "private_dirty_mb", "MB", 1,
             (Wanted(None, 6, **most),)),
        Part(start, "pss", "memory when idle, proportional", "pss_mb", "MB", 1,
             (Wanted(None, 16, **most),)),
        deferred,
        Part(deferred, "start_full", "… exec to the first greeting", "start_ms", "ms", 0,
             (Wanted(None, 1000, **most),)),
        Part(deferred, "count", "… `queue count`", "count_ms", "ms", 1,
             (Wanted(None, 20, **most),)),
        Part(deferred, "list", "… `queue list --limit 100`", "list_ms", "ms", 1,
             (Wanted(None, 100, **most),)),
    ]

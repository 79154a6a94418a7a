# SPDX-License-Identifier: MIT
"""Rows of tmail alone, with a queue that is full of messages whose next server is not there."""
import subprocess
import time

from measure import disk_quiet, json_line, memory_kb
from programs import Setting
from row import Row, not_kept, not_served
from tmail import wait_for

DEAD = "user@dead.test"  # the route to it ends at a port where nobody listens


def settled(program, seconds=600):
    """Until all that is in the queue was tried once and is deferred: seconds it took."""
    start = time.monotonic()
    while True:
        status = program.server.status()
        if status["queue.deferred"] == status["queue.recipients"]:
            return time.monotonic() - start
        assert time.monotonic() < start + seconds, f"still not deferred after {seconds} s"
        time.sleep(0.2)


def filled(bench, program, messages):
    """What load.c says of them; all are deferred then."""
    program.server.command("routes", "add", "-d", "dead.test", "-rh", "127.0.0.1", "-rp",
                           str(bench.closed_port()))
    result = bench.tools.send(program.port, 20, messages, recipient=DEAD, seconds=600)
    result["settled_s"] = settled(program)
    return result


class Deferred(Row):
    """What they cost in memory, what asking for them takes, and a start with them."""

    unit, figure, digits = "octets each", "each_octets", 0
    peers = ("tmail",)

    def __init__(self, name, title, messages, wanted):
        super().__init__(name, title)
        self.messages, self.wanted = messages, wanted

    def one(self, bench, kind):
        with kind(bench, Setting("relay", bench.closed_port())) as program:
            bench.tools.send(program.port, 20, 500)
            settled(program)
            before, _ = memory_kb(program.processes())
            result = filled(bench, program, self.messages)
            after, _ = memory_kb(program.processes())
            result["each_octets"] = (after - before) * 1024 / result["accepted"]
            for name, words in (("count_ms", ("queue", "count")),
                                ("list_ms", ("queue", "list", "--limit", "100"))):
                start = time.monotonic()
                output = program.server.command(*words)
                result[name] = (time.monotonic() - start) * 1e3
                result[name + "_lines"] = output.count("\n")
            result["expected"] = result["accepted"] + 500
            result["queued"] = program.queued()
            result["start_ms"] = program.start_timed() * 1e3
            result["queued_after_restart"] = program.queued()
            result["wrong"] = not_kept(result, kind) + not_served(result, kind)
        return result


class Crowded(Row):
    """Accepted and delivered to a sink: with an empty queue, with a full one whose messages wait, and
    with the same while all of them are tried again. It is filled once, and started for each run."""

    unit, figure, digits = "of empty", "ratio", 2
    most_runs = 2
    peers = ("tmail",)

    def __init__(self, name, title, deferred, messages, wanted):
        super().__init__(name, title)
        self.deferred, self.messages, self.wanted = deferred, messages, wanted
        self.program = None

    def one(self, bench, kind):
        fill = None
        if not self.program:
            self.program = kind(bench, Setting("relay", bench.closed_port(),
                                               queue='retry = [ "1h" ];'))
            self.program.start()
            fill = filled(bench, self.program, self.deferred)
            assert fill["accepted"] == self.deferred, fill
            self.program.stop()
        with kind(bench, Setting("relay", bench.closed_port())) as empty:
            without = self.through(bench, empty, 0)
        start_ms = self.program.start_timed() * 1e3
        result = self.through(bench, self.program, self.deferred)
        due = self.through(bench, self.program, self.deferred, again=True)
        result["queued_after_restart"] = self.program.queued_after_restart()
        self.program.stop()
        result.update(empty_rate=without["rate"], empty_delivered=without["delivered_rate"],
                      ratio=result["rate"] / without["rate"], start_ms=start_ms, fill=fill,
                      due_rate=due["rate"], due_delivered=due["delivered_rate"],
                      due_ratio=due["rate"] / without["rate"], tried_again=due["tried_again"])
        result["wrong"] = not_kept(result, kind) + not_kept(due, kind) + [
            line for r in (without, result, due) for line in not_served(r, kind)]
        if not due["tried_again"]:
            result["wrong"].append("nothing was tried again")
        return result

    def through(self, bench, program, deferred, again=False):
        """Messages to a new sink, all that come through."""
        sink = subprocess.Popen([bench.tools.sink, "-n", str(self.messages + 200)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            port = int(sink.stdout.readline())
            domain = f"to{port}.test"
            program.server.command("routes", "add", "-d", domain, "-rh", "127.0.0.1", "-rp",
                                   str(port))
            bench.tools.send(program.port, 20, 200, recipient="user@" + domain)
            disk_quiet()
            tried = int(program.server.status()["counter.deferrals"])
            if again:
                program.server.command("queue", "retry", "--all")
            start = time.monotonic()
            result = bench.tools.send(program.port, 20, self.messages,
                                      recipient="user@" + domain)
            end = json_line(sink.stdout, 180)
        finally:
            sink.stdin.close()
            sink.wait()
            sink.stdout.close()
        result["delivered_rate"] = self.messages / (end["at"] - start)
        result["tried_again"] = int(program.server.status()["counter.deferrals"]) - tried
        result["expected"] = deferred
        wait_for(lambda: program.queued() <= deferred, what="the outcome of each")
        if again:  # or the next start begins with those that are left
            wait_for(lambda: int(program.server.status()["counter.deferrals"]) - tried >= deferred,
                     600, "the second try of each")
        result["queued"] = program.queued()
        return result

    def end(self):
        if self.program:
            self.program.close()

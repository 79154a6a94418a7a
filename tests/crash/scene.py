# SPDX-License-Identifier: MIT
"""What the tests of one fault share: a tmail that sends all it takes to a sink, clients that mark what
they send, and the account in the end: every 250 arrived whole, at least once, nothing that was
refused did, and nothing came twice but what a kill explains."""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from load import ACKED, REFUSED, Load, mark_of  # noqa: E402
from power import SMALL, judge  # noqa: E402
from sink import Sink  # noqa: E402
from tmail import Tmail  # noqa: E402

QUICK = 'queue = { retry_min = "1s"; retry_max = "1s"; host_rest = "1s"; };\n'


def endless(letter):
    number = 0
    while True:
        number += 1
        yield f"{letter}{number:07}"


def repeats(messages, kills):
    """(those that came twice over connections without a kill between, the longest time from an
    arrival to the kill that made it come again). A connection ends with the server that opened it,
    but what it had sent may be read by a busy sink after what its successor sends."""
    first, unexplained, longest = {}, [], 0.0
    for message in messages:
        mark = mark_of(message.content)
        before = first.setdefault(mark, message)
        if before is message:
            continue
        old, new = sorted((before, message), key=lambda m: m.talk.began)
        since = [killed - old.at for killed, served in kills
                 if old.talk.began <= served and new.talk.began >= killed]
        if since:
            longest = max(longest, since[0])
        else:
            unexplained.append((mark, f"{old.talk.began:.3f} {old.at:.3f}",
                                f"{new.talk.began:.3f} {new.at:.3f}"))
        first[mark] = message
    return unexplained, longest


class Scene:
    """with Scene(build) as scene: scene.load("a") ... ; then scene.account()"""

    def __init__(self, build, settings=QUICK, modules=SMALL, server=Tmail, answer=None, **of_server):
        self.sinks = [Sink(answer=answer) for _ in range(2)]  # the second is of use to some
        self.stop = threading.Event()
        self.server = server(build, settings, modules, **of_server)
        self.loads, self.kills, self.wrong = [], [], []

    def __enter__(self):
        for sink in self.sinks:
            sink.__enter__()
        try:
            self.server.start()
            self.server.command("rcpthost", "add", "dest.test")
            self.server.command("routes", "add", "-rh", "127.0.0.1", "-rp",
                                self.sinks[0].port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop.set()
        for load in self.loads:
            load.join()
        self.server.close()
        for sink in self.sinks:
            sink.__exit__()

    def load(self, letter, stop=None, **more):
        """Clients, at work until they or the scene are stopped."""
        load = Load(lambda: self.server.port, endless(letter), stop=stop or self.stop, **more)
        self.loads.append(load)
        return load.start()

    def drained(self, seconds=300):
        """Until the queue is empty."""
        self.server.command("queue", "flush")
        end = time.monotonic() + seconds
        while self.server.queued():
            assert time.monotonic() < end, f"the queue is not empty after {seconds} s"
            time.sleep(0.2)  # each look is a process

    def says(self, condition, what):
        """One more thing that must be so."""
        if not condition:
            self.wrong.append(what)

    def account(self, **more):
        """Prints it; 0 when it comes out even."""
        sums = {"acked": 0, "refused": 0, "lost": 0, "phantom": 0, "damaged": 0, "dup": 0}
        by_letter, messages = {}, sorted((m for sink in self.sinks for m in sink.messages),
                                         key=lambda m: m.at)
        for message in messages:
            by_letter.setdefault((mark_of(message.content) or "?")[0], []).append(message)
        for load in self.loads:
            letter = next(iter(load.size), "?")[0]
            lost, phantom, damaged, dup = judge(by_letter.pop(letter, []), load, load.acked())
            for name, n in (("acked", len(load.of(ACKED))), ("refused", len(load.of(REFUSED))),
                            ("lost", len(lost)), ("phantom", len(phantom)), ("damaged", damaged),
                            ("dup", dup)):
                sums[name] += n
            for what, marks in (("lost", lost), ("refused, and arrived", phantom)):
                if marks:
                    self.wrong.append(f"{what}: {sorted(marks)[:5]}")
        unexplained, longest = repeats(messages, self.kills)
        sums.update(dup_without_kill=len(unexplained), dup_window_ms=round(longest * 1e3))
        self.says(not sums["damaged"], "contents are damaged")
        self.says(not unexplained, f"twice, without a kill: {unexplained[:5]}")
        self.says(not by_letter, f"nobody sent what came: {list(by_letter)}")
        self.says(sums["acked"], "nothing was acknowledged: this says nothing")
        print(json.dumps({**sums, **more}))
        for line in self.wrong:
            print("FAIL " + line)
        print(f"{int(not self.wrong)} passed, {int(bool(self.wrong))} failed")
        return 1 if self.wrong else 0

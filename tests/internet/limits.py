#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""limits.py BUILD: what a destination is asked to take, as the destination sees it: connections at
a time, messages on one of them, messages in a time. Of time only what is too early is judged."""
import threading
import time

from world import World, main

HOSTS = {name: f"192.0.2.{n}" for n, name in enumerate(
    ("free", "two", "sub.two", "few", "slow", "routed", "changing"), 1)}
ZONE = "".join(f"{name} MX 10 mx.{name}\nmx.{name} A {address}\n"
               for name, address in HOSTS.items())


class Crowd:
    """An answer that waits until so many connections have a message under way; then they go on."""

    def __init__(self, wanted):
        self.wanted, self.now, self.most = wanted, 0, 0
        self.change = threading.Condition()

    def __call__(self, verb, _argument):
        if verb == "DATA":
            with self.change:
                self.now += 1
                self.most = max(self.most, self.now)
                self.change.notify_all()
                self.change.wait_for(lambda: self.most >= self.wanted, 60)
        elif verb == ".":
            with self.change:
                self.now -= 1


def destinations(two):
    return f"""destinations = (
  {{ domain = "two.test"; connections = {two}; }},
  {{ domain = ".two.test"; connections = 1; }},
  {{ domain = "few.test"; messages = 3; }},
  {{ domain = "slow.test"; rate = "4/s"; }},
  {{ domain = "changing.test"; connections = {two}; }}
);"""


class Limits(World):
    def __init__(self, build):
        # A connection that is closed while another opens would be counted beside it.
        super().__init__(build, {"test": ZONE}, queue='host_rest = 0; idle_timeout = "1h"; '
                         + destinations(2))

    def crowd(self, domain, wanted, sink=None):
        """So many are under way at a time, and never more, of a lot of messages."""
        crowd = Crowd(wanted)
        sink = sink or self.sink(HOSTS[domain])
        sink.answer, before = crowd, len(sink.messages)
        for n in range(40):
            self.send(f"reader-{n}@{domain}.test")
        sink.wait(before + 40)
        return crowd.most, sink

    def unlimited(self):
        """That there are more where nobody limits them, so that the others mean something."""
        most, _ = self.crowd("free", 4)
        assert most >= 4, most

    def connections(self, domain, limit):
        most, sink = self.crowd(domain, limit)
        assert most == limit and sink.most == limit, f"{most} messages, {sink.most} connections"

    def of_routes(self):
        self.route("routed.test", "-rh", "mx.routed.test", "--connections", "2", "--messages", "5")
        most, sink = self.crowd("routed", 2)
        assert most == 2, most
        assert max(talk.messages for talk in sink.talks) <= 5

    def messages(self):
        sink = self.sink(HOSTS["few"])
        for n in range(20):
            self.send(f"reader-{n}@few.test")
        sink.wait(20)
        assert max(talk.messages for talk in sink.talks) == 3

    def rate(self):
        """Ten take nine quarters of a second at least, from before the first is sent: when it
        came the sink may say late."""
        sink = self.sink(HOSTS["slow"])
        began = time.monotonic()
        for n in range(10):
            self.send(f"reader-{n}@slow.test")
        span = sink.wait(10)[-1].at - began
        assert span > 2.2, f"ten at four a second came within {span:.2f} s"

    def reload(self):
        """A changed limit holds for what comes after it."""
        most, sink = self.crowd("changing", 2)
        assert most == 2, most
        with open(self.server.conf, encoding="utf-8") as f:
            text = f.read()
        self.server.write(text.replace(destinations(2), destinations(3)))
        self.server.command("reload")
        most, _ = self.crowd("changing", 3, sink)
        assert most == 3, most


def run(cases, build):
    with Limits(build) as world:
        cases.run("limits: none, and more than others may have", world.unlimited)
        cases.run("limits: connections of a domain", world.connections, "two", 2)
        cases.run("limits: connections of a subdomain", world.connections, "sub.two", 1)
        cases.run("limits: connections and messages of a route", world.of_routes)
        cases.run("limits: messages of a connection", world.messages)
        cases.run("limits: messages in a time", world.rate)
        cases.run("limits: changed by a reload", world.reload)
        cases.run("the queue is empty after all that", world.empty)


main(run)

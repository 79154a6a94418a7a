#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""failover.py BUILD: a domain's first host says no, in every way and at every step: whom is asked
next, and who is not."""
from world import World, main

from sink import HANG_UP, RESET

GOOD = "192.0.2.100"
NO, LATER, SHUT = "550 5.7.1 No", "450 4.2.0 Later", "421 4.3.2 Shutting down"
PLAIN = {"EHLO": "502 5.5.1 Not known"}

# name: (what its first host says, whether another is asked)
HOSTS = {
    "greeting-4": ({"CONNECT": "450 4.3.2 Busy"}, True),
    "greeting-421": ({"CONNECT": SHUT}, True),
    "greeting-5": ({"CONNECT": "554 5.3.2 No SMTP service here"}, True),
    "greeting-end": ({"CONNECT": HANG_UP}, True),
    "greeting-reset": ({"CONNECT": RESET}, True),
    "ehlo-4": ({"EHLO": LATER, "HELO": LATER}, True),
    "ehlo-421": ({"EHLO": SHUT}, True),
    "ehlo-end": ({"EHLO": HANG_UP, "HELO": HANG_UP}, True),
    "helo-5": ({**PLAIN, "HELO": NO}, True),
    "mail-4": ({"MAIL": LATER}, True),
    "mail-421": ({"MAIL": (SHUT, HANG_UP)}, True),
    "mail-5": ({"MAIL": NO}, False),
    "rcpt-4": ({"RCPT": LATER}, True),
    "rcpt-end": ({"RCPT": HANG_UP}, True),
    "rcpt-reset": ({"RCPT": RESET}, True),
    "rcpt-5": ({"RCPT": NO}, False),
    "data-4": ({"DATA": LATER}, True),
    "data-5": ({"DATA": NO}, False),
    "data-end": ({"DATA": HANG_UP}, True),
    "dot-4": ({".": LATER}, True),
    "dot-421": ({".": (SHUT, HANG_UP)}, True),
    "dot-5": ({".": NO}, False),
}


def address(n):
    return f"192.0.2.{n}"


class FailOver(World):
    def __init__(self, build):
        zone = f"good A {GOOD}\nhelo MX 10 bad.helo\nbad.helo A {address(90)}\n" + "".join(
            f"{name} MX 10 bad.{name}\n{name} MX 20 good\nbad.{name} A {address(n)}\n"
            for n, name in enumerate(HOSTS, 1))
        zone += "".join(f"two MX {n} h{n}.two\nh{n}.two A {address(60 + n)}\n" for n in (1, 2, 3))
        zone += f"no MX 1 h1.no\nno MX 2 h2.no\nh1.no A {address(71)}\nh2.no A {address(72)}\n"
        zone += f"rest MX 1 h1.rest\nrest MX 2 good\nh1.rest A {address(75)}\n"
        super().__init__(build, {"test": zone}, queue='host_rest = "1h"; max_messages_connection = 1;')
        self.good = self.sink(GOOD)
        self.bad = {name: self.sink(address(n), table)
                    for n, (name, (table, _)) in enumerate(HOSTS.items(), 1)}

    def host(self, name):
        bad, recipient = self.bad[name], f"reader@{name}.test"
        if HOSTS[name][1]:
            self.arrives(recipient, self.good)
        else:
            self.bounces(recipient, "5.7.1")
            assert not any(recipient in m.recipients for m in self.good.messages)
        assert len(bad.talks) == 1 and not bad.messages, f"{len(bad.talks)} connections"

    def helo(self):
        """Who does not know EHLO is spoken to without anything it offers."""
        sink = self.sink(address(90), PLAIN)
        message = self.arrives("reader@helo.test", sink)
        verbs = message.talk.verbs()
        assert verbs[:2] == ["EHLO", "HELO"], verbs
        line = next(line for _, line in message.talk.lines if line.startswith("MAIL"))
        assert line.endswith(">"), line

    def some_recipients(self):
        """Each has a fate of its own: taken here, refused here, taken by the next, by the third."""
        fates = {"a": ["taken"], "b": ["later", "taken"], "c": ["no"], "d": ["later", "no"],
                 "e": ["later", "later", "taken"]}

        def says(turn):
            def answer(argument):
                fate = fates[argument.split("<")[1][0]][turn:]
                return {"taken": None, "later": LATER, "no": NO}[fate[0] if fate else "no"]
            return answer
        sinks = [self.sink(address(61 + n), {"RCPT": says(n)}) for n in range(3)]
        self.send(*(f"{name}@two.test" for name in fates))
        sinks[2].wait(1)
        assert [m.recipients for sink in sinks for m in sink.messages] == [
            ["a@two.test"], ["b@two.test"], ["e@two.test"]]
        report = self.back.find(lambda m: b"c@two.test" in m.content and b"d@two.test" in m.content)
        for name in "abe":
            assert f"{name}@two.test".encode() not in report.content, report.content
        self.empty()

    def all_say_no(self):
        """For good, all of them: a bounce with the words of one."""
        for n in (71, 72):
            self.sink(address(n), {"CONNECT": "554 5.3.2 Not here"})
        self.bounces("reader@no.test", "Not here")

    def rests(self):
        """A host that could not be reached is asked once in its rest, by whomever."""
        talks = self.sink(address(75), {"CONNECT": SHUT}).talks
        for n in range(5):
            self.arrives(f"reader-{n}@rest.test", self.good)
        assert len(talks) <= 2, f"{len(talks)} connections"  # both loops may have asked


def run(cases, build):
    with FailOver(build) as world:
        for name, (_, another) in HOSTS.items():
            cases.run(f"fail-over: {name}, {'the next takes it' if another else 'a bounce'}",
                      world.host, name)
        cases.run("fail-over: HELO where EHLO is not known", world.helo)
        cases.run("fail-over: of those recipients who are left", world.some_recipients)
        cases.run("fail-over: all say no for good", world.all_say_no)
        cases.run("fail-over: who could not be reached rests", world.rests)
        cases.run("the queue is empty after all that", world.empty)


main(run)

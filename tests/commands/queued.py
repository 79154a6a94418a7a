# SPDX-License-Identifier: MIT
"""The queue at hand: what is listed and counted, what a dry run promises and a real one does, and
mail that is retried along a new route, wherever it waited."""
import socket

from sink import SILENCE, Script, Sink
from tmail import Session, Tmail, wait_for

CONTENT = b"Subject: kept\r\n\r\nwords\r\n"
QUIET = 'smtp = { reverse_lookup = 0; };\nstop_timeout = "0";\n'
DEAD = []
PATIENT = 'retry = [ "1h" ]; host_rest = "1h";'


def dead_port():
    """Of a socket that never listens, and is kept, so that nobody else gets it."""
    DEAD.append(socket.socket())
    DEAD[-1].bind(("127.0.0.1", 0))
    return DEAD[-1].getsockname()[1]


class Site:
    """A tmail that takes mail from here; its routes, and sinks that they lead to."""

    def __init__(self, build, settings=PATIENT):
        self.server = Tmail(build, f"{QUIET}queue = {{ {settings} }};\n").start()
        self.server.command("relayip", "add", "127.0.0.1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def route(self, domain, port):
        """In place of the one that was there."""
        for row in self.server.json("routes", "list"):
            if row["destination"] == domain:
                self.server.command("routes", "del", row["id"])
        self.server.command("routes", "add", "-d", domain, "-rh", "127.0.0.1", "-rp", port)

    def send(self, *recipients, sender="me@here.test", count=1):
        session = Session(self.server.port)
        for _ in range(count):
            code, text = session.message(sender, recipients, CONTENT)
            assert code == 250, (code, text)
        session.close()
        return text[0].split()[-1]

    def rows(self, *words):
        return self.server.json("queue", "list", *words)

    def count(self, *words):
        return self.server.json("queue", "count", *words)[0]["recipients"]

    def act(self, *words):
        """Messages that are touched, as the dry run before said."""
        dry = self.server.json("queue", *words, "--dry-run")
        (row,) = self.server.json("queue", *words)
        assert dry == [row], f"{words}: {dry} were promised, {row} it is"
        return row["messages"]


# ---- along a new route ------------------------------------------------------------------------

def deferred_at_a_dead_host(build):
    with Site(build) as site, Sink() as sink:
        site.route("dead.test", dead_port())
        site.send("a@dead.test")
        row = site.server.queue_row("Scheduled", "--state", "deferred")
        assert row["attempts"] == 1 and row["next_delivery"], row
        site.route("dead.test", sink.port)
        assert site.act("retry", "--to", "@dead.test") == 1
        sink.wait(1)
        wait_for(lambda: site.rows() == [], what="an empty queue")


def deferred_by_a_host_that_says_later(build):
    later = Script({"RCPT": "450 4.2.1 Later"})
    with Site(build) as site, Sink(answer=later) as old, Sink() as new:
        site.route("later.test", old.port)
        site.send("a@later.test")
        row = site.server.queue_row("Scheduled", "--state", "deferred")
        assert f"127.0.0.1:{old.port}]: 450 4.2.1 Later" in row["reason"], row
        site.route("later.test", new.port)
        assert site.act("retry", row["id"]) == 1
        new.wait(1)
        assert old.messages == []


def waiting_in_the_lane_of_an_old_route(build):
    """Its host has one message and does not answer; nineteen wait for that one connection."""
    silent = Script({".": SILENCE})
    with Site(build, PATIENT + "max_connections_destination = 1;") as site, \
            Sink(answer=silent) as old, Sink() as new:
        site.route("lane.test", old.port)
        site.send("a@lane.test", count=20)
        wait_for(lambda: any("." in t.verbs() or "DATA" in t.verbs() for t in old.talks),
                 what="a message on its way")
        assert site.count("--state", "active") == 20
        site.route("lane.test", new.port)
        assert site.act("retry", "--all") == 20
        new.wait(19)
        wait_for(lambda: site.count() == 1, what="the one that is being sent")
        assert site.count("--state", "active") == 1
        assert site.act("discard", "--all") == 1


def waiting_for_a_host_that_does_not_greet(build):
    with Site(build) as site, Sink(answer=Script({"CONNECT": SILENCE})) as old, Sink() as new:
        site.route("mute.test", old.port)
        site.send("a@mute.test", "b@mute.test")
        wait_for(lambda: old.talks, what="a connection")
        assert [row["status"] for row in site.rows()] == ["Delivery in progress"] * 2
        site.route("mute.test", new.port)
        assert site.act("retry", "--state", "active") == 1
        new.wait(1)
        assert new.messages[0].recipients == ["a@mute.test", "b@mute.test"]


def between_two_hosts(build):
    """The first said later, the second does not greet."""
    with Site(build) as site, Sink(answer=Script({"RCPT": "450 4.2.1 Later"})) as first, \
            Sink(answer=Script({"CONNECT": SILENCE})) as second, Sink() as new:
        for priority, port in ((1, first.port), (2, second.port)):
            site.server.command("routes", "add", "-d", "two.test", "-rh", "127.0.0.1", "-rp", port,
                                "-p", priority)
        site.send("a@two.test")
        wait_for(lambda: second.talks, what="the second host")
        for row in site.server.json("routes", "list"):
            site.server.command("routes", "del", row["id"])
        site.route("two.test", new.port)
        assert site.act("retry", "--all") == 1
        new.wait(1)


# ---- looking ----------------------------------------------------------------------------------

def three_kinds(site, sink):
    """Two recipients that were told to wait, one that is held, one at a host that is gone."""
    site.route("later.test", sink.port)
    site.route("held.test", sink.port)
    site.route("gone.test", dead_port())
    site.send("a@later.test", "b@later.test", sender="one@sender.test")
    held = site.send("c@held.test", sender="two@sender.test")
    site.send("d@gone.test", sender="two@sender.test")
    wait_for(lambda: site.count("--state", "deferred") == 4, what="four that were deferred")
    assert site.act("hold", "--because", "look at it", held) == 1
    return held


def looked_at(site, held):
    """The same, whether the server runs or not."""
    server = site.server
    assert [row["to"][0] for row in site.rows()] == ["a", "b", "c", "d"]
    assert [row["to"][0] for row in site.rows("--state", "deferred")] == ["a", "b", "d"]
    assert [row["to"] for row in site.rows(held)] == ["c@held.test"]
    assert site.count("--state", "active") == 0 and site.count("--newer", "1h") == 4
    assert site.count("--older", "1h") == 0 and site.count("--held") == 1
    by = {row["state"]: row for row in server.json("queue", "count", "--by", "state")}
    assert {k: (r["recipients"], r["messages"]) for k, r in by.items()} == {
        "deferred": (3, 2), "held": (1, 1)}, by
    by = server.json("queue", "count", "--by", "domain", "--from", "@sender.test")
    assert [(r["domain"], r["recipients"]) for r in by] == [
        ("later.test", 2), ("gone.test", 1), ("held.test", 1)], by
    by = {r["reason"]: r for r in server.json("queue", "count", "--by", "reason")}
    assert by["450 4.2.1"]["recipients"] == 2 and "Later" in by["450 4.2.1"]["example"], by
    assert by["look at it"]["recipients"] == 1 and len(by) == 3, by
    hosts = [r["host"] for r in server.json("queue", "count", "--by", "host", "--reason", "450")]
    assert len(hosts) == 1 and hosts[0].startswith("127.0.0.1["), hosts
    shown = server.json("queue", "show", site.rows("--to", "a@later.test")[0]["id"])
    facts = {r["name"]: r["value"] for r in shown if "name" in r}
    assert facts["from"] == "one@sender.test" and facts["octets"].isdigit(), facts
    people = [r for r in shown if "recipient" in r]
    assert [r["recipient"][0] for r in people] == ["a", "b"], people
    for row in people:
        assert row["status"] == "Scheduled" and row["attempts"] == 1, row
        assert row["reply"] == "450 4.2.1 Later" and row["host"] == hosts[0], row
        assert row["next_delivery"], row
    for words in (("--to", "@later.test"), ("--reason", "450"), ("--from", "@sender.test"),
                  ("--state", "deferred,held"), ("--held",), ("--limit", 1, "--all"),
                  ("--newer", "1h"), ("--older", "1h"), (held,)):
        messages = len({row["id"] for row in site.rows(*[w for w in words if w != "--all"])})
        for verb in ("hold", "discard", "bounce"):
            (row,) = server.json("queue", verb, *words, "--dry-run")
            assert row["messages"] == messages, f"{verb} {words}: {row}, not {messages}"


def lists_and_counts(build):
    with Site(build) as site, Sink(answer=Script({"RCPT": "450 4.2.1 Later"})) as sink:
        held = three_kinds(site, sink)
        looked_at(site, held)
        site.server.stop()
        looked_at(site, held)


def acts_as_promised(build, running):
    with Site(build) as site, Sink(answer=Script({"RCPT": "450 4.2.1 Later"})) as sink:
        held = three_kinds(site, sink)
        if not running:
            site.server.stop()
        assert site.act("release", "--to", "@later.test") == 0
        assert site.act("hold", "--from", "one@sender.test") == 1
        assert site.act("release", "--held") == 2
        assert site.act("discard", "--to", "b@later.test") == 1
        assert site.count("--to", "@later.test") == 1
        assert site.act("bounce", "--to", "d@gone.test", "--text", "closed") == 1
        assert site.act("purge") == 0
        assert site.act("discard", "--from", "@sender.test") == 2
        wait_for(lambda: site.count("--from", "@sender.test") == 0, what="an empty queue")


def run(cases, build):
    cases.run("queue: retried from a dead host", deferred_at_a_dead_host, build)
    cases.run("queue: retried from a host that says later", deferred_by_a_host_that_says_later,
              build)
    cases.run("queue: retried out of the lane of an old route",
              waiting_in_the_lane_of_an_old_route, build)
    cases.run("queue: retried from a host that does not greet",
              waiting_for_a_host_that_does_not_greet, build)
    cases.run("queue: retried from between two hosts", between_two_hosts, build)
    cases.run("queue: listed, counted and shown", lists_and_counts, build)
    cases.run("queue: a dry run says what is done, running", acts_as_promised, build, True)
    cases.run("queue: a dry run says what is done, stopped", acts_as_promised, build, False)

# SPDX-License-Identifier: MIT
"""route/table through the running program: where mail goes."""
import json
import socket

from sink import Sink
from tmail import Failed, Session, Tmail
from unpacked import wait_for

SETTINGS = """queue = { host_rest = 0; retry_min = "1s"; max_messages_connection = 1; };
smtp = { reverse_lookup = 0; };
"""
CONTENT = b"Subject: x\r\n\r\nx\r\n"
# Every kind of route, what says most first: flags, and the name that `routes test` has for it.
USER, SENDER = ("-u", "joe@user.test"), ("-f", "boss@from.test")
USERS, SENDERS = ("-u", "user.test"), ("-f", "from.test")
HOST, PARENT = ("-d", "deep.to.test"), ("-d", ".to.test")
KINDS = [
    (USER + SENDER + HOST, "user+sender+host"), (USERS + SENDER + HOST, "user-domain+sender+host"),
    (USER + SENDERS + HOST, "user+sender-domain+host"),
    (USERS + SENDERS + HOST, "user-domain+sender-domain+host"),
    (USER + HOST, "user+host"), (USERS + HOST, "user-domain+host"),
    (USER + SENDER, "user+sender"), (USERS + SENDER, "user-domain+sender"),
    (USER + SENDERS, "user+sender-domain"), (USERS + SENDERS, "user-domain+sender-domain"),
    (USER, "user"), (USERS, "user-domain"),
    (SENDER + HOST, "sender+host"), (SENDERS + HOST, "sender-domain+host"),
    (SENDER, "sender"), (SENDERS, "sender-domain"), (HOST, "host"), (PARENT, "parent"), ((), "*")]
# Flags that are refused, and a part of what is said about it.
WRONG = [
    ((), "remote-host"),
    (("-rh", ""), "remote host must not be empty"),
    (("-rh", "two words"), "remote host is a name or an address, not 'two words'"),
    (("-rh", "mx.test:2525"), "the port is given by -rp; not 'mx.test:2525'"),
    (("-rh", "192.0.2.300"), "not '192.0.2.300'"),
    (("-rh", "a.test", "-d", "a b"), "destination is example.com, .example.com"),
    (("-rh", "a.test", "-d", "."), "destination is"),
    (("-rh", "a.test", "-d", "x..y"), "destination is"),
    (("-rh", "a.test", "-d", "joe@x.test"), "destination is"),
    (("-rh", "a.test", "-p", "-1"), "priority is a number from 0 to 65535, not '-1'"),
    (("-rh", "a.test", "-p", "70000"), "priority is a number"),
    (("-rh", "a.test", "-rp", "65536"), "remote port is a number from 0 to 65535, not '65536'"),
    (("-rh", "a.test", "-rp", "smtp"), "remote-port"),
    (("-rh", "a.test", "-l", "192.0.2.1&192.0.2.2|192.0.2.3"), "mixed & and | are not allowed"),
    (("-rh", "a.test", "-l", "192.0.2"), "invalid local IP '192.0.2'"),
    (("-rh", "a.test", "-l", "[2001:db8::1"), "invalid local IP"),
    (("-rh", "a.test", "-f", "@"), "mail-from is an address or a domain"),
    (("-rh", "a.test", "-f", "@@from.test"), "mail-from is an address or a domain"),
    (("-rh", "a.test", "-f", "@a@from.test"), "mail-from is an address or a domain"),
    (("-rh", "a.test", "-u", "@joe smith"), "auth-user is an address or a domain"),
    (("-rh", "a.test", "-f", "a@b c"), "mail-from is an address or a domain"),
    (("-rh", "a.test", "-u", "joe@"), "auth-user is an address or a domain"),
    (("-rh", "a.test", "-rl", "joe"), "a remote login needs a remote password"),
    (("-rh", "a.test", "-rpwd", "secret"), "a remote password needs a remote login"),
    (("-rh", "a.test", "--tls", "always"), "tls is none, may, encrypt, verify, dane, smtps or smtps-verify"),
    (("-rh", "a.test", "--connections", "0"), "connections is a number from 1 to"),
    (("-rh", "a.test", "--messages", "x"), "messages"),
    (("-rh", "a.test", "--rate", "5"), "rate is so many in such a time, 5/s or 100/m"),
    (("-rh", "a.test", "-d", "x" * 256), "longer than 255"),
    (("-rh", "a.test", "-rl", "a\tb", "-rpwd", "x"), "control characters")]


class Table:
    """Two sinks, and a port where nobody is."""

    def __init__(self, build):
        self.one, self.two = Sink().__enter__(), Sink().__enter__()
        self.closed = socket.socket()
        self.closed.bind(("127.0.0.1", 0))  # bound, and never listening
        self.dead = self.closed.getsockname()[1]
        self.server = Tmail(build, SETTINGS).start()
        self.server.command("relayip", "add", "127.0.0.1")
        self.count = 0

    def close(self):
        self.server.close()
        self.closed.close()
        for sink in (self.one, self.two):
            sink.__exit__()

    def routes(self, *routes):
        """These and no others: (where, flags)."""
        for row in self.server.json("routes", "list"):
            self.server.command("routes", "del", row["id"])
        for where, *flags in routes:
            port = getattr(where, "port", where)
            self.server.command("routes", "add", "-rh", "127.0.0.1", "-rp", str(port), *flags)

    def send(self, domain, sender="a@client.test"):
        """Recipient of its own."""
        self.count += 1
        recipient = f"reader-{self.count}@{domain}"
        session = Session(self.server.port)
        assert session.message(sender, [recipient], CONTENT)[0] == 250
        session.close()
        return recipient

    def goes(self, sink, domain, sender="a@client.test"):
        recipient = self.send(domain, sender).lower()
        other = self.two if sink is self.one else self.one
        sink.find(lambda m: recipient in m.recipients, 30)
        assert not any(recipient in m.recipients for m in other.messages), recipient

    # ---- what matches --------------------------------------------------------------------------

    def hosts(self):
        self.routes((self.one, "-d", "example.com"), (self.two, "-d", "*"))
        self.goes(self.one, "example.com")
        self.goes(self.one, "EXAMPLE.com")
        self.goes(self.two, "sub.example.com")
        self.goes(self.two, "other.test")

    def parents(self):
        self.routes((self.one, "-d", ".example.com"), (self.two,))
        self.goes(self.one, "sub.example.com")
        self.goes(self.one, "deep.sub.example.com")
        self.goes(self.two, "example.com")
        self.goes(self.two, "notexample.com")
        self.routes((self.one, "-d", ".example.com"), (self.two, "-d", ".sub.example.com"))
        self.goes(self.one, "other.example.com")
        self.goes(self.two, "deep.sub.example.com")

    def senders(self):
        """The more is said the more it weighs: sender and host, sender, its domain, host, *."""
        self.routes((self.one, "-d", "example.com"), (self.two, "-f", "boss@client.test"))
        self.goes(self.one, "example.com")
        self.goes(self.two, "example.com", "boss@client.test")
        self.goes(self.two, "example.com", "BOSS@Client.Test")
        self.routes((self.one, "-d", "example.com"), (self.two, "-f", "client.test"))
        self.goes(self.two, "example.com", "anybody@client.test")
        self.goes(self.one, "example.com", "anybody@elsewhere.test")
        self.routes((self.one, "-f", "client.test"),
                    (self.two, "-d", "example.com", "-f", "client.test"))
        self.goes(self.two, "example.com")
        self.goes(self.one, "other.test")

    def test(self, sender, recipient, *more):
        """Rows of `routes test`, and what it complains of."""
        run = self.server.command("routes", "test", sender, recipient, *more, "--json", check=False)
        return json.loads(run.stdout or "[]"), run.stderr

    def kinds(self):
        """Each wins over all that say less, and is told by its name."""
        self.routes()
        for flags, kind in reversed(KINDS):
            self.server.command("routes", "add", "-rh", "127.0.0.1", *flags)
            (row,), _ = self.test("Boss@From.test", "x@Deep.To.test", "--user", "JOE@user.test")
            assert (row["router"], row["matched"]) == ("route/table", kind), (flags, row)
        (row,), _ = self.test("boss@from.test", "x@deep.to.test")
        assert row["matched"] == "sender+host", row
        (row,), _ = self.test("", "x@to.test", "--user", "jim@user.test")
        assert row["matched"] == "user-domain", row

    def names(self):
        """A name in its own letters and its A-labels are one."""
        self.routes((self.one, "-d", "b\u00fccher.test"), (self.two, "-d", "*"))
        assert {r["destination"] for r in self.server.json("routes", "list")} == \
            {"xn--bcher-kva.test", "*"}
        self.goes(self.one, "xn--bcher-kva.test")
        (row,), _ = self.test("", "x@B\u00dcCHER.test")
        assert row["matched"] == "host", row
        self.routes((self.one, "-f", "stra\u00dfe.test"), (self.two,))
        self.goes(self.one, "to.test", "a@xn--strae-oqa.test")

    # ---- commands ------------------------------------------------------------------------------

    def refused(self):
        self.routes()
        for flags, words in WRONG:
            try:
                self.server.command("routes", "add", *flags)
            except Failed as e:
                assert words in e.errors, (flags, e.errors)
                continue
            raise AssertionError(f"{flags} was taken")
        assert self.server.json("routes", "list") == []

    def listed(self):
        """All columns, and of the password that there is one."""
        self.routes()
        self.server.command(
            "routes", "add", "-d", ".To.Test", "-rh", "[::1]", "-rp", "0", "-p", "7",
            "-l", "192.0.2.1&[2001:db8::1]", "-u", "Joe@User.test", "-f", "@From.test",
            "-rl", "Me", "-rpwd", "s3cret", "--tls", "Encrypt", "--connections", "3",
            "--messages", "10", "--rate", "100/m")
        self.server.command("routes", "add", "-rh", "mx.to.test")
        self.server.command("routes", "add", "-rh", "smtps.test", "--tls", "smtps-verify", "-rl",
                            "Me", "-rpwd", "s3cret", "--login-clear")
        rows = {row.pop("remote_host"): row for row in self.server.json("routes", "list")}
        assert "s3cret" not in str(rows) + self.server.command("routes", "list")
        for row in rows.values():
            row.pop("id")
        assert {k: v for k, v in rows["::1"].items() if v not in (None, False)} == dict(
            destination=".to.test", mail_from="from.test", auth_user="joe@user.test", priority=7,
            remote_port=25, local_ip="192.0.2.1&[2001:db8::1]", remote_login="Me", password=True,
            tls="encrypt", connections=3, messages=10, rate="100/m"), rows["::1"]
        assert {k: v for k, v in rows["mx.to.test"].items() if v not in (None, False)} == dict(
            destination="*", priority=1, remote_port=25), rows["mx.to.test"]
        smtps = rows["smtps.test"]
        assert (smtps["remote_port"], smtps["tls"], smtps["login_clear"]) == \
            (465, "smtps-verify", True), smtps

    def tested(self):
        """All that is known of each candidate, in order; limits are the strictest of the set."""
        self.routes((self.one, "-d", "to.test", "-p", "9", "--rate", "10/s", "--messages", "5"),
                    (self.two, "-d", "to.test", "-p", "2", "--rate", "100/m", "--messages", "50"),
                    (self.two, "-d", "to.test", "-p", "2", "--rate", "100/m", "--messages", "50"))
        rows, errors = self.test("", "x@to.test")
        assert not errors, errors
        assert [(r["port"], r["priority"], r["weight"]) for r in rows] == \
            [(self.two.port, 2, 2), (self.one.port, 9, 1)], rows
        for row in rows:
            assert row["host"] == row["addresses"] == "127.0.0.1", row
            assert (row["messages"], row["rate"], row["connections"]) == (5, "100/m", 20), row
            assert row["left_out"] is None, row
        self.routes((self.server.port, "-d", "to.test"))
        (row,), errors = self.test("", "x@to.test")
        assert "this server itself" in row["left_out"] and "it bounces" in errors, (row, errors)

    def tested_stopped(self):
        """The same with the server stopped."""
        self.routes((self.one, "-d", "to.test"), (self.two, "-f", "from.test", "-l", "127.0.0.5"))
        questions = [("a@from.test", "x@to.test"), ("<>", "x@to.test")]
        running = [self.test(*q) for q in questions]
        assert [rows[0]["matched"] for rows, _ in running] == ["sender-domain", "host"], running
        self.server.stop()
        try:
            stopped = [self.test(*q) for q in questions]
        finally:
            self.server.start()
        assert stopped == running, (stopped, running)

    def changes(self):
        """A route that was added or deleted counts for the next message, whatever is kept."""
        for _ in range(3):
            for sink in (self.one, self.two):
                self.routes((sink,))
                self.goes(sink, "example.com")
                self.goes(sink, "example.com")

    # ---- which of them -------------------------------------------------------------------------

    def priorities(self):
        self.routes((self.two, "-p", "5"), (self.one, "-p", "2"))
        for _ in range(5):
            self.goes(self.one, "example.com")

    def fail_over(self):
        self.routes((self.dead, "-p", "1"), (self.one, "-p", "2"))
        self.goes(self.one, "example.com")

    def weights(self):
        """A row that is there three times has about three times the mail."""
        self.routes(*[(self.one, "-d", "weigh.test")] * 3, (self.two, "-d", "weigh.test"))
        sent = {self.send("weigh.test") for _ in range(120)}

        def count():
            return [sum(bool(sent & set(m.recipients)) for m in sink.messages)
                    for sink in (self.one, self.two)]
        wait_for(lambda: sum(count()) >= len(sent), what="all messages")
        got = count()
        assert 10 <= got[1] <= 55, f"3 to 1 came out as {got[0]} to {got[1]}"

    def nobody_answers(self):
        """All fail: the message waits, and goes once there is a way."""
        self.routes((self.dead, "-p", "1"), (self.dead, "-p", "2"))
        recipient = self.send("later.test")
        self.server.lines.wait(rf"deferred .*to={recipient}")
        self.routes((self.one,))
        self.server.command("queue", "flush")
        self.one.find(lambda m: recipient in m.recipients, 60)

    # ---- from where ----------------------------------------------------------------------------

    def local_ips(self):
        self.routes((self.one, "-l", "127.0.0.77"))
        self.goes(self.one, "example.com")
        assert self.one.peers[-1] == "127.0.0.77", self.one.peers[-1]
        self.routes((self.one, "-l", "127.0.0.78|127.0.0.79"))
        before = len(self.one.peers)
        for _ in range(40):
            self.goes(self.one, "example.com")
        assert set(self.one.peers[before:]) == {"127.0.0.78", "127.0.0.79"}, self.one.peers[before:]

    def local_ip_fail_over(self):
        """An address that is not this machine's is passed over for the next."""
        self.routes((self.one, "-l", "192.0.2.77&127.0.0.80"))
        self.goes(self.one, "example.com")
        assert self.one.peers[-1] == "127.0.0.80", self.one.peers[-1]


def run(cases, build):
    table = Table(build)
    try:
        cases.run("table: a host, and *", table.hosts)
        cases.run("table: parent domains, the nearest first", table.parents)
        cases.run("table: senders and their domains", table.senders)
        cases.run("table: every kind, what says most first", table.kinds)
        cases.run("table: names that are not ASCII", table.names)
        cases.run("table: what is not right is refused", table.refused)
        cases.run("table: the list has all but passwords", table.listed)
        cases.run("table: routes test tells of each candidate", table.tested)
        cases.run("table: routes test with the server stopped", table.tested_stopped)
        cases.run("table: changes count for the next message", table.changes)
        cases.run("table: the lowest priority first", table.priorities)
        cases.run("table: the second when the first does not answer", table.fail_over)
        cases.run("table: rows given several times weigh so much", table.weights)
        cases.run("table: when nobody answers the message waits", table.nobody_answers)
        cases.run("table: local addresses in turns", table.local_ips)
        cases.run("table: a local address that fails", table.local_ip_fail_over)
    finally:
        table.close()

# SPDX-License-Identifier: MIT
"""route/table through the running program: where mail goes."""
import socket

from sink import Sink
from tmail import MODULES, Session, Tmail
from unpacked import wait_for

SETTINGS = """queue = { host_rest = 0; retry_min = "1s"; max_messages_connection = 1; };
smtp = { reverse_lookup = 0; };
"""
CONTENT = b"Subject: x\r\n\r\nx\r\n"


class Table:
    """Two sinks, and a port where nobody is."""

    def __init__(self, build):
        self.one, self.two = Sink().__enter__(), Sink().__enter__()
        self.closed = socket.socket()
        self.closed.bind(("127.0.0.1", 0))  # bound, and never listening
        self.dead = self.closed.getsockname()[1]
        modules = MODULES.replace('"route/table";', '"route/table"; ttl = "0";')
        self.server = Tmail(build, SETTINGS, modules=modules).start()
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

    def changes(self):
        """A route that was added or deleted counts for the next message."""
        self.routes((self.one,))
        self.goes(self.one, "example.com")
        self.routes((self.two,))
        self.goes(self.two, "example.com")

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
        cases.run("table: changes count for the next message", table.changes)
        cases.run("table: the lowest priority first", table.priorities)
        cases.run("table: the second when the first does not answer", table.fail_over)
        cases.run("table: rows given several times weigh so much", table.weights)
        cases.run("table: when nobody answers the message waits", table.nobody_answers)
        cases.run("table: local addresses in turns", table.local_ips)
        cases.run("table: a local address that fails", table.local_ip_fail_over)
    finally:
        table.close()

# SPDX-License-Identifier: MIT
"""auth/relayip through the running program."""
import socket

from tmail import Session, Skipped, Tmail

LISTEN = """(
  { address = "127.0.0.1"; port = 0; role = "mx"; },
  { address = "*"; port = 0; role = "mx"; name = "both"; }
)"""


class Relayip:
    def __init__(self, build):
        self.server = Tmail(build, "queue = { deliver = false; };\nsmtp = { max_bad_rcpt = 0; };\n",
                            listen=LISTEN)
        self.server.start()
        self.both = self.server.ports[-1]

    def close(self):
        self.server.close()

    def may(self, source, host="127.0.0.1", port=None):
        """Whether a client at this address may relay."""
        session = Session(port or self.both, host, source=source)
        try:
            return self.asked(session)
        finally:
            session.close()

    @staticmethod
    def asked(session):
        session.expect("EHLO client.test", 250)
        session.expect("MAIL FROM:<a@client.test>", 250)
        code, text = session.ask("RCPT TO:<b@elsewhere.test>")
        assert (code, text[0][:5]) in ((250, "2.1.5"), (554, "5.7.1")), (code, text)
        return code == 250

    def at_once(self):
        session = Session(self.server.port)
        for _ in range(20):
            assert not self.asked(session), "it may relay before it was added"
            self.server.command("relayip", "add", "127.0.0.1")
            assert self.asked(session), "it may not relay though it was added"
            self.server.command("relayip", "del", "127.0.0.1")
        assert not self.asked(session), "it may relay after it was deleted"
        session.close()

    def networks(self):
        """Of IPv4, the edges included; the innermost and the outermost alike."""
        for network, inside, outside in (
                ("127.1.2.0/24", ("127.1.2.0", "127.1.2.255"), ("127.1.3.0", "127.1.1.255")),
                ("127.1.2.4/30", ("127.1.2.4", "127.1.2.7"), ("127.1.2.3", "127.1.2.8")),
                ("127.9.9.9/32", ("127.9.9.9",), ("127.9.9.8",)),
                ("0.0.0.0/0", ("127.0.0.1", "127.200.1.1"), ())):
            self.server.command("relayip", "add", network)
            for address in inside:
                assert self.may(address), f"{address} in {network}"
            for address in outside:
                assert not self.may(address), f"{address} in {network}"
            self.server.command("relayip", "del", network)
            for address in inside:
                assert not self.may(address), f"{address} after {network} went"

    def six(self):
        try:
            socket.create_connection(("::1", self.both), 5).close()
        except OSError as trouble:
            raise Skipped(f"no IPv6 here: {trouble}") from None
        for network in ("::1", "::1/128", "::/64", "0:0:0:0:0:0:0:0/0"):
            self.server.command("relayip", "add", network)
            assert self.may(None, "::1"), network
            assert not self.may("127.0.0.1"), f"{network} let IPv4 in"
            self.server.command("relayip", "del", network)
            assert not self.may(None, "::1"), network

    def mapped(self):
        """An IPv4 client over an IPv6 socket is the IPv4 client; and so is what a person types."""
        for typed in ("127.0.0.1", "::ffff:127.0.0.1", "127.0.0.0/8"):
            self.server.command("relayip", "add", typed)
            assert self.may("127.0.0.1"), typed
            assert self.may("127.0.0.1", port=self.server.port), typed
            self.server.command("relayip", "del", typed)
            assert not self.may("127.0.0.1"), typed
        self.server.command("relayip", "add", "::ffff:192.0.2.9")
        assert [r["ip"] for r in self.server.json("relayip", "list")] == ["192.0.2.9"]

    def completes(self):
        """Mail of a client that may relay gets the Message-ID and Date it lacks."""
        self.server.command("relayip", "add", "127.0.0.1")
        session = Session(self.server.port)
        code, text = session.message("a@client.test", ["b@elsewhere.test"],
                                     b"Subject: x\r\n\r\nx\r\n")
        assert code == 250, text
        session.close()
        (row,) = self.server.json("queue", "show", "--content", text[0].split()[-1])
        assert "\r\nMessage-ID: <" in row["content"] and "\r\nDate: " in row["content"], row


def run(cases, build):
    relayip = Relayip(build)
    try:
        cases.run("relayip: add and del are in force at once in an open session", relayip.at_once)
        cases.run("relayip: networks of IPv4 and their edges", relayip.networks)
        cases.run("relayip: addresses and networks of IPv6", relayip.six)
        cases.run("relayip: IPv4 over an IPv6 socket", relayip.mapped)
        cases.run("relayip: what is missing in the header is added", relayip.completes)
    finally:
        relayip.close()

# SPDX-License-Identifier: MIT
"""`tmail explain`: what would become of a message, and who would say so."""
import json
import socket

from nsd import Nsd
from sink import Sink
from tmail import Failed, Session, Skipped, Tmail

SETTINGS = """smtp = { reverse_lookup = 0; sender_dns = "reject"; max_message_size = "1M"; };
queue = { host_rest = "1h"; retry_min = "1h"; max_messages_connection = 77;
  destinations = ( { domain = ".slow.test"; rate = "0.5/s"; connections = 2; } ); };
"""
ZONE = """from MX 10 from
from A 192.0.2.1
null MX 0 .
mx.slow A 192.0.2.26
"""
LISTEN = """( { address = "127.0.0.1"; port = 0; role = "mx"; },
  { address = "127.0.0.1"; port = 0; role = "submission"; name = "users"; } )"""


class Explained:
    def __init__(self, build):
        self.dns = Nsd({"test": ZONE}).__enter__()
        self.server = Tmail(build, SETTINGS + self.dns.setting, listen=LISTEN)
        self.server.start()
        self.server.command("rcpthost", "add", "to.test")
        self.server.command("relayip", "add", "192.0.2.9")
        self.server.command("routes", "add", "-d", "*", "-rh", "192.0.2.25", "-p", "3",
                            "--rate", "5/s")

    def close(self):
        self.server.close()
        self.dns.__exit__()

    def explain(self, to="x@to.test", sender="a@from.test", *more):
        """[(point, by, verdict, text)], without the session's id and times."""
        rows = self.server.json("explain", "--from", sender, "--to", to, *more)
        return [(r["point"], r["by"], r["verdict"] or "", r["text"] or "") for r in rows]

    def last(self, *words):
        return self.explain(*words)[-1]

    def whole(self):
        """Each step in order, down to the host."""
        rows = self.explain("x@to.test", "a@from.test", "--ip", "192.0.2.8")
        assert [row[:3] for row in rows] == [
            ("CONNECT", "tmail", "OK"), ("HELO", "tmail", "OK"),
            ("MAIL", "tmail", ""), ("MAIL", "tmail", ""), ("MAIL", "tmail", "OK"),
            ("RCPT", "tmail", ""), ("RCPT", "tmail", "OK"),
            ("ROUTE", "route/table", "OK")], rows
        texts = [row[3] for row in rows]
        assert texts[2] == "relayip: 192.0.2.8 is not there", texts
        assert texts[3] == "sender_dns: the sender's domain can take an answer", texts
        assert texts[5] == "rcpthost: to.test is there: remote", texts
        self.ends(texts[7], "20 connections, 77 messages a connection, at most 5/s")

    @staticmethod
    def ends(text, limits):
        assert text.startswith("*: 3 192.0.2.25:25 [192.0.2.25], "), text
        assert text.endswith(", " + limits), text

    def limits(self):
        """Those of the settings by pattern count where the route has none."""
        self.server.command("routes", "add", "-d", "limits.test", "-rh", "mx.slow.test")
        (row,) = self.server.json("routes", "test", "a@from.test", "x@limits.test")
        assert (row["connections"], row["messages"], row["rate"]) == (2, 77, "0.5/s"), row
        text = self.last("x@limits.test", "a@from.test", "--user", "joe@from.test")[3]
        assert text.endswith(", 2 connections, 77 messages a connection, at most 0.5/s"), text

    def relay(self):
        """Who may relay, and by what."""
        assert self.last("x@other.test", "a@from.test", "--ip", "192.0.2.8")[2:] == \
            ("REJECT", "554 5.7.1 <x@other.test>: Relay access denied.")
        rows = self.explain("x@other.test", "a@from.test", "--ip", "192.0.2.9")
        assert ("MAIL", "tmail", "", "relayip: 192.0.2.9 is there") in rows, rows
        assert rows[-1][0] == "ROUTE", rows
        rows = self.explain("x@other.test", "a@from.test", "--user", "joe@from.test")
        assert ("RCPT", "tmail", "", "joe@from.test is logged in and may relay") in rows, rows
        assert rows[-1][0] == "ROUTE", rows

    def sender(self):
        for domain, reply in (("gone.test", "550 5.1.8"), ("null.test", "550 5.7.27")):
            row = self.last("x@to.test", "a@" + domain, "--ip", "192.0.2.8")
            assert row[:3] == ("MAIL", "tmail", "REJECT") and row[3].startswith(reply), row
        assert self.last("x@to.test", "<>", "--ip", "192.0.2.8")[0] == "ROUTE"

    def size(self):
        row = self.last("x@to.test", "a@from.test", "--size", "2M")
        assert row[0] == "MAIL" and row[3].startswith("552 5.3.4"), row
        assert self.last("x@to.test", "a@from.test", "--size", "1000")[0] == "ROUTE"

    def listener(self):
        """One for logins does not take those without."""
        row = self.last("x@to.test", "a@from.test", "--listener", "users")
        assert row[0] == "MAIL" and row[3].startswith("530 "), row
        assert self.last("x@to.test", "a@from.test", "-l", "users", "-u", "joe")[0] == "ROUTE"

    def wrong(self):
        for words, part in ((["--from", "a b", "--to", "x@to.test"], "'a b'"),
                            (["--from", "", "--to", "nobody"], "'nobody'"),
                            (["--from", "", "--to", "x@to.test", "--ip", "1.2.3"], "'1.2.3'"),
                            (["--from", "", "--to", "x@to.test", "--size", "big"], "'big'"),
                            (["--from", "", "--to", "x@to.test", "-l", "pop3"], "no listener")):
            try:
                self.server.command("explain", *words)
            except Failed as e:
                assert part in e.errors, (words, e.errors)
                continue
            raise AssertionError(f"{words} was taken")

    def nothing_kept(self):
        before = self.server.status()
        self.explain()
        after = self.server.status()
        for name in ("queue.messages", "sessions", "counter.sessions_accepted",
                     "counter.messages_accepted"):
            assert before.get(name) == after.get(name), (name, before.get(name), after.get(name))

    def rests(self):
        """A host that did not answer is left out, and it is said since what."""
        with socket.socket() as closed, Sink() as second:
            closed.bind(("127.0.0.1", 0))  # and never listens
            for port, priority in ((closed.getsockname()[1], 1), (second.port, 2)):
                self.server.command("routes", "add", "-d", "rests.test", "-rh", "127.0.0.1",
                                    "-rp", port, "-p", priority)
            assert self.last("x@rests.test", "", "-u", "joe")[2] == "OK"
            self.server.command("relayip", "add", "127.0.0.1")
            session = Session(self.server.port)
            assert session.message("a@from.test", ["x@rests.test"], b"S: x\r\n\r\nx\r\n")[0] == 250
            session.close()
            second.find(lambda m: "x@rests.test" in m.recipients, 30)
            first, other = self.explain("x@rests.test", "", "-u", "joe")[-2:]
            assert first[2] == "left out" and "left out: it rests" in first[3], first
            assert other[2] == "OK", other

    def stopped(self):
        self.server.stop()
        try:
            self.server.command("explain", "--from", "", "--to", "x@to.test", "--json")
        except Failed as e:
            assert json.loads(e.errors) == {"errors": ["explain: the server is stopped"]}, e.errors
        else:
            raise AssertionError("explain without a server")
        finally:
            self.server.start()


def run(cases, build):
    try:
        explained = Explained(build)
    except Skipped as reason:
        cases.skip("explain: with a real name server", reason)
        return
    try:
        cases.run("explain: every step, down to the host", explained.whole)
        cases.run("explain: the limits in force", explained.limits)
        cases.run("explain: who may relay, and by what", explained.relay)
        cases.run("explain: the sender's domain", explained.sender)
        cases.run("explain: the size", explained.size)
        cases.run("explain: by another listener", explained.listener)
        cases.run("explain: mistakes in its words", explained.wrong)
        cases.run("explain: nothing is kept or counted", explained.nothing_kept)
        cases.run("explain: a host that rests", explained.rests)
        cases.run("explain: with the server stopped", explained.stopped)
    finally:
        explained.close()

# SPDX-License-Identifier: MIT
"""A small internet for one file of cases: a name server with its zones, servers with addresses of
their own that all listen on port 25, and the tmail that sends to them."""
import contextlib
import itertools
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "bench")]

import netns  # noqa: E402
from nsd import Nsd  # noqa: E402
from report import bounce_report  # noqa: E402
from sink import Script, Sink  # noqa: E402
from tmail import Cases, Session, Tmail, wait_for  # noqa: E402

MODULES = """(
  { module = "store/sqlite"; },
  { module = "store/journal"; },
  { module = "auth/relayip"; },
  { module = "route/table"; ttl = "0"; },
  { module = "route/mx"; }
)"""

# What no server may say, whatever the others do.
BAD = re.compile(r"Sanitizer|runtime error|server_(crashed|ended|killed)")

BACK = "203.0.113.1"  # where reports go
CLIENT = "client MX 10 back.client\nback.client A " + BACK + "\n"


class World:
    """with World(build, {"test": "one MX 10 mx.one\\nmx.one A 192.0.2.1"}) as world: ..."""

    def __init__(self, build, zones, queue="host_rest = 0;", settings="",
                 timeout_connect="5s", smtp="reverse_lookup = 0;", dns=None, **of_tmail):
        """dns: what else its name server is told."""
        self.stack, self.numbers = contextlib.ExitStack(), itertools.count(1)
        zones = dict(zones, test=CLIENT + zones.get("test", ""))
        try:
            self.dns = self.stack.enter_context(Nsd(zones, **(dns or {})))
            self.back = self.sink(BACK)
            self.server = Tmail(
                build, f"smtp = {{ {smtp} }};\n"
                f"queue = {{ timeout_connect = \"{timeout_connect}\"; {queue} }};\n{self.dns.setting}{settings}",
                **{"modules": MODULES, **of_tmail})
            self.stack.enter_context(self.server)
            self.server.command("relayip", "add", "127.0.0.1")
        except BaseException:
            self.stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, trouble, *_):
        status, lines = self.server.stop(), self.server.lines.lines
        self.stack.close()
        bad = [line for line in lines if BAD.search(line)]
        assert trouble or status == 0 and not bad, f"tmail ended with {status}: {bad[:20]}"

    # ---- who is there --------------------------------------------------------------------------

    def sink(self, address, table=None, **more):
        """A server; table is its Script."""
        return self.stack.enter_context(
            Sink(address, Script(table) if table else None, port=25, **more))

    def silent(self, address):
        return self.stack.enter_context(netns.Silent(address))

    # ---- mail ----------------------------------------------------------------------------------

    def send(self, *recipients, content=b"Subject: refused\r\n\r\ntext\r\n", sender=None):
        """One message; by a sender of its own, whom it answers."""
        if sender is None:
            sender = f"writer-{next(self.numbers)}@client.test"
        session = Session(self.server.port)
        answer = session.message(sender, recipients, content)
        session.close()
        assert answer[0] == 250, answer
        return sender

    def arrives(self, recipient, sink, seconds=60):
        """A message for it does, at this server; the message."""
        sender = self.send(recipient)
        return sink.find(lambda m: m.sender == sender and recipient in m.recipients, seconds)

    def bounces(self, recipient, *words):
        text, fields = bounce_report(self.back, self.send(recipient))
        assert fields["Action"] == "failed", fields.as_string()
        said = fields.as_string() + text
        for word in words:
            assert word in said, f"no {word!r} in: {said}"
        return said

    def row(self, recipient):
        """Of the queue, when it was tried and is to be tried again: before it was tried it is
        scheduled as well."""
        return self.server.queue_row("Scheduled", "--state", "deferred", "--to", recipient)

    def defers(self, recipient, *words):
        self.send(recipient)
        row = self.row(recipient)
        assert row["next_delivery"], row
        for word in words:
            assert word in row["reason"], row
        return row

    def route(self, domain, *flags):
        self.server.command("routes", "add", "-d", domain, *flags)

    def empty(self, seconds=30):
        wait_for(lambda: self.server.json("queue", "list") == [], seconds, "an empty queue")


def main(run):
    """Of each file of cases: run(cases, build), in a network of its own."""
    netns.enter()
    cases = Cases()
    run(cases, os.path.abspath(sys.argv[1]))
    sys.exit(cases.end())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""many.py BUILD: fifty destinations of which ten are dead or crawl. Not how long it takes is
judged, but what comes first: all mail of the good ones arrives while that of the others waits, for
they have more mail than may be under way at a time."""
from world import main

from measure import Tools
from thousand import CRAWL, REFUSE, SILENT, Internet, Run

MESSAGES, BAD, WAY = 1600, 400, "max_connections = 20; max_connections_destination = 5;"


class Many:
    def __init__(self, build):
        self.build, self.tools = build, Tools(build)

    def order(self, order, queue=WAY, settings=""):
        """No message to who crawls is through before ten minutes have passed."""
        with Internet(self.tools, 50, crawl_ms=5000) as internet, \
                Run(self.build, internet, queue, settings) as run:
            run.seconds(MESSAGES, BAD, order, patience=120)
            left = {kind: sum(int(run.server.command("queue", "count", "--to", "@" + domain))
                              for domain in internet.domains(kind))
                    for kind in (CRAWL, REFUSE, SILENT)}
            assert sum(left.values()) == BAD, f"of {BAD} there wait {left}"

    def first(self):
        self.order("first")

    def mixed(self):
        self.order("mixed")

    def one_connection_each(self):
        """As many dead and crawling destinations as there may be connections. All of them are one
        loop's: of two each would have half, and in one run of sixteen all who crawl."""
        self.order("first", "max_connections = 10; max_connections_destination = 1;",
                   "threads = 1;\n")


def run(cases, build):
    many = Many(build)
    cases.run("many destinations: the good are done while the bad wait, who came first", many.first)
    cases.run("many destinations: the same when all are sent to in turn", many.mixed)
    cases.run("many destinations: as many bad ones as connections", many.one_connection_each)


if __name__ == "__main__":
    main(run)

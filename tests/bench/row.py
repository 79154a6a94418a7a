# SPDX-License-Identifier: MIT
"""A row of the table: how it is shown, what is wanted of it beside the peers, and what makes a run of
it wrong. How a program is measured is said by those who inherit; rows.py has all of them."""
import statistics


class Wanted:
    """How tmail's figure is to stand: at least (or at most) `factor` times a peer's, or the best
    one's of several, or itself at most (or at least) so much."""

    def __init__(self, peers, factor, most=False):
        self.peers = (peers,) if isinstance(peers, str) else tuple(peers or ())
        self.factor, self.most = factor, most

    def text(self, unit=""):
        sign, factor = "≤" if self.most else "≥", f"{self.factor:,g}"
        if 0 < self.factor < 0.1:
            factor = f"1/{1 / self.factor:.3g}"
        if not self.peers:
            return f"{sign} {factor} {unit}".rstrip()
        return f"{sign} {factor} × " + (
            self.peers[0] if len(self.peers) == 1 else "the best of " + ", ".join(self.peers))

    def met(self, figures):
        """(what it is, whether that is enough), or None when no peer was measured."""
        own = figures.get("tmail")
        others = [figures[p] for p in self.peers if figures.get(p)]
        if own is None or self.peers and not others:
            return None
        value = own / (min if self.most else max)(others) if others else own
        return value, value <= self.factor if self.most else value >= self.factor


class Row:
    unit, figure, digits, wanted = "", "", 0, ()
    peers = ("tmail", "reference", "postfix", "exim", "opensmtpd", "haraka")
    most_runs = 100  # it is the same each time, or takes long
    of = None  # the row in whose runs this one's figure is found

    def __init__(self, name, title):
        self.name, self.title = name, title

    def value(self, results):
        values = [r[self.figure] for r in results if r.get(self.figure) is not None]
        return statistics.median(values) if values else None

    def end(self):
        """After its last run."""


class Part(Row):
    """Another figure of a row's runs."""

    def __init__(self, of, name, title, figure, unit, digits=0, wanted=()):
        super().__init__(name, title)
        self.of, self.figure, self.unit = of, figure, unit
        self.digits, self.wanted = digits, wanted


def not_kept(result, kind):
    """What was answered 250 must be in the queue, also after a restart; in tmail's no more, either."""
    found = [(key, result[key]) for key in ("queued", "queued_after_restart")
             if result.get(key) is not None]
    return [f"{key} is {count}, answered 250 were {result['expected']}" for key, count in found
            if count < result["expected"] or kind.name == "tmail" and count > result["expected"]]


def not_served(result, kind):
    """Of tmail; how others come through is theirs."""
    return [f"{key} are {result[key]}" for key in ("refused", "lost", "unanswered", "not_done")
            if kind.name == "tmail" and result[key]]

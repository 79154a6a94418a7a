# SPDX-License-Identifier: MIT
"""Rows about clients that encrypt, and clients that log in. Certificates are ECDSA with P-256, TLS is
1.3, no session is resumed; passwords are stored as argon2id with tmail's settings as they come."""
from measure import cpu_seconds, disk_quiet
from programs import Setting
from row import Row, not_kept, not_served


class Handshakes(Row):
    """Sessions a second: connect, EHLO, STARTTLS, a full handshake, EHLO, QUIT; then how long it
    takes from connect to the second EHLO's answer when there is one connection at a time."""

    unit, figure = "sessions/s", "rate"
    peers = ("tmail", "postfix", "exim", "haraka")
    paces = {"postfix": 0.3, "exim": 0.1, "haraka": 0.3}

    def __init__(self, name, title, sessions, wanted):
        super().__init__(name, title)
        self.sessions, self.wanted = sessions, wanted

    def one(self, bench, kind):
        count = int(self.sessions * self.paces.get(kind.name, 1))
        with kind(bench, Setting(tls=True)) as program:
            program.send(20, 100, tls="starttls", hello=True)
            cpu = cpu_seconds(program.processes())
            result = program.send(20, count, tls="starttls", hello=True)
            result["cpu_ms"] = (cpu_seconds(program.processes()) - cpu) * 1e3 / result["accepted"]
            result["one_p50_ms"] = program.send(1, 200, tls="starttls", hello=True)["p50_ms"]
            result["wrong"] = not_served(result, kind)
        return result


class ThroughTls(Row):
    """Messages a second through TLS; half as many in clear before and after it tell how much of the
    rate is left."""

    unit, figure = "messages/s", "rate"
    peers = ("tmail", "postfix", "exim", "haraka")

    def __init__(self, name, title, messages):
        super().__init__(name, title)
        self.messages = messages

    def one(self, bench, kind):
        count = int(self.messages * kind.pace)
        with kind(bench, Setting(tls=True)) as program:
            runs = [program.send(20, 200)]
            disk_quiet()
            for tls, share in ((None, 2), ("starttls", 1), (None, 2)):
                cpu = cpu_seconds(program.processes())
                runs.append(program.send(20, count // share, tls=tls))
                runs[-1]["cpu_ms"] = (cpu_seconds(program.processes()) - cpu) * 1e3 * share / count
            _, before, result, after = runs
            result["clear_rate"] = (before["rate"] + after["rate"]) / 2
            result["clear_cpu_ms"] = (before["cpu_ms"] + after["cpu_ms"]) / 2
            result["ratio"] = result["rate"] / result["clear_rate"]
            result["expected"] = sum(run["accepted"] for run in runs)
            result["queued"] = program.queued()
            result["wrong"] = not_kept(result, kind) + [
                line for run in runs for line in not_served(run, kind)]
        return result


class Logins(Row):
    """Messages a second, each on a connection of its own that logs in."""

    unit, figure = "messages/s", "rate"
    peers = ("tmail", "postfix")
    paces = {"postfix": 0.02}  # it has each password hashed

    def __init__(self, name, title, messages, tls=None, users="", wanted=()):
        super().__init__(name, title)
        self.messages, self.tls, self.users, self.wanted = messages, tls, users, wanted

    def one(self, bench, kind):
        count = max(int(self.messages * self.paces.get(kind.name, 1)), 100)
        with kind(bench, Setting(tls=bool(self.tls), login=True, users=self.users)) as program:
            warm = program.send(20, 100, 1, tls=self.tls)
            disk_quiet()
            cpu = cpu_seconds(program.processes())
            result = program.send(20, count, 1, tls=self.tls)
            result["cpu_ms"] = (cpu_seconds(program.processes()) - cpu) * 1e3 / max(count, 1)
            result["expected"] = warm["accepted"] + result["accepted"]
            result["queued"] = program.queued()
            result["wrong"] = not_kept(result, kind) + not_served(result, kind)
        return result

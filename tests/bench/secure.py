# SPDX-License-Identifier: MIT
"""Rows about clients that encrypt, and clients that log in. Certificates are ECDSA with P-256, TLS is
1.3, no session is resumed; passwords are stored as argon2id with tmail's settings as they come."""
import os
import sys

from measure import cpu_seconds, disk_quiet
from programs import Setting
from row import Row, not_kept, not_served

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "overload"))
from crowd import CrowdProcess  # noqa: E402


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


class Flood(Row):
    """What is left of mail over kept connections, and of logins with a message each, all of them
    known, while a crowd guesses passwords: each with and without the crowd, in turns."""

    unit, figure, digits = "of without", "mail_ratio", 2
    peers = ("tmail",)

    def __init__(self, name, title, guessers, messages, logins, wanted):
        super().__init__(name, title)
        self.guessers, self.messages, self.logins = guessers, messages, logins
        self.wanted = wanted

    def one(self, bench, kind):
        users = 'mechanisms = [ "PLAIN", "LOGIN", "SCRAM-SHA-256" ];'
        with kind(bench, Setting(login=True, users=users)) as program:
            program.send(20, 200, 1)  # now they are known
            quiet = self.through(program)
            with CrowdProcess("guess", program.port, self.guessers) as crowd:
                flooded = self.through(program)
            again = self.through(program)
        result = {"guesses": crowd.told["rounds"], "answers": crowd.told["codes"], "wrong": []}
        for what, before, during, after in zip(("mail", "logins"), quiet, flooded, again):
            result[what + "_rate"], result[what + "_quiet"] = during["rate"], before["rate"]
            result[what + "_ratio"] = during["rate"] * 2 / (before["rate"] + after["rate"])
            result["wrong"] += not_served(during, kind)
        return result

    def through(self, program):
        return program.send(20, self.messages), program.send(20, self.logins, 1)

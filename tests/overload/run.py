#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Crowds of bad clients, and what is left for the good ones.

    tests/overload/run.py BUILD [--clients 2000] [--messages 20000] [--runs 3] [--only drip,...]

`flood` is a crowd that guesses passwords: whoever is known logs in and sends past all that wait. For
each other crowd: messages a second that 20 good clients have answered 250 without and with it, in turns;
the memory it costs; what it was told. What passes or fails is not a time: every good message is
answered 250, nobody is left without an answer, memory stays below the bound that docs/smtp.md
states, refusals are 421 or 452. The ratio is printed beside what is wanted of it."""
import argparse
import glob
import json
import os
import statistics
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "bench"), os.path.join(HERE, "..", "lib")]
from accounts import Accounts, sample_modules  # noqa: E402
from crowd import CrowdProcess  # noqa: E402
from measure import Tools, family, memory_kb  # noqa: E402
from tmail import Cases, Session, Tmail, wait_for  # noqa: E402

BOUND_KB = {"drip": 16, "deaf": 100, "churn": 16}  # more memory, for each client; docs/smtp.md
WANTED = 0.5


class Memory:
    """The most that the server had while this was open, in KB of private dirty memory."""

    def __init__(self, server):
        self.numbers, self.most, self.stop = family(server.process.pid), 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.stop.wait(0.1):
            self.most = max(self.most, memory_kb(self.numbers)[0])

    def __enter__(self):
        self.before = memory_kb(self.numbers)[0]
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def crowded(tools, build, kind, a):
    """Good clients without and with a crowd, in turns."""
    settings = "queue = { deliver = false; }; smtp = { reverse_lookup = 0; };"
    rates, answers, more, rounds = {"quiet": [], "crowd": []}, {}, 0, 0
    with Tmail(build, settings) as server:
        server.command("rcpthost", "add", "dest.test")
        server.command("relayip", "add", "127.0.0.1")
        tools.send(server.port, 20, a.messages)  # memory of a busy server is not the crowd's
        for _ in range(a.runs):
            rates["quiet"].append(good(tools, server, a.messages))
            with Memory(server) as memory, CrowdProcess(kind, server.port, a.clients) as crowd:
                rates["crowd"].append(good(tools, server, a.messages))
            more, rounds = max(more, memory.most - memory.before), rounds + crowd.told["rounds"]
            for code, n in crowd.told["codes"].items():
                answers[code] = answers.get(code, 0) + n
            assert kind == "churn" or crowd.ready == a.clients, \
                f"{a.clients - crowd.ready} clients were neither greeted nor turned away"
    ratio = statistics.median(c / q for c, q in zip(rates["crowd"], rates["quiet"]))
    print(json.dumps({"crowd": kind, "clients": a.clients,
                      "quiet": round(statistics.median(rates["quiet"])),
                      "crowd_rate": round(statistics.median(rates["crowd"])),
                      "ratio": round(ratio, 2), "wanted": WANTED,
                      "more_kb_client": round(more / a.clients, 1), "rounds": rounds,
                      "answers": answers}), flush=True)
    assert more <= BOUND_KB[kind] * a.clients, f"{more} KB more memory"
    refusals = {code for code in answers if code[0] in "45"}
    assert refusals <= {"421", "452"}, f"refused with {sorted(refusals)}"


def good(tools, server, messages, **more):
    """Messages a second, all of them answered 250."""
    result = tools.send(server.port, 20, messages, **more)
    wrong = {key: result[key] for key in ("refused", "lost", "unanswered") if result.get(key)}
    assert not wrong, f"of {messages} good messages: {wrong}"
    return result["rate"]


def recipients(build):
    """50,000 recipients: a thousand are taken, the others told to come later, and it is one message."""
    with Tmail(build, "queue = { deliver = false; };") as server:
        server.command("rcpthost", "add", "dest.test")
        session = Session(server.port)
        session.expect("EHLO many.test", 250)
        session.expect("MAIL FROM:<a@source.test>", 250)
        threading.Thread(target=session.send, args=(
            b"".join(b"RCPT TO:<r%d@dest.test>\r\n" % n for n in range(50000)),)).start()
        codes = []
        while len(codes) < 50000:
            code, words = session.reply()
            codes.append(code)
            if code in (421, 0):
                break
        assert codes.count(250) == 1000 and codes[1000] == 452, \
            f"{codes.count(250)} taken, then {codes[1000:1003]}"
        assert set(codes) <= {250, 452, 421}, sorted(set(codes))
        print(json.dumps({"recipients": 50000, "taken": codes.count(250),
                          "later": codes.count(452), "closed": codes[-1] == 421}), flush=True)
        other = Session(server.port)
        code, words = other.message("a@source.test", ["ok@dest.test"], b"Subject: x\r\n\r\nx\r\n")
        assert code == 250, words


GUESSES = 200
FLOOD = '( { address = "127.0.0.1"; port = 0; role = "submission"; auth_clear = true; tls = "off"; } )'


def hashing(server):
    """Threads that hash, all of which stand back behind the others."""
    found = []
    for path in glob.glob(f"/proc/{family(server.process.pid)[-1]}/task/*/stat"):
        try:
            with open(path, encoding="latin-1") as f:
                name, _, rest = f.read().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        if name == "hash":
            found.append(int(rest.split()[16]) > 0)
    return all(found) and len(found)


def flood(tools, build, a):
    """Passwords are made so dear here that a crowd's guesses wait for minutes, and many too long. Those
    who are known, from where they had logged in before, wait for none of them. Threads that hash
    stand back behind all others."""
    settings = "queue = { deliver = false; }; smtp = { reverse_lookup = 0; auth_parallel = 1; };"
    users = 'mechanisms = [ "PLAIN", "LOGIN", "SCRAM-SHA-256" ]; argon2_passes = 60;'
    with tempfile.TemporaryDirectory() as folder, Tmail(
            build, settings, modules=sample_modules(build, users), listen=FLOOD) as server:
        accounts = Accounts(build, folder, 3)
        accounts.add_to(server)
        known = {"per_connection": 1, "logins": accounts.file}
        for _ in range(2):  # the first time each is hashed
            quiet = good(tools, server, a.messages // 4, **known)
        with CrowdProcess("guess", server.port, GUESSES) as crowd:
            wait_for(lambda: hashing(server), what="a guess that is hashed")
            rate = good(tools, server, a.messages // 4, **known)
    print(json.dumps({"crowd": "guess", "clients": GUESSES, "quiet": round(quiet),
                      "crowd_rate": round(rate), "ratio": round(rate / quiet, 2), "wanted": WANTED,
                      "guesses": crowd.told["rounds"], "answers": crowd.told["codes"]}), flush=True)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--clients", type=int, default=2000)
    ap.add_argument("--messages", type=int, default=20000)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--only", default="drip,deaf,churn,recipients,flood")
    a = ap.parse_args()
    tools, cases = Tools(a.build), Cases()
    for name in a.only.split(","):
        if name == "recipients":
            cases.run(name, recipients, a.build)
        elif name == "flood":
            cases.run(name, flood, tools, a.build, a)
        else:
            cases.run(name, crowded, tools, a.build, name, a)
    return cases.end()


if __name__ == "__main__":
    sys.exit(main())

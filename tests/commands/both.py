# SPDX-License-Identifier: MIT
"""Every command twice: of a stopped server's folder, and of a running one. The same words have the
same effect, the same output and the same exit status."""
import json
import re

from tmail import Session, Tmail

# (words, exit status, a pattern that all of standard output matches, ... of standard error)
TABLES = [
    ("rcpthost list", 0, r"ID +HOSTNAME +KIND\n", ""),
    ("rcpthost add Example.COM", 0, "", ""),
    ("rcpthost add example.com.", 1, "", r"tmail: Hostname example\.com already in rcpthosts\n"),
    ("rcpthost add -l local.example", 0, "", ""),
    ("rcpthost add two.example --local", 0, "", ""),
    ("rcpthost add three.example -l=true", 0, "", ""),
    ("rcpthost add --local=false four.example", 0, "", ""),
    ("rcpthost list", 0, r"ID +HOSTNAME +KIND *\n"
     r"1 +example\.com +remote\n5 +four\.example +remote\n2 +local\.example +local\n"
     r"4 +three\.example +local\n3 +two\.example +local\n", ""),
    ("rcpthost del EXAMPLE.com", 0, "", ""),
    ("rcpthost del example.com", 1, "", r"tmail: Hostname example\.com is not in rcpthosts\n"),
    ("rcpthost add bad@host", 1, "", r"tmail: 'bad@host' is not a host name\n"),
    ("rcpthost add " + "a" * 256, 1, "", r"tmail: hostname must have less than 256 chars\n"),
    ("relayip add 127.0.0.1", 0, "", ""),
    ("relayip add 127.0.0.1", 1, "", r"tmail: IP 127\.0\.0\.1 may relay already\n"),
    ("relayip add 192.0.2.0/24", 0, "", ""),
    ("relayip add 2001:DB8:5::/48", 0, "", ""),
    ("relayip add 192.0.2.1/24", 1, "", r"tmail: Invalid IP: 192\.0\.2\.1/24 \(.*\)\n"),
    ("relayip add nonsense", 1, "", r"tmail: Invalid IP: nonsense\n"),
    ("relayip list", 0, r"ID +IP *\n1 +127\.0\.0\.1\n2 +192\.0\.2\.0/24\n3 +2001:db8:5::/48\n", ""),
    ("relayip del 192.0.2.0/24", 0, "", ""),
    ("relayip del 192.0.2.0/24", 1, "", r"tmail: IP 192\.0\.2\.0/24 is not listed\n"),
    ("relayip del 192.0.2.1", 1, "", r"tmail: IP 192\.0\.2\.1 is not listed\n"),
    ("routes add -d Example.com -rh MX.slow.example", 0, "", ""),
    ("routes add -rh relay.example -rl login -rpwd secret", 0, "", ""),
    ("routes add -rh relay.example -rp 70000", 1, "", r"tmail: remote port is .* '70000'\n"),
    ("routes add -rh relay.example -p x", 2, "", r"tmail: routes add: 'priority' wants .*\n"),
    ("routes add -rh relay.example -l 127.0.0.1&127.0.0.2|127.0.0.3", 1, "", r"tmail: .*\n"),
    ("routes add -rh relay.example --tls perhaps", 1, "", r"tmail: tls is none, .* 'perhaps'\n"),
    ("routes add -d example.com", 2, "", r"tmail: routes add: --remote-host is missing.*\n"),
    ("routes list", 0, r"ID +DESTINATION +.*\n2 +\* .* yes .*\n"
     r"1 +example\.com .*mx\.slow\.example .*\n", ""),
    ("routes del 1", 0, "", ""),
    ("routes del 1", 1, "", r"tmail: there is no route '1'\n"),
    ("routes del one", 1, "", r"tmail: a route id is a number, not 'one'\n"),
    ("db status", 0, r"MODULE +TABLES *\n(\S+ +ok\n)+", ""),
    ("db init", 0, "", ""),
    ("rcpthost", 2, "", r"tmail: rcpthost: one of add, del, list is missing\n"),
    ("rcpthost add", 2, "", r"tmail: rcpthost add: HOSTNAME is missing; .*\n"),
    ("rcpthost add a b", 2, "", r"tmail: rcpthost add: 'b' is one word too many; .*\n"),
    ("rcpthost add --lokal a", 2, "", r"tmail: .*'--lokal', did you mean '--local'\?.*\n"),
    ("rcpthost ad x", 2, "", r"tmail: .*did you mean 'rcpthost add'\?\n"),
    ("rcpthots list", 2, "", r"tmail: there is no command 'rcpthots.*\n"),
    ("rcpthost add --help", 0, r"usage: tmail rcpthost add \[flags\] HOSTNAME\n(.*\n)+", ""),
    ("modules", 0, r"NAME +VERSION +USED AS +SUMMARY *\n(\w+/\w+ .*\n)+", ""),
    ("modules route/rcpthost", 0, r"KIND +NAME +TEXT *\nmodule +route/rcpthost (.*\n)+", ""),
    ("modules route/nothing", 1, "", r"tmail: modules: there is no module 'route/nothing' .*\n"),
]

QUEUE = [
    ("queue count", 0, r"4\n", ""),
    ("queue count --to @two.example", 0, r"2\n", ""),
    ("queue count --from first@client.test", 0, r"1\n", ""),
    ("queue list --from first@client.test", 0,
     r"ID +FROM +TO +STATUS .*\nID1 +first@client\.test +a@one\.example +.*\n", ""),
    ("queue list --from nobody@client.test", 0, r"There is no message in queue\.\n", ""),
    ("queue list --limit 1", 0, r"ID .*\nID\d .*\n", ""),
    ("queue list --older 1h", 0, r"There is no message in queue\.\n", ""),
    ("queue list --older soon", 1, "", r"tmail: queue list: --older wants a duration .*\n"),
    ("queue show ID1", 0, r"NAME +VALUE *\nid +ID1\nfrom +first@client\.test\n(.*\n)+", ""),
    ("queue show --content ID1", 0, r"Received: .*\n(.*\n)*Subject: first\n(.*\n)*\ntext\n+", ""),
    ("queue show nonsense", 1, "", r"tmail: queue show: 'nonsense' is no message id\n"),
    ("queue show 000pgdqskcij100000000029ka", 1, "",
     r"tmail: queue show: there is no such message .*\n"),
    ("queue hold", 2, "", r"tmail: queue hold: which messages\? .*\n"),
    ("queue hold ID1 --because reasons", 0, r"1\n", ""),
    ("queue list --held", 0, r"ID .*\nID1 .* Held .* reasons\n", ""),
    ("queue hold --dry-run --all", 0, r"3\n", ""),
    ("queue count --held", 0, r"1\n", ""),
    ("queue release ID1", 0, r"1\n", ""),
    ("queue count --held", 0, r"0\n", ""),
    ("queue hold --from first@client.test -n", 0, r"1\n", ""),
    ("queue discard ID1 -n", 0, r"1\n", ""),
    ("queue discard ID1", 0, r"1\n", ""),
    ("queue discard ID1", 1, "", r"tmail: queue discard: there is no message 'ID1' .*\n"),
    ("queue count", 0, r"3\n", ""),
    ("queue discard", 2, "", r"tmail: queue discard: which messages\? .*\n"),
    ("queue purge", 0, r"0\n", ""),
    ("queue flush", 0, r"2\n", ""),
    ("queue retry ID2", 0, r"1\n", ""),
    ("queue discard --all", 0, r"2\n", ""),
    ("queue list", 0, r"There is no message in queue\.\n", ""),
]

LISTS = ["rcpthost list", "relayip list", "routes list", "queue list", "queue count", "db status",
         "modules", "modules route/table"]


class Both:
    """One folder: a server that keeps what it accepts, running or stopped again."""

    def __init__(self, build, running):
        self.server = Tmail(build, "queue = { deliver = false; };\n"
                                   "smtp = { reverse_lookup = 0; };\n")
        self.running, self.ids = running, []
        if running:
            self.server.start()

    def close(self):
        self.server.close()

    def fill(self):
        """Three messages, four recipients; their ids in the order they were accepted."""
        if not self.running:
            self.server.start()
        self.server.command("relayip", "add", "127.0.0.1", check=False)
        session = Session(self.server.port)
        for name, recipients in (("first", ["a@one.example"]), ("second", ["b@two.example"]),
                                 ("third", ["c@two.example", "d@three.example"])):
            code, text = session.message(name + "@client.test", recipients,
                                         f"Subject: {name}\r\n\r\ntext\r\n".encode())
            assert code == 250, text
            self.ids.append(text[0].split()[-1])
        session.close()
        if not self.running:
            assert self.server.stop() == 0

    def run(self, line):
        """(status, output, errors), the ids by their places."""
        words = [self.ids[int(w[2]) - 1] if re.fullmatch(r"ID\d", w) else w for w in line.split()]
        run = self.server.command(*words, check=False)
        texts = [run.stdout, run.stderr]
        for i, one in enumerate(self.ids):
            texts = [t.replace(one, f"ID{i + 1}") for t in texts]
        return run.returncode, *texts

    def steps(self, steps):
        results = []
        for line, status, output, errors in steps:
            got = self.run(line)
            assert got[0] == status, f"{line!r} exits {got[0]}, not {status}: {got[1]}{got[2]}"
            assert re.fullmatch(output, got[1]), f"{line!r} prints {got[1]!r}"
            assert re.fullmatch(errors, got[2]), f"{line!r} complains {got[2]!r}"
            results.append(got)
        return results

    def lists(self):
        """JSON of everything that lists, as data; trouble too is JSON, on standard error."""
        found = {line: json.loads(self.run(line + " --json")[1]) for line in LISTS}
        status, output, errors = self.run("--json rcpthost del nothing.example")
        assert status == 1 and not output, (status, output)
        assert json.loads(errors) == {"errors": ["Hostname nothing.example is not in rcpthosts"]}
        return found


def plain(text):
    """Without what differs from one run to the next: times, and the space they take."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z|\w{3}, \d+ \w{3} \d{4} [\d:]{8}", "TIME", text)
    return re.sub(r" +", " ", text)


def same(stopped, running, what):
    assert stopped and running, "there is nothing to compare"
    for before, now, step in zip(stopped, running, what):
        assert [plain(str(t)) for t in before] == [plain(str(t)) for t in now], \
            f"{step[0]!r}: stopped {before}, running {now}"


def run(cases, build):
    stopped, running, results = Both(build, False), Both(build, True), {}

    def keep(name, function, *arguments):
        results[name] = function(*arguments)

    try:
        cases.run("tables, server stopped", keep, "ts", stopped.steps, TABLES)
        cases.run("tables, server running", keep, "tr", running.steps, TABLES)
        cases.run("tables, the same both ways",
                  lambda: same(results.get("ts"), results.get("tr"), TABLES))
        stopped.fill()
        running.fill()
        cases.run("lists as JSON are the same both ways", same_lists, stopped, running)
        cases.run("queue, server stopped", keep, "qs", stopped.steps, QUEUE)
        cases.run("queue, server running", keep, "qr", running.steps, QUEUE)
        cases.run("queue, the same both ways",
                  lambda: same(results.get("qs"), results.get("qr"), QUEUE))
        cases.run("what was changed in one state is there in the other", other_state, running,
                  stopped)
    finally:
        stopped.close()
        running.close()


def same_lists(stopped, running):
    one, two = stopped.lists(), running.lists()
    for line in LISTS:
        assert plain(str(one[line])) == plain(str(two[line])), f"{line}: {one[line]}, {two[line]}"
    assert len(one["queue list"]) == 4 and len(one["relayip list"]) == 2, one
    assert one["queue list"][0].keys() >= {"id", "from", "to", "status"}, one["queue list"][0]
    password = [row["password"] for row in one["routes list"]]
    assert password == [True], password


def other_state(running, stopped):
    running.server.stop()
    assert "127.0.0.1" in running.server.command("relayip", "list")
    running.server.command("relayip", "del", "127.0.0.1")
    running.server.start()
    assert "127.0.0.1" not in running.server.command("relayip", "list")
    stopped.server.start()
    assert "local.example" in stopped.server.command("rcpthost", "list")

# SPDX-License-Identifier: MIT
"""What is made of the configuration and the command line: `check`, conf.d, sample, manual pages,
flags and where they may stand, exit statuses."""
import json
import os
import re
import subprocess

from tmail import MODULES, TOP, Tmail

WRONG = """hostname = "mx.test";
stop_timeot = "30s";
threads = "many";
user = "root";
listen = ( { address = "127.0.0.1"; port = 70000; },
  { address = "nowhere"; port = 0; role = "mx"; } );
smtp = { max_hops = 0; nothing_near_this = 1; };
queue = { lifetime = "5 fortnights"; };
modules = (
  { module = "store/sqlite"; fil = "x"; },
  { module = "store/journal"; },
  { module = "route/rcpthots"; }
);
"""
# (line, what stands in the message)
MISTAKES = [(2, "did you mean 'stop_timeout'"), (3, "threads"), (5, "port"), (6, "nowhere"),
            (7, "max_hops"), (7, "nothing_near_this"), (8, "lifetime"), (10, "did you mean 'file'"),
            (12, "route/rcpthots")]

# The first tmail's flags and ours: what each is in the list.
ROUTE_FLAGS = {
    "destination": ("example.com", ["-d", "--d", "-destination", "--destination"]),
    "remote_host": ("mx.example", ["-rh", "--rh", "--remote-host", "-remote-host"]),
    "remote_port": ("2525", ["-rp", "--rp", "--remotePort", "--remote-port"]),
    "priority": ("7", ["-p", "--p", "--priority"]),
    "local_ip": ("127.0.0.1&127.0.0.2", ["-l", "--localIp", "--local-ip"]),
    "auth_user": ("login@example.com", ["-u", "--smtpUser", "--auth-user"]),
    "mail_from": ("sender@example.com", ["-f", "--mailFrom", "--mail-from"]),
    "remote_login": ("login", ["-rl", "--remoteLogin", "--remote-login"]),
    "password": ("secret", ["-rpwd", "--remotePasswd", "--remote-password"]),
    "tls": ("encrypt", ["--tls", "-tls"]),
    "connections": ("3", ["--connections", "-connections"]),
    "messages": ("100", ["--messages"]),
    "rate": ("5/s", ["--rate"]),
}


class Settings:
    def __init__(self, build):
        self.build = build
        self.server = Tmail(build)

    def close(self):
        self.server.close()

    # ---- flags ---------------------------------------------------------------------------------

    def every_spelling(self):
        """Of each flag, with its value behind a blank and behind =; the others as they come."""
        most = max(len(spellings) for _, spellings in ROUTE_FLAGS.values())
        for turn in range(most):
            for joined in (False, True):
                words = []
                for value, spellings in ROUTE_FLAGS.values():
                    flag = spellings[turn % len(spellings)]
                    words += [f"{flag}={value}"] if joined else [flag, value]
                self.server.command("routes", "add", *words)
                (row,) = self.server.json("routes", "list")
                for name, (value, _) in ROUTE_FLAGS.items():
                    want = True if name == "password" else int(value) if value.isdigit() else value
                    assert row[name] == want, f"{words}: {name} is {row[name]!r}"
                self.server.command("routes", "del", row["id"])

    def places(self):
        """Flags before and after arguments; behind -- there are none."""
        for words in (["rcpthost", "add", "-l", "a.example"],
                      ["rcpthost", "add", "b.example", "-l"],
                      ["--json", "rcpthost", "add", "--local", "c.example"],
                      ["rcpthost", "--json", "add", "d.example", "--local=true"],
                      ["rcpthost", "add", "-l", "--", "e.example"]):
            self.server.command(*words)
        rows = self.server.json("rcpthost", "list")
        assert [r["kind"] for r in rows] == ["local"] * 5, rows
        run = self.server.command("rcpthost", "add", "--", "-l", check=False)
        assert run.returncode in (0, 1), run

    def statuses(self):
        """0: all went well, 1: trouble, 2: a mistake of who typed; trouble is on stderr only."""
        for words, status in ((["version"], 0), (["--version"], 0), (["help"], 0), (["-h"], 0),
                              (["help", "queue", "list"], 0), (["queue", "list", "-h"], 0),
                              (["status"], 1), (["reload"], 1), (["restart"], 1),
                              (["man", "no/page"], 1),
                              (["--nonsense"], 2), (["nonsense"], 2), (["queue"], 2),
                              (["queue", "list", "--nonsense"], 2),
                              (["queue", "list", "--limit"], 2)):
            run = self.server.command(*words, check=False)
            assert run.returncode == status, f"{words} exits {run.returncode}: {run.stderr}"
            said = bool(run.stdout), bool(run.stderr)
            assert said == (not status, bool(status)), (words, run)
        run = subprocess.run([self.server.program, "-c"], capture_output=True, text=True)
        assert run.returncode == 2 and "-c wants" in run.stderr, run
        run = subprocess.run([self.server.program, "-c", "/nowhere/tmail.conf", "queue", "list"],
                             capture_output=True, text=True)
        assert run.returncode == 1 and "/nowhere/tmail.conf" in run.stderr, run

    def configuration_by_environment(self):
        """TMAIL_CONF in place of -c."""
        run = subprocess.run([self.server.program, "check"], capture_output=True, text=True,
                             env=dict(os.environ, TMAIL_CONF=self.server.conf))
        assert run.returncode == 0 and "is good" in run.stdout, run

    # ---- check ---------------------------------------------------------------------------------

    def check_tells_all(self):
        wrong = Tmail(self.build)
        try:
            wrong.write(WRONG)
            run = wrong.command("check", check=False)
            assert run.returncode == 1 and not run.stdout, run
            lines = run.stderr.splitlines()
            for number, text in MISTAKES:
                place = f"{wrong.conf}:{number}: "
                assert any(place in line and text in line for line in lines), \
                    f"no mistake {text!r} at line {number} in\n{run.stderr}"
            assert len(lines) == len(MISTAKES), f"{len(lines)}, not {len(MISTAKES)}:\n{run.stderr}"
            found = json.loads(wrong.command("check", "--json", check=False).stderr)["errors"]
            assert [f"tmail: {text}" for text in found] == lines, found
            server = wrong.start(wait=False)
            assert server.process.wait(60) == 1
        finally:
            wrong.close()

    def check_is_read_only(self):
        assert "is good" in self.server.command("check")
        before = sorted(os.listdir(self.server.folder))
        assert before == sorted(os.listdir(self.server.folder))
        fresh = Tmail(self.build)
        try:
            fresh.command("check")
            assert os.listdir(fresh.folder) == ["tmail.conf"], os.listdir(fresh.folder)
        finally:
            fresh.close()

    # ---- conf.d --------------------------------------------------------------------------------

    def conf_d(self):
        """Lists append in the order of names, groups merge, what is set twice names both places."""
        site = Tmail(self.build, modules='( { module = "store/sqlite"; } )')
        try:
            site.write('modules = ( { module = "store/journal"; } );\n', "conf.d/10-journal.conf")
            site.write('modules = ( { module = "route/rcpthost"; } );\nsmtp = { max_hops = 5; };\n',
                       "conf.d/50-rcpthost.conf")
            site.write("smtp = { max_recipients = 7; };\n", "conf.d/90-more.conf")
            site.write("nonsense", "conf.d/ignored.conf.bak")
            assert "3 modules" in site.command("check")
            site.command("rcpthost", "add", "example.com")
            site.write("smtp = { max_hops = 6; };\n", "conf.d/91-again.conf")
            run = site.command("check", check=False)
            assert run.returncode == 1 and len(run.stderr.splitlines()) == 1, run.stderr
            for place in ("conf.d/91-again.conf:1", "conf.d/50-rcpthost.conf:2"):
                assert place in run.stderr, run.stderr
            site.write("smtp = {\n", "conf.d/92-broken.conf")
            run = site.command("check", check=False)
            assert "92-broken.conf:" in run.stderr and "91-again.conf:1" in run.stderr, run.stderr
        finally:
            site.close()

    # ---- what is printed from the tables -------------------------------------------------------

    def sample(self):
        """It is the one in the tree, and it is good as it is."""
        text = self.server.command("sample")
        path = os.path.join(TOP, "tmail.conf.sample")
        with open(path, encoding="utf-8") as f:
            assert text == f.read(), "tmail.conf.sample is not what `tmail sample` prints"
        site = Tmail(self.build, env={"TMAIL_USER": "root", "TMAIL_PORT_SMTP": "0",
                                      "TMAIL_PORT_SUBMISSION": "0", "TMAIL_PORT_SMTPS": "0"})
        try:
            site.write(text)
            assert "is good" in site.command("check")
        finally:
            site.close()

    def manual(self):
        """A page for the program, the settings and each module, that no formatter complains of."""
        pages = ["tmail", "tmail.conf"] + [r["name"] for r in self.server.json("modules")]
        assert len(pages) >= 8, pages
        for page in pages:
            text = self.server.command("man", page)
            assert text.startswith(".Dd ") and "\n.Sh NAME\n" in text, text[:200]
        text = self.server.command("man", "tmail.conf")
        for word in ("max_message_size", "stop_timeout", "retry_min", "may_relay"):
            assert word in text, word

    def names_of_modules_match_docs(self):
        """Each module in the tree has its page, and the build has it."""
        have = {r["name"] for r in self.server.json("modules")}
        for name in re.findall(r'module = "([^"]+)"', MODULES):
            assert name in have, have
            page = os.path.join(TOP, "modules", name, os.path.basename(name) + ".md")
            assert os.path.exists(page), page


def run(cases, build):
    settings = Settings(build)
    try:
        cases.run("every spelling of every flag of routes add", settings.every_spelling)
        cases.run("flags before and after arguments", settings.places)
        cases.run("exit statuses and where trouble is told", settings.statuses)
        cases.run("the configuration by TMAIL_CONF", settings.configuration_by_environment)
        cases.run("check names every mistake with its place", settings.check_tells_all)
        cases.run("check changes nothing", settings.check_is_read_only)
        cases.run("conf.d is merged in the order of names", settings.conf_d)
        cases.run("the sample is the one in the tree, and is good", settings.sample)
        cases.run("manual pages", settings.manual)
        cases.run("modules and their pages", settings.names_of_modules_match_docs)
    finally:
        settings.close()

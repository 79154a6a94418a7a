# SPDX-License-Identifier: MIT
"""The program without each of its modules: it runs as far as it can, and says what is missing."""
from tmail import Session, Tmail

ALL = ["store/sqlite", "store/journal", "route/rcpthost", "auth/relayip", "route/table", "route/mx"]


def without(build, *names):
    listed = ", ".join(f'{{ module = "{m}"; }}' for m in ALL if m not in names)
    settings = 'smtp = { reverse_lookup = 0; };\nstop_timeout = "0";\n'
    return Tmail(build, settings, modules=f"( {listed} )")


def does_not_start(server, *words):
    """It ends by itself and names what is missing."""
    server.start(wait=False)
    assert server.process.wait(60) == 1
    server.lines.thread.join(60)
    said = "\n".join(server.lines.lines)
    for word in words:
        assert word in said, said


def asked(server, recipient="a@example.com"):
    """The reply to RCPT."""
    session = Session(server.port)
    session.expect("EHLO client.test", 250)
    session.expect("MAIL FROM:<a@client.test>", 250)
    answer = session.ask(f"RCPT TO:<{recipient}>")
    session.close()
    return answer


def not_configured(server, module, *words):
    """The command of a module that is installed, and not in the configuration."""
    run = server.command(*words, check=False)
    assert run.returncode == 2, run
    assert run.stderr == f"tmail: {words[0]}: module {module} is not in the configuration\n", run


def database(build):
    server = without(build, "store/sqlite")
    try:
        run = server.command("check", check=False)
        for name in ("route/rcpthost", "auth/relayip", "route/table"):
            assert f"module '{name}' keeps rows in a database" in run.stderr, run.stderr
        assert run.returncode == 1 and "store/sqlite" in run.stderr, run
        does_not_start(server, "route/rcpthost", "store/sqlite")
    finally:
        server.close()


def all_but_the_queue(build):
    """Nothing that keeps rows, no database: it answers, and takes nothing."""
    with without(build, *(m for m in ALL if m != "store/journal")) as server:
        assert asked(server) == (554, ["5.7.1 <a@example.com>: Relay access denied."])
        assert server.json("queue", "list") == []


def queue(build):
    """It runs, takes no mail for now, and says why."""
    with without(build, "store/journal") as server:
        server.lines.wait(r"warning queue_absent .*store/journal")
        (row,) = server.json("check")
        assert row["level"] == "warning" and "store/journal" in row["text"], row
        session = Session(server.port)
        session.expect("EHLO client.test", 250)
        code, text = session.ask("MAIL FROM:<a@example.org>")
        assert code == 451, (code, text)
        session.expect("QUIT", 221)
        session.close()
        assert server.command("queue", "count", check=False).returncode == 1


def rcpthost(build):
    with without(build, "route/rcpthost") as server:
        not_configured(server, "route/rcpthost", "rcpthost", "list")
        assert asked(server)[0] == 554
        server.command("relayip", "add", "127.0.0.1")
        assert asked(server)[0] == 250


def relayip(build):
    with without(build, "auth/relayip") as server:
        not_configured(server, "auth/relayip", "relayip", "list")
        assert asked(server)[0] == 554
        server.command("rcpthost", "add", "example.com")
        assert asked(server)[0] == 250


def router(build, *names):
    """Mail is kept, and the queue says why."""
    with without(build, *names) as server:
        server.command("rcpthost", "add", "example.com")
        if "route/table" in names:
            assert "route/mx" in server.command("check")
        session = Session(server.port)
        content = b"Subject: x\r\n\r\nx\r\n"
        assert session.message("a@client.test", ["b@example.com"], content)[0] == 250
        session.close()
        row = server.queue_row("Scheduled", "--state", "deferred")
        assert "router" in row["reason"], row
        if "route/table" in names:
            not_configured(server, "route/table", "routes", "list")


def package(build):
    server = Tmail(build, modules='( { module = "store/sqlite"; }, { module = "route/nothing"; } )')
    try:
        run = server.command("check", check=False)
        assert run.returncode == 1 and "no module 'route/nothing'" in run.stderr, run
        assert f"{server.conf}:" in run.stderr and "is its package installed?" in run.stderr, run
        does_not_start(server, "route/nothing")
    finally:
        server.close()


def run(cases, build):
    cases.run("without store/sqlite: who needs it is named", database, build)
    cases.run("without anything but the queue", all_but_the_queue, build)
    cases.run("without store/journal: a queue is asked for", queue, build)
    cases.run("without route/rcpthost: relaying clients only", rcpthost, build)
    cases.run("without auth/relayip: known domains only", relayip, build)
    cases.run("without route/mx: mail that no route takes is kept", router, build, "route/mx")
    cases.run("without any router: mail is kept", router, build, "route/mx", "route/table")
    cases.run("a module that is not installed is named", package, build)

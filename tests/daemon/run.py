#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py BUILD: the built program as people and service managers run it: start, check, reload,
restart, stop, crash, and commands with the server running and stopped; what senders are told
(notices.py). Loopback only; ends with "N passed, N failed"."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import notices  # noqa: E402
from tmail import Cases, Failed, Session, Tmail, wait_for  # noqa: E402

BUILD = notices.BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build"
ROOT = os.geteuid() == 0
KEEP = 'queue = { deliver = false; };\n'
TWO = ('( { address = "127.0.0.1"; port = 0; }, '
       '{ address = "127.0.0.1"; port = 0; role = "submission"; name = "people"; } )')


def tmail(settings="", **more):
    return Tmail(BUILD, KEEP + settings, **more)


def status(server):
    rows = [(row["name"], row["value"]) for row in server.json("status")]
    found = dict(rows)
    found["sockets"] = [(name[7:], value) for name, value in rows if name.startswith("socket.")]
    return found


def relayed(server):
    """From now on mail from here is taken."""
    server.command("relayip", "add", "127.0.0.1")
    return server


def refused(port):
    """Waits until it is: each loop closes its listeners when it comes to it."""
    def is_refused():
        try:
            socket.create_connection(("127.0.0.1", port), 10).close()
            return False
        except ConnectionRefusedError:
            return True
    wait_for(is_refused, what="the end of the listener")


def server_pid(server):
    return int(status(server)["pid"])


def process_state(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def edit(server, old, new):
    with open(server.conf, encoding="utf-8") as f:
        text = f.read()
    assert old in text, f"{old!r} is not in the configuration"
    server.write(text.replace(old, new))


# ---- start ------------------------------------------------------------------------------------

def it_says_what_it_listens_on():
    with tmail(listen=TWO) as server:
        assert len(server.ports) == 2 and len(set(server.ports)) == 2
        found = status(server)
        assert found["sockets"] == [("mx", f"127.0.0.1:{server.ports[0]}"),
                                    ("submission", f"127.0.0.1:{server.ports[1]}")], found
        assert int(found["pid"]) != server.process.pid
        assert found["queue.messages"] == 0
        assert int(found["uptime"]) >= 0 and int(found["generation"]) >= 1
        session = Session(server.port)
        assert status(server)["sessions"] == 1
        session.close()
        assert server.stop() == 0


def a_second_server_in_the_same_folder_is_refused():
    with tmail() as server:
        again = server.command("serve", check=False)
        assert again.returncode == 1
        assert "running already" in again.stderr, again.stderr
        assert Session(server.port).greeting[0] == 220


def every_mistake_is_named_with_its_line():
    server = Tmail(BUILD, "threads = 1000;\nnonsense = 5;\nlog = { level = \"loud\"; };")
    try:
        check = server.command("check", check=False)
        assert check.returncode == 1
        lines = check.stderr.splitlines()
        assert len(lines) == 3, lines
        for line in lines:
            assert re.match(r"tmail: \S*tmail\.conf:\d+: ", line), line
        started = server.command("serve", check=False)
        assert started.returncode == 1 and "nonsense" in started.stderr
        found = json.loads(server.command("check", "--json", check=False).stderr)["errors"]
        assert [f"tmail: {text}" for text in found] == lines, found
    finally:
        server.close()


def conf_d_is_merged():
    with tmail() as server:
        server.write("smtp = { vrfy = true; };\n", "conf.d/50-vrfy.conf")
        assert "good" in server.command("check")
        server.write("smtp = { vrfy = false; };\n", "conf.d/60-vrfy.conf")
        check = server.command("check", check=False)
        assert check.returncode == 1
        assert "50-vrfy.conf" in check.stderr and "60-vrfy.conf" in check.stderr, check.stderr


def the_sample_starts():
    server = Tmail(BUILD)
    try:
        server.env.update(TMAIL_ME="mail.example.com", TMAIL_USER="root" if ROOT else "",
                          TMAIL_SMTPD_DSNS="127.0.0.1:0:false", TMAIL_DELIVERD_LAUNCH="false")
        server.write(server.command("sample"))
        server.start()
        assert "mail.example.com" in Session(server.port).greeting[1][0]
        assert server.stop() == 0
    finally:
        server.close()


def root_is_given_up():
    if not ROOT or subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "test", "-r",
                                   os.path.join(BUILD, "tmail")]).returncode:
        print("skip root_is_given_up: needs root, and a build that others can read")
        return
    server = tmail()
    try:
        edit(server, 'user = "root"', 'user = "nobody"')
        os.chown(server.folder, 65534, -1)
        with server:
            state = process_state(server_pid(server))
            assert set(state["Uid"].split()) != {"0"} and "0" not in state["Uid"].split(), state
            assert state["NoNewPrivs"] == "1"
            assert int(state["CapEff"], 16) == 0 and int(state["CapPrm"], 16) == 0
            assert server.command("queue", "count").strip() == "0"
            assert server.stop() == 0
            assert server.command("queue", "count").strip() == "0"
            owners = {os.stat(os.path.join(server.folder, name)).st_uid
                      for name in ("db", "db/tmail.db", "store", "run")}
            assert owners == {65534}, owners
    finally:
        server.close()


# ---- first start ------------------------------------------------------------------------------

def first_start(answer):
    """With a terminal that answers; what came, and the process."""
    server = tmail()
    edit(server, "create = true", "create = false")
    master, terminal = pty.openpty()
    process = subprocess.Popen([server.program, "-c", server.conf], stdin=terminal,
                               stdout=terminal, stderr=terminal, cwd=server.folder)
    os.close(terminal)
    seen = b""

    def until(pattern):
        nonlocal seen
        while not re.search(pattern, seen):
            try:
                more = os.read(master, 4096)
            except OSError:
                more = b""
            assert more, seen
            seen += more
    until(rb"\(y/n\): ")
    assert b"misses some tables.\r\nShould i create them ? (y/n): " in seen, seen
    assert b"Database 'driver: sqlite, source: " in seen, seen
    os.write(master, answer)
    return server, process, until, master


def the_first_start_asks_and_no_is_no():
    server, process, until, master = first_start(b"\nperhaps\nn\n")
    until(rb"See you soon\.\.\.")
    assert process.wait() == 0
    os.close(master)
    assert "missing" in server.command("db", "status")
    server.close()


def the_first_start_asks_and_yes_serves():
    server, process, until, master = first_start(b"y\n")
    until(rb"serving")
    assert "missing" not in server.command("db", "status")
    process.terminate()
    assert process.wait() == 0
    os.close(master)
    server.close()


def without_a_terminal_it_says_what_to_run():
    server = tmail()
    edit(server, "create = true", "create = false")
    try:
        started = server.command("serve", check=False)
        assert started.returncode == 1
        assert "tmail db init" in started.stderr, started.stderr
        server.command("db", "init")
        server.start()
        assert Session(server.port).greeting[0] == 220
    finally:
        server.close()


# ---- commands ---------------------------------------------------------------------------------

def commands_answer_the_same_running_and_stopped():
    with tmail() as server:
        server.command("rcpthost", "add", "-l", "Example.com")
        server.command("relayip", "add", "192.0.2.0/24")
        asked = [("rcpthost", "list"), ("relayip", "list"), ("queue", "list"), ("queue", "count"),
                 ("db", "status"), ("modules",), ("rcpthost", "add", "--help"),
                 ("rcpthost", "list", "--json"), ("rcpthost", "del", "none.example"),
                 ("rcpthost", "add"), ("nonsense",), ("rcpthost",), ("queue", "show", "x")]

        def answers():
            found = []
            for words in asked:
                run = server.command(*words, check=False)
                found.append((words, run.returncode, run.stdout, run.stderr))
            return found
        running = answers()
        assert server.stop() == 0
        for was, is_now in zip(running, answers()):
            assert was == is_now, f"{was} running, {is_now} stopped"
        assert "example.com" in running[0][2] and running[8][1] == 1 and running[9][1] == 2


def the_server_must_run_for_some():
    server = tmail()
    try:
        for word in ("status", "reload", "restart"):
            run = server.command(word, check=False)
            assert run.returncode == 1 and "stopped" in run.stderr, run
            run = server.command(word, "--json", check=False)
            assert not run.stdout and "stopped" in json.loads(run.stderr)["errors"][0], run
    finally:
        server.close()


def trouble_with_the_socket_is_no_stopped_server():
    server = tmail('run = "/dev/null/run";\n')
    try:
        run = server.command("queue", "count", check=False)
        assert run.returncode == 1 and "/dev/null/run/control.sock" in run.stderr, run
    finally:
        server.close()


def the_store_says_who_has_it():
    with tmail() as server:
        os.rename(os.path.join(server.folder, "run"), os.path.join(server.folder, "elsewhere"))
        run = server.command("queue", "count", check=False)
        assert run.returncode == 1, run
        assert re.search(r"process \d+", run.stderr), run.stderr
        os.rename(os.path.join(server.folder, "elsewhere"), os.path.join(server.folder, "run"))


def what_is_in_the_queue_can_be_managed():
    with relayed(tmail()) as server:
        session = Session(server.port)
        reply = session.message("a@sender.test", ["b@one.test", "c@two.test"],
                                b"Subject: kept\r\n\r\nwords\r\n")
        assert reply[0] == 250, reply
        identity = reply[1][0].split()[-1]
        rows = server.json("queue", "list")
        assert [(r["id"], r["from"], r["to"]) for r in rows] == [
            (identity, "a@sender.test", "b@one.test"), (identity, "a@sender.test", "c@two.test")]
        assert server.command("queue", "count").strip() == "2"
        assert server.command("queue", "count", "--to", "@one.test").strip() == "1"
        assert "Subject: kept" in server.command("queue", "show", "--content", identity)
        assert server.command("queue", "hold", "--because", "look at it", identity).strip() == "1"
        assert {r["status"] for r in server.json("queue", "list")} == {"Held"}
        assert server.command("queue", "count", "--held").strip() == "2"
        assert server.stop() == 0
        assert server.command("queue", "release", identity).strip() == "1"
        assert server.command("queue", "count", "--held").strip() == "0"
        assert server.command("queue", "discard", "--dry-run", identity).strip() == "1"
        assert server.command("queue", "discard", identity).strip() == "1"
        assert "There is no message in queue." in server.command("queue", "list")
        assert server.command("queue", "discard", identity, check=False).returncode == 1


# ---- reload -----------------------------------------------------------------------------------

def a_reload_is_for_new_sessions():
    with tmail() as server:
        old = Session(server.port)
        edit(server, 'hostname = "mx.test"', 'hostname = "new.test"')
        server.command("reload")
        assert "new.test" in Session(server.port).greeting[1][0]
        assert old.expect("EHLO c", 250)[1][0].startswith("mx.test")
        edit(server, 'hostname = "new.test"', 'hostname = "newer.test"')
        before = len(server.lines.lines)
        server.process.send_signal(signal.SIGHUP)
        server.lines.wait(r"\breloaded\b", start=before)
        assert "newer.test" in Session(server.port).greeting[1][0]


def a_bad_reload_is_refused_and_the_old_stays():
    with tmail() as server:
        generation = status(server)["generation"]
        edit(server, 'hostname = "mx.test"', 'hostnam = "bad.test"')
        run = server.command("reload", check=False)
        assert run.returncode == 1 and "hostnam" in run.stderr, run
        before = len(server.lines.lines)
        server.process.send_signal(signal.SIGHUP)
        server.lines.wait(r"\breload_refused\b", start=before)
        assert "mx.test" in Session(server.port).greeting[1][0]
        assert status(server)["generation"] == generation


def listeners_come_and_go_with_a_reload():
    with tmail() as server:
        edit(server, "listen = ( {", 'listen = ( { address = "127.0.0.2"; port = 0; '
             'role = "submission"; }, {')
        server.command("reload")
        sockets = dict(status(server)["sockets"])
        assert sockets["mx"] == f"127.0.0.1:{server.ports[0]}", sockets
        host, port = sockets["submission"].split(":")
        assert Session(int(port), host).greeting[0] == 220
        edit(server, 'role = "mx"', 'role = "mx"; enabled = false')
        old = Session(server.port)
        server.command("reload")
        assert dict(status(server)["sockets"]) == {"submission": f"{host}:{port}"}
        assert Session(int(port), host).greeting[0] == 220
        refused(server.port)
        assert old.ask("NOOP")[0] in (250, 421)
        old.close()


# ---- restart, crash ---------------------------------------------------------------------------

def a_restart_loses_no_transaction_and_no_client():
    with relayed(tmail()) as server:
        before, lines = server_pid(server), len(server.lines.lines)
        session = Session(server.port)
        session.expect("EHLO c", 250)
        session.expect("MAIL FROM:<a@b.test>", 250)
        session.expect("RCPT TO:<c@d.test>", 250)
        session.expect("DATA", 354)
        server.command("restart")
        server.lines.wait(r"\bstopping\b", start=lines)
        late = Session(server.port, greet=False)  # waits in the backlog
        session.send(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        assert session.reply()[0] == 250
        assert late.reply()[0] == 220
        assert server_pid(server) != before
        assert server.command("queue", "count").strip() == "1"
        late.close()
        session.close()


def a_restart_that_cannot_start_is_refused():
    with tmail() as server:
        before = server_pid(server)
        edit(server, 'module = "route/mx"', 'module = "route/none"')
        run = server.command("restart", check=False)
        assert run.returncode == 1 and "route/none" in run.stderr, run
        assert server_pid(server) == before
        assert Session(server.port).greeting[0] == 220


def a_killed_server_is_replaced():
    with relayed(tmail()) as server:
        port, pid = server.port, server_pid(server)
        assert Session(port).message("a@b.test", ["c@d.test"], b"Subject: x\r\n\r\n")[0] == 250
        lines = len(server.lines.lines)
        os.kill(pid, signal.SIGKILL)
        server.lines.wait(r"\bserver_crashed\b.*\bsignal=9\b", start=lines)
        assert Session(port).greeting[0] == 220  # waited for in the backlog
        assert server_pid(server) != pid
        assert server.command("queue", "count").strip() == "1"


def a_dead_parents_folder_can_be_started_again():
    with relayed(tmail()) as server:
        assert Session(server.port).message("a@b.test", ["c@d.test"], b"Subject: x\r\n\r\n")[0] == 250
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        server.start()
        assert Session(server.port).greeting[0] == 220
        assert server.command("queue", "count").strip() == "1"
        assert server.stop() == 0


# ---- stop -------------------------------------------------------------------------------------

def a_stop_lets_transactions_finish():
    with relayed(tmail()) as server:
        idle, busy = Session(server.port), Session(server.port)
        busy.expect("EHLO c", 250)
        busy.expect("MAIL FROM:<a@b.test>", 250)
        busy.expect("RCPT TO:<c@d.test>", 250)
        busy.expect("DATA", 354)
        server.process.terminate()
        assert idle.reply()[0] == 421
        refused(server.port)
        busy.send(b"Subject: x\r\n\r\nbody\r\n.\r\n")
        assert busy.reply()[0] == 250
        assert server.stop() == 0
        assert server.command("queue", "count").strip() == "1"


def a_stop_ends_what_takes_too_long():
    with relayed(tmail('stop_timeout = "200ms";\n')) as server:
        busy = Session(server.port)
        busy.expect("EHLO c", 250)
        busy.expect("MAIL FROM:<a@b.test>", 250)
        busy.expect("RCPT TO:<c@d.test>", 250)
        busy.expect("DATA", 354)
        assert server.stop() == 0
        assert busy.reply()[0] in (421, 0)
        assert server.command("queue", "count").strip() == "0"


def a_second_signal_ends_it_at_once():
    with relayed(tmail('stop_timeout = "1h";\n')) as server:
        lines = len(server.lines.lines)
        busy = Session(server.port)
        busy.expect("EHLO c", 250)
        busy.expect("MAIL FROM:<a@b.test>", 250)
        server.process.send_signal(signal.SIGINT)
        server.lines.wait(r"\bstopping\b", start=lines)
        server.process.send_signal(signal.SIGINT)
        assert server.stop(signal.SIGCONT) == 0
        assert busy.reply()[0] in (421, 0)


def the_control_socket_is_gone_after_a_stop():
    with tmail() as server:
        path = os.path.join(server.folder, "run", "control.sock")
        assert os.stat(path).st_mode & 0o777 == 0o600
        server.stop()
        assert not os.path.exists(path)


def clients_do_not_take_the_last_descriptors():
    """The store needs some of its own for a large body, however many clients there are."""
    with tmail() as server:
        server.stop()
        server.start(prefix=("prlimit", "--nofile=64"))
        relayed(server)
        sessions = [Session(server.port) for _ in range(40)]
        codes = [session.greeting[0] for session in sessions]
        assert codes[0] == 220 and codes[-1] == 421, codes
        body = b"Subject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 5000
        code, text = sessions[0].message("a@example.org", ["b@example.net"], body)
        assert code == 250, (code, text)
        for session in sessions:
            session.close()


CASES = (
    it_says_what_it_listens_on, a_second_server_in_the_same_folder_is_refused,
    every_mistake_is_named_with_its_line, conf_d_is_merged, the_sample_starts, root_is_given_up,
    the_first_start_asks_and_no_is_no, the_first_start_asks_and_yes_serves,
    without_a_terminal_it_says_what_to_run, commands_answer_the_same_running_and_stopped,
    the_server_must_run_for_some, trouble_with_the_socket_is_no_stopped_server,
    the_store_says_who_has_it, what_is_in_the_queue_can_be_managed, a_reload_is_for_new_sessions,
    a_bad_reload_is_refused_and_the_old_stays, listeners_come_and_go_with_a_reload,
    a_restart_loses_no_transaction_and_no_client, a_restart_that_cannot_start_is_refused,
    a_killed_server_is_replaced, a_dead_parents_folder_can_be_started_again,
    a_stop_lets_transactions_finish, a_stop_ends_what_takes_too_long,
    a_second_signal_ends_it_at_once, the_control_socket_is_gone_after_a_stop,
    clients_do_not_take_the_last_descriptors,
)

if __name__ == "__main__":
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    cases = Cases()
    for case in CASES + notices.CASES:
        if only in case.__name__:
            cases.run(case.__name__, case)
    sys.exit(cases.end())

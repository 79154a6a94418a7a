# SPDX-License-Identifier: MIT
"""auth/users through the running program: other people's clients log in, and what it costs. Hashes
are counted; no clock judges."""
import base64
import glob
import os
import re
import smtplib
import sqlite3
import subprocess

from tmail import MODULES, Failed, Session, Tmail, wait_for

SETTINGS = "queue = { deliver = false; };\nsmtp = { auth_delay = 0; max_auth_errors = 0; %s };\n"
LISTEN = """(
  { address = "127.0.0.1"; port = 0; role = "submission"; tls = "starttls"; auth_clear = true; },
  { address = "127.0.0.1"; port = 0; role = "mx"; tls = "starttls"; }
)"""
# A hash that costs little: what it costs is not what is tested.
CHEAP = 'argon2_memory = "64K"; argon2_passes = 1; scram_iterations = 4096;'
ALL = 'mechanisms = [ "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256" ];'
PASSWORD = "correct horse"
LOGIN = "joe@example.org"


def modules(settings=""):
    entry = '{ module = "auth/users"; %s %s },\n  { module = "route/table"' % (CHEAP, settings)
    return MODULES.replace('{ module = "route/table"', entry)


def certificate(folder):
    """Of mx.test, signed by itself; the lines of the configuration for it."""
    pair = [os.path.join(folder, name) for name in ("mx.pem", "mx.key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mx.test",
                    "-addext", "subjectAltName=DNS:mx.test", "-keyout", pair[1], "-out", pair[0]],
                   check=True, capture_output=True)
    return 'tls = { certificates = ( { certificate = "mx.pem"; key = "mx.key"; } ); };\n'


class Users:
    def __init__(self, build, settings=ALL, smtp="", tls=False):
        self.server = Tmail(build, SETTINGS % smtp, modules=modules(settings), listen=LISTEN)
        if tls:
            lines = certificate(self.server.folder)
            with open(self.server.conf, "a", encoding="utf-8") as f:
                f.write(lines)
        self.command = self.server.command
        self.server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def add(self, login=LOGIN, *flags, password=PASSWORD):
        self.command("user", "add", *flags, login, "-", input=password + "\n")

    def session(self, port=None):
        session = Session(port or self.server.port)
        session.expect("EHLO client.test", 250)
        return session

    def plain(self, login=LOGIN, password=PASSWORD, session=None, authorize=""):
        session = session or self.session()
        text = f"{authorize}\0{login}\0{password}".encode()
        return session.ask("AUTH PLAIN " + base64.b64encode(text).decode())

    def counted(self, name):
        return int(self.server.status()["counter.users_" + name])

    def database(self, *statement):
        with sqlite3.connect(os.path.join(self.server.folder, "db", "tmail.db"), 60) as db:
            return db.execute(*statement).fetchall()

    def row(self, login=LOGIN):
        return self.database("select dove_passwd, scram_sha_256, cram_md5 from users"
                             " where login = ?", (login,))[0]

    def queued_by(self):
        """Logins of what is in the queue."""
        return [m.group(1) for line in self.server.lines.lines if re.search(r"\baccepted\b", line)
                for m in [re.search(r"\blogin=(\S+)", line)] if m]


# ---- other people's clients ----------------------------------------------------------------

def swaks(users, mechanism, password=PASSWORD, *more):
    return subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(users.server.port), "--from", LOGIN,
         "--to", "x@elsewhere.test", "--auth", mechanism, "--auth-user", LOGIN, "--auth-password",
         password, "--silent", "2", *more], text=True, capture_output=True)


def msmtp(users, mechanism, password=PASSWORD):
    return subprocess.run(
        ["msmtp", "--host=127.0.0.1", f"--port={users.server.port}", f"--auth={mechanism}",
         f"--user={LOGIN}", f"--passwordeval=echo '{password}'", f"--from={LOGIN}", "--tls=off",
         "x@elsewhere.test"], input="Subject: x\n\nx\n", text=True, capture_output=True,
        env=dict(os.environ, HOME="/nonexistent"))


def curl(users, mechanism, password=PASSWORD):
    return subprocess.run(
        ["curl", "-sS", f"smtp://127.0.0.1:{users.server.port}", "--mail-from", LOGIN,
         "--mail-rcpt", "x@elsewhere.test", "--user", f"{LOGIN}:{password}", "--login-options",
         f"AUTH={mechanism}", "-T", "-"], input="Subject: x\r\n\r\nx\r\n", text=True,
        capture_output=True)


def clients(build):
    with Users(build) as users:
        users.add(LOGIN, "-r")
        tried = 0
        for client, mechanisms in ((swaks, ("PLAIN", "LOGIN", "CRAM-MD5")),
                                   (msmtp, ("plain", "login", "cram-md5", "scram-sha-256")),
                                   (curl, ("PLAIN", "LOGIN", "CRAM-MD5"))):
            for mechanism in mechanisms:
                run = client(users, mechanism)
                assert run.returncode == 0, (client.__name__, mechanism, run.stdout, run.stderr)
                tried += 1
                wrong = client(users, mechanism, "wrong horse")
                assert wrong.returncode != 0, (client.__name__, mechanism)
        assert users.queued_by() == [LOGIN] * tried, users.queued_by()


def python_client(build):
    with Users(build) as users:
        users.add(LOGIN, "-r", password="pässwörter")
        for method in ("plain", "login", "cram_md5"):
            client = smtplib.SMTP("127.0.0.1", users.server.port)
            client.ehlo()
            client.user, client.password = LOGIN, "pässwörter"
            if method == "plain":  # smtplib's own speaks ASCII alone
                text = base64.b64encode(f"\0{LOGIN}\0pässwörter".encode()).decode()
                code, _ = client.docmd("AUTH", "PLAIN " + text)
            else:
                client.password = PASSWORD
                users.command("user", "update", LOGIN, "-p", "-", input=PASSWORD + "\n")
                code, _ = client.auth(method.upper().replace("_", "-"),
                                      getattr(client, "auth_" + method))
            assert code == 235, (method, code)
            client.sendmail(LOGIN, ["x@elsewhere.test"], b"Subject: x\r\n\r\nx\r\n")
            client.quit()


def gsasl(users, mechanism, password, *more):
    return subprocess.run(
        ["gsasl", "--client", "--smtp", "--connect", f"127.0.0.1:{users.server.port}",
         "--mechanism", mechanism, "--authentication-id", LOGIN, "--password", password,
         "--no-cb" if mechanism.endswith("256") else "--quiet", "--x509-ca-file=", *more],
        input="", text=True, capture_output=True)


def channel_binding(build):
    """SCRAM-SHA-256-PLUS binds to TLS, and is offered nowhere else."""
    with Users(build, tls=True) as users:
        users.add(LOGIN, "-r")
        _, clear = users.session().ask("EHLO again.test")
        assert "AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN" in clear, clear
        for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"):
            run = gsasl(users, mechanism, PASSWORD)
            users.server.lines.wait(rf"\bauthenticated\b.*mechanism={mechanism}$", seconds=20)
            assert "235" in run.stdout + run.stderr or run.returncode == 0, run
            wrong = gsasl(users, mechanism, "wrong horse")
            assert "535" in wrong.stdout + wrong.stderr or wrong.returncode != 0, wrong


def dovecot(build):
    """Dovecot takes what is stored for what it is."""
    for settings in (ALL, ALL + ' scheme = "sha512-crypt"; sha512_rounds = 5000;'):
        with Users(build, settings) as users:
            users.add()
            for stored in users.row():
                run = subprocess.run(["doveadm", "pw", "-t", stored, "-p", PASSWORD], text=True,
                                     capture_output=True)
                assert "(verified)" in run.stdout, (stored, run)
                run = subprocess.run(["doveadm", "pw", "-t", stored, "-p", "wrong"], text=True,
                                     capture_output=True)
                assert run.returncode != 0, stored


# ---- what is said, and what it costs ------------------------------------------------------

def alike(build):
    """Whether it exists, is active, or has another password: the same reply, the same work."""
    with Users(build, 'remember = "0";') as users:
        users.add()
        users.add("gone@example.org")
        users.command("user", "update", "gone@example.org", "--active", "no")
        users.add("odd@example.org")
        users.database("update users set dove_passwd = '{SSHA}xyz' where login like 'odd@%'")
        replies = set()
        for login, password in ((LOGIN, "wrong horse"), ("nobody@example.org", PASSWORD),
                                ("gone@example.org", PASSWORD), ("gone@example.org", "wrong"),
                                ("odd@example.org", PASSWORD)):
            before = users.counted("hashes")
            replies.add(str(users.plain(login, password)))
            cost = users.counted("hashes") - before
            assert cost == (2 if login.startswith("odd") else 1), (login, cost)
        assert replies == {str((535, ["5.7.8 Authentication failed"]))}, replies
        assert users.plain()[0] == 235


def alike_in_scram(build):
    """A login that does not exist has a salt of its own, which stays the same over restarts."""
    def first(users, login):
        session = users.session()
        text = base64.b64encode(f"n,,n={login},r=abc".encode()).decode()
        code, lines = session.ask("AUTH SCRAM-SHA-256 " + text)
        assert code == 334, (login, code, lines)
        session.close()
        return re.sub("r=[^,]*", "", base64.b64decode(lines[0]).decode())
    with Users(build) as users:
        users.add()
        users.add("gone@example.org")
        users.command("user", "update", "gone@example.org", "--active", "no")
        logins = (LOGIN, "nobody@example.org", "gone@example.org")
        before = [first(users, login) for login in logins]
        assert len(set(before)) == 3 and len({len(text) for text in before}) == 1, before
        assert [first(users, login.upper()) for login in logins] == before, "capitals tell"
        users.server.stop()
        users.server.start()
        assert [first(users, login) for login in logins] == before


def remembered(build):
    with Users(build) as users:
        users.add()
        before = users.counted("hashes")
        for _ in range(5):
            assert users.plain()[0] == 235
        assert users.counted("hashes") == before + 1
        assert users.counted("recalled") == 4
        assert users.plain(password="wrong horse")[0] == 535
        users.command("user", "update", LOGIN, "-p", "-", input="horse correct\n")
        assert users.plain()[0] == 535, "the old one is still remembered"
        assert users.plain(password="horse correct")[0] == 235
        users.command("user", "update", LOGIN, "--active", "no")
        assert users.plain(password="horse correct")[0] == 535, "though it is not active"
        users.command("user", "del", LOGIN)
        assert users.plain(password="horse correct")[0] == 535, "though it is gone"


def rehashed(build):
    """The first tmail's bcrypt, and one of a lower cost, become what the settings say."""
    old = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"  # "password"
    with Users(build) as users:
        users.add(password="password")
        for stored in (old, "{BLF-CRYPT}" + old, users.row()[0].replace("t=1", "t=2")):
            users.database("update users set dove_passwd = ?, scram_sha_256 = null,"
                           " cram_md5 = null", (stored,))
            if "t=2" not in stored:
                assert users.plain(password="wrong")[0] == 535
                assert users.row()[0] == stored
                assert users.plain(password="password")[0] == 235
            else:  # of which the hash is wrong
                assert users.plain(password="password")[0] == 535
                continue
            new, scram, cram = users.row()
            assert new.startswith("{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$"), new
            assert scram.startswith("{SCRAM-SHA-256}4096,") and cram.startswith("{CRAM-MD5}")
            recalled = users.counted("recalled")

            def again():
                """What is remembered goes once more when the change made from outside is noticed."""
                assert users.plain(password="password")[0] == 235
                return users.counted("recalled") > recalled
            wait_for(again, what="a login without a hash")
        users.command("user", "update", LOGIN, "-p", "-", input="password\n")
        with open(users.server.conf, encoding="utf-8") as f:
            text = f.read()
        users.server.write(text.replace("scram_iterations = 4096", "scram_iterations = 5000"))
        users.command("reload")
        assert users.plain(password="password")[0] == 235
        assert users.row()[1].startswith("{SCRAM-SHA-256}5000,"), users.row()[1]


def without_keys(build):
    """A password that SCRAM forbids is good for the others, and not hashed anew each time."""
    password = "bell\x07bell"
    with Users(build, ALL + ' remember = "0";') as users:
        users.add(password=password)
        before = users.row()
        assert before[1] is None and before[2], before
        assert users.plain(password=password)[0] == 235
        assert users.row() == before


def keys_where_wanted(build):
    with Users(build, "") as users:
        users.add()
        assert users.row()[1:] == (None, None)
        _, lines = users.session().ask("EHLO again.test")
        assert "AUTH PLAIN LOGIN" in lines, lines
        text = open(users.server.conf, encoding="utf-8").read()
        users.server.write(text.replace(CHEAP, CHEAP + ALL))
        users.command("reload")
        _, lines = users.session().ask("EHLO again.test")
        assert "AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN" in lines, lines
        assert msmtp(users, "scram-sha-256").returncode != 0
        assert users.plain()[0] == 235  # and now there are keys
        assert msmtp(users, "cram-md5").returncode == 0 or "5.7" in msmtp(users, "cram-md5").stderr
        assert all(users.row()), users.row()
        users.server.write(text)
        users.command("reload")
        assert users.plain()[0] == 235
        assert users.row()[1:] == (None, None), "what is not named any more is still stored"


def nothing_secret_is_told(build):
    with Users(build) as users:
        users.add(LOGIN, "-r")
        for client, mechanism in ((swaks, "LOGIN"), (msmtp, "cram-md5"), (swaks, "PLAIN")):
            client(users, mechanism)
            client(users, mechanism, "wrong horse")
        listed = users.command("user", "list") + users.command("user", "list", "--json")
        users.server.stop()
        told = listed + "\n".join(users.server.lines.lines)
        for secret in (PASSWORD, "wrong horse", *users.row()):
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                assert form not in told, form
        for path in glob.glob(os.path.join(users.server.folder, "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    assert PASSWORD.encode() not in f.read(), path


def fail2ban(build):
    """The filter that is shipped finds the client in the log, and nothing that a client says."""
    path = os.path.join(os.path.dirname(__file__), "..", "..", "..", "..", "packaging", "fail2ban",
                        "tmail.conf")
    with open(path, encoding="utf-8") as f:
        (expression,) = re.findall(r"^failregex = (.*)$", f.read(), re.M)
    find = re.compile(expression.replace("<HOST>", r"(?P<host>[\w.:]+)")).search
    with Users(build) as users:
        users.add()
        for login in (LOGIN, "auth_failed client=192.0.2.66 ", "x\" client=192.0.2.67\n"):
            users.plain(login, "wrong horse")
        users.plain()
        users.server.stop()
        hits = [m.group("host") for m in map(find, users.server.lines.lines) if m]
        assert hits == ["127.0.0.1"] * 3, hits


# ---- what a login may ----------------------------------------------------------------------

def rights(build):
    with Users(build) as users:
        users.add(LOGIN, "-r")
        users.add("guest")
        users.command("rcpthost", "add", "relayed.test")
        session = users.session()
        assert session.ask(f"MAIL FROM:<{LOGIN}>")[0] == 530
        assert users.plain("Guest", session=session)[0] == 235
        session.expect(f"MAIL FROM:<{LOGIN}>", 250)
        session.expect("RCPT TO:<a@elsewhere.test>", 554)
        session.expect("RCPT TO:<a@relayed.test>", 250)
        session.close()
        session = users.session()
        assert users.plain(authorize="guest", session=session)[0] == 535
        assert users.plain(authorize=LOGIN, session=session)[0] == 235
        session.expect(f"MAIL FROM:<{LOGIN}>", 250)
        session.expect("RCPT TO:<a@elsewhere.test>", 250)
        session.close()


def senders(build):
    with Users(build, smtp='sender_login = "table";') as users:
        users.add()
        session = users.session()
        assert users.plain(session=session)[0] == 235

        def may(sender):
            code, lines = session.ask(f"MAIL FROM:<{sender}>")
            if code == 250:
                session.expect("RSET", 250)
            assert (code, lines[0][:5]) in ((250, "2.1.0"), (553, "5.7.1")), (code, lines)
            return code == 250
        assert may(LOGIN) and may("") and not may("sales@example.org")
        users.command("user", "sender", "add", LOGIN, "Sales@Example.org")
        assert may("sales@example.org") and not may("sale@example.org")
        users.command("user", "sender", "add", LOGIN, "@example.net")
        assert may("any@example.net") and not may("any@sub.example.net")
        assert users.command("user", "sender", "add", LOGIN, "x", check=False).returncode == 1
        users.command("user", "sender", "del", LOGIN, "@example.net")
        assert not may("any@example.net")
        assert [r["sender"] for r in users.server.json("user", "sender", "list")] == [
            "sales@example.org"]
        users.command("user", "del", LOGIN)
        assert users.server.json("user", "sender", "list") == []


def mailboxes(build):
    with Users(build) as users:
        users.command("rcpthost", "add", "-l", "example.org")
        users.command("rcpthost", "add", "-l", "notexample.org")
        users.add("guest@example.org")  # without a mailbox

        def takes(address):
            session = users.session(users.server.ports[1])
            session.expect("MAIL FROM:<a@elsewhere.test>", 250)
            code, lines = session.ask(f"RCPT TO:<{address}>")
            assert (code, lines[0][:5]) in ((250, "2.1.5"), (550, "5.1.1")), (code, lines)
            session.close()
            return code == 250
        assert not takes(LOGIN) and not takes("guest@example.org")
        users.add(LOGIN, "-m")
        assert takes(LOGIN) and takes("JOE@Example.ORG") and not takes("ann@example.org")
        users.add("all@example.org", "-m", "--catchall")
        assert takes("ann@example.org") and takes("guest@example.org")
        assert not takes("ann@notexample.org"), "that is another domain"
        users.command("user", "update", "all@example.org", "--catchall", "no")
        assert not takes("ann@example.org")
        users.command("user", "del", LOGIN)
        assert not takes(LOGIN)


# ---- commands ------------------------------------------------------------------------------

RULES = (
    (("add", "joe", "secret"), "login must be at least 4 char"),
    (("add", "x" * 256, "secret"), "login must have less than 256 chars"),
    (("add", "jo e@example.org", "secret"), "login must not have blanks"),
    (("add", "someone", "short"), "password must be at least 6 chars length"),
    (("add", "--catchall", LOGIN, "secret"), "only users with mailbox can be defined as catchall"),
    (("add", "-m", "someone", "secret"), "'login' must be a valid email address"),
    (("add", "-m", "../../etc@example.org", "secret"), "'login' must be a valid email address"),
    (("add", "-m", "x@remote.test", "secret"),
     "rcpthost remote.test is already handled by tmail but declared as remote destination"),
    (("add", "-m", "-q", "lots", "x@example.org", "secret"), "quota is octets"),
    (("add", "-m", "--catchall", "x@example.org", "secret"),
     "domain example.org already have a catchall: all@example.org"),
    (("add", "ALL@example.org", "secret"), "User all@example.org already exists"),
    (("del", "nobody"), "User nobody doesn't exists"),
    (("update", "nobody", "-p", "secret"), "User nobody doesn't exists"),
    (("update", "all@example.org", "-p", "short"), "password must be at least 6 chars length"),
    (("update", "all@example.org"), "nothing is given"),
    (("update", "all@example.org", "--relay", "perhaps"), "--relay is yes or no"),
    (("update", "guest", "--catchall", "yes"), "only users with mailbox can be defined"),
)


def rules(build):
    for running in (True, False):
        with Users(build) as users:
            if not running:
                users.server.stop()
            users.command("rcpthost", "add", "remote.test")
            users.add("all@example.org", "-m", "--catchall", "-q", "1G")
            users.add("guest")
            for words, text in RULES:
                run = users.command("user", *words, check=False)
                assert run.returncode == 1 and text in run.stderr, (words, run)
            rows = users.server.json("user", "list")
            assert rows == [
                {"login": "all@example.org", "relay": False, "mailbox": True,
                 "home": "/home/e/example.org/a/all", "quota": "1G", "active": True,
                 "catchall": True, "scheme": "ARGON2ID"},
                {"login": "guest", "relay": False, "mailbox": False, "home": None, "quota": None,
                 "active": True, "catchall": False, "scheme": "ARGON2ID"}], rows
            users.command("user", "update", "guest", "-r", "yes", "-a", "no")
            (row,) = users.server.json("user", "list", "--inactive", "--relay")
            assert row["login"] == "guest"
            users.command("user", "update", "all@example.org", "-m", "no")
            assert users.server.json("user", "list", "--mailbox") == []
            hosts = {r["hostname"]: r["kind"] for r in users.server.json("rcpthost", "list")}
            assert hosts == {"remote.test": "remote", "example.org": "local"}, hosts


def bad_settings(build):
    for settings, text in (('mechanisms = [ "DIGEST-MD5" ];', "DIGEST-MD5"),
                           ('scheme = "plain";', "argon2id"), ("argon2_passes = 0;", "1 to 100")):
        server = Tmail(build, modules=modules().replace(CHEAP, settings))
        try:
            server.command("check")
        except Failed as trouble:
            assert text in trouble.errors, trouble.errors
        else:
            raise AssertionError(f"{settings} checks")
        finally:
            server.close()


def too_much_memory(build):
    """Of a process with a limit; a sanitizer wants more than that for itself."""
    server = Tmail(build, modules=modules().replace("64K", "4G"))
    limited = ["prlimit", "--as=%d" % (2 << 30), server.program, "-c", server.conf]
    try:
        if subprocess.run([*limited, "--version"], capture_output=True).returncode:
            return
        check = subprocess.run([*limited, "check"], env=server.env, cwd=server.folder, text=True,
                               capture_output=True)
        assert check.returncode, check.stdout
        for words in ("argon2_memory", "4294967296", "address space is 2147483648"):
            assert words in check.stderr, check.stderr
    finally:
        server.close()


def run(cases, build):
    for name, function in (
            ("clients of others log in, and do not with a wrong password", clients),
            ("Python's client logs in", python_client),
            ("SCRAM-SHA-256-PLUS is bound to TLS", channel_binding),
            ("Dovecot reads what is stored", dovecot),
            ("failures are alike and cost alike", alike),
            ("SCRAM does not tell who exists", alike_in_scram),
            ("what was right is remembered until it changes", remembered),
            ("old hashes become new ones", rehashed),
            ("a password that SCRAM forbids", without_keys),
            ("keys are stored where they are wanted", keys_where_wanted),
            ("nothing secret is told or kept", nothing_secret_is_told),
            ("fail2ban finds the client", fail2ban),
            ("the right to relay", rights),
            ("who may send as whom", senders),
            ("mailboxes and the one who takes all", mailboxes),
            ("the rules of its commands", rules),
            ("settings that are wrong", bad_settings),
            ("more memory than a limit allows", too_much_memory)):
        cases.run("users: " + name, function, build)

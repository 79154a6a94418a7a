# SPDX-License-Identifier: MIT
"""store/sqlite through the running program: locked, damaged, missing. The answer is "try later",
never a refusal for good."""
import fcntl
import os
import sqlite3

from tmail import Session, Tmail

MODULES = """(
  { module = "store/sqlite"; file = "deep/site.db"; busy_timeout = "200ms"; },
  { module = "store/journal"; },
  { module = "route/rcpthost"; },
  { module = "auth/relayip"; }
)"""
WRITE_LOCK, RECOVER_LOCK, INDEX_HEADER = 120, 122, 48  # in the -shm file (SQLite's walformat)


class Sqlite:
    def __init__(self, build):
        self.build = build
        self.server = Tmail(build, "queue = { deliver = false; };\nsmtp = { max_bad_rcpt = 0; };\n",
                            modules=MODULES).start()
        self.file = os.path.join(self.server.folder, "deep/site.db")
        self.count = 0

    def close(self):
        self.server.close()

    def rcpt(self, domain=None):
        """Of a domain that was never asked for, so that no cache knows it."""
        self.count += 1
        session = Session(self.server.port)
        session.expect("EHLO client.test", 250)
        session.expect("MAIL FROM:<a@client.test>", 250)
        answer = session.ask(f"RCPT TO:<a@{domain or f'd{self.count}.example'}>")
        session.close()
        return answer

    def folder(self):
        assert os.path.exists(self.file)
        with sqlite3.connect(self.file) as db:
            assert db.execute("pragma journal_mode").fetchone() == ("wal",)
        db.close()

    def writer(self):
        """Somebody else writes: readers go on, commands wait and then say why not."""
        db = sqlite3.connect(self.file, isolation_level=None)
        db.execute("begin immediate")
        try:
            assert self.rcpt()[0] == 554
            run = self.server.command("rcpthost", "add", "example.com", check=False)
            assert run.returncode == 1 and "locked" in run.stderr, run
        finally:
            db.execute("rollback")
            db.close()
        self.server.command("rcpthost", "add", "example.com")
        assert self.rcpt("example.com")[0] == 250

    def readers(self):
        """Another process recovers the file: it has the locks, and the index in the -shm file is
        not whole. After busy_timeout the answer is 451; when it is over all is as before."""
        with open(self.file + "-shm", "r+b", buffering=0) as shm:
            for lock in (WRITE_LOCK, RECOVER_LOCK):
                fcntl.lockf(shm, fcntl.LOCK_EX, 1, lock)
            whole = os.pread(shm.fileno(), INDEX_HEADER, 0)
            os.pwrite(shm.fileno(), bytes(INDEX_HEADER), 0)
            for _ in range(5):
                code, text = self.rcpt()
                assert code == 451 and text[0].startswith("4."), (code, text)
            os.pwrite(shm.fileno(), whole, 0)
        assert self.rcpt()[0] == 554
        assert self.rcpt("example.com")[0] == 250

    def table_gone(self):
        """Somebody dropped a table: 451, not 554."""
        with sqlite3.connect(self.file, timeout=30) as db:
            db.execute("alter table rcpt_hosts rename to hidden")
        db.close()
        code, text = self.rcpt()
        assert code == 451 and text[0].startswith("4."), (code, text)
        with sqlite3.connect(self.file, timeout=30) as db:
            db.execute("alter table hidden rename to rcpt_hosts")
        db.close()
        assert self.rcpt()[0] == 554

    def damaged(self):
        """A file that is no database: the server does not start and says which file it is."""
        self.server.stop()
        with open(self.file, "r+b") as f:
            whole = f.read()
            f.seek(0)
            f.write(b"this is no database" * 10)
        for name in ("-wal", "-shm"):
            if os.path.exists(self.file + name):
                os.remove(self.file + name)
        self.server.start(wait=False)
        assert self.server.process.wait(60) == 1
        self.server.lines.thread.join(60)
        assert any("site.db" in line for line in self.server.lines.lines), self.server.lines.lines
        with open(self.file, "wb") as f:
            f.write(whole)
        self.server.start()
        assert self.rcpt("example.com")[0] == 250

    def tables_missing(self):
        """Without store.create it stops and says what to run; `tmail db init` makes them."""
        site = Tmail(self.build, modules=MODULES)
        try:
            with open(site.conf, encoding="utf-8") as f:
                text = f.read().replace("create = true", "create = false")
            site.write(text)
            site.start(wait=False)
            assert site.process.wait(60) == 1
            site.lines.thread.join(60)
            assert any("tmail db init" in line for line in site.lines.lines), site.lines.lines
            assert {r["tables"] for r in site.json("db", "status")} == {"missing"}
            site.command("db", "init")
            assert {r["tables"] for r in site.json("db", "status")} == {"ok"}
            site.start()
            site.command("rcpthost", "add", "example.com")
        finally:
            site.close()


def run(cases, build):
    sqlite = Sqlite(build)
    try:
        cases.run("sqlite: the folder of the file is made, and it is in WAL mode", sqlite.folder)
        cases.run("sqlite: another process writes", sqlite.writer)
        cases.run("sqlite: another process has locked it", sqlite.readers)
        cases.run("sqlite: a table is gone", sqlite.table_gone)
        cases.run("sqlite: a damaged file", sqlite.damaged)
        cases.run("sqlite: tables are missing and may not be made", sqlite.tables_missing)
    finally:
        sqlite.close()

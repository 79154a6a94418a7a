#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/tls/run.py BUILD [WORD...]: TLS coming in, as other people's programs speak it and as scanners see
it; certificates that change, and those that only root may read; with words, only the cases that
have one in their name. Loopback only; ends with "N passed, N failed"."""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
from postfix import Postfix  # noqa: E402
from tmail import Cases, Session, Skipped, Tmail, wait_for  # noqa: E402

BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build"
ROOT = os.geteuid() == 0
LISTEN = ('( { address = "127.0.0.1"; port = 0; }, '
          '{ address = "127.0.0.1"; port = 0; role = "mx"; tls = "implicit"; name = "ssl"; } )')
PAIR = '{{ certificate = "{0}.pem"; key = "{0}.key"; }}'


def run(words, octets="", seconds=60):
    """What it printed, both ways, whatever its status."""
    done = subprocess.run(words, input=octets.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds)
    return done.stdout.decode("utf-8", "replace")


def program(name):
    path = shutil.which(name)
    if not path:
        raise AssertionError(f"{name} is not installed: packaging/needs/install test")
    return path


class Authority:
    """Signs what tests want; all of it is in one folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tmail-test-ca-")
        self.file = os.path.join(self.folder, "ca.pem")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-subj", "/CN=authority", "-days", "30",
                     "-keyout", os.path.join(self.folder, "ca.key"), "-out", self.file)

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def sign(self, path, *names, rsa=False):
        """path.pem and path.key: one for these names."""
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self.openssl("req", "-x509", "-newkey", *kind, "-nodes", "-subj", "/CN=" + names[0],
                     "-days", "20", "-CA", self.file, "-CAkey",
                     os.path.join(self.folder, "ca.key"), "-addext",
                     "subjectAltName=" + ",".join("DNS:" + n for n in names), "-addext",
                     "basicConstraints=critical,CA:FALSE", "-addext",
                     "keyUsage=critical,digitalSignature", "-addext",
                     "extendedKeyUsage=serverAuth",
                     "-keyout", path + ".key.new", "-out", path + ".pem.new")
        os.replace(path + ".pem.new", path + ".pem")
        os.replace(path + ".key.new", path + ".key")

    def context(self):
        return ssl.create_default_context(cafile=self.file)

    def close(self):
        shutil.rmtree(self.folder)


AUTHORITY = Authority()


def tmail(settings="", pairs=("mx",), listen=LISTEN, start=True, names=("mx.test",), **more):
    tls = f'tls = {{ certificates = ( {", ".join(PAIR.format(p) for p in pairs)} ); {settings} }};\n'
    server = Tmail(BUILD, "queue = { deliver = false; };\n" + tls, listen=listen, **more)
    for pair in pairs:
        AUTHORITY.sign(os.path.join(server.folder, pair), *names)
    return server.start() if start else server


def relayed(server):
    server.command("relayip", "add", "127.0.0.1")
    return server


def serial(port, name="mx.test"):
    """Which certificate is shown."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        with AUTHORITY.context().wrap_socket(connection, server_hostname=name) as secure:
            return secure.getpeercert()["serialNumber"]


def received(server):
    """The first Received field of each message in the queue."""
    found = []
    for row in server.json("queue", "list"):
        text = server.command("queue", "show", row["id"], "--content")
        found.append(re.sub(r"\s+", " ", text.split("Received:", 1)[1].split("\r\n\r\n")[0]))
    return found


# ---- clients ------------------------------------------------------------------------------------

def with_smtplib(server):
    context = AUTHORITY.context()
    with smtplib.SMTP("127.0.0.1", server.port, "client.test", 60) as client:
        client._host = "mx.test"  # the name to check: there is no DNS here
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=context)
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("a@client.test", ["b@elsewhere.test"], "Subject: one\r\n\r\nhello\r\n")
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", server.ports[1]), 60),
                                     server_hostname="mx.test")
    with connection, connection.makefile("rb") as lines:
        assert lines.readline().startswith(b"220 mx.test")
        connection.sendall(b"QUIT\r\n")
        assert lines.readline().startswith(b"221")
        assert lines.readline() == b""  # the end, said by close_notify: else an error
    assert "with ESMTPS id" in received(server)[0], received(server)
    assert "TLSv1.3" in received(server)[0], received(server)


def with_openssl(server):
    for words in (["-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}"],
                  ["-connect", f"127.0.0.1:{server.ports[1]}"]):
        for version in ("-tls1_2", "-tls1_3"):
            said = run(["openssl", "s_client", "-crlf", "-verify_return_error", "-CAfile",
                        AUTHORITY.file, "-servername", "mx.test", "-verify_hostname", "mx.test",
                        version, "-ign_eof", *words], "EHLO x\nQUIT\n")
            assert "Verify return code: 0 (ok)" in said and "221 2.0.0 Bye" in said, said
            assert "Compression: NONE" in said and "X25519" in said, said
        for version in ("-tls1", "-tls1_1"):
            said = run(["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", *words])
            assert "alert protocol version" in said, said


def with_gnutls(server):
    gnutls = program("gnutls-cli")
    for words in (["--starttls-proto=smtp", "-p", str(server.port)], ["-p", str(server.ports[1])]):
        said = run([gnutls, "--x509cafile", AUTHORITY.file, "--sni-hostname=mx.test",
                    "--verify-hostname=mx.test", *words, "127.0.0.1"], "EHLO x\r\nQUIT\r\n")
        assert "Handshake was completed" in said and "221 2.0.0 Bye" in said, said
        assert "not properly terminated" not in said, said


def with_swaks(server):
    for flag, port in (("-tls", server.port), ("-tlsc", server.ports[1])):
        said = run(["swaks", "--server", f"127.0.0.1:{port}", flag, "--tls-ca-path",
                    AUTHORITY.file, "-f", "a@client.test", "-t", "b@elsewhere.test"])
        assert "<~  250 2.0.0 Ok: queued" in said, said


def with_curl(server):
    for scheme, port in (("smtp", server.port), ("smtps", server.ports[1])):
        said = run(["curl", "-sS", "--ssl-reqd", "--cacert", AUTHORITY.file, "--resolve",
                    f"mx.test:{port}:127.0.0.1", "--url", f"{scheme}://mx.test:{port}",
                    "--mail-from", "a@client.test", "--mail-rcpt", "b@elsewhere.test", "-T", "-"],
                   "Subject: curl\r\n\r\nhello\r\n")
        assert said == "", said


def with_postfix(server):
    """Which insists on TLS and on the name."""
    before = server.queued()
    more = ("smtp_tls_security_level = secure\nsmtp_tls_secure_cert_match = mx.test\n"
            "smtp_tls_CAfile = /etc/ca.pem\n")
    cache = os.environ.get("TMAIL_PEERS") or os.path.join(BUILD, "peers")
    postfix = Postfix(cache, mode="relay", next_hop=("127.0.0.1", server.port), settings=more)
    with open(AUTHORITY.file, encoding="utf-8") as f:
        postfix.write("/etc/ca.pem", f.read())
    with postfix:
        session = Session(postfix.port)
        assert session.message("a@client.test", ["b@elsewhere.test"],
                               b"Subject: hello\r\n\r\nhello\r\n")[0] == 250
        session.close()
        wait_for(lambda: server.queued() == before + 1, what="the message")


# ---- scanners -----------------------------------------------------------------------------------

def sslscan(server):
    scan = program("sslscan")
    for words in ([f"127.0.0.1:{server.ports[1]}"], ["--starttls-smtp", f"127.0.0.1:{server.port}"]):
        said = run([scan, "--no-colour", "--sni-name=mx.test", *words], seconds=300)
        for old in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
            assert re.search(rf"{old} +disabled", said), said
        for new in ("TLSv1.2", "TLSv1.3"):
            assert re.search(rf"{new} +enabled", said), said
        assert "Session renegotiation not supported" in said, said
        assert "not vulnerable to heartbleed" in said, said
        ciphers = re.findall(r"(?:Accepted|Preferred) +TLS\S+ +\d+ bits +(\S+)", said)
        assert ciphers and all(re.search("GCM|CHACHA20", c) for c in ciphers), ciphers


def testssl(server):
    """Nothing beyond a low finding, but for what a private authority and the loopback are."""
    scan = program("testssl")
    private = {"cert_chain_of_trust", "cert_trust", "cert_notAfter", "cert_revocation",
               "cert_caIssuers", "cert_crlDistributionPoints", "cert_ocspURL", "DNS_CAArecord",
               "cert_certificatePolicies_EV", "cert_expirationStatus", "OCSP_stapling",
               "security_headers", "overall_grade", "cert_extlifeSpan", "scanProblem"}
    report = os.path.join(server.folder, "testssl.json")
    run([scan, "--quiet", "--color", "0", "--nodns", "none", "--ip", "127.0.0.1", "-t", "smtp",
         "-p", "-S", "-P", "-U", "-f", "--jsonfile", report,
         f"mx.test:{server.port}"], seconds=600)
    with open(report, encoding="utf-8") as f:
        found = json.load(f)
    bad = [r for r in found if r["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL")
           and re.sub(r" .*", "", r["id"]) not in private]
    assert not bad, bad
    assert any(r["id"] == "TLS1_3" and r["severity"] == "OK" for r in found), found


# ---- certificates -------------------------------------------------------------------------------

def by_name():
    """ECDSA and RSA for one name, another name, and a star."""
    server = Tmail(BUILD, "queue = { deliver = false; };\ntls = { certificates = ( "
                   + ", ".join(PAIR.format(p) for p in ("ec", "rsa", "two")) + " ); };\n",
                   listen=LISTEN)
    AUTHORITY.sign(os.path.join(server.folder, "ec"), "mx.test")
    AUTHORITY.sign(os.path.join(server.folder, "rsa"), "mx.test", rsa=True)
    AUTHORITY.sign(os.path.join(server.folder, "two"), "two.test", "*.two.test")
    with server:
        port = server.ports[1]
        assert serial(port, "a.two.test") == serial(port, "two.test") != serial(port)
        for algorithm, shown in (("ECDSA+SHA256", "ECDSA"), ("RSA-PSS+SHA256", "RSA-PSS")):
            said = run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-sigalgs",
                        algorithm, "-servername", "mx.test"])
            assert f"Peer signature type: {shown}" in said, said


def resumed(server):
    session = os.path.join(server.folder, "session")
    for version in ("-tls1_2", "-tls1_3"):
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports[1]}", "-crlf",
                 "-servername", "mx.test", "-ign_eof", version]
        assert "New, " in run([*words, "-sess_out", session], "QUIT\n")
        server.command("reload")  # which keeps the keys of tickets
        said = run([*words, "-sess_in", session], "QUIT\n")
        assert "Reused, " in said, said


def renewed():
    """As certbot does, with nobody told; who is there goes on with the old one."""
    with tmail(start=False) as server:
        first = serial(server.ports[1])
        there = AUTHORITY.context().wrap_socket(
            socket.create_connection(("127.0.0.1", server.ports[1]), 60), server_hostname="mx.test")
        assert there.recv(1000).startswith(b"220")
        AUTHORITY.sign(os.path.join(server.folder, "mx"), "mx.test")
        server.lines.wait(r"\bcertificates\b", 2)
        assert serial(server.ports[1]) != first
        there.sendall(b"NOOP\r\n")
        assert there.recv(1000).startswith(b"250")
        there.close()


def broken():
    """A pair that is none is refused, in one line, and the old one serves on."""
    with tmail(start=False) as server:
        first = serial(server.ports[1])
        path = os.path.join(server.folder, "mx")
        shutil.copy(path + ".key", path + ".kept")
        AUTHORITY.sign(os.path.join(server.folder, "other"), "mx.test")
        shutil.copy(os.path.join(server.folder, "other.key"), path + ".key")
        server.lines.wait(r"certificates_refused why=.*mx\.key is not the key of .*mx\.pem")
        assert serial(server.ports[1]) == first
        refused = server.command("reload", check=False)
        assert refused.returncode == 1 and "is not the key of" in refused.stderr, refused
        assert serial(server.ports[1]) == first
        checked = server.command("check", check=False)
        assert checked.returncode == 1, checked
        assert re.search(r"tmail\.conf:\d+: .*mx\.key is not the key of", checked.stderr), checked
        shutil.copy(path + ".kept", path + ".key")
        server.lines.wait(r"\bcertificates\b", 2)
        assert "is good" in server.command("check")
        server.command("restart")
        server.lines.wait(r"\bserving\b", 2)


def gone():
    """Files that are cut short or vanish change nothing; a server that dies meanwhile is back by itself
    when they are."""
    with tmail(start=False) as server:
        first = serial(server.ports[1])
        path = os.path.join(server.folder, "mx.pem")
        with open(path, encoding="ascii") as f:
            text = f.read()
        for n, (half, why) in enumerate((("", "no start line"), (text[:200], "bad end line"),
                                         (text + text[:200], "bad end line")), 1):
            with open(path, "w", encoding="ascii") as f:
                f.write(half)
            server.lines.wait(rf"certificates_refused why=.*mx\.pem: {why}",
                              n - 1 if why == "bad end line" else n)
            assert serial(server.ports[1]) == first
        os.unlink(path)
        server.lines.wait(r"certificates_refused why=.*mx\.pem: No such file")
        assert serial(server.ports[1]) == first
        os.kill(int(server.status()["pid"]), signal.SIGKILL)
        server.lines.wait(r"start_failed why=.*mx\.pem: No such file")
        AUTHORITY.sign(os.path.join(server.folder, "mx"), "mx.test")
        server.lines.wait(r"\bserving\b", 2)
        assert serial(server.ports[1]) != first


def linked():
    """Links that are set anew, one after the other, as certbot does."""
    with tmail(start=False) as server:
        for name in ("one", "two"):
            AUTHORITY.sign(os.path.join(server.folder, name), "mx.test")
            before = serial(server.ports[1])
            for end in (".pem", ".key"):
                link = os.path.join(server.folder, "mx" + end)
                os.symlink(name + end, link + ".new")
                os.replace(link + ".new", link)
            wait_for(lambda: serial(server.ports[1]) != before, what="the new certificate")


def of_root():
    """A key that only root can read, for a server that is not root."""
    if not ROOT:
        raise Skipped("only root can make one")
    server = tmail(start=False)
    user = "nobody"
    with open(server.conf, encoding="utf-8") as f:
        text = f.read().replace('user = "root"', f'user = "{user}"')
    secret = os.path.join(server.folder, "secret")
    os.mkdir(secret, 0o700)
    for name in ("mx.pem", "mx.key"):
        os.rename(os.path.join(server.folder, name), os.path.join(secret, name))
    os.chmod(os.path.join(secret, "mx.key"), 0o600)
    server.write(text.replace('"mx.', '"secret/mx.'))
    for name in (".", "db", "store", "log"):
        path = os.path.join(server.folder, name)
        os.makedirs(path, exist_ok=True)
        shutil.chown(path, user)
    if run(["setpriv", "--reuid", user, "test", "-x", server.program, "-a", "-x", BUILD]) or \
            subprocess.run(["setpriv", "--reuid", user, "--clear-groups", "test", "-x",
                            server.program]).returncode:
        server.close()
        raise Skipped(f"{user} cannot come to {server.program}")
    with server:
        first = serial(server.ports[1])
        assert "is good" in server.command("check")
        AUTHORITY.sign(os.path.join(secret, "mx"), "mx.test")
        server.lines.wait(r"\bcertificates\b", 2)
        assert serial(server.ports[1]) != first
        server.command("reload")
        pid = server.status()["pid"]
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            assert "Uid:\t0" not in f.read()


def made():
    """By tmail itself, at the first start, for whom there is none."""
    server = Tmail(BUILD, "queue = { deliver = false; };\ntls = { certificates = ( "
                   + PAIR.format("own/mx") + " ); create = true; };\n", listen=LISTEN)
    assert "is good" in server.command("check")
    with server:
        own = os.path.join(server.folder, "own", "mx")
        assert os.stat(own + ".key").st_mode & 0o777 == 0o600
        context = ssl.create_default_context(cafile=own + ".pem")
        with socket.create_connection(("127.0.0.1", server.ports[1]), 60) as connection:
            context.wrap_socket(connection, server_hostname="mx.test").close()
        before = os.stat(own + ".pem").st_ino
        server.stop()
        server.start()
        assert os.stat(own + ".pem").st_ino == before


def missing():
    """What cannot be is said by check and start, with the place."""
    server = Tmail(BUILD, listen='( { port = 0; role = "smtps"; } )')
    checked = server.command("check", check=False)
    assert "nobody can come in without TLS here" in checked.stderr, checked
    server.write('tls = { certificates = ( { certificate = "none.pem"; } ); };\n', "conf.d/tls.conf")
    checked = server.command("check", check=False)
    assert re.search(r"tls\.conf:1: .*none\.pem: No such file", checked.stderr), checked
    server.start(wait=False)
    assert server.process.wait() == 1
    server.lines.wait(r"none\.pem: No such file")
    server.close()


# ---- endurance ----------------------------------------------------------------------------------

def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        return int(re.search(r"Private_Dirty: +(\d+)", f.read()).group(1))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Handshake:
    """A client's part of one, flight by flight, over a connection that can be torn anywhere."""

    def __init__(self, server, implicit, version):
        context = ssl._create_unverified_context()
        context.maximum_version = version
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.side = context.wrap_bio(self.came, self.goes, server_hostname="mx.test")
        self.socket = socket.create_connection(("127.0.0.1", server.ports[1 if implicit else 0]), 60)
        if not implicit:
            for line, code in ((b"", b"220"), (b"EHLO client.test\r\n", b"250"),
                               (b"STARTTLS\r\n", b"220")):
                self.socket.sendall(line)
                said = self.socket.recv(65536)
                assert said.startswith(code), said

    def flight(self):
        """What is to be sent next; after all of it, True: the handshake is over for the client."""
        try:
            self.side.do_handshake()
            return self.goes.read(), True
        except ssl.SSLWantReadError:
            return self.goes.read(), False

    def tear(self, flight, octets):
        """Ends in front of that octet of that flight, or behind the handshake if it is shorter."""
        over = False
        for n in range(flight + 1):
            sent, over = self.flight()
            self.socket.sendall(sent[:octets] if n == flight else sent)
            if n < flight and not over:
                answer = self.socket.recv(65536)
                assert answer[:1] == b"\x16", answer
                self.came.write(answer)
        if octets % 2:  # with a reset
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def torn(server):
    """Handshakes that end in the middle leave neither descriptors nor memory behind."""
    pid = server.status()["pid"]

    def tear(n):
        version = ssl.TLSVersion.TLSv1_3 if n & 1 else ssl.TLSVersion.TLSv1_2
        Handshake(server, n & 2, version).tear(n >> 2 & 1, (0, 1, 5, 6, 40, 79, 10000)[n % 7])

    def round_of(count):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(tear, range(count)))
        wait_for(lambda: int(server.status()["sessions"]) == 0, what="the end of all sessions")
    round_of(200)
    before = memory(pid), descriptors(pid)
    round_of(1000)
    wait_for(lambda: descriptors(pid) <= before[1], what="the end of all descriptors")
    assert memory(pid) < before[0] + 512, (memory(pid), before)


def idle(server):
    """1,000 clients that say nothing, in 20 KB each."""
    pid = server.status()["pid"]
    context = AUTHORITY.context()
    before, all_of_them = memory(pid), []
    for _ in range(1000):
        connection = context.wrap_socket(
            socket.create_connection(("127.0.0.1", server.ports[1]), 60), server_hostname="mx.test")
        assert connection.recv(200).startswith(b"220")
        all_of_them.append(connection)
    each = (memory(pid) - before) / len(all_of_them)
    for connection in all_of_them:
        connection.close()
    print(f"     {each:.1f} KB each")
    assert each <= 20, each


def main():
    cases = Cases()

    def cases_run(rows, *arguments):
        for name, case in rows:
            if not sys.argv[2:] or any(word in name for word in sys.argv[2:]):
                cases.run(name, case, *arguments)
    server = relayed(tmail())
    try:
        cases_run((("smtplib", with_smtplib), ("openssl s_client", with_openssl),
                   ("gnutls-cli", with_gnutls), ("swaks", with_swaks), ("curl", with_curl),
                   ("Postfix, which insists", with_postfix), ("sslscan", sslscan),
                   ("testssl.sh", testssl), ("sessions are resumed", resumed),
                   ("torn handshakes", torn), ("idle clients", idle)), server)
    finally:
        server.close()
    cases_run((("certificates by name", by_name), ("a renewed certificate", renewed),
               ("a broken one", broken), ("one that is gone", gone), ("links", linked),
               ("a key of root's", of_root),
               ("one of our own making", made), ("none at all", missing)))
    AUTHORITY.close()
    return cases.end()


if __name__ == "__main__":
    sys.exit(main())

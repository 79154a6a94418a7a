# SPDX-License-Identifier: MIT
"""Other people's servers without installing them, for some cannot be installed beside each other:
their Debian packages are downloaded once, unpacked into a root folder of their own with the
libraries they need, and run there by chroot. Nothing outside the cache folder is touched.
Needs root; smtp-source and smtp-sink, which need none of it, run for everybody."""
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

from tmail import Skipped, wait_for

DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}

# Numbers that nobody else has, so that a stray process or file is known at once.
USERS = {"root": (0, 0), "daemon": (1, 1), "nobody": (65534, 65534), "postfix": (61001, 61001),
         "Debian-exim": (61003, 61003), "virtual": (61004, 61004),
         "opensmtpd": (61005, 61005), "opensmtpq": (61006, 61006),
         "dovecot": (61007, 61007), "dovenull": (61008, 61008)}
GROUPS = {"root": 0, "daemon": 1, "nogroup": 65534, "postfix": 61001, "postdrop": 61002,
          "Debian-exim": 61003, "virtual": 61004, "opensmtpd": 61005, "opensmtpq": 61006,
          "dovecot": 61007, "dovenull": 61008}


class Missing(Skipped):
    """It cannot be run on this machine. What could be there and is not fails."""


def free_port(address="127.0.0.1", kind=socket.SOCK_STREAM):
    """One that nobody has now, for programs that cannot be given a socket."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def greeting(address, port, seconds=1):
    """The first line of an SMTP server, or nothing."""
    try:
        with socket.create_connection((address, port), seconds) as s:
            line = s.makefile("rb").readline().decode("latin-1")
            s.sendall(b"QUIT\r\n")
            return line
    except OSError:
        return ""


def download(package, folder):
    """Path of its .deb; asks the archive's index again when that has moved on."""
    def found():
        debs = [d for d in os.listdir(folder) if d.startswith(package + "_") and d.endswith(".deb")]
        return os.path.join(folder, debs[0]) if debs else None
    if not shutil.which("apt-get"):
        raise Missing(f"{package} is had from Debian's archive, with apt-get")
    for update in (False, True):
        if found():
            break
        if update and os.geteuid() == 0:
            subprocess.run(["apt-get", "-qq", "update"], capture_output=True)
        run = subprocess.run(["apt-get", "-qq", "download", package], cwd=folder, text=True,
                             capture_output=True)
    if not found():
        raise AssertionError(f"{package} cannot be downloaded: {run.stderr.strip()[-200:]}")
    return found()


def programs(root):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.stat(path).st_mode & stat.S_IXUSR:
                with open(path, "rb") as f:
                    if f.read(4) == b"\x7fELF":
                        yield path


def library_folders(root, also=""):
    """Where the packages in a root keep shared objects, as LD_LIBRARY_PATH wants it."""
    return ":".join([root + also] + sorted(glob.glob(root + "/usr/lib/*-linux-gnu")))


def libraries(paths, search):
    """(shared objects these programs load, those that are not there)"""
    run = subprocess.run(["ldd", *paths], env=dict(os.environ, LD_LIBRARY_PATH=search), text=True,
                         capture_output=True)
    return (sorted(set(re.findall(r"(/\S+) \(0x", run.stdout))),
            sorted(set(re.findall(r"(\S+) => not found", run.stdout))))


def library_packages(package):
    """The libraries a package depends on that are not installed."""
    rules = ["--no-" + kind for kind in ("recommends", "suggests", "conflicts", "breaks",
                                         "replaces", "enhances")]
    run = subprocess.run(["apt-cache", "depends", "--recurse", *rules, package], text=True,
                         capture_output=True)
    for name in sorted(set(re.findall(r"^(lib[\w.+-]+)$", run.stdout, re.M))):
        state = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", name], text=True,
                               capture_output=True).stdout
        if state != "install ok installed":
            yield name


def libraries_complete(package, cache, root, also):
    """All that its programs load, from this system or unpacked beside them."""
    for fetch in (False, True):
        for name in library_packages(package) if fetch else ():
            subprocess.run(["dpkg", "-x", download(name, cache), root], check=True)
        found, lost = libraries(list(programs(root)), library_folders(root, also))
        if not lost:
            return found
    raise AssertionError(f"libraries for {package} are missing: " + " ".join(lost))


def private_files(root):
    """What a program expects of any system: users, devices, and names without a name server."""
    for name in ("dev", "etc", "run"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name, (major, minor) in DEVICES.items():
        try:
            os.mknod(f"{root}/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(major, minor))
            os.chmod(f"{root}/dev/{name}", 0o666)
            with open(f"{root}/dev/{name}", "rb"):
                pass
        except OSError as trouble:
            raise Missing(f"devices cannot be made: {trouble}") from None
    files = {
        "passwd": "".join(f"{n}:x:{u}:{g}::/:/bin/false\n" for n, (u, g) in USERS.items()),
        "group": "".join(f"{n}:x:{g}:\n" for n, g in GROUPS.items()),
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n",
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "services": "smtp 25/tcp\n", "protocols": "tcp 6 TCP\nudp 17 UDP\n",
    }
    for name, text in files.items():
        with open(f"{root}/etc/{name}", "w", encoding="utf-8") as f:
            f.write(text)
    for name in ("tmp", "var/tmp"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
        os.chmod(f"{root}/{name}", 0o1777)


def unpack(package, cache, chroot=True, also=""):
    """Folder with the package's files, made once. With chroot also libraries, users, devices;
    `also` is where the package keeps libraries of its own."""
    os.makedirs(cache, exist_ok=True)
    folder = os.path.join(os.path.abspath(cache), package + ("-root" if chroot else ""))
    with open(os.path.join(cache, "lock"), "w") as lock:  # tests may run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):
            return folder
        making = folder + ".new"
        shutil.rmtree(making, ignore_errors=True)
        subprocess.run(["dpkg", "-x", download(package, cache), making], check=True)
        for scripts in glob.glob(making + "/**/*.d", recursive=True):
            shutil.rmtree(scripts)  # of the system that it is not installed on
        wanted = libraries_complete(package, cache, making, also)
        if chroot:
            for path in wanted:
                if not path.startswith(making):
                    os.makedirs(making + os.path.dirname(path), exist_ok=True)
                    shutil.copy2(os.path.realpath(path), making + path)
            private_files(making)
        os.chmod(making, 0o755)
        os.rename(making, folder)
    return folder


class Unpacked:
    """One running server in a root of its own: a copy of the unpacked folder by hard links. Those
    who inherit write their configuration and say what is started."""

    package = also = None

    def __init__(self, cache):
        if os.geteuid():
            raise Missing(f"{self.package} needs root, for chroot and users of its own")
        cache = os.path.abspath(cache)
        template = unpack(self.package, cache, also=self.also or "")
        self.root = tempfile.mkdtemp(prefix=self.package + "-", dir=cache)
        shutil.rmtree(self.root)
        # etc and var are written to: they must be copies, or all would share them
        subprocess.run(["cp", "-al", template, self.root], check=True)
        for name in ("etc", "var"):
            shutil.rmtree(f"{self.root}/{name}", ignore_errors=True)
            if os.path.isdir(f"{template}/{name}"):
                shutil.copytree(f"{template}/{name}", f"{self.root}/{name}", symlinks=True)
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def write(self, path, text, mode=0o644):
        path = self.root + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)

    def folder(self, path, user="root", mode=0o755, group=None):
        path = self.root + path
        os.makedirs(path, exist_ok=True)
        os.chown(path, USERS[user][0], GROUPS[group] if group else USERS[user][1])
        os.chmod(path, mode)

    def run(self, *words, check=True):
        """A program of the package, to its end."""
        return subprocess.run(["chroot", self.root, *words], check=check, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL)

    def spawn(self, *words):
        """The server, in the foreground, in a process group of its own."""
        self.output = open(self.root + "/output", "wb")
        self.process = subprocess.Popen(
            ["chroot", self.root, *words], stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.STDOUT, start_new_session=True, cwd="/")

    def said(self):
        """All it wrote, for a failure's message."""
        with open(self.root + "/output", encoding="utf-8", errors="replace") as f:
            return f.read() + self.log()

    def log(self):
        return ""

    def greets(self, address, port, seconds=30):
        def answer():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.package} ended:\n{self.said()[-2000:]}")
            return greeting(address, port).startswith("220")
        try:
            wait_for(answer, seconds, f"{self.package}'s greeting")
        except AssertionError as trouble:
            raise AssertionError(f"{trouble}\n{self.said()[-2000:]}") from None

    def pids(self):
        """Of the server and all it started that runs now, for who measures."""
        found = []
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, encoding="utf-8", errors="replace") as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue  # it ended
            if int(fields[3]) == self.process.pid:  # its session
                found.append(int(path.split("/")[2]))
        return found

    def stop(self):
        """It and all it started."""
        if not self.process:
            return
        group = self.process.pid
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
                try:
                    self.process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
            try:
                os.killpg(group, number)  # children that outlive it
            except ProcessLookupError:
                break
        self.process.wait()
        self.output.close()
        self.process = None

    def close(self):
        self.stop()
        if not os.environ.get("TMAIL_TEST_KEEP"):
            shutil.rmtree(self.root, ignore_errors=True)

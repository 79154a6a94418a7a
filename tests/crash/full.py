#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A disk that is full: queue, tables, log and trace are on a small file system of their own, and
somebody fills it up and empties it again while messages come and go.

    tests/crash/full.py BUILD [--cycles 5]

While it is full, messages that need room are answered 452, what was taken is delivered all the
same, and nothing ends; when there is room again messages are taken without a restart. Ends with one
line of JSON and "N passed, N failed". Needs root, for a file system in a namespace of its own."""
import argparse
import errno
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from power import SMALL  # noqa: E402
from scene import QUICK, Scene  # noqa: E402
from tmail import Tmail, wait_for  # noqa: E402
from unpacked import free_port, greeting  # noqa: E402

MARK = "TMAIL_TEST_MOUNTS"
ROOM = "128M"
TIGHT = SMALL.replace('"1M";', '"1M"; keep_free = "4M";')


def enter():
    """The rest of the program runs where what it mounts is seen by nobody else. Answers why not."""
    if os.geteuid():
        return "a file system of its own takes root"
    if os.environ.get(MARK) != "1":
        run = subprocess.run(["unshare", "--mount", "true"], text=True, capture_output=True)
        if run.returncode:
            return "mount namespaces are not permitted: " + run.stderr.strip()
        os.environ[MARK] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    return None


def fill(path):
    """All the room there is, to the last octet."""
    with open(path, "wb", buffering=0) as f:
        for piece in (1 << 20, 4096, 1):
            try:
                while True:
                    f.write(bytes(piece))
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise


class Logging(Tmail):
    """Its log is a file, so its port is decided here, and its greeting says that it serves."""

    def __init__(self, build, settings, modules, **more):
        self.at = free_port()
        super().__init__(build, settings, modules, **more, listen=(
            '( { address = "127.0.0.1"; port = %d; } )' % self.at))

    @property
    def port(self):
        return self.at

    def start(self):
        super().start(wait=False)
        wait_for(lambda: greeting("127.0.0.1", self.at).startswith("220"), what="its greeting")
        return self


def cycle(scene, load, path):
    """Full, and not full again."""
    refused = load.codes[452]
    fill(path)
    wait_for(lambda: load.codes[452] > refused + 20, what="a refusal for want of room")
    wait_for(lambda: scene.server.queued() == 0, what="a queue that empties on a full disk")
    os.remove(path)
    taken = load.codes[250]
    wait_for(lambda: load.codes[250] > taken + 20, what="messages that are taken again")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--cycles", type=int, default=5)
    a = ap.parse_args()
    reason = enter()
    if reason:
        print(f"skip tests/crash/full: {reason}\n0 passed, 0 failed, 1 skipped")
        return 0
    folder = tempfile.mkdtemp(prefix="tmail-full-")
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], check=True)
        os.mkdir(folder + "/log")
        settings = f'{QUICK}base = "{folder}"; log = {{ target = "file"; trace_size = "8M"; }};\n'
        with Scene(os.path.abspath(a.build), settings, TIGHT, Logging) as scene:
            pid, load = scene.server.status()["pid"], scene.load("f")
            for _ in range(a.cycles):
                cycle(scene, load, folder + "/filler")
            scene.stop.set()
            load.join()
            scene.drained()
            scene.says(scene.server.status()["pid"] == pid, "the server died")
            # 451: room ran out, or came back, in the middle of a large message
            scene.says(not set(load.codes) - {250, 451, 452}, f"answers were {load.words}")
        return scene.account(cycles=a.cycles, codes=dict(load.codes))
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)
        os.rmdir(folder)


if __name__ == "__main__":
    sys.exit(main())

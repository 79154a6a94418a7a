#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mixed traffic for as long as one likes, while everything happens that may: is all of it accounted
for, and does nothing grow?

    tests/crash/soak.py BUILD [--minutes 5] [--seed N]

Messages of all sizes, clients that leave in the middle, servers that say "later". In the first half
the server is killed, stopped and started, and restarted; in the second half one and the same server is
reloaded again and again, its routes are changed, mail is held and released. Between the legs of it all
mail goes out, all connections end, and memory and descriptors are looked at: of the second half the
last leg may have no more descriptors than the first, but for the journal's files, which are as many as
it needs; and its last third a tenth and 2 MB more memory than the first, and what the store keeps of
ids that ended. Ends with one line of JSON and "N passed, N failed"."""
import argparse
import os
import random
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from kill import kill_once  # noqa: E402
from load import ACKED  # noqa: E402
from measure import family, memory_kb  # noqa: E402
from scene import QUICK, Scene  # noqa: E402
from tmail import Failed, Session, wait_for  # noqa: E402
from unpacked import free_port  # noqa: E402

SIZES = (200, 3000, 9000, 90000, 400000)
SETTINGS = QUICK.replace("};", 'idle_timeout = "1s"; };')
LEGS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
TENTH, SOME_KB = 1.1, 2048
ENDED, ENDED_OCTETS = 131072, 48  # docs/journal.md; its arrays grow by doubling


class Leavers:
    """Clients that go away at some point of the dialogue; nothing of theirs may arrive."""

    LINES = (b"EHLO gone.test\r\n", b"MAIL FROM:<a@source.test>\r\n", b"RCPT TO:<ok@dest.test>\r\n",
             b"DATA\r\n", b"X-Mark: !gone\r\n\r\nhalf of it\r\n" * 200, b".\r")

    def __init__(self, port, chance, stop):
        self.port, self.chance, self.stop, self.count = port, random.Random(chance.random()), stop, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stop.wait(self.chance.uniform(0, 0.1)):
            try:
                session = Session(self.port())
                for line in self.LINES[:self.chance.randint(0, len(self.LINES))]:
                    session.send(line)
                session.close()
                self.count += 1
            except (OSError, ValueError, IndexError):
                pass  # nobody listens now


class Soak:
    def __init__(self, scene, chance):
        self.scene, self.chance, self.happened, self.current = scene, chance, {}, 0
        self.rough = (self.kill, self.kill, self.restart, self.stop_and_start, self.route)
        self.smooth = (self.reload, self.reload, self.route, self.hold, self.bad_reload)

    # ---- what happens --------------------------------------------------------------------------

    def kill(self):
        self.scene.kills.append(kill_once(self.scene.server, self.chance))

    def restart(self):
        """Once the one before is through."""
        wait_for(lambda: self.scene.server.command("restart", check=False).returncode == 0,
                 what="a restart")

    def stop_and_start(self):
        status = self.scene.server.stop()
        self.scene.says(status == 0, f"stopped with {status}")
        self.scene.server.start()

    def reload(self):
        conf = self.scene.server.conf
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        words = [f"max_connections_destination = {n};" for n in (5, 20)]
        old, new = words if words[0] in text else words[::-1]
        text = text.replace(old, new) if old in text else text.replace("queue = {", "queue = { " + new)
        self.scene.server.write(text)
        self.scene.server.command("reload")

    def bad_reload(self):
        server = self.scene.server
        with open(server.conf, encoding="utf-8") as f:
            good = f.read()
        server.write(good + "\nno_such_setting = 1;\n")
        try:
            server.command("reload")
            self.scene.says(False, "a reload with a setting that there is not was taken")
        except Failed:
            pass
        server.write(good)

    def route(self):
        """All mail to the other sink."""
        server, self.current = self.scene.server, 1 - self.current
        old = [row["id"] for row in server.json("routes", "list")]
        server.command("routes", "add", "-rh", "127.0.0.1", "-rp", self.scene.sinks[self.current].port)
        for number in old:
            server.command("routes", "del", number)
        server.command("queue", "retry", "--all")

    def hold(self):
        self.scene.server.command("queue", "hold", "--limit", "5", "--to", "@dest.test")
        self.scene.server.command("queue", "release", "--held")

    # ---- legs ----------------------------------------------------------------------------------

    def leg(self, letter, events, seconds):
        scene, stop = self.scene, threading.Event()
        load = scene.load(letter, stop, sizes=SIZES)
        leavers = Leavers(lambda: scene.server.port, self.chance, stop)
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                stop.wait(self.chance.uniform(0.1, 1))  # the traffic goes on: this is the moment
                event = self.chance.choice(events)
                event()
                self.happened[event.__name__] = self.happened.get(event.__name__, 0) + 1
        finally:
            stop.set()
            load.join()
            leavers.thread.join()
        scene.server.command("queue", "release", "--held")
        scene.drained()
        wait_for(lambda: not any(sink.open for sink in scene.sinks), what="the end of connections")

    def descriptors(self, numbers):
        """But for the journal's files."""
        found = []
        for folder in (f"/proc/{number}/fd" for number in numbers):
            for name in os.listdir(folder):
                try:
                    found.append(os.readlink(os.path.join(folder, name)))
                except FileNotFoundError:
                    pass  # closed since
        return sum("/segment-" not in path for path in found)

    def look(self, looks):
        """(descriptors, memory in KB, messages so far) of a server at rest: what it is about to close,
        such as the connection of the last command, is waited for."""
        numbers = family(self.scene.server.process.pid)
        if looks:
            try:
                wait_for(lambda: self.descriptors(numbers) <= looks[0][0])
            except AssertionError:
                pass  # they stay: grown() says so
        return (self.descriptors(numbers), memory_kb(numbers)[0],
                sum(len(load.of(ACKED)) for load in self.scene.loads))


def grown(scene, looks):
    """Whether the last has more descriptors than the first, the last third more memory."""
    third = max(1, len(looks) // 3)
    (_, kb, sent), (_, last_kb, last_sent) = (
        [statistics.median(column) for column in zip(*part)] for part in (looks[:third], looks[-third:]))
    scene.says(looks[-1][0] <= looks[0][0], f"descriptors grew: {looks}")
    ended_kb = min(ENDED, last_sent - sent) * ENDED_OCTETS / 1024
    scene.says(last_kb <= kb * TENTH + SOME_KB + ended_kb,
               f"memory grew from {kb} to {last_kb} KB: {looks}")


def later(chance):
    """Now and then a sink takes nothing."""
    def answer(verb, _):
        return "451 4.3.0 Later" if verb in (".", "RCPT") and chance.random() < 0.02 else None
    return answer


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--minutes", type=float, default=5)
    ap.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    a = ap.parse_args()
    chance, legs = random.Random(a.seed), min(len(LEGS), max(6, int(a.minutes * 4)))
    with Scene(a.build, SETTINGS, answer=later(random.Random(a.seed)),
               listen='( { address = "127.0.0.1"; port = %d; } )' % free_port()) as scene:
        soak, looks, seconds = Soak(scene, chance), [], a.minutes * 60 / legs
        for number, letter in enumerate(LEGS[:legs]):
            rough = number < legs // 2
            if number == legs // 2:
                scene.server.stop()
                scene.server.start()
            soak.leg(letter, soak.rough if rough else soak.smooth, seconds)
            if number > legs // 2:  # the first of the half has made what there is to keep
                looks.append(soak.look(looks))
        grown(scene, looks)
    return scene.account(seed=a.seed, minutes=a.minutes, happened=soak.happened, looks=looks)


if __name__ == "__main__":
    sys.exit(main())

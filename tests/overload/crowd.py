#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A crowd of bad clients, in a process of its own: tests/overload/crowd.py KIND PORT COUNT

    drip   half of them send a command, half a message, an octet a second
    deaf   ask and ask, and never read an answer
    churn  connect and leave again, as fast as they can
    guess  try wrong passwords, of logins that exist (user0@bench.test to user19@bench.test) and of
           others, by several mechanisms, again and again

They come from many addresses of the loopback network. A line "ready" when all are there; they stay
until standard input ends, and what they were told is printed as one line of JSON."""
import base64
import collections
import errno
import json
import os
import selectors
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from measure import json_line  # noqa: E402

PER_ADDRESS = 50


class Client:
    """One connection: says what it has to say when it may."""

    def __init__(self, number, port):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((f"127.7.{number // PER_ADDRESS // 250}.{number // PER_ADDRESS % 250 + 1}", 0))
        self.socket.connect_ex(("127.0.0.1", port))
        self.read, self.gone = b"", False

    def hear(self):
        """What it was told since; reads all there is."""
        try:
            while True:
                octets = self.socket.recv(65536)
                if not octets:
                    self.gone = True
                    return
                self.read += octets
        except BlockingIOError:
            pass
        except OSError:
            self.gone = True

    def say(self, octets):
        try:
            return self.socket.send(octets)
        except BlockingIOError:
            return 0
        except OSError:
            self.gone = True
            return 0


class Crowd:
    def __init__(self, port, count):
        self.clients = [Client(n, port) for n in range(count)]
        self.port, self.rounds = port, 0

    def ready(self):
        """All connected, and greeted or turned away."""
        waiting = selectors.DefaultSelector()
        for client in self.clients:
            waiting.register(client.socket, selectors.EVENT_READ, client)
        left, end = len(self.clients), time.monotonic() + 60
        while left and time.monotonic() < end:
            for key, _ in waiting.select(1):
                key.data.hear()
                waiting.unregister(key.fileobj)
                left -= 1
        return left

    def told(self):
        codes = collections.Counter()
        for client in self.clients:
            lines = client.read.decode("latin-1").split("\r\n")
            codes.update(line[:3] for line in lines if line[3:4] == " ")
        return {"clients": len(self.clients), "gone": sum(c.gone for c in self.clients),
                "codes": dict(codes), "rounds": self.rounds}


class Drip(Crowd):
    """The octets of a command that does not end, or of a message that does not."""

    def begin(self):
        for client in self.clients[::2]:
            client.say(b"EHLO a\r\nMAIL FROM:<a@source.test>\r\nRCPT TO:<ok@dest.test>\r\nDATA\r\n")

    def act(self):
        for client in self.clients:
            client.hear()
            if not client.gone:
                client.say(b"x")
        self.rounds += 1
        return 1.0


class Deaf(Crowd):
    def begin(self):
        pass

    def act(self):
        for client in self.clients:
            if not client.gone:
                client.say(b"HELP\r\n" * 1000)
        self.rounds += 1
        return 0.5


class Churn(Crowd):
    def begin(self):
        for client in self.clients:
            client.socket.close()

    def act(self):
        for number, client in enumerate(self.clients):
            one = Client(number, self.port)
            client.read = one.read
            one.socket.close()
        self.rounds += 1
        return 0.0


def base64_of(text):
    return base64.b64encode(text.encode())


class Guess(Crowd):
    """Each says the next word of its guess when it was answered, and comes again when it was closed."""

    def begin(self):
        self.selector, self.guesses = selectors.DefaultSelector(), 0
        self.codes = collections.Counter()
        for number, client in enumerate(self.clients):
            client.number = number
            self.enter(client)

    def enter(self, client):
        client.words, client.seen = [b"EHLO guess.test"], 0
        self.selector.register(client.socket, selectors.EVENT_READ, client)
        self.answered(client)

    def guess(self, client):
        """What is said, a reply after each."""
        self.guesses += 1
        login = f"user{client.number % 20}@bench.test"
        if client.number % 2:
            login = f"nobody{self.guesses}@bench.test"
        if self.guesses % 3 == 0:
            return [b"AUTH LOGIN " + base64_of(login), base64_of("wrong horse")]
        if self.guesses % 8 == 0:
            return [b"AUTH SCRAM-SHA-256 " + base64_of(f"n,,n={login},r=abc"), b"nonsense"]
        return [b"AUTH PLAIN " + base64_of(f"\0{login}\0wrong horse")]

    def answered(self, client):
        """Replies that have come; the next word after each."""
        while b"\n" in client.read[client.seen:]:
            end = client.read.index(b"\n", client.seen) + 1
            line, client.seen = client.read[client.seen:end], end
            if line[3:4] == b"-":
                continue
            self.codes[line[:3].decode("latin-1")] += 1
            if not client.words:
                client.words = self.guess(client)
            client.say(client.words.pop(0) + b"\r\n")
            client.read, client.seen = client.read[end:], 0

    def act(self):
        for key, _ in self.selector.select(0.2):
            client = key.data
            client.hear()
            self.answered(client)
            if client.gone:
                self.selector.unregister(client.socket)
                client.socket.close()
                client.__init__(client.number, self.port)
                self.enter(client)
        self.rounds = self.guesses
        return 0.0

    def told(self):
        return {"clients": len(self.clients), "codes": dict(self.codes), "rounds": self.rounds}


class CrowdProcess:
    """with CrowdProcess("drip", port, 2000) as crowd: ... ; crowd.told afterwards."""

    def __init__(self, kind, port, count):
        self.argv = [sys.executable, os.path.abspath(__file__), kind, str(port), str(count)]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = json_line(self.process.stdout, 120)["ready"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.told = json_line(self.process.stdout, 120)
        self.process.wait()
        self.process.stdout.close()


def main():
    kind = {"drip": Drip, "deaf": Deaf, "churn": Churn, "guess": Guess}[sys.argv[1]]
    crowd = kind(int(sys.argv[2]), int(sys.argv[3]))
    left = crowd.ready()
    crowd.begin()
    print(json.dumps({"ready": len(crowd.clients) - left}), flush=True)
    waiting, wait = selectors.DefaultSelector(), 0.0
    waiting.register(sys.stdin, selectors.EVENT_READ)
    while not waiting.select(wait):
        try:
            wait = crowd.act()
        except OSError as trouble:  # ports of this host run out in a churn: that is our limit
            if trouble.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EMFILE):
                raise
            wait = 0.05
    if isinstance(crowd, (Drip, Deaf)):
        for client in crowd.clients:
            client.hear()
    print(json.dumps(crowd.told()), flush=True)


if __name__ == "__main__":
    main()

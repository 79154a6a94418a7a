#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A crowd of bad clients, in a process of its own: tests/overload/crowd.py KIND PORT COUNT

    drip   half of them send a command, half a message, an octet a second
    deaf   ask and ask, and never read an answer
    churn  connect and leave again, as fast as they can

They come from many addresses of the loopback network. A line "ready" when all are there; they stay
until standard input ends, and what they were told is printed as one line of JSON."""
import collections
import errno
import json
import selectors
import socket
import sys
import time

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


def main():
    kind = {"drip": Drip, "deaf": Deaf, "churn": Churn}[sys.argv[1]]
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
    if not isinstance(crowd, Churn):
        for client in crowd.clients:
            client.hear()
    print(json.dumps(crowd.told()), flush=True)


if __name__ == "__main__":
    main()

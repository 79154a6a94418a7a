# SPDX-License-Identifier: MIT
"""Clients that send marked messages and remember what each was answered."""
import collections
import hashlib
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tmail import Session  # noqa: E402

ACKED, REFUSED, UNKNOWN = "acked", "refused", "unknown"
MARK = b"X-Mark: "


def content_of(mark, size):
    """Different for every mark, so that octets of two messages can never be exchanged unseen."""
    lines, seed = [], mark.encode()
    for _ in range(0, size, 66):
        seed = hashlib.sha256(seed).hexdigest().encode()
        lines.append(seed + b"\r\n")
    head = MARK + mark.encode() + (  # complete: nothing is to be added for clients that may relay
        b"\r\nFrom: a@source.test\r\nSubject: crash\r\nDate: Sat, 01 Jan 2000 00:00:00 +0000\r\n"
        b"Message-ID: <" + mark.encode() + b"@source.test>\r\n\r\n")
    return head + b"".join(lines)


def mark_of(content):
    at = content.find(MARK)
    return content[at + len(MARK):content.index(b"\r\n", at)].decode() if at >= 0 else None


class Load:
    """`threads` clients over `port()`; after(mark) is called when a message was acknowledged or
    refused. `codes` counts the replies."""

    def __init__(self, port, marks, threads=8, sizes=(200, 3000, 90000), after=None,
                 recipient="ok@dest.test", stop=None):
        self.port, self.sizes, self.after, self.recipient = port, sizes, after, recipient
        self.fate, self.size, self.lock = {}, {}, threading.Lock()
        self.codes, self.words = collections.Counter(), {}  # the first of each, in words
        self.marks, self.stop = iter(marks), stop or threading.Event()
        self.threads = [threading.Thread(target=self.client) for _ in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def join(self):
        for thread in self.threads:
            thread.join()
        return self

    def take(self):
        with self.lock:
            mark = next(self.marks, None)
            if mark:
                self.size[mark] = self.sizes[len(self.size) % len(self.sizes)]
            return mark

    def client(self):
        session = None
        while not self.stop.is_set():
            mark = self.take()
            if not mark:
                break
            try:
                if not session:
                    session = Session(self.port())
                self.fate[mark] = self.one(session, mark)
            except (OSError, AssertionError, ValueError, IndexError):
                # A connection that fails before the dot was sent has promised nothing either way.
                self.fate.setdefault(mark, UNKNOWN)
                session = None
            if self.fate[mark] != UNKNOWN and self.after:
                self.after(mark)
            if self.fate[mark] != ACKED and session:
                session.close()
                session = None
            if self.fate[mark] != ACKED and self.stop.wait(0.01):  # not too fast
                break
        if session:
            session.close()

    def one(self, session, mark):
        """Its fate. Refused is refused: at its end, before it, or with the greeting."""
        code, words = session.greeting
        for line, good in (("EHLO client.test", 250), ("MAIL FROM:<a@source.test>", 250),
                           (f"RCPT TO:<{self.recipient}>", 250), ("DATA", 354)):
            if code >= 400:
                break
            code, words = session.ask(line)
            if code != good:
                break
        else:
            code, words = session.send(content_of(mark, self.size[mark]) + b".\r\n").reply()
        with self.lock:
            self.codes[code] += 1
            self.words.setdefault(code, words[-1])
        return ACKED if code == 250 else REFUSED if code >= 400 else UNKNOWN

    def of(self, fate):
        return {m for m, found in list(self.fate.items()) if found == fate}

    def acked(self):
        return self.of(ACKED)

# SPDX-License-Identifier: MIT
"""Clients that send marked messages and remember what each was answered."""
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
    while sum(map(len, lines)) < size:
        seed = hashlib.sha256(seed).hexdigest().encode()
        lines.append(seed + b"\r\n")
    head = MARK + mark.encode() + b"\r\nFrom: a@source.test\r\nSubject: crash\r\n\r\n"
    return head + b"".join(lines)


def mark_of(content):
    at = content.find(MARK)
    return content[at + len(MARK):content.index(b"\r\n", at)].decode() if at >= 0 else None


class Load:
    """`threads` clients over `port()`; after(mark) is called when a message was acknowledged."""

    def __init__(self, port, marks, threads=8, sizes=(200, 3000, 90000), after=None,
                 recipient="ok@dest.test", stop=None):
        self.port, self.sizes, self.after, self.recipient = port, sizes, after, recipient
        self.fate, self.size, self.lock = {}, {}, threading.Lock()
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
            if self.fate[mark] == ACKED and self.after:
                self.after(mark)
            if self.fate[mark] != ACKED and session:
                session.close()
                session = None
            if self.fate[mark] == UNKNOWN and self.stop.wait(0.01):  # nobody listens: not too fast
                break
        if session:
            session.close()

    def one(self, session, mark):
        code, _ = session.message("a@source.test", [self.recipient],
                                  content_of(mark, self.size[mark]))
        return ACKED if code == 250 else REFUSED if code else UNKNOWN

    def acked(self):
        return {m for m, fate in self.fate.items() if fate == ACKED}

# SPDX-License-Identifier: MIT
"""A server at the end of the road: takes every message and keeps what it got, octet for octet,
and what was said to it, when and from where. `answer` may decide each reply, and a Script says
it in a table. Python's standard library only."""
import os
import select
import socket
import socketserver
import struct
import threading
import time

# What may stand in place of a reply, or at the end of a tuple of them.
HANG_UP, RESET, SILENCE = object(), object(), object()


class Message:
    def __init__(self, talk, sender, recipients, content):
        self.talk, self.at = talk, time.monotonic()
        self.sender, self.recipients, self.content = sender, recipients, content


class Talk:
    """One connection: who came to which address, and (when, line) of what was said."""

    def __init__(self, handler):
        self.rfile, self.wfile = handler.rfile, handler.wfile
        self.socket = handler.connection
        self.peer = handler.client_address[0]
        self.local = self.socket.getsockname()[0]
        self.began, self.lines, self.messages = time.monotonic(), [], 0
        self.tls = None  # what was chosen: ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)
        self.server_name = None  # that the other side wanted

    def secure(self, context):
        """Each has a context of its own, since only that hears of the name."""
        def named(_, name, __):
            self.server_name = name
        context.sni_callback = named
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.rfile, self.wfile = self.socket.makefile("rb"), self.socket.makefile("wb", 0)
        self.tls = self.socket.cipher()

    def say(self, reply):
        """False: nothing more is to be said."""
        for part in reply if isinstance(reply, tuple) else (reply,):
            if part is SILENCE:
                self.rfile.read()  # until the other side has had enough
            if part is RESET:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
                os.close(self.socket.detach())  # not by the files made of it
            if part in (HANG_UP, RESET, SILENCE):
                return False
            self.wfile.write(part if isinstance(part, bytes) else part.encode() + b"\r\n")
        return True

    def line(self):
        line = self.rfile.readline(65536)
        self.lines.append((time.monotonic(), line.decode("latin-1").rstrip("\r\n")))
        return line

    def verbs(self):
        return [line.partition(" ")[0].upper() for _, line in self.lines if line]

    def ahead(self, seconds=0.05):
        """What was sent before the line that came last is answered."""
        select.select([self.socket], [], [], seconds)
        self.socket.setblocking(False)
        octets = self.rfile.peek()
        self.socket.setblocking(True)
        return octets

    def chunk(self, size):
        """None when the connection ends in it."""
        octets = self.rfile.read(size)
        return octets if len(octets) == size else None

    def content(self):
        """As it was before the dots were stuffed; None when the connection ends in it."""
        lines = []
        while True:
            line = self.rfile.readline()
            if not line.endswith(b"\n"):
                return None
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)


class Script:
    """An `answer` as a table: {"RCPT": "550 5.1.1 No"}, by verb; CONNECT is the greeting, "." the
    end of the data. A list is used up, one reply each time; behind its end, as for verbs that are
    not there, the sink says what it says. A reply is a line, octets as they are, HANG_UP, RESET,
    SILENCE, a tuple of these, or a function of the argument that answers one."""

    def __init__(self, table):
        self.table, self.lock = dict(table), threading.Lock()

    def __call__(self, verb, argument):
        with self.lock:
            reply = self.table.get(verb)
            if isinstance(reply, list):
                reply = reply.pop(0) if reply else None
        return reply(argument) if callable(reply) else reply


def positive(reply):
    """Whether a reply, the first of several, lets the dialogue go on."""
    first = reply[0] if isinstance(reply, tuple) else reply
    if isinstance(first, str):
        first = first.encode()
    return first is None or isinstance(first, bytes) and first[:1] in (b"2", b"3")


class Sink:
    """with Sink() as sink: sink.port, sink.messages, sink.talks, sink.wait(n)"""

    offers = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 0", "DSN")  # CHUNKING can be, too

    def __init__(self, address="127.0.0.1", answer=None, keep=lambda content: content, port=0,
                 offers=None, tls=None):
        """tls(): a server's ssl.SSLContext, for STARTTLS."""
        self.messages, self.talks, self.change = [], [], threading.Condition()
        self.open = self.most = 0  # connections now, and at one time
        self.answer = answer or (lambda verb, argument: None)
        self.keep = keep
        self.words = ["sink.test", *(self.offers if offers is None else offers)]
        self.tls = tls
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self):
                sink.talked(Talk(self))

            def finish(self):
                if self.connection.fileno() >= 0:  # it was not reset
                    super().finish()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 1024
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        self.server = Server((address, port), Handler)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def peers(self):
        """Who came, each time."""
        return [talk.peer for talk in self.talks]

    def ehlo(self, talk):
        words = self.words + (["STARTTLS"] if self.tls and not talk.tls else [])
        return "\r\n".join(["250-" + word for word in words[:-1]] + ["250 " + words[-1]])

    def talked(self, talk):
        with self.change:
            self.talks.append(talk)
            self.open += 1
            self.most = max(self.most, self.open)
            self.change.notify_all()
        try:
            self.session(talk)
        except (OSError, ValueError):
            pass  # it left
        finally:
            if talk.tls:
                talk.socket.close()
            with self.change:
                self.open -= 1
                self.change.notify_all()

    def session(self, talk):
        sender, recipients, chunks = None, [], b""
        greeting = self.answer("CONNECT", talk.peer)
        going = talk.say("220 sink.test ESMTP" if greeting is None else greeting)
        while going:
            line = talk.line()
            if not line:
                return
            verb, _, argument = line.decode("latin-1").strip().partition(" ")
            verb = verb.upper()
            if verb == "BDAT":
                chunk = talk.chunk(int(argument.split()[0]))
                if chunk is None:
                    return
                chunks += chunk
            said = self.answer(verb, argument)
            if said is None and (verb == "RCPT" and sender is None or
                                 verb in ("DATA", "BDAT") and not recipients):
                said = "503 5.5.1 Not yet"
            if not positive(said):
                going = talk.say(said)
                continue
            usual = "250 2.0.0 Ok"
            if verb == "EHLO":
                usual = self.ehlo(talk)
            elif verb == "STARTTLS" and self.tls and said is None:
                talk.say("220 2.0.0 Go")
                talk.secure(self.tls())
                continue
            elif verb == "MAIL":
                sender, recipients = argument.split("<", 1)[1].split(">", 1)[0], []
            elif verb == "RCPT":
                recipients.append(argument.split("<", 1)[1].split(">", 1)[0])
            elif verb == "DATA":
                if not talk.say("354 Go" if said is None else said):
                    return
                content = talk.content()
                if content is None:
                    return
                said, usual = self.answer(".", content.decode("latin-1")), "250 2.0.0 Taken"
                if positive(said):
                    self.take(Message(talk, sender, recipients, self.keep(content)))
                sender, recipients = None, []
            elif verb == "BDAT" and argument.upper().endswith("LAST"):
                self.take(Message(talk, sender, recipients, self.keep(chunks)))
                sender, recipients, chunks = None, [], b""
            elif verb == "RSET":
                sender, recipients = None, []
            elif verb == "QUIT":
                usual = "221 2.0.0 Bye"
            going = talk.say(usual if said is None else said) and verb != "QUIT"

    def take(self, message):
        with self.change:
            message.talk.messages += 1
            self.messages.append(message)
            self.change.notify_all()

    def until(self, condition, seconds=120, what="what was waited for"):
        """Waits until it is true of this sink; it is looked at when something came or went."""
        with self.change:
            found = self.change.wait_for(condition, seconds)
        assert found, f"{what} did not come; {len(self.messages)} messages did"
        return found

    def wait(self, count, seconds=120):
        self.until(lambda: len(self.messages) >= count, seconds, f"{count} messages")
        return self.messages

    def find(self, matches, seconds=120):
        """The first message of which `matches` is true, waited for."""
        return self.until(lambda: next((m for m in self.messages if matches(m)), None), seconds,
                          "the message")

# SPDX-License-Identifier: MIT
"""A server at the end of the road: takes every message and keeps what it got, octet for octet.
`answer` may decide each command's reply. Python's standard library only."""
import socket
import socketserver
import threading


class Message:
    def __init__(self, sender, recipients, content):
        self.sender, self.recipients, self.content = sender, recipients, content


class Sink:
    """with Sink() as sink: sink.port, sink.messages, sink.wait(n)"""

    def __init__(self, address="127.0.0.1", answer=None, keep=lambda content: content, port=0):
        self.messages, self.change = [], threading.Condition()
        self.answer = answer or (lambda verb, argument: None)
        self.keep = keep
        self.sessions, self.peers = 0, []  # how many, and from which addresses
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self):
                sink.sessions += 1
                sink.peers.append(self.client_address[0])
                try:
                    sink.session(self.rfile, self.wfile)
                except (ConnectionError, ValueError):
                    pass

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

    def session(self, rfile, wfile):
        def say(text):
            wfile.write(text.encode() + b"\r\n")
        say("220 sink.test ESMTP")
        sender, recipients = None, []
        while True:
            line = rfile.readline(65536)
            if not line:
                return
            verb, _, argument = line.decode("latin-1").strip().partition(" ")
            verb = verb.upper()
            said = self.answer(verb, argument)
            if said:
                say(said)
                if not said.startswith(("2", "3")):
                    continue
            if verb == "EHLO":
                said or say("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                            "250-SIZE 0\r\n250 DSN")
            elif verb == "MAIL":
                sender, recipients = argument.split("<", 1)[1].split(">", 1)[0], []
                said or say("250 2.1.0 Ok")
            elif verb == "RCPT":
                recipients.append(argument.split("<", 1)[1].split(">", 1)[0])
                said or say("250 2.1.5 Ok")
            elif verb == "DATA":
                said or say("354 Go")
                content = self.content(rfile)
                if content is None:
                    return
                refused = self.answer(".", content.decode("latin-1"))
                if not refused or refused.startswith("2"):
                    with self.change:
                        self.messages.append(Message(sender, recipients, self.keep(content)))
                        self.change.notify_all()
                say(refused or "250 2.0.0 Taken")
                sender, recipients = None, []
            elif verb == "QUIT":
                say("221 2.0.0 Bye")
                return
            else:
                said or say("250 2.0.0 Ok")

    @staticmethod
    def content(rfile):
        """As it was before the dots were stuffed; None when the connection ends in it."""
        lines = []
        while True:
            line = rfile.readline()
            if not line.endswith(b"\n"):
                return None
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    def wait(self, count, seconds=120):
        with self.change:
            done = self.change.wait_for(lambda: len(self.messages) >= count, seconds)
        assert done, f"{len(self.messages)} of {count} messages came"
        return self.messages

    def find(self, matches, seconds=120):
        """The first message of which `matches` is true, waited for."""
        def hit():
            return next((m for m in self.messages if matches(m)), None)
        with self.change:
            found = self.change.wait_for(hit, seconds)
        assert found, f"none of {len(self.messages)} messages is the one"
        return found

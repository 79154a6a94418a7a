# SPDX-License-Identifier: MIT
"""Messages of every sort, as octets with CRLF at the end of each line, and how what came out of a
server is compared with what went in."""
import os
import re

HEAD = ("From: <writer@client.test>\r\nTo: <reader@example.com>\r\nSubject: {}\r\n"
        "Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <{}@client.test>\r\n").encode()
OCTETS = bytes(c for c in range(1, 256) if c not in b"\r\n")


def lines(*texts):
    return b"".join(t if isinstance(t, bytes) else t.encode() for line in texts
                    for t in (line, "\r\n"))


def head(name):
    return HEAD.replace(b"{}", name.replace(" ", "-").encode())


def filled(size):
    """Text of many lines that are all different, so that a lost or doubled block shows."""
    row = b"%08d the quick brown fox jumps over the lazy dog, and comes back for more\r\n"
    return b"".join(row % i for i in range(size // len(row % 0) + 1))


# Everything a client or server that follows the RFCs carries as it is.
ORDINARY = {
    "short": head("short") + b"\r\nHello.\r\n",
    "empty body": head("empty body") + b"\r\n",
    "dots": head("dots") + b"\r\n" + lines(".", "..", "...", ".leading", ". ", "in.side.", "."),
    "blank ends": head("blank ends") + b"\r\n" + lines("", "", "text", "  ", "\t", "", "", ""),
    "longest lines": head("longest lines") + b"\r\n" + lines("a" * 998, "." + "b" * 997, "c" * 997),
    "many fields": head("many fields") + lines(*(f"X-Field-{i}: {i}" for i in range(300)),
                                              "X-Folded: " + "\r\n\tagain".join("x" * 60), ""),
    "commands": head("commands") + b"\r\n" + lines("QUIT", "RSET", "DATA", "MAIL FROM:<x@y>",
                                                   "From me"),
    "multipart": head("multipart") + lines(
        "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="=_b"', "", "--=_b", "",
        "one", "--=_b", "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: base64", "", "AAECAwQFBgcICQ==", "--=_b--"),
    "200 KB": head("200 KB") + b"\r\n" + filled(200 * 1024),
}
# Octets above 127 (8BITMIME).
EIGHT_BIT = {
    "latin 1": head("latin 1") + b"\r\n" + lines("Gr\xfc\xdfe, \xe7a va ?".encode("latin-1")),
    "utf-8": head("utf-8") + b"\r\n" + lines("Grüße, ça va? Привет 你好 🙂"),
    "utf-8 header": head("utf-8 header") + lines("X-Name: Jürgen <jürgen@client.test>", "", "hi"),
    "all octets": head("all octets") + b"\r\n" + lines(OCTETS, OCTETS[::-1]),
}
# What only a server that does not touch mail passes on. A header that no empty line ends gets one,
# for a Received field on top would else make a field of the body's first line.
ODD = {
    "no header": b"\r\nbody without a header\r\n",
    "header alone": b"Subject: header alone\r\n",
    "no empty line": b"This is no header field at all\r\nand this is not one either\r\n",
    "text behind a field": b"Subject: text behind a field\r\nthis is not one\r\n",
    "a dot alone": b".\r\n",
}
ENDED = {
    ODD["header alone"]: b"Subject: header alone\r\n\r\n",
    ODD["no empty line"]: b"\r\n" + ODD["no empty line"],
    ODD["text behind a field"]: b"Subject: text behind a field\r\n\r\nthis is not one\r\n",
    ODD["a dot alone"]: b"\r\n.\r\n",
    b"": b"\r\n",
}
LARGE = {"5 MB": head("5 MB") + b"\r\n" + filled(5 * 1024 * 1024)}

TRACE = rb"(?:Received: [^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n)"


def difference(got, wanted):
    """Where two texts part, for a person."""
    at = len(os.path.commonprefix([got, wanted]))
    return (f"{len(got)} octets, not {len(wanted)}; they part at {at}:"
            f" {got[max(0, at - 20):at + 40]!r}, not {wanted[max(0, at - 20):at + 40]!r}")


def same_but_trace(got, wanted, hops=1):
    """What came is what was sent, with so many Received fields on top and nothing else."""
    wanted = ENDED.get(wanted, wanted)
    trace, rest = got[:len(got) - len(wanted)], got[len(got) - len(wanted):]
    assert rest == wanted, difference(rest, wanted)
    assert re.fullmatch(TRACE + rb"{%d}" % hops, trace), f"the trace is {trace!r}"


def same_at_end(got, wanted):
    """For mailboxes, which put fields of their own on top."""
    assert got.endswith(wanted), difference(got[-len(wanted):], wanted)
    assert b"Received:" in got[:len(got) - len(wanted)]

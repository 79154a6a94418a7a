# SPDX-License-Identifier: MIT
"""A network of a test's own: a namespace of the kernel whose loopback is a small internet. The
addresses that are for documentation and measurements are all on it, so that every server has one
of its own and speaks on port 25, and nothing leaves it or meets another test's.

A test calls enter() first; it then runs once more, inside. It takes root: in a namespace of users
the folders of modules belong to nobody, and tmail loads none from there."""
import os
import socket
import subprocess
import sys

NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15")
SIX = "2001:db8::{:x}"  # of these the first 63 can be had
MARK = "TMAIL_TEST_NETWORK"
UNSHARE = ["unshare", "--net"]


def refusal():
    """Why there can be none on this machine; None when there can."""
    if os.geteuid():
        return "a network namespace takes root"
    try:
        run = subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], text=True,
                             capture_output=True)
    except FileNotFoundError:
        return "unshare is not installed"
    return f"network namespaces are not permitted: {run.stderr.strip()}" if run.returncode else None


def enter():
    """The rest of the program runs inside."""
    if os.environ.get(MARK) != "1":
        os.environ[MARK] = "1"
        os.execvp("unshare", [*UNSHARE, sys.executable, *sys.argv])
    lines = ["link set lo up"]
    lines += [f"route add local {network} dev lo" for network in NETWORKS]
    lines += [f"address add {SIX.format(n)}/128 dev lo nodad" for n in range(1, 64)]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


class Silent:
    """An address that never answers: its queue of connections is full, so that the kernel drops
    whatever asks for one more."""

    def __init__(self, address, port=25):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener, self.first = socket.socket(family), socket.socket(family)
        self.listener.bind((address, port))
        self.listener.listen(0)
        self.first.connect((address, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.first.close()
        self.listener.close()

# SPDX-License-Identifier: MIT
"""Programs and libraries for Node, installed by npm below a cache folder and nowhere else."""
import fcntl
import os
import re
import shutil
import subprocess

from tmail import TOP
from unpacked import Missing

# Node has a list of its own, which knows nothing of what an administrator added to the system's.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def node_version():
    """Of the Node that is there, got from Debian's archive when there is none."""
    if not (shutil.which("node") and shutil.which("npm")):
        run = subprocess.run(["sh", TOP + "/packaging/needs/install", "bench"], text=True,
                             capture_output=True, stdin=subprocess.DEVNULL)
        if run.returncode or not shutil.which("npm"):
            raise Missing("this needs nodejs and npm: " + run.stderr.strip()[-200:])
    said = subprocess.run(["node", "--version"], text=True, capture_output=True).stdout
    return int(re.match(r"v(\d+)", said).group(1))


def installed(cache, name, versions):
    """The folder of a package, installed once: of `versions`, ((oldest Node, package), ...), the first
    that fits."""
    folder = os.path.join(os.path.abspath(cache), "npm-" + name.lower())
    package = os.path.join(folder, "node_modules", name)
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w") as lock:  # tests may run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(package):
            return package
        have = node_version()
        wanted = next((p for least, p in versions if have >= least), None)
        if not wanted:
            raise Missing(f"{name} needs Node {versions[-1][0]}, here is {have}")
        making = folder + ".new"
        shutil.rmtree(making, ignore_errors=True)
        os.makedirs(making)
        env = {"NODE_EXTRA_CA_CERTS": AUTHORITIES} if os.path.exists(AUTHORITIES) else {}
        run = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                              "--omit=optional", "--prefix", making, wanted], text=True,
                             capture_output=True, stdin=subprocess.DEVNULL,
                             env={**env, **os.environ})
        if run.returncode:
            raise Missing(f"npm cannot install {wanted}: {run.stderr.strip()[-200:]}")
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(making, folder)
    return package

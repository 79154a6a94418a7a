# SPDX-License-Identifier: MIT
"""Certificates and keys of a test, and what TLSA records say of them."""
import hashlib
import os
import shutil
import ssl
import subprocess
import tempfile


class Certificate:
    """certificate.chain and .key are files; .octets and .public are what records are made of."""

    def __init__(self, path):
        self.chain, self.key = path + ".pem", path + ".key"
        self.octets = openssl("x509", "-in", self.chain, "-outform", "DER")
        public = openssl("x509", "-in", self.chain, "-noout", "-pubkey")
        self.public = openssl("pkey", "-pubin", "-outform", "DER", octets=public)

    def tlsa(self, usage, selector, digest):
        """"3 1 1 0123...": the record's data."""
        octets = self.public if selector == 1 else self.octets
        if digest:
            octets = hashlib.new({1: "sha256", 2: "sha512"}[digest], octets).digest()
        return f"{usage} {selector} {digest} {octets.hex()}"

    def context(self):
        """A server's, with this certificate."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.chain, self.key)
        return made


def openssl(*words, octets=None):
    return subprocess.run(["openssl", *words], check=True, capture_output=True,
                          input=octets).stdout


class Pki:
    """with Pki() as pki: pki.own("mx.test"), pki.signed("mx.test"); pki.root is the authority."""

    def __init__(self):
        self.folder, self.count = tempfile.mkdtemp(prefix="tmail-pki-"), 0
        self.root = self.own("authority")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, name, *words):
        self.count += 1
        path = os.path.join(self.folder, f"{self.count}-{name}")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=" + name, "-keyout", path + ".key", "-out", path + ".pem", *words)
        return path

    def own(self, name):
        """One that it signed itself."""
        return Certificate(self.make(name, "-days", "20", "-addext",
                                     "subjectAltName=DNS:" + name))

    def expired(self, name):
        """The same, of long ago."""
        path = self.make(name)
        with open(path + ".cnf", "w", encoding="ascii") as conf:
            conf.write("[ca]\ndefault_ca = d\n[d]\ndefault_md = sha256\nrand_serial = yes\n"
                       f"database = {path}.index\nnew_certs_dir = {self.folder}\n"
                       "policy = p\n[p]\ncommonName = supplied\n")
        with open(path + ".index", "w", encoding="ascii"):
            pass
        request = openssl("req", "-new", "-key", path + ".key", "-subj", "/CN=" + name)
        openssl("ca", "-batch", "-selfsign", "-notext", "-config", path + ".cnf", "-keyfile",
                path + ".key", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z",
                "-in", "/dev/stdin", "-out", path + ".pem", octets=request)
        return Certificate(path)

    def signed(self, *names, with_root=True):
        """By the authority, whose certificate the server sends along, or does not."""
        path = self.make(names[0], "-days", "20", "-CA", self.root.chain, "-CAkey", self.root.key,
                         "-addext", "basicConstraints=critical,CA:FALSE", "-addext",
                         "subjectAltName=" + ",".join("DNS:" + name for name in names))
        if with_root:
            with open(path + ".pem", "a", encoding="ascii") as chain, \
                    open(self.root.chain, encoding="ascii") as root:
                chain.write(root.read())
        return Certificate(path)

# SPDX-License-Identifier: MIT
"""A real Haraka of one's own: installed by npm into a cache folder, run from there with a
configuration that takes what local clients send into its outbound queue, which it flushes before
it answers, and passes it on or holds it. A process for each processor, a line a message."""
import os
import shutil
import signal
import subprocess
import tempfile

import npm
from tmail import wait_for
from unpacked import free_port, greeting

# What was current when its figures were first taken; the older one is for an older Node.
VERSIONS = ((20, "Haraka@3.3.4"), (16, "Haraka@3.0.3"))

FILES = {
    "config/me": "haraka.test\n",
    "config/smtp.ini": "listen={address}:{port}\nnodes={nodes}\n",
    "config/log.ini": "[main]\nlevel=warn\nformat=default\n",
    "config/outbound.ini": ("disabled={held}\nconcurrency_max=100\nenable_tls=false\n"
                            "local_mx_ok=true\n"),
    "config/plugins": "way\n",
    "plugins/way.js": """'use strict'
exports.hook_lookup_rdns = (next) => next(OK, 'unknown')
exports.hook_connect_init = (next, connection) => {{ connection.relaying = true; next() }}
exports.hook_queue_ok = function (next, connection) {{
    this.logwarn(`queued ${{connection.transaction.uuid}} from=${{connection.transaction.mail_from}}`)
    next()
}}
exports.hook_get_mx = (next) => next(OK, {{ priority: 0, exchange: '{host}', port: {next_port} }})
""",
}


def installed(cache):
    """Its program."""
    return os.path.join(npm.installed(cache, "Haraka", VERSIONS), "bin", "haraka")


class Haraka:
    """with Haraka(cache, mode="relay", next_hop=("127.0.0.1", port)) as haraka: haraka.port"""

    def __init__(self, cache, mode="relay", next_hop=("127.0.0.1", 25), address="127.0.0.1",
                 port=None, certificate=None):
        """certificate: (chain, key), as PEM."""
        self.program = installed(cache)
        self.address, self.port = address, port or free_port(address)
        self.root = tempfile.mkdtemp(prefix="haraka-", dir=os.path.abspath(cache))
        self.env, self.process = {}, None
        values = {"address": address, "port": self.port, "nodes": os.cpu_count() or 1,
                  "held": "true" if mode == "hold" else "false", "host": next_hop[0],
                  "next_port": next_hop[1]}
        package = os.path.dirname(os.path.dirname(self.program))
        shutil.copytree(package + "/config", self.root + "/config")
        files = {name: text.format(**values) for name, text in FILES.items()}
        if certificate:
            files["config/plugins"] = "tls\n" + files["config/plugins"]
            files["config/tls_cert.pem"], files["config/tls_key.pem"] = certificate
        for name, text in files.items():  # all else as it comes
            path = os.path.join(self.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def spawn(self):
        with open(self.root + "/output", "ab") as output:
            self.process = subprocess.Popen(
                ["node", self.program, "-c", self.root], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True, cwd=self.root,
                env=dict(os.environ, **self.env))

    def start(self):
        self.spawn()

        def answer():
            if self.process.poll() is not None:
                with open(self.root + "/output", encoding="utf-8", errors="replace") as f:
                    raise AssertionError(f"Haraka ended:\n{f.read()[-2000:]}")
            return greeting(self.address, self.port).startswith("220")
        wait_for(answer, 30, "Haraka's greeting")
        return self

    def queued(self):
        """Messages it has and has not delivered."""
        return sum(not name.startswith((".", "error.")) for name in os.listdir(self.root + "/queue"))

    def stop(self):
        if not self.process:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        if not os.environ.get("TMAIL_TEST_KEEP"):
            shutil.rmtree(self.root, ignore_errors=True)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/peers/run.py BUILD [into|out|secure|submit]: tmail between other people's programs. `into`:
they send to it; `out`: it sends to them; `secure`: through TLS and with
logins; `submit`: they log in to it through TLS. Servers that cannot be installed
beside each other are unpacked below BUILD/peers, or in $TMAIL_PEERS. Ends with
"N passed, N failed"."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]

import clients
import secure
import servers
import submitters
from tmail import TOP, Cases


def main():
    build = os.path.join(TOP, sys.argv[1])
    cache = os.environ.get("TMAIL_PEERS") or os.path.join(build, "peers")
    cases = Cases()
    for name, part in (("into", clients), ("out", servers), ("secure", secure),
                       ("submit", submitters)):
        if name in sys.argv[2:] or not sys.argv[2:]:
            part.run(cases, build, cache)
    return cases.end()


if __name__ == "__main__":
    sys.exit(main())

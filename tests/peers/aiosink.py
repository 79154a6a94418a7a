#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""aiosmtpd as a server that keeps what it gets: aiosink.py FOLDER prints its port, then writes
N.json (the envelope) and, when that is there, has written N.eml (the octets)."""
import asyncio
import json
import os
import sys

from aiosmtpd.smtp import SMTP


class Keep:
    def __init__(self, folder):
        self.folder, self.count = folder, 0

    async def handle_DATA(self, _server, _session, envelope):
        self.count += 1
        path = os.path.join(self.folder, str(self.count))
        with open(path + ".eml", "wb") as f:
            f.write(envelope.original_content)
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump({"sender": envelope.mail_from, "recipients": envelope.rcpt_tos,
                       "options": envelope.mail_options}, f)
        os.rename(path + ".new", path + ".json")
        return "250 2.0.0 Taken"


async def main(folder):
    keep = Keep(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(keep, data_size_limit=0, enable_SMTPUTF8=True, hostname="aiosmtpd.test",
                     loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

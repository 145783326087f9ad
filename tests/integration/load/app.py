#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application as a release has it: quick and slow answers, streams, upgraded connections; it counts its users.

``/`` is its health. ``/counted`` tells how many other requests it has had, ``/release?broken=50`` makes it answer half
of them with 500 from then on, and ``/release?ill=1`` makes it unhealthy.
"""

from __future__ import annotations

import asyncio
import json
import sys
from urllib.parse import parse_qsl, urlsplit

SECONDS, EVERY = 1.5, 0.1
"""How long a slow answer or a stream takes, and the pace of a stream."""


class Application:
    """One container of a release."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counted = 0
        self.broken = 0
        self.ill = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever leaves gets no answer
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {key.lower(): value for key, _colon, value in (line.partition(": ") for line in head[1:])}
        await reader.readexactly(int(fields.get("content-length", 0)))
        url = urlsplit(head[0].split(" ")[1])
        told = {"name": self.name}
        status = "200 OK"
        if url.path == "/counted":
            told["counted"] = self.counted
        elif url.path == "/release":
            asked = dict(parse_qsl(url.query))
            self.broken, self.ill = int(asked.get("broken", 0)), asked.get("ill") == "1"
        elif url.path == "/":
            status = "503 Ill" if self.ill else status
        else:
            self.counted += 1
            if self.broken and self.counted * self.broken // 100 > (self.counted - 1) * self.broken // 100:
                status = "500 Broken"
            elif fields.get("upgrade"):
                return await self._upgraded(reader, writer)
            elif url.path == "/stream":
                return await self._stream(writer)
            elif url.path == "/slow":
                await asyncio.sleep(SECONDS)
        body = json.dumps(told).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True

    async def _stream(self, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _number in range(int(SECONDS / EVERY)):
            line = self.name.encode() + b"\n"
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
            await asyncio.sleep(EVERY)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _upgraded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
        return False


async def main() -> None:
    server = await asyncio.start_server(Application(sys.argv[1]).serve, "0.0.0.0", 8080)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of an address, without pause, until standard input ends; nobody tries anything twice.

Arguments: address, port, seconds between an answer and the next request, and who they are, as in
``new=3 kept=3 posting=1 slow=4 stream=3 upgraded=3``. The one line that it prints tells what they met, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

LIMIT, PATIENCE = 280.0, 15.0
"""Seconds after which all end anyway, and for which a user waits for an answer."""
LINES, ECHOES, EVERY = 15, 15, 0.1
"""What a stream has, and how often an upgraded connection is used, at which pace."""
PATHS = {"slow": "/slow", "stream": "/stream"}
FIELDS = {"upgraded": "Connection: Upgrade\r\nUpgrade: echo\r\n", "kept": "", "posting": "Content-Length: 0\r\n"}


class Users:
    """All users of an address, and what they met: requests by kind, answers by environment, failures."""

    def __init__(self, address: str, port: int, pause: float) -> None:
        self.where = (address, port)
        self.pause = pause
        self.requests: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.began = time.monotonic()
        self.ended = asyncio.Event()

    async def all(self, crowd: dict[str, int]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin, self.ended.set)
        loop.call_later(LIMIT, self.ended.set)
        await asyncio.gather(*(self.one(kind) for kind, number in crowd.items() for _user in range(number)))

    async def one(self, kind: str) -> None:
        """One user: request after request, each of which counts as failed if anything is amiss."""
        peer = None
        while not self.ended.is_set():
            stays = False
            try:
                peer = peer or await asyncio.wait_for(asyncio.open_connection(*self.where), PATIENCE)
                stays = await asyncio.wait_for(self.request(kind, *peer), PATIENCE)
            except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
                at = time.monotonic() - self.began
                self.failures.append(f"{kind} at {at:.1f} s: {type(error).__name__} {error}")
                await asyncio.sleep(EVERY)
            self.requests[kind] += 1
            await asyncio.sleep(self.pause)
            if peer and not stays:
                peer[1].close()
                peer = None

    async def request(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request, and whether its connection stays; any error where the answer is not a whole one."""
        verb = "POST" if kind == "posting" else "GET"
        more = FIELDS.get(kind, "Connection: close\r\n")
        writer.write(f"{verb} {PATHS.get(kind, '/work')} HTTP/1.1\r\nHost: shop\r\n{more}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = head[0].split(" ")[1]
        fields = {key.lower(): value for key, _colon, value in (line.partition(": ") for line in head[1:])}
        if status != ("101" if kind == "upgraded" else "200"):
            raise ValueError(f"status {status}")
        if kind == "upgraded":
            await self._echoes(reader, writer)
            return False
        if kind == "stream":
            self.answers[await self._lines(reader)] += 1
            return False
        body = await reader.readexactly(int(fields["content-length"]))
        self.answers[json.loads(body)["name"]] += 1
        return "close" not in (more + fields.get("connection", ""))

    async def _lines(self, reader: asyncio.StreamReader) -> str:
        text = b""
        while size := int(await reader.readline(), 16):
            text += (await reader.readexactly(size + 2))[:size]
        await reader.readline()
        lines = text.decode().split()
        if len(lines) != LINES or len({*lines}) != 1:
            raise ValueError(f"a stream of {lines}")
        return lines[0]

    async def _echoes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(ECHOES):
            writer.write(b"%d\n" % number)
            if await reader.readline() != b"%d\n" % number:
                raise ValueError(f"an upgraded connection without an echo of {number}")
            await asyncio.sleep(EVERY)


async def main() -> None:
    address, port, pause, *crowd = sys.argv[1:]
    users = Users(address, int(port), float(pause))
    await users.all({kind: int(number) for kind, _is, number in (each.partition("=") for each in crowd)})
    told = {"requests": users.requests, "answers": users.answers, "failures": users.failures}
    print(json.dumps({**told, "seconds": time.monotonic() - users.began}))


if __name__ == "__main__":
    asyncio.run(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls its name to every address of the scene, over and over from its first moment, and writes down whom it hears.

``voice.py NAME FOLDER``: addresses are in ``FOLDER/addresses`` (JSON), what is heard goes to ``FOLDER/NAME.heard``, a
line each: ``seconds-since-1970 from|back 4|6 name``. ``from`` is a call that has arrived, ``back`` the answer to one's
own. Calls are datagrams: what passes one way only is heard as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import time
from pathlib import Path

PORT = 7000
EVERY = 0.02
SELDOM = 2
"""IPv6 is called each so many rounds."""
NOTED_EVERY = 0.02
FAMILIES = {4: (socket.AF_INET, "0.0.0.0"), 6: (socket.AF_INET6, "::")}


def opened(version: int, port: int) -> socket.socket:
    family, everywhere = FAMILIES[version]
    one = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    if version == 6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind((everywhere, port))
    return one


def main(name: str, folder: Path) -> None:
    addresses = json.loads((folder / "addresses").read_text())
    log = os.open(folder / f"{name}.heard", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    ears = {opened(version, PORT): version for version in FAMILIES}
    # One for each address: what waits for an address that nobody has fills the buffer of its socket.
    calls = [(opened(version, 0), version, at) for version, at in addresses]
    mouths = {one: version for one, version, _at in calls}
    noted: dict[tuple[str, int, str], float] = {}

    def note(kind: str, version: int, who: bytes) -> None:
        now, key = time.time(), (kind, version, who.decode())
        if now - noted.get(key, 0.0) >= NOTED_EVERY:
            noted[key] = now
            os.write(log, f"{now:.4f} {kind} {version} {key[2]}\n".encode())

    rounds, due = 0, 0.0
    while True:
        now = time.monotonic()
        if now >= due:
            rounds, due = rounds + 1, now + EVERY
            for mouth, version, at in calls:
                if version == 4 or rounds % SELDOM == 0:
                    with contextlib.suppress(OSError):
                        mouth.sendto(name.encode(), (at, PORT))
        for one in select.select([*ears, *mouths], [], [], max(0.0, due - time.monotonic()))[0]:
            with contextlib.suppress(OSError):
                while True:
                    data, sender = one.recvfrom(100)
                    if one in ears:
                        note("from", ears[one], data)
                        one.sendto(name.encode(), sender)
                    else:
                        note("back", mouths[one], data)


main(sys.argv[1], Path(sys.argv[2]))

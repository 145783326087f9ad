# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a keeper says to systemd: lines for the journal, each with its level, and that it is there."""

from __future__ import annotations

import os
import socket
import sys


def note(text: str) -> None:
    """Something that an operator may want to know."""
    _say(6, text)


def warn(text: str) -> None:
    """Something was not as it should be."""
    _say(4, text)


def error(text: str) -> None:
    """Something is not as it should be, and somebody has to see to it."""
    _say(3, text)


def ready() -> None:
    """The keeper is there, and at work: the first word of it ends the start, each one feeds the watchdog."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            systemd.send(b"READY=1\nWATCHDOG=1")


def shown(text: str) -> str:
    """``text`` as one line of what can be printed: the name of a network may hold anything."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _say(level: int, text: str) -> None:
    sys.stdout.write(f"<{level}>{shown(text)}\n")
    sys.stdout.flush()

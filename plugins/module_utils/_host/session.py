# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh sessions of a host: whoever configures it mostly comes by one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_SSH = 22


class Sessions(Iterable["tuple[str, int]"]):
    """The peers of established ssh sessions with the host's port, read when they are asked for."""

    def __iter__(self) -> Iterator[tuple[str, int]]:
        ports = {_SSH}
        told = os.environ.get("SSH_CONNECTION", "").split()
        if len(told) == 4 and told[3].isdecimal():
            ports.add(int(told[3]))
        for table in _TABLES:
            if table.exists():
                yield from _established(table.read_text(encoding="ascii"), ports)


def _established(table: str, ports: set[int]) -> Iterator[tuple[str, int]]:
    for line in table.splitlines()[1:]:
        local, remote, state = line.split()[1:4]
        port = int(local.rpartition(":")[2], 16)
        if state == _ESTABLISHED and port in ports:
            yield _address(remote.partition(":")[0]), port


def _address(digits: str) -> str:
    """An address as the kernel writes it: each four bytes in the order of the machine."""
    words = [bytes.fromhex(digits[n : n + 8])[::-1] for n in range(0, len(digits), 8)]
    found = ip_address(b"".join(words))
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)

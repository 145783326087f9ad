# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes on the wire: ICMP echoes, and the errors by which routers and hosts answer, of IPv4 and IPv6."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# Not in Python before 3.14; the kernel's include/uapi/linux/in.h, in6.h and errqueue.h.
RECVERR = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}
"""Level and name of the option that queues ICMP errors, and of the messages in that queue."""
_ICMP_ORIGINS = (2, 3)

_ECHO_REQUEST = {4: 8, 6: 128}
_ECHO_REPLY = {4: 0, 6: 129}
_UNREACHABLE = {4: 3, 6: 1}
_EXCEEDED = {4: 11, 6: 3}
_FROM_AFAR = {4: (0, 1), 6: (0, 3)}
"""Codes for a network or host that is out of reach; a host sends them to itself where no neighbour answers."""
ICMP_FILTER = {4: (255, 1), 6: (socket.IPPROTO_ICMPV6, 1)}
"""Level and name of the option that says which types a raw socket is not to get."""


@dataclass(frozen=True)
class Event:
    """What came back: a ``reply``, ``refused``, ``exceeded`` (the hop limit) or ``local`` (no packet got away).

    ``by`` is the address of who says so, ``note`` is for the user.
    """

    kind: str
    by: str = ""
    note: str = ""


def echo_request(version: int, ident: int, sequence: int, payload: bytes) -> bytes:
    """An ICMP echo request; for IPv6 the kernel fills the checksum in."""
    head = struct.pack("!BBHHH", _ECHO_REQUEST[version], 0, 0, ident, sequence)
    if version == 6:
        return head + payload
    return head[:2] + struct.pack("!H", _checksum(head + payload)) + head[4:] + payload


def icmp_filter(version: int) -> bytes:
    """The value of ICMP_FILTER that lets through what answers an echo, and nothing else."""
    wanted = {_ECHO_REPLY[version], _UNREACHABLE[version], _EXCEEDED[version]}
    words = 1 if version == 4 else 8
    blocked = [0xFFFFFFFF] * words
    for kind in wanted:
        blocked[kind // 32] &= ~(1 << kind % 32)
    return struct.pack(f"={words}I", *blocked)


def echo_answer(version: int, datagram: bytes, sender: str) -> tuple[int, int, Event] | None:
    """The identifier and sequence number of the echo that a raw socket's ``datagram`` answers, and the answer."""
    message = datagram[(datagram[0] & 15) * 4 :] if version == 4 and datagram else datagram
    if len(message) < 8:
        return None
    kind, code, _sum, ident, sequence = struct.unpack_from("!BBHHH", message)
    if kind == _ECHO_REPLY[version]:
        return ident, sequence, Event("reply", sender)
    if kind not in (_UNREACHABLE[version], _EXCEEDED[version]):
        return None
    quoted = message[8:]
    start = (quoted[0] & 15) * 4 if version == 4 and quoted else 40
    if len(quoted) < start + 8 or quoted[start] != _ECHO_REQUEST[version]:
        return None
    own = quoted[12:16] if version == 4 else quoted[8:24]
    ident, sequence = struct.unpack_from("!HH", quoted, start + 4)
    return ident, sequence, _event(version, kind, code, sender, _text(own))


def queued(ancillary: Iterable[tuple[int, int, bytes]], own: str) -> Event | None:
    """The ICMP error in the ancillary data of a read from a socket's error queue; ``own`` is the socket's address."""
    for level, name, data in ancillary:
        version = next((each for each, option in RECVERR.items() if option == (level, name)), None)
        if version is None or len(data) < 16:
            continue
        number, origin, kind, code = struct.unpack_from("=IBBB", data)
        if origin not in _ICMP_ORIGINS:
            return Event("local", note=os.strerror(number))
        start, size = (20, 4) if version == 4 else (24, 16)
        offender = data[start : start + size]
        return _event(version, kind, code, _text(offender) if len(offender) == size else "", own)
    return None


def udp_payload(version: int, datagram: bytes) -> bytes:
    """What a datagram that a raw UDP socket got carries."""
    head = (datagram[0] & 15) * 4 if version == 4 and datagram else 0
    return datagram[head + 8 :]


def _event(version: int, kind: int, code: int, by: str, own: str) -> Event:
    if kind == _EXCEEDED[version]:
        return Event("exceeded", by, f"the hop limit was exceeded at {by}")
    if by == own and code in _FROM_AFAR[version]:
        return Event("local", by, "no neighbour answers for the way there")
    return Event("refused", by, f"{by} answered that it is unreachable")


def _text(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine's own namespace, and a kernel of recorded bytes for what it does not have."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import netlink
from ansible_collections.breakwater.docker.plugins.module_utils._host.netlink import Held, Link, Route

LINK, ADDRESS, ROUTE, DONE, ERROR = 16, 20, 24, 3, 2
EMPTY = struct.pack("=i", 0)
DATA = (
    [(LINK, struct.pack("=BxHiII", 0, 1, 7, 0, 0), {3: b"eth0\0", 1: bytes.fromhex("02420a000002"), 99: b"?"})],
    [
        (ADDRESS, struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 7), {1: b"\x0a\0\0\x02", 2: b"\x0a\0\0\x02"}),
        (
            ADDRESS,
            struct.pack("=BBBBI", socket.AF_INET6, 64, 0, 253, 7),
            {1: socket.inet_pton(socket.AF_INET6, "fe80::2")},
        ),
    ],
)


def route(family: int, length: int, *, table: int = 254, kind: int = 1, flags: int = 0) -> bytes:
    return struct.pack("=BBBBBBBBI", family, length, 0, 0, table, 3, 0, kind, flags)


ROUTES = {
    "a default route": (
        (route(socket.AF_INET, 0), {5: b"\x0a\0\0\x01", 4: struct.pack("=I", 7)}),
        Route("0.0.0.0/0", "10.0.0.1", "eth0", 0, 254, False, 1, 3),
    ),
    "a default route of IPv6": (
        (route(socket.AF_INET6, 0), {6: struct.pack("=I", 1024)}),
        Route("::/0", None, None, 1024, 254, False, 1, 3),
    ),
    "one onlink in a table whose number takes more than a byte": (
        (route(socket.AF_INET, 16, table=252, flags=4), {1: b"\x0a\x05\0\0", 15: struct.pack("=I", 1000)}),
        Route("10.5.0.0/16", None, None, 0, 1000, True, 1, 3),
    ),
    "a mapped address is spelt as everywhere": (
        (route(socket.AF_INET6, 120), {1: socket.inet_pton(socket.AF_INET6, "::ffff:1.2.3.0")}),
        Route(str(ip_network("::ffff:102:300/120")), None, None, 0, 254, False, 1, 3),
    ),
    "the table local is left out": ((route(socket.AF_INET, 32, table=255), {1: b"\x7f\0\0\x01"}), None),
    "so is what the kernel cached": ((route(socket.AF_INET6, 128, flags=0x200), {1: bytes(16)}), None),
    "and what is no IP": ((route(128, 32), {}), None),
}


def message(kind: int, body: bytes, flags: int = 2) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body + bytes(-len(body) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def whole(kind: int, head: bytes, attributes: dict[int, bytes]) -> bytes:
    return message(kind, head + b"".join(attribute(*each) for each in attributes.items()))


@contextmanager
def answering(datagrams: Iterable[bytes]) -> Iterator[Callable[[], object]]:
    """A kernel that has its answers ready, whatever it will be asked."""
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, kernel, patch.object(netlink.socket, "socket", lambda *_which: ours):
        for each in datagrams:
            kernel.send(each)
        yield lambda: netlink.read(None)


def recorded(*routes: tuple[bytes, dict[int, bytes]]) -> list[bytes]:
    dumps = (*DATA, [(ROUTE, *each) for each in routes])
    return [b"".join(whole(*each) for each in dump) + message(DONE, EMPTY) for dump in dumps]


@pytest.mark.parametrize(("told", "expected"), ROUTES.values(), ids=ROUTES)
def test_what_the_kernel_tells(told: tuple[bytes, dict[int, bytes]], expected: Route | None) -> None:
    with answering(recorded(told)) as read:
        held = (Held("10.0.0.2", 24, 0), Held("fe80::2", 64, 253))
        assert read() == ((Link("eth0", "02:42:0a:00:00:02", held),), (expected,) if expected else ())


def test_a_dump_during_which_something_changed_is_asked_for_again() -> None:
    links, addresses, routes = recorded()
    torn = message(LINK, DATA[0][0][1] + attribute(3, b"gone\0"), flags=2 | 0x10) + message(DONE, EMPTY)
    with answering([torn, links, addresses, routes]) as read:
        assert [each.name for each in read()[0]] == ["eth0"]  # type: ignore[index]


@pytest.mark.parametrize("kind", [ERROR, DONE])
def test_a_refusal(kind: int) -> None:
    with answering([message(kind, struct.pack("=i", -1))]) as read, pytest.raises(PermissionError):
        read()


def test_this_machine() -> None:
    links, _routes = netlink.read(None)
    loopback = next(each for each in links if each.name == "lo")
    assert Held("127.0.0.1", 8, 254) in loopback.addresses


def test_nobody_lives_there() -> None:
    with pytest.raises(FileNotFoundError):
        netlink.read("/proc/0/ns/net")

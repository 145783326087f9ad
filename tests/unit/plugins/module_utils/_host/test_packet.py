# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes are those of RFC 792 and RFC 4443, and of the kernel's struct sock_extended_err."""

from __future__ import annotations

import socket
import struct

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import packet
from ansible_collections.breakwater.docker.plugins.module_utils._host.packet import Event

HERE, THERE, ROUTER = "10.0.0.2", "10.0.1.2", "10.0.0.3"
HERE6, THERE6, ROUTER6 = "fd60::2", "fd61::2", "fd60::3"
REFUSED = "10.0.0.3 answered that it is unreachable"
EXCEEDED = "the hop limit was exceeded at 10.0.0.3"
LOCAL = "no neighbour answers for the way there"


def ipv4(sender: str, receiver: str, protocol: int, payload: bytes, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(payload), 1, 0, 64, protocol, 0)
    return head + socket.inet_aton(sender) + socket.inet_aton(receiver) + options + payload


def ipv6(sender: str, receiver: str, protocol: int, payload: bytes) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    return head + b"".join(socket.inet_pton(socket.AF_INET6, each) for each in (sender, receiver)) + payload


def icmp(kind: int, code: int, rest: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!BBH", kind, code, 0) + rest + payload


ECHO = struct.pack("!HH", 0xBEEF, 7)
SENT = ipv4(HERE, THERE, 1, icmp(8, 0, ECHO, b"nonce"))
SENT6 = ipv6(HERE6, THERE6, 58, icmp(128, 0, ECHO, b"nonce"))
UNUSED = b"\0" * 4


def test_the_checksum_of_an_echo_request_is_right() -> None:
    for payload in (b"", b"odd", b"even", b"\xff" * 16):
        sent = packet.echo_request(4, 0xBEEF, 7, payload)
        padded = sent + b"\0" * (len(sent) % 2)
        total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        assert total == 0xFFFF  # RFC 1071: with its checksum in it, a message sums up to all ones
        assert sent[:2] == b"\x08\x00"
        assert sent[4:] == ECHO + payload


def test_an_echo_request_of_ipv6() -> None:
    assert packet.echo_request(6, 0xBEEF, 7, b"nonce") == icmp(128, 0, ECHO, b"nonce")


@pytest.mark.parametrize(
    ("version", "datagram", "sender", "expected"),
    [
        (4, ipv4(THERE, HERE, 1, icmp(0, 0, ECHO, b"nonce")), THERE, Event("reply", THERE)),
        (4, ipv4(THERE, HERE, 1, icmp(0, 0, ECHO), b"\x01" * 8), THERE, Event("reply", THERE)),
        (6, icmp(129, 0, ECHO, b"nonce"), THERE6, Event("reply", THERE6)),
        (4, ipv4(ROUTER, HERE, 1, icmp(11, 0, UNUSED, SENT)), ROUTER, Event("exceeded", ROUTER, EXCEEDED)),
        (4, ipv4(ROUTER, HERE, 1, icmp(3, 13, UNUSED, SENT)), ROUTER, Event("refused", ROUTER, REFUSED)),
        (4, ipv4(ROUTER, HERE, 1, icmp(3, 1, UNUSED, SENT)), ROUTER, Event("refused", ROUTER, REFUSED)),
        (4, ipv4(HERE, HERE, 1, icmp(3, 1, UNUSED, SENT)), HERE, Event("local", HERE, LOCAL)),
        (6, icmp(3, 0, UNUSED, SENT6), ROUTER6, Event("exceeded", ROUTER6, "the hop limit was exceeded at fd60::3")),
        (6, icmp(1, 1, UNUSED, SENT6), ROUTER6, Event("refused", ROUTER6, "fd60::3 answered that it is unreachable")),
        (6, icmp(1, 3, UNUSED, SENT6), HERE6, Event("local", HERE6, LOCAL)),
    ],
)
def test_answers_to_an_echo(version: int, datagram: bytes, sender: str, expected: Event) -> None:
    assert packet.echo_answer(version, datagram, sender) == (0xBEEF, 7, expected)


@pytest.mark.parametrize(
    ("version", "datagram"),
    [
        (4, b""),
        (4, ipv4(THERE, HERE, 1, b"\0\0")),
        (4, SENT),
        (6, icmp(128, 0, ECHO)),
        (6, icmp(135, 0, UNUSED, b"\0" * 16)),
        (4, ipv4(ROUTER, HERE, 1, icmp(3, 3, UNUSED, ipv4(HERE, THERE, 17, b"\0" * 8)))),
        (4, ipv4(ROUTER, HERE, 1, icmp(11, 0, UNUSED, SENT[:24]))),
        (4, ipv4(ROUTER, HERE, 1, icmp(11, 0, UNUSED))),
        (6, icmp(3, 0, UNUSED, SENT6[:44])),
    ],
)
def test_what_answers_no_echo(version: int, datagram: bytes) -> None:
    assert packet.echo_answer(version, datagram, ROUTER) is None


def extended(origin: int, kind: int, code: int, offender: str = "", number: int = 113) -> bytes:
    head = struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, 0)
    if ":" in offender:
        packed = socket.inet_pton(socket.AF_INET6, offender)
        return head + struct.pack("=HHI", socket.AF_INET6, 0, 0) + packed + struct.pack("=I", 0)
    return head + struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(offender or "0.0.0.0") + b"\0" * 8


@pytest.mark.parametrize(
    ("level", "name", "data", "own", "expected"),
    [
        (0, 11, extended(2, 11, 0, ROUTER), HERE, Event("exceeded", ROUTER, EXCEEDED)),
        (0, 11, extended(2, 3, 3, ROUTER), HERE, Event("refused", ROUTER, REFUSED)),
        (0, 11, extended(2, 3, 1, HERE), HERE, Event("local", HERE, LOCAL)),
        # a REJECT in the own namespace is a refusal, and not a neighbour that is away
        (0, 11, extended(2, 3, 3, HERE), HERE, Event("refused", HERE, f"{HERE} answered that it is unreachable")),
        (0, 11, extended(1, 0, 0, number=90), HERE, Event("local", "", "Message too long")),
        (
            41,
            25,
            extended(3, 3, 0, ROUTER6),
            HERE6,
            Event("exceeded", ROUTER6, "the hop limit was exceeded at fd60::3"),
        ),
        (41, 25, extended(3, 1, 3, HERE6), HERE6, Event("local", HERE6, LOCAL)),
        (0, 8, b"\0" * 16, HERE, None),
        (0, 11, b"\0" * 8, HERE, None),
    ],
)
def test_the_error_queue(level: int, name: int, data: bytes, own: str, expected: Event | None) -> None:
    assert packet.queued([(level, name, data)], own) == expected


@pytest.mark.parametrize(("version", "size", "let_through"), [(4, 4, {0, 3, 11}), (6, 32, {1, 3, 129})])
def test_the_filter_lets_answers_through_and_nothing_else(version: int, size: int, let_through: set[int]) -> None:
    blocked = packet.icmp_filter(version)
    assert len(blocked) == size
    words = struct.unpack(f"={size // 4}I", blocked)
    assert {kind for kind in range(size * 8) if not words[kind // 32] >> kind % 32 & 1} == let_through


def test_what_a_raw_socket_gets_of_a_datagram() -> None:
    udp = struct.pack("!HHHH", 1, 2, 13, 0) + b"nonce"
    assert packet.udp_payload(4, ipv4(HERE, THERE, 17, udp)) == b"nonce"
    assert packet.udp_payload(4, ipv4(HERE, THERE, 17, udp, b"\x01" * 4)) == b"nonce"
    assert packet.udp_payload(6, udp) == b"nonce"
    assert packet.udp_payload(4, b"") == b""

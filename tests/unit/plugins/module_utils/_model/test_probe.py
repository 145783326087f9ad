# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.probe import (
    MOST,
    MOST_TRACED,
    SPEC,
    Expectation,
    Probe,
)

TCP = {"from": "web", "to": "db", "port": 5432}
PING = {"from": "web", "to": "db", "protocol": "icmp"}


def read(*expectations: dict[str, Any], **others: Any) -> Probe:
    return Probe.read(spec.read(SPEC, {"expectations": list(expectations), **others}))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (TCP, Expectation("web", "db", "tcp", 5432)),
        (PING, Expectation("web", "db", "icmp")),
        ({**TCP, "network": "back"}, Expectation("web", "db", "tcp", 5432, "back")),
        ({**TCP, "network": ""}, Expectation("web", "db", "tcp", 5432)),
        ({**TCP, "ip_version": 6}, Expectation("web", "db", "tcp", 5432, ip_version=6)),
        ({**TCP, "to": "FD60::0:2"}, Expectation("web", "fd60::2", "tcp", 5432, ip_version=6)),
        ({**TCP, "from": "192.0.2.1"}, Expectation("192.0.2.1", "db", "tcp", 5432)),
        ({**TCP, "from": "fd60::1"}, Expectation("fd60::1", "db", "tcp", 5432, ip_version=6)),
        ({**TCP, "expect": "drop"}, Expectation("web", "db", "tcp", 5432, expect="drop")),
        ({**PING, "through": "gw"}, Expectation("web", "db", "icmp", through="gw")),
    ],
)
def test_read(given: dict[str, Any], expected: Expectation) -> None:
    assert read(given).expectations == (expected,)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({**TCP, "port": None}, "expectations[0].port: is required for tcp"),
        ({**TCP, "port": None, "protocol": "udp"}, "expectations[0].port: is required for udp"),
        ({**TCP, "port": 0}, "expectations[0].port: expected a number from 1 to 65535, found 0"),
        ({**TCP, "port": 65536}, "expectations[0].port: expected a number from 1 to 65535, found 65536"),
        (
            {**PING, "port": 1},
            "expectations[0].port: icmp has no ports; leave it out, or give the protocol tcp or udp",
        ),
        ({**TCP, "ip_version": 5}, "expectations[0].ip_version: expected 4 or 6, found 5"),
        (
            {**TCP, "to": "fd60::2", "ip_version": 4},
            "expectations[0].to: fd60::2 is an IPv6 address where an IPv4 one belongs",
        ),
        (
            {**TCP, "from": "192.0.2.1", "to": "fd60::2"},
            "expectations[0].to: fd60::2 is an IPv6 address where an IPv4 one belongs",
        ),
        ({**TCP, "to": ""}, "expectations[0].to: expected a container, 'host' or an address, found nothing"),
        (
            {**TCP, "to": "224.0.0.1"},
            "expectations[0].to: 224.0.0.1 is not the address of one interface alone; only such can be probed",
        ),
        (
            {**TCP, "from": "0.0.0.0"},
            "expectations[0].from: 0.0.0.0 is not the address of one interface alone; only such can be probed",
        ),
        (
            {**TCP, "to": "fe80::1"},
            "expectations[0].to: fe80::1 is not the address of one interface alone; only such can be probed",
        ),
        (
            {**TCP, "to": "192.0.2.1", "network": "back"},
            "expectations[0].network: says which address of a container or the host is meant; to is 192.0.2.1",
        ),
        (
            {**TCP, "through": "gw", "expect": "drop"},
            "expectations[0].through: what is dropped takes no way; through goes with expect: pass alone",
        ),
    ],
)
def test_refused(given: dict[str, Any], error: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read(given)
    assert str(refused.value) == error


def test_the_path_tells_which() -> None:
    with pytest.raises(DeclarationError, match=r"^expectations\[2\]\.port: is required for tcp$"):
        read(TCP, PING, {**TCP, "port": None})


@pytest.mark.parametrize(
    ("others", "error"),
    [
        ({"reply_timeout": 0.05}, "reply_timeout: expected 0.1 to 30 seconds, found 0.05"),
        ({"reply_timeout": 31}, "reply_timeout: expected 0.1 to 30 seconds, found 31"),
        ({"reply_timeout": "nan"}, "reply_timeout: expected 0.1 to 30 seconds, found nan"),
        ({"tries": 0}, "tries: expected a number from 1 to 10, found 0"),
        ({"tries": 11}, "tries: expected a number from 1 to 10, found 11"),
    ],
)
def test_bounds(others: dict[str, Any], error: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read(TCP, **others)
    assert str(refused.value) == error


@pytest.mark.parametrize(("reply_timeout", "tries"), [(0.1, 1), (30, 10)])
def test_at_the_bounds(reply_timeout: float, tries: int) -> None:
    found = read(TCP, reply_timeout=reply_timeout, tries=tries)
    assert (found.reply_timeout, found.tries) == (reply_timeout, tries)


@pytest.mark.parametrize(
    ("expectation", "number", "error"),
    [
        (TCP, 0, "expectations: lists none; there is nothing to measure"),
        (TCP, MOST + 1, f"expectations: one call measures {MOST} at most, found {MOST + 1}"),
        (
            {**PING, "through": "gw"},
            MOST_TRACED + 1,
            f"expectations: {MOST_TRACED} of one call at most may have through, found {MOST_TRACED + 1}",
        ),
    ],
)
def test_how_many(expectation: dict[str, Any], number: int, error: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read(*[expectation] * number)
    assert str(refused.value) == error
    if number:
        assert len(read(*[expectation] * (number - 1)).expectations) == number - 1


@pytest.mark.parametrize(
    ("given", "flow"),
    [(TCP, "tcp/5432"), (PING, "icmp"), ({**TCP, "protocol": "udp", "ip_version": 6}, "udp/5432 over IPv6")],
)
def test_flow(given: dict[str, Any], flow: str) -> None:
    assert read(given).expectations[0].flow == flow


def test_a_router_is_for_the_host_and_addresses_alone() -> None:
    ping = {"from": "198.51.100.10", "to": "10.0.0.2", "protocol": "icmp"}
    asked = read(ping, {**ping, "from": "host"}, via="192.0.2.1")
    assert asked.via == "192.0.2.1" and not asked.names_containers
    assert read(PING).names_containers and read({**ping, "network": "back", "to": "db"}).names_containers
    with pytest.raises(DeclarationError, match=r"expectations\[1\].from: via goes with"):
        read(ping, PING, via="192.0.2.1")
    with pytest.raises(DeclarationError, match="via: "):
        read(ping, via="router")

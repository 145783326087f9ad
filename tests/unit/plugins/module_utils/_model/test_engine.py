# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an engine is, and which version it has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import (
    ADDRESS_SPEC,
    Engine,
    EngineAddress,
    Gate,
    parse,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

VERSIONS = [
    ("Debian bookworm", "20.10.24+dfsg1", (20, 10)),
    ("Debian forky", "28.5.2+dfsg4", (28, 5)),
    ("an API", "1.41", (1, 41)),
    ("a first of its kind", "29", (29, 0)),
    ("a candidate", "29.0-rc.1", (29, 0)),
    ("a build of one's own", "27.dev", (27, 0)),
]


@pytest.mark.parametrize(("text", "expected"), [each[1:] for each in VERSIONS], ids=[each[0] for each in VERSIONS])
def test_parse(text: str, expected: tuple[int, int]) -> None:
    assert parse(text) == expected


def test_gate() -> None:
    gate = Gate("gw_priority", (28, 0))
    gate.check(Engine((28, 0), (1, 48)), "field")
    with pytest.raises(DeclarationError) as refusal:
        gate.check(Engine((26, 1), (1, 45)), "networks[0].gw_priority")
    assert str(refusal.value) == "networks[0].gw_priority: gw_priority needs Docker Engine 28.0, found 26.1"


MACS = [
    ("made of the address", (26, 1), "10.60.0.255", "02:42:0a:3c:00:ff"),
    ("drawn from 28 on", (28, 0), "10.60.0.255", None),
    ("none without an address", (20, 10), None, None),
]


@pytest.mark.parametrize(("version", "ipv4", "expected"), [each[1:] for each in MACS], ids=[each[0] for each in MACS])
def test_derived_mac(version: tuple[int, int], ipv4: str | None, expected: str | None) -> None:
    """As seen: 20.10 and 26.1 make it of the IPv4 address, 28.5 draws it."""
    assert Engine(version, (1, 51)).derived_mac(ipv4) == expected


def test_who_heeds_a_mac_at_a_connect() -> None:
    assert not Engine((28, 5), (1, 51)).connects_with_mac
    assert Engine((29, 3), (1, 52)).connects_with_mac


WHERE = [
    ("by default", {}, True),
    ("by a path", {"docker_host": "/run/user/1000/docker.sock"}, True),
    ("by http over a socket", {"docker_host": "http+unix:///var/run/docker.sock"}, True),
    ("elsewhere", {"docker_url": "tcp://192.0.2.23:2376"}, False),
    ("by ssh", {"docker_host": "ssh://root@192.0.2.23"}, False),
]


@pytest.mark.parametrize(("args", "expected"), [each[1:] for each in WHERE], ids=[each[0] for each in WHERE])
def test_is_local(args: dict[str, Any], expected: bool) -> None:
    assert EngineAddress.read(spec.read(ADDRESS_SPEC, args)).is_local == expected


@pytest.mark.parametrize(("given", "missing"), [("client_cert", "client_key"), ("client_key", "client_cert")])
def test_half_a_certificate(given: str, missing: str) -> None:
    with pytest.raises(DeclarationError, match=f"^{missing}: is required where {given} is given$"):
        EngineAddress.read(spec.read(ADDRESS_SPEC, {given: "/a.pem"}))

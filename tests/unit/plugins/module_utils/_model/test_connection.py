# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of a container as they are declared, over those that it has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import (
    SPEC,
    Connection,
    Container,
    Endpoint,
    LiveEndpoint,
    Settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork


def endpoint(**options: Any) -> Endpoint:
    """An endpoint as a user writes it."""
    args = spec.read(SPEC, {"container": "web", "networks": [{"name": "front", **options}]})
    return Connection.read(args, "connections[0]").networks[0]


LIVE = Settings("10.0.0.9", None, (), ("www",), ("db:sql",), None, {"a": "1"}, 5)

OVER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("nothing said changes nothing", {}, {}),
    ("an address", {"ipv4_address": "10.0.0.10"}, {"ipv4_address": "10.0.0.10"}),
    ("an address of IPv6", {"ipv6_address": "FD00:0::A"}, {"ipv6_address": "fd00::a"}),
    ("aliases, the whole of them", {"aliases": ["b", "a", "b"]}, {"aliases": ("a", "b")}),
    ("no aliases", {"aliases": []}, {"aliases": ()}),
    ("links", {"links": ["db:x"]}, {"links": ("db:x",)}),
    ("a MAC address", {"mac_address": "02-42-AC-11-00-02"}, {"mac_address": "02:42:ac:11:00:02"}),
    ("options as an engine keeps them", {"driver_opts": {"a": True, "b": 7}}, {"driver_opts": {"a": "true", "b": "7"}}),
    ("a priority of zero", {"gw_priority": 0}, {"gw_priority": 0}),
    (
        "link-local addresses",
        {"link_local_ips": ["FE80::2", "169.254.1.1"]},
        {"link_local_ips": ("169.254.1.1", "fe80::2")},
    ),
]


@pytest.mark.parametrize(("options", "expected"), [each[1:] for each in OVER], ids=[each[0] for each in OVER])
def test_over(options: dict[str, Any], expected: dict[str, Any]) -> None:
    found = endpoint(**options).over(LIVE)
    unchanged = {key: getattr(LIVE, key) for key in vars(LIVE) if key not in expected}
    assert {key: getattr(found, key) for key in vars(found)} == {**unchanged, **expected}


def test_paths() -> None:
    found = endpoint()
    assert (found.path, found.at("aliases")) == ("connections[0].networks[0]", "connections[0].networks[0].aliases")


def test_exclusive_alone_is_enough() -> None:
    found = Connection.read(spec.read(SPEC, {"container": "web", "exclusive": True}))
    assert (found.networks, found.at("container")) == ((), "container")


FRONT = LiveNetwork("f" * 64, Definition("front"))

IS_ON = [
    ("by its ID", LiveEndpoint("f" * 64, "front", Settings()), True),
    ("by its name, before the first start", LiveEndpoint("", "front", Settings()), True),
    ("a network of that name that is gone", LiveEndpoint("e" * 64, "front", Settings()), False),
    ("another one", LiveEndpoint("", "back", Settings()), False),
]


@pytest.mark.parametrize(("live", "expected"), [each[1:] for each in IS_ON], ids=[each[0] for each in IS_ON])
def test_is_on(live: LiveEndpoint, expected: bool) -> None:
    assert live.is_on(FRONT) == expected


ADDRESSES = [
    ("in use", LiveEndpoint("f", "front", Settings("10.0.0.9"), "10.0.0.9", "fd00::9"), ("10.0.0.9", "fd00::9")),
    ("to come", LiveEndpoint("f", "front", Settings("10.0.0.9", "fd00::9")), ("10.0.0.9", "fd00::9")),
    ("nobody knows", LiveEndpoint("f", "front", Settings()), ()),
]


@pytest.mark.parametrize(("live", "expected"), [each[1:] for each in ADDRESSES], ids=[each[0] for each in ADDRESSES])
def test_addresses(live: LiveEndpoint, expected: tuple[str, ...]) -> None:
    assert live.addresses == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("bridge", None), ("front", None), ("host", "host"), ("none", "none"), ("container:abc", "container:abc")],
)
def test_shares(mode: str, expected: str | None) -> None:
    assert Container("c", "web", True, mode).shares == expected

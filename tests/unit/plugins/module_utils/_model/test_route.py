# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes as they are declared, in the kernel's terms."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.route import SPEC, LiveRoute, Route, Routes


def route(**options: Any) -> Route:
    """A route as a user writes it."""
    return Routes.read(spec.read(SPEC, {"container": "web", "routes": [options]}), "routes[0]").routes[0]


READ: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "as written",
        {"destination": "10.1.0.0/24", "gateway": "10.0.0.1"},
        {"destination": "10.1.0.0/24", "gateway": "10.0.0.1", "metric": 0, "table": 254, "type": "unicast"},
    ),
    ("one address", {"destination": "10.1.0.7", "via": "gw"}, {"destination": "10.1.0.7/32", "via": "gw"}),
    ("one address of IPv6", {"destination": "FD00::7", "via": "gw"}, {"destination": "fd00::7/128", "metric": 1024}),
    ("the default", {"destination": "default", "gateway": "10.0.0.1"}, {"destination": "0.0.0.0/0"}),
    ("the default of IPv6", {"destination": "default", "gateway": "fd00::1"}, {"destination": "::/0", "metric": 1024}),
    ("the default by a container", {"destination": "default", "via": "gw"}, {"destination": "0.0.0.0/0"}),
    ("a metric of IPv6", {"destination": "::/0", "via": "gw", "metric": 7}, {"metric": 7}),
    ("no metric of IPv6", {"destination": "::/0", "via": "gw", "metric": 0}, {"metric": 1024}),
    ("a table by name", {"destination": "10.1.0.0/24", "via": "gw", "table": "default"}, {"table": 253}),
    ("a table by number", {"destination": "10.1.0.0/24", "via": "gw", "table": 4294967295}, {"table": 4294967295}),
    ("nowhere", {"destination": "10.1.0.0/24", "type": "blackhole"}, {"type": "blackhole", "gateway": None}),
    ("by a network", {"destination": "10.1.0.0/24", "network": "front"}, {"network": "front", "gateway": None}),
    ("no longer", {"destination": "10.1.0.0/24", "state": "absent"}, {"state": "absent"}),
    (
        "on the link",
        {"destination": "10.1.0.0/24", "gateway": "192.0.2.1", "network": "front", "onlink": True},
        {"onlink": True},
    ),
]


@pytest.mark.parametrize(("options", "expected"), [each[1:] for each in READ], ids=[each[0] for each in READ])
def test_read(options: dict[str, Any], expected: dict[str, Any]) -> None:
    found = route(**options)
    assert {key: getattr(found, key) for key in expected} == expected
    assert found.version == (6 if ":" in found.destination else 4)
    assert found.key == (found.destination, found.table, found.metric)
    assert found.at("via") == "routes[0].routes[0].via"


def test_one_destination_in_two_tables() -> None:
    lines = [{"destination": "10.1.0.0/24", "via": "gw", "table": each} for each in ("main", "100")]
    assert len(Routes.read(spec.read(SPEC, {"container": "web", "routes": lines})).routes) == 2


def test_purge_alone_is_enough() -> None:
    found = Routes.read(spec.read(SPEC, {"container": "web", "purge": True}), "routes[1]")
    assert (found.routes, found.at("container")) == ((), "routes[1].container")


@pytest.mark.parametrize(
    ("destination", "expected"), [("0.0.0.0/0", True), ("::/0", True), ("10.0.0.0/8", False), ("fd00::/8", False)]
)
def test_default(destination: str, expected: bool) -> None:
    assert LiveRoute(destination).is_default == expected


def test_who_made_it_makes_no_difference() -> None:
    assert LiveRoute("10.0.0.0/8", protocol=3) == LiveRoute("10.0.0.0/8", protocol=4)

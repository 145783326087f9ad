# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers and their endpoints between the engines' JSON and the model."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import connection
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import Settings
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Connect

from .sample import VERSIONS, inspected, sample

ENDPOINTS: list[tuple[str, str, Settings, tuple[str, ...]]] = [
    ("web", "shop", Settings("10.60.0.10", aliases=("site", "www")), ("10.60.0.10",)),
    (
        "web",
        "dual",
        Settings("10.61.0.10", "fd00:61::10", aliases=("web6",)),
        ("10.61.0.10", "fd00:61::10"),
    ),
    ("db", "shop", Settings(link_local_ips=("169.254.7.7",), links=("web:site",)), ("10.60.0.128",)),
    ("idle", "shop", Settings("10.60.0.30", aliases=("later",)), ("10.60.0.30",)),
    ("never", "shop", Settings(aliases=("first",)), ()),
    ("never", "dual", Settings("10.61.0.40"), ("10.61.0.40",)),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("container", "network", "settings", "addresses"), ENDPOINTS, ids=[f"{each[0]} on {each[1]}" for each in ENDPOINTS]
)
def test_endpoint(version: str, container: str, network: str, settings: Settings, addresses: tuple[str, ...]) -> None:
    found = connection.observed(inspected(version, container)).endpoints[network]
    assert found.settings == settings
    assert found.addresses == addresses
    assert found.network == network


CONTAINERS = [
    ("web", True, None, {"shop", "dual", "drawn"}),
    ("idle", False, None, {"shop"}),
    ("never", False, None, {"shop", "dual"}),
    ("bare", True, "none", set()),
    ("hosted", True, "host", set()),
    ("sidecar", True, "container:", set()),
    ("linked", True, None, {"bridge"}),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "running", "shares", "networks"), CONTAINERS, ids=[each[0] for each in CONTAINERS])
def test_container(version: str, name: str, running: bool, shares: str | None, networks: set[str]) -> None:
    found = connection.observed(inspected(version, name))
    assert (found.name, found.running, set(found.endpoints)) == (name, running, networks)
    assert (found.netns is not None) == running
    assert (found.shares or "").startswith(shares or "")
    assert (found.shares is None) == (shares is None)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reference_by_name_is_one_to_whatever_has_the_name(version: str) -> None:
    """Seen on all three: a container that was connected while it did not run tells no NetworkID."""
    assert inspected(version, "never")["NetworkSettings"]["Networks"]["dual"]["NetworkID"] == ""
    assert connection.observed(inspected(version, "never")).endpoints["dual"].network_id == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_refused_connect_leaves_is_on_no_network(version: str) -> None:
    """Seen on all three: the endpoint stays in the settings of a container that runs."""
    assert "shop" in inspected(version, "old")["NetworkSettings"]["Networks"]
    ghost = connection.observed(inspected(version, "old")).endpoints.get("shop")
    assert ghost is None or ghost.network_id not in (
        "",
        inspected(version, "web")["NetworkSettings"]["Networks"]["shop"]["NetworkID"],
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_mac_address_that_somebody_gave(version: str) -> None:
    assert connection.observed(inspected(version, "db")).endpoints["dual"].mac == "02:11:22:33:44:55"


def test_gw_priority() -> None:
    assert connection.observed(inspected("28.5", "web")).endpoints["drawn"].settings.gw_priority == 7
    assert connection.observed(inspected("26.1", "web")).endpoints["drawn"].settings.gw_priority == 0


SETTINGS = Settings("10.0.0.9", None, ("169.254.1.1",), ("a",), ("db:x",), "02:00:00:00:00:01", {"k": "1"}, 5)
BODIES: list[tuple[str, Connect, bool, dict[str, Any]]] = [
    (
        "nothing",
        Connect("c", "web", "n", Settings()),
        True,
        {"IPAMConfig": {}, "Aliases": [], "DriverOpts": {}},
    ),
    (
        "everything",
        Connect("c", "web", "n", SETTINGS),
        True,
        {
            "IPAMConfig": {"IPv4Address": "10.0.0.9", "LinkLocalIPs": ["169.254.1.1"]},
            "Aliases": ["a"],
            "Links": ["db:x"],
            "MacAddress": "02:00:00:00:00:01",
            "DriverOpts": {"k": "1"},
            "GwPriority": 5,
        },
    ),
    (
        "what it had",
        Connect("c", "web", "n", Settings(), "10.0.0.2", "fd00::2", "02:00:00:00:00:02"),
        True,
        {
            "IPAMConfig": {"IPv4Address": "10.0.0.2", "IPv6Address": "fd00::2"},
            "Aliases": [],
            "DriverOpts": {},
            "MacAddress": "02:00:00:00:00:02",
        },
    ),
    (
        "what it had, where the engine gives nothing back",
        Connect("c", "web", "n", Settings(), "10.0.0.2", "fd00::2", "02:00:00:00:00:02"),
        False,
        {"IPAMConfig": {}, "Aliases": [], "DriverOpts": {}},
    ),
    (
        "what is declared goes before what it had",
        Connect("c", "web", "n", Settings("10.0.0.9"), "10.0.0.2"),
        True,
        {"IPAMConfig": {"IPv4Address": "10.0.0.9"}, "Aliases": [], "DriverOpts": {}},
    ),
]


@pytest.mark.parametrize(
    ("action", "keep", "expected"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES]
)
def test_body(action: Connect, keep: bool, expected: dict[str, Any]) -> None:
    assert connection.body(action, keep) == expected


def test_containers_are_inspected_when_they_are_looked_at() -> None:
    asked: list[list[str]] = []
    told = {each["Id"]: each for each in sample("28.5")["inspect"]}

    def inspect(ids: Any) -> list[dict[str, Any]]:
        asked.append(list(ids))
        return [told[each] for each in asked[-1]]

    lazily = connection.Containers(told, inspect)
    first, second, *_others = told
    assert (len(lazily), list(lazily), asked) == (len(told), list(told), [])
    lazily.prefetch([first, second])
    assert lazily[first].id == first
    assert lazily[second].id == second
    assert asked == [sorted([first, second])]
    assert lazily.get("unknown") is None


def test_a_container_that_goes_while_it_is_looked_at() -> None:
    with pytest.raises(HostError, match="container abc was removed while it was looked at; run the task again"):
        connection.Containers(["abc"], lambda _ids: [])["abc"]

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology as a whole, and what is remembered of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC, Memory, Topology


def topology(**options: Any) -> Topology:
    """A topology as a user writes it."""
    return Topology.read(spec.read(SPEC, {"name": "shop", **options}))


DECLARED: dict[str, Any] = {
    "networks": [{"name": "front", "connected": ["app"], "recreate": "always"}, {"name": "back", "force": True}],
    "connections": [{"container": "web", "networks": [{"name": "front", "ipv4_address": "10.0.0.9"}]}],
    "routes": [{"container": "web", "routes": [{"destination": "default", "via": "gw"}]}],
}


def test_paths_lead_to_the_item() -> None:
    found = topology(**DECLARED)
    assert [each.path for each in (*found.networks, *found.connections, *found.routes)] == [
        "networks[0]",
        "networks[1]",
        "connections[0]",
        "routes[0]",
    ]


def test_settled_recreates_nothing_for_its_own_sake() -> None:
    assert any(each.always for each in topology(**DECLARED).networks)
    assert not any(each.always for each in topology(**DECLARED).settled().networks)


def test_foreseen_takes_the_containers_as_started() -> None:
    assert not topology(**DECLARED).assumed
    assert topology(**DECLARED).foreseen().assumed


def test_one_address_on_two_networks_is_two_addresses() -> None:
    same = {"ipv4_address": "10.0.0.9"}
    topology(connections=[{"container": "web", "networks": [{"name": each, **same} for each in ("front", "back")]}])


def test_who_leaves_takes_no_address() -> None:
    same = [{"name": "front", "ipv4_address": "10.0.0.9"}]
    topology(
        connections=[{"container": "old", "state": "absent", "networks": same}, {"container": "new", "networks": same}]
    )


def test_arguments_are_kept_for_the_memory() -> None:
    memory = Memory(topology(**DECLARED).arguments)
    assert memory.declared_connections == {("web", "front"), ("app", "front")}
    assert Memory().declared_connections == frozenset()

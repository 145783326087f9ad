# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and IDs: whatever a user knows a container or a network by."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import (
    Container,
    LiveEndpoint,
    Settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, NotThere
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import World

FRONT, BACK = LiveNetwork("aaaa1" + "0" * 59, Definition("front")), LiveNetwork("aaaa2" + "0" * 59, Definition("back"))
ODD = LiveNetwork("bbbb1" + "0" * 59, Definition("aaaa1"))
WEB = Container("cccc1" + "0" * 59, "web", True, endpoints={"front": LiveEndpoint(FRONT.id, "front", Settings())})
IDLE = Container("cccc2" + "0" * 59, "idle", False)
WORLD = World(
    Engine((28, 5), (1, 51)),
    networks={each.id: each for each in (FRONT, BACK, ODD)},
    containers={each.id: each for each in (WEB, IDLE)},
    names={each.name: each.id for each in (WEB, IDLE)},
    members={"front": (WEB.id, IDLE.id)},
)

NETWORKS: list[tuple[str, str, Any]] = [
    ("by name", "front", FRONT),
    ("by ID", FRONT.id, FRONT),
    ("by the beginning of an ID", "aaaa2", BACK),
    ("by a name that looks like an ID", "aaaa1", ODD),
    ("by a beginning that two have", "aaaa", None),
    ("by too short a beginning", "bbb", None),
    ("by nothing known", "nowhere", None),
    ("by an empty name", "", None),
]


@pytest.mark.parametrize(("reference", "expected"), [each[1:] for each in NETWORKS], ids=[each[0] for each in NETWORKS])
def test_network(reference: str, expected: LiveNetwork | None) -> None:
    assert WORLD.network(reference) == expected


CONTAINERS: list[tuple[str, str, Any]] = [
    ("by name", "web", WEB),
    ("by name as the engine writes it", "/web", WEB),
    ("by ID", IDLE.id, IDLE),
    ("by the beginning of an ID", "cccc1", WEB),
    ("by a beginning that two have", "cccc", None),
    ("by nothing known", "nobody", None),
]


@pytest.mark.parametrize(
    ("reference", "expected"), [each[1:] for each in CONTAINERS], ids=[each[0] for each in CONTAINERS]
)
def test_container(reference: str, expected: Container | None) -> None:
    assert WORLD.container(reference) == expected


def test_unknown_network() -> None:
    with pytest.raises(DeclarationError) as refusal:
        WORLD.require_network("frnt", "networks[0].name")
    assert str(refusal.value) == "networks[0].name: there is no network 'frnt'; did you mean 'front'?"
    assert WORLD.require_network("front", "x") == FRONT


def test_unknown_container() -> None:
    with pytest.raises(NotThere) as refusal:
        WORLD.require_container("wbe", "container")
    assert str(refusal.value) == "container: container 'wbe' does not exist; did you mean 'web'?"
    assert refusal.value.container == "wbe"
    assert WORLD.require_container("web", "x") == WEB


def test_endpoints_are_those_that_are_there() -> None:
    assert WORLD.endpoints_on(FRONT) == {WEB.id: WEB.endpoints["front"]}
    assert WORLD.endpoints_on(BACK) == {}

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The passages that routes through gateway containers need where the engine drops on the bridge."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.passage import Passage
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Plan, SetPassages

from .shop import planned, shop


def by(destination: str, gateway: str = "10.1.0.10", **options: Any) -> dict[str, Any]:
    """A topology of one route of db, which is on front alone."""
    line = {"destination": destination, "gateway": gateway, **options}
    return {"name": "shop", "routes": [{"container": "db", "routes": [line]}]}


def passages(plan: Plan) -> list[Passage]:
    """The passages that a plan asks for."""
    found = [each.action for each in plan.steps if isinstance(each.action, SetPassages)]
    return [each for action in found for each in action.passages]


NEW = (28, 5)
CASES: list[tuple[str, tuple[int, int], dict[str, Any], list[Passage]]] = [
    ("to another bridge", NEW, by("10.2.0.0/24"), [Passage("front", "10.2.0.0/24")]),
    ("to a part of another bridge", NEW, by("10.2.0.128/25"), [Passage("front", "10.2.0.128/25")]),
    (
        "to everywhere",
        NEW,
        by("default"),
        [Passage("front", "10.2.0.0/24"), Passage("front", "172.17.0.0/16")],
    ),
    ("to the outside", NEW, by("192.0.2.0/24"), []),
    ("nowhere", NEW, by("10.2.0.0/24", type="blackhole", gateway=None), []),
    ("no longer", NEW, by("10.2.0.0/24", state="absent"), []),
    ("on an engine that drops nothing", (26, 1), by("10.2.0.0/24"), []),
]


@pytest.mark.parametrize(("version", "args", "expected"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_passages(version: tuple[int, int], args: dict[str, Any], expected: list[Passage]) -> None:
    assert passages(planned("topology", args, shop(version))) == expected


def test_a_gateway_that_is_awaited_opens_nothing() -> None:
    args = {"name": "shop", "routes": [{"container": "db", "routes": [{"destination": "10.2.0.0/24", "via": "late"}]}]}
    assert passages(planned("topology", args, shop(NEW))) == []

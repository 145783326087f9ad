# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import (
    CANARY,
    GATE,
    SPEC,
    BlueGreen,
    Record,
    Switch,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import read

BLUE, GREEN = {"name": "blue", "servers": ["b1:8080", "b2:8080"]}, {"name": "green", "servers": "g1:8080"}


def declared(**args: Any) -> BlueGreen:
    """The declaration of a pair, with ``args``."""
    return BlueGreen.read(read(SPEC, {"name": "shop", "environments": [BLUE, GREEN], **args}))


def test_what_is_left_out() -> None:
    found = declared()
    assert (found.present, found.initial, found.target) == (True, "blue", None)
    assert found.rollout.canary == (10, 50, 100)
    assert found.balancer.other("blue") == "green"


@pytest.mark.parametrize(
    ("canary", "steps"),
    [([], (100,)), ("100", (100,)), ("10,50,100", (10, 50, 100)), ("10, 50", (10, 50, 100)), ([1], (1, 100))],
)
def test_a_canary_ends_with_all_and_may_be_a_text(canary: Any, steps: tuple[int, ...]) -> None:
    assert declared(canary=canary).rollout.canary == steps


def test_what_goes_needs_no_environments() -> None:
    found = declared(state="absent", environments=[], target=None)
    assert (found.present, found.balancer.environments) == (False, ())


@pytest.mark.parametrize(
    ("switch", "shares"),
    [
        (None, {"blue": 100, "green": 0}),
        (Switch("green", GATE), {"blue": 100, "green": 0}),
        (Switch("green", CANARY, 10), {"blue": 90, "green": 10}),
        (Switch("green", "rollback", 0, "it failed"), {"blue": 100, "green": 0}),
        (Switch("blue", "drain", 100), {"blue": 100, "green": 0}),
    ],
)
def test_the_shares_of_a_record(switch: Switch | None, shares: dict[str, int]) -> None:
    assert Record("blue", "", switch).shares(declared().balancer) == shares


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"name": "a/b"}, "name: 'a/b' is not a balancer's name"),
        ({"environments": [BLUE]}, "environments: expected two of them, found 1"),
        ({"environments": [BLUE, BLUE]}, "environments[1].name: 'blue' is declared already, as environments[0]"),
        ({"environments": [BLUE, {**GREEN, "name": "Green"}]}, "environments[1].name: 'Green' is not an environment's"),
        (
            {"environments": [BLUE, {**GREEN, "name": "x-gate"}]},
            "environments[1].name: 'x-gate' is not an",
        ),
        ({"environments": [BLUE, {**GREEN, "servers": []}]}, "environments[1].servers: expected at least one"),
        ({"environments": [BLUE, {**GREEN, "servers": "g1"}]}, "[1].servers[0]: expected container:port, found 'g1'"),
        ({"environments": [BLUE, {**GREEN, "servers": "g:0"}]}, "[1].servers[0]: expected container:port, found 'g:0'"),
        ({"environments": [BLUE, {**GREEN, "servers": ["g:1\n"]}]}, "[1].servers[0]: expected container:port"),
        ({"environments": [BLUE, {**GREEN, "servers": "b1:8080"}]}, "declared already, as environments[0].servers[0]"),
        ({"target": "gren"}, "target: 'gren' is no environment; did you mean 'green'?"),
        ({"initial": "red"}, "initial: 'red' is no environment; there is blue, green"),
        ({"canary": "10,x"}, "canary[1]: expected a whole number, found 'x'"),
        ({"canary": [0]}, "canary[0]: expected a percentage from 1 to 100, found 0"),
        ({"canary": [50, 10]}, "canary[1]: expected more than the 50 before, found 10"),
        ({"port": 0}, "port: expected 1 to 65535, found 0"),
        ({"max_error_percent": -1}, "max_error_percent: expected 0 to 100, found -1"),
        ({"drain_timeout": -1}, "drain_timeout: expected 0 to 86400, found -1"),
        ({"health_path": "health"}, "health_path: expected a path"),
        ({"health_path": "/a b"}, "health_path: expected a path"),
        ({"health_path": "/\nuser root"}, "health_path: expected a path"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(args: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declared(**args)
    assert message in str(refused.value)

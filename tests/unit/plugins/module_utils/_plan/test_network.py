# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a network that is there to the one that is declared: which steps, whom they cut, what they keep."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, Refused
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Connect
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import KernelRoute

from .shop import planned, shop, titles

FRONT = {"name": "front", "ipam_config": [{"subnet": "10.1.0.0/24"}]}
LEAVE = [
    "disconnect connection db to front",
    "disconnect connection idle to front",
    "disconnect connection web to front",
]
RETURN = ["connect connection idle to front", "connect connection web to front", "restore route 192.0.2.0/24 in web"]

STEPS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("as it is", FRONT, []),
    ("another spelling", {"name": "front", "ipam_config": [{"subnet": "10.1.0.0/255.255.255.0"}]}, []),
    ("nothing said of it", {"name": "front"}, []),
    ("by the beginning of its ID", {"name": "ID", "labels": {"team": "blue"}}, []),
    ("a new one", {"name": "new", "internal": True}, ["create network new"]),
    (
        "another option, recreated",
        {**FRONT, "internal": True, "recreate": "if_needed"},
        [
            *LEAVE,
            "remove network front",
            "create network front",
            *RETURN[:2],
            "connect connection db to front",
            RETURN[2],
        ],
    ),
    ("absent, and not there", {"name": "new", "state": "absent"}, []),
    (
        "absent, by force",
        {"name": "front", "state": "absent", "force": True},
        [*LEAVE, "remove network front"],
    ),
    ("a member", {"name": "front", "connected": ["gw"], "appends": True}, ["connect connection gw to front"]),
    ("the members that are there", {"name": "front", "connected": ["web", "db", "idle"]}, []),
    (
        "the whole of its members",
        {"name": "back", "connected": ["db", "gw"]},
        ["connect connection db to back", "disconnect connection web to back"],
    ),
    (
        "no members",
        {"name": "back", "connected": []},
        ["disconnect connection gw to back", "disconnect connection web to back"],
    ),
    (
        "the whole of its members, and recreated",
        {"name": "back", "connected": ["gw"], "recreate": "always"},
        [
            "disconnect connection gw to back",
            "disconnect connection web to back",
            "remove network back",
            "create network back",
            "connect connection gw to back",
        ],
    ),
]


@pytest.mark.parametrize(("args", "expected"), [each[1:] for each in STEPS], ids=[each[0] for each in STEPS])
def test_steps(args: dict[str, Any], expected: list[str]) -> None:
    engine = shop()
    name = engine.named("front").id[:12] if args["name"] == "ID" else args["name"]
    assert sorted(titles(planned("network", {**args, "name": name}, engine))) == sorted(expected)


def test_fixed_addresses_come_back_before_any_is_drawn() -> None:
    plan = planned("network", {**FRONT, "internal": True, "recreate": "if_needed"}, shop())
    connected = [each.action for each in plan.steps if isinstance(each.action, Connect)]
    assert [(each.container, each.settings.ipv4_address) for each in connected[:2]] == sorted(
        [("web", "10.1.0.10"), ("idle", "10.1.0.30")], key=lambda each: connected[0].container != each[0]
    )
    assert (connected[2].container, connected[2].keep_ipv4) == ("db", "10.1.0.2")


def test_it_is_written_down_before_the_first_is_cut() -> None:
    steps = planned("network", {**FRONT, "recreate": "always"}, shop()).steps
    assert [each.verb for each in steps if each.bookkeeping] == ["note", "close"]
    assert (steps[0].verb, steps[-1].verb) == ("note", "close")


def test_a_network_that_nobody_is_on_cuts_nobody() -> None:
    engine = shop()
    engine.create_network({"Name": "empty"})
    plan = planned("network", {"name": "empty", "internal": True, "recreate": "if_needed"}, engine)
    assert titles(plan) == ["remove network empty", "create network empty"]
    assert not any(each.cuts for each in plan.steps)


def test_a_route_that_leads_nowhere_any_more_is_told() -> None:
    args = {"name": "back", "ipam_config": [{"subnet": "10.9.0.0/24"}], "recreate": "if_needed"}
    engine = shop()
    engine.stop("gw")
    engine.disconnect("back", engine.known_id("gw"))
    space = engine.namespace("web")

    space.replace(KernelRoute("198.51.100.0/24", "10.2.0.20", engine.interface("web", "back")))
    plan = planned("network", args, engine)
    assert [each for each in titles(plan) if each.startswith("restore")] == []
    assert plan.warnings == (
        "route 198.51.100.0/24 in web is gone: its gateway 10.2.0.20 is on no subnet of network 'back' any more",
    )


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    (
        "a change, by default",
        {**FRONT, "internal": True},
        Refused,
        "it would cut db, web and re-attach idle (stopped); set recreate: if_needed to recreate it",
    ),
    (
        "a removal",
        {"name": "back", "state": "absent"},
        Refused,
        "state: network 'back' still has gw, web; detach them first, or set force: true to cut them",
    ),
    (
        "a subnet of another network",
        {"name": "new", "ipam_config": [{"subnet": "10.2.0.128/25"}]},
        DeclarationError,
        "ipam_config[0].subnet: 10.2.0.128/25 of network 'new' overlaps 10.2.0.0/24 of network 'back'",
    ),
    (
        "a subnet of the host",
        {"name": "new", "ipam_config": [{"subnet": "10.99.0.0/16"}]},
        DeclarationError,
        "10.99.0.0/16 of network 'new' overlaps 10.99.1.0/24, the address 10.99.1.11 of the host on eth0",
    ),
    (
        "a subnet that has no place for who is on it",
        {"name": "front", "ipam_config": [{"subnet": "10.9.0.0/24"}], "recreate": "if_needed"},
        DeclarationError,
        "has the fixed address 10.1.0.",
    ),
    (
        "a gateway where somebody is",
        {"name": "front", "ipam_config": [{"subnet": "10.1.0.0/24", "gateway": "10.1.0.10"}], "recreate": "if_needed"},
        DeclarationError,
        "container 'web' has the fixed address 10.1.0.10, which the new network (10.1.0.0/24) cannot give back",
    ),
    ("an unknown member", {"name": "front", "connected": ["wbe"]}, DeclarationError, "connected[0]: container 'wbe'"),
]


@pytest.mark.parametrize(("args", "kind", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_refused(args: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as refusal:
        planned("network", args, shop())
    assert says in str(refusal.value)


def test_a_refusal_shows_the_difference_and_whom_it_would_cut() -> None:
    with pytest.raises(Refused) as refusal:
        planned("network", {**FRONT, "internal": True, "labels": {"team": "red"}}, shop())
    assert refusal.value.result() == {
        "field": "recreate",
        "diff": {"before": {"labels": {"team": "blue"}}, "after": {"internal": True, "labels": {"team": "red"}}},
        "cuts": ["db", "web"],
    }


OPTIONS = [("true", "1"), ("True", "true"), ("f", "false"), ("0", "FALSE")]


@pytest.mark.parametrize(("there", "wanted"), OPTIONS)
def test_true_is_true_however_it_is_spelt(there: str, wanted: str) -> None:
    engine = shop()
    key = "com.docker.network.bridge.enable_icc"
    engine.create_network({"Name": "new", "Options": {key: there}})
    assert titles(planned("network", {"name": "new", "driver_options": {key: wanted}}, engine)) == []

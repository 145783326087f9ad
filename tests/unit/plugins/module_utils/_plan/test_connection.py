# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the networks that a container has to those that are declared for it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, NotThere
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Connect

from .shop import planned, shop, titles

AGAIN = ["disconnect connection web to front", "connect connection web to front", "restore route 192.0.2.0/24 in web"]


def joined(container: str, *names: str, **options: Any) -> dict[str, Any]:
    """A container and its networks, without anything else said of these."""
    return {"container": container, "networks": [{"name": each} for each in names], **options}


def on_front(**options: Any) -> dict[str, Any]:
    """web on front, with these options."""
    return {"container": "web", "networks": [{"name": "front", **options}]}


STEPS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("as it is", joined("web", "front", "back"), []),
    ("all that it has", on_front(ipv4_address="10.1.0.10", aliases=["www"]), []),
    ("one more network", joined("db", "back"), ["connect connection db to back"]),
    (
        "another address, and the MAC address stays",
        on_front(ipv4_address="10.1.0.11"),
        [*AGAIN[:2], "set connection web to front", AGAIN[2]],
    ),
    ("another alias", on_front(aliases=["www", "site"]), AGAIN),
    ("an alias less", on_front(aliases=[]), AGAIN),
    ("an option", on_front(driver_opts={"com.example.a": "1"}), AGAIN),
    ("another MAC address", on_front(mac_address="02:00:00:00:00:01"), ["set connection web to front"]),
    ("the MAC address that it has", on_front(mac_address="02:42:0A:01:00:0A"), []),
    ("exclusive", joined("web", "back", exclusive=True), ["disconnect connection web to front"]),
    (
        "exclusive, and none",
        joined("web", exclusive=True),
        ["disconnect connection web to back", "disconnect connection web to front"],
    ),
    ("absent", joined("web", "front", state="absent"), ["disconnect connection web to front"]),
    ("absent from one that it is not on", joined("db", "back", state="absent"), []),
    ("absent from one that is not there", joined("db", "gone", state="absent"), []),
    ("stopped, one more network", joined("idle", "back"), ["connect connection idle to back"]),
    ("stopped, as it is", joined("idle", "front"), []),
]


@pytest.mark.parametrize(("args", "expected"), [each[1:] for each in STEPS], ids=[each[0] for each in STEPS])
def test_steps(args: dict[str, Any], expected: list[str]) -> None:
    assert titles(planned("connection", args, shop())) == expected


def test_what_is_not_declared_comes_back() -> None:
    steps = planned("connection", on_front(aliases=["site"]), shop()).steps
    (connect,) = [each.action for each in steps if isinstance(each.action, Connect)]
    assert connect.settings.ipv4_address == "10.1.0.10"
    assert connect.settings.aliases == ("site",)


def test_by_id() -> None:
    engine = shop()
    args = joined(engine.known_id("web")[:12], engine.named("front").id[:12], exclusive=True)
    assert titles(planned("connection", args, engine)) == ["disconnect connection web to back"]


def test_a_stale_reference_is_repaired() -> None:
    engine = shop()
    for name in ("web", "db"):
        engine.disconnect("front", engine.known_id(name))
    engine.remove_network("front")
    engine.create_network({"Name": "front", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}})
    plan = planned("connection", joined("idle", "front"), engine)
    assert titles(plan) == ["release connection idle to front", "connect connection idle to front"]
    (connect,) = [each.action for each in plan.steps if isinstance(each.action, Connect)]
    assert connect.settings.ipv4_address == "10.1.0.30"


def test_a_mac_address_waits_for_the_start() -> None:
    args = {"container": "idle", "networks": [{"name": "back", "mac_address": "02:00:00:00:00:01"}]}
    (pending,) = planned("connection", args, shop()).pending
    assert str(pending).startswith("MAC address 02:00:00:00:00:01 on back: container 'idle' is not running")


def test_a_mac_address_that_nobody_can_give_back_is_told() -> None:
    engine = shop((28, 5))
    engine.create("late", "front", mac="02:00:00:00:00:09")
    container = engine.container("late")
    container.endpoints["front"].mac = "02:00:00:00:00:09"
    plan = planned("connection", {"container": "late", "networks": [{"name": "front", "aliases": ["a"]}]}, engine)
    assert any("had the MAC address 02:00:00:00:00:09 on network 'front'" in each for each in plan.warnings)


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("nobody", joined("wbe", "front"), NotThere, "container: container 'wbe' does not exist; did you mean 'web'?"),
    ("the host's networks", joined("hosty", "front"), DeclarationError, "network_mode 'host'"),
    ("an unknown network", joined("web", "frnt"), DeclarationError, "networks[0].name: there is no network 'frnt'"),
    ("an address of another", on_front(ipv4_address="10.1.0.30"), DeclarationError, "by container 'idle'"),
    ("an address in use", on_front(ipv4_address="10.1.0.2"), DeclarationError, "by container 'db'"),
]


@pytest.mark.parametrize(("args", "kind", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_refused(args: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as refusal:
        planned("connection", args, shop())
    assert says in str(refusal.value)


def labelled(*names: str) -> Any:
    """The shop with these containers more, each with the label app and its own name as tier."""
    engine = shop()
    for name in names:
        engine.run(name, "front", labels={"app": "x", "tier": name})
    return engine


def test_labels_mean_each_that_has_them() -> None:
    args = {"labels": "app=x, tier in (one, two)", "networks": [{"name": "back"}], "exclusive": True}
    assert titles(planned("connection", args, labelled("one", "two", "three"))) == [
        step
        for name in ("one", "two")
        for step in (f"connect connection {name} to back", f"disconnect connection {name} to front")
    ]
    assert titles(planned("connection", args, shop())) == []


def test_labels_in_a_topology() -> None:
    args = {"name": "t", "connections": [{"labels": "app", "networks": [{"name": "back"}]}]}
    found = titles(planned("topology", args, labelled("one", "two")))
    assert found == ["connect connection one to back", "connect connection two to back"]


def test_who_is_named_and_labelled_is_declared_twice() -> None:
    connections = [{"container": "one", "networks": [{"name": "back"}]}, {"labels": "app", "exclusive": True}]
    with pytest.raises(DeclarationError, match=r"connections\[1\]\.labels: container 'one' .* as connections\[0\]"):
        planned("topology", {"name": "t", "connections": connections}, labelled("one"))

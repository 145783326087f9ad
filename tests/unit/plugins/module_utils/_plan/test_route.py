# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the routes that a container has to those that are declared for it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, NotThere

from .shop import planned, shop, titles

HOME = {"destination": "192.0.2.0/24", "gateway": "10.1.0.20", "metric": 7}


def routes(*lines: dict[str, Any], container: str = "web", **options: Any) -> dict[str, Any]:
    """The routes of a container."""
    return {"container": container, "routes": list(lines), **options}


STEPS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("as it is", routes(HOME), []),
    ("another gateway", routes({**HOME, "gateway": "10.1.0.21"}), ["change route 192.0.2.0/24 in web"]),
    ("another metric is another route", routes({**HOME, "metric": 8}), ["add route 192.0.2.0/24 in web"]),
    ("another table is another route", routes({**HOME, "table": "100"}), ["add route 192.0.2.0/24 in web"]),
    ("another type", routes({**HOME, "gateway": None, "type": "blackhole"}), ["change route 192.0.2.0/24 in web"]),
    ("through a container", routes({**HOME, "gateway": None, "via": "gw"}), ["change route 192.0.2.0/24 in web"]),
    (
        "by a network",
        routes({"destination": "198.51.100.0/24", "network": "back"}),
        ["add route 198.51.100.0/24 in web"],
    ),
    ("the default", routes({"destination": "default", "gateway": "10.2.0.20"}), ["change route 0.0.0.0/0 in web"]),
    ("absent", routes({**HOME, "state": "absent"}), ["delete route 192.0.2.0/24 in web"]),
    ("absent already", routes({**HOME, "metric": 8, "state": "absent"}), []),
    ("purged", routes(purge=True), ["delete route 192.0.2.0/24 in web"]),
    ("purged but for what is declared", routes(HOME, purge=True), []),
    (
        "beyond the link",
        routes({"destination": "10.50.0.0/24", "gateway": "172.31.0.1", "network": "front", "onlink": True}),
        ["add route 10.50.0.0/24 in web"],
    ),
]


@pytest.mark.parametrize(("args", "expected"), [each[1:] for each in STEPS], ids=[each[0] for each in STEPS])
def test_steps(args: dict[str, Any], expected: list[str]) -> None:
    assert titles(planned("route", args, shop())) == expected


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    (
        "a container that is stopped",
        routes(HOME, container="idle"),
        NotThere,
        "container: container 'idle' is not running",
    ),
    (
        "a gateway that shares no network",
        routes({**HOME, "gateway": None, "via": "gw"}, container="db"),
        DeclarationError,
        "container 'gw' shares no network with 'db' (db is on front; gw is on back)",
    ),
    (
        "a gateway on another network",
        routes({**HOME, "gateway": None, "via": "gw", "network": "front"}),
        DeclarationError,
        "container 'gw' is not on network 'front' (on back)",
    ),
    (
        "a gateway without IPv6",
        routes({"destination": "2001:db8::/32", "via": "gw"}),
        DeclarationError,
        "container 'gw' has no IPv6 address on network 'back'",
    ),
    (
        "a gateway that is nobody's neighbour",
        routes({**HOME, "gateway": "10.9.0.1"}),
        DeclarationError,
        "10.9.0.1 is in no subnet of 'web' (back 10.2.0.0/24, front 10.1.0.0/24); a gateway must be a neighbour",
    ),
    (
        "the namespace of the host",
        routes(HOME, container="hosty"),
        DeclarationError,
        "was started with network_mode 'host': its routes are those of the host",
    ),
]


@pytest.mark.parametrize(("args", "kind", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_refused(args: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as refusal:
        planned("route", args, shop())
    assert says in str(refusal.value)


def test_a_gateway_on_two_networks_asks_which() -> None:
    engine = shop()
    engine.connect("front", engine.known_id("gw"), {})
    with pytest.raises(DeclarationError, match="shares back and front with 'web'; say which by network"):
        planned("route", routes({**HOME, "gateway": None, "via": "gw"}), engine)
    args = routes({**HOME, "gateway": None, "via": "gw", "network": "back"})
    assert titles(planned("route", args, engine)) == ["change route 192.0.2.0/24 in web"]


def test_a_stopped_gateway_with_a_fixed_address_will_do() -> None:
    args = routes({"destination": "198.51.100.0/24", "via": "idle"}, container="db")
    assert titles(planned("route", args, shop())) == ["add route 198.51.100.0/24 in db"]


def test_a_stopped_gateway_without_one_is_waited_for() -> None:
    engine = shop()
    engine.create("late", "back")
    with pytest.raises(NotThere, match="container 'late' is not running and has no fixed address"):
        planned("route", routes({"destination": "198.51.100.0/24", "via": "late"}), engine)


def test_a_stopped_gateway_that_waits_for_ones_own_address() -> None:
    engine = shop()
    engine.create("late", "front", ip="10.1.0.2")
    args = routes({"destination": "198.51.100.0/24", "via": "late"}, container="db")
    with pytest.raises(DeclarationError, match=r"'late' waits for 10\.1\.0\.2, which container 'db' has"):
        planned("route", args, engine)


def test_a_router_on_the_link_is_in_no_subnet() -> None:
    engine = shop()
    engine.create_network({"Name": "six", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "fd00:6::/64"}]}})
    engine.connect("six", engine.known_id("web"), {})
    args = routes({"destination": "2001:db8::/32", "gateway": "fe80::1", "network": "six"})
    assert titles(planned("route", args, engine)) == ["add route 2001:db8::/32 in web"]


def test_a_broken_container_has_no_routes_of_its_own() -> None:
    engine = shop()
    engine.run("sidecar", f"container:{engine.known_id('web')}")
    with pytest.raises(DeclarationError, match="its routes are those of another container"):
        planned("route", routes(HOME, container="sidecar"), engine)

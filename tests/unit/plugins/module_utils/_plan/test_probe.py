# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import (
    Container,
    LiveEndpoint,
    Settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import (
    DeclarationError,
    Differs,
    NotThere,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.ipam import Pool
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.probe import (
    SPEC,
    Cell,
    Measured,
    Place,
    Probe,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import World
from ansible_collections.breakwater.docker.plugins.module_utils._plan import probe

HOST = Place("host")


IDS = {"back": "b" * 64, "dual": "e" * 64, "front": "9" * 64, "lan": "c" * 64}


def network(name: str, *pools: Pool, driver: str = "bridge") -> LiveNetwork:
    return LiveNetwork(IDS[name], Definition(name, driver=driver, ipam_config=pools))


def endpoint(name: str, ipv4: str | None, ipv6: str | None = None, *gateways: str) -> LiveEndpoint:
    return LiveEndpoint(IDS[name], name, Settings(), ipv4, ipv6, gateways=gateways)


NETWORKS = [
    network("back", Pool("10.0.0.0/24")),
    network("dual", Pool("10.0.3.0/24", gateway="10.0.3.9"), Pool("fd03::/64")),
    network("front", Pool("10.0.1.0/24", iprange="10.0.1.128/25")),
    network("lan", Pool("10.0.2.0/24", gateway="10.0.2.1"), driver="macvlan"),
]
CONTAINERS = [
    Container("7" * 64, "web", True, "front", {"front": endpoint("front", "10.0.1.2", None, "10.0.1.128")}, "/web"),
    Container(
        "a" * 64,
        "app",
        True,
        "back",
        {
            "back": endpoint("back", "10.0.0.2"),
            "front": endpoint("front", "10.0.1.3"),
            "dual": endpoint("dual", "10.0.3.3", "fd03::3"),
        },
        "/app",
    ),
    Container(
        "d" * 64,
        "db",
        True,
        "back",
        {"back": endpoint("back", "10.0.0.4"), "dual": endpoint("dual", "10.0.3.4", "fd03::4")},
        "/db",
    ),
    Container("8" * 64, "leased", True, "lan", {"lan": endpoint("lan", "10.0.2.5")}, "/leased"),
    Container("0" * 64, "agent", True, "host", {}, "/agent"),
    Container("1" * 64, "mute", True, "none", {}, "/mute"),
    Container("2" * 64, "side", True, f"container:{'d' * 64}", {}, "/side"),
    Container("3" * 64, "guest", True, f"container:{'0' * 64}", {}, "/guest"),
    Container("4" * 64, "orphan", True, f"container:{'f' * 64}", {}, "/orphan"),
    Container("5" * 64, "idle", False, "back", {"back": endpoint("back", None)}),
    # As while the engine restarts it again and again: running, and yet without a process.
    Container("6" * 64, "restless", True, "back", {"back": endpoint("back", None)}),
]
WORLD = World(
    Engine((28, 5), (1, 51)),
    networks={each.id: each for each in NETWORKS},
    containers={each.id: each for each in CONTAINERS},
    names={each.name: each.id for each in CONTAINERS},
    members={each.name: tuple(one.id for one in CONTAINERS if each.name in one.endpoints) for each in NETWORKS},
)


def declared(*expectations: Mapping[str, Any]) -> Probe:
    filled = [{"port": 80, **each} if each.get("protocol") != "icmp" else dict(each) for each in expectations]
    return Probe.read(spec.read(SPEC, {"expectations": filled}))


def resolved(**expectation: Any) -> Cell:
    (cell,) = probe.resolve(declared({"from": "web", **expectation}), WORLD)
    return cell


@pytest.mark.parametrize(
    ("source", "place", "bind"),
    [
        ("web", Place("web", "/web"), None),
        ("7" * 12, Place("web", "/web"), None),
        ("host", HOST, None),
        ("192.0.2.1", HOST, "192.0.2.1"),
        ("agent", HOST, None),
        ("guest", HOST, None),
        ("side", Place("db", "/side"), None),
        ("orphan", Place("orphan", "/orphan"), None),
        ("mute", Place("mute", "/mute"), None),
    ],
)
def test_where_from(source: str, place: Place, bind: str | None) -> None:
    cell = resolved(**{"from": source, "to": "app"})
    assert (cell.source, cell.bind) == (place, bind)


@pytest.mark.parametrize(
    ("expectation", "place", "address", "network"),
    [
        # the shared network, by name the first; else the target's first
        ({"to": "app"}, Place("app", "/app"), "10.0.1.3", "front"),
        ({"from": "db", "to": "app"}, Place("app", "/app"), "10.0.0.2", "back"),
        ({"from": "host", "to": "app"}, Place("app", "/app"), "10.0.0.2", "back"),
        ({"to": "db"}, Place("db", "/db"), "10.0.0.4", "back"),
        ({"to": "side"}, Place("db", "/side"), "10.0.0.4", "back"),
        ({"from": "side", "to": "app"}, Place("app", "/app"), "10.0.0.2", "back"),
        ({"to": "db", "network": "dual"}, Place("db", "/db"), "10.0.3.4", "dual"),
        ({"to": "db", "network": "e" * 12}, Place("db", "/db"), "10.0.3.4", "dual"),
        ({"from": "db", "to": "app", "ip_version": 6}, Place("app", "/app"), "fd03::3", "dual"),
        ({"to": "app", "ip_version": 6}, Place("app", "/app"), "fd03::3", "dual"),
        ({"from": "db", "to": "db"}, Place("db", "/db"), "10.0.0.4", "back"),
        # the host, as the source sees it
        ({"from": "host", "to": "host"}, HOST, "127.0.0.1", None),
        ({"from": "host", "to": "host", "ip_version": 6}, HOST, "::1", None),
        ({"from": "host", "to": "host", "network": "dual"}, HOST, "10.0.3.9", "dual"),
        ({"from": "db", "to": "host"}, HOST, "10.0.0.1", "back"),
        ({"from": "db", "to": "agent"}, HOST, "10.0.0.1", "back"),
        ({"from": "web", "to": "host"}, HOST, "10.0.1.128", "front"),
        ({"from": "db", "to": "host", "network": "dual"}, HOST, "10.0.3.9", "dual"),
        ({"from": "db", "to": "host", "ip_version": 6}, HOST, "fd03::1", "dual"),
        # addresses
        ({"to": "10.0.0.4"}, Place("db", "/db"), "10.0.0.4", None),
        ({"to": "fd03::4"}, Place("db", "/db"), "fd03::4", None),
        ({"to": "10.0.0.99"}, None, "10.0.0.99", None),
        ({"to": "198.51.100.10"}, None, "198.51.100.10", None),
        ({"to": "127.0.0.1"}, Place("web", "/web"), "127.0.0.1", None),
        ({"from": "host", "to": "127.0.0.53"}, HOST, "127.0.0.53", None),
    ],
)
def test_where_to(expectation: dict[str, Any], place: Place | None, address: str, network: str | None) -> None:
    cell = resolved(**expectation)
    assert (cell.target, cell.address, cell.network) == (place, address, network)


@pytest.mark.parametrize(
    ("expectation", "hops"),
    [
        ({"to": "db", "through": "app"}, ("10.0.0.2", "10.0.1.3", "10.0.3.3")),
        ({"to": "db", "through": "app", "ip_version": 6}, ("fd03::3",)),
        ({"to": "app", "through": "side"}, ("10.0.0.4", "10.0.3.4")),
        ({"to": "db"}, ()),
    ],
)
def test_through(expectation: dict[str, Any], hops: tuple[str, ...]) -> None:
    assert resolved(**expectation).hops == hops


@pytest.mark.parametrize(
    ("expectation", "error"),
    [
        ({"to": "dbb"}, "expectations[0].to: container 'dbb' does not exist; did you mean 'db'?"),
        ({"from": "webb", "to": "db"}, "expectations[0].from: container 'webb' does not exist; did you mean 'web'?"),
        (
            {"to": "db", "through": "ap"},
            "expectations[0].through: container 'ap' does not exist; did you mean 'app'?",
        ),
        ({"to": "idle"}, "expectations[0].to: container 'idle' is not running"),
        ({"from": "idle", "to": "db"}, "expectations[0].from: container 'idle' is not running"),
        ({"from": "restless", "to": "db"}, "expectations[0].from: container 'restless' is not running"),
        ({"to": "db", "through": "idle"}, "expectations[0].through: container 'idle' is not running"),
        (
            {"to": "db", "through": "agent"},
            "expectations[0].through: expected a container of its own, found the host",
        ),
        (
            {"to": "db", "through": "web", "ip_version": 6},
            "expectations[0].through: container 'web' has no IPv6 address (on front 10.0.1.2)",
        ),
        (
            {"from": "db", "to": "web", "ip_version": 6},
            "expectations[0].to: container 'web' has no IPv6 address (on front 10.0.1.2)",
        ),
        ({"to": "mute"}, "expectations[0].to: container 'mute' has no IPv4 address (on no network)"),
        (
            {"to": "db", "network": "frnt"},
            "expectations[0].network: there is no network 'frnt'; did you mean 'front'?",
        ),
        (
            {"to": "db", "network": "front"},
            (
                "expectations[0].network: container 'db' has no address on 'front': "
                "it is on back 10.0.0.4, dual 10.0.3.4 fd03::4"
            ),
        ),
        (
            {"to": "web", "network": "front", "ip_version": 6},
            (
                "expectations[0].network: container 'web' has no address on 'front': "
                "it has no IPv6 address (on front 10.0.1.2)"
            ),
        ),
        (
            {"from": "leased", "to": "host"},
            (
                "expectations[0].to: the host has no IPv4 address on the networks of container 'leased'; "
                "write the address that is meant"
            ),
        ),
        (
            {"to": "host", "network": "back", "ip_version": 6},
            "expectations[0].to: the host has no IPv6 address on network 'back'; write the address that is meant",
        ),
    ],
)
def test_refused(expectation: dict[str, Any], error: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        resolved(**expectation)
    assert str(refused.value) == error


def test_who_does_not_run_can_be_waited_for() -> None:
    with pytest.raises(NotThere) as refused:
        resolved(to="idle")
    assert refused.value.container == "idle"


def test_scope_names_containers_alone() -> None:
    asked = declared(
        {"from": "web", "to": "host"}, {"from": "10.0.0.1", "to": "db", "through": "app"}, {"from": "web", "to": "::1"}
    )
    assert probe.scope(asked).containers == {"web", "db", "app"}


PASS, DROP = Measured("pass", 0.5, "opened"), Measured("drop", listener="opened")
REFUSED = Measured("refused", 0.2, "none", note="10.0.0.1 answered that it is unreachable")


@pytest.mark.parametrize(
    ("expectation", "found", "difference"),
    [
        ({"to": "app"}, PASS, None),
        ({"to": "app"}, DROP, "web to app tcp/80 was dropped, expected pass"),
        ({"to": "app"}, REFUSED, "web to app tcp/80 was refused, expected pass"),
        ({"to": "app", "expect": "drop"}, DROP, None),
        ({"to": "app", "expect": "drop"}, REFUSED, None),
        ({"to": "app", "expect": "drop"}, PASS, "web to app tcp/80 passed, expected drop"),
        (
            {"to": "app", "protocol": "icmp", "expect": "drop", "ip_version": 6},
            PASS,
            "web to app icmp over IPv6 passed, expected drop",
        ),
        ({"to": "db", "through": "app"}, replace(PASS, hops=("10.0.1.1", "10.0.1.3")), None),
        ({"to": "db", "through": "app"}, DROP, "web to db tcp/80 was dropped, expected pass"),
        (
            {"to": "db", "through": "app"},
            replace(PASS, hops=("10.0.1.1",)),
            "web to db tcp/80 passed, expected through app (the way led through 10.0.1.1)",
        ),
        (
            {"to": "db", "through": "app"},
            replace(PASS, note="no router lies on the way"),
            "web to db tcp/80 passed, expected through app (no router lies on the way)",
        ),
        ({"to": "db", "through": "app"}, PASS, "web to db tcp/80 passed, expected through app (no hop answered)"),
    ],
)
def test_verdict(expectation: dict[str, Any], found: Measured, difference: str | None) -> None:
    asked = declared({"from": "web", **expectation})
    if difference is None:
        result = probe.report(lambda _probe, _cells: (found,), asked, WORLD)
        assert result["measured"] == 1
        assert [each["differs"] for each in result["matrix"]] == [False]
        return
    with pytest.raises(Differs) as wrong:
        probe.report(lambda _probe, _cells: (found,), asked, WORLD)
    assert str(wrong.value) == f"1 of 1 expectation differs: {difference}"


def test_what_differs_is_told_apart_from_the_rest() -> None:
    asked = declared(*({"from": "web", "to": "app", "port": 80 + n} for n in range(9)))
    outcomes = tuple(PASS if n in (0, 4) else DROP for n in range(9))
    with pytest.raises(Differs) as wrong:
        probe.report(lambda _probe, _cells: outcomes, asked, WORLD)
    message, result = str(wrong.value), wrong.value.result()
    assert message.startswith("7 of 9 expectations differ: web to app tcp/81 was dropped, expected pass; ")
    assert message.endswith("; web to app tcp/86 was dropped, expected pass; and 2 more")
    assert [each["index"] for each in result["cells"]] == [1, 2, 3, 5, 6, 7, 8]
    assert [each["index"] for each in result["matrix"]] == list(range(9))
    assert result["measured"] == 9


def test_a_cell_of_the_result() -> None:
    found = Measured("pass", 1.23456, "existing", ("10.0.1.3",), "a note")
    asked = declared({"from": "web", "to": "db", "through": "app", "protocol": "udp", "port": 53})
    result = probe.report(lambda _probe, _cells: (found,), asked, WORLD)
    assert result["matrix"] == [
        {
            "index": 0,
            "from": "web",
            "to": "db",
            "protocol": "udp",
            "port": 53,
            "ip_version": 4,
            "expect": "pass",
            "through": "app",
            "network": "back",
            "address": "10.0.0.4",
            "outcome": "pass",
            "differs": False,
            "latency_ms": 1.235,
            "listener": "existing",
            "hops": ["10.0.1.3"],
            "note": "a note",
        }
    ]


def test_the_measure_gets_what_was_declared() -> None:
    asked = declared({"from": "web", "to": "app"}, {"from": "app", "to": "web"})
    given: list[Any] = []

    def measure(one: Probe, cells: tuple[Cell, ...]) -> tuple[Measured, ...]:
        given.extend([one, cells])
        return (PASS, PASS)

    probe.report(measure, asked, WORLD)
    assert given == [asked, probe.resolve(asked, WORLD)]

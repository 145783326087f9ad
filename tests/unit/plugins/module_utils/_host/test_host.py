# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host observed as a world and changed step by step, on an engine and a kernel in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import Settings
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.route import LiveRoute
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import (
    Action,
    Connect,
    DeleteRoute,
    Disconnect,
    SetMac,
    SetRoute,
    Step,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import HostPrefix, Scope
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import fake_host

VERSIONS = [(20, 10), (26, 1), (28, 5)]


@pytest.fixture(params=VERSIONS, ids=lambda each: f"{each[0]}.{each[1]}")
def engine(request: pytest.FixtureRequest) -> Iterator[FakeEngine]:
    """web and idle on front, web on drawn as well."""
    found = FakeEngine(request.param)
    found.create_network({"Name": "front", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}})
    found.create_network({"Name": "drawn"})
    found.run("web", "front", ip="10.1.0.10")
    found.connect("drawn", found.known_id("web"), {})
    found.create("idle", "front")
    with fake_host(found):
        yield found


def apply(engine: FakeEngine, action: Action) -> None:
    """Carry out one action."""
    Host(engine).apply(Step("something", "do", action))


def test_observe(engine: FakeEngine) -> None:
    world = Host(engine).observe()
    assert {each.name for each in world.networks.values()} == {"bridge", "host", "none", "front", "drawn"}
    assert set(world.names) == {"web", "idle"}
    assert {name: len(ids) for name, ids in world.members.items()} == {"front": 2, "drawn": 1}
    web = world.container("web")
    assert web is not None
    assert {each.network for each in world.routes[web.id]} == {"front", "drawn"}
    assert set(world.macs[web.id]) == {"front", "drawn"}
    assert HostPrefix("10.99.1.0/24", "eth0", "the address 10.99.1.11") in set(world.prefixes)


def test_nothing_is_looked_at_before_it_is_asked_for(engine: FakeEngine) -> None:
    looked: list[list[str]] = []
    inspect = engine.inspect

    def spied(ids: object) -> object:
        looked.append(list(ids))  # type: ignore[call-overload]
        return inspect(looked[-1])

    engine.inspect = spied  # type: ignore[method-assign, assignment]
    host = Host(engine)
    world = host.observe()
    assert looked == []
    host.observe(Scope(containers=frozenset(("web", "nobody"))))
    assert looked == [[engine.known_id("web")]]
    assert world.routes.get(engine.known_id("idle")) == ()


def test_a_stopped_container_has_no_namespace(engine: FakeEngine) -> None:
    world = Host(engine).observe(Scope(everything=True))
    idle = engine.known_id("idle")
    assert (world.routes[idle], dict(world.macs[idle])) == ((), {})


def test_connect_takes_another_address_where_none_is_given_back(engine: FakeEngine) -> None:
    apply(engine, Connect(engine.known_id("idle"), "idle", "drawn", Settings(), keep_ipv4="172.18.0.77"))
    assert engine.container("idle").endpoints["drawn"].ipam in ({}, None)


def test_connect_that_is_refused(engine: FakeEngine) -> None:
    engine.run("other")
    with pytest.raises(HostError, match="Address already in use"):
        apply(engine, Connect(engine.known_id("other"), "other", "front", Settings("10.1.0.10")))


def test_disconnect_twice(engine: FakeEngine) -> None:
    for _twice in range(2):
        apply(engine, Disconnect(engine.known_id("web"), "web", "front"))
    assert set(engine.container("web").endpoints) == {"drawn"}


def test_set_mac(engine: FakeEngine) -> None:
    apply(engine, SetMac(engine.known_id("web"), "web", "front", "02:00:00:00:00:07"))
    name = engine.interface("web", "front")
    assert engine.namespace("web").link(name).mac == "02:00:00:00:00:07"
    assert Host(engine).observe().macs[engine.known_id("web")]["front"] == "02:00:00:00:00:07"


def test_routes(engine: FakeEngine) -> None:
    web = engine.known_id("web")
    line = LiveRoute("10.9.0.0/16", "10.1.0.77", "front", 7, 100)
    apply(engine, SetRoute(web, "web", line))
    assert line in Host(engine).observe().routes[web]
    apply(engine, DeleteRoute(web, "web", line))
    apply(engine, DeleteRoute(web, "web", line))
    assert line not in Host(engine).observe().routes[web]


KINDS = [
    LiveRoute("10.9.0.0/16", type="blackhole"),
    LiveRoute("10.9.0.0/16", None, "front"),
    LiveRoute("10.9.0.0/16", "192.0.2.1", "front", onlink=True),
    LiveRoute("fd09::/16", metric=1024, type="unreachable"),
]


@pytest.mark.parametrize("line", KINDS, ids=["blackhole", "by a network", "onlink", "unreachable"])
def test_kinds_of_routes(engine: FakeEngine, line: LiveRoute) -> None:
    web = engine.known_id("web")
    apply(engine, SetRoute(web, "web", line))
    assert line in Host(engine).observe().routes[web]


def test_a_gateway_is_found_when_the_route_is_set(engine: FakeEngine) -> None:
    engine.run("gw", "front")
    web = engine.known_id("web")
    apply(engine, SetRoute(web, "web", LiveRoute("10.9.0.0/16", None, "front", via="gw")))
    assert LiveRoute("10.9.0.0/16", "10.1.0.2", "front") in Host(engine).observe().routes[web]


REFUSED = [
    (
        "a gateway that is gone",
        LiveRoute("10.9.0.0/16", None, "front", via="gw"),
        "'gw' has no address on network 'front'",
    ),
    ("a gateway that is no neighbour", LiveRoute("10.9.0.0/16", "192.0.2.1", "front"), "Nexthop has invalid gateway"),
    (
        "a network that it is not on",
        LiveRoute("10.9.0.0/16", "192.0.2.1", "gone"),
        "has no interface on network 'gone'",
    ),
]


@pytest.mark.parametrize(("line", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_routes_that_are_refused(engine: FakeEngine, line: LiveRoute, says: str) -> None:
    with pytest.raises(HostError) as refusal:
        apply(engine, SetRoute(engine.known_id("web"), "web", line))
    assert says in str(refusal.value)
    assert "container 'web'" in str(refusal.value)


def test_a_container_that_has_stopped_meanwhile(engine: FakeEngine) -> None:
    engine.stop("web")
    with pytest.raises(HostError, match="container 'web' has stopped meanwhile"):
        apply(engine, SetRoute(engine.known_id("web"), "web", LiveRoute("10.9.0.0/16", "10.1.0.77", "front")))


def test_a_container_that_ends_while_it_is_looked_at(engine: FakeEngine) -> None:
    world = Host(engine).observe(Scope(containers=frozenset(("web",))))
    engine.stop("web")
    assert world.routes[engine.known_id("web")] == ()


NAMES = [
    ("its own", ["/web"], "web"),
    ("and another one's short word for it", ["/other/web", "/database"], "database"),
    ("and another one's long word for it", ["/other/database", "/db"], "db"),
    ("shorter than its own", ["/a/b", "/database"], "database"),
]


@pytest.mark.parametrize(("what", "told", "name"), NAMES)
def test_the_name_of_a_container_that_is_linked_to(what: str, told: list[str], name: str) -> None:
    engine = FakeEngine()
    engine.containers = lambda: [{"Id": "c" * 64, "Names": told}]  # type: ignore[method-assign]
    with fake_host(engine):
        assert list(Host(engine).observe().names) == [name], what

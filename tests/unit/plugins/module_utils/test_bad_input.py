# SPDX-License-Identifier: GPL-3.0-or-later
"""Each wrong topology is refused in one sentence that begins with the path of the field."""

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import (
    Container,
    LiveEndpoint,
    Settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, Refused
from ansible_collections.breakwater.docker.plugins.module_utils._model.ipam import Pool
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.sysctl import HOST, Live, Parameter, Space
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC, Topology
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import World
from ansible_collections.breakwater.docker.plugins.module_utils._plan import topology

from . import judge
from .bad_topologies import CASES, MIDDLE, OLD, Case
from .fake_engine import FakeEngine
from .fake_host import fake_host


def world(version: tuple[int, int]) -> World:
    """The host that the table is written for."""

    def network(name: str, subnet: str, gateway: str) -> LiveNetwork:
        return LiveNetwork(f"id-{name}", Definition(name, ipam_config=(Pool(subnet, gateway=gateway),)))

    def endpoint(name: str, ipv4: str | None, fixed: bool = False) -> LiveEndpoint:
        return LiveEndpoint(f"id-{name}", name, Settings(ipv4_address=ipv4 if fixed else None), ipv4)

    networks = [
        network("bridge", "172.17.0.0/16", "172.17.0.1"),
        network("taken", "10.9.0.0/24", "10.9.0.1"),
        network("shared", "10.8.0.0/24", "10.8.0.1"),
        LiveNetwork("id-none", Definition("none", "null")),
    ]
    containers = [
        Container(
            "c-web",
            "web",
            True,
            "taken",
            {"taken": endpoint("taken", "10.9.0.5", True), "shared": endpoint("shared", "10.8.0.2")},
        ),
        Container("c-idle", "idle", False, "taken", {"taken": endpoint("taken", None)}),
        Container("c-other", "other", True, "shared", {"shared": endpoint("shared", "10.8.0.3")}),
        Container("c-hosty", "hosty", True, "host"),
    ]
    parameters = {"vm.swappiness": Live("60"), "kernel.osrelease": Live("6.12.0", writable=False)}
    members: dict[str, tuple[str, ...]] = {}
    for each in containers:
        for name in each.endpoints:
            members[name] = (*members.get(name, ()), each.id)
    return World(
        engine=Engine(version, (1, 51)),
        networks={each.id: each for each in networks},
        containers={each.id: each for each in containers},
        residents={each.id: each for each in containers},
        names={each.name: each.id for each in containers},
        members=members,
        sysctls={HOST: Space({Parameter(key): live for key, live in parameters.items()}, seen=True)},
    )


def given(case: Case) -> dict[str, object]:
    """The arguments of the case; those that test no other missing container have none."""
    return {"name": "bad", "missing_containers": "fail", **case.topology}


VERSIONS = [OLD, MIDDLE, (28, 5)]


@pytest.mark.parametrize("version", VERSIONS, ids=[f"{each[0]}.{each[1]}" for each in VERSIONS])
@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_refused_in_one_sentence(case: Case, version: tuple[int, int]) -> None:
    if version > case.until:
        topology.plan(Topology.read(spec.read(SPEC, given(case))), world(version))
        return
    with pytest.raises((DeclarationError, Refused)) as refusal:
        topology.plan(Topology.read(spec.read(SPEC, given(case))), world(version))
    message = str(refusal.value)
    assert refusal.value.field.startswith(case.field), message
    assert message.startswith(f"{refusal.value.field}: "), message
    assert case.says in message, message
    assert "\n" not in message
    assert not message.endswith(".")


@pytest.mark.parametrize("version", VERSIONS, ids=[f"{each[0]}.{each[1]}" for each in VERSIONS])
def test_nothing_is_touched(version: tuple[int, int]) -> None:
    engine = FakeEngine(version)
    for name, subnet in (("taken", "10.9.0"), ("shared", "10.8.0")):
        pool = {"Subnet": f"{subnet}.0/24", "Gateway": f"{subnet}.1"}
        engine.create_network({"Name": name, "IPAM": {"Config": [pool]}})
    engine.run("web", "taken", ip="10.9.0.5")
    engine.connect("shared", engine.known_id("web"), {})
    engine.create("idle", "taken")
    engine.run("other", "shared")
    engine.run("hosty", "host")
    before = judge.picture(engine)
    with fake_host(engine) as host:
        for case in CASES:
            if version > case.until:
                continue
            for check in (True, False):
                with pytest.raises((DeclarationError, Refused)) as refusal:
                    host.module("topology", given(case), check=check)
                assert case.says in str(refusal.value), case.name
            assert judge.picture(engine) == before, case.name
            assert not host.topologies.exists()
            assert not host.journals.exists()


def test_the_table_is_as_long_as_promised() -> None:
    assert len(CASES) >= 60
    assert len({each.name for each in CASES}) == len(CASES)

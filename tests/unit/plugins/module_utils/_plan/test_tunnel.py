# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tunnels that are there to those that are declared: what is asked of the host, and what it cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model import topology as topologies
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.info import Everything
from ansible_collections.breakwater.docker.plugins.module_utils._model.ipam import Pool
from ansible_collections.breakwater.docker.plugins.module_utils._model.live_tunnel import (
    Fence,
    LivePeer,
    LiveTunnel,
    Way,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import (
    ArmRollback,
    Plan,
    Remember,
    RemoveTunnel,
    SetTunnel,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import Memory, Topology
from ansible_collections.breakwater.docker.plugins.module_utils._model.tunnel import SPEC, Tunnel
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import HostPrefix, World
from ansible_collections.breakwater.docker.plugins.module_utils._plan import info, restore, tunnel, volatile
from ansible_collections.breakwater.docker.plugins.module_utils._plan import topology as planner
from ansible_collections.breakwater.docker.plugins.module_utils._plan.predict import after
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils import fleet
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import drawn
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fleet import HERE, HOME, peer, plain

TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"
OWN = drawn("own")
SHARED = {"fleet0@edge2": "0123456789abcdef", "fleet-1@edge2": "fedcba9876543210"}
PREFIXES = (
    HostPrefix(HOME, "br-front", "the route to 10.80.1.0/24"),
    HostPrefix("10.99.1.0/24", "eth0", "the address 10.99.1.11"),
    HostPrefix("10.70.0.0/16", "eth1", "the route to 10.70.0.0/16"),
)


def world(version: tuple[int, int] = (26, 1), trusted: str = "", **parts: Any) -> World:
    """A host with the network ``front``, a way out of 1500 bytes and the keys ``fleet0`` and ``fleet-1``."""
    front = Definition("front", driver_options={TRUSTED: trusted} if trusted else {}, ipam_config=(Pool(HOME),))
    keys = {"fleet0": OWN, "fleet-1": drawn("next")}
    return World(
        Engine(version, (1, 45), pools=lambda: ("172.17.0.0/16",)),
        {"f" * 64: LiveNetwork("f" * 64, front)},
        prefixes=PREFIXES,
        way=Way(lambda: 1500, lambda name: keys.get(name, ""), lambda: keys, lambda name: SHARED.get(name, "")),
        **parts,
    )


def read(args: dict[str, Any], path: str = "") -> Tunnel:
    return Tunnel.read(spec.read(SPEC, args), path)


def planned(args: dict[str, Any], there: World | None = None) -> Plan:
    return tunnel.plan(read(args), there or world())


def applied(*tunnels: dict[str, Any], there: World | None = None) -> World:
    """A host that has these tunnels."""
    found = there or world()
    for each in tunnels:
        found = after(found, planned(each, found).steps)
    return found


def wanted(args: dict[str, Any], there: World | None = None) -> LiveTunnel:
    """What the one step of a plan is to bring about."""
    (step,) = planned(args, there).steps
    assert isinstance(step.action, SetTunnel)
    return step.action.wanted


def test_what_is_wanted() -> None:
    assert wanted(fleet.tunnel(peer(preshared=True, keepalive=25), peer(3, route=False, endpoint=None))) == LiveTunnel(
        "wireguard",
        "",
        OWN,
        51820,
        mtu=1420,
        peers={
            drawn("edge2"): LivePeer(("10.80.2.0/24",), "10.99.1.12:51820", 25, "0123456789abcdef"),
            drawn("edge3"): LivePeer(("10.80.3.0/24",)),
        },
        routes={"10.80.2.0/24": ""},
        fence=Fence("fleet0", (HOME,), ("10.80.2.0/24", "10.80.3.0/24")),
    )


def test_what_is_wanted_of_a_vxlan() -> None:
    assert wanted(fleet.tunnel(backend="vxlan", mtu=1300)) == LiveTunnel(
        "vxlan",
        listen_port=4789,
        local=HERE,
        vni=4789,
        mtu=1300,
        peers={"10.99.1.12": LivePeer(("10.80.2.0/24",))},
        routes={"10.80.2.0/24": "10.99.1.12"},
        fence=Fence("fleet0", (HOME,), ("10.80.2.0/24",)),
    )


def test_what_is_wanted_of_plain_routes() -> None:
    assert wanted(fleet.tunnel(backend="direct")) == LiveTunnel(
        "direct",
        peers={"10.99.1.12": LivePeer(("10.80.2.0/24",))},
        routes={"10.80.2.0/24": "10.99.1.12"},
        fence=Fence("", (HOME,), ("10.80.2.0/24",)),
    )


def test_the_order_of_lists_does_not_matter() -> None:
    subnets = [HOME, "10.81.0.0/24", "fd80:1::/64"]
    peers = [peer(2, subnets=["10.80.12.0/24", "10.80.2.0/24"]), peer(3)]
    there = applied(fleet.tunnel(*peers, subnets=subnets), there=world((28, 5)))
    turned = [{**each, "subnets": each["subnets"][::-1]} for each in peers[::-1]]
    assert planned(fleet.tunnel(*turned, subnets=subnets[::-1]), there) == Plan()


SHIELDS: list[tuple[str, tuple[int, int], str, str, tuple[str, ...]]] = [
    ("an engine that shields nobody", (26, 1), "", "wireguard", ()),
    ("the last of them", (27, 5), "", "wireguard", ()),
    ("the first that does", (28, 0), "", "wireguard", (HOME,)),
    ("a network that trusts the tunnel", (28, 5), "eth0:fleet0", "wireguard", ()),
    ("a network that trusts another one", (28, 5), "fleet01:eth0", "wireguard", (HOME,)),
    ("plain routes have no interface to trust", (28, 5), "fleet0", "direct", (HOME,)),
]


@pytest.mark.parametrize(
    ("version", "trusted", "backend", "expected"), [each[1:] for each in SHIELDS], ids=[each[0] for each in SHIELDS]
)
def test_who_is_shielded(version: tuple[int, int], trusted: str, backend: str, expected: tuple[str, ...]) -> None:
    fence = wanted(fleet.tunnel(backend=backend), world(version, trusted)).fence
    assert fence is not None and fence.opened == expected


LISTED = [peer(3), peer(subnets=["10.80.9.0/24", "10.70.5.0/24"])]
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "a key that the host has not",
        fleet.tunnel(key="fleet-9"),
        "key",
        "this host keeps no key 'fleet-9'; make it with the module breakwater.docker.wireguard_key",
    ),
    (
        "a shared key that the host has not",
        fleet.tunnel(peer(), peer(3, preshared=True)),
        "peers[1].preshared",
        "this host keeps no pre-shared key 'fleet0@edge3'",
    ),
    (
        "the host itself",
        fleet.tunnel(peer(), peer(3, public_key=OWN)),
        "peers[1].public_key",
        "is that of this host, key 'fleet0'",
    ),
    (
        "what the host reaches by itself",
        fleet.tunnel(*LISTED),
        "peers[1].subnets[1]",
        "10.70.5.0/24 of peer 'edge2' overlaps what this host reaches by eth1: the route to 10.70.0.0/16",
    ),
    (
        "where the host is itself",
        fleet.tunnel(plain(subnets=["10.99.0.0/16"]), backend="direct"),
        "peers[0].subnets[0]",
        "10.99.0.0/16 of peer 'edge2' overlaps what this host reaches by eth0: the address 10.99.1.11",
    ),
    (
        "a network that nobody declared for it",
        fleet.tunnel(peer(subnets=[HOME]), subnets=["10.81.0.0/24"]),
        "peers[0].subnets[0]",
        "overlaps what this host reaches by br-front",
    ),
]


@pytest.mark.parametrize(("args", "field", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_refused(args: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(DeclarationError) as refusal:
        tunnel.plan(read(args, "tunnels[3]"), world())
    assert refusal.value.field == f"tunnels[3].{field}" and says in str(refusal.value)


@pytest.mark.parametrize("backend", fleet.BACKENDS)
def test_its_own_routes_are_in_nobodys_way(backend: str) -> None:
    there = applied(fleet.tunnel(backend=backend))
    dev = "eth0" if backend == "direct" else "fleet0"
    there = replace(there, prefixes=(*PREFIXES, HostPrefix("10.80.2.0/24", dev, "the route to 10.80.2.0/24")))
    assert planned(fleet.tunnel(backend=backend), there) == Plan()


def test_what_is_silent_is_looked_up_and_not_told() -> None:
    there = applied(fleet.tunnel())
    silent = replace(there.tunnels["fleet0"], silent=frozenset((drawn("edge2"),)))
    found = planned(fleet.tunnel(), replace(there, tunnels={"fleet0": silent}))
    assert len(found.steps) == 1 and found.told == ()


def test_absent() -> None:
    assert planned({"name": "fleet0", "state": "absent"}) == Plan()
    (step,) = planned({"name": "fleet0", "state": "absent"}, applied(fleet.tunnel())).steps
    assert (step.action, str(step), step.cuts) == (RemoveTunnel("fleet0"), "remove tunnel fleet0", (drawn("edge2"),))
    assert step.before["public_key"] == OWN and not step.after


def test_a_diff_is_of_what_differs() -> None:
    (step,) = planned(fleet.tunnel(peer(endpoint="192.0.2.7:1"), listen_port=1), applied(fleet.tunnel())).steps
    edge = {"public_key": drawn("edge2"), "subnets": ["10.80.2.0/24"], "keepalive": 0, "preshared": False}
    assert step.before == {"listen_port": 51820, "peer edge2": {**edge, "endpoint": "10.99.1.12:51820"}}
    assert step.after == {"listen_port": 1, "peer edge2": {**edge, "endpoint": "192.0.2.7:1"}}
    assert step.cuts == ()


def test_a_route_by_another_neighbour_is_told() -> None:
    there = applied(fleet.tunnel(backend="vxlan"))
    live = replace(there.tunnels["fleet0"], routes={"10.80.2.0/24": "10.99.1.66"})
    (step,) = planned(fleet.tunnel(backend="vxlan"), replace(there, tunnels={"fleet0": live})).steps
    assert step.before == {"routes": ["10.80.2.0/24 via 10.99.1.66"]}
    assert step.after == {"routes": ["10.80.2.0/24 via 10.99.1.12"]}


def test_what_would_not_last() -> None:
    assert volatile.of_tunnel(read(fleet.tunnel()), world()) == ["tunnel fleet0: gone when the host reboots"]
    assert volatile.of_tunnel(read({"name": "fleet0", "state": "absent"}), world()) == []
    assert volatile.of_topology(topology(fleet.tunnel()), world()) == ["tunnel fleet0: gone when the host reboots"]
    assert volatile.of_topology(topology(fleet.tunnel()), world(kept=True)) == []


def test_a_report_of_peers_that_are_declared_no_more() -> None:
    live = replace(wanted(fleet.tunnel(peer(), peer(3))), handshakes={drawn("edge2"): 3, drawn("edge3"): 4})
    found = tunnel.report(read(fleet.tunnel()), world(tunnels={"fleet0": live}))
    assert found["handshakes"] == {"edge2": 3, drawn("edge3"): 4}


# Of a topology.


def topology(*tunnels: dict[str, Any], **options: Any) -> Topology:
    args = spec.read(topologies.SPEC, {"name": "fleet", "tunnels": list(tunnels), **options})
    return Topology.read(args)


def titles(plan: Plan) -> list[str]:
    return [str(each) for each in plan.told]


def had(*tunnels: dict[str, Any]) -> World:
    """A host after a topology of these tunnels."""
    found = world()
    return after(found, planner.plan(topology(*tunnels), found).steps)


OTHER = fleet.tunnel(peer(3), name="other0", key="fleet-1", listen_port=51821)


def test_of_a_topology() -> None:
    found = planner.plan(topology(fleet.tunnel(), OTHER), world())
    assert titles(found) == ["create tunnel fleet0", "create tunnel other0"]
    assert isinstance(found.steps[0].action, Remember), "what is made is written down before"
    assert planner.plan(topology(fleet.tunnel(), OTHER), had(fleet.tunnel(), OTHER)) == Plan()


def test_prune_takes_the_tunnels_that_were_declared() -> None:
    there = applied(fleet.tunnel(peer(7), name="hand0", key="fleet0"), there=had(fleet.tunnel(), OTHER))
    assert titles(planner.plan(topology(fleet.tunnel()), there)) == [], "without it what is there stays"
    pruned = planner.plan(topology(fleet.tunnel(), prune=True), there)
    assert titles(pruned) == ["remove tunnel other0"], "and what somebody else made as well"
    then = after(there, pruned.steps)
    again = planner.plan(topology(fleet.tunnel(), prune=True), then)
    assert again.told == () and planner.plan(topology(fleet.tunnel(), prune=True), after(then, again.steps)) == Plan()


def test_who_goes_is_told_by_name() -> None:
    """The kernel knows keys alone, the topology of before whose they are."""
    found = planner.plan(topology(fleet.tunnel(), prune=True), had(fleet.tunnel(peer(), peer(4)), OTHER))
    assert {str(each): each.cuts for each in found.told} == {
        "set tunnel fleet0": ("edge4",),
        "remove tunnel other0": ("edge3",),
    }
    assert list(found.told[0].before) == ["routes", "fence", "peer edge4"]
    (moved,) = planner.plan(topology(fleet.tunnel(backend="direct")), had(fleet.tunnel())).told[:1]
    assert (str(moved), moved.cuts) == ("remove tunnel fleet0", ("edge2",))


def test_what_is_dropped_now_is_pruned_later() -> None:
    dropped = after(
        had(fleet.tunnel(), OTHER), planner.plan(topology(fleet.tunnel()), had(fleet.tunnel(), OTHER)).steps
    )
    assert titles(planner.plan(topology(fleet.tunnel(), prune=True), dropped)) == ["remove tunnel other0"]


def test_a_topology_that_goes_takes_its_tunnels() -> None:
    there = had(fleet.tunnel(), OTHER)
    found = planner.plan(topology(state="absent"), there)
    assert titles(found) == ["remove tunnel fleet0", "remove tunnel other0"]
    assert after(there, found.steps).tunnels == {} and "fleet" not in after(there, found.steps).memories


def test_one_that_is_absent_in_a_topology() -> None:
    gone = {"name": "fleet0", "state": "absent"}
    assert titles(planner.plan(topology(gone, OTHER), had(fleet.tunnel(), OTHER))) == ["remove tunnel fleet0"]


IMPOSSIBLE = fleet.tunnel(peer(4, subnets=["10.70.1.0/24"]), name="bad0", key="fleet0")


def test_what_is_impossible_is_refused_and_by_a_keeper_told() -> None:
    declared = topology(IMPOSSIBLE, OTHER)
    with pytest.raises(DeclarationError, match=r"^tunnels\[0\]\.peers\[0\]\.subnets\[0\]: 10\.70\.1\.0/24"):
        planner.plan(declared, world())
    found = planner.plan(declared.kept(), world())
    assert titles(found) == ["create tunnel other0"]
    (warning,) = found.warnings
    assert warning.startswith("tunnels[0].peers[0].subnets[0]: 10.70.1.0/24 of peer 'edge4' overlaps")


def test_a_keeper_prunes_nothing() -> None:
    assert titles(planner.plan(topology(fleet.tunnel(), prune=True).kept(), had(fleet.tunnel(), OTHER))) == []


@pytest.mark.parametrize("plan", [restore.plan, restore.missing])
def test_before_the_engine_starts_the_tunnels_are_there(plan: Any) -> None:
    declared = topology(IMPOSSIBLE, fleet.tunnel()).kept()
    found = plan(declared, world())
    assert titles(found) == ["create tunnel fleet0"] and len(found.warnings) == 1
    assert plan(declared, after(world(), found.steps)).steps == ()


# Changes that somebody must confirm.


def test_a_change_that_waits_for_a_confirmation_is_guarded_first() -> None:
    found = planner.plan(topology(fleet.tunnel(), confirm_within=60), world())
    assert found.steps[0].action == ArmRollback("fleet", 60, None) and found.steps[0].bookkeeping
    assert titles(found) == ["create tunnel fleet0"]
    assert [type(each.action) for each in found.steps] == [ArmRollback, Remember, SetTunnel]


def test_it_is_brought_back_to_what_was_there() -> None:
    there = had(fleet.tunnel())
    for declared in (topology(OTHER, confirm_within=60), topology(state="absent", confirm_within=60)):
        action = planner.plan(declared, there).steps[0].action
        assert isinstance(action, ArmRollback) and action.former == there.memories["fleet"]


def test_what_is_so_already_waits_for_nobody() -> None:
    assert planner.plan(topology(fleet.tunnel(), confirm_within=60), had(fleet.tunnel())) == Plan()
    noted = planner.plan(topology({"name": "no0", "state": "absent"}, confirm_within=60), world())
    assert [type(each.action) for each in noted.steps] == [Remember], "nobody is cut by a note"


def test_nobody_is_asked_twice() -> None:
    there = replace(world(), unconfirmed=["fleet"])
    found = planner.plan(topology(fleet.tunnel(), confirm_within=60), there)
    assert [type(each.action) for each in found.steps] == [Remember, SetTunnel]
    assert planner.report(topology(), there) == {"unconfirmed": True}
    assert planner.report(topology(), replace(there, unconfirmed=["other"])) == {"unconfirmed": False}


def test_check_mode_foretells_that_it_will_wait() -> None:
    found = planner.plan(topology(fleet.tunnel(), confirm_within=60), world())
    assert planner.report(topology(), after(world(), found.steps)) == {"unconfirmed": True}


# What a plan of the fleet must know.


def test_what_is_seen() -> None:
    there = had(fleet.tunnel(peer(), peer(3)))
    live = replace(there.tunnels["fleet0"], handshakes={drawn("edge3"): 12, drawn("gone"): 99})
    seen = info.tunnels(Everything("fleet"), replace(there, tunnels={"fleet0": live}))["seen"]
    assert seen["engine"] == "26.1" and seen["path_mtu"] == 1500 and seen["pools"] == ["172.17.0.0/16"]
    assert seen["public_keys"] == {"fleet0": OWN, "fleet-1": drawn("next")}
    assert seen["networks"] == [{"name": "front", "subnets": [HOME], "driver_options": {}}]
    assert seen["prefixes"][2] == {"subnet": "10.70.0.0/16", "interface": "eth1", "what": "the route to 10.70.0.0/16"}
    assert seen["handshakes"] == {"fleet0": {"edge3": 12, drawn("gone"): 99}}
    (declared,) = seen["tunnels"]
    assert read(declared) == read(fleet.tunnel(peer(), peer(3))), "what is seen is a declaration"


def test_what_is_seen_of_another_topology() -> None:
    seen = info.tunnels(Everything("other"), had(fleet.tunnel()))["seen"]
    assert seen["tunnels"] == [] and seen["handshakes"] == {"fleet0": {}}
    assert info.tunnels(Everything("old"), world(memories={"old": Memory({"networks": []})}))["seen"]["tunnels"] == []


# What holds of any.


@cases(200)
@given(fleet.tunnels(), fleet.tunnels(), st.sampled_from([(26, 1), (28, 5)]))
def test_planning_again_is_empty(former: dict[str, Any], args: dict[str, Any], version: tuple[int, int]) -> None:
    there = applied(former, there=world(version))
    found = planned(args, there)
    then = after(there, found.steps)
    assert planned(args, then) == Plan()
    assert all(step.before != step.after for step in found.told), "a change without a difference"
    assert len(found.told) == len(found.steps)
    assert planned({"name": "fleet0", "state": "absent"}, then).steps
    gone = after(then, planned({"name": "fleet0", "state": "absent"}, then).steps)
    assert gone.tunnels == {}


@cases(100)
@given(fleet.tunnels(), fleet.tunnels())
def test_who_is_told_to_be_cut_is_cut(former: dict[str, Any], args: dict[str, Any]) -> None:
    there = applied(former)
    before = there.tunnels["fleet0"]
    cut = {each for step in planned(args, there).steps for each in step.cuts}
    then = applied(args, there=there).tunnels["fleet0"]
    lost = set(before.peers) - set(then.peers)
    if before.backend != then.backend or before.public_key != then.public_key:
        lost = set(before.peers)
    names = {each.get("public_key") or each["endpoint"]: each["name"] for each in args["peers"]}
    assert {names.get(each, each) for each in cut} == {names.get(each, each) for each in lost}

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every host and every topology: thousands of both, on an engine and a kernel in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import Phase, assume, event, given, settings
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import (
    DeclarationError,
    Interrupted,
    Refused,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.sysctl import Space
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import World
from ansible_collections.breakwater.docker.plugins.module_utils._plan import topology as planner
from ansible_collections.breakwater.docker.plugins.module_utils._plan.predict import after
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils import judge
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import fake_host
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.scenes import (
    Scene,
    recreated,
    scenes,
    topologies,
)

Picture = dict[Any, Any]


@contextmanager
def found_or_refused() -> Iterator[None]:
    """A topology that is refused, with a reason, proves nothing here: what a refusal owes is a property of its own."""
    try:
        yield
    except (DeclarationError, Refused):
        event("refused")
        assume(False)


@st.composite
def situations(draw: st.DrawFn, prune: bool | None = None) -> tuple[Scene, dict[str, Any]]:
    """A host and a topology for it."""
    scene = draw(scenes())
    return scene, draw(topologies(scene, prune=prune))


@cases(250)
@given(situations())
def test_declared_becomes_true(situation: tuple[Scene, dict[str, Any]]) -> None:
    """Check mode foretells it, carrying it out does it, an independent judge agrees, and nothing is left to do."""
    scene, topology = situation
    engine = scene.build()
    before = judge.picture(engine)
    with fake_host(engine) as host:
        with found_or_refused():
            foretold = host.module("topology", topology, check=True)
        assert judge.picture(engine) == before
        done = host.module("topology", topology)
        assert judge.complaints(topology, engine) == []
        assert known(foretold["steps"]) == known(done["steps"])
        again = settled(topology)
        there = judge.picture(engine)
        assert host.module("topology", again, check=True)["steps"] == []
        assert not host.module("topology", again)["changed"]
        assert judge.picture(engine) == there


@cases(150)
@given(situations())
def test_refusal_touches_nothing(situation: tuple[Scene, dict[str, Any]]) -> None:
    """One sentence that begins with the field, in check mode the same one; and nothing has been changed."""
    scene, topology = situation
    engine = scene.build()
    before = judge.picture(engine)
    with fake_host(engine) as host:
        try:
            host.module("topology", topology)
        except (DeclarationError, Refused) as refusal:
            said = str(refusal)
            assert said.split(":", maxsplit=1)[0].startswith(
                ("networks[", "connections[", "routes[", "sysctls[", "prune")
            ), said
            assert "\n" not in said
            assert judge.picture(engine) == before
            assert not host.journals.exists()
            assert not host.topologies.exists()
            with pytest.raises(type(refusal)) as same:
                host.module("topology", topology, check=True)
            assert str(same.value) == said
        else:
            event("accepted")


@cases(200)
@given(situations(prune=False))
def test_nothing_foreign_is_touched(situation: tuple[Scene, dict[str, Any]]) -> None:
    """Networks, endpoints, routes, kernel parameters and rules that nobody declared are as they were."""
    scene, topology = situation
    engine = scene.build()
    before = judge.picture(engine)
    with fake_host(engine) as host, found_or_refused():
        host.module("topology", topology)
    now = judge.picture(engine)
    declared = touched_by(topology)
    always = {each["name"] for each in topology["networks"] if each.get("recreate") == "always"}
    remade = {key[1] for key in before if key[0] == "network" and (key[1] in always or before[key] != now.get(key))}
    moved = {name for name in remade if subnets(before["network", name]) != subnets(now.get(("network", name)))}
    for key, was in before.items():
        if declared(key):
            continue
        if key[0] == "endpoint" and key[2] in remade:
            assert_restored(key, was, now, moved)
        elif key[0] == "route" and (was[2] in remade or is_default(key)):
            if was[2] not in moved and not is_default(key):
                assert now.get(key) == was, key
        else:
            assert now.get(key) == was, key
    appeared = {key for key in now if key not in before and not declared(key) and not is_default(key)}
    assert appeared == set()


@cases(250)
@given(situations(), st.randoms(use_true_random=False))
def test_order_does_not_matter(situation: tuple[Scene, dict[str, Any]], random: Any) -> None:
    """Lists without an order may come in any: networks, pools, connections, endpoints, aliases, routes."""
    scene, topology = situation
    outcomes = []
    for declared in (topology, shuffled(topology, random)):
        engine = scene.build()
        with fake_host(engine) as host:
            try:
                result = host.module("topology", declared)
                outcomes.append((result["changed"], sorted(result["pending"]), blurred(judge.picture(engine))))
            except (DeclarationError, Refused):
                outcomes.append(("refused", [], {}))  # where two things are wrong, order decides which is told
    assert outcomes[0] == outcomes[1]


@st.composite
def successions(draw: st.DrawFn) -> tuple[Scene, list[dict[str, Any]]]:
    """A host, and the topologies that follow one another on it under one name: one, or two."""
    scene, topology = draw(situations())
    return scene, [draw(topologies(scene, prune=False)), topology] if draw(st.booleans()) else [topology]


@cases(180)
@given(successions(), st.integers(0, 12), st.integers(0, 12))
def test_killed_anywhere_the_next_run_finishes(
    succession: tuple[Scene, list[dict[str, Any]]], first: int, second: int
) -> None:
    """Killed after any step, and once more in the run that cleans up: the one after reaches what is declared."""
    scene, (*earlier, topology) = succession
    undisturbed, engine = scene.build(), scene.build()
    with fake_host(undisturbed) as host, found_or_refused():
        for each in (*earlier, topology):
            host.module("topology", each)
    again = settled(topology)
    with fake_host(engine) as host:
        for each in earlier:
            host.module("topology", each)
        ended = host.module_killed("topology", topology, first)
        event("ended before" if ended else "killed")
        ended = host.module_killed("topology", topology if ended is None else again, second)
        host.module("topology", topology if ended is None else again)
        assert judge.complaints(topology, engine) == []
        assert host.module("topology", again, check=True)["steps"] == []
        assert not list(host.journals.glob("*"))
    there, expected = (blurred(judge.picture(each), fixed_too=True) for each in (engine, undisturbed))
    # A reconnect keeps no journal: what nobody declared of an endpoint that a connection changes is lost with it.
    changed = {each["container"] for each in topology["connections"]}
    kept = [key for key in {**expected, **there} if key[0] not in ("endpoint", "route") or key[1] not in changed]
    assert_same({key: expected.get(key) for key in kept}, {key: there.get(key) for key in kept})


@st.composite
def recreations(draw: st.DrawFn) -> tuple[Scene, dict[str, Any]]:
    """A host, and a network of it that is to be recreated, changed or not."""
    scene = draw(scenes())
    assume(scene.networks)
    return scene, draw(recreated(draw(st.sampled_from(scene.networks))))


@cases(200)
@given(situations(), st.integers(0, 12), st.booleans())
def test_refused_anywhere_the_next_run_finishes(
    situation: tuple[Scene, dict[str, Any]], at: int, by_engine: bool
) -> None:
    """Whatever step a host refuses, and whatever was rolled back then: the next run reaches what is declared."""
    scene, topology = situation
    engine = scene.build()
    with fake_host(engine) as host:
        with found_or_refused(), suppress(Interrupted):
            host.module_failing("topology", topology, at, by_engine)
        try:
            host.module("topology", settled(topology))
        except DeclarationError as refusal:
            # What a rollback gives back is fixed: engines give an address back in no other way.
            assume("has the fixed address" not in str(refusal))
            raise
        assert judge.complaints(topology, engine) == []
        assert host.module("topology", settled(topology), check=True)["steps"] == []
        assert not list(host.journals.glob("*"))


@cases(150)
@given(recreations(), st.integers(0, 12), st.booleans())
def test_failed_recreate_is_rolled_back(situation: tuple[Scene, dict[str, Any]], at: int, by_engine: bool) -> None:
    """A network whose recreate is refused at any step has its endpoints and routes again, as they were."""
    scene, args = situation
    engine = scene.build()
    before = judge.picture(engine)
    with fake_host(engine) as host:
        try:
            with found_or_refused():
                host.module_failing("network", args, at, by_engine)
        except Interrupted:
            event("rolled back")
            now = judge.picture(engine)
            repaired = {key for key, each in before.items() if key[0] == "endpoint" and not each["true"]}
            kept = [{key: each for key, each in restored(one).items() if key not in repaired} for one in (before, now)]
            assert_same(*kept)
            assert not list(host.journals.glob("*"))


@cases(250)
@given(situations(prune=False), st.data())
def test_prune_takes_what_the_topology_made(situation: tuple[Scene, dict[str, Any]], data: st.DataObject) -> None:
    """Of what is declared no more, exactly that goes which the topology itself has made."""
    scene, topology = situation
    engine = scene.build()
    before = judge.picture(engine)
    with fake_host(engine) as host:
        with found_or_refused():
            host.module("topology", topology)
        between = judge.picture(engine)
        made = {key for key in between if key not in before}
        kept = {
            key: data.draw(st.lists(st.sampled_from(topology[key]), unique_by=id)) if topology[key] else []
            for key in ("networks", "connections", "sysctls", "routes")
        }
        smaller = {**settled({**topology, **kept}), "prune": True}
        with found_or_refused():
            host.module("topology", smaller)
        now = judge.picture(engine)
        assert judge.complaints(smaller, engine) == []
        declared, once = touched_by(smaller), touched_by(topology)
        for key in made:
            if key[0] in ("network", "endpoint", "route") and not declared(key) and once(key) and not is_default(key):
                assert key not in now, key
        for key, was in before.items():
            if key[0] == "sysctl" and not declared(key) and key in now:
                assert now[key] == was, key
            if key[0] in ("network", "endpoint", "container", "filter") and (not once(key) or not declared(key)):
                assert key in now or key not in between, key
        assert host.module("topology", smaller, check=True)["steps"] == []


@cases(150)
@given(situations(prune=False))
def test_absent_leaves_no_trace(situation: tuple[Scene, dict[str, Any]]) -> None:
    """A topology that only added something, and is taken away again, leaves the host as it was found."""
    scene, topology = situation
    engine = scene.build()
    before = judge.picture(engine)
    there = {each["Name"] for each in scene.networks}
    added = {
        **topology,
        "networks": [each for each in topology["networks"] if each["name"] not in there],
        "connections": [
            {**each, "exclusive": False, "networks": [one for one in each["networks"] if is_new(each, one, before)]}
            for each in topology["connections"]
            if each.get("state") != "absent"
        ],
        "routes": [],
    }
    added["connections"] = [each for each in added["connections"] if each["networks"]]
    with fake_host(engine) as host:
        with found_or_refused():
            host.module("topology", added)
        with found_or_refused():
            host.module("topology", {"name": topology["name"], "state": "absent"})
        now = judge.picture(engine)
        assert_same(*({key: each for key, each in one.items() if not is_default(key)} for one in (before, now)))
        assert not list(host.topologies.glob("*"))


@cases(250)
@given(situations())
def test_prediction_is_what_happens(situation: tuple[Scene, dict[str, Any]]) -> None:
    """The pure ``after`` and the host agree on all that a plan can know."""
    scene, topology = situation
    engine = scene.build()
    with fake_host(engine) as fake:
        host = Host(engine)
        with found_or_refused():
            declared = fake.declared("topology", topology)
            plan = planner.plan(declared, host.observe())
        foreseen = after(host.observe(), plan.steps)
        for step in plan.steps:
            host.apply(step)
        assert_agree(foreseen, host.observe())


@cases(200)
@given(scenes())
def test_what_info_tells_changes_nothing(scene: Scene) -> None:
    """``topology_info`` and ``topology`` are one language."""
    engine = scene.build()
    # A broken reference would be repaired, and two containers that wait for one address cannot both have it.
    assume(all(each["true"] for key, each in judge.picture(engine).items() if key[0] == "endpoint"))
    asked = [
        (name, one)
        for each in engine.known.values()
        for name, endpoint in each.endpoints.items()
        for one in (endpoint.ipam or {}).values()
    ]
    assume(len(asked) == len(set(asked)))
    with fake_host(engine) as host:
        told = host.module("topology_info", {"name": "shop"})["topology"]
        before = judge.picture(engine)
        assert host.module("topology", told)["steps"] == []
        assert judge.picture(engine) == before


@cases(200)
@given(situations(prune=False))
def test_modules_one_by_one(situation: tuple[Scene, dict[str, Any]]) -> None:
    """``network``, ``connection`` and ``route`` do on their own what ``topology`` does at once."""
    scene, topology = situation
    engine = scene.build()
    with fake_host(engine) as host:
        for module, key in (
            ("network", "networks"),
            ("connection", "connections"),
            ("sysctl", "sysctls"),
            ("route", "routes"),
        ):
            for args in topology[key]:
                try:
                    host.module(module, args)
                except (DeclarationError, Refused):
                    continue
                judged = getattr(judge, key if module in ("sysctl", "route") else module)
                assert list(judged(args, engine)) == []
                again = {**args, "recreate": "if_needed"} if args.get("recreate") == "always" else args
                assert host.module(module, again, check=True)["steps"] == []


def test_most_cases_are_carried_out() -> None:
    """The properties above would hold of topologies that are all refused, too: these are not."""
    counted = {"carried out": 0, "all": 0}

    @settings(max_examples=150, deadline=None, database=None, phases=[Phase.generate])
    @given(situations())
    def count(situation: tuple[Scene, dict[str, Any]]) -> None:
        scene, topology = situation
        counted["all"] += 1
        with fake_host(scene.build()) as host:
            try:
                counted["carried out"] += host.module("topology", topology, check=True)["changed"]
            except (DeclarationError, Refused):
                return

    count()
    assert counted["carried out"] > counted["all"] * 0.6


# -- how pictures are compared -----------------------------------------------------------------------------------------


def settled(topology: Mapping[str, Any]) -> dict[str, Any]:
    """The topology for another run: what is always recreated would be recreated again."""
    networks = [
        {**each, "recreate": "if_needed"} if each.get("recreate") == "always" else each for each in topology["networks"]
    ]
    return {**topology, "networks": networks}


def assert_same(expected: Picture, there: Picture) -> None:
    """Both pictures are the same; what is not is told by its name alone."""
    keys = [key for key in {**expected, **there} if expected.get(key) != there.get(key)]
    assert not keys, {key: (expected.get(key), there.get(key)) for key in keys}


def known(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps that nothing which an engine draws can change: no subnets for passages, no gateway of its choice."""
    drawn = ("passages", "route 0.0.0.0/0 ", "route ::/0 ")
    return [each for each in steps if not each["resource"].startswith(drawn)]


def is_default(key: Any) -> bool:
    """Whether it is a default route of the main table: engines move these about."""
    return key[0] == "route" and key[2][0] in ("0.0.0.0/0", "::/0") and key[2][1] == "254"


def subnets(network: Mapping[str, Any] | None) -> list[Any]:
    """What decides whether an endpoint can have its addresses again."""
    return network["IPAM"]["Config"] if network else []


def touched_by(topology: Mapping[str, Any]) -> Callable[[Any], bool]:
    """Whether a key of a picture is something that ``topology`` declares."""
    networks = {each["name"] for each in topology["networks"]}
    members = {each["name"] for each in topology["networks"] if each.get("connected") is not None}
    gone = {each["name"] for each in topology["networks"] if each.get("state") == "absent"}
    exclusive = {each["container"] for each in topology["connections"] if each.get("exclusive")}
    endpoints = {(each["container"], one["name"]) for each in topology["connections"] for one in each["networks"]}
    purged = {each["container"] for each in topology["routes"] if each.get("purge")}
    keys = {
        (each["container"], (one["destination"], one.get("table", "254"), one.get("metric", metric(one))))
        for each in topology["routes"]
        for one in each["routes"]
    }
    tuned = {
        (each.get("container", ""), name)
        for each in topology["sysctls"]
        for name in (
            *(key.replace(".", "/") for key in each["values"]),
            *(f"{key.rsplit('.', 1)[1]} on {on}" for on, keys_ in each.get("networks", {}).items() for key in keys_),
        )
    }
    detached = {each["container"] for each in topology["connections"] if each.get("state") == "absent"} | exclusive

    def declared(key: Any) -> bool:
        if key[0] == "network":
            return key[1] in networks
        if key[0] == "endpoint":
            return key[1:] in endpoints or key[1] in exclusive or key[2] in members | gone
        if key[0] == "sysctl":
            return key[1:] in tuned or (" on " in key[2] and declared(("endpoint", key[1], key[2].split(" on ")[1])))
        if key[0] == "route":
            return key[1:] in keys or key[1] in purged | detached or bool(gone | members)
        return False

    return declared


def metric(route: Mapping[str, Any]) -> int:
    """What the kernel takes where a route has no metric."""
    return 1024 if ":" in route["destination"] else 0


def assert_restored(key: Any, was: Mapping[str, Any], now: Picture, moved: set[str]) -> None:
    """An endpoint on a network that was recreated has all it had, but for addresses that the network has no more."""
    there = now.get(key)
    assert there is not None, key
    parts = ("aliases", "links", "driver_opts", "gw_priority", "mac")
    assert {part: there[part] for part in parts} == {part: was[part] for part in parts}, key
    assert there["true"] or not was["true"], key
    if key[2] not in moved:
        assert {**there["addresses"], **was["addresses"]} == there["addresses"], key


def shuffled(topology: Mapping[str, Any], random: Any) -> dict[str, Any]:
    """The same topology with every list that has no order in another one."""

    def mixed(given_: Any) -> Any:
        if isinstance(given_, dict):
            return {key: mixed(each) for key, each in given_.items()}
        if isinstance(given_, list):
            return random.sample([mixed(each) for each in given_], len(given_))
        return given_

    result: dict[str, Any] = mixed(topology)
    return result


def blurred(picture: Picture, fixed_too: bool = False) -> Picture:
    """The picture without what an engine draws: addresses that nobody fixed, MAC addresses, subnets.

    A recreate fixes the addresses that it keeps, so which ones are fixed depends on where a run was killed.
    """
    seen = copy.deepcopy(picture)
    for key, each in seen.items():
        if key[0] == "endpoint":
            each["mac"] = None
            each["addresses"] = None if fixed_too else sorted(each["addresses"])
        if key[0] == "network" and is_drawn(each):
            each["IPAM"]["Config"] = None
        if key[0] == "route":
            seen[key] = (each[0], None if is_default(key) else each[2], each[3])
    return seen


def restored(picture: Picture) -> Picture:
    """The picture as a rollback owes it: what the engine drew itself is fixed afterwards, gateways are told."""
    seen = copy.deepcopy(picture)
    for key in list(seen):
        if is_default(key):
            del seen[key]
        elif key[0] == "endpoint" and is_drawn(picture.get(("network", key[2]))):
            del seen[key]["addresses"]  # it can be asked for none
    return seen


def is_drawn(network: Mapping[str, Any] | None) -> bool:
    """Whether the engine has chosen the subnet."""
    return network is None or any(each["Subnet"].startswith("172.") for each in network["IPAM"]["Config"])


def is_new(connection: Mapping[str, Any], endpoint: Mapping[str, Any], before: Picture) -> bool:
    return ("endpoint", connection["container"], endpoint["name"]) not in before


def assert_agree(foreseen: World, seen: World) -> None:
    """What was foreseen and what is seen, as far as the former can know."""
    assert {each.name for each in foreseen.networks.values()} == {each.name for each in seen.networks.values()}
    for each in foreseen.networks.values():
        live = seen.network(each.name)
        assert live is not None
        told = {key: getattr(each.definition, key) for key in ("driver", "internal", "labels", "driver_options")}
        assert told == {key: getattr(live.definition, key) for key in told}
        assert set(each.definition.subnets) <= set(live.definition.subnets)
    for container_id in seen.containers:
        expected, there = foreseen.containers[container_id], seen.containers[container_id]
        assert set(expected.endpoints) == set(there.endpoints)
        for name, endpoint in expected.endpoints.items():
            live_endpoint = there.endpoints[name]
            for key in ("aliases", "links", "driver_opts", "gw_priority"):
                assert getattr(endpoint.settings, key) == getattr(live_endpoint.settings, key)
            live_network = seen.network(name)
            if live_network and not any(each.startswith("172.") for each in live_network.definition.subnets):
                # Where the engine has drawn the subnet it may give no address back, and nobody can tell before.
                assert set(endpoint.addresses) <= set(live_endpoint.addresses)
        lines = {each for each in foreseen.routes.get(container_id, ()) if not each.via and not each.is_default}
        assert {each for each in lines if each.protocol != 2} <= set(seen.routes.get(container_id, ()))
    for owner in seen.sysctls:
        imagined, real = foreseen.sysctls.get(owner, Space()), seen.sysctls[owner]
        assert set(imagined.kept) == set(real.kept)
        assert dict(imagined.drop_in) == dict(real.drop_in)
        for key in real.kept if real.seen else ():
            assert (imagined.live[key].value or "").split()[-1:] in ([real.live[key].value.split()[-1]], ["0x1"])
    assert foreseen.memories == dict(seen.memories)
    assert set(foreseen.journals) == set(seen.journals)
    assert dict(foreseen.passages) == dict(seen.passages)

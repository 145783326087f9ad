# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one loop: arguments, rounds, check mode, what is told of a failure; and the edge where it becomes fail_json."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from ansible.module_utils import basic

from ansible_collections.breakwater.docker.plugins.module_utils import _loop, _run
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import (
    DeclarationError,
    HostError,
    Interrupted,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import (
    CreateNetwork,
    Pending,
    Plan,
    RemoveNetwork,
    Step,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.world import Scope, World
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils import judge
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import KINDS, fake_host

SPEC: dict[str, dict[str, Any]] = {"networks": {"type": "list", "elements": "str", "required": True}}


def creation(name: str, bookkeeping: bool = False) -> Step:
    """The step that makes a network."""
    return Step(f"network {name}", "create", CreateNetwork(Definition(name)), {}, {"name": name}, ("web",), bookkeeping)


class Networks:
    """A host that has networks by name and nothing else; ``refuses`` one, ``forgets`` one at once."""

    def __init__(self, *names: str, refuses: str = "", forgets: str = "") -> None:
        self.names = list(names)
        self.refuses, self.forgets = refuses, forgets
        self.scopes: list[Scope | None] = []

    def observe(self, scope: Scope | None = None) -> World:
        self.scopes.append(scope)
        networks = {each: LiveNetwork(each, Definition(each)) for each in self.names}
        return World(Engine((28, 5), (1, 51)), networks)

    def apply(self, step: Step) -> None:
        assert isinstance(step.action, CreateNetwork)
        name = step.action.definition.name
        if name == self.refuses:
            raise HostError("the engine refused")
        if name != self.forgets:
            self.names.append(name)


def plan(declared: list[str], world: World) -> Plan:
    """The networks that are declared and not there; one called ``late`` waits."""
    wanted = [each for each in declared if world.network(each) is None and each != "late"]
    pending = (Pending("web", "network late", "does not exist"),) if "late" in declared else ()
    return Plan(tuple(creation(each, bookkeeping=each.startswith("note")) for each in wanted), pending, ("mind",))


KIND: _loop.Kind[list[str]] = _loop.Kind(
    SPEC,
    lambda args: list(args["networks"]),
    plan,
    lambda declared, world: {"there": sorted(each for each in declared if world.network(each))},
    lambda declared: Scope(containers=frozenset(declared)),
)


def converged(host: Networks, *declared: str, check: bool = False) -> dict[str, Any]:
    """The result of a module that declares these networks."""
    return _loop.converge(KIND, list(declared), host, check)  # type: ignore[arg-type]


RESULTS: list[tuple[str, tuple[str, ...], tuple[str, ...], dict[str, Any]]] = [
    ("nothing to do", ("a",), ("a",), {"changed": False, "diff": [], "steps": [], "there": ["a"]}),
    (
        "one to make",
        (),
        ("a",),
        {
            "changed": True,
            "steps": [
                {"resource": "network a", "verb": "create", "before": {}, "after": {"name": "a"}, "cuts": ["web"]}
            ],
            "diff": [
                {
                    "before_header": "network a",
                    "after_header": "network a (create)",
                    "before": {},
                    "after": {"name": "a"},
                }
            ],
            "there": ["a"],
        },
    ),
    (
        "one that waits",
        ("a",),
        ("a", "late"),
        {"changed": False, "pending": ["network late: container 'web' does not exist"]},
    ),
    ("bookkeeping is no change", (), ("note",), {"changed": False, "steps": [], "there": ["note"]}),
]


@pytest.mark.parametrize("check", [True, False], ids=["foretold", "done"])
@pytest.mark.parametrize(
    ("there", "declared", "expected"), [each[1:] for each in RESULTS], ids=[each[0] for each in RESULTS]
)
def test_result(there: tuple[str, ...], declared: tuple[str, ...], expected: dict[str, Any], check: bool) -> None:
    host = Networks(*there)
    result = converged(host, *declared, check=check)
    assert {key: result[key] for key in expected} == expected
    assert result["warnings"] == ["mind"]
    assert host.scopes[0] == Scope(containers=frozenset(declared))
    assert host.names == (
        list(there) if check else [*there, *(each for each in declared if each not in (*there, "late"))]
    )


def test_what_does_not_hold_is_told_after_some_rounds() -> None:
    host = Networks(forgets="a")
    with pytest.raises(Interrupted) as interruption:
        converged(host, "a", "b")
    assert str(interruption.value) == "what was applied did not hold; still to do: create network a"
    assert interruption.value.done.count("create network a") == _loop._ROUNDS
    assert len(host.scopes) == _loop._ROUNDS + 1


def test_a_step_that_fails_tells_what_was_done() -> None:
    with pytest.raises(Interrupted) as interruption:
        converged(Networks(refuses="b"), "note", "a", "b", "c")
    assert str(interruption.value) == "create network b: the engine refused"
    assert interruption.value.result() == {"changed": True, "done": ["create network a"], "undone": []}
    assert isinstance(interruption.value.__cause__, HostError)


def test_a_later_error_tells_what_was_done() -> None:
    def twice(declared: list[str], world: World) -> Plan:
        if world.network("a"):
            raise DeclarationError("networks[1]", "is impossible by now")
        return plan(declared, world)

    kind = _loop.Kind(SPEC, KIND.read, twice)
    with pytest.raises(Interrupted) as interruption:
        _loop.converge(kind, ["a"], Networks(), False)  # type: ignore[arg-type]
    assert str(interruption.value) == "networks[1]: is impossible by now"
    assert interruption.value.result()["done"] == ["create network a"]


def test_declared_once_carried_out_and_as_check_mode_foresees_it() -> None:
    seen: list[list[str]] = []

    def watched(declared: list[str], world: World) -> Plan:
        seen.append(declared)
        return plan(declared, world)

    kind = _loop.Kind(SPEC, KIND.read, watched, settled=lambda _: ["settled"], foreseen=lambda _: ["foreseen"])
    _loop.converge(kind, ["settled"], Networks(), False)  # type: ignore[arg-type]
    assert seen == [["settled"], ["settled"]]
    seen.clear()
    _loop.converge(kind, ["a"], Networks(), True)  # type: ignore[arg-type]
    assert seen == [["foreseen"]]


def shop() -> FakeEngine:
    """A network with web (running) and idle (stopped) on it."""
    engine = FakeEngine((26, 1))
    engine.create_network({"Name": "front", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}})
    engine.run("web", "front", ip="10.1.0.10", aliases=["www"])
    engine.create("idle", "front", ip="10.1.0.30")
    return engine


CHANGED = {"name": "front", "internal": True, "recreate": "if_needed"}


def test_a_recreate_that_an_engine_refuses_is_rolled_back() -> None:
    engine = shop()
    before = judge.picture(engine)

    def obstacle(verb: str, _what: str) -> None:
        if verb == "create":
            engine.obstacle = lambda _verb, _what: None
            raise HostError("the engine refused")

    engine.obstacle = obstacle
    with fake_host(engine) as host:
        with pytest.raises(Interrupted) as interruption:
            host.module("network", CHANGED)
        assert not list(host.journals.iterdir())
    assert "create network front: the engine refused; rolled back: create network front" in str(interruption.value)
    assert interruption.value.undone[0] == "create network front"
    assert judge.picture(engine) == before


def test_an_address_that_was_drawn_for_another() -> None:
    """Remaking ``front`` elsewhere, the engine gives its first address to who was on it: nobody can foresee that."""
    topology = {
        "name": "shop",
        "networks": [{"name": "front", "ipam_config": [{"subnet": "10.1.7.0/24"}], "recreate": "if_needed"}],
        "connections": [{"container": "job", "networks": [{"name": "front", "ipv4_address": "10.1.7.2"}]}],
    }
    engine = FakeEngine((26, 1))
    engine.create_network({"Name": "front", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}})
    engine.run("web", "front")
    engine.run("job", "bridge")
    with fake_host(engine) as host:
        with pytest.raises(Interrupted, match="connect connection job to front: Address already in use"):
            host.module("topology", topology)
        with pytest.raises(DeclarationError, match=r"10\.1\.7\.2 is taken on network 'front' by container 'web'"):
            host.module("topology", topology)


def test_a_rollback_that_fails_says_so_and_the_next_run_goes_on() -> None:
    engine = shop()

    def obstacle(verb: str, _what: str) -> None:
        if verb == "create":
            raise HostError("the engine refused")

    engine.obstacle = obstacle
    with fake_host(engine) as host:
        with pytest.raises(Interrupted) as interruption:
            host.module("network", CHANGED)
        assert "rolling back failed as well: " in str(interruption.value)
        assert "the next run goes on from there" in str(interruption.value)
        engine.obstacle = lambda _verb, _what: None
        host.module("network", CHANGED)
        assert list(judge.network(CHANGED, engine)) == []
        assert (
            list(
                judge.connection(
                    {
                        "container": "web",
                        "networks": [{"name": "front", "ipv4_address": "10.1.0.10", "aliases": ["www"]}],
                    },
                    engine,
                )
            )
            == []
        )
        assert (
            list(
                judge.connection(
                    {"container": "idle", "networks": [{"name": "front", "ipv4_address": "10.1.0.30"}]}, engine
                )
            )
            == []
        )


# -- the edge: a real AnsibleModule ------------------------------------------------------------------------------------


class Ended(Exception):
    """exit_json or fail_json, with what it was given."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


def ended(run: Callable[[], None], args: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """What a module prints when it ends, given these arguments by Ansible."""
    given = {**args, "_ansible_check_mode": check, "_ansible_remote_tmp": "/tmp", "_ansible_keep_remote_files": False}

    def leave(_module: basic.AnsibleModule, kwargs: dict[str, Any]) -> None:
        raise Ended({**kwargs, "warnings": kwargs.get("warnings", [])})

    with (
        patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()),
        patch.object(basic, "_ANSIBLE_PROFILE", "legacy"),
        patch.object(basic.AnsibleModule, "_return_formatted", leave),
        pytest.raises((Ended, SystemExit)) as end,
    ):
        run()
    assert isinstance(end.value, Ended)
    return end.value.result


def run(module: str) -> Callable[[], None]:
    """A module of the collection on the host of these tests."""

    def main() -> None:
        with (
            patch.object(_run, "DockerEngine", lambda _where: ENGINE),
            patch.object(_run, "require_tools"),
            fake_host(ENGINE),
        ):
            _run.run(KINDS[module])

    return main


ENGINE = shop()


@pytest.fixture(autouse=True)
def _engine() -> None:
    global ENGINE  # noqa: PLW0603 - what the patched edge finds, anew for each test
    ENGINE = shop()


def test_a_module_ends_with_its_result() -> None:
    result = ended(run("network"), {"name": "new"})
    assert result["changed"]
    assert result["network"]["name"] == "new"
    assert not result.get("failed")
    assert not ended(run("network"), {"name": "new"})["changed"]


def test_check_mode_changes_nothing() -> None:
    result = ended(run("network"), {"name": "new"}, check=True)
    assert result["changed"]
    assert [each.name for each in ENGINE.stored.values()] == ["bridge", "host", "none", "front"]


FAILURES: list[tuple[str, str, dict[str, Any], str, str]] = [
    (
        "what Ansible's own check refuses",
        "topology",
        {"name": "shop", "networks": [{"name": "a"}, {"name": "b", "internal": "perhaps"}]},
        "networks[1].internal",
        "expected true or false, found 'perhaps'",
    ),
    (
        "an unknown option deep below",
        "topology",
        {"name": "shop", "connections": [{"container": "web", "networks": [{"name": "front", "alias": "x"}]}]},
        "connections[0].networks[0].alias",
        "no such option; did you mean 'aliases'",
    ),
    ("what is left out", "route", {"container": "web", "routes": [{}]}, "routes[0].destination", "is required"),
    (
        "a number that is none",
        "network",
        {"name": "n", "timeout": "soon"},
        "timeout",
        "expected a whole number, found 'soon'",
    ),
    ("what the model refuses", "network", {"name": "host"}, "name", "is the engine's own network"),
    (
        "what the planner refuses",
        "connection",
        {"container": "wbe", "networks": [{"name": "front"}]},
        "container",
        "does not",
    ),
    ("what would cut", "network", {"name": "front", "internal": True}, "recreate", "it would cut web"),
    (
        "an engine elsewhere",
        "route",
        {"container": "web", "purge": True, "docker_host": "tcp://192.0.2.1"},
        "docker_host",
        "elsewhere",
    ),
    ("half a certificate", "network", {"name": "n", "client_key": "/k"}, "client_cert", "is required where client_key"),
]


@pytest.mark.parametrize(
    ("module", "args", "field", "says"), [each[1:] for each in FAILURES], ids=[each[0] for each in FAILURES]
)
def test_a_failure_is_a_sentence_that_begins_with_the_field(
    module: str, args: dict[str, Any], field: str, says: str
) -> None:
    result = ended(run(module), args)
    assert result["failed"]
    assert result["msg"].startswith(f"{field}: ")
    assert says in result["msg"]
    assert result["field"] == field
    assert "Traceback" not in json.dumps(result, default=str)


def test_a_failure_tells_what_was_done() -> None:
    def obstacle(_verb: str, what: str) -> None:
        if what == "two":
            raise HostError("the engine refused")

    ENGINE.obstacle = obstacle
    result = ended(run("topology"), {"name": "shop", "networks": [{"name": "one"}, {"name": "two"}]})
    assert result["failed"]
    assert (result["changed"], result["done"], result["undone"]) == (True, ["create network one"], [])


def test_the_environment_says_where_the_engine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.9:2376")
    assert ended(run("route"), {"container": "web", "purge": True})["msg"].startswith(
        "docker_host: tcp://192.0.2.9:2376"
    )


def test_warnings_are_warned_of() -> None:
    warned: list[str] = []
    kind = _loop.Kind(SPEC, KIND.read, lambda _declared, _world: Plan(warnings=("mind",)))
    with (
        patch.object(basic.AnsibleModule, "warn", lambda _self, text: warned.append(text)),
        patch.object(_run, "DockerEngine", lambda _where: ENGINE),
        fake_host(ENGINE),
    ):
        result = ended(lambda: _run.run(kind), {"networks": []})
    assert warned == ["mind"]
    assert "warnings" not in {key for key, value in result.items() if value}


def test_rollback_knows_a_recreate_by_its_two_halves() -> None:
    """A removal alone, or a creation alone, is no recreate: nothing is rolled back."""
    live = LiveNetwork("a", Definition("a"))
    removal = Step("network a", "remove", RemoveNetwork(live))
    kind = _loop.Kind(SPEC, KIND.read, lambda _declared, _world: Plan((removal, creation("b"))))
    host = Networks("a", refuses="b")
    host.apply = lambda step: None if step is removal else Networks.apply(host, step)  # type: ignore[method-assign]
    with pytest.raises(Interrupted) as interruption:
        _loop.converge(kind, ["b"], host, False)  # type: ignore[arg-type]
    assert interruption.value.undone == []

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one loop that every module runs: read, observe, plan, apply, observe again until nothing is left.

Also the one place where an exception becomes ``fail_json``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ._host.command import require_tools
from ._host.engine import DockerEngine
from ._host.host import Host
from ._model import spec
from ._model.engine import ADDRESS_SPEC, ENVIRONMENT, EngineAddress
from ._model.errors import BreakwaterError, DeclarationError, HostError, Interrupted
from ._model.network import Network
from ._model.step import CreateNetwork, Plan, RemoveNetwork, Step
from ._model.world import Scope, World
from ._plan import connection, network
from ._plan.predict import after

_ROUNDS = 5
"""Looks after which what is still not as declared will not come to be so."""

D = TypeVar("D")


@dataclass(frozen=True)
class Kind(Generic[D]):
    """What a module is made of.

    ``read`` makes the declaration of the arguments, ``plan`` the plan of the declaration and the world, ``report``
    what the module returns; ``scope`` names what will be looked at anyway, so that one look finds all of it.
    """

    spec: Mapping[str, Mapping[str, Any]]
    read: Callable[[Mapping[str, Any]], D]
    plan: Callable[[D, World], Plan] = lambda _declared, _world: Plan()
    report: Callable[[D, World], Mapping[str, Any]] = lambda _declared, _world: {}
    scope: Callable[[D], Scope] = lambda _declared: Scope()
    settled: Callable[[D], D] = lambda declared: declared
    """The declaration once it has been carried out."""
    foreseen: Callable[[D], D] = lambda declared: declared
    """The declaration as check mode plans it."""
    local: bool = False
    """Whether it works in the namespaces of containers, and so needs the engine on its own host."""


class Module(AnsibleModule):  # type: ignore[misc]
    """AnsibleModule whose refusal of an argument names the path of the field."""

    def __init__(self, argument_spec: Mapping[str, Mapping[str, Any]]) -> None:
        self._accepted = False
        self._declared_spec = argument_spec
        options = {
            key: {**option, "fallback": (env_fallback, [ENVIRONMENT[key]])} if key in ENVIRONMENT else dict(option)
            for key, option in {**argument_spec, **ADDRESS_SPEC}.items()
        }
        super().__init__(argument_spec=options, supports_check_mode=True)
        # Ansible makes text of a dictionary where it wants a string; ours refuses it.
        self._check_given()
        self._accepted = True

    def _load_params(self) -> None:
        super()._load_params()
        # As they were given: what Ansible's own check cannot read is gone from ``params`` when it complains.
        self._given = {key: deepcopy(value) for key, value in self.params.items() if not key.startswith("_ansible_")}

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        if not self._accepted:
            self._check_given()
        super().fail_json(msg, **kwargs)

    def _check_given(self) -> None:
        try:
            spec.read({**self._declared_spec, **ADDRESS_SPEC}, self._given)
        except DeclarationError as error:
            super().fail_json(str(error), **error.result())


def run(kind: Kind[Any]) -> None:
    """Run a module of this kind from its arguments to its result."""
    module = Module(kind.spec)
    try:
        declared = kind.read(module.params)
        where = EngineAddress.read(module.params)
        if kind.local and not where.is_local:
            raise DeclarationError(
                "docker_host",
                f"{where.docker_host} is elsewhere; this module works on the engine's own host",
            )
        if kind.local:
            require_tools()
        result = converge(kind, declared, Host(DockerEngine(where)), module.check_mode)
    except BreakwaterError as error:
        module.fail_json(msg=str(error), **error.result())
        return
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


def converge(kind: Kind[D], declared: D, host: Host, check_mode: bool) -> dict[str, Any]:
    """Bring ``host`` to what is declared, or only say how; the module's result.

    Every round plans anew on what is there, so a run that was cut off is finished by the next one.
    """

    def look(now: D) -> tuple[World, Plan]:
        seen = host.observe(kind.scope(now))
        return seen, kind.plan(now, seen)

    world, plan = look(kind.foreseen(declared) if check_mode else declared)
    first, done = plan, []
    if check_mode:
        done = list(plan.steps)
        world = after(world, plan.steps)
    else:
        for _round in range(_ROUNDS):
            if not plan.steps:
                break
            _carry_out(plan, world, host, done)
            declared = kind.settled(declared)
            try:
                world, plan = look(declared)
            except BreakwaterError as error:
                raise Interrupted(str(error), _titles(done)) from error
        else:
            left = ", ".join(str(step) for step in plan.steps)
            raise Interrupted(f"what was applied did not hold; still to do: {left}", _titles(done))
    told = [step for step in done if not step.bookkeeping]
    return {
        "changed": bool(told),
        "diff": [_diff(step) for step in told],
        "steps": [_told(step) for step in told],
        "pending": [str(each) for each in plan.pending],
        "warnings": list(first.warnings),
        **kind.report(declared, world),
    }


def _carry_out(plan: Plan, before: World, host: Host, done: list[Step]) -> None:
    for n, step in enumerate(plan.steps):
        if step.late and n > 0:
            return
        try:
            if step.late:
                raise HostError("an address that the engine was to draw is not there")
            host.apply(step)
        except HostError as error:
            undone, failure = _roll_back(plan, done, before, host)
            outcome = f"; rolled back: {', '.join(undone)}" if undone else ""
            outcome += f"; rolling back failed as well: {failure}; the next run goes on from there" if failure else ""
            raise Interrupted(f"{step}: {error}{outcome}", _titles(done), undone) from error
        done.append(step)


def _roll_back(plan: Plan, done: Iterable[Step], before: World, host: Host) -> tuple[list[str], HostError | None]:
    """Give back what ``plan`` was to replace: the networks as their journals say, then the endpoints as they were."""
    remade = {s.action.network.name for s in plan.steps if isinstance(s.action, RemoveNetwork)} & {
        s.action.definition.name for s in plan.steps if isinstance(s.action, CreateNetwork)
    }
    undone: list[Step] = []
    try:
        for name in sorted(remade):
            for _round in range(_ROUNDS):
                world = host.observe()
                if name not in world.journals:
                    break
                former = Network.exactly(world.journals[name].network.definition)
                _undo(network.itself(former, world), host, undone)
        _undo(connection.lost(plan, done, before, host.observe()), host, undone)
    except BreakwaterError as error:
        return _titles(undone), HostError(str(error))
    return _titles(undone), None


def _undo(plan: Plan, host: Host, undone: list[Step]) -> None:
    for step in plan.steps:
        host.apply(step)
        undone.append(step)


def _titles(steps: Iterable[Step]) -> list[str]:
    return [str(step) for step in steps if not step.bookkeeping]


def _told(step: Step) -> dict[str, Any]:
    return {
        "resource": step.resource,
        "verb": step.verb,
        "before": dict(step.before),
        "after": dict(step.after),
        "cuts": list(step.cuts),
    }


def _diff(step: Step) -> dict[str, Any]:
    return {
        "before_header": step.resource,
        "after_header": f"{step.resource} ({step.verb})",
        "before": _shown(step, step.before),
        "after": _shown(step, step.after),
    }


def _shown(step: Step, side: Mapping[str, Any]) -> Any:
    """One side of a diff: the words of the options, or the lines of a listing as their tools print them."""
    if not step.listing:
        return dict(side)
    return "".join(f"{line}\n" for tool, lines in side.items() for line in (f"# {tool}", *lines))

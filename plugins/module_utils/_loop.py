# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one loop that every module and the keeper run: observe, plan, apply, observe again until nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ._host.host import Host
from ._model.errors import BreakwaterError, HostError, Interrupted
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
    plan: Callable[[D, World], Plan] | None = None
    """None for what only tells."""
    report: Callable[[D, World], Mapping[str, Any]] = lambda _declared, _world: {}
    scope: Callable[[D], Scope] = lambda _declared: Scope()
    settled: Callable[[D], D] = lambda declared: declared
    """The declaration once it has been carried out."""
    foreseen: Callable[[D], D] = lambda declared: declared
    """The declaration as check mode plans it."""
    volatile: Callable[[D, World], list[str]] = lambda _declared, _world: []
    """What would not survive a restart, a flush or a reboot, with the reason."""
    needs_engine: Callable[[D], bool] = lambda _declared: True
    local: bool = False
    """Whether it works in the namespaces of containers, and so needs the engine on its own host."""


def converge(kind: Kind[D], declared: D, host: Host, check_mode: bool) -> dict[str, Any]:
    """Bring ``host`` to what is declared, or only say how; the module's result.

    Every round plans anew on what is there, so a run that was cut off is finished by the next one.
    """

    def look(now: D) -> tuple[World, Plan]:
        seen = host.observe(kind.scope(now))
        return seen, kind.plan(now, seen) if kind.plan else Plan()

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
        "volatile": kind.volatile(declared, world),
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

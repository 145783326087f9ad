# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a switch is carried out: each step written down, done within its time, and taken back where it may not stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._host.blue_green import HostStand, Stand
from ._host.lock import switching
from ._model.blue_green import DRAIN, GATE, ROLLBACK, BlueGreen, Record, RolledBack, Seen, Unfit
from ._model.errors import HostError, Interrupted
from ._model.name import check_name
from ._plan import blue_green as planner
from ._plan.blue_green import BY_HAND, Step
from ._plan.haproxy import configuration, fingerprint

_EVERY = 0.2
"""Seconds between two looks."""
_KNOCK = 5.0
"""Seconds within which a healthy environment answers."""


def switch(args: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """A module's result: the balancer brought to what ``args`` declare."""
    declared = BlueGreen.read(args)
    stand = HostStand(declared.balancer.name)
    if check:
        return foresee(declared, stand) if declared.present else _remove(stand, check)
    with switching(declared.balancer.name):
        return carry_out(declared, stand) if declared.present else _remove(stand, check)


def info(args: Mapping[str, Any], _check: bool) -> dict[str, Any]:
    """What there is of a balancer, in a module's words; a live environment that is empty where there is none."""
    name = check_name(args["name"], "name", "balancer")
    seen = HostStand(name).observe()
    return {"changed": False, "name": name, **planner.words(seen.record or Record("", ""), seen.traffic)}


def _remove(stand: HostStand, check: bool) -> dict[str, Any]:
    there = stand.exists()
    if there and not check:
        stand.remove()
    return {"changed": there, "steps": [], "live": ""}


def foresee(declared: BlueGreen, stand: Stand) -> dict[str, Any]:
    """What ``carry_out`` would do if nothing goes wrong."""
    seen = stand.observe()
    steps = _planned(declared, seen)
    before = seen.record or Record(declared.initial, "")
    return {
        "changed": bool(steps),
        "steps": [planner.step_words(step, {}) for step in steps],
        "diff": planner.difference(seen.record, planner.predicted(before, steps), steps),
        **planner.told(before, declared, seen.traffic),
    }


def carry_out(declared: BlueGreen, stand: Stand) -> dict[str, Any]:
    """Carry the plan out; RolledBack where the target may not have the users, and no longer has them.

    Killed at any moment, the next run goes on from what was written down.
    """
    seen = _awaited(declared, stand)
    steps = _planned(declared, seen)
    run = _Run(declared, stand, seen.record or Record(declared.initial, stand.now()))
    run.through(steps)
    traffic = stand.traffic() if seen.traffic else None
    state = {
        "changed": bool(run.done),
        "steps": run.done,
        "diff": planner.difference(seen.record, run.record, run.told),
        **planner.told(run.record, declared, traffic),
    }
    if run.failure:
        raise RolledBack(f"{run.failure}; {run.record.live} is live", state)
    return state


def _awaited(declared: BlueGreen, stand: Stand) -> Seen:
    until = stand.clock() + declared.wait
    while True:
        seen = stand.observe()
        if seen.traffic or not declared.wait:
            return seen
        if stand.clock() > until:
            raise HostError(f"the balancer does not answer within {declared.wait} s; its container's log says why")
        stand.pause(_EVERY)


def _planned(declared: BlueGreen, seen: Seen) -> tuple[Step, ...]:
    if declared.target and seen.traffic is None:
        raise HostError(
            f"balancer '{declared.balancer.name}' does not answer, so nobody can be switched to {declared.target};"
            " apply the role breakwater.docker.blue_green first, and see whether its container runs"
        )
    return planner.plan(declared, seen)


class _Run:
    """One run of a plan: the record as it goes, and what was done."""

    def __init__(self, declared: BlueGreen, stand: Stand, record: Record) -> None:
        self._declared, self._stand = declared, stand
        self.record = record
        self.done: list[dict[str, Any]] = []
        self.told: list[Step] = []
        self.failure = ""
        if record.switch and record.switch.phase == ROLLBACK:
            self._failed(record.switch.target, record.switch.reason)

    def through(self, steps: tuple[Step, ...]) -> None:
        """Take ``steps``, and those back that turn out not to be fit."""
        for step in steps:
            try:
                self._take(step)
            except Unfit as unfit:
                self._failed(step.environment, str(unfit))
                for back in planner.taken_back(step.environment):
                    self._take(back, str(unfit))
                return

    def _failed(self, target: str, reason: str) -> None:
        if reason != BY_HAND:
            self.failure = f"{target} was rolled back: {reason}"

    def _take(self, step: Step, reason: str = BY_HAND) -> None:
        try:
            details = self._do(step, reason)
        except HostError as error:
            raise Interrupted(f"{step}: {error}", [str(each) for each in self.told]) from error
        self.told.append(step)
        self.done.append(planner.step_words(step, details))

    def _do(self, step: Step, reason: str) -> dict[str, Any]:
        if step.verb == GATE:
            return self._gate(step.environment)
        if step.verb == planner.HOLD:
            return self._hold(step)
        if step.verb == DRAIN:
            return self._drain(step)
        self.record = planner.after(self.record, step, self._stand.now(), reason)
        self._stand.keep(self.record)
        if step.verb in (planner.CONFIGURE, planner.SHARE, ROLLBACK):
            balancer = self._declared.balancer
            shares = self.record.shares(balancer)
            self._stand.arrange(configuration(balancer, shares), fingerprint(balancer), shares)
        return {}

    def _gate(self, environment: str) -> dict[str, Any]:
        rollout, stand = self._declared.rollout, self._stand
        until = stand.clock() + rollout.gate_timeout
        passes = tries = 0
        while passes < rollout.gate_passes:
            ill = planner.unhealthy(stand.traffic(), environment)
            wrong = ill or stand.knock(environment, self._declared.balancer.health_path, _KNOCK)
            passes, tries = 0 if wrong else passes + 1, tries + 1
            if wrong and stand.clock() > until:
                raise Unfit(f"it did not pass its health gate within {rollout.gate_timeout} s: {wrong}")
            stand.pause(_EVERY)
        return {"tries": tries}

    def _hold(self, step: Step) -> dict[str, Any]:
        rollout, stand = self._declared.rollout, self._stand
        until = stand.clock() + rollout.canary_seconds
        before = stand.traffic()
        while True:
            ended = stand.clock() >= until
            now = stand.traffic()
            counted = planner.window(before, now, step.environment)
            wrong = planner.complaint(counted, step.share, rollout, ended)
            if wrong:
                raise Unfit(wrong)
            if ended:
                break
            stand.pause(_EVERY)
        ill = planner.unhealthy(now, step.environment)
        if ill:
            raise Unfit(f"{ill} after {step.share} % of the users")
        return {"requests": counted[0], "errors": counted[1]}

    def _drain(self, step: Step) -> dict[str, Any]:
        rollout, stand = self._declared.rollout, self._stand
        until = stand.clock() + rollout.drain_timeout
        while left := stand.traffic().sessions.get(step.environment, 0):
            if stand.clock() >= until:
                stand.cut(step.environment)
                break
            stand.pause(_EVERY)
        self.record = planner.after(self.record, step, stand.now(), cut=left)
        stand.keep(self.record)
        return {"cut": left}

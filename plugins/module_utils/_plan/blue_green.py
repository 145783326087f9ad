# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from one environment to the other, from wherever an earlier run has come; and what ends them early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._model.blue_green import (
    CANARY,
    DRAIN,
    GATE,
    ROLLBACK,
    BlueGreen,
    Record,
    Rollout,
    Seen,
    Switch,
    Traffic,
)
from .._model.errors import DeclarationError
from .haproxy import configuration, fingerprint

FOUND, CONFIGURE, BEGIN, SHARE, HOLD, SETTLE = "found", "configure", "begin", "share", "hold", "settle"
"""The verbs of steps beside the phases of a switch, three of which are steps as well: gate, drain and rollback."""

BY_HAND = "by hand"
"""The reason of a rollback that somebody has asked for."""


@dataclass(frozen=True)
class Step:
    """One step: what is done to which environment; ``share`` is the percentage of the users that it has in it."""

    verb: str
    environment: str = ""
    share: int = 0

    def __str__(self) -> str:
        return _WORDS[self.verb].format(self.environment, self.share)


_WORDS = {
    FOUND: "make {0} live, as nothing is yet",
    CONFIGURE: "bring the balancer to its configuration and weights",
    BEGIN: "begin a switch to {0}",
    GATE: "gate {0} by its health, without users",
    SHARE: "give {0} {1} % of the users",
    HOLD: "judge {0} by its answers at {1} %",
    SETTLE: "make {0} live",
    DRAIN: "drain {0}",
    ROLLBACK: "roll {0} back",
}


def plan(declared: BlueGreen, seen: Seen) -> tuple[Step, ...]:
    """What is left to do; DeclarationError where what is live is none of the environments any more."""
    balancer = declared.balancer
    record = seen.record or Record(declared.initial, "")
    strangers = {record.live, record.switch.target if record.switch else record.live} - {*balancer.names}
    if strangers:
        raise DeclarationError(
            "environments",
            f"'{min(strangers)}' has users or is about to, and is none of {', '.join(balancer.names)};"
            " switch to an environment that stays, and rename the other",
        )
    found = () if seen.record else (Step(FOUND, record.live),)
    return (*found, *_configure(declared, record, seen), *_way(declared, record))


def _configure(declared: BlueGreen, record: Record, seen: Seen) -> Iterable[Step]:
    shares = record.shares(declared.balancer)
    as_declared = seen.configuration == configuration(declared.balancer, shares)
    if seen.traffic:
        as_declared &= seen.traffic.fingerprint == fingerprint(declared.balancer)
        as_declared &= dict(seen.traffic.shares) == shares
    return () if as_declared else (Step(CONFIGURE),)


def _way(declared: BlueGreen, record: Record) -> tuple[Step, ...]:
    target, switch = declared.target, record.switch
    if target is None:
        return ()
    if switch and switch.phase == ROLLBACK:
        return (Step(DRAIN, switch.target),)
    if switch and switch.phase in (GATE, CANARY) and switch.target != target:
        return taken_back(switch.target)
    if target == record.live:
        return (Step(DRAIN, declared.balancer.other(target)),) if switch else ()
    begun = switch if switch and switch.phase != DRAIN else None
    reached = begun.share if begun and begun.phase == CANARY else 0
    steps = [Step(HOLD, target, reached)] if reached else [Step(GATE, target)]
    if begun is None:
        steps.insert(0, Step(BEGIN, target))
    for share in declared.rollout.canary:
        if share > reached:
            steps += [Step(SHARE, target, share), Step(HOLD, target, share)]
    return (*steps, Step(SETTLE, target), Step(DRAIN, record.live))


def taken_back(target: str) -> tuple[Step, ...]:
    """The steps that end a switch where it began."""
    return (Step(ROLLBACK, target), Step(DRAIN, target))


def after(record: Record, step: Step, now: str, reason: str = "", cut: int = 0) -> Record:
    """What is written down of a step: before it is carried out, but for a drain, of which afterwards.

    ``reason`` is that of a rollback, ``cut`` the number of sessions that a drain has ended.
    """
    if step.verb == BEGIN:
        return replace(record, switch=Switch(step.environment))
    if step.verb == SHARE:
        return replace(record, switch=Switch(step.environment, CANARY, step.share))
    if step.verb == SETTLE:
        return Record(step.environment, now, Switch(step.environment, DRAIN, 100), record.last)
    if step.verb == ROLLBACK:
        return replace(record, switch=Switch(step.environment, ROLLBACK, 0, reason))
    if step.verb == DRAIN and record.switch:
        back = record.switch.phase == ROLLBACK
        last = {
            "target": record.switch.target,
            "outcome": "rolled back" if back else "switched",
            "reason": record.switch.reason,
            "ended": now,
            "cut": cut,
        }
        return replace(record, switch=None, last=last)
    return record


def unhealthy(traffic: Traffic, environment: str) -> str:
    """Which containers of an environment the balancer itself finds ill; empty where there is none."""
    states = traffic.servers.get(environment, {})
    ill = [f"{name} is {state}" for name, state in sorted(states.items()) if not state.startswith("UP")]
    return ", ".join(ill)


def window(before: Traffic, now: Traffic, environment: str) -> tuple[int, int]:
    """The users' requests to an environment between two moments, and how many of them it has failed.

    A balancer that has started anew meanwhile has counted from zero.
    """
    counted = []
    for first, last in ((before.requests, now.requests), (before.errors, now.errors)):
        began, ended = first.get(environment, 0), last.get(environment, 0)
        counted.append(ended - began if ended >= began else ended)
    return counted[0], counted[1]


def complaint(counted: tuple[int, int], share: int, rollout: Rollout, ended: bool) -> str:
    """Why a canary may not go on; empty where it may. Before its time has ended, few requests say nothing yet."""
    requests, errors = counted
    if not requests or (requests < rollout.min_requests and not ended):
        return ""
    percent = 100 * errors / requests
    if percent <= rollout.max_error_percent:
        return ""
    return (
        f"{errors} of {requests} requests failed ({percent:.1f} %, {rollout.max_error_percent:g} % are allowed)"
        f" while it had {share} % of the users"
    )


def told(record: Record, declared: BlueGreen, traffic: Traffic | None) -> dict[str, Any]:
    """The state as a module returns it."""
    return {
        "shares": record.shares(declared.balancer) if declared.balancer.environments else {},
        **words(record, traffic),
    }


def words(record: Record, traffic: Traffic | None) -> dict[str, Any]:
    """A record and what the balancer tells, as a module returns them."""
    switch = record.switch
    return {
        "live": record.live,
        "since": record.since,
        "switch": {
            "target": switch.target,
            "phase": switch.phase,
            "share": switch.share,
            "reason": switch.reason,
        }
        if switch
        else {},
        "last": dict(record.last),
        "answers": traffic is not None,
        **(
            {
                "shares": dict(traffic.shares),
                "sessions": dict(traffic.sessions),
                "servers": {name: dict(each) for name, each in traffic.servers.items()},
            }
            if traffic
            else {}
        ),
    }


def difference(before: Record | None, after_it: Record, steps: Iterable[Step]) -> dict[str, Any]:
    """The entry of a diff: who is live, and the steps to it."""
    lines = "".join(f"{step}\n" for step in steps)
    return {
        "before": f"live: {before.live}\n" if before else "",
        "after": f"live: {after_it.live}\n{lines}",
    }


def predicted(record: Record, steps: Iterable[Step]) -> Record:
    """The record after all of ``steps``; the time is not known yet."""
    for step in steps:
        record = after(record, step, "")
    return record


def step_words(step: Step, details: Mapping[str, Any]) -> dict[str, Any]:
    """A step as a module returns it; ``details`` are what was measured in it."""
    return {"step": str(step), "verb": step.verb, "environment": step.environment, "share": step.share, **details}

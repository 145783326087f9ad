# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that nobody has confirmed is taken back: what the host's timer runs, and each boot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._host import files, rollback
from .._host.engine import DockerEngine
from .._host.files import LastingMemories
from .._host.host import Host
from .._host.lock import alone
from .._kinds import TOPOLOGY
from .._loop import converge
from .._model.engine import EngineAddress
from .._model.errors import BreakwaterError
from .._model.topology import Memory, Topology
from .journal import error, note, warn


def take_back(name: str, where: EngineAddress) -> None:
    """Bring topology ``name`` back to what it was before its last change; nothing where that was confirmed."""
    with alone():
        memories = LastingMemories()
        waits = name in rollback.unconfirmed()
        former = rollback.former(name) if waits else None
        now = memories.get(name, former)  # a change may have been its end
        if not waits or now is None:
            note(f"{name}: nothing waits for a confirmation")
        else:
            host, partly = Host(DockerEngine(where), memories), now.disarmed(former)
            try:
                steps = _brought(name, former or partly, host)
            except BreakwaterError as problem:  # as when somebody has come to use a network meanwhile
                warn(f"{name}: {problem}; what may cut this host off is taken back alone")
                steps = _brought(name, partly, host)
            warn(f"{name}: nobody has confirmed the last change, so it was taken back: {', '.join(steps)}")
        rollback.settle(name)


def forget() -> None:
    """After a boot nothing is left of what nobody has confirmed but its memory; that is taken back as well."""
    for name in rollback.unconfirmed():
        try:
            former = rollback.former(name)
            now = LastingMemories().get(name, former)
            if now is not None:
                files.remember(name, former or now.disarmed(former))
                warn(f"{name}: the host went down before anybody confirmed the last change, so it was taken back")
            rollback.settle(name)
        except BreakwaterError as problem:  # what is to be closed before the engine starts does not wait for it
            error(f"{name}: {problem}")


def _brought(name: str, memory: Memory, host: Host) -> list[str]:
    declared = replace(Topology.recalled(name, memory).kept(), prune=True)
    result: dict[str, Any] = converge(TOPOLOGY, declared, host, check_mode=False)
    return [f"{each['verb']} {each['resource']}" for each in result["steps"]] or ["nothing was to do"]

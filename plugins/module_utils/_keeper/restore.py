# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before an engine starts: what filters packets is in place, and closed to whom nobody knows yet."""

from __future__ import annotations

from .._host import last_seen
from .._host.files import LastingMemories
from .._host.host import Host
from .._host.lock import FOLDER, alone
from .._loop import Kind, converge
from .._model.errors import BreakwaterError
from .._model.topology import SPEC, Memory, Topology
from .._plan import restore as planner
from .journal import error, note, warn
from .rollback import forget

_RESTORE: Kind[Topology] = Kind(SPEC, Topology.read, planner.plan)
_MISSING: Kind[Topology] = Kind(SPEC, Topology.read, planner.missing)
_BOOTED = FOLDER / "restored"
"""There from the first restore after a boot on: then it is only the engine that starts."""


def declared(name: str, memory: Memory) -> Topology:
    """What the keeper is to bring about; DeclarationError where this version cannot read it."""
    return Topology.recalled(name, memory).kept()


def restore() -> int:
    """Put the policies and rules of all topologies in place; how many could not be."""
    with alone():
        kind = _RESTORE
        if _BOOTED.exists() and last_seen.live_restore():
            note("the engine's containers run on, and so does what filters their packets")
            kind = _MISSING
        if not _BOOTED.exists():
            forget()
        _BOOTED.touch()
        failed = 0
        for name in LastingMemories():
            done = _restored(name, kind)
            failed += done is None
            if done is not None:
                note(f"{name}: {', '.join(done) or 'nothing to do'}")
        return failed


def put_back() -> None:
    """What somebody took from the packet filter is there again, closed to whom only the engine knows.

    HostError where another run holds the lock.
    """
    if not last_seen.PATH.exists():
        return
    with alone():
        for name in LastingMemories():
            for each in _restored(name, _MISSING) or ():
                warn(f"{name}: {each}, closed until the engine has told who is who")


def _restored(name: str, kind: Kind[Topology]) -> list[str] | None:
    """What was done; None where it failed."""
    memories = LastingMemories()
    try:
        host = Host(last_seen.last_seen(), memories)
        result = converge(kind, declared(name, memories[name]), host, check_mode=False)
    except BreakwaterError as problem:
        error(f"{name}: {problem}")
        return None
    for each in memories.refused.values():
        error(f"{name}: {each}")
    return [f"{each['verb']} {each['resource']}" for each in result["steps"]]

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
from .._model.topology import SPEC, Topology
from .._plan import restore as planner
from .journal import error, note
from .keep import declared

_RESTORE: Kind[Topology] = Kind(SPEC, Topology.read, planner.plan)
_BOOTED = FOLDER / "restored"
"""There from the first restore after a boot on: then it is only the engine that starts."""


def restore() -> int:
    """Put the policies and rules of all topologies in place; how many could not be."""
    with alone():
        if _BOOTED.exists() and last_seen.live_restore():
            note("the engine's containers run on, and what filters their packets is as it was")
            return 0
        _BOOTED.touch()
        return sum(not _restored(name) for name in LastingMemories())


def _restored(name: str) -> bool:
    memories = LastingMemories()
    try:
        host = Host(last_seen.LastSeen(), memories)
        result = converge(_RESTORE, declared(name, memories[name]), host, check_mode=False)
    except BreakwaterError as problem:
        error(f"{name}: {problem}")
        return False
    for each in memories.refused.values():
        error(f"{name}: {each}")
    done = [f"{each['verb']} {each['resource']}" for each in result["steps"]]
    note(f"{name}: {', '.join(done) or 'nothing to do'}")
    return True

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper: looks at every topology of the host when something has happened, and each minute, and heals it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .._host import last_seen
from .._host.engine import DockerEngine
from .._host.files import LastingMemories
from .._host.host import Host
from .._host.lock import alone, keeping
from .._kinds import FILTERS, TOPOLOGY
from .._loop import Kind, converge
from .._model.engine import EngineAddress
from .._model.errors import BreakwaterError, HostError
from .._model.topology import Topology
from .journal import error, note, ready, warn
from .record import Record
from .restore import declared, put_back
from .wake import FILTERED, RELOADED, Wake, Wakes

_PATIENCE = 10
"""Seconds that the engine may take for an answer: whatever waits for the keeper waits as long."""


def keep(where: EngineAddress, heals: bool, every: int, metrics: Path | None) -> None:
    """Keep the host's topologies until SIGTERM; ``every`` is in seconds. HostError where a keeper runs already."""
    with keeping():
        wakes = Wakes(where)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda _signal, _frame: wakes.stop())
        keeper = _Keeper(where, heals, every, metrics)
        wakes.start()
        due, failures = 0.0, 0
        while (found := wakes.wait(due - time.monotonic())) is not None:
            began = time.monotonic()
            failures = 0 if keeper.look(found) else failures + 1
            due = began + (min(every, 2**failures) if failures else every)
            ready()


class _Keeper:
    def __init__(self, where: EngineAddress, heals: bool, every: int, metrics: Path | None) -> None:
        self._where = replace(where, timeout=_PATIENCE)
        self._heals = heals
        self._metrics = metrics
        self._engine: DockerEngine | None = None
        self._identity: dict[str, Any] = {}
        self._record = Record("heal" if heals else "report", every, engine="has not answered yet")

    def look(self, wakes: list[Wake]) -> bool:
        """One look at everything, for these reasons; for none, it is a look in passing.

        Whether all could be seen and done; if not, another look is due soon.
        """
        for each in wakes:
            if each.engine is not None:
                self._meet(each.engine)
        # Closed first: who may pass, the engine tells, and it may be long about it.
        if self._heals and (self._engine is None or any(each.why == FILTERED for each in wakes)):
            self._trying(put_back)
        engine = self._answering()
        well = engine is not None and self._look(engine, wakes)
        if engine is not None and not well:
            engine = self._answering()
        if engine is not None:
            self._trying(partial(self._keep_seen, engine, any(each.why == RELOADED for each in wakes)))
        self._trying(partial(self._record.write, self._metrics))
        return well or self._engine is None  # whose coming is news

    @staticmethod
    def _trying(work: Callable[[], None]) -> None:
        """Do what the rest does not depend on: that it fails is told."""
        try:
            work()
        except HostError as problem:
            error(str(problem))

    def _keep_seen(self, engine: DockerEngine, anew: bool) -> None:
        if anew:
            self._identity = engine.identity()
        last_seen.keep(self._identity, engine.networks())

    def _answering(self) -> DockerEngine | None:
        """The engine, if it answers: one that stops keeps whoever asks waiting, and with him the next start."""
        if self._engine is None:
            return None
        try:
            self._engine.greet()
        except HostError as problem:
            self._record.engine = str(problem)
            return None
        self._record.engine = ""
        return self._engine

    def _meet(self, trouble: str) -> None:
        """The engine has come, or gone."""
        self._engine = None
        try:
            if not trouble:
                engine = DockerEngine(self._where)
                self._identity = engine.identity()
                self._engine = engine
        except HostError as problem:
            trouble = str(problem)
        self._record.engine = trouble
        if trouble:
            warn(f"{trouble}; what filters packets stays as it is until it is back")
        else:
            note("the engine answers")

    def _look(self, engine: DockerEngine, wakes: list[Wake]) -> bool:
        memories = LastingMemories()
        self._record.forget_all_but(memories)
        why = ", ".join(dict.fromkeys(each.why for each in wakes[:5])) or "a look in passing"
        closed = {name: self._filters(name, engine, memories) for name in memories}
        healed = False
        for name in memories:
            healed = self._keep(name, engine, memories, closed.get(name, []), why) or healed
        # What comes before a container's start is not yet anybody's loss.
        happened = [each.at for each in wakes if each.why.endswith(": start")] or [each.at for each in wakes]
        if healed and happened:
            self._record.took(time.time() - min(happened))
        return not any(self._record.of(name).failure for name in memories)

    def _filters(self, name: str, engine: DockerEngine, memories: LastingMemories) -> list[str]:
        """What was done to what filters packets alone, ahead of the rest of all topologies.

        Who has which address, one list of the engine tells. The rest looks at each container, and the engine lets
        whoever does so wait while it starts or removes that one; meanwhile an address may be another one's.
        """
        try:
            return _steps(self._brought(FILTERS, name, engine, memories))
        except BreakwaterError:  # a network is not there yet, say; what is wrong, the whole tells
            return []

    def _keep(self, name: str, engine: DockerEngine, memories: LastingMemories, ahead: list[str], why: str) -> bool:
        """Bring one topology to what it declares, or see what is not so; whether something was healed."""
        kept = self._record.of(name)
        kept.looked = time.time()
        result: Mapping[str, Any] = {}
        failure = ""
        try:
            result = self._brought(TOPOLOGY, name, engine, memories)
        except BreakwaterError as problem:
            failure = _told(problem)
        kept.failed_count += bool(failure)
        found = list(dict.fromkeys((*ahead, *_steps(result))))
        self._tell(name, found, failure or memories.refused.get(name, ""), why)
        kept.pending = [*result.get("pending", ()), *result.get("warnings", ())]
        kept.holds = not kept.failure and not kept.drift
        return bool(found) and self._heals

    def _brought(
        self, kind: Kind[Topology], name: str, engine: DockerEngine, memories: LastingMemories
    ) -> Mapping[str, Any]:
        """The result of a run for one topology; nothing if it is gone."""
        with alone():
            # Read anew: what held the lock may have been the run that declares something else.
            if name not in set(memories):
                return {}
            host = Host(engine, memories)
            return converge(kind, declared(name, memories[name]), host, check_mode=not self._heals)

    def _tell(self, name: str, found: list[str], failure: str, why: str) -> None:
        kept = self._record.of(name)
        if failure and failure != kept.failure:
            error(f"{name}: {failure}")
        elif kept.failure and not failure:
            note(f"{name}: is in order again")
        kept.failure = failure
        kept.found_count += len(set(found) - set(kept.drift))
        if self._heals:
            kept.healed_count += len(found)
            for each in found:
                warn(f"{name}: healed, {each} ({why})")
                kept.healed.append({"at": time.time(), "what": each, "why": why})
        else:
            for each in found:
                if each not in kept.drift:
                    warn(f"{name}: is not as declared, to be healed by: {each} ({why})")
            kept.drift = found


def _steps(result: Mapping[str, Any]) -> list[str]:
    return [f"{each['verb']} {each['resource']}" for each in result.get("steps", ())]


def _told(problem: BreakwaterError) -> str:
    done = problem.result().get("done", ())
    return f"{problem}; done before that: {', '.join(done)}" if done else str(problem)

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a keeper has seen and done: what `breakwater status` shows, and node_exporter reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._host import files
from .._host.lock import FOLDER

STATUS = FOLDER / "status.json"
_REMEMBERED = 50
"""Events of a topology that the status lists."""


@dataclass
class Kept:
    """One topology as the last look found it. Times are seconds since 1970."""

    holds: bool = False
    looked: float = 0.0
    drift: list[str] = field(default_factory=list)
    """What was not as declared and is so still: found only, or healing it has failed."""
    failure: str = ""
    pending: list[str] = field(default_factory=list)
    """What waits for a container, or has become impossible."""
    healed: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    found_count: int = 0
    healed_count: int = 0
    failed_count: int = 0


@dataclass
class Record:
    """All that one keeper tells of itself. Latencies are seconds, from an event of the engine until all is healed."""

    mode: str
    every: int
    since: float = field(default_factory=time.time)
    engine: str = ""
    """What is wrong with the engine, if something is."""
    topologies: dict[str, Kept] = field(default_factory=dict)
    latency: float = 0.0
    slowest: float = 0.0

    def of(self, topology: str) -> Kept:
        return self.topologies.setdefault(topology, Kept())

    def forget_all_but(self, topologies: Iterable[str]) -> None:
        """Topologies that are gone are told of no more."""
        known = set(topologies)
        self.topologies = {name: each for name, each in self.topologies.items() if name in known}

    def took(self, seconds: float) -> None:
        self.latency = seconds
        self.slowest = max(self.slowest, seconds)

    def write(self, metrics: Path | None) -> None:
        """Write the status, and the metrics where somebody collects them; HostError where that fails."""
        files.write_text(STATUS, files.text(self._told()))
        if metrics is not None and metrics.is_dir():
            files.write_text(metrics / "breakwater.prom", "".join(f"{line}\n" for line in self._metrics()), mode=0o644)

    def _told(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "every": self.every,
            "since": self.since,
            "engine": self.engine,
            "latency": self.latency,
            "slowest": self.slowest,
            "topologies": {
                name: {**vars(each), "healed": list(each.healed)} for name, each in sorted(self.topologies.items())
            },
        }

    def _metrics(self) -> Iterable[str]:
        yield from _metric("up", "gauge", "Whether the keeper speaks to the engine.", {"": int(not self.engine)})
        for name, kind, what, key in _METRICS:
            values = {f'{{topology="{topology}"}}': getattr(each, key) for topology, each in self.topologies.items()}
            yield from _metric(name, kind, what, values)
        help_ = "Seconds from the last event that needed healing until it was healed."
        yield from _metric("heal_latency_seconds", "gauge", help_, {"": round(self.latency, 4)})
        help_ = "The longest that healing has taken since the keeper started."
        yield from _metric("heal_latency_max_seconds", "gauge", help_, {"": round(self.slowest, 4)})


_METRICS = (
    ("holds", "gauge", "Whether all that the topology declares was true at the last look.", "holds"),
    ("drift_found_total", "counter", "What was found not to be as declared.", "found_count"),
    ("healed_total", "counter", "What was brought back to what is declared.", "healed_count"),
    ("failed_total", "counter", "Looks at which healing or looking failed.", "failed_count"),
    ("last_look_timestamp_seconds", "gauge", "When the topology was looked at last.", "looked"),
)


def _metric(name: str, kind: str, what: str, values: Mapping[str, Any]) -> Iterable[str]:
    yield f"# HELP breakwater_{name} {what}"
    yield f"# TYPE breakwater_{name} {kind}"
    for labels, value in sorted(values.items()):
        yield f"breakwater_{name}{labels} {int(value) if isinstance(value, bool) else value}"

# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured: as a table for a person, and as JSON for whoever compares runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from .stand import Sample

RESULTS = Path(__file__).with_name("results")
_HEAD = ("what", "seconds", "x ping", "x peer", "x (bare + ping)")
_FLOOR = "a play with one ping"


@dataclass
class Row:
    """Samples of one way to do one thing; ``role`` is ours, peer, or bare (the engine's own time)."""

    case: str
    way: str
    role: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return median(each.seconds for each in self.samples)

    def told(self) -> dict[str, object]:
        """The row as it is written down."""
        samples = [
            {"seconds": round(each.seconds, 3), "controller_cpu": round(each.cpu, 3), "changed": each.changed}
            for each in self.samples
        ]
        return {"way": self.way, "role": self.role, "seconds": round(self.seconds, 3), "samples": samples}


class Report:
    """All rows of a run, each case with the floor that it is held against: the ping play, measured beside it."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._rows: dict[tuple[str, str], Row] = {}
        self._floors: dict[str, Row] = {}
        self._keeper: dict[str, Any] = {}
        self._speeds: dict[int, list[Mapping[str, float]]] = {}

    def add(self, case: str, way: str, role: str, sample: Sample) -> None:
        """One more sample; ``case`` reads ``<what>: <act>``."""
        self._rows.setdefault((case, way), Row(case, way, role)).samples.append(sample)

    def ping(self, what: str, sample: Sample) -> None:
        """One more sample of the floor of ``what``."""
        self._floors.setdefault(what, Row(what, _FLOOR, "floor")).samples.append(sample)

    def datapath(self, entries: int, speed: Mapping[str, float]) -> None:
        """One more look at how fast two containers talk under a policy of so many entries."""
        self._speeds.setdefault(entries, []).append(speed)

    def keeper(self, found: Mapping[str, Any]) -> None:
        """What a keeper takes: ``latencies`` and ``looks`` in milliseconds, what it costs while nothing happens."""
        latencies, looks = sorted(found["latencies"]), sorted(found["looks"])
        self._keeper = {
            "restarts": len(latencies),
            "latency_ms": {"median": median(latencies), "worst": latencies[-1]},
            "look_ms": {"median": median(looks), "worst": looks[-1]},
            "idle_cpu_seconds_per_hour": found["idle_cpu"],
            "resident_mb": found["resident"],
        }

    def speeds(self) -> list[dict[str, object]]:
        """The datapath by the number of entries: medians, per second, and as a share of what no policy leaves."""
        found = {
            entries: {key: median(each[key] for each in speeds) for key in speeds[0]}
            for entries, speeds in self._speeds.items()
        }
        return [
            {"entries": entries, "what": key, "per_second": round(each), "of_none": round(each / found[0][key], 3)}
            for entries, speed in found.items()
            for key, each in speed.items()
        ]

    def table(self) -> str:
        """The cases one by one, medians everywhere."""
        shown: list[tuple[str, ...]] = [_HEAD]
        for case, floor, rows in self._cases():
            shown += [("",) * len(_HEAD), (case, "", "", "", "")]
            for row in (floor, *rows):
                changed = row.samples[-1].changed
                note = f" (reports changed={changed})" if changed and "unchanged" in case else ""
                ratios = (f"{each:.2f}" if each else "" for each in _ratios(row, floor, rows))
                shown.append((f"  {row.way}{note}", f"{row.seconds:.2f}", *ratios))
        widths = [max(len(line[column]) for line in shown) for column in range(len(_HEAD))]
        told = "\n".join(
            "  ".join(
                [
                    line[0].ljust(widths[0]),
                    *(each.rjust(width) for each, width in zip(line[1:], widths[1:], strict=True)),
                ]
            ).rstrip()
            for line in shown
        )
        datapath = [
            f"{each['what']} with {each['entries']} entries: {each['per_second']:,} a second, {each['of_none']} of none"
            for each in self.speeds()
        ]
        keeper = [f"{key}: {json.dumps(each)}" for key, each in self._keeper.items()]
        return "\n".join(
            [
                *([told] if self._rows else []),
                *(["", "the datapath between two containers", *datapath] if datapath else []),
                *(["", "a keeper of 100 containers", *keeper] if keeper else []),
            ]
        )

    def write(self) -> Path:
        """Write the run as JSON; the file's path. Seconds everywhere."""
        now = datetime.now(UTC)
        cases = []
        for case, floor, rows in self._cases():
            told = []
            for row in rows:
                by_ping, by_peer, by_bare = _ratios(row, floor, rows)
                told.append({**row.told(), "by_ping": by_ping, "by_peer": by_peer, "by_bare_and_ping": by_bare})
            cases.append({"case": case, "ping": floor.told(), "ways": told})
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{now:%Y-%m-%dT%H%M%SZ}.json"
        whole: dict[str, object] = {
            "date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "engine": self._engine,
            "cases": cases,
            "datapath": self.speeds(),
        }
        whole["keeper"] = self._keeper
        path.write_text(json.dumps(whole, indent=2) + "\n")
        return path

    def _cases(self) -> Iterable[tuple[str, Row, list[Row]]]:
        for case in dict.fromkeys(row.case for row in self._rows.values()):
            rows = [row for row in self._rows.values() if row.case == case]
            yield case, self._floors[case.partition(":")[0]], rows


def _ratios(row: Row, floor: Row, rows: Iterable[Row]) -> tuple[float, float | None, float | None]:
    """``row`` as a multiple of the ping play, of the peer, and of the engine's own time with the ping play."""
    seconds = {each.role: each.seconds for each in rows if each.role in ("peer", "bare")}
    peer, bare = seconds.get("peer"), seconds.get("bare")
    return (
        row.seconds / floor.seconds,
        row.seconds / peer if peer and row.role == "ours" else None,
        row.seconds / (bare + floor.seconds) if bare and row.role in ("ours", "peer") else None,
    )

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `breakwater status` prints: what is declared, what holds, what was healed and when."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._host import files
from .._host.lock import is_kept
from .._model.errors import HostError
from .record import STATUS

_COUNTED = ("networks", "connections", "sysctls", "routes", "rules", "tunnels", "hosts_files")
_SHOWN = 10
"""Of what was healed, the latest."""


def status() -> dict[str, Any]:
    """The keeper's last word, and what is declared, of every topology; whether a keeper runs at all."""
    told = files.read(STATUS, {})
    kept = told.get("topologies", {})
    return {
        **told,
        "running": is_kept(),
        "topologies": {
            name: {"declared": _declared(name), **kept.get(name, {"holds": None})} for name in files.Memories()
        },
    }


def is_well(told: Mapping[str, Any]) -> bool:
    """Whether a keeper runs, and all holds."""
    return told["running"] and told.get("engine") == "" and all(each["holds"] for each in told["topologies"].values())


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The status for a person."""
    if told["running"] and "mode" not in told:
        yield "keeper: starts, and has not looked yet"
    elif told["running"]:
        verb = "heals" if told["mode"] == "heal" else "reports only"
        yield f"keeper: {verb}, looks after each event and every {told['every']} s, since {_when(told['since'])}"
        yield f"engine: {told['engine'] or 'answers'}"
        if told["slowest"]:
            last, most = (round(told[key] * 1000) for key in ("latency", "slowest"))
            yield f"healed within {last} ms the last time, {most} ms at most"
    else:
        yield "keeper: does not run; nothing is healed (systemctl status breakwater-keeper)"
    for name, each in told["topologies"].items():
        yield ""
        yield f"{name}: {_state(each)}"
        yield f"  declared: {each['declared']}"
        if each.get("looked"):
            yield f"  looked at: {_when(each['looked'])}"
        for key, label in (("drift", "not as declared"), ("pending", "waits")):
            yield from (f"  {label}: {one}" for one in each.get(key, ()))
        for one in list(each.get("healed", ()))[-_SHOWN:]:
            yield f"  healed: {_when(one['at'])} {one['what']} ({one['why']})"
    if not told["topologies"]:
        yield "no topology is declared on this host"


def _state(kept: Mapping[str, Any]) -> str:
    if kept["holds"] is None:
        return "nobody has looked yet"
    if kept["holds"]:
        return "holds"
    return f"DOES NOT HOLD: {kept['failure']}" if kept["failure"] else "DOES NOT HOLD"


def _declared(topology: str) -> str:
    try:
        arguments = files.LastingMemories()[topology].declared
    except HostError as error:
        return str(error)
    counts = [f"{len(arguments[key])} {key.replace('_', ' ')}" for key in _COUNTED if arguments.get(key)]
    return ", ".join([*counts, *(["a policy"] if arguments.get("policy") else [])]) or "nothing"


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))

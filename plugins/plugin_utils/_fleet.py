# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as it was surveyed and measured: the one reading from which every format of the report is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

HOST, WORLD = "host", "world"
_KEYS = ("from", "to", "protocol", "port", "network", "ip_version", "expect", "through")


@dataclass(frozen=True)
class Cell:
    """One cell of a truth table as measured; ``source`` and ``target`` are containers, ``host`` or ``world``.

    ``what`` is as in ``tcp/443``; ``origin`` is ``inside``, ``across`` to another host, whose container is then called
    ``host/container``, ``outside``, or ``written`` for what a person asked for.
    """

    source: str
    target: str
    what: str
    expect: str
    outcome: str
    differs: bool
    network: str = ""
    version: int = 4
    through: str = ""
    note: str = ""
    origin: str = "inside"
    address: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome == "pass"

    @property
    def title(self) -> str:
        on = f" on {self.network}" if self.network else f" at {self.address}" if self.target in (HOST, WORLD) else ""
        over = " over IPv6" if self.version == 6 else ""
        return f"{self.source} to {self.target}{on}, {self.what}{over}"


@dataclass(frozen=True)
class Host:
    """One host; ``failure`` says why it could not be measured, or not all of it."""

    name: str
    survey: Mapping[str, Any] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Cell, ...]:
        return tuple(each for each in self.cells if each.differs)

    @property
    def drift(self) -> list[str]:
        """What is not as declared, topology by topology."""
        found = []
        for each in self.survey.get("topologies", ()):
            found += [f"{each['name']}: {one}" for one in each["drift"]]
            found += [f"{each['name']}: {each['failure']}"] if each["failure"] else []
        return found

    @property
    def unjudged(self) -> int:
        return sum(each["cells"] for each in self.survey.get("unjudged", ()))

    @property
    def holds(self) -> bool:
        return not self.differing and not self.failures


@dataclass(frozen=True)
class Fleet:
    """All hosts of a play, by name."""

    title: str
    hosts: tuple[Host, ...]


def read(packed: Mapping[str, str], title: str) -> Fleet:
    """The fleet of its hosts as ``pack`` has written them; of an empty one nothing is known."""
    return Fleet(title, tuple(unpack(name, packed[name]) for name in sorted(packed)))


def pack(one: Host) -> str:
    """A host as text: a variable of a play that holds thousands of cells is looked through again and again."""
    return json.dumps([one.survey, [astuple(each) for each in one.cells], one.failures])


def unpack(name: str, packed: str) -> Host:
    """The host that ``pack`` has written."""
    if not packed:
        return host(name, {})
    survey, cells, failures = json.loads(packed)
    return Host(name, survey, tuple(Cell(*each) for each in cells), tuple(failures))


def host(name: str, found: Mapping[str, Any]) -> Host:
    """One host of what the role has registered of it."""
    survey = found.get("survey") or {}
    if "survey" not in survey:
        return Host(name, failures=(_failure(survey) or "could not be reached, or was not asked",))
    results = {key: list(_results(found.get(key))) for key in _WHAT}
    failures = [
        f"{_WHAT[key]}: {_failure(each)}" for key, each in _each(results) if "matrix" not in each and _failure(each)
    ]
    beyond = found.get("beyond") or {}
    names = {**_names(survey["survey"]), **{one: (each, "") for one, each in beyond.get("names", {}).items()}}
    again = {
        origin: {_identity(each): each for result in results[key] for each in result.get("matrix", ())}
        for origin, key in (("inside", "again"), ("across", "across_again"))
    }
    cells = [
        _cell(again.get(origin, {}).get(_identity(each), each), origin, names)
        for origin in ("inside", "across", "outside", "written")
        for result in results[origin]
        for each in result.get("matrix", ())
    ]
    seen = {
        **survey["survey"],
        "unjudged": [*survey["survey"]["unjudged"], *beyond.get("unjudged", ())],
        "unasked": beyond.get("left_out", 0),
    }
    return Host(name, seen, tuple(cells), tuple(dict.fromkeys(failures)))


def differing(result: Mapping[str, Any], unheard: bool = False) -> list[dict[str, Any]]:
    """The expectations of measured slices that were not met, to be measured again; ``unheard`` as in ``_differs``."""
    return [
        {key: each[key] for key in _KEYS if each.get(key) is not None}
        for slice_ in _results(result)
        for each in slice_.get("matrix", ())
        if _differs(each, unheard)
    ]


def _differs(cell: Mapping[str, Any], unheard: bool) -> bool:
    """Where nobody listens for the sake of the probe, a refusal has come from where packets were to get, or not."""
    if not unheard:
        return bool(cell["differs"])
    return bool((cell["outcome"] != "drop") != (cell["expect"] == "pass"))


_WHAT = {
    "inside": "the truth table was not measured",
    "again": "what differs was not measured again",
    "ends": "it is not known what is to pass to other hosts",
    "across": "nothing was measured to other hosts",
    "across_again": "what differs between hosts was not measured again",
    "written": "the written expectations were not measured",
    "outside": "nothing was measured from outside",
}


def _each(results: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, listed in results.items():
        for each in listed:
            yield key, each


def _results(registered: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """The results of a task, with a loop or without."""
    if not registered or registered.get("skipped"):
        return
    if "results" in registered:
        yield from (each for each in registered["results"] if not each.get("skipped"))
    else:
        yield registered


def _failure(result: Mapping[str, Any]) -> str:
    """Why a task has no result; the first line of it."""
    told = str(result.get("msg") or "").strip()
    return told.splitlines()[0] if told else ""


def _names(survey: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Container and network by address; who is on another host is on none of this one's."""
    return {
        one: (each["name"], network)
        for each in survey["containers"]
        for network, addresses in each["networks"].items()
        for one in addresses
    }


def _identity(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(cell.get(key) for key in ("from", "to", "protocol", "port", "address", "ip_version"))


def _cell(found: Mapping[str, Any], origin: str, names: Mapping[str, tuple[str, str]]) -> Cell:
    what = f"{found['protocol']}/{found['port']}" if found.get("port") else str(found["protocol"])
    address = str(found.get("address") or "")
    target, network = str(found["to"]), str(found.get("network") or "")
    source = str(found["from"])
    outcome = str(found["outcome"])
    unheard = origin in ("across", "outside")
    differs = _differs(found, unheard)
    if unheard:
        source = WORLD if origin == "outside" else source
        target, network = names.get(address, (HOST, ""))
        outcome = "pass" if outcome == "refused" else outcome
    elif target == address and not names.get(target, ("", ""))[1]:
        target = names.get(target, (WORLD, ""))[0]
    return Cell(
        source,
        target,
        what,
        str(found["expect"]),
        outcome,
        differs,
        network,
        int(found.get("ip_version") or 4),
        str(found.get("through") or ""),
        str(found.get("note") or ""),
        origin,
        address,
    )


def counted(number: int, what: str, plural: str = "") -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {what if number == 1 else plural or what + 's'}".replace(",", "\u202f")


def verdict(one: Host) -> dict[str, Any]:
    """Whether a host holds, and the sentence for the play."""
    if one.failures:
        return {"holds": False, "message": "; ".join(one.failures)}
    wrong = one.differing
    if wrong:
        told = [f"{each.title} {_DONE[each.outcome]}, expected {each.expect}" for each in wrong[:5]]
        more = [f"and {len(wrong) - 5} more"] if len(wrong) > 5 else []
        return {
            "holds": False,
            "message": f"{len(wrong)} of {len(one.cells)} cells differ: {'; '.join([*told, *more])}",
        }
    return {"holds": True, "message": f"{counted(len(one.cells), 'cell')}, all as declared"}


_DONE = {"pass": "passed", "drop": "was dropped", "refused": "was refused"}


def ports(whats: Sequence[str]) -> str:
    """Ports for a person: ``443, 53/udp, icmp``."""
    return ", ".join(_port(each) for each in sorted(set(whats), key=_port_order))


def _port(what: str) -> str:
    protocol, _slash, number = what.partition("/")
    return what if not number else number if protocol == "tcp" else f"{number}/{protocol}"


def _port_order(what: str) -> tuple[Any, ...]:
    protocol, _slash, number = what.partition("/")
    return (not number, int(number or 0), protocol)

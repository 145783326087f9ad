# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables of a kernel in memory: transactions of ``nft -f``, and listings in nft's JSON.

Complaints are those of nft 1.0.6 to 1.1.7 on the lab's hosts. A set takes no two elements that overlap.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from itertools import combinations
from typing import Any

_WHOLE = re.compile(r"^table (\w+) (\S+)\ndelete table \1 \2\n(?:table \1 \2 \{\n(.*)\}\n)?\Z", re.DOTALL)


class NftError(Exception):
    """What nft says before it exits with 1."""


@dataclass
class Set:
    definition: str
    elements: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        mine = _spans(text)
        for other in self.elements:
            theirs = _spans(other)
            if all(low <= last and first <= high for (low, high), (first, last) in zip(mine, theirs)):
                raise NftError(f"Error: Could not process rule: File exists: {text} and {other}")
        self.elements.add(text)

    def delete(self, text: str) -> None:
        if text not in self.elements:
            raise NftError(f"Error: Could not process rule: No such file or directory: {text}")
        self.elements.remove(text)


@dataclass
class Table:
    sets: dict[str, Set] = field(default_factory=dict)
    chains: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Rules with their comments."""
    hooks: dict[str, str] = field(default_factory=dict)
    counted: tuple[int, int] = (0, 0)
    text: str = ""
    """Of one that was written as a whole."""


class Nft:
    """The tables by family and name; without ``has_conntrack_bridge`` the kernel has no ``ct`` in family bridge."""

    def __init__(self) -> None:
        self.families: dict[str, dict[str, Table]] = {"inet": {}, "bridge": {}}
        self.has_conntrack_bridge = False

    @property
    def tables(self) -> dict[str, Table]:
        """Those of family inet."""
        return self.families["inet"]

    def run(self, argv: list[str], given: str) -> str:
        words = [each for each in argv[1:] if each not in ("-j", "-n")]
        if words[:3] == ["--stateless", "list", "table"]:
            return self._table(self.families[words[3]], words[4]).text
        if words == ["list", "tables"]:
            there = [(family, name) for family, tables in self.families.items() for name in tables]
            return json.dumps({"nftables": [{"table": {"family": each, "name": name}} for each, name in there]})
        if words[:2] == ["list", "table"]:
            return json.dumps({"nftables": list(_listed(self._table(self.families[words[2]], words[3])))})
        if not self.has_conntrack_bridge and re.search(r"table bridge", given):
            raise NftError("Error: Could not process rule: Protocol error")
        if words == ["-c", "-f", "-"]:
            return ""
        assert words == ["-f", "-"], words
        families = deepcopy(self.families)
        given = _WHOLE.sub(lambda found: self._put(families, *found.groups()), given)
        for line in given.splitlines():
            self._do(families, line)
        self.families = families
        return ""

    @staticmethod
    def _table(tables: dict[str, Table], name: str) -> Table:
        if name not in tables:
            raise NftError("Error: No such file or directory")
        return tables[name]

    @staticmethod
    def _put(families: dict[str, dict[str, Table]], family: str, name: str, body: str | None) -> str:
        """A table that is made anew as a whole, or is gone where there is no body."""
        families[family].pop(name, None)
        for elements in re.findall(r"elements = \{ (.*?) \}", body or ""):
            held = [ip_network(each) for each in elements.split(", ")]
            if any(one.overlaps(other) for one, other in combinations(held, 2) if one.version == other.version):
                raise NftError("Error: conflicting intervals specified")
        if body is not None:
            families[family][name] = Table(text=f"table {family} {name} {{\n{body}}}\n")
        return ""

    def _do(self, families: dict[str, dict[str, Table]], line: str) -> None:
        verb, kind, family, name, *rest = line.split(" ", 5)
        tables = families[family]
        if kind == "table":
            if verb == "add":
                tables.setdefault(name, Table())
            else:
                self._table(tables, name)
                del tables[name]
            return
        table, what, more = self._table(tables, name), rest[0], rest[1] if len(rest) > 1 else ""
        if (verb, kind) == ("add", "set"):
            table.sets.setdefault(what, Set(more))
        elif (verb, kind) == ("add", "chain"):
            table.chains.setdefault(what, [])
            hook = re.search(r"hook (\w+) priority (-?\d+); policy (\w+);", more)
            if hook:
                table.hooks[what] = f"{hook[1]} {hook[2]} {hook[3]}"
        elif (verb, kind) == ("flush", "chain"):
            table.chains[what] = []
        elif (verb, kind) == ("delete", "chain"):
            del table.chains[what]
        elif (verb, kind) == ("add", "rule"):
            rule, _keyword, comment = more.rpartition(" comment ")
            for target in re.findall(r"(?:goto|jump) (\w+)", rule):
                if target not in table.chains:
                    raise NftError(f"Error: Could not process rule: No such file or directory: chain {target}")
            for used in re.findall(r"@(\w+)", rule):
                if used not in table.sets:
                    raise NftError(f"Error: No such file or directory: set {used}")
            table.chains[what].append((rule, comment.strip('"')))
        elif kind == "element":
            change = table.sets[what].add if verb == "add" else table.sets[what].delete
            for each in more.strip("{} ").split(", "):
                change(each)
        elif kind != "counter":
            raise NftError(f"Error: syntax error: {line}")


def _listed(table: Table) -> Any:
    yield {"metainfo": {"version": "1.1.3"}}
    packets, size = table.counted
    yield {"counter": {"name": "refused", "packets": packets, "bytes": size}}
    for name, each in table.sets.items():
        yield {"set": {"name": name, "elem": [_told(one) for one in sorted(each.elements)]}}
    for name in table.chains:
        hook: dict[str, Any] = {}
        if name in table.hooks:
            found, priority, policy = table.hooks[name].split()
            hook = {"hook": found, "prio": int(priority), "policy": policy}
        yield {"chain": {"name": name, **hook}}
    for name, rules in table.chains.items():
        for rule, comment in rules:
            yield {"rule": {"chain": name, "comment": comment, "expr": _expression(rule)}}


def _expression(rule: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    limit = re.search(r"limit rate (\d+)/(\w+)", rule)
    if limit:
        found.append({"limit": {"rate": int(limit[1]), "burst": 5, "per": limit[2]}})
    log = re.search(r'log prefix "([^"]*)"', rule)
    if log:
        found.append({"log": {"prefix": log[1]}})
    if rule.endswith((" drop", " accept")):
        found.append({rule.rpartition(" ")[2]: None})
    return found


def _told(text: str) -> Any:
    if text.startswith('"'):
        return text.strip('"')
    fields = [_field(each) for each in text.split(" . ")]
    return {"concat": fields} if len(fields) > 1 else fields[0]


def _field(text: str) -> Any:
    ends = [int(each) if each.isdecimal() else each for each in text.split("-")]
    return ends[0] if len(ends) == 1 else {"range": ends}


def _spans(text: str) -> list[tuple[int, int]]:
    if text.startswith('"'):
        number = int.from_bytes(text.encode(), "big")
        return [(number, number)]
    found = []
    for each in text.split(" . "):
        ends = [int(one) if one.isdecimal() else int(ip_address(one)) for one in each.split("-")]
        found.append((ends[0], ends[-1]))
    return found

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth table of a host: everyone to everyone, on every port that somebody names, as far as it can be judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from .._model.survey import Survey
from .reach import HOST, WORLD, End, Ground, Member, Verdict
from .truth import Declarations, Truth, named_ports

Asked = tuple[str, int]
"""A protocol, and its port; 0 for icmp."""
_ICMP: Asked = ("icmp", 0)
_TAKEN_FROM = 7
"""Where the search for a port begins that nobody names."""
_ANYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Cell:
    source: End
    target: End
    asked: Asked
    verdict: Verdict

    @property
    def expectation(self) -> dict[str, Any]:
        """In the words of the module ``probe``."""
        protocol, port = self.asked
        beyond = self.source.kind == WORLD  # nobody there knows a container by its name
        to = str(self.target.address) if beyond else _called(self.target)
        found: dict[str, Any] = {"from": _called(self.source), "to": to, "protocol": protocol}
        if port:
            found["port"] = port
        if self.target.network and not beyond:
            found["network"] = self.target.network
        if self.target.address.version == 6:
            found["ip_version"] = 6
        return {**found, "expect": self.verdict.expect}

    @property
    def half(self) -> dict[str, Any]:
        """What the host of one end says of a cell between two hosts: by addresses, which both ends know."""
        protocol, port = self.asked
        return {
            "from": self.source.name,
            "source": str(self.source.address),
            "to": self.target.name,
            "address": str(self.target.address),
            "protocol": protocol,
            "port": port,
            "expect": self.verdict.expect,
            "reason": self.verdict.reason,
        }

    @property
    def title(self) -> str:
        protocol, port = self.asked
        what = f"{protocol}/{port}" if port else protocol
        on = f" on {self.target.network}" if self.target.network else ""
        return f"{self.source.name} to {self.target.name}{on} {what}"


def ports(said: Declarations, ground: Ground, rows: list[str]) -> list[Asked]:
    """What is asked of everybody: icmp, all that somebody names, and one port of TCP that nobody does."""
    named = named_ports(said, (ground.members[name] for name in rows))
    return [_ICMP, *sorted(named | {_unnamed(named)})]


def judged(
    asked: Survey, truth: Truth, ground: Ground, said: Declarations, rows: list[str]
) -> tuple[list[Cell], list[Cell]]:
    """Every cell to be measured on the host, and every one from outside."""
    members = [ground.members[name] for name in rows]
    kinds = ports(said, ground, rows)
    targets = [end for member in members for end in _ends(member, ground)]
    inside: list[Cell] = []
    outside: list[Cell] = []

    for member in members:
        for target in targets:
            if target.name != member.name:
                inside += _cells(truth, _sender(member, target), target, kinds)
        for own in _gateways(member, ground):
            inside += _cells(truth, _sender(member, own), own, kinds)
        if asked.world:
            there = End(WORLD, asked.world, ip_address(asked.world))
            inside += _cells(truth, _sender(member, there), there, [_ICMP, *asked.world_ports])
    for target in targets:
        inside += _cells(truth, _gateway(target, ground), target, kinds)
        if asked.world and target.address.version == ip_address(asked.world).version:
            outside += _cells(truth, End(WORLD, asked.world, ip_address(asked.world)), target, kinds)
    outside += _published(asked, truth, ground, rows)
    return inside, outside


def across(asked: Survey, truth: Truth, ground: Ground, rows: list[str]) -> tuple[list[Cell], list[Cell]]:
    """Every cell to a container of another host, and every one from there.

    This host's half of the verdict: what it lets out, and what it lets in. Packets pass where the other one agrees.
    """
    kinds = [_ICMP, *(("tcp", port) for port in asked.remote_ports)]
    members = [ground.members[name] for name in rows]
    leaving: list[Cell] = []
    arriving: list[Cell] = []

    for each in asked.remote:
        there = End(WORLD, each.name, ip_address(each.address))
        for member in members:
            own = [end for end in _ends(member, ground) if end.address.version == there.address.version]
            for end in own:
                if ground.may_speak(end.address, there.address):
                    arriving += _cells(truth, there, end, kinds)
            if own:
                by = truth.leaves_by(own[0], there)
                leaving += _cells(truth, replace(own[0], address=by) if by else own[0], there, kinds)
    return leaving, arriving


def _cells(truth: Truth, source: End, target: End, kinds: Iterable[Asked]) -> Iterator[Cell]:
    return (Cell(source, target, each, truth.cell(source, target, *each)) for each in kinds)


def _sender(member: Member, target: End) -> End:
    """The container as a sender: its routes say by which address."""
    known = [one for ones in member.addresses.values() for one in ones if one.version == target.address.version]
    return End("container", member.name, known[0] if known else target.address)


def _ends(member: Member, ground: Ground) -> Iterator[End]:
    for name, addresses in member.addresses.items():
        if name in ground.networks and ground.networks[name].driver == "bridge":
            yield from (End("container", member.name, one, name) for one in addresses)


def _gateways(member: Member, ground: Ground) -> Iterator[End]:
    """The host, by its address on each network of a container."""
    for name, addresses in member.addresses.items():
        net = ground.networks.get(name)
        for one in net.host if net and net.driver == "bridge" else ():
            if any(one.version == each.version for each in addresses):
                yield End(HOST, HOST, one, name)


def _gateway(target: End, ground: Ground) -> End:
    own = (each for each in ground.networks[target.network].host if each.version == target.address.version)
    return End(HOST, HOST, next(own, target.address), target.network)


def _published(asked: Survey, truth: Truth, ground: Ground, rows: list[str]) -> Iterator[Cell]:
    """What is published on the address by which who is outside comes to the host."""
    if not (asked.world and asked.address):
        return
    world = End(WORLD, asked.world, ip_address(asked.world))
    host = End(HOST, asked.address, ip_address(asked.address))
    for name in rows:
        for each in ground.members[name].published:
            if each.host == asked.address or each.host in _ANYWHERE:
                if ip_address(each.host).version != host.address.version or each.protocol not in ("tcp", "udp"):
                    continue
                verdict = truth.published(world, ground.members[name], each)
                yield Cell(world, host, (each.protocol, each.host_port), verdict)


def _unnamed(named: set[Asked]) -> Asked:
    taken = {port for _protocol, port in named}
    return "tcp", next(port for port in range(_TAKEN_FROM, 65536) if port not in taken)


def chosen(cells: list[Cell], most: int, said: Declarations, ground: Ground) -> tuple[list[Cell], int]:
    """The cells that are expected, in order, and how many are too many.

    First goes what is to pass, then what somebody names, then one port of each pair, then the rest.
    """
    judged = [each for each in cells if each.verdict.expect]
    if len(judged) > most:
        named = named_ports(said, ground.members.values())
        judged = sorted(
            judged, key=lambda each: (each.verdict.expect != "pass", each.asked != _ICMP, each.asked not in named)
        )
    return sorted(judged[:most], key=_order), max(0, len(judged) - most)


def _order(cell: Cell) -> tuple[Any, ...]:
    return (
        cell.source.kind != "container",
        cell.source.name,
        cell.target.kind != "container",
        cell.target.name,
        cell.target.network,
        cell.target.address.version,
        cell.asked,
    )


def unjudged(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    return counted((each.verdict.reason, each.title) for each in cells if not each.verdict.expect)


def counted(told: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """How many cells each reason is given for, and one of them; what is told are reasons and titles of cells."""
    reasons: dict[str, list[str]] = {}
    for reason, title in told:
        reasons.setdefault(reason, []).append(title)
    return [
        {"reason": reason, "cells": len(titles), "example": min(titles)} for reason, titles in sorted(reasons.items())
    ]


def _called(end: End) -> str:
    return str(end.address) if end.kind == WORLD or (end.kind == HOST and not end.network) else end.name

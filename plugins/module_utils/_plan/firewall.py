# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a person's ordered rules to the lines of a chain of iptables and the sets that they match by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from .._model.errors import DeclarationError, NotThere
from .._model.firewall import End, Firewall, Rule
from .._model.limit import Limit
from .._model.packet_filter import Element, Ruleset, set_name
from .._model.step import Pending, Plan, SetRuleset, Step
from .._model.tag import original, same
from .._model.world import World
from .places import Places

_TOOLS = {4: "iptables", 6: "ip6tables"}
_REJECTIONS = {
    "port-unreachable": ("icmp-port-unreachable", "icmp6-port-unreachable"),
    "host-unreachable": ("icmp-host-unreachable", "icmp6-addr-unreachable"),
    "net-unreachable": ("icmp-net-unreachable", "icmp6-no-route"),
    "admin-prohibited": ("icmp-admin-prohibited", "icmp6-adm-prohibited"),
    "tcp-reset": ("tcp-reset", "tcp-reset"),
}
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_MULTIPORT = 15
"""As many ports as the match multiport takes; a range counts as two."""


def plan(firewall: Firewall, world: World) -> Plan:
    """The step to ``firewall``; DeclarationError where a rule cannot be, or names what is not there."""
    compiled = compile_(firewall, world)
    for missing in compiled.missing:
        raise missing
    return step_to(firewall, compiled.ruleset, world) + Plan(pending=compiled.waiting)


def report(firewall: Firewall, world: World) -> dict[str, Any]:
    """What the module ``firewall`` returns: the ruleset as it stands."""
    return {"ruleset": _told(firewall.chain, world.rulesets.get(firewall.chain, Ruleset()), world)}


@dataclass(frozen=True)
class Compiled:
    """A ruleset as it is to stand; the containers that are ``missing``, and those that it is ``waiting`` for."""

    ruleset: Ruleset
    missing: tuple[NotThere, ...] = ()
    waiting: tuple[Pending, ...] = ()


def compile_(firewall: Firewall, world: World) -> Compiled:
    """The lines and sets of ``firewall`` on ``world``; one who is missing has an empty set."""
    places = Places(firewall.chain, world)
    rules: dict[int, list[str]] = {4: [], 6: []}
    for rule in firewall.rules:
        for version in places.versions(rule):
            rules[version].extend(_lines(rule, version, places))
    lines = {version: tuple(each) for version, each in rules.items() if each}
    return Compiled(
        Ruleset(lines, places.sets, frozenset(lines)), tuple(places.missing.values()), tuple(places.waiting.values())
    )


def step_to(firewall: Firewall, wanted: Ruleset, world: World) -> Plan:
    """The step to a ruleset, if it does not hold already; DeclarationError where iptables refuses a match."""
    there = world.rulesets.get(firewall.chain, Ruleset())
    if _holds(wanted, there):
        return Plan()
    _check_tools(firewall, wanted, world)
    # That others have made or removed a network, which is not of the world, is no change of these rules.
    own = [replace(each, sets=_own_sets(firewall.chain, each)) for each in (wanted, there)]
    step = Step(
        f"ruleset {firewall.name}",
        "remove" if not wanted.rules else "change" if there.rules else "set",
        SetRuleset(firewall.chain, wanted),
        before=_told(firewall.chain, there, world, wanted),
        after=_told(firewall.chain, wanted, world),
        bookkeeping=bool(there.rules) and _holds(*own),
        listing=True,
    )
    return Plan((step,))


def ahead(firewall: Firewall, future: World, world: World) -> Plan:
    """The step before containers move: the rules of after that, on addresses of before and after, as far as known."""
    wanted = compile_(firewall, future).ruleset
    if not wanted.rules:
        return Plan()  # what is to go stays until they have moved
    there = world.rulesets.get(firewall.chain, Ruleset()).sets
    sets = {
        name: frozenset(each for each in elements if isinstance(each, str)) | there.get(name, frozenset())
        for name, elements in wanted.sets.items()
    }
    return step_to(firewall, replace(wanted, sets=sets), world)


def _own_sets(chain: str, ruleset: Ruleset) -> dict[str, frozenset[Element]]:
    """The sets of what the rules themselves name, without those of all networks of the host."""
    of_all = {set_name(chain, End("world"), version) for version in _TOOLS}
    return {name: elements for name, elements in ruleset.sets.items() if name not in of_all}


def _holds(wanted: Ruleset, there: Ruleset) -> bool:
    return (
        wanted.sets == there.sets
        and wanted.reached == there.reached
        and {*wanted.rules} == {*there.rules}
        and all(
            len(lines) == len(there.rules[version]) and all(map(same, lines, there.rules[version]))
            for version, lines in wanted.rules.items()
        )
    )


def _check_tools(firewall: Firewall, wanted: Ruleset, world: World) -> None:
    if wanted.sets and not world.packet_filter.has_sets():
        rule, key = next(
            (rule, key)
            for rule in firewall.rules
            for key in ("source", "destination")
            if (end := getattr(rule, key)) and end.kind not in ("cidr", "host")
        )
        raise DeclarationError(rule.at(key), "a name needs ipset, which the host has not; install its package ipset")
    free = [rule for rule in firewall.rules if rule.match]
    for version in sorted(wanted.rules):
        # Without their ends, for the sets of these may have yet to be made.
        asked = [
            (rule, line)
            for rule in free
            if rule.version in (0, version)
            for line in _lines(replace(rule, source=None, destination=None), version, None)[:1]
        ]
        refused = world.packet_filter.objection(version, tuple(line for _rule, line in asked)) if asked else None
        if refused is not None:
            place, complaint = refused
            raise DeclarationError(asked[place][0].at("match"), f"{_TOOLS[version]} refuses it: {complaint}")


def _lines(rule: Rule, version: int, places: Places | None) -> list[str]:
    """What a rule compiles to for one IP version, as iptables-save prints it."""
    sets: list[str] = []
    head: list[str] = []
    chain = places.chain if places else ""
    for key, flag, side in (("source", "-s", "src"), ("destination", "-d", "dst")):
        end = getattr(rule, key)
        if end is None:
            continue
        if end.kind == "cidr":
            head += [] if end.value in ("0.0.0.0/0", "::/0") else [flag, end.value]
        elif end.kind == "host":
            sets += ["-m", "conntrack", "--ctstate", "DNAT", "--ctdir", "ORIGINAL"]
        elif places is not None:
            outside = ["!"] if end.kind == "world" else []
            sets += ["-m", "set", *outside, "--match-set", places.set_of(end, version, rule.at(key)), side]
    head += ["-i", rule.in_interface] if rule.in_interface else []
    head += ["-o", rule.out_interface] if rule.out_interface else []
    head += ["-p", "ipv6-icmp" if rule.protocol == "icmpv6" else rule.protocol] if rule.protocol else []
    tail: list[str] = []
    if rule.state:
        tail += ["-m", "conntrack", "--ctstate", ",".join(rule.state)]
    if rule.published_port:
        tail += ["-m", "conntrack", "--ctorigdstport", rule.published_port, "--ctdir", "ORIGINAL"]
    tail += [_quoted(each) for each in rule.match]
    comment = ["-m", "comment", "--comment", _quoted(rule.comment)] if rule.comment else []
    return [
        " ".join([*matches, *_limited(limit, (chain, *matches, *target)), *comment, "-j", *target])
        for ports in _ports(rule)
        for matches in [(*head, *sets, *ports, *tail)]
        for target, limit in _targets(rule, version)
    ]


def _ports(rule: Rule) -> Iterator[list[str]]:
    if len(rule.ports) <= 1:
        yield ["-m", str(rule.protocol), "--dport", *rule.ports] if rule.ports else []
        return
    held: list[str] = []
    room = _MULTIPORT
    for each in rule.ports:
        size = 2 if ":" in each else 1
        if size > room:
            yield ["-m", "multiport", "--dports", ",".join(held)]
            held, room = [], _MULTIPORT
        held.append(each)
        room -= size
    yield ["-m", "multiport", "--dports", ",".join(held)]


def _targets(rule: Rule, version: int) -> Iterator[tuple[list[str], Limit | None]]:
    """What becomes of a packet, in order, each with its limit: it may be logged first."""
    if rule.logs:
        prefix = ["--log-prefix", _quoted(rule.log_prefix)] if rule.log_prefix else []
        yield ["LOG", *prefix], rule.log_limit
    if rule.action == "reject":
        yield ["REJECT", "--reject-with", _REJECTIONS[rule.reject_with][version == 6]], rule.limit
    elif rule.action != "log":
        yield ["RETURN" if rule.action == "allow" else "DROP"], rule.limit


def _limited(limit: Limit | None, of: Sequence[str]) -> list[str]:
    """The match for a limit; where each source has its own, they are counted in a table of this line alone."""
    if limit is None:
        return []
    burst = str(limit.burst)
    if not limit.per_source:
        return ["-m", "limit", "--limit", limit.rate, *(["--limit-burst", burst] if limit.burst != 5 else [])]
    # The kernel counts all rules of one name together, at the rate of the first: another rate is another name.
    name = f"bw-{sha256(' '.join((*of, limit.rate, burst)).encode()).hexdigest()[:12]}"
    options = {"upto": limit.rate, "burst": burst, "mode": "srcip", "name": name}
    return ["-m", "hashlimit", *(word for key, value in options.items() for word in (f"--hashlimit-{key}", value))]


def _quoted(text: str) -> str:
    """A word as iptables-save prints it and iptables-restore reads it."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = re.sub(r"([\"'\\])", r"\\\1", text)
    return f'"{escaped}"'


def _told(chain: str, ruleset: Ruleset, world: World, wanted: Ruleset | None = None) -> dict[str, list[str]]:
    """A ruleset as iptables-save and ipset save print it, by tool."""
    told: dict[str, list[str]] = {}
    for version, tool in _TOOLS.items():
        lines = [
            original(each, wanted.rules.get(version, ()) if wanted else ()) for each in ruleset.rules.get(version, ())
        ]
        if lines:
            hooked = ["-A DOCKER-USER -j BREAKWATER", f"-A BREAKWATER -j {chain}"]
            if not world.packet_filter.has_docker_user(version):
                hooked.insert(0, "-A FORWARD -j DOCKER-USER")
            told[tool] = [*(hooked if version in ruleset.reached else ()), *(f"-A {chain} {each}" for each in lines)]
    own = _own_sets(chain, ruleset)
    if ruleset.sets:
        told["ipset"] = [
            line
            for name in sorted(ruleset.sets)
            for line in (
                f"create {name} hash:net family {'inet6' if name.startswith('BW6') else 'inet'}",
                *(f"add {name} {each}" for each in sorted(map(str, own.get(name, ())))),
            )
        ]
    return told

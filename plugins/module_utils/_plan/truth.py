# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What declarations mean, told a second time: it shares nothing with what makes tables and chains of them.

Each policy and each rule is taken as the user wrote it, and asked anew for each cell; nothing is made quick but by
remembering. What cannot be known is not guessed: a verdict that is neither gives its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from .._model.connection import Published
from .as_written import covers, is_port, is_subnet, ports_named, satisfies, within
from .reach import DROP, HOST, PASS, WORLD, Address, End, Ground, Member, Verdict, Way, both, default_network, returning
from .reach import way as way_of

Declared = Mapping[str, Any]

_ICMP = {4: ("icmp",), 6: ("icmp", "icmpv6", "ipv6-icmp")}
_ANY = (ip_address("0.0.0.0"), ip_address("::"))
_FEW = 5
"""Connections that a measurement may begin at once on the ports of one rule."""
_SURE, _PERHAPS, _NOT = "sure", "perhaps", "not"


@dataclass(frozen=True)
class PolicyDeclared:
    """A topology's policy in the words of its declaration; ``networks`` are those that it governs."""

    topology: str
    declared: Declared
    networks: frozenset[str]

    @property
    def closes(self) -> bool:
        return bool(self.declared.get("default", "deny") == "deny")


@dataclass(frozen=True)
class Declarations:
    """What closes something on a host.

    ``rules`` are the ordered rules of each topology. ``strange_policies`` are the networks that policies govern which
    no topology keeps, ``strange_rulesets`` the chains of rules of which that is true.
    """

    policies: tuple[PolicyDeclared, ...] = ()
    rules: Mapping[str, Sequence[Declared]] = field(default_factory=dict)
    strange_policies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    strange_rulesets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """The first packet of a connection as a filter meets it; ``crossed`` are the networks that it comes by."""

    source: End
    target: End
    protocol: str
    port: int
    crossed: frozenset[str] = frozenset()
    published: int = 0

    @property
    def version(self) -> int:
        return self.target.address.version

    @property
    def reply(self) -> Flow:
        return replace(self, source=self.target, target=self.source)


class Truth:
    """Judges cells of one host."""

    def __init__(self, ground: Ground, declarations: Declarations) -> None:
        self._ground = ground
        self._said = declarations
        self._among: dict[tuple[int, str, int, End], bool] = {}
        self._ways: dict[tuple[End, End, str], Way] = {}

    def cell(self, source: End, target: End, protocol: str, port: int) -> Verdict:
        """Whether ``source`` gets to ``target``, by what Docker lets pass and by all that is declared."""
        way = self._way(source, target, protocol, port)
        if way.source is None:
            return way.verdict
        flow = Flow(replace(source, address=way.source), target, protocol, port, way.crossed)
        verdicts = [way.verdict, self._policies(flow)]
        if way.forwarded:
            verdicts.append(self._rules(flow))
        if target.kind == HOST and source.kind != HOST:
            verdicts.append(self._led_on(flow))
        return both(verdicts)

    def leaves_by(self, source: End, target: End) -> Address | None:
        """The address under which a container asks ``target``; none where it has no way there."""
        return self._way(source, target, "icmp", 0).source

    def published(self, world: End, member: Member, opened: Published) -> Verdict:
        """Whether ``world`` gets to what a container publishes."""
        version = ip_address(opened.host).version
        net = default_network(self._ground, member, version)
        addresses = member.addresses.get(net.name, ()) if net else ()
        found = next((each for each in addresses if each.version == version), None)
        if net is None or found is None:
            return Verdict("", f"it is not known by which network container '{member.name}' is published")
        if world.address.version != version:
            return Verdict("", "the userland-proxy answers for the other IP version, and asks as the host")
        flow = Flow(
            world,
            End("container", member.name, found, net.name),
            opened.protocol,
            opened.port,
            frozenset((net.name,)),
            opened.host_port,
        )
        return both((self._policies(flow), self._rules(flow)))

    def _way(self, source: End, target: End, protocol: str, port: int) -> Way:
        if source.kind == WORLD:  # to what is published the way is another one
            return way_of(self._ground, source, target, protocol, port)
        key = (source, target, protocol)
        if key not in self._ways:
            self._ways[key] = way_of(self._ground, source, target, protocol, port)
        return self._ways[key]

    def _led_on(self, flow: Flow) -> Verdict:
        """A container that asks the host for a published port is led on, by DNAT or by the userland-proxy."""
        for member in self._ground.members.values():
            for each in member.published:
                if (each.protocol, each.host_port) != (flow.protocol, flow.port):
                    continue
                if ip_address(each.host) not in (flow.target.address, *_ANY):
                    continue
                ends = [
                    End("container", member.name, one, name) for name, ones in member.addresses.items() for one in ones
                ]
                on = (self._policies(replace(flow, target=end, port=each.port)) for end in ends)
                if self._policies(flow).expect == "drop" and all(one.expect == "drop" for one in on):
                    return DROP
                return Verdict("", f"the port is published, and leads on to container '{member.name}'")
        return PASS

    # Policies

    def _policies(self, flow: Flow) -> Verdict:
        """Whether all policies let the flow pass; each closes what it governs, and none opens what another closes."""
        return both((*(self._policy(n, flow) for n in range(len(self._said.policies))), *self._strange(flow)))

    def _policy(self, number: int, flow: Flow) -> Verdict:
        policy = self._said.policies[number]
        if not policy.closes or not self._is_governed(policy.networks, flow):
            return PASS
        for entry in policy.declared.get("allow") or ():
            if (
                self._is_among(number, entry["from"], flow.source)
                and self._is_among(number, entry["to"], flow.target)
                and is_port(entry.get("ports") or (), flow.protocol, flow.port)
            ):
                return PASS
        return DROP

    def _is_governed(self, networks: frozenset[str], flow: Flow) -> bool:
        if networks & flow.crossed:
            return True
        governed = [self._ground.networks[name] for name in networks if name in self._ground.networks]
        return any(net.holds(end.address) for net in governed for end in (flow.source, flow.target))

    def _strange(self, flow: Flow) -> Iterator[Verdict]:
        for name, networks in sorted(self._said.strange_policies.items()):
            if self._is_governed(networks, flow):
                yield Verdict("", f"policy '{name}', which no topology keeps, may close it")

    def _is_among(self, number: int, given: Any, end: End) -> bool:
        key = (number, repr(given), 0, end)
        if key not in self._among:
            listed = given if isinstance(given, (list, tuple)) else [given]
            self._among[key] = any(self._is(self._said.policies[number], each, end) for each in listed)
        return self._among[key]

    def _is(self, policy: PolicyDeclared, selector: Any, end: End) -> bool:
        if isinstance(selector, str):
            text = selector.strip()
            if text in (HOST, WORLD):
                return end.kind == text
            selector = {"cidr": text} if is_subnet(text) else {"container": text}
        if "container" in selector:
            return end.kind == "container" and self._is_called(str(selector["container"]).strip(), end.name)
        if "network" in selector:
            net = self._network(str(selector["network"]).strip())
            return end.kind != HOST and net is not None and net.holds(end.address)
        if "cidr" in selector:
            excepted = selector.get("except") or ()
            listed = excepted if isinstance(excepted, (list, tuple)) else [excepted]
            exempt = any(within(end.address, each) for each in listed)
            return end.kind != HOST and within(end.address, selector["cidr"]) and not exempt
        if end.kind != "container":
            return False
        member = self._ground.members[end.name]
        return bool(policy.networks & set(member.addresses)) and satisfies(str(selector["labels"]), member.labels)

    def _is_called(self, reference: str, name: str) -> bool:
        reference = reference.lstrip("/")
        if reference in self._ground.members:
            return reference == name
        return len(reference) >= 4 and self._ground.members[name].id.startswith(reference)

    def _network(self, name: str) -> Any:
        return self._ground.networks.get(name)

    # Rules

    def _rules(self, flow: Flow) -> Verdict:
        """Whether the rules of all topologies let a flow and its replies pass."""
        verdicts = []
        for name, rules in sorted(self._said.rules.items()):
            verdicts.append(self._ruleset(name, rules, flow, "NEW"))
            verdicts.append(returning(flow.protocol, self._ruleset(name, rules, flow.reply, "REPLY")))
        strange = (
            Verdict("", f"ruleset '{each}', which no topology keeps, may decide")
            for each in self._said.strange_rulesets
        )
        return both((*verdicts, *strange))

    def _ruleset(self, name: str, rules: Sequence[Declared], flow: Flow, state: str) -> Verdict:
        for number, rule in enumerate(rules):
            matches = self._matches(rule, flow, state)
            if matches == _NOT or rule["action"] == "log":
                continue
            if matches == _PERHAPS:
                return Verdict("", f"rules[{number}] of topology '{name}' may decide, by more than who talks to whom")
            return PASS if rule["action"] in ("allow", "return") else DROP
        return PASS

    def _matches(self, rule: Declared, flow: Flow, state: str) -> str:
        states = rule.get("state") or ()
        if states and ("NEW" if state == "NEW" else "ESTABLISHED") not in states:
            return _NOT
        protocol = (rule.get("protocol") or "all").lower()
        names = _ICMP[flow.version] if flow.protocol == "icmp" else (flow.protocol,)
        if protocol not in ("all", "any", *names):
            return _PERHAPS if protocol.isdigit() else _NOT
        for key, end in (("source", flow.source), ("destination", flow.target)):
            if rule.get(key) and not self._is_end(rule[key], end):
                return _NOT
        is_first = state == "NEW"
        if is_first and rule.get("ports") and not covers(rule["ports"], flow.port):
            return _NOT
        if is_first and rule.get("published_port") and flow.published:
            if not covers([rule["published_port"]], flow.published):
                return _NOT
        elif rule.get("published_port"):
            return _PERHAPS
        if any(rule.get(key) for key in ("in_interface", "out_interface", "match")):
            return _PERHAPS
        if rule.get("ports") and not is_first:  # replies go to a port that nobody knows before, and is no low one
            return _PERHAPS if any(port > 1023 for _protocol, port in ports_named(rule["ports"], "")) else _NOT
        return _SURE if _has_room(rule) else _PERHAPS

    def _is_end(self, given: Any, end: End) -> bool:
        if isinstance(given, str):
            if given in (HOST, WORLD):
                return end.kind == given
            given = {"cidr": given} if is_subnet(given) else {"container": given}
        named = {key: value for key, value in given.items() if value}
        if "cidr" in named:
            return within(end.address, named["cidr"])
        if "network" in named:
            net = self._network(named["network"])
            return net is not None and bool(net.holds(end.address))
        return end.kind == "container" and self._is_called(named["container"], end.name)


def _has_room(rule: Declared) -> bool:
    """Whether a measurement, which sends little, stays below the limit of a rule that lets pass what does."""
    limit = rule.get("limit")
    return not limit or (rule["action"] in ("allow", "return") and int(limit.get("burst") or 5) >= _FEW)


def named_ports(declarations: Declarations, members: Iterable[Member]) -> set[tuple[str, int]]:
    """The ports that an entry, a rule or a publication names: of a range the first, the last and the one beyond."""
    found = {(each.protocol, each.port) for member in members for each in member.published}
    for policy in declarations.policies:
        for entry in policy.declared.get("allow") or ():
            found |= set(ports_named(entry.get("ports") or (), "tcp"))
    for rules in declarations.rules.values():
        for rule in rules:
            found |= set(ports_named(rule.get("ports") or (), (rule.get("protocol") or "tcp").lower()))
    return {(protocol, port) for protocol, port in found if protocol in ("tcp", "udp") and port <= 65535}

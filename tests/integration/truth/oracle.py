# SPDX-License-Identifier: GPL-3.0-or-later
"""What a policy means, told a second time: nothing of the collection is imported here, and nothing is made quick.

A flow is (source, destination, protocol, destination port) as the filter meets it, after DNAT. Each policy is taken as
the user wrote it and asked anew for each flow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any, NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Policy = Mapping[str, Any]


class Flow(NamedTuple):
    """The first packet of what is judged; ``port`` is 0 for a protocol without ports.

    ``through`` are networks that its packets or the replies cross though no end of it has an address there.
    """

    source: Address
    destination: Address
    protocol: str
    port: int
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Container:
    """A running container: its labels, and its addresses by network."""

    labels: Mapping[str, str]
    addresses: Mapping[str, Sequence[Address]]


@dataclass(frozen=True)
class Facts:
    """What there is on a host: networks of containers by name, containers by name, the host's own addresses."""

    networks: Mapping[str, Sequence[Network]]
    containers: Mapping[str, Container]
    host: frozenset[Address]


def passes(policies: Sequence[Policy], facts: Facts, flow: Flow) -> bool:
    """Whether all policies let the flow pass; each closes what it governs, and none opens what another closes."""
    return all(_passes(policy, facts, flow) for policy in policies)


def _passes(policy: Policy, facts: Facts, flow: Flow) -> bool:
    if policy.get("state", "present") == "absent" or policy.get("default", "deny") != "deny":
        return True
    if flow.source in facts.host and flow.destination in facts.host:
        return True
    subnets = [subnet for name in policy["networks"] for subnet in facts.networks[name]]
    inside = any(end in subnet for end in (flow.source, flow.destination) for subnet in subnets)
    if not inside and not set(flow.through) & set(policy["networks"]):
        return True
    return any(
        _is_among(entry["from"], flow.source, policy, facts)
        and _is_among(entry["to"], flow.destination, policy, facts)
        and _is_port(entry.get("ports"), flow)
        for entry in policy.get("allow", ())
    )


def _is_port(ports: Sequence[str] | None, flow: Flow) -> bool:
    if not ports:
        return True
    for port in map(str, ports):
        found = re.fullmatch(r"(?:(\d+)(?:-(\d+))?)?/?([a-z]*)", port)
        assert found, port
        first, last, protocol = found.groups()
        if (protocol or "tcp") != flow.protocol:
            continue
        if first is None or int(first) <= flow.port <= int(last or first):
            return True
    return False


def _is_among(ends: Any, address: Address, policy: Policy, facts: Facts) -> bool:
    return any(_is(end, address, policy, facts) for end in (ends if isinstance(ends, list) else [ends]))


def _is(end: Any, address: Address, policy: Policy, facts: Facts) -> bool:
    if isinstance(end, str):
        if end == "host":
            return address in facts.host
        if end == "world":
            inside = any(address in subnet for subnets in facts.networks.values() for subnet in subnets)
            return not inside and address not in facts.host
        end = {"container": end} if end in facts.containers else {"cidr": end}
    if "container" in end:
        return _belongs(address, facts.containers[end["container"]])
    if "network" in end:
        return address not in facts.host and any(address in subnet for subnet in facts.networks[end["network"]])
    if "cidr" in end:
        listed = address in ip_network(end["cidr"])
        exempt = any(address in ip_network(each) for each in end.get("except", ()))
        return listed and not exempt and address not in facts.host
    governed = set(policy["networks"])
    return any(
        governed & set(each.addresses) and satisfies(end["labels"], each.labels) and _belongs(address, each)
        for each in facts.containers.values()
    )


def _belongs(address: Address, container: Container) -> bool:
    return any(address == each for addresses in container.addresses.values() for each in addresses)


def satisfies(expression: str, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy an expression; as in Kubernetes, a missing label satisfies ``!=`` and ``notin``."""
    return all(_satisfies(term.strip(), labels) for term in re.split(r",(?![^(]*\))", expression))


def _satisfies(term: str, labels: Mapping[str, str]) -> bool:
    listed = re.fullmatch(r"(\S+)\s+(in|notin)\s*\((.*)\)", term)
    if listed:
        key, operator, values = listed.groups()
        return (labels.get(key) in {value.strip() for value in values.split(",")}) == (operator == "in")
    compared = re.fullmatch(r"([^=!\s]+)\s*(==|=|!=)\s*(\S*)", term)
    if compared:
        key, operator, value = compared.groups()
        return (labels.get(key) == value) == (operator != "!=")
    return term[1:].strip() not in labels if term.startswith("!") else term in labels

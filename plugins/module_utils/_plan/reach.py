# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gets where before a declaration closes it: told from addresses, routes and what Docker promises of its networks.

It reads nothing of what filters packets, and is one half of the oracle by which the rest is judged (``truth.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Union

from .._model.connection import Published
from .._model.route import LiveRoute

Address = Union[IPv4Address, IPv6Address]
Subnet = Union[IPv4Network, IPv6Network]

HOST, WORLD = "host", "world"
_MAIN = 254
_MOST_HOPS = 8
_IP6TABLES_SINCE = (27, 0)
"""Engines before leave IPv6 alone: what passes between networks is for the host to say."""
_RAW_SINCE = (28, 0)
"""Engines from here on drop what is for a container's own address and does not come by its bridge."""
_BRIDGE = "com.docker.network.bridge."
_UNTOLD = ("gateway_mode_ipv4", "gateway_mode_ipv6", "trusted_host_interfaces", "inhibit_ipv4")
"""Options of a network that change what Docker lets pass."""


@dataclass(frozen=True)
class Verdict:
    """``pass``, ``drop``, or nothing where the cell cannot be judged, which ``reason`` explains."""

    expect: str
    reason: str = ""


PASS, DROP = Verdict("pass"), Verdict("drop")


def both(verdicts: Iterable[Verdict]) -> Verdict:
    """What passes only where all say so: one drop decides, and else one that does not know."""
    unknown = PASS
    for each in verdicts:
        if each.expect == "drop":
            return each
        if not each.expect and unknown is PASS:
            unknown = each
    return unknown


def returning(protocol: str, reply: Verdict) -> Verdict:
    """What the fate of replies makes of a flow: a datagram that gets there has passed, as far as anybody saw it."""
    if protocol == "udp" and reply.expect == "drop":
        return Verdict("", "datagrams get there, and what answers them does not come back")
    return reply


@dataclass(frozen=True)
class Net:
    """A network: ``host`` are the host's own addresses on it."""

    name: str
    driver: str = "bridge"
    internal: bool = False
    subnets: tuple[Subnet, ...] = ()
    host: tuple[Address, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def holds(self, one: Address) -> bool:
        return _holds(self.subnets, one)

    @property
    def untold(self) -> str:
        """The option because of which nothing is said of what passes from and to it."""
        return next((each for each in _UNTOLD if _BRIDGE + each in self.options), "")

    def says_no(self, option: str) -> bool:
        return str(self.options.get(_BRIDGE + option, "true")).lower() in ("false", "0")


@dataclass(frozen=True)
class Member:
    """A running container; ``routes`` are its own, ``forwards`` are the IP versions in which it is a router."""

    name: str
    id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    routes: tuple[LiveRoute, ...] = ()
    forwards: frozenset[int] = frozenset()
    published: tuple[Published, ...] = ()

    def has(self, one: Address) -> bool:
        return any(one in listed for listed in self.addresses.values())


@dataclass(frozen=True)
class End:
    """One end of a cell: a container's address on a network, one of the host's own, or one outside."""

    kind: str
    name: str
    address: Address
    network: str = ""


@dataclass(frozen=True)
class Joined:
    """A way to other hosts, as a topology declares it: from and to ``local`` alone, and ``remote`` is behind it."""

    local: tuple[Subnet, ...]
    remote: tuple[Subnet, ...]


@dataclass(frozen=True)
class Ground:
    """What is known of a host: its engine, its networks and its containers by name.

    ``declared_routes`` are the containers and destinations of the routes that topologies have set: what these need to
    be let through is kept. ``forward`` is the policy of the chain FORWARD by IP version, ``open_input`` says that the
    host's own filter is empty. ``bridged`` are the IP versions in which iptables sees what stays on one bridge.
    ``joined`` are the ways to other hosts.
    """

    engine: tuple[int, ...]
    networks: Mapping[str, Net]
    members: Mapping[str, Member]
    declared_routes: frozenset[tuple[str, str]] = frozenset()
    forward: Mapping[int, str] = field(default_factory=dict)
    open_input: bool = True
    bridged: frozenset[int] = frozenset()
    joined: tuple[Joined, ...] = ()

    def is_remote(self, one: Address) -> bool:
        """Whether an address is another host's, and a way leads there."""
        return any(_holds(each.remote, one) for each in self.joined)

    def may_speak(self, one: Address, remote: Address) -> bool:
        """Whether a way leads to a remote address, and each that does takes ``one`` of this host."""
        ways = [each for each in self.joined if _holds(each.remote, remote)]
        return bool(ways) and all(_holds(each.local, one) for each in ways)

    def network_of(self, one: Address) -> Net | None:
        return next((each for each in self.networks.values() if each.holds(one)), None)


def _holds(subnets: Iterable[Subnet], one: Address) -> bool:
    return any(one in each for each in subnets)


@dataclass(frozen=True)
class Way:
    """Whether packets and their replies find a way, and by which networks.

    ``source`` is the address that they leave by; ``forwarded`` says that iptables' FORWARD sees them.
    """

    verdict: Verdict
    source: Address | None = None
    crossed: frozenset[str] = frozenset()
    forwarded: bool = False


def way(ground: Ground, source: End, target: End, protocol: str, port: int) -> Way:
    """How packets of ``source`` get to ``target``; the address of a container as a source is for its routes to say."""
    if source.kind == HOST:
        net = ground.networks[target.network]
        return Way(PASS if net.driver == "bridge" else _unjudged(net), source.address, frozenset((target.network,)))
    if source.kind == WORLD:
        is_remote = ground.is_remote(source.address)
        found = _from_afar(ground, source, target) if is_remote else _from_world(ground, target, protocol, port)
        return Way(found, source.address, forwarded=True)
    member = ground.members[source.name]
    there = _Journey(ground, member, target.address)
    verdicts = list(there.verdicts())
    crossed = set(there.crossed)
    if target.kind == "container" and there.source is not None and both(verdicts).expect != "drop":
        back = _Journey(ground, ground.members[target.name], there.source)
        verdicts.append(returning(protocol, both(back.verdicts())))
        crossed |= set(back.crossed)
    if target.kind == HOST and not ground.open_input:
        verdicts.append(Verdict("", "the host's own filter (iptables INPUT) has rules, of which nothing is declared"))
    forwarded = target.kind != HOST and (there.by_host or target.address.version in ground.bridged)
    return Way(both(verdicts), there.source, frozenset(crossed), forwarded)


def default_network(ground: Ground, member: Member, version: int) -> Net | None:
    """The network by which a container answers who is outside."""
    found = _lookup(member, ip_address("198.51.100.1" if version == 4 else "2001:db8::1"))
    return ground.networks.get(found.network) if found and found.network else None


class _Journey:
    """The way of a packet from a container on, hop by hop."""

    def __init__(self, ground: Ground, member: Member, target: Address) -> None:
        self._ground = ground
        self._member = member
        self._target = target
        self.crossed: list[str] = []
        self.by_host = False
        first = _lookup(member, target)
        listed = member.addresses.get(first.network or "", ()) if first else ()
        self.source: Address | None = next((each for each in listed if each.version == target.version), None)

    def verdicts(self) -> Iterator[Verdict]:
        """What each step of the way has to say."""
        at, target = self._member, self._target
        if any(each.table != _MAIN for each in at.routes):
            yield Verdict("", f"container '{at.name}' has routes in tables of its own")
        for hop in range(_MOST_HOPS):
            if at.has(target):
                return
            found = _lookup(at, target)
            if found is None or found.type != "unicast":
                yield DROP
                return
            net = self._ground.networks.get(found.network or "")
            if net is None or net.driver != "bridge":
                yield _unjudged(net)
                return
            self.crossed.append(net.name)
            if hop and net.internal and (self._member.name, found.destination) not in self._ground.declared_routes:
                yield from self._undeclared()
            following = ip_address(found.gateway) if found.gateway else target
            if following in net.host:
                yield from self._by_host(net, at)
                return
            owner = self._owner(net, following)
            if owner is None:
                yield DROP
                return
            if net.says_no("enable_icc"):
                yield Verdict("", f"network '{net.name}' has enable_icc: false, which not every kernel can keep")
            if following == target:
                return
            at = owner
            yield from self._router(at)
        yield Verdict("", "the way has more hops than are followed")

    def _router(self, router: Member) -> Iterator[Verdict]:
        """What a container that is to pass a packet on says."""
        if self._target.version not in router.forwards and not router.has(self._target):
            yield DROP
        yield from self._undeclared()

    def _undeclared(self) -> Iterator[Verdict]:
        first = _lookup(self._member, self._target)
        if first is None or (self._member.name, first.destination) not in self._ground.declared_routes:
            yield Verdict("", "it is routed by a container, and no topology keeps that route")

    def _by_host(self, net: Net, at: Member) -> Iterator[Verdict]:
        """What the host makes of a packet that comes by the bridge of ``net``."""
        target = self._target
        if any(target in each.host for each in self._ground.networks.values()):
            return
        self.by_host = True
        if self._ground.is_remote(target):
            if at is not self._member:
                yield Verdict("", f"the way to another host leads through container '{at.name}'")
            elif self.source is None or not self._ground.may_speak(self.source, target):
                yield DROP
            return
        home = self._ground.network_of(target)
        untold = next((each for each in (net, home) if each and each.untold), None)
        if untold:
            yield Verdict("", f"network '{untold.name}' has {untold.untold}, which changes what Docker lets pass")
        elif target.version == 6 and self._ground.engine < _IP6TABLES_SINCE:
            yield Verdict("", "engines before 27.0 leave it to the host what IPv6 passes between networks")
        elif net.internal or home is not None:
            yield DROP  # no way out, and no way from one bridge to another
        elif at is not self._member:
            yield Verdict("", f"the way out leads through container '{at.name}'")
        elif target.version == 6 or net.says_no("enable_ip_masquerade"):
            yield Verdict("", "without masquerading it is for the outside to know the way back")

    def _owner(self, net: Net, one: Address) -> Member | None:
        return next((each for each in self._ground.members.values() if one in each.addresses.get(net.name, ())), None)


def _lookup(member: Member, target: Address) -> LiveRoute | None:
    """The route by which a packet leaves: the longest prefix, then the lowest metric."""
    fitting = [
        each
        for each in member.routes
        if each.table == _MAIN and each.version == target.version and target in ip_network(each.destination)
    ]
    return min(fitting, key=lambda each: (-ip_network(each.destination).prefixlen, each.metric), default=None)


def _from_world(ground: Ground, target: End, protocol: str, port: int) -> Verdict:
    """Whether who is outside, and knows a way by the host, gets to a container's own address."""
    net, member = ground.networks[target.network], ground.members[target.name]
    version = target.address.version
    if net.driver != "bridge":
        return _unjudged(net)
    if net.untold:
        return Verdict("", f"network '{net.name}' has {net.untold}, which changes what Docker lets pass")
    if version == 6 and ground.engine < _IP6TABLES_SINCE:
        return Verdict("", "engines before 27.0 leave it to the host what IPv6 passes between networks")
    if net.internal or ground.engine >= _RAW_SINCE:
        return DROP
    if ground.forward.get(version) != "DROP":
        return Verdict("", "iptables' FORWARD lets pass what nobody drops, and engines before 28.0 drop nothing here")
    if not any((each.protocol, each.port) == (protocol, port) for each in member.published):
        return DROP
    answers_by = default_network(ground, member, version)
    return PASS if answers_by is net else Verdict("", f"container '{member.name}' answers by another network")


def _from_afar(ground: Ground, source: End, target: End) -> Verdict:
    """Whether a container of another host, which a way leads to, gets to one of this host."""
    net, member = ground.networks[target.network], ground.members[target.name]
    if net.driver != "bridge":
        return _unjudged(net)
    if not ground.may_speak(target.address, source.address):
        return DROP
    back = _lookup(member, source.address)
    if back is None or back.type != "unicast":
        return DROP
    return PASS if back.network == net.name else Verdict("", f"container '{member.name}' answers by another network")


def _unjudged(net: Net | None) -> Verdict:
    if net is None:
        return Verdict("", "it leaves by an interface of no network")
    return Verdict("", f"network '{net.name}' is of driver {net.driver}, whose packets do not pass the host's filter")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The host on which the truth tables are measured: three networks, ten containers, the outside; and all its cells."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from itertools import product
from pathlib import Path
from typing import Any

from lab_host import LabHost

from .oracle import Address, Container, Facts, Flow, Policy, passes

PORTS = (7000, 7001)
LISTEN = [[protocol, port] for protocol in ("tcp", "udp") for port in PORTS]
PUBLISHED = 18080
OUTSIDE = ("198.51.100.10", "203.0.113.10", "2001:db8:100::10")
PROBER = Path(__file__).with_name("prober.py")
WAIT = 0.15

INTERNAL = "blue"
LABELS: dict[str, dict[str, str]] = {
    "r1": {"app": "web", "tier": "edge", "env": "prod", "zone": "a", "managed": ""},
    "r2": {"app": "web", "tier": "api", "env": "dev", "zone": "b"},
    "r3": {"app": "db", "env": "prod", "zone": "a", "debug": ""},
    "g1": {"app": "web", "tier": "web", "env": "prod", "zone": "b", "managed": "yes"},
    "g2": {"app": "cache", "tier": "api", "debug": "1"},
    "g3": {},
    "b1": {"app": "db", "tier": "data", "env": "prod", "zone": "a"},
    "b2": {"app": "db", "tier": "data", "env": "dev", "debug": ""},
    "b3": {"app": "queue", "tier": "api", "zone": "c", "managed": "yes"},
    "mid": {"app": "proxy", "tier": "edge", "env": "prod", "zone": "c"},
}
HOMES = {
    name: ("red", "blue") if name == "mid" else ({"r": "red", "g": "green", "b": "blue"}[name[0]],) for name in LABELS
}


@dataclass(frozen=True)
class Plan:
    """Which addresses a host's networks have: hosts are tested side by side before one outside, and share no subnet."""

    block: int

    def subnets(self, network: str) -> tuple[str, str]:
        number = 71 + ("red", "green", "blue").index(network)
        return f"10.{number}.{self.block}.0/24", f"fd{number}:{self.block}::/64"

    def address(self, network: str, last: int) -> tuple[str, str]:
        """The addresses that end on a number, IPv4 and IPv6."""
        four, six = self.subnets(network)
        return str(ip_network(four)[last]), str(ip_network(six)[int(str(last), 16)])

    def last(self, name: str, moved: int = 0) -> int:
        """What a container's addresses end on; it moves on when the container is made anew."""
        return 11 + list(LABELS).index(name) + 20 * moved


@dataclass(frozen=True)
class End:
    """Who sends or gets a packet: by which name a report calls it, in which namespace it lives, with which address."""

    name: str
    place: str
    address: Address


@dataclass(frozen=True)
class Cell:
    """One thing to measure: what is sent to whom, and which flows the filter meets when it is."""

    source: End
    target: End
    protocol: str
    port: int
    server: str
    flows: tuple[Flow, ...]

    @property
    def name(self) -> str:
        """The same for a container that was made anew."""
        return f"{self.source.name} > {self.target.name} {self.protocol}/{self.port}"

    def order(self, expected: str) -> list[Any]:
        """As the prober reads it."""
        return [self.protocol, str(self.source.address), str(self.target.address), self.port, self.server, expected]


class Prober:
    """A prober process on a node of the lab, for the test of a host: several have one on the outside node at a time."""

    def __init__(self, node: str, host: str) -> None:
        script = f"/tmp/truth-prober-{host}.py"
        subprocess.run(
            ["docker", "exec", "-i", node, "sh", "-c", f"cat > {script}"], input=PROBER.read_bytes(), check=True
        )
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", node, "python3", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, **order: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def receive(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def tell(self, **order: Any) -> Any:
        self.send(**order)
        return self.receive()

    def close(self) -> None:
        self._process.communicate(timeout=10)


class Site:
    """The networks, the containers and the probers of one lab host."""

    def __init__(self, host: LabHost, lan: Sequence[str]) -> None:
        self.host = host
        self.plan = Plan(host.version[0])
        self.lan = lan
        self.moved = dict.fromkeys(LABELS, 0)
        self.labels = dict(LABELS)
        self.outside = host.container.removesuffix(host.name) + "outside"
        self._probers: dict[str, Prober] = {}

    def build(self) -> None:
        for network in ("red", "green", "blue"):
            four, six = self.plan.subnets(network)
            options = ["--internal"] if network == INTERNAL else []
            self.host.docker("network", "create", "--ipv6", "--subnet", four, "--subnet", six, *options, network)
        for name in LABELS:
            self._start(name)
        self._probers = {
            "host": Prober(self.host.container, self.host.name),
            "outside": Prober(self.outside, self.host.name),
        }
        self._probers["host"].tell(do="place", place="host", pid=0, listen=LISTEN)
        self._probers["outside"].tell(do="place", place="outside", pid=0, listen=LISTEN)
        for name in LABELS:
            self._inhabit(name)
        for network, (version, via) in product(("red", "green", "blue"), enumerate(self.lan)):
            subnet = self.plan.subnets(network)[version]
            subprocess.run(["docker", "exec", self.outside, "ip", "route", "replace", subnet, "via", via], check=True)
        self.host.settle()

    def leave(self) -> None:
        for prober in self._probers.values():
            prober.close()
        for network, version in product(("red", "green", "blue"), (0, 1)):
            subnet = self.plan.subnets(network)[version]
            subprocess.run(["docker", "exec", self.outside, "ip", "route", "del", subnet], check=False)

    def remake(self, name: str, labels: Mapping[str, str]) -> None:
        """The container anew, with other labels and other addresses."""
        self.host.docker("rm", "-f", name)
        self.labels[name] = dict(labels)
        self.moved[name] = (self.moved[name] + 1) % 8
        self._start(name)
        self._inhabit(name)

    def _start(self, name: str) -> None:
        first, *others = HOMES[name]
        last = self.plan.last(name, self.moved[name])
        four, six = self.plan.address(first, last)
        options = [word for key, value in self.labels[name].items() for word in ("--label", f"{key}={value}")]
        if name == "r1":
            options += [word for kind in ("tcp", "udp") for word in ("-p", f"{PUBLISHED}:{PORTS[0]}/{kind}")]
        self.host.start(name, "--network", first, "--ip", four, "--ip6", six, *options)
        for other in others:
            four, six = self.plan.address(other, last)
            self.host.docker("network", "connect", "--ip", four, "--ip6", six, other, name)

    def _inhabit(self, name: str) -> None:
        pid = int(self.host.docker("inspect", "-f", "{{.State.Pid}}", name))
        self._probers["host"].tell(do="place", place=name, pid=pid, listen=LISTEN)

    @property
    def facts(self) -> Facts:
        """What there is, from what was built."""
        gateways = [each for network in ("red", "green", "blue") for each in self.plan.address(network, 1)]
        return Facts(
            {
                "bridge": [ip_network("172.17.0.0/16")],
                **{name: [ip_network(each) for each in self.plan.subnets(name)] for name in ("red", "green", "blue")},
            },
            {
                name: Container(
                    self.labels[name],
                    {home: [end.address for end in self.ends(name, home)] for home in HOMES[name]},
                )
                for name in LABELS
            },
            frozenset(map(ip_address, (*gateways, *self.lan, "127.0.0.1", "::1", "172.17.0.1"))),
        )

    def ends(self, name: str, network: str) -> list[End]:
        """A container on one of its networks, IPv4 and IPv6."""
        both = self.plan.address(network, self.plan.last(name, self.moved[name]))
        return [
            End(f"{name}@{network}/{version}", name, ip_address(each))
            for version, each in zip((4, 6), both, strict=True)
        ]

    def cells(self) -> list[Cell]:
        """Every ordered pair of ends and every port."""
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        containers = {name: [end for home in HOMES[name] for end in self.ends(name, home)] for name in LABELS}
        gateways = {
            network: [End(f"host@{network}/{version}", "host", ip_address(each)) for version, each in _both(addresses)]
            for network in ("red", "green", "blue")
            for addresses in [self.plan.address(network, 1)]
        }
        lan = [End(f"host@lan/{version}", "host", ip_address(each)) for version, each in _both(self.lan)]
        outside = [End(f"outside@{each}", "outside", ip_address(each)) for each in OUTSIDE]
        for one, other in product(LABELS, LABELS):
            if one != other:
                for target in containers[other]:
                    yield from _ports(_sender(containers[one], target), target)
        for name in LABELS:
            for home in HOMES[name]:
                for end, gateway in zip(self.ends(name, home), gateways[home], strict=True):
                    yield from _ports(end, gateway)
                    yield from _ports(gateway, end)
            for target in (*lan, *outside):
                yield from _ports(_sender(containers[name], target), target)
            for source, target in product((*lan, *outside), containers[name]):
                if source.address.version == target.address.version:
                    yield from _ports(source, target)
        for network in gateways:
            for own, gateway in zip(lan, gateways[network], strict=True):
                yield from _ports(own, gateway)
        yield from self._published(containers, gateways, lan, outside)

    def _published(
        self,
        containers: Mapping[str, Sequence[End]],
        gateways: Mapping[str, Sequence[End]],
        lan: Sequence[End],
        outside: Sequence[End],
    ) -> Iterator[Cell]:
        """The published port of r1, by DNAT or through the userland-proxy, which then asks as the host.

        Docker translates nothing that comes from a bridge of its own with masquerading: ``-i <bridge> -j RETURN``.
        """
        for protocol, here in product(("tcp", "udp"), lan):
            four = here.address.version == 4
            member = containers["r1"][0 if four else 1]
            gateway = gateways["red"][0 if four else 1]
            translated = four or self.host.version >= (27, 0)  # ip6tables is off by default before
            by_proxy = Flow(gateway.address, member.address, protocol, PORTS[0])
            for source in (*outside, lan[0 if four else 1], *(_sender(containers[name], here) for name in LABELS)):
                if source.address.version != here.address.version:
                    continue
                entry = Flow(source.address, here.address, protocol, PUBLISHED)
                if translated and not {"red", "green"} & set(HOMES.get(source.place, ())):
                    flows: tuple[Flow, ...] = (Flow(source.address, member.address, protocol, PORTS[0]),)
                elif source.place in ("host", "outside"):
                    flows = (by_proxy,)
                else:
                    flows = (entry, by_proxy)
                yield Cell(source, here, protocol, PUBLISHED, "r1", flows)

    def measure(self, cells: Sequence[Cell], expected: Sequence[str], wait: float = WAIT) -> list[str]:
        """What real packets say of each cell, in their order."""
        orders: dict[str, dict[str, list[list[Any]]]] = {"host": {}, "outside": {}}
        numbers: dict[str, list[int]] = {}
        for number, (cell, hope) in enumerate(zip(cells, expected, strict=True)):
            place = cell.source.place
            orders["outside" if place == "outside" else "host"].setdefault(place, []).append(cell.order(hope))
            numbers.setdefault(place, []).append(number)
        for node, by_place in orders.items():
            self._probers[node].send(do="ask", cells=by_place, wait=wait)
        measures = [""] * len(cells)
        for node in orders:
            for place, found in self._probers[node].receive().items():
                for number, measure in zip(numbers[place], found, strict=True):
                    measures[number] = measure
        return measures

    def prober(self, node: str = "host") -> Prober:
        return self._probers[node]


def expected(cells: Sequence[Cell], base: Mapping[str, str], policies: Sequence[Policy], facts: Facts) -> list[str]:
    """The truth table: what passes without a policy passes where all policies agree; none opens what Docker closes."""
    return [
        "pass" if base[cell.name] == "pass" and all(passes(policies, facts, flow) for flow in cell.flows) else "drop"
        for cell in cells
    ]


def differs(cell: Cell, base: Mapping[str, str], hope: str, measure: str) -> bool:
    """A policy's drop is silent; where Docker lets nothing through, it may say so."""
    return measure == "pass" if base[cell.name] != "pass" else measure != hope


def _both(addresses: Sequence[str]) -> Iterator[tuple[int, str]]:
    return zip((4, 6), addresses, strict=True)


def _sender(ends: Sequence[End], target: End) -> End:
    """With which of its addresses a container speaks to a target: that of their common network, else its first."""
    same = [end for end in ends if end.address.version == target.address.version]
    near = [
        end
        for end in same
        if ip_interface(f"{end.address}/{24 if end.address.version == 4 else 64}").network
        == ip_interface(f"{target.address}/{24 if end.address.version == 4 else 64}").network
    ]
    return (near or same)[0]


def _detour(source: End, target: End) -> tuple[str, ...]:
    """The network by which a container on two of them answers those who are on neither: its way out."""
    first, *others = HOMES.get(target.place, ("",))
    asked_at = target.name.partition("@")[2].partition("/")[0]
    return (first,) if asked_at in others and f"@{asked_at}/" not in source.name else ()


def _ports(source: End, target: End) -> Iterator[Cell]:
    for protocol, port in (*product(("tcp", "udp"), PORTS), ("icmp", 0)):
        flow = Flow(source.address, target.address, protocol, port, _detour(source, target))
        yield Cell(source, target, protocol, port, target.place, (flow,))


@contextmanager
def site(host: LabHost) -> Iterator[Site]:
    """The site on an empty host; its routes on the outside node go with it."""
    found = json.loads(host.run("ip", "-json", "addr", "show", "eth0"))[0]["addr_info"]
    lan = [each["local"] for each in found if each.get("scope") == "global"]
    one = Site(host, sorted(lan, key=lambda each: ip_address(each).version))
    try:
        one.build()
        yield one
    finally:
        one.leave()

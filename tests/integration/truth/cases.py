# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies whose truth tables are measured: each kind of end with each other, then drawn, each over the former."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from .oracle import satisfies
from .site import HOMES, LABELS, OUTSIDE, PUBLISHED, Plan

SEED = 3
DRAWN = 175
NETWORKS = ["red", "green", "blue"]
PORTS: list[list[str]] = [
    [],
    ["7000/tcp"],
    ["7001/udp"],
    ["7000"],
    ["7000-7001/tcp"],
    ["6990-7000/udp", "7001/tcp"],
    ["7001-65535"],
    ["tcp"],
    ["udp"],
    ["icmp"],
    ["icmp", "7000/udp"],
    ["sctp"],
    ["tcp", "7000/tcp", "6000-8000/tcp"],
    ["7000-7000/udp", "1-7000/udp", f"{PUBLISHED}/tcp"],
    [f"{PUBLISHED}", f"{PUBLISHED}/udp", "7000"],
]
EXPRESSIONS = [
    "app=web",
    "app==db",
    "app!=web",
    "env!=dev",
    "tier in (web, api)",
    "tier notin (edge,data)",
    "zone notin (a)",
    "debug",
    "!debug",
    "managed",
    "managed=yes",
    "env=prod, tier in (edge,web,data), !debug",
    "app=web,env=dev",
    "app in (db,queue),zone",
    "app=nobody",
    "!app",
]
_ENTRY = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One step: what is declared over all that the former steps left, and how the containers are labelled."""

    name: str
    policy: dict[str, Any]
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: LABELS)


def cases(plan: Plan) -> list[Case]:
    """All of them, in order; the same on each host, but for the subnets."""
    made = [*_each_with_each(plan), *_each_port(), *_governed(), *_defaults(), *_Draw(plan).cases()]
    return [Case(f"{number:03} {each.name}", each.policy, each.labels) for number, each in enumerate(made)]


def policy(*allow: _ENTRY, name: str = "shop", networks: Sequence[str] = NETWORKS, **others: Any) -> dict[str, Any]:
    """A policy as a user declares it."""
    return {"name": name, "networks": list(networks), "allow": [deepcopy(each) for each in allow], **others}


def entry(source: Any, target: Any, *ports: str) -> _ENTRY:
    return {"from": source, "to": target, **({"ports": list(ports)} if ports else {})}


def _each_with_each(plan: Plan) -> Iterator[Case]:
    red = plan.subnets("red")
    kinds: dict[str, Any] = {
        "container": "r2",
        "container on two networks": {"container": "mid"},
        "labels": {"labels": "app in (web, db), env"},
        "network": {"network": "red"},
        "IPv4 CIDR": {"cidr": red[0], "except": [plan.address("red", 12)[0]]},
        "IPv6 CIDR": red[1],
        "host": "host",
        "world": "world",
    }
    for source, one in kinds.items():
        for target, other in kinds.items():
            if not {source, target} <= {"host", "world"}:
                ports = PORTS[(len(source) * 7 + len(target)) % len(PORTS)]
                yield Case(
                    f"{source} to {target}", policy(entry(one, ["r3", "mid"] if other == "r2" else other, *ports))
                )


def _each_port() -> Iterator[Case]:
    for ports in PORTS:
        yield Case(f"to ports {ports}", policy(entry("r1", ["r2", "r3", "host"], *ports), entry("world", "r1", *ports)))
    back = [entry("b2", "b1", "7000/udp"), entry("b1", "b2", "7001/tcp")]
    yield Case("one way", policy(back[0]))
    yield Case("both ways, each with its port", policy(*back))
    yield Case("the other way", policy(back[1]))


def _governed() -> Iterator[Case]:
    web = entry({"labels": "app=web"}, {"labels": "app in (web,db)"}, "7000/tcp")
    for networks in (["red"], ["green"], ["blue"], ["blue", "red"], NETWORKS):
        yield Case(f"governs {networks}", policy(web, networks=networks))
        yield Case(f"governs {networks}, all closed", policy(networks=networks))
    yield Case("two policies", policy(entry({"labels": "app"}, {"labels": "app"}), name="side", networks=["green"]))
    yield Case("two policies, one opens", policy(entry("0.0.0.0/0", "0.0.0.0/0"), entry("::/0", "::/0")))
    yield Case("two policies, the other one opens", policy(entry("r1", "r2")))
    yield Case("two policies, the second goes", {"name": "side", "state": "absent"})


def _defaults() -> Iterator[Case]:
    some = entry("r1", "r2", "7000/tcp")
    for default in ("allow", "deny", "audit", "deny"):
        yield Case(f"default {default}", policy(some, default=default))
        yield Case(f"default {default}, no entry", policy(default=default))
    yield Case("absent", {"name": "shop", "state": "absent"})
    yield Case("from absent to deny", policy(some))


class _Draw:
    """Policies drawn by lot: fresh ones, and the former with something changed."""

    def __init__(self, plan: Plan) -> None:
        self._random = random.Random(SEED)
        self._plan = plan
        self._labels: dict[str, dict[str, str]] = deepcopy(LABELS)
        self._cidrs = list(_cidrs(plan))

    def cases(self) -> Iterator[Case]:
        lot, now = self._random, policy()
        ways: dict[str, tuple[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {
            "fresh": (40, self._fresh),
            "one entry more": (14, self._more),
            "one entry less": (10, self._less),
            "an entry changed": (12, self._changed),
            "other ports": (8, self._other_ports),
            "other networks": (4, self._other_networks),
            "remade with other labels": (6, self._remade),
            "closed": (2, lambda _former: policy()),
        }
        for _number in range(DRAWN):
            name = lot.choices(list(ways), [weight for weight, _change in ways.values()])[0]
            now = ways[name][1](deepcopy(now))
            yield Case(name, deepcopy(now), deepcopy(self._labels))

    def _fresh(self, _former: dict[str, Any]) -> dict[str, Any]:
        lot = self._random
        networks = lot.choice([NETWORKS, NETWORKS, ["red", "blue"], ["red"], ["green", "blue"], ["blue"]])
        return policy(*(self._entry(networks) for _entry in range(lot.choice([1, 2, 2, 3, 4, 6]))), networks=networks)

    def _more(self, now: dict[str, Any]) -> dict[str, Any]:
        now["allow"].insert(self._random.randint(0, len(now["allow"])), self._entry(now["networks"]))
        return now

    def _less(self, now: dict[str, Any]) -> dict[str, Any]:
        if now["allow"]:
            now["allow"].pop(self._random.randrange(len(now["allow"])))
        return now

    def _changed(self, now: dict[str, Any]) -> dict[str, Any]:
        return self._more(self._less(now))

    def _other_ports(self, now: dict[str, Any]) -> dict[str, Any]:
        for each in now["allow"]:
            each["ports"] = self._random.choice(PORTS)
        return now

    def _other_networks(self, now: dict[str, Any]) -> dict[str, Any]:
        networks = self._random.sample(NETWORKS, self._random.randint(1, 3))
        kept = [each for each in now["allow"] if self._is_sound(each, networks)]
        return policy(*kept, networks=networks)

    def _remade(self, now: dict[str, Any]) -> dict[str, Any]:
        """A container goes by the labels of another one; r1 stays, for its published port's sake."""
        one, other = self._random.sample([name for name in LABELS if name != "r1"], 2)
        self._labels[one] = dict(LABELS[other])
        now["allow"] = [each for each in now["allow"] if self._is_sound(each, now["networks"])]
        return now

    def _entry(self, networks: Sequence[str]) -> _ENTRY:
        while True:
            made = entry(self._ends(), self._ends(), *self._random.choice(PORTS))
            if self._is_sound(made, networks):
                return made

    def _ends(self) -> Any:
        count = self._random.choice([1, 1, 1, 2, 2, 3])
        ends = [self._end() for _end in range(count)]
        return ends[0] if count == 1 and self._random.random() < 0.7 else ends

    def _end(self) -> Any:
        lot = self._random
        return lot.choices(
            [
                lot.choice(list(LABELS)),
                {"container": lot.choice(list(LABELS))},
                {"labels": lot.choice(EXPRESSIONS)},
                {"network": lot.choice(NETWORKS)},
                lot.choice(self._cidrs),
                "host",
                "world",
            ],
            [25, 5, 25, 10, 20, 8, 7],
        )[0]

    def _is_sound(self, made: _ENTRY, networks: Sequence[str]) -> bool:
        """Whether the module takes it: an end is governed, and containers that it names have a way to each other."""
        sources, targets = (each if isinstance(each, list) else [each] for each in (made["from"], made["to"]))
        if all(each in ("host", "world") for each in (*sources, *targets)):
            return False
        if not any(self._is_governed(each, networks) for each in (*sources, *targets)):
            return False
        return all(self._has_way(one, other, networks) for one in sources for other in targets)

    def _members(self, end: Any, networks: Sequence[str]) -> list[str]:
        if isinstance(end, str):
            return [end] if end in LABELS else []
        if "container" in end:
            return [end["container"]]
        if "labels" in end:
            on = [name for name in LABELS if set(HOMES[name]) & set(networks)]
            return [name for name in on if satisfies(end["labels"], self._labels[name])]
        return []

    def _is_governed(self, end: Any, networks: Sequence[str]) -> bool:
        if any(set(HOMES[name]) & set(networks) for name in self._members(end, networks)):
            return True
        if isinstance(end, dict) and "network" in end:
            return end["network"] in networks
        cidr = end.get("cidr") if isinstance(end, dict) else end
        if cidr is None or cidr in ("host", "world", *LABELS):
            return False
        whole = ip_network(cidr)
        subnets = [ip_network(each) for name in networks for each in self._plan.subnets(name)]
        return any(whole.version == each.version and whole.overlaps(each) for each in subnets)

    def _has_way(self, source: Any, target: Any, networks: Sequence[str]) -> bool:
        pairs = [
            (one, other)
            for one in self._members(source, networks)
            for other in self._members(target, networks)
            if one != other
        ]
        return not pairs or any(set(HOMES[one]) & set(HOMES[other]) for one, other in pairs)


def _cidrs(plan: Plan) -> Iterator[Any]:
    """Prefixes across, around and within the networks, of the outside, and of the host, which they never mean."""
    for network in NETWORKS:
        four, six = plan.subnets(network)
        yield from (four, six)
        yield {"cidr": four, "except": [str(next(ip_network(four).subnets(4)))]}
        yield {"cidr": six, "except": [str(ip_network(plan.address(network, 19)[1] + "/125", strict=False))]}
        yield str(list(ip_network(four).subnets(4))[1])
        yield str(ip_network(plan.address(network, 12)[1] + "/126", strict=False))
        yield from plan.address(network, plan.last({"red": "r2", "green": "g2", "blue": "b2"}[network]))
        yield from plan.address(network, 1)  # the host's own
    yield from ("0.0.0.0/0", "::/0", "10.64.0.0/10", "198.51.100.0/24", "2001:db8::/32", *OUTSIDE)
    yield {"cidr": "0.0.0.0/0", "except": ["203.0.113.0/24", plan.subnets("blue")[0]]}
    yield {"cidr": "fd00::/8", "except": [plan.subnets("red")[1]]}
    yield {"cidr": "10.0.0.0/8", "except": [plan.address("red", 11)[0], plan.address("blue", 12)[0]]}

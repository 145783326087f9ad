# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to whom: as it is declared, and as the kernel's table holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from . import address, label
from .connection import Drawn
from .errors import DeclarationError
from .name import check_name
from .spec import near, under

ENTRY_SPEC: dict[str, dict[str, Any]] = {
    "from": {"type": "raw", "required": True},
    "to": {"type": "raw", "required": True},
    "ports": {"type": "list", "elements": "str", "default": []},
}

POLICY_SPEC: dict[str, dict[str, Any]] = {
    "default": {"type": "str", "choices": ["deny", "audit", "allow"], "default": "deny"},
    "networks": {"type": "list", "elements": "str"},
    "allow": {"type": "list", "elements": "dict", "options": ENTRY_SPEC, "default": []},
    "log": {"type": "bool", "default": False},
    "log_prefix": {"type": "str"},
    "log_rate": {"type": "str", "default": "10/minute"},
}

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **POLICY_SPEC,
}

EXPLAIN_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "flows": {"type": "list", "elements": "dict", "options": ENTRY_SPEC, "required": True},
    "policy": {"type": "dict", "options": POLICY_SPEC},
}

HOST, WORLD = "host", "world"
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
"""Protocols with ports, by their number."""
ICMP = {4: 1, 6: 58}
NF_CONNTRACK_BRIDGE, BR_NETFILTER = "nf_conntrack_bridge", "br_netfilter"
"""The parts of the kernel by which a policy judges what passes a bridge."""
_KINDS = ("container", "labels", "network", "cidr")
_RATE = re.compile(r"[1-9][0-9]{0,5}/(second|minute|hour|day)")
_PREFIX = re.compile(r"[\x20-\x7e]{1,64}")


@dataclass(frozen=True)
class Ports:
    """What may pass: a range of ports of a protocol, all of the protocol (``first`` 0), or anything (no protocol)."""

    protocol: str | None = None
    first: int = 0
    last: int = 65535

    @classmethod
    def read(cls, text: str, path: str) -> Ports:
        """The ports that ``text``, as in ``443``, ``8000-8010/udp`` or ``icmp``, declares."""
        numbers, _slash, protocol = text.strip().lower().partition("/")
        if numbers in (*PROTOCOLS, "icmp") and not protocol:
            return cls(numbers)
        if (protocol or "tcp") not in PROTOCOLS:
            reason = "has no ports; icmp alone allows it" if protocol == "icmp" else "is no protocol with ports"
            raise DeclarationError(path, f"{text!r}: {protocol!r} {reason}; there is {', '.join(PROTOCOLS)}")
        first, dash, last = numbers.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise DeclarationError(path, f"expected ports as in 443, 8000-8010/udp, udp or icmp, found {text!r}")
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= 65535:
            raise DeclarationError(path, f"expected ports from 1 to 65535, the lower one first, found {text!r}")
        return cls(protocol or "tcp", low, high)

    @classmethod
    def of(cls, protocols: tuple[int, int], ports: tuple[int, int]) -> Ports:
        """The ports that an element of a set allows."""
        if protocols == (0, 255):
            return cls(None, *ports)
        names = {**{number: name for name, number in PROTOCOLS.items()}, **dict.fromkeys(ICMP.values(), "icmp")}
        low, high = protocols
        return cls(names.get(low, str(low)) if low == high else f"{low}-{high}", *ports)

    def numbers(self, version: int) -> tuple[int, int]:
        """The range of protocol numbers for IP ``version``."""
        if self.protocol is None:
            return (0, 255)
        number = ICMP[version] if self.protocol == "icmp" else PROTOCOLS[self.protocol]
        return (number, number)

    def __str__(self) -> str:
        if (self.first, self.last) == (0, 65535):
            return self.protocol or "everything"
        return (
            f"{self.first}/{self.protocol}" if self.first == self.last else f"{self.first}-{self.last}/{self.protocol}"
        )


@dataclass(frozen=True)
class Selector:
    """One end of an entry.

    ``kind`` is ``container``, ``labels``, ``network``, ``cidr``, ``host`` or ``world``; ``value`` is the name or the
    text, ``excepted`` are the subnets left out of a CIDR, ``terms`` the parts of a label expression.
    """

    kind: str
    value: str = ""
    excepted: tuple[str, ...] = ()
    terms: tuple[label.Term, ...] = ()
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, given: Any, path: str) -> Selector:
        """The end that ``given``, a text or a dictionary with one of the kinds, declares."""
        if isinstance(given, str):
            return cls._text(given.strip(), path)
        if not isinstance(given, Mapping):
            raise DeclarationError(path, f"expected a name, a CIDR or one of {', '.join(_KINDS)}, found {given!r}")
        wrong = [str(key) for key in given if key not in (*_KINDS, "except")]
        if wrong:
            raise DeclarationError(under(path, wrong[0]), f"no such selector; {near(wrong[0], (*_KINDS, 'except'))}")
        kinds = [key for key in _KINDS if key in given]
        if len(kinds) != 1:
            raise DeclarationError(
                path, f"expected exactly one of {', '.join(_KINDS)}, found {', '.join(kinds) or 'none'}"
            )
        kind, where = kinds[0], under(path, kinds[0])
        if not isinstance(given[kind], str) or not given[kind].strip():
            raise DeclarationError(where, f"expected a string, found {given[kind]!r}")
        value = given[kind].strip()
        if "except" in given and kind != "cidr":
            raise DeclarationError(under(path, "except"), "goes with cidr alone")
        if kind == "cidr":
            return cls(
                "cidr", _subnet(value, where), _excepted(given.get("except"), value, under(path, "except")), (), path
            )
        return cls(kind, value, terms=label.terms(value, where) if kind == "labels" else (), path=path)

    @classmethod
    def _text(cls, text: str, path: str) -> Selector:
        if text in (HOST, WORLD):
            return cls(text, path=path)
        if not text:
            raise DeclarationError(path, "expected a container, a CIDR, 'host' or 'world', found nothing")
        if "/" in text.lstrip("/") or ":" in text or address.is_address(text):
            return cls("cidr", _subnet(text, path), path=path)
        if re.search(r"[=!(), ]", text):
            raise DeclarationError(path, f"{text!r} is no container's name; for labels write {{labels: {text!r}}}")
        return cls("container", text, path=path)

    def __str__(self) -> str:
        return f"{self.value} except {', '.join(self.excepted)}" if self.excepted else self.value or self.kind


@dataclass(frozen=True)
class Entry:
    """One thing that is allowed: from each of ``sources`` to each of ``destinations``, any of ``ports``."""

    sources: tuple[Selector, ...]
    destinations: tuple[Selector, ...]
    ports: tuple[Ports, ...]
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str) -> Entry:
        """The entry that ``args``, which ENTRY_SPEC has accepted, declare."""
        where = under(path, "ports")
        ports = tuple(Ports.read(each, f"{where}[{n}]") for n, each in enumerate(args["ports"]))
        sources, destinations = (tuple(_ends(args[key], under(path, key))) for key in ("from", "to"))
        if {each.kind for each in (*sources, *destinations)} <= {HOST, WORLD}:
            raise DeclarationError(path, "has no container at either end, and a policy governs containers")
        return cls(sources, destinations, ports or (Ports(),), path)

    @property
    def ends(self) -> tuple[tuple[Selector, ...], tuple[Selector, ...]]:
        """Both: from whom, and to whom."""
        return self.sources, self.destinations


@dataclass(frozen=True)
class Policy:
    """A policy as declared. ``networks`` is ``None`` where those of the topology of its name are meant."""

    name: str
    state: str = "present"
    default: str = "deny"
    networks: tuple[str, ...] | None = None
    entries: tuple[Entry, ...] = ()
    log: bool = False
    log_prefix: str = ""
    log_rate: str = "10/minute"
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str = "", name: str | None = None) -> Policy:
        """The policy that ``args``, which SPEC has accepted, declare; of a topology, which gives the ``name``."""
        named = name or check_name(args["name"], "name", "policy")
        if args["networks"] is not None and not args["networks"]:
            raise DeclarationError(under(path, "networks"), "lists none; there is nothing to govern")
        if not _RATE.fullmatch(args["log_rate"]):
            raise DeclarationError(
                under(path, "log_rate"), f"expected a rate as in 10/minute, found {args['log_rate']!r}"
            )
        prefix = f"breakwater {named}: " if args["log_prefix"] is None else args["log_prefix"]
        if not _PREFIX.fullmatch(prefix) or '"' in prefix or "\\" in prefix:
            raise DeclarationError(
                under(path, "log_prefix"), f"expected 1 to 64 printable characters without quotes, found {prefix!r}"
            )
        where = under(path, "allow")
        return cls(
            name=named,
            state=args.get("state", "present"),
            default=args["default"],
            networks=None if args["networks"] is None else tuple(dict.fromkeys(args["networks"])),
            entries=tuple(Entry.read(each, f"{where}[{n}]") for n, each in enumerate(args["allow"])),
            log=args["log"] or args["default"] == "audit",
            log_prefix=prefix,
            log_rate=args["log_rate"],
            path=path,
        )

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)


@dataclass(frozen=True)
class Question:
    """Flows whose verdict is asked for; without a ``policy`` that of the topology ``name`` on the host."""

    name: str
    flows: tuple[Entry, ...]
    policy: Policy | None = None

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Question:
        """The question that ``args``, which EXPLAIN_SPEC has accepted, ask."""
        name = check_name(args["name"], "name", "policy")
        policy = Policy.read(args["policy"], "policy", name) if args["policy"] else None
        return cls(name, tuple(Entry.read(each, f"flows[{n}]") for n, each in enumerate(args["flows"])), policy)


@dataclass(frozen=True)
class End:
    """One end of what is allowed: a subnet, or an address still to be drawn, or none of both for host and world.

    ``name`` is what a user calls it: a container, a network, a CIDR, ``host`` or ``world``.
    """

    name: str
    where: str | Drawn | None = None


@dataclass(frozen=True)
class Allowed:
    """One line of what is allowed."""

    source: End
    destination: End
    ports: Ports

    def __str__(self) -> str:
        return f"{self.source.name} -> {self.destination.name}: {self.ports}"


Element = tuple[tuple[int, int], ...]
"""An element of a set, as the ranges of its fields: addresses as numbers, then protocol, then ports."""


@dataclass(frozen=True)
class Table:
    """A policy as the kernel holds it: the governed networks by name, the elements by the name of their set.

    ``default`` is ``deny`` or ``audit``; without a ``log_prefix`` nothing is logged. ``whole`` says that the rules are
    those that we write. ``bridged_by`` is ``nf_conntrack_bridge`` where a second table, of family bridge, judges what
    passes a bridge, and ``br_netfilter`` where the first one does. ``allowed`` is what a planned table is made of as
    long as addresses of it have yet to be drawn.
    """

    default: str
    log_prefix: str
    log_rate: str
    networks: frozenset[str]
    sets: Mapping[str, frozenset[Element]] = field(default_factory=dict)
    whole: bool = True
    bridged_by: str = BR_NETFILTER
    allowed: frozenset[Allowed] | None = field(default=None, compare=False)
    counted: tuple[int, int] = field(default=(0, 0), compare=False)
    """Packets and bytes that were refused, or would have been, since the table was made."""


def _ends(given: Any, path: str) -> Iterator[Selector]:
    listed = given if isinstance(given, (list, tuple)) else None
    if listed is not None and not listed:
        raise DeclarationError(path, "lists none; leave the entry out, or say who is meant")
    if listed is None:
        yield Selector.read(given, path)
    for n, each in enumerate(listed or ()):
        yield Selector.read(each, f"{path}[{n}]")


def _subnet(text: str, path: str) -> str:
    """The subnet, or the address as the subnet of one."""
    if address.is_address(text):
        return str(ip_network(text))
    return address.prefix(text, path)


def _excepted(given: Any, whole: str, path: str) -> tuple[str, ...]:
    if given is None:
        return ()
    listed = given if isinstance(given, (list, tuple)) else [given]
    found = []
    for n, each in enumerate(listed):
        where = f"{path}[{n}]"
        if not isinstance(each, str):
            raise DeclarationError(where, f"expected a CIDR, found {each!r}")
        subnet = _subnet(each, where)
        if not address.within(subnet, _subnet(whole, path)):
            raise DeclarationError(where, f"{subnet} is not within {whole}")
        found.append(subnet)
    return tuple(sorted(set(found)))

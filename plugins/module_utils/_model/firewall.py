# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's ordered rules for what the host forwards, as they are declared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from . import address
from .errors import DeclarationError
from .limit import LIMIT_SPEC, Limit
from .match import argument
from .name import check_name
from .spec import read as read_options
from .spec import under

ACTIONS = ("allow", "drop", "reject", "log", "return")
REJECTIONS = ("port-unreachable", "host-unreachable", "net-unreachable", "admin-prohibited", "tcp-reset")
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
"""Connection states, in the order in which iptables prints them."""

RULE_SPEC: dict[str, dict[str, Any]] = {
    "action": {"type": "str", "required": True, "choices": list(ACTIONS)},
    "reject_with": {"type": "str", "choices": list(REJECTIONS)},
    "source": {"type": "raw"},
    "destination": {"type": "raw"},
    "protocol": {"type": "str"},
    "ports": {"type": "list", "elements": "str"},
    "published_port": {"type": "str"},
    "in_interface": {"type": "str"},
    "out_interface": {"type": "str"},
    "state": {"type": "list", "elements": "str", "choices": list(STATES)},
    "limit": {"type": "dict", "options": LIMIT_SPEC},
    "log_prefix": {"type": "str"},
    "log_limit": {"type": "dict", "options": LIMIT_SPEC},
    "comment": {"type": "str"},
    "match": {"type": "list", "elements": "str"},
}
SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "rules": {"type": "list", "elements": "dict", "options": RULE_SPEC},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

PORTED = ("tcp", "udp", "sctp", "dccp", "udplite")
"""The protocols that have ports."""
PROTOCOLS = {**dict.fromkeys((*PORTED, "esp", "ah"), 0), "icmp": 4, "icmpv6": 6}
"""The protocols that go by a name, and the IP version of those that belong to one."""

_CIDR, _CONTAINER, _NETWORK, _WORLD, _HOST = "cidr", "container", "network", "world", "host"
_LIKE_AN_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
_INTERFACE = re.compile(r"[^\s/!+\"'\\:]{1,15}\+?")
_LONGEST_PREFIX, _LONGEST_COMMENT = 29, 200


@dataclass(frozen=True)
class End:
    """Where packets come from or go to: ``kind`` is ``cidr``, ``container``, ``network``, ``world`` or ``host``."""

    kind: str
    value: str = ""

    @classmethod
    def read(cls, given: Any, path: str) -> End | None:
        """The end that ``given``, a string or a dictionary of one key, names."""
        if given is None or given == "":
            return None
        if isinstance(given, Mapping):
            keys = {each: {"type": "str"} for each in (_CIDR, _CONTAINER, _NETWORK)}
            named = {key: value for key, value in read_options(keys, given, path).items() if value}
            if len(named) != 1:
                raise DeclarationError(path, "expected one of cidr, container, network, each with one name")
            ((kind, value),) = named.items()
            return cls(kind, _prefix(value, under(path, kind)) if kind == _CIDR else value)
        if not isinstance(given, str):
            raise DeclarationError(path, f"expected a subnet, a container, world or host, found {given!r}")
        if given in (_WORLD, _HOST):
            return cls(given)
        if "/" in given.lstrip("/") or _LIKE_AN_ADDRESS.fullmatch(given):
            return cls(_CIDR, _prefix(given, path))
        return cls(_CONTAINER, given.lstrip("/"))

    @property
    def version(self) -> int:
        """The IP version of a subnet; 0 for what may have both."""
        return address.version_of(self.value) if self.kind == _CIDR else 0


@dataclass(frozen=True)
class Rule:
    """One rule as declared; ``match`` are arguments for iptables as they are."""

    action: str
    reject_with: str = "port-unreachable"
    source: End | None = None
    destination: End | None = None
    protocol: str | None = None
    ports: tuple[str, ...] = ()
    published_port: str | None = None
    in_interface: str | None = None
    out_interface: str | None = None
    state: tuple[str, ...] = ()
    limit: Limit | None = None
    log_prefix: str | None = None
    log_limit: Limit | None = None
    comment: str | None = None
    match: tuple[str, ...] = ()
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str) -> Rule:
        """The rule that ``args``, which RULE_SPEC has accepted, declare."""

        def at(key: str) -> str:
            return under(path, key)

        rule = cls(
            action="allow" if args["action"] == "return" else args["action"],
            reject_with=args["reject_with"] or "port-unreachable",
            source=End.read(args["source"], at("source")),
            destination=End.read(args["destination"], at("destination")),
            protocol=_protocol(args["protocol"], at("protocol")),
            ports=tuple(_ports(each, f"{at('ports')}[{n}]") for n, each in enumerate(args["ports"] or ())),
            published_port=_ports(args["published_port"], at("published_port")) if args["published_port"] else None,
            in_interface=_interface(args["in_interface"], at("in_interface")),
            out_interface=_interface(args["out_interface"], at("out_interface")),
            state=tuple(each for each in STATES if each in (args["state"] or ())),
            limit=Limit.read(args["limit"], at("limit")),
            log_prefix=_text(args["log_prefix"], at("log_prefix"), _LONGEST_PREFIX),
            log_limit=Limit.read(args["log_limit"], at("log_limit")),
            comment=_text(args["comment"], at("comment"), _LONGEST_COMMENT),
            match=tuple(argument(each, f"{at('match')}[{n}]") for n, each in enumerate(args["match"] or ())),
            path=path,
        )
        rule._check(args)
        return rule

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)

    @property
    def logs(self) -> bool:
        return self.action == "log" or self.log_prefix is not None

    def _check(self, args: Mapping[str, Any]) -> None:
        if args["reject_with"] and self.action != "reject":
            raise DeclarationError(self.at("reject_with"), f"goes with action: reject, not with {args['action']}")
        if self.reject_with == "tcp-reset" and self.protocol != "tcp":
            raise DeclarationError(self.at("reject_with"), "tcp-reset needs protocol: tcp")
        if self.ports and self.protocol not in PORTED:
            found = f"found {self.protocol}" if self.protocol else "found none"
            raise DeclarationError(self.at("ports"), f"need a protocol that has ports ({', '.join(PORTED)}), {found}")
        if args["ports"] == []:
            raise DeclarationError(self.at("ports"), "lists no port; leave it out to mean all of them")
        if args["state"] == []:
            raise DeclarationError(self.at("state"), "lists no state; leave it out to mean all of them")
        if self.log_limit and not self.logs:
            raise DeclarationError(self.at("log_limit"), "needs action: log, or a log_prefix")
        if self.limit and self.action == "log":
            raise DeclarationError(self.at("limit"), "a rule that only logs is limited by log_limit")
        if self.source and self.source.kind == _HOST:
            raise DeclarationError(
                self.at("source"),
                "what the host itself sends passes OUTPUT, which DOCKER-USER does not see; declare it as a policy",
            )
        versions = {each.version for each in (self.source, self.destination) if each and each.version}
        if len(versions) > 1:
            raise DeclarationError(self.at("destination"), "is of another IP version than source; no packet has both")
        wanted = PROTOCOLS.get(self.protocol or "", 0)
        if wanted and versions and versions != {wanted}:
            end = "source" if self.source and self.source.version else "destination"
            raise DeclarationError(self.at("protocol"), f"{self.protocol} is IPv{wanted}'s, and {end} is not")

    @property
    def version(self) -> int:
        """The IP version that the rule's own words tie it to; 0 for both."""
        ends = [each.version for each in (self.source, self.destination) if each]
        return max([0, PROTOCOLS.get(self.protocol or "", 0), *ends])


@dataclass(frozen=True)
class Firewall:
    """An ordered ruleset as declared. ``chain`` is the one that holds it."""

    name: str
    rules: tuple[Rule, ...] = ()
    prefix: str = "BWR-"

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Firewall:
        """The ruleset that ``args``, which SPEC has accepted, declare; without rules where it is to be absent."""
        name = check_name(args["name"], "name", "ruleset")
        if args["state"] == "absent":
            return cls(name)
        if args["rules"] is None:
            raise DeclarationError("rules", "is required with state: present")
        return cls(name, read_rules(args["rules"]))

    @classmethod
    def of_topology(cls, topology: str, rules: tuple[Rule, ...]) -> Firewall:
        """The ruleset of a topology: it is never one that the module ``firewall`` has made by the same name."""
        return cls(topology, rules, "BWT-")

    @property
    def chain(self) -> str:
        return f"{self.prefix}{self.name}"


def read_rules(given: list[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The rules of a list whose items RULE_SPEC has accepted."""
    return tuple(Rule.read(each, f"rules[{n}]") for n, each in enumerate(given))


def _prefix(text: str, path: str) -> str:
    if "/" not in text:
        canonical = address.address(text, path)
        return f"{canonical}/{ip_address(canonical).max_prefixlen}"
    return address.prefix(text, path)


def _protocol(text: str | None, path: str) -> str | None:
    if text is None or text.lower() in ("all", "any"):
        return None
    known = text.lower().replace("ipv6-icmp", "icmpv6")
    if known.isdigit() and 0 < int(known) < 256:
        names = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6", 132: "sctp", 33: "dccp", 136: "udplite"}
        return names.get(int(known), str(int(known)))
    if known not in PROTOCOLS:
        raise DeclarationError(path, f"expected {', '.join(PROTOCOLS)} or a number from 1 to 255, found {text!r}")
    return known


def _ports(text: str, path: str) -> str:
    """A port, or a range of them, as iptables writes it."""
    low, dash, high = text.strip().replace(":", "-").partition("-")
    if not all(each.isdigit() and int(each) <= 65535 for each in ((low, high) if dash else (low,))):
        raise DeclarationError(path, f"expected a port from 0 to 65535 or a range as in 8000-8010, found {text!r}")
    if dash and int(low) > int(high):
        raise DeclarationError(path, f"the range {text} ends before it begins")
    return f"{int(low)}:{int(high)}" if dash and int(low) != int(high) else str(int(low))


def _interface(text: str | None, path: str) -> str | None:
    if text is not None and not (_INTERFACE.fullmatch(text) and len(text) <= 15):
        raise DeclarationError(
            path, f"{text!r} is not an interface's name: up to 15 characters, a '+' at the end for any that begins so"
        )
    return text


def _text(text: str | None, path: str, longest: int) -> str | None:
    if text is None:
        return None
    if not text or not text.isprintable() or not text.isascii():
        raise DeclarationError(path, f"expected printable ASCII text on one line, found {text!r}")
    if len(text) > longest:
        raise DeclarationError(path, f"is {len(text)} characters long; up to {longest} are kept")
    return text

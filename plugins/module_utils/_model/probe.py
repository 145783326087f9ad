# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expectations of who reaches whom: as declared, as cells to measure, and as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from . import address
from .errors import DeclarationError
from .spec import under

HOST = "host"
"""What ``from`` and ``to`` call the host itself."""

EXPECTATION_SPEC: dict[str, dict[str, Any]] = {
    "from": {"type": "str", "required": True},
    "to": {"type": "str", "required": True},
    "protocol": {"type": "str", "choices": ["icmp", "tcp", "udp"], "default": "tcp"},
    "port": {"type": "int"},
    "network": {"type": "str"},
    "ip_version": {"type": "int"},
    "expect": {"type": "str", "choices": ["pass", "drop"], "default": "pass"},
    "through": {"type": "str"},
}

SPEC: dict[str, dict[str, Any]] = {
    "expectations": {"type": "list", "elements": "dict", "options": EXPECTATION_SPEC, "required": True},
    "reply_timeout": {"type": "float", "default": 2.0},
    "tries": {"type": "int", "default": 3},
    "via": {"type": "str"},
}

MOST = 4000
"""Expectations in one call."""
MOST_TRACED = 64
"""Of them with ``through``: a kernel tells one address of one hop a second, so each may take a second."""


@dataclass(frozen=True)
class Expectation:
    """One cell of a truth table as declared; ``source`` is what users write as ``from``."""

    source: str
    to: str
    protocol: str = "tcp"
    port: int | None = None
    network: str | None = None
    ip_version: int = 4
    expect: str = "pass"
    through: str | None = None
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str) -> Expectation:
        """The expectation that ``args``, which EXPECTATION_SPEC has accepted, declare."""

        def at(key: str) -> str:
            return under(path, key)

        source, to = (_end(args[key], at(key)) for key in ("from", "to"))
        protocol, port = args["protocol"], args["port"]
        if protocol == "icmp" and port is not None:
            raise DeclarationError(at("port"), "icmp has no ports; leave it out, or give the protocol tcp or udp")
        if protocol != "icmp" and port is None:
            raise DeclarationError(at("port"), f"is required for {protocol}")
        if port is not None and not 1 <= port <= 65535:
            raise DeclarationError(at("port"), f"expected a number from 1 to 65535, found {port}")
        if args["network"] and address.is_address(to):
            raise DeclarationError(at("network"), f"says which address of a container or the host is meant; to is {to}")
        if args["through"] and args["expect"] == "drop":
            raise DeclarationError(at("through"), "what is dropped takes no way; through goes with expect: pass alone")
        return cls(
            source,
            to,
            protocol,
            port,
            args["network"] or None,
            _version(args["ip_version"], {"from": source, "to": to}, path),
            args["expect"],
            args["through"] or None,
            path,
        )

    @property
    def flow(self) -> str:
        """Which packets, in a message: ``tcp/5432``, ``icmp``, ``udp/53 over IPv6``."""
        what = f"{self.protocol}/{self.port}" if self.port else self.protocol
        return f"{what} over IPv6" if self.ip_version == 6 else what

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)


@dataclass(frozen=True)
class Probe:
    """What to measure; ``reply_timeout``, in seconds, is how long a cell's silence lasts until it counts as a drop."""

    expectations: tuple[Expectation, ...]
    reply_timeout: float = 2.0
    tries: int = 3
    via: str | None = None
    """The next hop by which the host itself reaches the addresses that are probed."""

    @property
    def names_containers(self) -> bool:
        """Whether an engine must say who somebody is."""
        ends = (end for each in self.expectations for end in (each.source, each.to, each.through, each.network))
        return any(end and end != HOST and not address.is_address(end) for end in ends)

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Probe:
        """The probe that ``args``, which SPEC has accepted, declare."""
        listed = args["expectations"]
        if not listed:
            raise DeclarationError("expectations", "lists none; there is nothing to measure")
        if len(listed) > MOST:
            raise DeclarationError("expectations", f"one call measures {MOST} at most, found {len(listed)}")
        traced = sum(1 for each in listed if each["through"])
        if traced > MOST_TRACED:
            raise DeclarationError(
                "expectations", f"{MOST_TRACED} of one call at most may have through, found {traced}"
            )
        if not 0.1 <= args["reply_timeout"] <= 30:
            raise DeclarationError("reply_timeout", f"expected 0.1 to 30 seconds, found {args['reply_timeout']:g}")
        if not 1 <= args["tries"] <= 10:
            raise DeclarationError("tries", f"expected a number from 1 to 10, found {args['tries']}")
        expectations = tuple(Expectation.read(each, f"expectations[{n}]") for n, each in enumerate(listed))
        via = address.address(args["via"], "via") if args["via"] else None
        inside = [] if via is None else [each for each in expectations if not _is_hosts(each)]
        if inside:
            raise DeclarationError(inside[0].at("from"), "via goes with expectations from the host to an address alone")
        return cls(expectations, args["reply_timeout"], args["tries"], via)


@dataclass(frozen=True)
class Place:
    """Where sockets live: the network namespace at the path ``netns``, or with none the host's own."""

    name: str
    netns: str | None = None


@dataclass(frozen=True)
class Cell:
    """An expectation with its ends found on the host.

    ``target`` is where ``address`` lives, ``None`` where that is nobody known: the host finds out whether it is its
    own. ``bind`` is the address to send from, ``network`` the one that ``address`` was taken from, ``hops`` are the
    addresses of the container that the way must lead through.
    """

    expectation: Expectation
    source: Place
    target: Place | None
    address: str
    bind: str | None = None
    network: str | None = None
    hops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What became of a cell's packets.

    ``outcome`` is ``pass``, ``drop`` (nothing came back, or nothing could leave) or ``refused`` (somebody answered that
    it may not be); ``latency`` is in milliseconds, ``listener`` says who listened: ``opened`` by the probe,
    ``existing`` or ``none``. ``hops`` are the routers that answered on the way, nearest first.
    """

    outcome: str
    latency: float | None = None
    listener: str = "none"
    hops: tuple[str, ...] = ()
    note: str = ""


def _is_hosts(one: Expectation) -> bool:
    return (one.source == HOST or address.is_address(one.source)) and address.is_address(one.to)


def _end(text: str, path: str) -> str:
    """A container's name or ID, ``host``, or an address in canonical form."""
    if not text:
        raise DeclarationError(path, "expected a container, 'host' or an address, found nothing")
    if not address.is_address(text):
        return text
    found = ip_address(text)
    if found.is_multicast or found.is_unspecified or found.is_link_local or "%" in text:
        raise DeclarationError(path, f"{text} is not the address of one interface alone; only such can be probed")
    return str(found)


def _version(asked: int | None, ends: Mapping[str, str], path: str) -> int:
    """The IP version asked for, or else that of the addresses given, or else 4."""
    if asked not in (None, 4, 6):
        raise DeclarationError(under(path, "ip_version"), f"expected 4 or 6, found {asked}")
    for key, end in ends.items():
        if not address.is_address(end):
            continue
        version = address.version_of(end)
        if asked not in (None, version):
            raise DeclarationError(
                under(path, key), f"{end} is an IPv{version} address where an IPv{asked} one belongs"
            )
        asked = version
    return asked or 4

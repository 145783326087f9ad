# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's packet filter holds of a person's rules, and what it answers when it is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Union

from .connection import Drawn
from .firewall import End


@dataclass(frozen=True)
class Subnets:
    """The subnets that an engine has yet to give a network: they are known once it is made."""

    network: str
    version: int

    def __str__(self) -> str:
        return f"the subnets of {self.network}"


Element = Union[str, Drawn, Subnets]
"""A member of a set: a canonical address or subnet, or what an engine will draw."""


@dataclass(frozen=True)
class Ruleset:
    """A ruleset as the packet filter holds it, or is to.

    ``rules`` are the lines of its chain by IP version, as iptables-save prints them, without ``-A <chain>``; ``sets``
    are those that they match by, under the names of ipset. ``reached`` are the IP versions in which all that the host
    forwards comes by the chain.
    """

    rules: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    sets: Mapping[str, frozenset[Element]] = field(default_factory=dict)
    reached: frozenset[int] = frozenset()


def _no_objection(_version: int, _lines: tuple[str, ...]) -> tuple[int, str] | None:
    return None


def set_prefix(chain: str, version: int) -> str:
    """How the names of the sets begin that belong to the ruleset in ``chain``."""
    return f"BW{version}-{_digest(chain)[:6]}-"


def set_name(chain: str, end: End, version: int) -> str:
    """The name of the set of an end: no longer than the 31 characters of ipset, and readable as far as they go."""
    tail = re.sub(r"[^a-zA-Z0-9_.-]", "", end.value or end.kind)[:11]
    return f"{set_prefix(chain, version)}{_digest(f'{end.kind}:{end.value}')[:8]}-{tail}"


@dataclass(frozen=True)
class PacketFilter:
    """What the host's packet filter answers when it matters."""

    has_docker_user: Callable[[int], bool] = field(default=lambda _version: True, compare=False)
    """Whether the engine leads what is forwarded to DOCKER-USER, by IP version: where not, we do."""
    has_sets: Callable[[], bool] = field(default=lambda: True, compare=False)
    """Whether the host has ipset."""
    built_in: Callable[[int, str], tuple[str, tuple[str, ...]]] = field(
        default=lambda _version, chain: ("DROP" if chain == "FORWARD" else "ACCEPT", ()), compare=False
    )
    """The policy and the rules of a chain that every host has, by IP version and name."""
    objection: Callable[[int, tuple[str, ...]], tuple[int, str] | None] = field(default=_no_objection, compare=False)
    """The first of some rules, by its place, that iptables refuses, and its complaint."""


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()

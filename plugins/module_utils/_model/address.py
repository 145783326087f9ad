# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses in canonical form: what is compared must be spelt one way, whatever a user or an engine wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple, Union

from .errors import DeclarationError

Address = Union[IPv4Address, IPv6Address]
Prefix = Union[IPv4Network, IPv6Network]

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def address(text: str, path: str, version: int | None = None) -> str:
    """The canonical spelling of the address ``text``, of IP ``version`` 4 or 6 if one is asked for."""
    try:
        found = ip_address(text)
    except ValueError as error:
        raise DeclarationError(path, f"{text!r} is not an IP address") from error
    if "%" in text:
        raise DeclarationError(path, f"{text!r} has a zone, which is another one on each host and in each container")
    if version is not None and found.version != version:
        raise DeclarationError(path, f"{text} is an IPv{found.version} address where an IPv{version} one belongs")
    return str(found)


def is_address(text: str) -> bool:
    """Whether ``text`` is an address, and not a name or a subnet."""
    try:
        return "%" not in str(ip_address(text))
    except ValueError:
        return False


def prefix(text: str, path: str) -> str:
    """The canonical spelling of the subnet ``text``; host bits are an error that says what may have been meant."""
    try:
        loose = ip_network(text, strict=False)
    except ValueError as error:
        raise DeclarationError(path, f"{text!r} is not a subnet in CIDR form, as in 10.0.1.0/24") from error
    if "/" not in text:
        raise DeclarationError(path, f"{text!r} has no prefix length, as in 10.0.1.0/24")
    if str(ip_address(text.partition("/")[0])) != str(loose.network_address):
        raise DeclarationError(path, f"{text!r} has host bits set; the subnet is {loose}")
    return str(loose)


def mac(text: str, path: str) -> str:
    """The MAC address ``text`` in lower case with colons; a group address is an error."""
    canonical = text.lower().replace("-", ":")
    if not _MAC.fullmatch(canonical):
        raise DeclarationError(path, f"{text!r} is not a MAC address, as in 02:42:ac:11:00:02")
    if int(canonical[:2], 16) & 1:
        raise DeclarationError(path, f"{text!r} is a multicast MAC address; an endpoint needs a unicast one")
    return canonical


def observed(text: str | None) -> str | None:
    """An address as an engine or the kernel wrote it, in canonical form and without a prefix length."""
    return str(ip_address(text.partition("/")[0])) if text else None


def observed_prefix(text: str) -> str:
    """A subnet as an engine or the kernel wrote it, in canonical form."""
    return str(ip_network(text, strict=False))


def version_of(text: str) -> int:
    """4 or 6, for a canonical address or subnet."""
    return 6 if ":" in text else 4


def within(inner: str, outer: str) -> bool:
    """Whether a canonical address or subnet lies in the canonical subnet ``outer``."""
    small, large = _span(inner), _span(outer)
    return small.version == large.version and large.start <= small.start and small.end <= large.end


def overlap(one: str, other: str) -> bool:
    """Whether two canonical subnets share an address."""
    left, right = _span(one), _span(other)
    return left.version == right.version and left.start <= right.end and right.start <= left.end


def order(subnet: str) -> tuple[int, int, int]:
    """By which canonical subnets are sorted so that one which overlaps another one overlaps its neighbour."""
    span = _span(subnet)
    return span.version, span.start, -span.end


def edges(subnet: str) -> dict[str, str]:
    """The first and the last address of an IPv4 subnet of more than two: what they are kept for."""
    whole = ip_network(subnet)
    if whole.version == 6 or whole.num_addresses <= 2:
        return {}
    return {str(whole[0]): "the network address", str(whole[-1]): "the broadcast address"}


def first(range_: str, subnet: str) -> str:
    """The address that an engine takes for the gateway where nobody gave one: the first of the range to draw from."""
    start = ip_network(range_).network_address
    return str(start if start != ip_network(subnet).network_address else start + 1)


def home(one: str, subnets: Iterable[str]) -> str | None:
    """The one of ``subnets`` that holds the address ``one``."""
    return next((each for each in subnets if within(one, each)), None)


class _Span(NamedTuple):
    """The addresses of a subnet, as numbers from ``start`` to ``end``."""

    version: int
    start: int
    end: int


@lru_cache(maxsize=16384)
def _span(text: str) -> _Span:
    # A plan compares every route with every network: parsing each time took longer than the rest of it.
    found = ip_network(text)
    return _Span(found.version, int(found.network_address), int(found.broadcast_address))

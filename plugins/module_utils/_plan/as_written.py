# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the oracle reads ports, labels and subnets as a user writes them: by itself, for it is to judge how others do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from .reach import Address


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


_PORT = re.compile(r"(?:(\d+)(?:[-:](\d+))?)?/?([a-z]*)")


def is_port(ports: Sequence[Any], protocol: str, port: int) -> bool:
    """Whether a port is among those of an entry, which are of TCP where it does not say."""
    if not ports:
        return True
    for each in ports:
        found = _PORT.fullmatch(str(each).strip().lower())
        first, last, named_protocol = found.groups() if found else (None, None, "")
        if (named_protocol or "tcp") != protocol:
            continue
        if first is None or int(first) <= port <= int(last or first):
            return True
    return False


def covers(ports: Sequence[Any], port: int) -> bool:
    """Whether a port is among those of a rule, whose protocol is said elsewhere."""
    for each in ports:
        found = _PORT.fullmatch(str(each).strip().lower())
        if found and found[1] and int(found[1]) <= port <= int(found[2] or found[1]):
            return True
    return False


def ports_named(ports: Iterable[Any], protocol: str) -> Iterator[tuple[str, int]]:
    """The ports that a list names, with their protocol: of a range the first, the last and the one beyond."""
    for text in ports:
        found = _PORT.fullmatch(str(text).strip().lower())
        if found and found[1]:
            named = found[3] or protocol
            yield named, int(found[1])
            if found[2] and found[2] != found[1]:
                yield named, int(found[2])
                yield named, int(found[2]) + 1


def is_subnet(text: str) -> bool:
    """Whether an end is a subnet or an address, and no name."""
    if "/" in text.lstrip("/") or ":" in text:
        return True
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def within(one: Address, subnet: str) -> bool:
    """Whether a subnet holds an address."""
    whole = ip_network(subnet.strip(), strict=False)
    return whole.version == one.version and one in whole

# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between the hosts of a fleet: whom each is to ask, and what the two halves of each verdict come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._plan.reach import Address, Verdict, both
from ansible_collections.breakwater.docker.plugins.module_utils._plan.table import counted

Told = Mapping[str, Any]
"""What the module ``survey`` has returned, or of it ``survey`` alone; empty where a host was not reached."""
_OTHERS = "another host has the same address"
_SILENT = "the other host did not say what it lets in"


_Block = tuple[int, int, int]
"""A subnet by IP version, length and number: to look one up among thousands, for each pair of hosts."""


@dataclass(frozen=True)
class _Host:
    """A host that is joined to others: whom it lets them reach, and where its own ways lead."""

    name: str
    ends: tuple[tuple[str, Address], ...]
    remote: frozenset[_Block]
    rows: int
    ports: frozenset[int]


def remote(surveys: Mapping[str, Told], cells: int) -> dict[str, dict[str, Any]]:
    """The containers that each joined host is to ask, and on which ports, as ``survey`` takes them.

    A fleet may have more than ``cells`` of one host. Then each asks those that come next to it in the order of their
    names, on both sides, so that whoever asks is asked.
    """
    hosts = [each for name in sorted(surveys) if (each := _host(name, surveys[name])) is not None]
    owners = Counter(one for each in hosts for _name, one in each.ends)
    ports = sorted(frozenset().union(*(each.ports for each in hosts)))
    lengths = {(version, length) for each in hosts for version, length, _number in each.remote}
    blocks = {one: {_block(one, each) for version, each in lengths if version == one.version} for one in owners}
    distance = _distance(hosts, cells // (len(ports) + 1))
    found = {}
    for number, each in enumerate(hosts):
        around = _around(hosts, number, distance)
        asked = [(other, end) for other in around for end in other.ends if not each.remote.isdisjoint(blocks[end[1]])]
        if asked:
            found[each.name] = {
                "remote": [
                    {"name": f"{other.name}/{name}", "address": str(one)}
                    for other, (name, one) in asked
                    if owners[one] == 1
                ],
                "remote_ports": ports,
                "ambiguous": sorted({str(one) for _other, (_name, one) in asked if owners[one] > 1}),
                "left_out": len(hosts) - 1 - len(around),
            }
    return found


def _host(name: str, survey: Told) -> _Host | None:
    joined = survey.get("joined")
    if not joined:
        return None
    local = [ip_network(subnet) for each in joined for subnet in each["local"]]
    ends = (
        (container["name"], one)
        for container in survey["containers"]
        for addresses in container["networks"].values()
        for one in map(ip_address, addresses)
        if any(one in subnet for subnet in local)
    )
    remote = frozenset(_subnet(subnet) for each in joined for subnet in each["remote"])
    return _Host(name, tuple(ends), remote, len(survey["containers"]), frozenset(survey["ports"]))


@lru_cache(maxsize=1 << 16)  # each host of a mesh tells the subnets of all others
def _subnet(text: str) -> _Block:
    found = ip_network(text)
    return _block(found.network_address, found.prefixlen)


def _block(one: Address, length: int) -> _Block:
    return one.version, length, int(one) >> (one.max_prefixlen - length)


def _distance(hosts: Sequence[_Host], pairs: int) -> int:
    """How far from itself each host asks, so that none has more ``pairs`` of containers; at least its neighbours."""
    distance, asked = 0, [0] * len(hosts)
    while 2 * distance + 1 < len(hosts):
        for number in range(len(hosts)):
            asked[number] += sum(len(other.ends) for other in _at(hosts, number, distance + 1))
        if distance and any(each.rows * ends > pairs for each, ends in zip(hosts, asked)):
            break
        distance += 1
    return distance


def _around(hosts: Sequence[_Host], number: int, distance: int) -> list[_Host]:
    """The hosts of a ring that are no further than ``distance`` from one of them."""
    return [other for each in range(1, distance + 1) for other in _at(hosts, number, each)]


def _at(hosts: Sequence[_Host], number: int, distance: int) -> list[_Host]:
    """The two hosts of a ring, or the one, at a distance from one of them."""
    places = dict.fromkeys((number + step) % len(hosts) for step in (distance, -distance))
    return [hosts[each] for each in places]


def across(asked: Mapping[str, Mapping[str, Any]], told: Mapping[str, Told]) -> dict[str, dict[str, Any]]:
    """What each host is to measure: expectations of ``probe``, by what both ends have ``told``, and what is not judged.

    ``asked`` is what ``remote`` has found. The names of others' containers come with it, by address.
    """
    arriving = {_key(each): each for name in asked for each in told.get(name, {}).get("arriving", ())}
    return {name: _measured(each, told.get(name, {}), arriving) for name, each in asked.items()}


def _measured(
    asked: Mapping[str, Any], told: Told, arriving: Mapping[tuple[Any, ...], Mapping[str, Any]]
) -> dict[str, Any]:
    expectations: list[dict[str, Any]] = []
    unjudged = [(_OTHERS, one) for one in asked["ambiguous"]]
    for each in told.get("leaving", ()):
        found = both((_half(each), _half(arriving.get(_key(each)))))
        if found.expect:
            expectations.append(_expectation(each, found.expect))
        else:
            unjudged.append((found.reason, _title(each)))
    return {
        "expectations": expectations,
        "names": {each["address"]: each["name"] for each in asked["remote"]},
        "unjudged": counted(unjudged),
        "left_out": asked["left_out"],
    }


def _half(cell: Mapping[str, Any] | None) -> Verdict:
    return Verdict(cell["expect"], cell["reason"]) if cell else Verdict("", _SILENT)


def _key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return cell["source"], cell["address"], cell["protocol"], cell["port"]


def _expectation(cell: Mapping[str, Any], expect: str) -> dict[str, Any]:
    found = {"from": cell["from"], "to": cell["address"], "protocol": cell["protocol"], "expect": expect}
    return {**found, "port": cell["port"]} if cell["port"] else found


def _title(cell: Mapping[str, Any]) -> str:
    what = f"{cell['protocol']}/{cell['port']}" if cell["port"] else cell["protocol"]
    return f"{cell['from']} to {cell['to']} {what}"

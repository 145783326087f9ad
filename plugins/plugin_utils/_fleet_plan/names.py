# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that hold in the whole fleet: of containers with fixed addresses, and of the ends that a policy names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.address import within
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.policy import POLICY_SPEC, Policy
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near, read, under

from .members import Member
from .words import variable


def names(members: Iterable[Member], nodes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The containers that all may name, each with ``name``, ``address`` and ``host``; DeclarationError at a clash."""
    found: dict[str, dict[str, Any]] = {}
    for member in members:
        subnets = nodes[member.name]["subnets"] if member.name in nodes else ()
        for name, address in sorted(member.names.items()):
            path = under(member.at("names"), name)
            if name in nodes:
                raise DeclarationError(path, f"'{name}' is a host or a peer of the fleet already")
            if name in found:
                raise DeclarationError(
                    path, f"'{name}' is {address} here and {found[name]['address']} on '{found[name]['host']}'"
                )
            if subnets and not any(within(address, each) for each in subnets):
                raise DeclarationError(path, f"{address} is in none of the host's subnets: {', '.join(subnets)}")
            found[name] = {"name": name, "address": address, "host": member.name}
    return list(found.values())


def of_absent(absent: Iterable[str], hostvars: Mapping[str, Any]) -> list[str]:
    """The names of containers on hosts that leave the fleet."""
    variables = (hostvars[host] for host in absent if host in hostvars)
    return [str(name) for each in variables if variable("names") in each for name in each[variable("names")] or ()]


def policy(
    given: Mapping[str, Any],
    named: Iterable[Mapping[str, Any]],
    nodes: Mapping[str, Mapping[str, Any]],
    gone: Iterable[str],
) -> dict[str, Any]:
    """The policy ``given``, with the subnets or the address of each remote end in its place.

    An entry that is all about who is ``gone`` goes with him.
    """
    path = variable("policy")
    args = read(POLICY_SPEC, given, path)
    remotes: dict[str, Sequence[str]] = dict.fromkeys(gone, ())
    remotes.update({name: node["subnets"] for name, node in nodes.items()})
    remotes.update({each["name"]: [str(ip_network(each["address"]))] for each in named})
    allowed = []
    for n, entry in enumerate(args["allow"]):
        where = f"{under(path, 'allow')}[{n}]"
        ends = {key: _resolved(entry[key], remotes, under(where, key)) for key in ("from", "to")}
        if [] not in ends.values():
            allowed.append({**entry, **ends})
    resolved = {**given, "allow": allowed} if args["allow"] else dict(given)
    Policy.read(read(POLICY_SPEC, resolved, path), path, "fleet")
    return resolved


def _resolved(given: Any, remotes: Mapping[str, Sequence[str]], path: str) -> Any:
    if isinstance(given, (list, tuple)):
        listed = [_resolved(each, remotes, f"{path}[{n}]") for n, each in enumerate(given)]
        return [one for each in listed for one in (each if isinstance(each, list) else [each])]
    if not isinstance(given, Mapping) or "remote" not in given:
        return given
    name = given["remote"]
    if len(given) > 1:
        others = ", ".join(str(key) for key in given if key != "remote")
        raise DeclarationError(path, f"remote says it all, found {others} beside it")
    if name not in remotes:
        raise DeclarationError(under(path, "remote"), f"the fleet has no '{name}'; {near(str(name), remotes)}")
    return [{"cidr": each} for each in remotes[name]]

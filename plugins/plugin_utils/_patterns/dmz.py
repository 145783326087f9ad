# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pattern dmz: edge services that the outside reaches, inner ones that it does not, and one declared way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from itertools import groupby
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.limit import LIMIT_SPEC, Limit
from ansible_collections.breakwater.docker.plugins.module_utils._model.policy import WORLD, Ports, Selector
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near, read, under

from .tiers import EXPOSED_SPEC, MEMBERS_SPEC, TIER_SPEC, Tier, check_no_cycle, check_once, ports_of, topology_of

_CALLS = {"calls": TIER_SPEC["calls"], "egress": {"type": "bool", "default": False}}
RATED_SPEC: dict[str, dict[str, Any]] = {**EXPOSED_SPEC, "limit": {"type": "dict", "options": LIMIT_SPEC}}
EDGE_SPEC: dict[str, dict[str, Any]] = {**MEMBERS_SPEC, "exposes": {**TIER_SPEC["exposes"], "required": True}, **_CALLS}
INNER_SPEC: dict[str, dict[str, Any]] = {**MEMBERS_SPEC, **_CALLS}
EGRESS_SPEC: dict[str, dict[str, Any]] = {
    **MEMBERS_SPEC,
    "name": {"type": "str", "default": "egress"},
    "ports": {"type": "list", "elements": "str", "required": True},
    "to": {"type": "raw", "default": True},
}
MANAGEMENT_SPEC: dict[str, dict[str, Any]] = {
    "to": {"type": "str", "required": True},
    "ports": EXPOSED_SPEC["ports"],
    "sources": {"type": "list", "elements": "str", "required": True},
}
SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "edge": {"type": "list", "elements": "raw", "required": True},
    "inner": {"type": "list", "elements": "raw", "default": []},
    "egress": {"type": "raw"},
    "management": {"type": "list", "elements": "dict", "options": MANAGEMENT_SPEC, "default": []},
    "networks": {"type": "dict", "default": {}},
    "log": {"type": "bool", "default": True},
}


def dmz(args: Mapping[str, Any]) -> dict[str, Any]:
    """The topology that ``args``, which SPEC has accepted, come to; DeclarationError names the field."""
    proxy = _proxy(args["egress"], "egress") if args["egress"] else None
    edge = [_service(EDGE_SPEC, each, f"edge[{n}]", proxy) for n, each in enumerate(args["edge"])]
    inner = [_service(INNER_SPEC, each, f"inner[{n}]", proxy) for n, each in enumerate(args["inner"])]
    if not edge:
        raise DeclarationError("edge", "lists none; without an edge service nothing is reached from outside")
    tiers = [*edge, *inner, *([proxy[0]] if proxy else [])]
    check_once(tiers)
    _check_calls(edge, inner, proxy)
    check_no_cycle(tiers, "a service behind another one does not call it")
    limits = [rule for n, tier in enumerate(edge) for rule in _limits(tier, args["edge"][n]["exposes"], args["name"])]
    tiers = _managed(tiers, args["management"], "management")
    topology = topology_of(args["name"], tiers, args["networks"], args["log"])
    return {**topology, "rules": [_FLOWING, *limits] if limits else []}


Proxy = tuple[Tier, "tuple[str, ...]"]
"""The tier of the egress proxy, and the ports by which others call it."""

_FLOWING = {"action": "allow", "state": ["ESTABLISHED", "RELATED"], "comment": "what has begun goes on"}


def _proxy(given: Any, path: str) -> Proxy:
    args = read(EGRESS_SPEC, given, path)
    members = {key: args[key] for key in MEMBERS_SPEC}
    way_out = args["to"]
    if way_out is False or way_out == []:
        raise DeclarationError(under(path, "to"), "leads nowhere; leave the egress proxy out")
    return Tier.read({**members, "egress": way_out}, path), ports_of(args["ports"], under(path, "ports"))


def _service(spec: Mapping[str, Mapping[str, Any]], given: Any, path: str, proxy: Proxy | None) -> Tier:
    args = read(spec, given, path)
    exposes = [_rated(each, f"{path}.exposes[{n}]")[0] for n, each in enumerate(args.pop("exposes", []))]
    if "exposes" in spec and not exposes:
        raise DeclarationError(under(path, "exposes"), "lists no port; a service that the outside never calls is inner")
    has_way_out = args.pop("egress")
    if has_way_out and proxy is None:
        raise DeclarationError(under(path, "egress"), "there is no egress proxy to go by; declare one as egress")
    calls = {**args["calls"], **({proxy[0].name: list(proxy[1])} if has_way_out and proxy else {})}
    return Tier.read({**args, "calls": calls, "exposes": exposes}, path)


def _rated(given: Any, path: str) -> tuple[Any, Mapping[str, Any] | None]:
    """What is exposed as a tier declares it, and the limit of each source, if there is one."""
    if not isinstance(given, Mapping):
        return given, None
    args = read(RATED_SPEC, given, path)
    limit = args.pop("limit")
    Limit.read(limit, under(path, "limit"))
    return args, limit


def _check_calls(edge: Sequence[Tier], inner: Sequence[Tier], proxy: Proxy | None) -> None:
    """DeclarationError where a service calls one that is not inside: the edge, or nobody of that name."""
    inside = [tier.name for tier in inner]
    for tier in (*edge, *inner):
        for callee in tier.calls:
            if callee in (each.name for each in edge):
                raise DeclarationError(
                    f"{tier.path}.calls.{callee}",
                    f"'{callee}' is at the edge, which the outside calls",
                )
            if callee not in inside and not (proxy and callee == proxy[0].name):
                raise DeclarationError(
                    f"{tier.path}.calls.{callee}", f"there is no inner service '{callee}'; {near(callee, inside)}"
                )


def _managed(tiers: Sequence[Tier], management: Sequence[Mapping[str, Any]], path: str) -> list[Tier]:
    """The ``tiers`` with what the managers may reach: from their addresses alone."""
    by_name = {tier.name: tier for tier in tiers}
    for n, each in enumerate(management):
        where = f"{path}[{n}]"
        tier = by_name.get(each["to"])
        if tier is None:
            raise DeclarationError(f"{where}.to", f"there is no service '{each['to']}'; {near(each['to'], by_name)}")
        for m, source in enumerate(each["sources"]):
            _check_narrow(source, f"{where}.sources[{m}]")
        opened = tier.opened({key: each[key] for key in ("ports", "sources")}, where)
        by_name[tier.name] = replace(tier, exposes=(*tier.exposes, opened))
    return list(by_name.values())


def _check_narrow(source: str, path: str) -> None:
    end = Selector.read(source, path)
    if end.kind == WORLD or (end.kind == "cidr" and ip_network(end.value).prefixlen == 0):
        raise DeclarationError(path, f"'{source}' is everybody; say from which addresses the services are managed")
    if end.kind != "cidr":
        raise DeclarationError(path, f"expected an address or a CIDR of the outside, found {source!r}")


def _limits(tier: Tier, exposes: Sequence[Any], name: str) -> Iterator[dict[str, Any]]:
    """The rules that keep each source to its rate: new connections up to it, none beyond."""
    for n, given in enumerate(exposes):
        exposed, limit = _rated(given, f"{tier.path}.exposes[{n}]")
        if limit is None:
            continue
        ports = [Ports.read(each, f"{tier.path}.exposes[{n}]") for each in exposed["ports"]]
        ports.sort(key=lambda each: (str(each.protocol), each.first, each.last))
        for protocol, group in groupby(ports, key=lambda each: each.protocol):
            if protocol == "icmp":
                raise DeclarationError(f"{tier.path}.exposes[{n}].limit", "counts connections; icmp has none")
            match = {
                "destination": {"network": f"{name}-{tier.name}"},
                "protocol": protocol,
                "ports": [f"{each.first}-{each.last}" for each in group],
                "state": ["NEW"],
            }
            yield {"action": "allow", **match, "limit": {**limit, "per": "source"}}
            yield {
                "action": "drop",
                **match,
                "log_prefix": f"{name} rate: "[:29],
                "log_limit": {"rate": "10/minute"},
                "comment": f"{tier.name}: more than {limit['rate']} from one source",
            }

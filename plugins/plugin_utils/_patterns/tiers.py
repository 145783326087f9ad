# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiers of containers, each on one network with each tier that it calls: as they are declared, and as a topology."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.policy import HOST, WORLD, Ports, Selector
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near, read, under

from .parts import add_options, container

MEMBERS_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "containers": {"type": "list", "elements": "raw", "default": []},
    "labels": {"type": "str"},
    "start": {"type": "dict", "default": {}},
}
EXPOSED_SPEC: dict[str, dict[str, Any]] = {
    "ports": {"type": "list", "elements": "str", "required": True},
    "sources": {"type": "list", "elements": "raw", "default": [WORLD]},
}
EGRESS_SPEC: dict[str, dict[str, Any]] = {
    "to": {"type": "list", "elements": "raw", "default": [WORLD]},
    "ports": {"type": "list", "elements": "str", "default": []},
}
TIER_SPEC: dict[str, dict[str, Any]] = {
    **MEMBERS_SPEC,
    "exposes": {"type": "list", "elements": "raw", "default": []},
    "calls": {"type": "dict", "default": {}},
    "egress": {"type": "raw", "default": False},
}

Entry = dict[str, Any]
"""An entry of a policy: from, to, ports."""


@dataclass(frozen=True)
class Tier:
    """Containers of one kind, and whom they talk to.

    ``started`` are the options of those that the play starts; ``exposes`` and ``egress`` are the entries of the policy
    that let the outside in, and them out; ``calls`` the ports of each tier that they call, none for all of them.
    """

    name: str
    path: str
    containers: tuple[str, ...]
    labels: str | None
    started: tuple[Mapping[str, Any], ...]
    exposes: tuple[Entry, ...]
    calls: Mapping[str, tuple[str, ...]]
    egress: tuple[Entry, ...]

    @classmethod
    def read(cls, given: Any, path: str) -> Tier:
        """The tier that ``given`` declares; DeclarationError names the field."""
        args = read(TIER_SPEC, given, path)
        containers = [
            container(each, args["start"], f"{path}.containers[{n}]") for n, each in enumerate(args["containers"])
        ]
        if not containers and not args["labels"]:
            raise DeclarationError(path, f"tier '{args['name']}' has neither containers nor labels; name who is in it")
        if args["labels"]:
            Selector.read({"labels": args["labels"]}, path)
        if args["start"] and not containers:
            raise DeclarationError(under(path, "start"), "goes with containers, which it says how to start")
        names = tuple(each["name"] for each in containers)
        tier = cls(
            name=args["name"],
            path=path,
            containers=names,
            labels=args["labels"],
            started=tuple(each for each in containers if len(each) > 1),
            exposes=(),
            calls={
                callee: ports_of(ports, f"{path}.calls.{callee}", required=False)
                for callee, ports in args["calls"].items()
            },
            egress=(),
        )
        exposes = tuple(tier.opened(each, f"{path}.exposes[{n}]") for n, each in enumerate(args["exposes"]))
        egress = tuple(tier.way_out(args["egress"], under(path, "egress")))
        _check_exposed_once(exposes, under(path, "exposes"))
        return cls(**{**vars(tier), "exposes": exposes, "egress": egress})

    @property
    def members(self) -> list[Any]:
        """Who is in it, as the ends of a policy name them."""
        named = [{"container": each} if each in (HOST, WORLD) else each for each in self.containers]
        return [*named, *([{"labels": self.labels}] if self.labels else [])]

    @property
    def is_outward(self) -> bool:
        """Whether it needs a network that has a way to the outside."""
        return bool(self.exposes or self.egress)

    def opened(self, given: Any, path: str) -> Entry:
        """The entry that lets the outside in to the ports of ``given``: one port, or ports and their sources."""
        if not isinstance(given, Mapping):
            given, path_of_ports = {"ports": [given]}, path
        else:
            path_of_ports = under(path, "ports")
        args = read(EXPOSED_SPEC, given, path)
        ports = ports_of(args["ports"], path_of_ports)
        for n, each in enumerate(args["sources"]):
            Selector.read(each, f"{path}.sources[{n}]")
        return {"from": args["sources"], "to": self.members, "ports": list(ports)}

    def way_out(self, given: Any, path: str) -> Iterator[Entry]:
        """The entries that let them out: to everywhere (true), nowhere (false), or as a list says."""
        if isinstance(given, list):
            for n, each in enumerate(given):
                where = f"{path}[{n}]"
                args = read(EGRESS_SPEC, each, where)
                for m, one in enumerate(args["to"]):
                    Selector.read(one, f"{where}.to[{m}]")
                ports = ports_of(args["ports"], f"{where}.ports", required=False)
                yield _entry(self.members, args["to"], ports)
        elif read({"egress": {"type": "bool"}}, {"egress": given}, path.rpartition(".")[0])["egress"]:
            yield _entry(self.members, [WORLD], ())


def check_once(tiers: Iterable[Tier]) -> None:
    """DeclarationError where two tiers have one name, or one container is in two of them."""
    names: dict[str, str] = {}
    homes: dict[str, str] = {}
    for tier in tiers:
        if tier.name in names:
            raise DeclarationError(
                f"{tier.path}.name", f"tier '{tier.name}' is declared already, as {names[tier.name]}"
            )
        names[tier.name] = tier.path
        for n, each in enumerate(tier.containers):
            if each in homes:
                raise DeclarationError(
                    f"{tier.path}.containers[{n}]", f"container '{each}' is in tier '{homes[each]}' already"
                )
            homes[each] = tier.name


def topology_of(name: str, tiers: Sequence[Tier], networks: Mapping[str, Any], log: bool = False) -> dict[str, Any]:
    """The topology of ``tiers``: their networks, who is on them, and a policy that denies what is not declared.

    ``networks`` adds options of the module ``network`` to those networks that it names as ``<tier>``, the one by which
    a tier is open to the outside, or as ``<caller>-<callee>``.
    """
    by_name = {tier.name: tier for tier in tiers}
    links = _links(tiers, by_name)
    outward = [tier.name for tier in tiers if tier.is_outward]
    made: dict[str, dict[str, Any]] = {key: {"name": f"{name}-{key}"} for key in outward}
    for key in links.values():
        if key in made:
            raise DeclarationError(
                by_name[key].path, f"the network of tier '{key}' and the one between two tiers would share a name"
            )
        made[key] = {"name": f"{name}-{key}", "internal": True}
    add_options(made, networks)
    return {
        "name": name,
        "networks": list(made.values()),
        "containers": [dict(each) for tier in tiers for each in tier.started],
        "connections": [each for tier in tiers for each in _connections(tier, by_name, links, made)],
        "policy": {"default": "deny", "log": log, "allow": list(_allowed(tiers, by_name))},
        "prune": True,
    }


def check_no_cycle(tiers: Sequence[Tier], remedy: str) -> None:
    """DeclarationError where tiers call each other in a ring, which one of them calls itself is not."""
    calls = {tier.name: [each for each in tier.calls if each != tier.name] for tier in tiers}
    paths = {tier.name: tier.path for tier in tiers}
    done: set[str] = set()

    def follow(name: str, way: list[str]) -> None:
        for callee in calls.get(name, ()):
            if callee in way:
                ring = " → ".join([*way[way.index(callee) :], callee])
                raise DeclarationError(f"{paths[name]}.calls.{callee}", f"closes the ring {ring}; {remedy}")
            if callee not in done:
                follow(callee, [*way, callee])
        done.add(name)

    for tier in tiers:
        if tier.name not in done:
            follow(tier.name, [tier.name])


def ports_of(given: Any, path: str, required: bool = True) -> tuple[str, ...]:
    """The ports of a list, each once; DeclarationError names the one that is wrong."""
    listed = given if isinstance(given, (list, tuple)) else [given]
    if not listed and required:
        raise DeclarationError(path, "lists no port")
    seen: dict[Ports, str] = {}
    for n, each in enumerate(listed):
        where = f"{path}[{n}]" if len(listed) > 1 else path
        ports = Ports.read(str(each), where)
        if ports in seen:
            raise DeclarationError(where, f"{ports} is listed already, as {seen[ports]}")
        seen[ports] = where
    return tuple(str(each) for each in listed)


def _check_exposed_once(exposes: Iterable[Entry], path: str) -> None:
    seen: set[tuple[str, str]] = set()
    for n, entry in enumerate(exposes):
        for source in entry["from"]:
            for each in entry["ports"]:
                if (str(source), str(Ports.read(each, path))) in seen:
                    raise DeclarationError(f"{path}[{n}]", f"{each} is exposed to {source} already")
                seen.add((str(source), str(Ports.read(each, path))))


def _links(tiers: Sequence[Tier], by_name: Mapping[str, Tier]) -> dict[frozenset[str], str]:
    """The network between each two tiers, by both their names: two that call each other share one."""
    links: dict[frozenset[str], str] = {}
    for tier in tiers:
        for callee in tier.calls:
            if callee not in by_name:
                raise DeclarationError(
                    f"{tier.path}.calls.{callee}", f"there is no tier '{callee}'; {near(callee, by_name)}"
                )
            links.setdefault(frozenset((tier.name, callee)), f"{tier.name}-{callee}")
    for tier in tiers:
        if not tier.is_outward and not any(tier.name in ends for ends in links):
            raise DeclarationError(
                tier.path,
                f"tier '{tier.name}' is on no network: it calls nobody, and nobody calls it",
            )
    return links


def _connections(
    tier: Tier,
    by_name: Mapping[str, Tier],
    links: Mapping[frozenset[str], str],
    made: Mapping[str, Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """The networks of each of a tier's containers, on which its callers find it by the name of the tier."""
    networks: list[dict[str, Any]] = [{"name": made[tier.name]["name"]}] if tier.is_outward else []
    for ends, key in links.items():
        if tier.name in ends:
            is_called = any(tier.name in by_name[each].calls for each in ends - {tier.name} or ends)
            networks.append({"name": made[key]["name"], "aliases": [tier.name] if is_called else []})
    selected = [{"container": each} for each in tier.containers]
    for each in [*selected, *([{"labels": tier.labels}] if tier.labels else [])]:
        yield {**each, "networks": networks, "exclusive": True}


def _allowed(tiers: Sequence[Tier], by_name: Mapping[str, Tier]) -> Iterator[Entry]:
    for tier in tiers:
        yield from tier.exposes
        for callee, ports in tier.calls.items():
            yield _entry(tier.members, by_name[callee].members, ports)
        yield from tier.egress


def _entry(sources: Any, destinations: Any, ports: Iterable[str]) -> Entry:
    return {"from": sources, "to": destinations, "ports": list(ports)}

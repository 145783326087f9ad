# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers and their endpoints between the engine's JSON and the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, replace
from typing import Any

from .._model import address
from .._model.connection import Container, LiveEndpoint, Published, Settings
from .._model.errors import HostError
from .._model.step import Connect


class Containers(Mapping[str, Container]):
    """Containers by full ID, each inspected when it is first looked at."""

    def __init__(self, ids: Iterable[str], inspect: Callable[[Iterable[str]], list[dict[str, Any]]]) -> None:
        self._ids = tuple(ids)
        self._inspect = inspect
        self._seen: dict[str, Container] = {}

    def prefetch(self, ids: Iterable[str]) -> None:
        """Inspect many at once."""
        unseen = sorted(set(ids) - set(self._seen))
        for found in self._inspect(unseen) if unseen else ():
            self._seen[found["Id"]] = observed(found)

    def __getitem__(self, container_id: str) -> Container:
        if container_id not in self._seen:
            if container_id not in self._ids:
                raise KeyError(container_id)
            self.prefetch((container_id,))
        if container_id not in self._seen:
            raise HostError(f"container {container_id[:12]} was removed while it was looked at; run the task again")
        return self._seen[container_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def observed(found: Mapping[str, Any]) -> Container:
    """The container of GET /containers/<id>/json."""
    running = bool(found["State"].get("Running"))
    networks = found["NetworkSettings"].get("Networks") or {}
    mode = (found.get("HostConfig") or {}).get("NetworkMode") or "default"
    pid = found["State"].get("Pid")
    netns = f"/proc/{pid}/ns/net" if running and pid else None
    return Container(
        found["Id"],
        found["Name"].lstrip("/"),
        running,
        mode,
        {}
        if mode in ("host", "none")
        else {name: _endpoint(name, each, found, running) for name, each in networks.items() if _is_real(each, netns)},
        netns,
        (found.get("Config") or {}).get("Labels") or {},
        hosts_path=found.get("HostsPath") or "",
    )


def listed(found: Mapping[str, Any]) -> Container:
    """The container of one entry of GET /containers: of its settings, those addresses that wait for its start."""
    running = found.get("State") in ("running", "paused")
    mode = (found.get("HostConfig") or {}).get("NetworkMode") or "default"
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    endpoints = {
        name: LiveEndpoint(
            each.get("NetworkID") or "",
            name,
            Settings() if running else _fixed(each),
            address.observed(each.get("IPAddress")) if running else None,
            address.observed(each.get("GlobalIPv6Address")) if running else None,
        )
        for name, each in (networks.items() if mode not in ("host", "none") else ())
    }
    return Container(
        found["Id"],
        own_name(found) or found["Id"][:12],
        running,
        mode,
        endpoints,
        None,
        found.get("Labels") or {},
        tuple(sorted(_published(found.get("Ports") or ()), key=astuple)),
    )


def _published(ports: Iterable[Mapping[str, Any]]) -> Iterator[Published]:
    for each in ports:
        host = address.observed(each.get("IP"))
        if each.get("PublicPort") and host:
            yield Published(str(each["Type"]), int(each["PrivatePort"]), host, int(each["PublicPort"]))


def own_name(found: Mapping[str, Any]) -> str | None:
    """The name of an entry of GET /containers: one that another container links to has a second, as in /other/alias."""
    return next((name[1:] for name in found.get("Names") or () if "/" not in name[1:]), None)


def _is_real(found: Mapping[str, Any], netns: str | None) -> bool:
    """Whether there is an endpoint: where a connect has failed, engines leave a running container the mere wish."""
    return bool(found.get("EndpointID")) or netns is None


def _endpoint(name: str, found: Mapping[str, Any], container: Mapping[str, Any], running: bool) -> LiveEndpoint:
    link_local = (found.get("IPAMConfig") or {}).get("LinkLocalIPs") or ()
    # Engines before 25.0 list the container's short ID among the aliases.
    aliases = {each for each in found.get("Aliases") or () if each != container["Id"][:12]}
    return LiveEndpoint(
        found["NetworkID"],
        name,
        replace(
            _fixed(found),
            link_local_ips=tuple(sorted(str(address.observed(each)) for each in link_local)),
            aliases=tuple(sorted(aliases)),
            links=tuple(sorted(found.get("Links") or ())),
            driver_opts=found.get("DriverOpts") or {},
            gw_priority=found.get("GwPriority") or 0,
        ),
        address.observed(found.get("IPAddress")) if running else None,
        address.observed(found.get("GlobalIPv6Address")) if running else None,
        _mac(name, found, container),
        tuple(str(address.observed(each)) for each in (found.get("Gateway"), found.get("IPv6Gateway")) if each),
    )


def _fixed(found: Mapping[str, Any]) -> Settings:
    """The addresses that an endpoint was asked to have."""
    ipam = found.get("IPAMConfig") or {}
    return Settings(address.observed(ipam.get("IPv4Address")), address.observed(ipam.get("IPv6Address")))


def _mac(name: str, found: Mapping[str, Any], container: Mapping[str, Any]) -> str | None:
    """The MAC address in use; for a stopped container the one that it was started with, where engines tell."""
    mac = found.get("MacAddress")
    if not mac and name == (container.get("HostConfig") or {}).get("NetworkMode"):
        mac = (container.get("Config") or {}).get("MacAddress")
    return mac.lower() if mac else None


def body(action: Connect, keep: bool) -> dict[str, Any]:
    """What POST /networks/<id>/connect wants as the endpoint; ``keep`` asks for the addresses it had, too."""
    settings = action.settings
    ipv4 = settings.ipv4_address or (action.keep_ipv4 if keep else None)
    ipv6 = settings.ipv6_address or (action.keep_ipv6 if keep else None)
    ipam = {
        key: value
        for key, value in (
            ("IPv4Address", ipv4),
            ("IPv6Address", ipv6),
            ("LinkLocalIPs", list(settings.link_local_ips)),
        )
        if value
    }
    # Empty or not, as the docker command sends them: engines tell in inspect what they were given.
    wanted: dict[str, Any] = {
        "IPAMConfig": ipam,
        "Aliases": list(settings.aliases),
        "DriverOpts": dict(settings.driver_opts),
    }
    optional = {
        "Links": list(settings.links),
        "MacAddress": settings.mac_address or (action.keep_mac if keep else None),
        "GwPriority": settings.gw_priority,
    }
    return {**wanted, **{key: value for key, value in optional.items() if value}}

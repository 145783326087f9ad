# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a declaration is gone after a restart, a flush or a reboot, unless a keeper brings it back."""

from __future__ import annotations

from .._model.firewall import Firewall
from .._model.hosts_file import HostsFile
from .._model.policy import Policy
from .._model.route import Routes
from .._model.sysctl import Sysctls
from .._model.topology import Topology
from .._model.tunnel import Tunnel
from .._model.world import World


def of_routes(declared: Routes, _world: World) -> list[str]:
    """The routes inside a container: they go with its namespace."""
    if not any(each.state == "present" for each in declared.routes):
        return []
    return [f"routes in {declared.container}: gone when it restarts or is reconnected"]


def of_sysctls(declared: Sysctls, _world: World) -> list[str]:
    """Kernel parameters of a container: they go with its namespaces. The host has its own written down."""
    if declared.container is None or declared.state == "absent":
        return []
    return [f"sysctls of {declared.container}: gone when it restarts or is reconnected"]


def of_firewall(declared: Firewall, _world: World) -> list[str]:
    """Rules: iptables forgets them with the kernel."""
    return (
        [f"ruleset {declared.name}: gone when the host reboots, or somebody flushes iptables"] if declared.rules else []
    )


def of_policy(declared: Policy, _world: World) -> list[str]:
    """A policy: nftables forgets it with the kernel."""
    if declared.state == "absent" or declared.default == "allow":
        return []
    return [f"policy {declared.name}: gone when the host reboots, or somebody flushes nftables"]


def of_tunnel(declared: Tunnel, _world: World) -> list[str]:
    """A tunnel: interface, routes and what fences it in go with the kernel."""
    return [] if declared.state == "absent" else [f"tunnel {declared.name}: gone when the host reboots"]


def of_hosts_file(declared: HostsFile, _world: World) -> list[str]:
    """Names in the hosts files of containers: an engine writes these anew."""
    if declared.state == "absent" or not declared.entries:
        return []
    return [f"{declared}: gone when {'it' if declared.container else 'a container'} restarts"]


def of_topology(declared: Topology, world: World) -> list[str]:
    """All of this in a topology, where no keeper runs on the host."""
    if world.kept or declared.state == "absent":
        return []
    found = [each for routes in declared.routes for each in of_routes(routes, world)]
    found += [each for sysctls in declared.sysctls for each in of_sysctls(sysctls, world)]
    found += [each for tunnel in declared.tunnels for each in of_tunnel(tunnel, world)]
    found += [each for files in declared.hosts_files for each in of_hosts_file(files, world)]
    if declared.rules:
        found += of_firewall(Firewall.of_topology(declared.name, declared.rules), world)
    return found + (of_policy(declared.policy, world) if declared.policy else [])

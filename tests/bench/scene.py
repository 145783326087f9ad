# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured on: networks, containers on three of them each, and routes, as tasks of ours and of the peers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Task = Mapping[str, Any]

IMAGE = "breakwater/workload:latest"
_NETWORKS_EACH = 3

PING: Task = {"ansible.builtin.ping": {}}


@dataclass(frozen=True)
class Scene:
    """``containers`` on a ring of as many networks or more; ``inner`` routes lead to other networks of the scene."""

    networks: int
    containers: int = 0
    routes_each: int = 0
    inner: bool = False

    @property
    def names(self) -> list[str]:
        """The containers' names."""
        return [_container(each) for each in range(self.containers)]

    def declared_networks(self) -> list[dict[str, Any]]:
        """Items of ``networks``."""
        return [{"name": _network(n), "ipam_config": [{"subnet": _subnet(n)}]} for n in range(self.networks)]

    def declared_connections(self) -> list[dict[str, Any]]:
        """Items of ``connections``: each container on its own network and on the two that follow it."""
        return [
            {
                "container": _container(each),
                "networks": [
                    {"name": _network(n), "ipv4_address": _address(each, n)}
                    for n in ((each + step) % self.networks for step in range(_NETWORKS_EACH))
                ],
                "exclusive": True,
            }
            for each in range(self.containers)
        ]

    def declared_routes(self) -> list[dict[str, Any]]:
        """Items of ``routes``: all through the container before, which is on the same network."""
        return [
            {"container": _container(each), "routes": [self._route(each, n) for n in range(self.routes_each)]}
            for each in range(self.containers)
        ]

    def policy(self, entries: int) -> dict[str, Any]:
        """Options of ``policy``: the network of all containers, one entry for each pair and port in turn.

        The first lets the first two containers talk as the datapath is measured.
        """
        pairs = [(one, other) for one in self.names for other in self.names if one != other]
        allow = [{"from": pairs[0][0], "to": pairs[0][1], "ports": ["icmp", "5201"]}]
        while len(allow) < entries:
            one, other = pairs[len(allow) % len(pairs)]
            allow.append({"from": one, "to": other, "ports": [str(10000 + len(allow))]})
        return {"name": "bench", "networks": [_network(0)], "allow": allow}

    @staticmethod
    def rules(count: int) -> list[dict[str, Any]]:
        """Items of ``rules``: a source and a port each."""
        return [
            {
                "action": "drop",
                "source": f"198.51.{n // 250}.{n % 250 + 1}/32",
                "protocol": "tcp",
                "ports": [str(1024 + n)],
            }
            for n in range(count)
        ]

    def _route(self, container: int, index: int) -> dict[str, Any]:
        before = (container - 1) % self.containers
        if self.inner:
            beyond = (container + _NETWORKS_EACH + 1 + index) % self.networks
            return {"destination": _subnet(beyond), "via": _container(before), "network": _network(container)}
        return {"destination": f"10.200.{container}.{16 * index}/28", "gateway": _address(before, container)}


def topology(**options: Any) -> list[Task]:
    """One task of ours for all of it."""
    return [{"breakwater.docker.topology": {"name": "bench", **options}}]


def loop(module: str, items: Iterable[Mapping[str, Any]]) -> list[Task]:
    """A task of ``module`` for each of ``items``, whose keys are its options."""
    listed = list(items)
    return [{module: {key: f"{{{{ item.{key} }}}}" for key in listed[0]}, "loop": listed}]


def iptables(rules: Iterable[Mapping[str, Any]]) -> list[Task]:
    """What playbooks do for rules: a task for each."""
    arguments = {
        "chain": "DOCKER-USER",
        "action": "insert",
        "source": "{{ item.source }}",
        "protocol": "{{ item.protocol }}",
        "destination_port": "{{ item.ports[0] }}",
        "jump": "DROP",
    }
    return [{"ansible.builtin.iptables": arguments, "loop": list(rules)}]


def docker_containers(connections: Iterable[Mapping[str, Any]]) -> list[Task]:
    """What ``community.docker`` has for connections: containers, all but their networks left as they are."""
    arguments = {
        "name": "{{ item.container }}",
        "networks": "{{ item.networks }}",
        "comparisons": {"*": "ignore", "networks": "strict"},
    }
    return [{"community.docker.docker_container": arguments, "loop": list(connections)}]


def commands(routes: Iterable[Mapping[str, Any]]) -> list[Task]:
    """What playbooks do for routes: a look for the processes, then a command for each route."""
    listed = list(routes)
    names = [each["container"] for each in listed]
    look = ["docker", "inspect", "--format", "{% raw %}{{.State.Pid}}{% endraw %}", *names]
    pid = f"{{{{ dict({names!r} | zip(pids.stdout_lines))[item.container] }}}}"
    enter = ["nsenter", "--target", pid, "--net", "ip", "route", "replace"]
    return [
        {"ansible.builtin.command": {"argv": look}, "register": "pids", "changed_when": False},
        {
            "ansible.builtin.command": {"argv": [*enter, "{{ item.destination }}", "via", "{{ item.gateway }}"]},
            "loop": [{"container": each["container"], **route} for each in listed for route in each["routes"]],
        },
    ]


def _network(index: int) -> str:
    return f"net{index:02}"


def _container(index: int) -> str:
    return f"box{index:02}"


def _subnet(network: int) -> str:
    return f"10.100.{network}.0/24"


def _address(container: int, network: int) -> str:
    return f"10.100.{network}.{10 + container}"

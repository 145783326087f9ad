# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine in memory that does what dockerd 20.10, 26.1 and 28.5 were seen to do on the lab's hosts.

Seen there, and easy to get wrong in a fake:

* A container that was connected while it was stopped, or never ran, refers to its network by name alone: the engine
  tells an empty NetworkID until it starts.
* A connect that a running container is refused leaves the endpoint in its settings: no NetworkID, no interface. While
  the container runs a disconnect does not find it; another connect to that network fills it.
* A stopped container that is connected to a network it is on already answers 200 and keeps its old endpoint.
* Networks are removed under stopped containers without a word; these then refuse to start.
* No connect heeds a MAC address; up to 27 it is made of the IPv4 address, from 28 on it is drawn.
* 20.10 lists a container's short ID among its aliases, and takes an address outside of the subnet while it is stopped.
* The gateway is told where it was given or the whole subnet was drawn, and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Engine
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import (
    FakeKernel,
    KernelRoute,
    Namespace,
)

API = {(20, 10): (1, 41), (26, 1): (1, 45), (28, 5): (1, 51)}
PREDEFINED = ("bridge", "host", "none")
_DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}


@dataclass
class FakeNetwork:
    """A network: what inspect tells, and what the engine knows beside."""

    id: str
    told: dict[str, Any]
    pools: dict[int, dict[str, Any]]
    """By IP version: subnet, range, gateway, aux, and whether a user configured it."""

    @property
    def name(self) -> str:
        return str(self.told["Name"])


@dataclass
class FakeEndpoint:
    """An entry of NetworkSettings.Networks; without ``interface`` no packet ever passes it."""

    network_id: str = ""
    ipam: dict[str, Any] | None = None
    aliases: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    driver_opts: dict[str, str] = field(default_factory=dict)
    gw_priority: int = 0
    asked_mac: str = ""
    created_mac: str = ""
    addresses: dict[int, str] = field(default_factory=dict)
    mac: str = ""
    interface: str | None = None


@dataclass
class FakeContainer:
    id: str
    name: str
    mode: str
    pid: int = 0
    endpoints: dict[str, FakeEndpoint] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    gateways: dict[int, str] = field(default_factory=dict)
    """By IP version: the network that the engine has put the default route on."""
    published: tuple[tuple[str, int, str, int], ...] = ()
    """Protocol, port, address and port of the host, in order."""

    @property
    def running(self) -> bool:
        return self.pid > 0


class FakeEngine:
    """Stands behind the Protocol EngineApi; what changes it for a test besides is below the line."""

    def __init__(self, version: tuple[int, int] = (28, 5), swarm: bool = False) -> None:
        self.version = version
        self.swarm = swarm
        self.kernel = FakeKernel(ip6tables=version >= (27, 0))
        self.stored: dict[str, FakeNetwork] = {}
        self.known: dict[str, FakeContainer] = {}
        self.obstacle: Callable[[str, str], None] = lambda _verb, _what: None
        """Called before every change with its verb and name; what it raises is what the engine answers."""
        self.files: Path | None = None
        """Where it keeps the hosts files of containers, once a test has said so."""
        self._drawn = 0
        for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
            ipam = {"Driver": "default", "Config": [{"Subnet": "172.17.0.0/16"}] if driver == "bridge" else []}
            network = self._network({"Name": name, "Driver": driver, "IPAM": ipam})
            self.stored[network.id] = network

    def facts(self) -> Engine:
        return Engine(self.version, API[self.version], lambda: self.swarm)

    def networks(self) -> list[dict[str, Any]]:
        return [each.told for each in self.stored.values()]

    def containers(self) -> list[dict[str, Any]]:
        return [
            {
                "Id": each.id,
                "Names": [f"/{each.name}"],
                "State": "running" if each.running else "exited",
                "Labels": each.labels,
                "HostConfig": {"NetworkMode": each.mode},
                "NetworkSettings": {"Networks": {name: self._told(one) for name, one in each.endpoints.items()}},
                "Ports": [
                    {"Type": protocol, "PrivatePort": port, "IP": host, "PublicPort": host_port}
                    for protocol, port, host, host_port in each.published
                ],
            }
            for each in self.known.values()
        ]

    def inspect(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        found = (self._container(each) for each in ids)
        return [self._inspected(each) for each in found if each is not None]

    def create_network(self, body: Mapping[str, Any]) -> str:
        self.obstacle("create", str(body["Name"]))
        if any(each.name == body["Name"] for each in self.stored.values()):
            raise HostError(f"network with name {body['Name']} already exists")
        network = self._network(body)
        self.stored[network.id] = network
        return network.id

    def remove_network(self, network_id: str) -> None:
        self.obstacle("remove", network_id)
        network = self._find(network_id)
        if network is None:
            return
        if network.name in PREDEFINED:
            raise HostError(f"{network.name} is a pre-defined network and cannot be removed")
        if any(each.told["ConfigFrom"]["Network"] == network.name for each in self.stored.values()):
            raise HostError(f'error while removing network: configuration network "{network.name}" is in use')
        if any(each.network_id == network.id and each.interface for each in self._endpoints(network.name)):
            raise HostError(f"error while removing network: network {network.name} has active endpoints")
        del self.stored[network.id]

    def connect(self, network: str, container_id: str, endpoint: Mapping[str, Any]) -> None:
        found, container = self._find(network), self._container(container_id)
        if found is None:
            raise HostError(f"network {network} not found")
        if container is None:
            raise HostError(f"No such container: {container_id}")
        if container.mode == "host":
            raise HostError("container sharing network namespace with another container or host cannot be connected")
        there = container.endpoints.get(found.name)
        if there is not None and there.interface:
            raise HostError(f"endpoint with name {container.name} already exists in network {found.name}")
        if there is not None and not container.running:
            return
        self._check(found, endpoint, container.running)
        wanted = self._endpoint(container, found, endpoint)
        if not container.running:
            self.obstacle("connect", network)
        container.endpoints[found.name] = wanted
        if container.running:
            self.obstacle("connect", network)  # too late: the endpoint stays behind
            self._plug(container, found, wanted)
            self._choose_gateways(container)

    def disconnect(self, network: str, container_id: str) -> None:
        self.obstacle("disconnect", network)
        found, container = self._find(network), self._container(container_id)
        if container is None:
            return
        name = found.name if found else network
        endpoint = container.endpoints.get(name)
        if endpoint is None or (container.running and found is not None and endpoint.interface is None):
            return  # "is not connected to network", which DockerEngine takes for done
        self._unplug(container, endpoint)
        del container.endpoints[name]
        self._choose_gateways(container)

    # -- below the line: a host's life without the collection ----------------------------------------------------------

    def create(self, name: str, network: str = "bridge", **options: Any) -> str:
        """``docker create``: options ip, ip6, aliases, mac, gw_priority, labels."""
        container = FakeContainer(self._id("container", name), name, network, labels=dict(options.get("labels", {})))
        if not network.startswith("container:"):
            container.endpoints[network] = FakeEndpoint(
                ipam=_ipam(options.get("ip"), options.get("ip6")),
                aliases=self._aliases(container, options.get("aliases", ()), network),
                gw_priority=options.get("gw_priority", 0) if self.version >= (28, 0) else 0,
                created_mac=options.get("mac", ""),
            )
        self.known[container.id] = container
        return container.id

    def start(self, name: str) -> None:
        """``docker start``: every endpoint gets its interface, or the container does not start."""
        container = self.container(name)
        if container.running:
            return
        plugged = []
        self._drawn += 1
        container.pid = 1000 + self._drawn
        self.kernel.namespaces[container.pid] = Namespace()
        try:
            for each, endpoint in container.endpoints.items():
                found = self._find(endpoint.network_id or each)
                if found is None:
                    raise HostError(f"network {endpoint.network_id or each} not found")
                if container.mode not in ("host", "none"):
                    plugged.append(endpoint)
                    self._plug(container, found, endpoint)
            self._choose_gateways(container)
        except HostError:
            self._end(container)
            raise
        if self.files:
            self.hosts_file(name).parent.mkdir(exist_ok=True)
            self.hosts_file(name).write_text("127.0.0.1\tlocalhost\n", encoding="utf-8")

    def run(self, name: str, network: str = "bridge", **options: Any) -> str:
        """``docker run -d``."""
        container_id = self.create(name, network, **options)
        self.start(name)
        return container_id

    def stop(self, name: str) -> None:
        """``docker stop``."""
        container = self.container(name)
        if container.running:
            self._end(container)

    def delete(self, name: str) -> None:
        """``docker rm -f``."""
        self.stop(name)
        del self.known[self.container(name).id]

    def namespace(self, name: str) -> Namespace:
        """The network namespace of a running container."""
        return self.kernel.namespaces[self.container(name).pid]

    def hosts_file(self, name: str) -> Path:
        """The hosts file of a container that has started."""
        return (self.files or Path()) / self.container(name).id / "hosts"

    def interface(self, name: str, network: str) -> str:
        """The interface of a running container on a network."""
        return self.container(name).endpoints[network].interface or ""

    def named(self, name: str) -> FakeNetwork:
        """The network of this name."""
        return next(each for each in self.stored.values() if each.name == name)

    def container(self, name: str) -> FakeContainer:
        """The container of this name."""
        return next(each for each in self.known.values() if each.name == name)

    def known_id(self, name: str) -> str:
        """The ID of the container of this name."""
        return self.container(name).id

    def _end(self, container: FakeContainer) -> None:
        for endpoint in container.endpoints.values():
            self._unplug(container, endpoint)
            endpoint.addresses, endpoint.mac = {}, ""
            endpoint.asked_mac = ""
        self.kernel.namespaces.pop(container.pid)
        container.pid, container.gateways = 0, {}

    def _id(self, kind: str, name: str) -> str:
        self._drawn += 1
        return hashlib.sha256(f"{kind} {name} {self._drawn}".encode()).hexdigest()

    def _find(self, reference: str) -> FakeNetwork | None:
        if not reference:
            return None
        for each in self.stored.values():
            if reference in (each.name, each.id):
                return each
        found = [each for each in self.stored.values() if each.id.startswith(reference)]
        return found[0] if len(found) == 1 else None

    def _container(self, reference: str) -> FakeContainer | None:
        if reference in self.known:
            return self.known[reference]
        return next((each for each in self.known.values() if each.name == reference), None)

    def _endpoints(self, network: str) -> list[FakeEndpoint]:
        return [each.endpoints[network] for each in self.known.values() if network in each.endpoints]

    def _network(self, body: Mapping[str, Any]) -> FakeNetwork:
        source = (body.get("ConfigFrom") or {}).get("Network", "")
        ipam = body.get("IPAM") or {}
        options = dict(body.get("Options") or {})
        if source:
            recipe = self._find(source)
            if recipe is None or not recipe.told["ConfigOnly"]:
                raise HostError(f"configuration network {source} not found")
            ipam, options = recipe.told["IPAM"], dict(recipe.told["Options"])
        given = [dict(each) for each in ipam.get("Config") or ()]
        config_only, driver = bool(body.get("ConfigOnly")), body.get("Driver") or "bridge"
        with_ipv6 = bool(body.get("EnableIPv6"))
        with_ipv4 = body.get("EnableIPv4", True) is not False or self.version < (28, 0)
        pools: dict[int, dict[str, Any]] = {}
        if not config_only and driver not in ("host", "null"):
            self._check_creation(body, given, options)
            pools = self._pools(given, with_ipv4, with_ipv6)
            drawn = [{"Subnet": p["subnet"], "Gateway": p["gateway"]} for p in pools.values() if not p["configured"]]
            given += drawn
        told = {
            "Name": body["Name"],
            "Id": self._id("network", str(body["Name"])),
            "Scope": "local",
            "Driver": "null" if config_only else driver,
            "EnableIPv6": with_ipv6,
            "IPAM": {
                "Driver": ipam.get("Driver") or "default",
                "Options": ipam.get("Options") or None,
                "Config": given,
            },
            "Internal": bool(body.get("Internal")),
            "Attachable": bool(body.get("Attachable")),
            "Ingress": bool(body.get("Ingress")),
            "ConfigFrom": {"Network": source},
            "ConfigOnly": config_only,
            "Containers": {},
            "Options": options,
            "Labels": dict(body.get("Labels") or {}),
        }
        if self.version >= (28, 0):
            told["EnableIPv4"] = with_ipv4
        return FakeNetwork(str(told["Id"]), told, pools)

    def _check_creation(self, body: Mapping[str, Any], given: list[dict[str, Any]], options: dict[str, str]) -> None:
        families = [ip_network(each["Subnet"]).version for each in given]
        if (body.get("Driver") or "bridge") == "bridge" and len(families) != len(set(families)):
            raise HostError("bridge driver doesn't support multiple subnets")
        if body.get("Driver") == "overlay" and not self.swarm:
            raise HostError("This node is not a swarm manager.")
        held = [ip_network(p["subnet"]) for each in self.stored.values() for p in each.pools.values()]
        for each in given:
            if any(ip_network(each["Subnet"]).overlaps(other) for other in held):
                raise HostError("Pool overlaps with other one on this address space")
        bridge = "com.docker.network.bridge.name"
        for each in self.stored.values():
            if bridge in options and each.told["Options"].get(bridge) == options[bridge]:
                raise HostError(f"conflicts with network {each.id}: networks have same bridge name")

    def _pools(self, given: list[dict[str, Any]], with_ipv4: bool, with_ipv6: bool) -> dict[int, dict[str, Any]]:
        pools = {}
        for each in given:
            version = ip_network(each["Subnet"]).version
            if (with_ipv4, with_ipv6)[version == 6]:
                pools[version] = _pool(each, configured=True)
        if with_ipv4 and 4 not in pools:
            pools[4] = self._draw(f"172.{n}.0.0/16" for n in range(18, 32))
        if with_ipv6 and 6 not in pools:
            if self.version < (27, 0):
                raise HostError("could not find an available, non-overlapping IPv6 address pool among the defaults")
            pools[6] = self._draw(f"fdfc:9363:{n:x}::/64" for n in range(1, 64))
        return pools

    def _draw(self, subnets: Iterable[str]) -> dict[str, Any]:
        held = [ip_network(p["subnet"]) for each in self.stored.values() for p in each.pools.values()]
        for subnet in subnets:
            if not any(ip_network(subnet).overlaps(other) for other in held):
                return _pool({"Subnet": subnet}, configured=False)
        raise HostError("all predefined address pools have been fully subnetted")

    def _check(self, network: FakeNetwork, endpoint: Mapping[str, Any], running: bool) -> None:
        ipam = endpoint.get("IPAMConfig") or {}
        if network.told["ConfigOnly"] and running:
            raise HostError("cannot create endpoint on configuration-only network")
        if network.name in PREDEFINED and endpoint.get("Aliases"):
            raise HostError("network-scoped alias is supported only for containers in user defined networks")
        for key, version in (("IPv4Address", 4), ("IPv6Address", 6)):
            if not ipam.get(key):
                continue
            if network.name in PREDEFINED:
                raise HostError("user specified IP address is supported on user defined networks only")
            pool = network.pools.get(version)
            if pool is None or not pool["configured"]:
                raise HostError(
                    "user specified IP address is supported only when connecting to networks"
                    " with user configured subnets"
                )
            if self.version >= (25, 0) and ip_address(ipam[key]) not in ip_network(pool["subnet"]):
                raise HostError(f"no configured subnet or ip-range contain the IP address {ipam[key]}")

    def _endpoint(self, container: FakeContainer, network: FakeNetwork, given: Mapping[str, Any]) -> FakeEndpoint:
        return FakeEndpoint(
            ipam=given.get("IPAMConfig"),
            aliases=self._aliases(container, given.get("Aliases") or (), network.name),
            links=list(given.get("Links") or ()),
            driver_opts=dict(given.get("DriverOpts") or {}),
            gw_priority=(given.get("GwPriority") or 0) if self.version >= (28, 0) else 0,
            asked_mac="" if container.running else given.get("MacAddress") or "",
        )

    def _aliases(self, container: FakeContainer, given: Iterable[str], network: str) -> list[str]:
        short = [container.id[:12]] if self.version < (25, 0) and network not in PREDEFINED else []
        return [*given, *short]

    def _plug(self, container: FakeContainer, network: FakeNetwork, endpoint: FakeEndpoint) -> None:
        ipam = endpoint.ipam or {}
        addresses = {}
        for version, key in ((4, "IPv4Address"), (6, "IPv6Address")):
            pool = network.pools.get(version)
            if pool is None:
                continue
            taken = self._taken(network, version)
            fixed = ipam.get(key)
            if fixed and ip_address(fixed) not in ip_network(pool["subnet"]):
                raise HostError(f"Invalid address {fixed}: It does not belong to any of this network's subnets")
            if fixed and fixed in taken:
                raise HostError("Address already in use")
            addresses[version] = fixed or _free(pool, taken)
        endpoint.network_id = network.id
        endpoint.addresses = addresses
        endpoint.mac = endpoint.created_mac or self._mac(addresses.get(4))
        lengths = {version: ip_network(pool["subnet"]).prefixlen for version, pool in network.pools.items()}
        space = self.kernel.namespaces[container.pid]
        endpoint.interface = space.plug(endpoint.mac, [f"{one}/{lengths[v]}" for v, one in addresses.items()])

    def _unplug(self, container: FakeContainer, endpoint: FakeEndpoint) -> None:
        if endpoint.interface is not None:
            self.kernel.namespaces[container.pid].unplug(endpoint.interface)
            endpoint.interface = None

    def _taken(self, network: FakeNetwork, version: int) -> set[str]:
        pool = network.pools[version]
        held = {pool["gateway"], *pool["aux"].values()}
        for each in self._endpoints(network.name):
            if each.network_id == network.id and each.interface and version in each.addresses:
                held.add(each.addresses[version])
        return held

    def _mac(self, ipv4: str | None) -> str:
        if ipv4 and self.version < (28, 0):
            return ":".join(["02", "42", *(f"{int(each):02x}" for each in ipv4.split("."))])
        self._drawn += 1
        return f"06:5e:a4:7b:{self._drawn // 256 % 256:02x}:{self._drawn % 256:02x}"

    def _choose_gateways(self, container: FakeContainer) -> None:
        """Put the default routes where the engine wants them; another one's stay while that choice stands."""
        if not container.running:
            return
        space = self.kernel.namespaces[container.pid]
        for version in (4, 6):
            open_ones = [
                (-each.gw_priority, name)
                for name, each in container.endpoints.items()
                if each.interface and version in each.addresses and not self.named(name).told["Internal"]
            ]
            chosen = min(open_ones)[1] if open_ones else None
            default = (_DEFAULT[version], "254", 1024 if version == 6 else 0)
            if chosen == container.gateways.get(version) and any(each.key == default for each in space.routes):
                continue
            space.routes = [each for each in space.routes if each.key != default]
            container.gateways.pop(version, None)
            if chosen is not None:
                container.gateways[version] = chosen
                gateway = self.named(chosen).pools[version]["gateway"]
                dev = container.endpoints[chosen].interface
                space.routes.append(KernelRoute(default[0], gateway, dev, metric=default[2]))

    def _inspected(self, container: FakeContainer) -> dict[str, Any]:
        return {
            "Id": container.id,
            "Name": f"/{container.name}",
            "State": {"Running": container.running, "Pid": container.pid},
            "HostConfig": {"NetworkMode": container.mode},
            "Config": {"Hostname": container.id[:12], "Labels": container.labels},
            "NetworkSettings": {"Networks": {name: self._told(each) for name, each in container.endpoints.items()}},
            "HostsPath": str(self.hosts_file(container.name)) if container.pid and self.files else "",
        }

    def _gateway(self, endpoint: FakeEndpoint, version: int) -> str:
        network = self.stored.get(endpoint.network_id)
        if network is None or endpoint.interface is None or network.told["Internal"]:
            return ""
        return str(network.pools[version]["gateway"]) if version in network.pools else ""

    def _told(self, endpoint: FakeEndpoint) -> dict[str, Any]:
        told = {
            "IPAMConfig": endpoint.ipam,
            "Links": list(endpoint.links) or None,
            "Aliases": list(endpoint.aliases) or None,
            "NetworkID": endpoint.network_id,
            "EndpointID": "e" * 64 if endpoint.interface else "",
            "IPAddress": endpoint.addresses.get(4, ""),
            "GlobalIPv6Address": endpoint.addresses.get(6, ""),
            "Gateway": self._gateway(endpoint, 4),
            "IPv6Gateway": self._gateway(endpoint, 6),
            "MacAddress": endpoint.mac or endpoint.asked_mac,
            "DriverOpts": dict(endpoint.driver_opts) or None,
        }
        if self.version >= (28, 0):
            told["GwPriority"] = endpoint.gw_priority
        return told


def _ipam(ipv4: str | None, ipv6: str | None) -> dict[str, str] | None:
    return {key: each for key, each in (("IPv4Address", ipv4), ("IPv6Address", ipv6)) if each} or None


def _pool(given: Mapping[str, Any], configured: bool) -> dict[str, Any]:
    subnet = ip_network(given["Subnet"])
    home = ip_network(given.get("IPRange") or given["Subnet"])
    first = home.network_address + (1 if home.network_address == subnet.network_address else 0)
    return {
        "subnet": str(subnet),
        "range": str(home),
        "gateway": given.get("Gateway") or str(first),
        "aux": dict(given.get("AuxiliaryAddresses") or {}),
        "configured": configured,
    }


def _free(pool: Mapping[str, Any], taken: set[str]) -> str:
    subnet = ip_network(pool["subnet"])
    edges = (
        {str(subnet.network_address), str(subnet.broadcast_address)}
        if subnet.version == 4
        else {str(subnet.network_address)}
    )
    for each in ip_network(pool["range"]):
        if str(each) not in taken and str(each) not in edges:
            return str(each)
    raise HostError("no available IPv4 addresses on this network's address pools")

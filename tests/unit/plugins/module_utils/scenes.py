# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis strategies: hosts as one may find them, and topologies as one may declare them for these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import API, FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import KernelRoute

OURS = ("front", "back", "data")
FOREIGN = ("legacy", "compose_default")
CONTAINERS = ("web", "app", "db", "gw", "job")
_NUMBERS = {name: n for n, name in enumerate((*OURS, *FOREIGN), 1)}
_MTU = "com.docker.network.driver.mtu"
_DESTINATIONS_6 = ("2001:db8:1::/48", "2001:db8:2::7/128", "::/0")
_DESTINATIONS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.7/32", "0.0.0.0/0")
_PARAMETERS: dict[str, tuple[Any, ...]] = {
    "net.ipv4.ip_forward": (0, 1, "0x1"),
    "net.core.somaxconn": (128, 4096, 65535),
    "net/ipv4/tcp_rmem": ("4096 131072 6291456", "8192 65536 16777216"),
}


def subnet(network: str, variant: int = 0) -> str:
    """The IPv4 subnet of a network; variant 1 lies beside it, 2 is a part of it."""
    return ("10.{}.0.0/24", "10.{}.1.0/24", "10.{}.0.0/25")[variant].format(_NUMBERS[network])


def subnet6(network: str) -> str:
    """The IPv6 subnet of a network."""
    return f"fd00:{_NUMBERS[network]}::/64"


def address(network: str, host: int, variant: int = 0) -> str:
    """An IPv4 address in a network's subnet."""
    return f"10.{_NUMBERS[network]}.{1 if variant == 1 else 0}.{host}"


def address6(network: str, host: int) -> str:
    """An IPv6 address in a network's subnet."""
    return f"fd00:{_NUMBERS[network]}::{host:x}"


@dataclass(frozen=True)
class Scene:
    """A host before the collection came: how it came to be, as calls of the fake engine."""

    version: tuple[int, int]
    networks: tuple[dict[str, Any], ...]
    containers: tuple[dict[str, Any], ...]
    routes: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    remade: tuple[str, ...] = ()
    """Networks that were removed and made again under the stopped containers."""

    def build(self) -> FakeEngine:
        """The host. What the engine refuses has not happened, but for what a refusal leaves behind."""
        engine = FakeEngine(self.version)
        for each in self.networks:
            engine.create_network(each)
        for each in self.containers:
            first, *others = each["networks"] or [{"network": "bridge"}]
            self._try(engine.create, each["name"], **first)
            if each["state"] != "created":
                self._try(engine.start, each["name"])
            if each["late"]:
                self._try(engine.stop, each["name"])
            for other in others:
                body = {
                    "IPAMConfig": {"IPv4Address": other["ip"]} if other.get("ip") else None,
                    "Aliases": other.get("aliases"),
                    "GwPriority": other.get("gw_priority"),
                }
                self._try(engine.connect, other["network"], engine.known_id(each["name"]), body)
            if each["state"] == "stopped":
                self._try(engine.stop, each["name"])
        for name in self.remade:
            self._remake(engine, name)
        for name, network, words in self.routes:
            container = engine.container(name)
            endpoint = container.endpoints.get(network)
            if container.running and endpoint is not None and endpoint.interface:
                engine.namespace(name).replace(KernelRoute(dev=endpoint.interface, **words))
        engine.kernel.filters["iptables"]["raw"].rules["PREROUTING"].append("-d 10.9.9.9/32 ! -i br-other -j DROP")
        return engine

    @staticmethod
    def _try(call: Any, *args: Any, **options: Any) -> None:
        try:
            call(*args, **options)
        except HostError:
            return

    def _remake(self, engine: FakeEngine, name: str) -> None:
        body = next((each for each in self.networks if each["Name"] == name), None)
        if body is not None:
            try:
                engine.remove_network(name)
            except HostError:
                return
            engine.create_network(body)


@st.composite
def _existing_network(draw: st.DrawFn, name: str) -> dict[str, Any]:
    config: list[dict[str, Any]] = []
    if draw(_often):
        config.append({"Subnet": subnet(name)})
        if draw(st.booleans()):
            config[0]["Gateway"] = address(name, 1)
    ipv6 = draw(_seldom)
    if ipv6:
        config.append({"Subnet": subnet6(name)})
    return {
        "Name": name,
        "EnableIPv6": ipv6,
        "Internal": draw(_seldom),
        "IPAM": {"Config": config},
        "Labels": {"team": "blue"} if draw(st.booleans()) else {},
        "Options": {_MTU: "1400"} if draw(_seldom) else {},
    }


_often = st.sampled_from((True, True, True, True, False))
_seldom = st.sampled_from((False, False, False, False, True))
_rarely = st.sampled_from((False,) * 14 + (True,))


@dataclass(frozen=True)
class Plot:
    """The fixed addresses that a network gives: ``variant`` of its IPv4 subnet, none where the engine draws it.

    Where the subnet has ``moved``, who is on it already draws the first of the new addresses before others ask for one.
    """

    variant: int | None = None
    ipv6: bool = False
    moved: bool = False

    @classmethod
    def of(cls, network: dict[str, Any] | None) -> Plot:
        families = {":" in each["Subnet"] for each in network["IPAM"]["Config"]} if network else set()
        return cls(0 if False in families else None, True in families)


@st.composite
def _host_number(draw: st.DrawFn, container: str) -> int:
    """The last part of an address: each container has its own, and wants another one's now and then."""
    if draw(_rarely):
        return draw(st.integers(2, 14))
    return 10 + CONTAINERS.index(container)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A host with networks of ours and foreign ones, containers in every state, routes, leftovers."""
    version = draw(st.sampled_from(sorted(API)))
    names = [name for name in (*OURS, *FOREIGN) if draw(_often)]
    networks = tuple(draw(_existing_network(name)) for name in names)
    fixed = {each["Name"] for each in networks if Plot.of(each).variant is not None}
    containers, routes = [], []
    for name in CONTAINERS:
        if draw(_rarely):
            continue
        state = draw(st.sampled_from(("running", "running", "running", "stopped", "created")))
        endpoints = []
        for each in draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else ():
            wants = each in fixed and draw(st.booleans())
            endpoints.append(
                {
                    "network": each,
                    "ip": address(each, draw(_host_number(name))) if wants else None,
                    "aliases": draw(st.sampled_from(([], ["www"], ["www", "sql"]))),
                    "gw_priority": draw(st.sampled_from((0, 0, 5))),
                }
            )
            if each in fixed and draw(_seldom):
                words = {
                    "destination": draw(st.sampled_from(_DESTINATIONS)),
                    "gateway": address(each, draw(st.integers(20, 21))),
                    "metric": draw(st.sampled_from((0, 0, 7))),
                    "table": draw(st.sampled_from(("254", "254", "100"))),
                }
                routes.append((name, each, words))
        late = state == "stopped" and draw(st.booleans())
        containers.append({"name": name, "state": state, "late": late, "networks": endpoints})
    remade = tuple(each for each in names if draw(_rarely))
    return Scene(version, networks, tuple(containers), tuple(routes), remade)


@st.composite
def _network(draw: st.DrawFn, name: str, there: dict[str, Any] | None) -> tuple[dict[str, Any], Plot]:
    """A network as declared, and what addresses it will give."""
    plot = Plot.of(there)
    if draw(_rarely):
        return {"name": name, "state": "absent", "force": draw(_often)}, plot
    told: dict[str, Any] = {"name": name, "recreate": draw(st.sampled_from(_RECREATES))}
    if draw(_often):
        variant = draw(st.sampled_from((0,) * 12 + (1, 2)))
        pool: dict[str, Any] = {"subnet": subnet(name, variant)}
        if draw(_seldom):
            pool["gateway"] = address(name, draw(st.sampled_from((1, 99))), variant)
        if draw(_rarely):
            pool["iprange"] = f"{address(name, 64, variant)}/26"
        if draw(_rarely):
            pool["aux_addresses"] = {"printer": address(name, 98, variant)}
        told["ipam_config"] = [pool]
        if draw(_seldom):
            told["enable_ipv6"] = True
            told["ipam_config"].append({"subnet": subnet6(name)})
        plot = Plot(variant, plot.ipv6 or len(told["ipam_config"]) > 1)
    if draw(_seldom):
        told["internal"] = draw(st.booleans())
    if draw(_seldom):
        told["driver_options"] = {_MTU: draw(st.sampled_from(("1400", "1450")))}
    if draw(_seldom):
        told["labels"] = {"team": draw(st.sampled_from(("blue", "red")))}
    if draw(_rarely):
        told["connected"] = draw(st.lists(st.sampled_from(CONTAINERS), unique=True, max_size=3))
        told["appends"] = draw(st.booleans())
    return told, plot


_RECREATES = ("if_needed",) * 12 + ("never", "always")


@st.composite
def recreated(draw: st.DrawFn, there: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the module ``network`` that recreate a network, for a change or for its own sake."""
    name = there["Name"]
    change: dict[str, Any] = draw(
        st.sampled_from(
            (
                {},
                {"internal": not there["Internal"]},
                {"labels": {"team": "green"}},
                {"driver_options": {_MTU: "1300"}},
                {"ipam_config": [{"subnet": subnet(name), "gateway": address(name, 99)}]},
                {"ipam_config": [{"subnet": subnet(name)}, {"subnet": subnet6(name)}], "enable_ipv6": True},
            )
        )
    )
    return {"name": name, "recreate": "always", **change}


@st.composite
def _endpoint(draw: st.DrawFn, container: str, name: str, plot: Plot, version: tuple[int, int]) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name}
    if plot.variant is not None and draw(st.booleans()):
        number = 10 + CONTAINERS.index(container) if plot.moved else draw(_host_number(container))
        told["ipv4_address"] = address(name, number, plot.variant)
    if plot.ipv6 and draw(st.booleans()):
        told["ipv6_address"] = address6(name, 16 + CONTAINERS.index(container))
    if draw(_seldom):
        told["aliases"] = draw(st.lists(st.sampled_from(("www", "sql", "cache")), unique=True))
    if draw(_seldom):
        told["mac_address"] = f"02:00:00:00:{_NUMBERS[name]:02x}:{draw(_host_number(container)):02x}"
    if version >= (28, 0) and draw(_seldom):
        told["gw_priority"] = draw(st.sampled_from((0, 5, 100)))
    if draw(_rarely):
        told["driver_opts"] = draw(st.sampled_from(({}, {"com.example.colour": "red"})))
    return told


@st.composite
def _connection(draw: st.DrawFn, name: str, usable: dict[str, Plot], version: tuple[int, int]) -> dict[str, Any]:
    on = draw(st.lists(st.sampled_from(sorted(usable)), unique=True, max_size=3)) if usable else []
    if on and draw(_rarely):
        return {"container": name, "state": "absent", "networks": [{"name": each} for each in on]}
    told: dict[str, Any] = {
        "container": name,
        "networks": [draw(_endpoint(name, each, usable[each], version)) for each in on],
    }
    if not on or draw(_seldom):
        told["exclusive"] = True
    return told


@st.composite
def _routes(draw: st.DrawFn, name: str, on: dict[str, list[str]], plots: dict[str, Plot]) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    keys = set()
    for destination in draw(st.lists(st.sampled_from(_DESTINATIONS * 3 + _DESTINATIONS_6), min_size=1, max_size=3)):
        line: dict[str, Any] = {"destination": destination}
        ipv6 = ":" in destination
        metric, table = draw(st.sampled_from(((0, 0), (0, 0), (7, 0), (0, 100))))
        if (destination, metric, table) in keys:
            continue
        keys.add((destination, metric, table))
        if metric:
            line["metric"] = metric
        if table:
            line["table"] = str(table)
        told.append(line)
        if draw(_rarely):
            line["state"] = "absent"
            continue
        networks = [each for each in on[name] if (plots[each].ipv6 if ipv6 else plots[each].variant is not None)]
        if not networks or draw(_rarely):
            line["type"] = draw(st.sampled_from(("blackhole", "unreachable", "prohibit")))
            continue
        network = draw(st.sampled_from(networks))
        others = [each for each in sorted(on) if each != name and network in on[each]]
        if others and draw(st.booleans()):
            line["via"], line["network"] = draw(st.sampled_from(others)), network
        elif draw(_often) or destination in ("0.0.0.0/0", "::/0"):
            number = draw(st.integers(20, 21))
            line["gateway"] = (
                address6(network, number) if ipv6 else address(network, number, plots[network].variant or 0)
            )
        else:
            line["network"] = network
    return {"container": name, "routes": told, "purge": draw(_seldom)}


@st.composite
def _sysctls(draw: st.DrawFn, name: str | None, networks: list[str]) -> dict[str, Any]:
    """Kernel parameters of a container that is on ``networks``, or of the host."""
    keys = draw(st.lists(st.sampled_from(sorted(_PARAMETERS)), unique=True, min_size=1, max_size=3))
    told: dict[str, Any] = {"values": {each: draw(st.sampled_from(_PARAMETERS[each])) for each in keys}}
    if name is not None:
        told["container"] = name
        told["networks"] = {
            each: {"net.ipv4.conf.IFNAME.rp_filter": draw(st.sampled_from((0, 1, 2)))}
            for each in networks
            if draw(_seldom)
        }
    if draw(_rarely):
        told["state"] = "absent"
    elif "net.ipv4.ip_forward" not in keys and draw(_seldom):
        told["raise_only"] = True
    return told


@st.composite
def topologies(draw: st.DrawFn, scene: Scene, name: str = "shop", prune: bool | None = None) -> dict[str, Any]:
    """A topology that makes sense on ``scene`` most of the time, as a user writes it."""
    there = {each["Name"]: each for each in scene.networks}
    plots = {each: Plot.of(told) for each, told in there.items()}
    networks = []
    for each in OURS:
        if draw(_often):
            told, plot = draw(_network(each, there.get(each)))
            plots[each] = replace(plot, moved=each in there and plot.variant != Plot.of(there[each]).variant)
            networks.append(told)
            if told.get("state") == "absent":
                del plots[each]
    on = {each["name"]: [one["network"] for one in each["networks"]] for each in scene.containers}
    connections = []
    for each in CONTAINERS:
        if draw(st.booleans()):
            told = draw(_connection(each, plots, scene.version))
            connections.append(told)
            listed = [one["name"] for one in told["networks"]]
            if told.get("state") == "absent":
                on[each] = [one for one in on.get(each, ()) if one not in listed]
            else:
                on[each] = sorted({*([] if told.get("exclusive") else on.get(each, [])), *listed})
    on = {each: [one for one in found if one in plots] for each, found in on.items()}
    routes = [draw(_routes(each, on, plots)) for each in sorted(on) if draw(_seldom)]
    sysctls = [draw(_sysctls(each, on[each])) for each in sorted(on) if draw(_seldom)]
    if draw(_seldom):
        sysctls.append(draw(_sysctls(None, [])))
    return {
        "name": name,
        "networks": networks,
        "connections": connections,
        "sysctls": sysctls,
        "routes": routes,
        "prune": draw(st.booleans()) if prune is None else prune,
    }

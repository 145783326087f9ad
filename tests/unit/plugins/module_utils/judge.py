# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent judge: what a user wrote against what the engine and the kernel in memory hold.

It shares no code with the planners, the model or the host: it reads the arguments as they were written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import (
    PREDEFINED,
    FakeContainer,
    FakeEndpoint,
    FakeEngine,
    FakeNetwork,
)
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import KERNEL, KernelRoute

_TABLES = {"main": "254", "default": "253"}
_DEFAULTS = ("0.0.0.0/0", "::/0")


def complaints(declared: Mapping[str, Any], engine: FakeEngine) -> list[str]:
    """All that is not as a topology's arguments say; what waits for a container that does not run is no complaint."""
    return [
        *(said for each in declared.get("networks", ()) for said in network(each, engine)),
        *(said for each in declared.get("connections", ()) for said in connection(each, engine)),
        *(said for each in declared.get("routes", ()) for said in routes(each, engine)),
        *(said for each in declared.get("sysctls", ()) for said in sysctls(each, engine)),
    ]


def network(wanted: Mapping[str, Any], engine: FakeEngine) -> Iterator[str]:
    """What is wrong with one network."""
    name = wanted["name"]
    found = _network(engine, name)
    if wanted.get("state") == "absent":
        if found is not None:
            yield f"network {name} is still there"
        return
    if found is None:
        yield f"network {name} is missing"
        return
    told = found.told
    expected = {
        "Driver": wanted.get("driver", "bridge"),
        "Internal": wanted.get("internal"),
        "Attachable": wanted.get("attachable"),
        "EnableIPv6": wanted.get("enable_ipv6"),
        "ConfigOnly": wanted.get("config_only"),
    }
    for key, value in expected.items():
        if value is not None and told[key] != value and not (key == "Driver" and told["ConfigOnly"]):
            yield f"network {name}: {key} is {told[key]}, not {value}"
    for key, part in (("driver_options", "Options"), ("labels", "Labels")):
        for option, value in (wanted.get(key) or {}).items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if told[part].get(option) != text:
                yield f"network {name}: {option} is {told[part].get(option)}, not {text}"
    yield from _pools(name, wanted.get("ipam_config") or (), told["IPAM"]["Config"])
    if wanted.get("connected") is not None:
        yield from _members(wanted, found, engine)


def _pools(name: str, wanted: Any, there: Any) -> Iterator[str]:
    held = {ip_network(each["Subnet"]): each for each in there}
    for pool in wanted:
        live = held.pop(ip_network(pool["subnet"]), None)
        if live is None:
            yield f"network {name} has no subnet {pool['subnet']}"
            continue
        for key, part in (("iprange", "IPRange"), ("gateway", "Gateway"), ("aux_addresses", "AuxiliaryAddresses")):
            if pool.get(key) and live.get(part) != pool[key]:
                yield f"network {name}: {part} is {live.get(part)}, not {pool[key]}"
    families = {ip_network(each["subnet"]).version for each in wanted}
    for subnet in held:
        if subnet.version in families:
            yield f"network {name} has the subnet {subnet} that nobody declared"


def _members(wanted: Mapping[str, Any], found: FakeNetwork, engine: FakeEngine) -> Iterator[str]:
    on_it = {each.name for each in engine.known.values() if _is_on(each, found)}
    for name in wanted["connected"]:
        if _container(engine, name) is not None and name not in on_it:
            yield f"{name} is not on {found.name}"
    if not wanted.get("appends"):
        for name in sorted(on_it - set(wanted["connected"])):
            yield f"{name} is on {found.name} and not listed"


def connection(wanted: Mapping[str, Any], engine: FakeEngine) -> Iterator[str]:
    """What is wrong with the networks of one container."""
    container = _container(engine, wanted["container"])
    if container is None:
        return
    declared = [each["name"] for each in wanted.get("networks", ())]
    for each in wanted.get("networks", ()):
        where = f"{container.name} on {each['name']}"
        endpoint = container.endpoints.get(each["name"])
        if wanted.get("state") == "absent":
            if endpoint is not None and not _is_ghost(container, endpoint):
                yield f"{where}: still attached"
            continue
        live = _network(engine, each["name"])
        if endpoint is None or live is None or not _is_on(container, live):
            yield f"{where}: not attached"
            continue
        for said in _endpoint(each, container, endpoint, engine):
            yield f"{where}: {said}"
    if wanted.get("exclusive"):
        for name, endpoint in container.endpoints.items():
            if name not in declared and not _is_ghost(container, endpoint):
                yield f"{container.name} is still on {name}"


def _endpoint(
    wanted: Mapping[str, Any], container: FakeContainer, endpoint: FakeEndpoint, engine: FakeEngine
) -> Iterator[str]:
    for key, part, version in (("ipv4_address", "IPv4Address", 4), ("ipv6_address", "IPv6Address", 6)):
        if wanted.get(key):
            asked = (endpoint.ipam or {}).get(part)
            used = endpoint.addresses.get(version) if container.running else asked
            if wanted[key] != asked or used != wanted[key]:
                yield f"{key} is {used} (asked for: {asked}), not {wanted[key]}"
    if wanted.get("aliases") is not None and set(wanted["aliases"]) != set(endpoint.aliases) - {container.id[:12]}:
        yield f"aliases are {endpoint.aliases}, not {wanted['aliases']}"
    if wanted.get("links") is not None and set(wanted["links"]) != set(endpoint.links):
        yield f"links are {endpoint.links}, not {wanted['links']}"
    if wanted.get("driver_opts") is not None and wanted["driver_opts"] != endpoint.driver_opts:
        yield f"driver_opts are {endpoint.driver_opts}, not {wanted['driver_opts']}"
    if wanted.get("gw_priority") is not None and wanted["gw_priority"] != endpoint.gw_priority:
        yield f"gw_priority is {endpoint.gw_priority}, not {wanted['gw_priority']}"
    if wanted.get("mac_address") and container.running:
        mac = engine.kernel.namespaces[container.pid].link(endpoint.interface or "").mac
        if mac != wanted["mac_address"].lower().replace("-", ":"):
            yield f"the MAC address is {mac}, not {wanted['mac_address']}"


def routes(wanted: Mapping[str, Any], engine: FakeEngine) -> Iterator[str]:
    """What is wrong with the routes of one container; nothing while it does not run."""
    container = _container(engine, wanted["container"])
    if container is None or not container.running:
        return
    there = {each.key: each for each in engine.kernel.namespaces[container.pid].routes if each.protocol != KERNEL}
    for each in wanted.get("routes", ()):
        key = _key(each)
        live = there.pop(key, None)
        where = f"route {each['destination']} in {container.name}"
        if each.get("state") == "absent":
            if live is not None:
                yield f"{where}: still there"
        elif each.get("via") and _gateway(each, key, container, engine) is None:
            continue  # nobody to go through yet
        elif live is None:
            yield f"{where}: missing"
        else:
            yield from (f"{where}: {said}" for said in _route(each, key, live, container, engine))
    if wanted.get("purge"):
        yield from (
            f"route {each.destination} in {container.name} is not declared"
            for each in there.values()
            if each.destination not in _DEFAULTS
        )


def sysctls(wanted: Mapping[str, Any], engine: FakeEngine) -> Iterator[str]:
    """What is wrong with the kernel parameters of the host or of one container; nothing while it does not run."""
    space = engine.kernel.host
    container = _container(engine, wanted["container"]) if wanted.get("container") else None
    if wanted.get("container"):
        if container is None or not container.running:
            return
        space = engine.kernel.namespaces[container.pid]
    if wanted.get("state") == "absent":
        return  # what it was before, the picture of then knows
    asked = [(key.replace(".", "/"), space.sysctls, value) for key, value in wanted["values"].items()]
    for name, each in wanted.get("networks", {}).items() if container else ():
        link = space.link(container.endpoints[name].interface or "") if container else None
        asked += [(key.rsplit(".", 1)[1], link.sysctls, value) for key, value in each.items() if link]
    for key, there, value in asked:
        pairs = [(int(x), int(y, 0)) for x, y in zip(there[key].split(), str(value).split())]
        if not all(x == y or (x > y and wanted.get("raise_only")) for x, y in pairs):
            yield f"{wanted.get('container', 'the host')}: {key} is {there[key]}, not {value}"


def _route(
    wanted: Mapping[str, Any], key: Any, live: KernelRoute, container: FakeContainer, engine: FakeEngine
) -> Iterator[str]:
    kind = wanted.get("type", "unicast")
    if live.type != kind:
        yield f"type is {live.type}, not {kind}"
    gateway = _gateway(wanted, key, container, engine)
    if live.gateway != gateway:
        yield f"gateway is {live.gateway}, not {gateway}"
    if wanted.get("network") and live.dev != container.endpoints[wanted["network"]].interface:
        yield f"it leaves by {live.dev}, not by {wanted['network']}"
    if bool(wanted.get("onlink")) != live.onlink:
        yield f"onlink is {live.onlink}"


def _gateway(wanted: Mapping[str, Any], key: Any, container: FakeContainer, engine: FakeEngine) -> str | None:
    if wanted.get("gateway"):
        return str(ip_address(wanted["gateway"]))
    if not wanted.get("via"):
        return None
    other = _container(engine, wanted["via"])
    shared = sorted(set(container.endpoints) & set(other.endpoints)) if other else []
    name = wanted.get("network") or (shared[0] if shared else None)
    if other is None or name is None:
        return None
    version = 6 if ":" in key[0] else 4
    endpoint, part = other.endpoints[name], {4: "IPv4Address", 6: "IPv6Address"}[version]
    return endpoint.addresses.get(version) or (endpoint.ipam or {}).get(part)


def _key(wanted: Mapping[str, Any]) -> tuple[str, str, int]:
    destination = wanted["destination"]
    if destination == "default":
        destination = _DEFAULTS[":" in (wanted.get("gateway") or "")]
    destination = str(ip_network(destination))
    table = wanted.get("table", "main")
    metric = wanted.get("metric") or (1024 if ":" in destination else 0)
    return (destination, _TABLES.get(table, table), metric)


def _network(engine: FakeEngine, name: str) -> FakeNetwork | None:
    return next((each for each in engine.stored.values() if each.name == name), None)


def _container(engine: FakeEngine, name: str) -> FakeContainer | None:
    return next((each for each in engine.known.values() if each.name == name), None)


def _is_on(container: FakeContainer, network: FakeNetwork) -> bool:
    """Whether it is truly on the network now, or will be when it starts."""
    endpoint = container.endpoints.get(network.name)
    if endpoint is None:
        return False
    if container.running:
        return endpoint.interface is not None and endpoint.network_id == network.id
    return endpoint.network_id in ("", network.id)


def _is_ghost(container: FakeContainer, endpoint: FakeEndpoint) -> bool:
    """Whether it is what a refused connect has left in the settings of a container that runs."""
    return container.running and endpoint.interface is None


def picture(engine: FakeEngine) -> dict[Any, Any]:
    """All there is on a host, by names: no IDs, no interfaces, nothing that is drawn anew each time."""
    seen: dict[Any, Any] = {}
    for each in engine.stored.values():
        if each.name not in PREDEFINED:
            told = {key: value for key, value in each.told.items() if key != "Id"}
            config = sorted(told["IPAM"]["Config"], key=lambda pool: str(pool["Subnet"]))
            seen["network", each.name] = {**told, "IPAM": {**told["IPAM"], "Config": config}}
    for container in engine.known.values():
        seen["container", container.name] = container.running
        for name, endpoint in container.endpoints.items():
            live = _network(engine, name)
            seen["endpoint", container.name, name] = {
                "true": live is not None and _is_on(container, live),
                "addresses": _addresses(endpoint),
                "aliases": sorted(set(endpoint.aliases) - {container.id[:12]}),
                "links": sorted(endpoint.links),
                "driver_opts": endpoint.driver_opts,
                "gw_priority": endpoint.gw_priority,
                "mac": _mac(container, endpoint, engine),
            }
        if container.running:
            space = engine.kernel.namespaces[container.pid]
            seen.update({("sysctl", container.name, key): value for key, value in space.sysctls.items()})
            for name, endpoint in container.endpoints.items():
                for key, value in space.link(endpoint.interface).sysctls.items() if endpoint.interface else ():
                    seen["sysctl", container.name, f"{key} on {name}"] = value
            names = {each.interface: name for name, each in container.endpoints.items() if each.interface}
            for line in engine.kernel.namespaces[container.pid].routes:
                if line.protocol != KERNEL:
                    told = (line.type, line.gateway, names.get(line.dev or ""), line.onlink)
                    seen["route", container.name, line.key] = told
    seen.update({("sysctl", "", key): value for key, value in engine.kernel.host.sysctls.items()})
    for tool, tables in engine.kernel.filters.items():
        for table, chains in tables.items():
            seen["filter", tool, table] = {
                chain: [each for each in rules if not each.endswith("-j BREAKWATER")]
                for chain, rules in chains.rules.items()
                if chain != "BREAKWATER" and not chain.startswith("BW-")
            }
    return seen


def _addresses(endpoint: FakeEndpoint) -> dict[int, str]:
    asked = endpoint.ipam or {}
    parts = {4: asked.get("IPv4Address"), 6: asked.get("IPv6Address")}
    return {version: found for version, each in parts.items() if (found := endpoint.addresses.get(version) or each)}


def _mac(container: FakeContainer, endpoint: FakeEndpoint, engine: FakeEngine) -> str | None:
    if endpoint.interface is None:
        return None
    return engine.kernel.namespaces[container.pid].link(endpoint.interface).mac

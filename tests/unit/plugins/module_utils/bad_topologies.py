# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong topologies, each with the field that is wrong and a part of the sentence that says so.

They are written for a host that has the network ``taken`` (10.9.0.0/24, its gateway 10.9.0.1), on it the containers
``web`` (10.9.0.5) and, stopped, ``idle``; ``shared`` (10.8.0.0/24) with ``web`` and ``other`` on it; ``hosty`` with
the host's network; and no swarm. The lab tests run the same table on such a host.
"""

from __future__ import annotations

from typing import Any, NamedTuple

NET = {"name": "fresh", "ipam_config": [{"subnet": "10.7.0.0/24"}]}
OLD, MIDDLE = (20, 10), (26, 1)


class Case(NamedTuple):
    """``until`` is the newest engine that the case is wrong on; without it, every engine."""

    name: str
    topology: dict[str, Any]
    field: str
    says: str
    until: tuple[int, int] = (99, 0)


def net(**options: Any) -> dict[str, Any]:
    """A topology of one network."""
    return {"networks": [{**NET, **options}]}


def pool(subnet: str = "10.7.0.0/24", **options: Any) -> dict[str, Any]:
    """A topology of one network with one pool."""
    return net(ipam_config=[{"subnet": subnet, **options}])


def option(key: str, value: str, driver: str = "bridge") -> dict[str, Any]:
    """A topology of one network with one driver option."""
    return net(driver=driver, driver_options={key: value})


def joined(container: str = "other", **endpoint: Any) -> dict[str, Any]:
    """A topology of one connection."""
    return {"connections": [{"container": container, "networks": [{"name": "taken", **endpoint}]}]}


def late(ipv4: str | None, networks: bool = True, **options: Any) -> dict[str, Any]:
    """A topology of one network and a connection to it."""
    connections = [{"container": "other", "networks": [{"name": "fresh", "ipv4_address": ipv4}]}]
    return {**(net(**options) if networks else {}), "connections": connections}


def routed(container: str = "web", **route: Any) -> dict[str, Any]:
    """A topology of one route."""
    return {"routes": [{"container": container, "routes": [{"destination": "10.50.0.0/24", **route}]}]}


def known(*names: str, **item: Any) -> dict[str, Any]:
    """A topology of one hosts file with one entry."""
    entries = [{"address": "10.50.0.1", "names": [*names]}]
    return {"hosts_files": [{"entries": entries, **({} if "network" in item else {"container": "web"}), **item}]}


def ruled(**policy: Any) -> dict[str, Any]:
    """A topology of a policy over both networks."""
    return {"policy": {"networks": ["taken", "shared"], **policy}}


def allowed(source: Any = "web", to: Any = "other", *ports: Any, **more: Any) -> dict[str, Any]:
    """A topology whose policy has one entry."""
    return {**ruled(allow=[{"from": source, "to": to, "ports": list(ports)}]), **more}


def rule(action: str = "drop", **options: Any) -> dict[str, Any]:
    """A topology of one rule."""
    return {"rules": [{"action": action, **options}]}


def tuned(container: str | None = "web", **values: Any) -> dict[str, Any]:
    """A topology of one kernel parameter, its dots written as two underlines."""
    item: dict[str, Any] = {"values": {key.replace("__", "."): value for key, value in values.items()}}
    return {"sysctls": [{**item, "container": container} if container else item]}


def towards(network: str = "taken", key: str = "net.ipv4.conf.IFNAME.rp_filter", value: Any = 2) -> dict[str, Any]:
    """A topology of one kernel parameter of an endpoint."""
    return {"sysctls": [{"container": "web", "networks": {network: {key: value}}}]}


SYSCTL = "sysctls[0]"
ENTRY = "policy.allow[0]"
RULE = "rules[0]"
EXCLUSIVE = "connections[0].exclusive"
BRIDGE = "com.docker.network.bridge"
FIRST = "networks[0]"
POOL = f"{FIRST}.ipam_config[0]"
END = "connections[0].networks[0]"
ROUTE = "routes[0].routes[0]"

CASES = [
    # What the arguments' types and names already refuse.
    Case("no name", {"name": ""}, "name", "not a topology's name"),
    Case("name too long", {"name": "x" * 25}, "name", "up to 24 letters"),
    Case("name with a slash", {"name": "a/b"}, "name", "not a topology's name"),
    Case("unknown option", {"netwroks": []}, "netwroks", "did you mean 'networks'?"),
    Case("networks no list", {"networks": {"name": "a"}}, "networks", "expected a list"),
    Case("network no dictionary", {"networks": ["fresh"]}, FIRST, "expected a dictionary"),
    Case("network without a name", {"networks": [{"driver": "bridge"}]}, f"{FIRST}.name", "is required"),
    Case("option at the wrong depth", net(subnet="10.7.0.0/24"), f"{FIRST}.subnet", "it goes under ipam_config"),
    Case("exclusive perhaps", {"connections": [{"container": "web", "exclusive": "so"}]}, EXCLUSIVE, "true or false"),
    Case("aliases no list", joined(aliases={"a": 1}), f"{END}.aliases", "expected a list, found {'a': 1}"),
    Case("alias a dictionary", joined(aliases=[{"a": 1}]), f"{END}.aliases[0]", "expected a string"),
    Case("container left out", {"routes": [{"routes": []}]}, "routes[0].container", "is required"),
    Case("misspelt network option", net(intenal=True), f"{FIRST}.intenal", "did you mean 'internal'"),
    Case("internal perhaps", net(internal="perhaps"), f"{FIRST}.internal", "expected true or false"),
    Case("recreate sometimes", net(recreate="sometimes"), f"{FIRST}.recreate", "expected one of never, if_needed"),
    Case("labels no dictionary", net(labels=["a"]), f"{FIRST}.labels", "expected a dictionary"),
    Case("label a list", net(labels={"a": [1]}), f"{FIRST}.labels.a", "expected text, a number or a boolean"),
    Case("metric no number", routed(gateway="10.9.0.1", metric="low"), f"{ROUTE}.metric", "expected a whole number"),
    Case("gw_priority no number", joined(gw_priority="high"), f"{END}.gw_priority", "expected a whole number"),
    Case("state of a route", routed(gateway="10.9.0.1", state="gone"), f"{ROUTE}.state", "expected one of present"),
    # Networks that cannot be.
    Case("name with a blank", net(name="a b"), f"{FIRST}.name", "not a network name"),
    Case("predefined name", net(name="bridge"), f"{FIRST}.name", "the engine's own network"),
    Case("driver host", net(driver="host"), f"{FIRST}.driver", "network_mode: host"),
    Case("driver null", net(driver="null"), f"{FIRST}.driver", "network_mode: none"),
    Case("owner's label", net(labels={"breakwater.topology": "me"}), f"{FIRST}.labels", "the label by which"),
    Case("name of the swarm's network", net(name="ingress"), f"{FIRST}.name", "the engine's own network"),
    Case("driver none", net(driver="none"), f"{FIRST}.driver", "network_mode: none"),
    Case("declared twice", {"networks": [NET, NET]}, "networks[1].name", "declared already, as networks[0].name"),
    Case("no subnet", net(ipam_config=[{"gateway": "10.7.0.1"}]), f"{POOL}.subnet", "is required"),
    Case("subnet no subnet", pool("banana"), f"{POOL}.subnet", "not a subnet in CIDR form"),
    Case("subnet without length", pool("10.7.0.0"), f"{POOL}.subnet", "has no prefix length"),
    Case("host bits", pool("10.7.0.9/24"), f"{POOL}.subnet", "the subnet is 10.7.0.0/24"),
    Case("prefix too long", pool("10.7.0.0/33"), f"{POOL}.subnet", "not a subnet"),
    Case("range outside", pool(iprange="10.6.0.0/25"), f"{POOL}.iprange", "not within the subnet 10.7.0.0/24"),
    Case("range with host bits", pool(iprange="10.7.0.9/25"), f"{POOL}.iprange", "the subnet is 10.7.0.0/25"),
    Case("gateway of IPv6", pool(gateway="fd07::1"), f"{POOL}.gateway", "not within the subnet 10.7.0.0/24"),
    Case("aux no address", pool(aux_addresses={"a": "x"}), f"{POOL}.aux_addresses.a", "not an IP address"),
    Case("aux no dictionary", pool(aux_addresses=["10.7.0.9"]), f"{POOL}.aux_addresses", "expected a dictionary"),
    Case(
        "aux twice",
        pool(aux_addresses={"a": "10.7.0.9", "b": "10.7.0.9"}),
        f"{POOL}.aux_addresses.b",
        "10.7.0.9 is the address of 'a' already",
    ),
    Case("gateway outside", pool(gateway="10.6.0.1"), f"{POOL}.gateway", "not within the subnet"),
    Case("gateway no address", pool(gateway="first"), f"{POOL}.gateway", "not an IP address"),
    Case("aux outside", pool(aux_addresses={"a": "10.6.0.9"}), f"{POOL}.aux_addresses.a", "not within the subnet"),
    Case(
        "aux is the gateway",
        pool(gateway="10.7.0.1", aux_addresses={"a": "10.7.0.1"}),
        f"{POOL}.aux_addresses.a",
        "is the gateway already",
    ),
    Case(
        "pools overlap",
        net(ipam_config=[{"subnet": "10.7.0.0/24"}, {"subnet": "10.7.0.128/25"}]),
        f"{FIRST}.ipam_config[1].subnet",
        "overlaps 10.7.0.0/24 of the same network",
    ),
    Case("IPv6 on IPv4 alone", pool("fd07::/64"), f"{POOL}.subnet", "needs enable_ipv6: true"),
    Case("no family at all", net(enable_ipv4=False, ipam_config=None), f"{FIRST}.enable_ipv4", "IPv4 or IPv6"),
    Case("IPv4 pool without IPv4", net(enable_ipv4=False, enable_ipv6=True), f"{POOL}.subnet", "enable_ipv4 is false"),
    Case("taken subnet", pool("10.9.0.0/25"), f"{POOL}.subnet", "overlaps 10.9.0.0/24 of network 'taken'"),
    Case("wide subnet", pool("10.8.0.0/15"), f"{POOL}.subnet", "overlaps 10."),
    Case(
        "two of one topology",
        {"networks": [NET, {"name": "second", "ipam_config": [{"subnet": "10.7.0.0/25"}]}]},
        "networks[1].ipam_config[0].subnet",
        "overlaps 10.7.0.0/24 of network 'fresh'",
    ),
    Case("unknown option of the driver", option(f"{BRIDGE}.nmae", "br9"), f"{FIRST}.driver_options", "did you mean"),
    Case("MTU no number", option("com.docker.network.driver.mtu", "big"), f"{FIRST}.driver_options", "an MTU from 68"),
    Case("icc perhaps", option(f"{BRIDGE}.enable_icc", "perhaps"), f"{FIRST}.driver_options", "expected true or false"),
    Case("bridge's name too long", option(f"{BRIDGE}.name", "b" * 16), f"{FIRST}.driver_options", "15 characters"),
    Case(
        "binding no address",
        option(f"{BRIDGE}.host_binding_ipv4", "all"),
        f"{FIRST}.driver_options",
        "not an IP address",
    ),
    Case(
        "option of another driver",
        option("parent", "eth0"),
        f"{FIRST}.driver_options.parent",
        "the bridge driver has no such option; macvlan and ipvlan have it",
    ),
    Case("MTU too large", option("com.docker.network.driver.mtu", "70000"), f"{FIRST}.driver_options", "to 65535"),
    Case(
        "gateway mode unknown",
        option(f"{BRIDGE}.gateway_mode_ipv4", "bridged"),
        f"{FIRST}.driver_options",
        "expected one of nat, nat-unprotected, routed, isolated",
    ),
    Case("option a list", net(driver_options={"a": [1]}), f"{FIRST}.driver_options.a", "expected text, a number"),
    Case("overlay without a swarm", net(driver="overlay", ipam_config=None), f"{FIRST}.driver", "needs a swarm"),
    Case("config_from unknown", {"networks": [{"name": "a", "config_from": "takn"}]}, f"{FIRST}.config_from", "taken"),
    Case(
        "config_from a plain network",
        {"networks": [{"name": "a", "config_from": "taken"}]},
        f"{FIRST}.config_from",
        "not a config_only network",
    ),
    Case(
        "config_from and config_only",
        {"networks": [{"name": "a", "config_from": "taken", "config_only": True}]},
        f"{FIRST}.config_from",
        "config_only must go",
    ),
    Case("config_from and pools", net(config_from="taken"), f"{FIRST}.config_from", "ipam_config must go"),
    Case("member unknown", net(connected=["wbe"]), f"{FIRST}.connected[0]", "does not exist; did you mean 'web'?"),
    Case(
        "a change that cuts",
        {"networks": [{"name": "taken", "internal": True}]},
        f"{FIRST}.recreate",
        "it would cut web and re-attach idle (stopped); set recreate: if_needed",
    ),
    Case(
        "an address that cannot come back",
        {"networks": [{"name": "taken", "ipam_config": [{"subnet": "10.7.0.0/24"}], "recreate": "if_needed"}]},
        f"{FIRST}.ipam_config",
        "container 'web' has the fixed address 10.9.0.5",
    ),
    Case(
        "a removal that cuts",
        {"networks": [{"name": "taken", "state": "absent"}]},
        f"{FIRST}.state",
        "still has idle (stopped), web; detach them first, or set force: true",
    ),
    # Options that an engine is too old for.
    Case("enable_ipv4", net(enable_ipv4=True), f"{FIRST}.enable_ipv4", "needs Docker Engine 28.0, found", MIDDLE),
    Case(
        "gateway mode",
        option(f"{BRIDGE}.gateway_mode_ipv4", "routed"),
        f"{FIRST}.driver_options",
        "needs Docker Engine 27.0, found",
        MIDDLE,
    ),
    Case(
        "trusted interfaces",
        option(f"{BRIDGE}.trusted_host_interfaces", "eth0"),
        f"{FIRST}.driver_options",
        "needs Docker Engine 28.2, found",
        MIDDLE,
    ),
    Case("gw_priority", joined(gw_priority=1), f"{END}.gw_priority", "needs Docker Engine 28.0, found", MIDDLE),
    Case(
        "interface name",
        joined(driver_opts={"com.docker.network.endpoint.ifname": "in0"}),
        f"{END}.driver_opts",
        "needs Docker Engine 28.0, found",
        MIDDLE,
    ),
    Case(
        "IPv6 of the engine's choice",
        net(enable_ipv6=True),
        f"{FIRST}.enable_ipv6",
        "needs Docker Engine 27.0, found",
        MIDDLE,
    ),
    # Kernel parameters that cannot be.
    Case("no key at all", tuned(), f"{SYSCTL}.values", "lists no key"),
    Case("no kernel parameter", tuned(ip_forward=1), f"{SYSCTL}.values.ip_forward", "not a kernel parameter"),
    Case("a switch as a word", tuned(net__ipv4__ip_forward=True), f"{SYSCTL}.values.net.ipv4", "a switch is 1 or 0"),
    Case("a vector as a list", tuned(net__ipv4__tcp_rmem=[1, 2, 3]), f"{SYSCTL}.values", "expected a number or text"),
    Case("values a list", {"sysctls": [{"values": ["a.b"]}]}, f"{SYSCTL}.values", "expected a dictionary"),
    Case("sysctls of nobody", tuned("wbe", net__ipv4__ip_forward=1), f"{SYSCTL}.container", "did you mean 'web'?"),
    Case("sysctls while it stands still", tuned("idle", net__ipv4__ip_forward=1), SYSCTL, "is not running"),
    Case("sysctls of the host's network", tuned("hosty", net__ipv4__ip_forward=1), SYSCTL, "is that of the host"),
    Case("not namespaced", tuned(vm__swappiness=1), f"{SYSCTL}.values.vm.swappiness", "is not namespaced"),
    Case("unknown on the host", tuned(None, vm__nosuch=1), f"{SYSCTL}.values.vm.nosuch", "the kernel knows no"),
    Case("read-only", tuned(None, kernel__osrelease="7"), f"{SYSCTL}.values.kernel.osrelease", "is read-only here"),
    Case("an interface by its name", tuned(net__ipv4__conf__eth0__rp_filter=1), SYSCTL, "by the network's name"),
    Case("IFNAME and no network", tuned(net__ipv4__conf__IFNAME__rp_filter=1), SYSCTL, "it goes under networks"),
    Case("a network without IFNAME", towards(key="net.ipv4.ip_forward"), f"{SYSCTL}.networks.taken", "has no IFNAME"),
    Case("a network that it is not on", towards("bridge"), f"{SYSCTL}.networks.bridge", "is not on 'bridge'"),
    Case(
        "networks of the host",
        {"sysctls": [{"networks": {"taken": {"net.ipv4.conf.IFNAME.rp_filter": 1}}}]},
        f"{SYSCTL}.networks",
        "goes with a container alone",
    ),
    Case(
        "a parameter twice",
        {"sysctls": [tuned(net__ipv4__ip_forward=each)["sysctls"][0] for each in (0, 1)]},
        "sysctls[1].values.net.ipv4.ip_forward",
        "declared already, as sysctls[0].values.net.ipv4.ip_forward",
    ),
    # Connections that cannot be.
    Case("container unknown", joined("wbe"), "connections[0].container", "did you mean 'web'?"),
    Case("network unknown", joined(name="takn"), f"{END}.name", "did you mean 'taken'?"),
    Case("network mode host", joined("hosty"), "connections[0].container", "network_mode 'host'"),
    Case("no networks", {"connections": [{"container": "web"}]}, "connections[0].networks", "lists no network"),
    Case(
        "network listed twice",
        {"connections": [{"container": "web", "networks": [{"name": "taken"}, {"name": "taken"}]}]},
        "connections[0].networks[1].name",
        "listed already",
    ),
    Case(
        "absent and exclusive",
        {"connections": [{"container": "web", "state": "absent", "exclusive": True}]},
        "connections[0].exclusive",
        "goes with state: present alone",
    ),
    Case(
        "address outside", joined(ipv4_address="10.7.0.9"), f"{END}.ipv4_address", "not within the subnet 10.9.0.0/24"
    ),
    Case("address of the other family", joined(ipv4_address="fd00::9"), f"{END}.ipv4_address", "an IPv4 one belongs"),
    Case("no IPv6 there", joined(ipv6_address="fd00::9"), f"{END}.ipv6_address", "has no IPv6 subnet"),
    Case("address of the gateway", joined(ipv4_address="10.9.0.1"), f"{END}.ipv4_address", "is the gateway of network"),
    Case("address taken", joined(ipv4_address="10.9.0.5"), f"{END}.ipv4_address", "taken on network 'taken' by"),
    Case("address of the gateway that an engine takes", late("10.7.0.1"), f"{END}.ipv4_address", "is the gateway of"),
    Case(
        "address that is kept",
        late("10.7.0.9", ipam_config=[{"subnet": "10.7.0.0/24", "aux_addresses": {"printer": "10.7.0.9"}}]),
        f"{END}.ipv4_address",
        "kept for 'printer' by the aux_addresses of network 'fresh'",
    ),
    Case(
        "address in a subnet that is drawn",
        late("10.7.0.9", ipam_config=None),
        f"{END}.ipv4_address",
        "declare it in ipam_config",
    ),
    Case("on a network of options alone", late(None, config_only=True), f"{END}.name", "it holds options for other"),
    Case(
        "on a network that is to go",
        {"networks": [{"name": "taken", "state": "absent", "force": True}], **joined()},
        f"{END}.name",
        "network 'taken' is absent, by networks[0].state",
    ),
    Case(
        "on a network that lists its members",
        {"networks": [{**NET, "connected": ["web"]}], **late(None, networks=False)},
        f"{END}.name",
        "and 'other' is not among them",
    ),
    Case(
        "member that is taken off",
        {"networks": [{**NET, "connected": ["web"]}], "connections": [{"container": "web", "exclusive": True}]},
        f"{FIRST}.connected[0]",
        "connections[0] takes container 'web' off network 'fresh'",
    ),
    Case(
        "container twice",
        {"connections": [{"container": "web", "networks": [{"name": each}]} for each in ("taken", "shared")]},
        "connections[1].container",
        "container 'web' is declared already, as connections[0].container",
    ),
    Case("link-local no address", joined(link_local_ips=["x"]), f"{END}.link_local_ips[0]", "not an IP address"),
    Case(
        "one MAC for two",
        {
            "connections": [
                {"container": each, "networks": [{"name": "taken", "mac_address": "02:00:00:00:00:01"}]}
                for each in ("other", "web")
            ]
        },
        "connections[1].networks[0].mac_address",
        "02:00:00:00:00:01 is taken on network 'taken' already, by connections[0]",
    ),
    Case("MAC no MAC", joined(mac_address="02:42"), f"{END}.mac_address", "not a MAC address"),
    Case("MAC of a group", joined(mac_address="03:42:00:00:00:01"), f"{END}.mac_address", "a multicast MAC address"),
    Case(
        "address on the engine's bridge",
        joined(name="bridge", ipv4_address="172.17.0.99"),
        f"{END}.ipv4_address",
        "gives no fixed addresses",
    ),
    Case("alias on the engine's bridge", joined(name="bridge", aliases=["a"]), f"{END}.aliases", "has no aliases"),
    Case("network none", joined(name="none"), f"{END}.name", "a network mode"),
    Case(
        "one address for two",
        {
            "connections": [
                {"container": each, "networks": [{"name": "taken", "ipv4_address": "10.9.0.77"}]}
                for each in ("other", "web")
            ]
        },
        "connections[1].networks[0].ipv4_address",
        "taken on network 'taken' already, by connections[0]",
    ),
    # Routes that cannot be.
    Case("destination no subnet", routed(destination="home", gateway="10.9.0.1"), f"{ROUTE}.destination", "not an IP"),
    Case("destination with host bits", routed(destination="10.5.0.9/24", gateway="10.9.0.1"), ROUTE, "host bits"),
    Case("IPv6 default by a wrong name", routed(destination="default6"), f"{ROUTE}.destination", "is written ::/0"),
    Case("unreachable by a network", routed(type="unreachable", network="taken"), f"{ROUTE}.network", "leads nowhere"),
    Case("prohibit by a container", routed(type="prohibit", via="other"), f"{ROUTE}.via", "leads nowhere"),
    Case("no routes", {"routes": [{"container": "web"}]}, "routes[0].routes", "lists no route; without purge: true"),
    Case("routes of nobody", routed("wbe", gateway="10.9.0.1"), "routes[0].container", "did you mean 'web'?"),
    Case("by an unknown network", routed(network="takn"), f"{ROUTE}.network", "did you mean 'taken'?"),
    Case("gateway on the other network", routed(gateway="10.8.0.9", network="taken"), f"{ROUTE}.gateway", "neighbour"),
    Case("the kernel's table by number", routed(gateway="10.9.0.1", table=255), f"{ROUTE}.table", "the kernel's own"),
    Case("metric below nothing", routed(gateway="10.9.0.1", metric=-1), f"{ROUTE}.metric", "found -1"),
    Case(
        "container's routes twice",
        {"routes": [routed(gateway="10.9.0.1")["routes"][0]] * 2},
        "routes[1].container",
        "container 'web' is declared already, as routes[0].container",
    ),
    Case("no way at all", routed(), ROUTE, "needs a gateway"),
    Case("gateway and via", routed(gateway="10.9.0.1", via="other"), f"{ROUTE}.via", "give one of them"),
    Case("gateway no neighbour", routed(gateway="10.77.0.1"), f"{ROUTE}.gateway", "a gateway must be a neighbour"),
    Case("gateway of the other family", routed(gateway="fd00::1"), f"{ROUTE}.gateway", "an IPv4 one belongs"),
    Case("gateway itself", routed(gateway="10.9.0.5"), f"{ROUTE}.gateway", "is container 'web' itself"),
    Case("via itself", routed(via="web"), f"{ROUTE}.via", "cannot be its own gateway"),
    Case("via unknown", routed(via="gatway"), f"{ROUTE}.via", "does not exist"),
    Case("via a stranger", routed(via="hosty"), f"{ROUTE}.via", "shares no network with 'web'"),
    Case("not on that network", routed(network="bridge"), f"{ROUTE}.network", "is not on 'bridge'"),
    Case("blackhole with a gateway", routed(type="blackhole", gateway="10.9.0.1"), f"{ROUTE}.gateway", "leads nowhere"),
    Case("onlink without a network", routed(onlink=True, gateway="10.77.0.1"), f"{ROUTE}.onlink", "and the network"),
    Case("the kernel's table", routed(gateway="10.9.0.1", table="local"), f"{ROUTE}.table", "the kernel's own"),
    Case("table no table", routed(gateway="10.9.0.1", table="mine"), f"{ROUTE}.table", "expected main, default or"),
    Case("metric too large", routed(gateway="10.9.0.1", metric=2**33), f"{ROUTE}.metric", "from 0 to 4294967295"),
    Case("of a container with the host's", routed("hosty", network="taken"), "routes[0].container", "are those of"),
    Case(
        "route twice",
        {
            "routes": [
                {
                    "container": "web",
                    "routes": [{"destination": "10.50.0.0/24", "gateway": each} for each in ("10.9.0.1", "10.9.0.2")],
                }
            ]
        },
        "routes[0].routes[1]",
        "stands already",
    ),
    # Policies: the words, then who is meant, then what can be governed.
    Case("policy no dictionary", {"policy": ["web"]}, "policy", "expected a dictionary"),
    Case("unknown policy option", ruled(alow=[]), "policy.alow", "did you mean 'allow'"),
    Case("unknown default", ruled(default="block"), "policy.default", "expected one of deny, audit, allow"),
    Case("policy over nothing", {"policy": {}}, "policy.networks", "there is no network of a topology 'bad'"),
    Case("policy over an empty list", ruled(networks=[]), "policy.networks", "lists none"),
    Case("policy over a missing network", ruled(networks=["takne"]), "policy.networks[0]", "did you mean 'taken'?"),
    Case("policy over the host", ruled(networks=["taken", "none"]), "policy.networks[1]", "is of driver null"),
    Case("entry without from", ruled(allow=[{"to": "web"}]), f"{ENTRY}.from", "is required"),
    Case("entry without to", ruled(allow=[{"from": "web"}]), f"{ENTRY}.to", "is required"),
    Case("entry no dictionary", ruled(allow=["web"]), ENTRY, "expected a dictionary"),
    Case("an empty end", allowed(""), f"{ENTRY}.from", "found nothing"),
    Case("a list of no ends", allowed([]), f"{ENTRY}.from", "lists none"),
    Case("an end that is a number", allowed(["web", 7]), f"{ENTRY}.from[1]", "expected a name, a CIDR or one of"),
    Case("two kinds of end", allowed({"container": "web", "network": "taken"}), f"{ENTRY}.from", "exactly one of"),
    Case("no kind of end", allowed("web", {"except": ["10.0.0.0/8"]}), f"{ENTRY}.to", "found none"),
    Case("misspelt kind", allowed({"lables": "a=b"}), f"{ENTRY}.from.lables", "did you mean 'labels'?"),
    Case("labels as a name", allowed("tier=edge"), f"{ENTRY}.from", "for labels write {labels: 'tier=edge'}"),
    Case("empty labels", allowed({"labels": " "}), f"{ENTRY}.from.labels", "expected a string"),
    Case("labels that are no expression", allowed({"labels": "a=b c"}), f"{ENTRY}.from.labels", "is no label express"),
    Case("labels left open", allowed({"labels": "tier in (a"}), f"{ENTRY}.from.labels", "is no label expression"),
    Case("labels with an empty value", allowed({"labels": "tier in (a,)"}), f"{ENTRY}.from.labels", "an empty value"),
    Case("labels with two commas", allowed({"labels": "a=b,,c=d"}), f"{ENTRY}.from.labels", "is no label expression"),
    Case("an end with host bits", allowed("10.9.0.5/24"), f"{ENTRY}.from", "the subnet is 10.9.0.0/24"),
    Case("no CIDR", allowed("web", {"cidr": "taken"}), f"{ENTRY}.to.cidr", "is not a subnet in CIDR form"),
    Case(
        "exception beside it",
        allowed({"cidr": "10.0.0.0/8", "except": ["192.0.2.0/24"]}),
        f"{ENTRY}.from.except[0]",
        "192.0.2.0/24 is not within 10.0.0.0/8",
    ),
    Case("exception no CIDR", allowed({"cidr": "10.0.0.0/8", "except": [7]}), f"{ENTRY}.from.except[0]", "found 7"),
    Case("exception of a name", allowed({"container": "web", "except": []}), f"{ENTRY}.from.except", "with cidr alone"),
    Case("port zero", allowed("web", "other", "0/tcp"), f"{ENTRY}.ports[0]", "from 1 to 65535"),
    Case("port too large", allowed("web", "other", "80", "65536"), f"{ENTRY}.ports[1]", "from 1 to 65535"),
    Case("ports turned round", allowed("web", "other", "90-80"), f"{ENTRY}.ports[0]", "the lower one first"),
    Case("no port", allowed("web", "other", "http"), f"{ENTRY}.ports[0]", "expected ports as in 443"),
    Case("no protocol", allowed("web", "other", "80/gre"), f"{ENTRY}.ports[0]", "is no protocol with ports"),
    Case("icmp with a port", allowed("web", "other", "8/icmp"), f"{ENTRY}.ports[0]", "has no ports"),
    Case("host to world", allowed("host", "world"), ENTRY, "has no container at either end"),
    Case("neither end governed", allowed("192.0.2.0/24", "world"), ENTRY, "neither end is on a network that"),
    Case("missing end", allowed("wbe"), f"{ENTRY}.from", "did you mean 'web'?"),
    Case("stopped end", allowed("web", "idle"), f"{ENTRY}.to", "is not running"),
    Case(
        "the host's network as an end", allowed("hosty"), f"{ENTRY}.from", "lives in the host's network; it is 'host'"
    ),
    Case("missing network as an end", allowed({"network": "takne"}), f"{ENTRY}.from", "did you mean 'taken'?"),
    Case("no bridge as an end", allowed("web", {"network": "none"}), f"{ENTRY}.to", "is of driver null"),
    Case(
        "no way between the ends",
        allowed("other", "web", connections=[{"container": "web", "networks": [{"name": "taken"}], "exclusive": True}]),
        f"{ENTRY}.to",
        "container 'other' (on shared) has no way to 'web' (on taken): connect 'other' to taken",
    ),
    Case("no rate", ruled(log_rate="often"), "policy.log_rate", "expected a rate as in 10/minute"),
    Case("prefix with a quote", ruled(log_prefix='a"b'), "policy.log_prefix", "printable characters without quotes"),
    Case("log prefix too long", ruled(log_prefix="x" * 65), "policy.log_prefix", "1 to 64 printable characters"),
    # Rules: the words, what goes together, then who is meant.
    Case("rules no list", {"rules": {"action": "drop"}}, "rules", "expected a list"),
    Case("rule no dictionary", {"rules": ["drop"]}, RULE, "expected a dictionary"),
    Case("rule without an action", {"rules": [{"source": "web"}]}, f"{RULE}.action", "is required"),
    Case("unknown action", rule("accept"), f"{RULE}.action", "expected one of allow, drop, reject"),
    Case("misspelt rule option", rule(port=80), f"{RULE}.port", "did you mean 'ports'"),
    Case(
        "an answer to what is dropped", rule(reject_with="tcp-reset"), f"{RULE}.reject_with", "goes with action: reject"
    ),
    Case("unknown answer", rule("reject", reject_with="go-away"), f"{RULE}.reject_with", "expected one of"),
    Case("reset without TCP", rule("reject", reject_with="tcp-reset"), f"{RULE}.reject_with", "needs protocol: tcp"),
    Case("source with host bits", rule(source="10.9.0.5/24"), f"{RULE}.source", "the subnet is 10.9.0.0/24"),
    Case("source no address", rule(source="10.9.0.300"), f"{RULE}.source", "is not an IP address"),
    Case("source a list", rule(source=["web"]), f"{RULE}.source", "expected a subnet, a container, world or host"),
    Case("source of two kinds", rule(source={"container": "web", "cidr": "10.9.0.0/24"}), f"{RULE}.source", "one of"),
    Case("source of no kind", rule(source={}), f"{RULE}.source", "one of cidr, container, network"),
    Case(
        "misspelt kind of source", rule(source={"netwrok": "taken"}), f"{RULE}.source.netwrok", "did you mean 'network'"
    ),
    Case("source the host", rule(source="host"), f"{RULE}.source", "DOCKER-USER does not see"),
    Case(
        "missing source", {**rule(source="wbe"), "missing_containers": "fail"}, f"{RULE}.source", "did you mean 'web'?"
    ),
    Case("source on the host's network", rule(source="hosty"), f"{RULE}.source", "has the host's network"),
    Case("missing network", rule(destination={"network": "takne"}), f"{RULE}.destination", "did you mean 'taken'?"),
    Case("network that is none", rule(source={"network": "none"}), f"{RULE}.source", "is a null network"),
    Case(
        "two IP versions",
        rule(source="10.9.0.0/24", destination="fd00::/8"),
        f"{RULE}.destination",
        "no packet has both",
    ),
    Case("IPv6 to IPv4", rule(source="fd00::/8", destination="web"), f"{RULE}.destination", "'web' has IPv4, the rest"),
    Case("ICMPv6 to IPv4", rule(protocol="icmpv6", destination="10.9.0.5"), f"{RULE}.protocol", "icmpv6 is IPv6's"),
    Case("unknown protocol", rule(protocol="tpc"), f"{RULE}.protocol", "expected tcp, udp"),
    Case("protocol 256", rule(protocol=256), f"{RULE}.protocol", "a number from 1 to 255"),
    Case("ports without a protocol", rule(ports=[80]), f"{RULE}.ports", "need a protocol that has ports"),
    Case("ports of ICMP", rule(protocol="icmp", ports=[80]), f"{RULE}.ports", "found icmp"),
    Case("no ports", rule(protocol="tcp", ports=[]), f"{RULE}.ports", "lists no port"),
    Case("port beyond", rule(protocol="tcp", ports=[80, 65536]), f"{RULE}.ports[1]", "from 0 to 65535"),
    Case(
        "ports the wrong way round", rule(protocol="tcp", ports=["90-80"]), f"{RULE}.ports[0]", "ends before it begins"
    ),
    Case("published port a name", rule(published_port="http"), f"{RULE}.published_port", "expected a port"),
    Case("interface too long", rule(in_interface="x" * 16), f"{RULE}.in_interface", "up to 15 characters"),
    Case("interface with a blank", rule(out_interface="eth0 -j"), f"{RULE}.out_interface", "not an interface's name"),
    Case("unknown state", rule(state=["OPEN"]), f"{RULE}.state", "expected one of INVALID, NEW"),
    Case("no state", rule(state=[]), f"{RULE}.state", "lists no state"),
    Case("limit without a rate", rule(limit={"burst": 3}), f"{RULE}.limit.rate", "is required"),
    Case("limit that is no rate", rule(limit={"rate": "often"}), f"{RULE}.limit.rate", "is not a rate"),
    Case("limit beyond", rule(limit={"rate": "20000/second"}), f"{RULE}.limit.rate", "more than the 10000/second"),
    Case("burst of none", rule(limit={"rate": "1/s", "burst": 0}), f"{RULE}.limit.burst", "from 1 to 10000"),
    Case("limit of a log", rule("log", limit={"rate": "1/s"}), f"{RULE}.limit", "limited by log_limit"),
    Case("log limit without a log", rule(log_limit={"rate": "1/s"}), f"{RULE}.log_limit", "needs action: log"),
    Case("log prefix beyond", rule("log", log_prefix="x" * 30), f"{RULE}.log_prefix", "up to 29 are kept"),
    Case("comment of two lines", rule(comment="a\n-A INPUT"), f"{RULE}.comment", "on one line"),
    Case("match with a target", rule(match=["-j", "ACCEPT"]), f"{RULE}.match[0]", "-j is no match"),
    Case("match with half a target", rule(match=["--ju", "ACCEPT"]), f"{RULE}.match[0]", "--ju is no match"),
    Case("match with a table", rule(match=["--table=nat"]), f"{RULE}.match[0]", "is no match"),
    Case("match with several sources", rule(match=["-s", "10.0.0.1,10.0.0.2"]), f"{RULE}.match[0]", "-s is no match"),
    Case("match in one word", rule(match=["-m mark --mark 1"]), f"{RULE}.match[0]", "each is an item of its own"),
    Case("match of two lines", rule(match=["-m", "mark\nCOMMIT"]), f"{RULE}.match[1]", "on one line"),
    # Names.
    Case("names of a container and a network", known("db", container="web", network="taken"), "hosts_files[0]", "both"),
    Case("name of two lines", known("db\n10.0.0.1 evil"), "hosts_files[0].entries[0].names[0]", "not a host's name"),
    Case("address without a name", known(), "hosts_files[0].entries[0].names", "lists no name"),
    Case("names on a missing network", known("db", network="takne"), "hosts_files[0].network", "did you mean 'taken'?"),
    Case("names on the host's network", known("db", container="hosty"), "hosts_files[0].container", "has the host's"),
    # What waits by default, and was asked to be an error.
    Case("missing container", {**joined("later"), "missing_containers": "fail"}, "connections[0]", "does not exist"),
    Case(
        "stopped container",
        {**routed("idle", gateway="10.9.0.1"), "missing_containers": "fail"},
        "routes[0].container",
        "is not running",
    ),
]

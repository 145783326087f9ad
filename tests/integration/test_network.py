# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of ``network`` on real engines: foreseen, made, compared and refused; judged by docker inspect."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from resident import Resident

BRIDGE = "com.docker.network.bridge"
MTU = "com.docker.network.driver.mtu"
V4 = {"subnet": "10.70.0.0/24"}
V6 = {"subnet": "fd70::/64"}
EVERY = (20, 10)


def networks(lab: Resident) -> list[dict[str, Any]]:
    """Every network of the engine as it tells it itself."""
    names = lab.docker("network", "ls", "-q", "--no-trunc").split()
    found: list[dict[str, Any]] = json.loads(lab.docker("network", "inspect", *sorted(names)))
    return found


def members(lab: Resident, network: str) -> dict[str, str]:
    """The endpoint IDs of the running containers on a network, by name."""
    return {each["Name"]: each["EndpointID"] for each in lab.inspect("network", network)["Containers"].values()}


@dataclass(frozen=True)
class Case:
    """Options, what ``docker network inspect`` must say of them, and the first engine that knows them."""

    title: str
    options: dict[str, Any]
    told: dict[str, Any]
    since: tuple[int, int] = EVERY
    gate: str = ""
    """What the refusal of an older engine names."""
    differs: tuple[str, ...] = field(default=())
    """What a plain network of the same name differs in; the names of the options where that is not the same."""


def options(title: str, **given: Any) -> Case:
    """Driver options come out of inspect as they went in."""
    told = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}
    return Case(title, {"driver_options": given}, {"Options": told})


def mode(family: str, value: str, since: tuple[int, int], gate: str) -> Case:
    key = f"{BRIDGE}.gateway_mode_{family}"
    pools = {"enable_ipv6": True, "ipam_config": [V6]} if family == "ipv6" else {}
    return Case(f"{key}={value}", {"driver_options": {key: value}, **pools}, {"Options": {key: value}}, since, gate)


CASES = (
    options("MTU as a number", **{MTU: 1400}),
    options("MTU as text", **{MTU: "9000"}),
    options("no traffic between containers", **{f"{BRIDGE}.enable_icc": False}),
    options("no masquerade", **{f"{BRIDGE}.enable_ip_masquerade": "false"}),
    options("bridge name", **{f"{BRIDGE}.name": "br-lab"}),
    options("host binding", **{f"{BRIDGE}.host_binding_ipv4": "127.0.0.1"}),
    options("interface prefix", **{"com.docker.network.container_iface_prefix": "lab"}),
    options("source address of the host", **{"com.docker.network.host_ipv4": "10.99.0.77"}),
    options("several", **{MTU: 1300, f"{BRIDGE}.enable_icc": True, f"{BRIDGE}.name": "br-several"}),
    mode("ipv4", "routed", (27, 0), "gateway_mode_ipv4 needs Docker Engine 27.0"),
    mode("ipv6", "routed", (27, 0), "gateway_mode_ipv6 needs Docker Engine 27.0"),
    mode("ipv4", "nat-unprotected", (28, 0), "needs Docker Engine 2"),
    Case(
        "trusted host interfaces",
        {"driver_options": {f"{BRIDGE}.trusted_host_interfaces": "eth0"}},
        {"Options": {f"{BRIDGE}.trusted_host_interfaces": "eth0"}},
        (28, 2),
        "trusted_host_interfaces needs Docker Engine 28.2",
    ),
    Case("subnet", {"ipam_config": [V4]}, {"IPAM.Config": [V4]}),
    Case(
        "range, gateway and reserved addresses",
        {
            "ipam_config": [
                {
                    **V4,
                    "iprange": "10.70.0.128/25",
                    "gateway": "10.70.0.254",
                    "aux_addresses": {"router": "10.70.0.5", "dns": "10.70.0.6"},
                }
            ]
        },
        {
            "IPAM.Config": [
                {
                    **V4,
                    "iprange": "10.70.0.128/25",
                    "gateway": "10.70.0.254",
                    "aux_addresses": {"router": "10.70.0.5", "dns": "10.70.0.6"},
                }
            ]
        },
    ),
    Case(
        "dual stack",
        {"enable_ipv6": True, "ipam_config": [V4, {**V6, "gateway": "fd70::99"}]},
        {"EnableIPv6": True, "IPAM.Config": [V4, {**V6, "gateway": "fd70::99"}]},
    ),
    Case(
        "IPv6 spelt otherwise",
        {"enable_ipv6": True, "ipam_config": [{"subnet": "FD70:0:0:0::/64", "gateway": "fd70:0::0001"}]},
        {"EnableIPv6": True, "IPAM.Config": [None, {**V6, "gateway": "fd70::1"}]},
    ),
    Case(
        "IPv6 alone",
        {"enable_ipv4": False, "enable_ipv6": True, "ipam_config": [V6]},
        {"EnableIPv4": False, "EnableIPv6": True},
        (28, 0),
        "enable_ipv4 needs Docker Engine 28.0",
    ),
    Case(
        "IPv6 of the engine's choice",
        {"enable_ipv6": True},
        {"EnableIPv6": True},
        (27, 0),
        "enable_ipv6 without an IPv6 subnet in ipam_config needs Docker Engine 27.0",
    ),
    Case("internal", {"internal": True}, {"Internal": True}),
    Case("attachable", {"attachable": True}, {"Attachable": True}),
    Case(
        "labels",
        {"labels": {"tier": "edge", "number": 7, "on": True}},
        {"Labels": {"tier": "edge", "number": "7", "on": "true"}},
    ),
    Case(
        "options of the IPAM driver", {"ipam_driver_options": {"colour": "blue"}}, {"IPAM.Options": {"colour": "blue"}}
    ),
    Case(
        "config only",
        {"config_only": True, "ipam_config": [V4], "driver_options": {MTU: 1400}},
        {"ConfigOnly": True, "Options": {MTU: "1400"}},
    ),
    Case(
        "configuration of another network",
        {"config_from": "template"},
        {"ConfigFrom.Network": "template", "IPAM.Config": [{"subnet": "10.71.0.0/24"}]},
        differs=("config_from", "ipam_config"),
    ),
    Case(
        "macvlan on the host's own LAN",
        {"driver": "macvlan", "driver_options": {"parent": "eth0"}, "ipam_config": [{"subnet": "LAN/24"}]},
        {"Driver": "macvlan", "Options": {"parent": "eth0"}},
    ),
)
"""Left out: macvlan without a parent, for which engines make a dummy interface; the lab's kernel has none."""


def told(live: dict[str, Any], path: str) -> Any:
    """One field of an inspect; pools in the words of the options, IPv4 first, those of the engine's choice as None."""
    for key in path.split("."):
        live = live[key]
    if path != "IPAM.Config":
        return live
    words = {"Subnet": "subnet", "IPRange": "iprange", "Gateway": "gateway", "AuxiliaryAddresses": "aux_addresses"}
    pools: list[dict[str, Any]] = list(live)  # type: ignore[arg-type]
    found = [{words[key]: value for key, value in each.items() if value} for each in pools]
    return sorted(found, key=lambda each: (":" in each["subnet"], each["subnet"]))


def matches(live: dict[str, Any], path: str, wanted: Any) -> bool:
    found = told(live, path)
    if path == "Options":
        # 28 writes its own choices beside what was given.
        return wanted.items() <= found.items() and len(wanted) + 2 >= len(found)
    if path == "IPAM.Config":
        # A gateway that nobody asked for is told by some engines only.
        return len(found) == len(wanted) and all(
            w is None or w.items() <= f.items() for w, f in zip(wanted, found, strict=True)
        )
    return bool(found == wanted)


def on_this_lan(lab: Resident, case: Case) -> dict[str, Any]:
    """The options of a case, with the fleet's LAN where it says so."""
    lan = lab.address.rsplit(".", 1)[0] + ".0"
    given: dict[str, Any] = json.loads(json.dumps(case.options).replace("LAN", lan))
    return given


def test_each_option(lab: Resident) -> None:
    """Refused by an engine that is too old; or foreseen, made, unchanged, and missed on a network that lacks it."""
    lab.docker("network", "create", "--config-only", "--subnet", "10.71.0.0/24", "template")
    for case in CASES:
        given = {"name": "lab", **on_this_lan(lab, case)}
        before = networks(lab)
        if lab.version < case.since:
            refusal = str(lab.refusal("network", **given))
            found = ".".join(str(each) for each in lab.version)
            assert case.gate in refusal and f"found {found}" in refusal, f"{case.title}: {refusal}"
            assert networks(lab) == before, case.title
            continue
        lab.cycle("network", lambda: networks(lab), **given)
        live = lab.inspect("network", "lab")
        for path, wanted in case.told.items():
            assert matches(live, path, wanted), f"{case.title}: {path} is {told(live, path)}, not {wanted}"
        lab.docker("network", "rm", "lab")

        lab.docker("network", "create", "lab")
        before = networks(lab)
        refused = lab.refusal("network", **given)
        differs = case.differs or tuple(key for key in case.options if (key, given[key]) != ("driver", "bridge"))
        assert "differs in " in str(refused), f"{case.title}: {refused}"
        assert all(f"{each} (" in str(refused) for each in differs), f"{case.title}: {refused}"
        assert networks(lab) == before, case.title
        lab.docker("network", "rm", "lab")


def test_bridge_is_there_by_its_name(lab: Resident) -> None:
    lab.module("network", name="lab", driver_options={f"{BRIDGE}.name": "br-lab", MTU: 1400}, ipam_config=[V4])
    link = json.loads(lab.run("ip", "-json", "addr", "show", "br-lab"))[0]
    assert [each["local"] for each in link["addr_info"] if each["family"] == "inet"] == ["10.70.0.1"]
    lab.start("web", "--network", "lab")
    assert [
        each["mtu"] for each in json.loads(lab.inside("web", "ip", "-json", "link")) if each["ifname"] == "eth0"
    ] == [1400]


def test_what_is_not_declared_is_left_alone(lab: Resident) -> None:
    """Spellings that say the same are no difference, and neither is what nobody wrote."""
    lab.docker("network", "create", "-o", f"{BRIDGE}.enable_icc=true", "-o", f"{MTU}=1400", "--label", "a=b", "lab")
    lab.docker("network", "create", "--ipv6", "--subnet", "10.70.0.0/24", "--subnet", "fd70::/64", "--internal", "dual")
    before = networks(lab)
    for given in (
        {"name": "lab"},
        {"name": "lab", "driver_options": {f"{BRIDGE}.enable_icc": 1}},
        {"name": "lab", "driver_options": {f"{BRIDGE}.enable_icc": "True", MTU: 1400}},
        {"name": "lab", "labels": {"a": "b"}},
        {"network_name": "lab", "internal": False, "attachable": False, "enable_ipv6": False, "scope": "local"},
        {"name": "dual"},
        {"name": "dual", "ipam_config": [V4]},
        {"name": "dual", "enable_ipv6": True, "ipam_config": [{"subnet": "FD70:0::/64"}, V4]},
        {"name": "dual", "recreate": "if_needed", "internal": True},
    ):
        for check in (True, False):
            assert not lab.module("network", check=check, **given)["changed"], given
    assert networks(lab) == before


def test_recreate_is_asked_for(lab: Resident) -> None:
    lab.docker("network", "create", "--subnet", "10.70.0.0/24", "lab")
    lab.start("web", "--network", "lab")
    plain = {"name": "lab", "ipam_config": [V4]}
    labelled = {**plain, "labels": {"tier": "edge"}}
    before = networks(lab)
    for check in (True, False):
        refusal = lab.refusal("network", check=check, **labelled)
        assert "differs in labels" in str(refusal) and "would cut web" in str(refusal)
        assert refusal.result["diff"] == {"before": {}, "after": {"labels": {"tier": "edge"}}}
    assert networks(lab) == before
    lab.cycle("network", lambda: networks(lab), **labelled, recreate="if_needed")
    assert lab.inspect("network", "lab")["Labels"] == {"tier": "edge"}
    assert list(members(lab, "lab")) == ["web"]
    for again in ({"recreate": "always"}, {"force": True}):
        known = lab.inspect("network", "lab")["Id"]
        foreseen = lab.module("network", check=True, **labelled, **again)
        assert lab.inspect("network", "lab")["Id"] == known
        result = lab.module("network", **labelled, **again)
        assert foreseen["steps"] == result["steps"] and result["changed"], again
        assert lab.inspect("network", "lab")["Id"] != known, again
        assert list(members(lab, "lab")) == ["web"], again


def test_overlaps_name_both_owners(lab: Resident) -> None:
    lab.docker("network", "create", "--subnet", "10.70.0.0/16", "taken")
    lab.docker("network", "create", "--ipv6", "--subnet", "10.72.0.0/24", "--subnet", "fd70::/48", "taken6")
    lab.run("ip", "route", "add", "10.73.0.0/16", "via", lab.address.rsplit(".", 1)[0] + ".2")
    lab.run("ip", "-6", "route", "add", "fd73::/48", "dev", "eth0")
    lan = lab.address.rsplit(".", 1)[0]
    try:
        before = networks(lab)
        for pool, owner in (
            ("10.70.5.0/24", "10.70.0.0/16 of network 'taken'"),
            ("10.0.0.0/8", "10.7"),
            ("fd70:0:0:5::/64", "fd70::/48 of network 'taken6'"),
            ("10.73.1.0/24", "10.73.0.0/16, the route to 10.73.0.0/16 of the host on eth0"),
            ("fd73:0:0:1::/64", "fd73::/48, the route to fd73::/48 of the host on eth0"),
            (f"{lan}.0/25", f"{lan}.0/24, the address {lab.address} of the host on eth0"),
        ):
            given = {"ipam_config": [{"subnet": pool}], "enable_ipv6": ":" in pool}
            for check in (True, False):
                refusal = str(lab.refusal("network", check=check, name="lab", **given))
                assert f"ipam_config[0].subnet: {pool} of network 'lab' overlaps {owner}" in refusal, refusal
        assert networks(lab) == before
        # What only looks like an overlap: a neighbour, and the default route.
        lab.module("network", name="lab", ipam_config=[{"subnet": "10.74.0.0/16"}])
    finally:
        lab.run("ip", "route", "del", "10.73.0.0/16")
        lab.run("ip", "-6", "route", "del", "fd73::/48")


def test_what_an_engine_refuses_is_told(lab: Resident) -> None:
    """No swarm, no ipvlan in the kernel, no such network, none but one of a kind; nothing is left behind."""
    lab.docker("network", "create", "plain")
    before = networks(lab)
    for given, complaint in (
        ({"driver": "overlay"}, "driver: an overlay network needs a swarm"),
        (
            {"driver": "null"},
            "driver: a network of driver 'null' cannot be made: every engine has the one network 'none'",
        ),
        (
            {"driver": "host"},
            "driver: a network of driver 'host' cannot be made: every engine has the one network 'host'",
        ),
        ({"driver": "macvlan", "driver_options": {"parent": "nowhere.x"}}, "create network lab: the engine could not"),
        ({"config_from": "plainn"}, "config_from: there is no network 'plainn'; did you mean 'plain'?"),
        ({"config_from": "plain"}, "config_from: network 'plain' is not a config_only network"),
    ):
        refusal = lab.refusal("network", name="lab", **given)
        assert str(refusal).startswith(complaint), refusal
        assert not refusal.result.get("changed"), refusal.result
        assert networks(lab) == before, given


def test_ipvlan_without_a_kernel_for_it(lab: Resident) -> None:
    """The lab's kernel has no ipvlan, which engines find out at the first endpoint; inspect keeps its ghost then."""
    given = {"name": "lab", "driver": "ipvlan", "driver_options": {"parent": "eth0"}, "ipam_config": [V4]}
    lab.cycle("network", lambda: networks(lab), **given)
    lab.start("web")
    before = lab.inspect("web")["NetworkSettings"]["Networks"]["bridge"]
    refusal = lab.refusal("connection", container="web", networks=[{"name": "lab"}])
    assert str(refusal).startswith("connect connection web to lab: the engine could not connect container"), refusal
    assert "failed to create the ipvlan port: operation not supported" in str(refusal)
    assert refusal.result["changed"] is False and refusal.result["done"] == []
    assert lab.inspect("web")["NetworkSettings"]["Networks"]["bridge"] == before
    assert members(lab, "lab") == {}


def test_overlay_in_a_swarm(lab: Resident) -> None:
    lab.swarm()
    lab.start("web")
    given: dict[str, Any] = {"name": "lab", "driver": "overlay"}
    lab.cycle("network", lambda: networks(lab), **given, ipam_config=[V4])
    refusal = str(lab.refusal("connection", container="web", networks=[{"name": "lab"}]))
    assert refusal == "networks[0].name: network 'lab' takes services alone; it needs attachable: true"
    lab.module("network", **given, ipam_config=[V4], attachable=True, recreate="if_needed")
    live = lab.inspect("network", "lab")
    assert live["Attachable"] and live["Scope"] == "swarm" and live["IPAM"]["Config"][0]["Subnet"] == V4["subnet"]
    lab.cycle(
        "connection",
        lambda: lab.inspect("web"),
        container="web",
        networks=[{"name": "lab", "ipv4_address": "10.70.0.9"}],
    )
    assert lab.inspect("web")["NetworkSettings"]["Networks"]["lab"]["IPAddress"] == "10.70.0.9"
    refusal = str(lab.refusal("network", name="again", driver="overlay", ipam_config=[{"subnet": "10.70.0.0/25"}]))
    assert "overlaps 10.70.0.0/24 of network 'lab'" in refusal
    assert not lab.module("network", **given, attachable=True, recreate="if_needed")["changed"]
    lab.cycle("network", lambda: networks(lab), name="lab", state="absent", force=True)


def test_connected(lab: Resident) -> None:
    names = ("alpha", "beta", "gamma")
    for name in names:
        lab.start(name)
    lab.docker("stop", "-t", "0", "gamma")
    given: dict[str, Any] = {"name": "lab", "ipam_config": [V4]}
    look = lambda: [networks(lab), [lab.inspect(name) for name in names]]  # noqa: E731
    lab.cycle("network", look, **given, connected=["alpha", "beta"])
    first = members(lab, "lab")
    assert set(first) == {"alpha", "beta"}
    # Exact: who is not listed goes, who stays is not touched, and a stopped one is as good as another.
    lab.cycle("network", look, **given, connected=["beta", "gamma"])
    assert members(lab, "lab") == {"beta": first["beta"]}
    assert "lab" in lab.inspect("gamma")["NetworkSettings"]["Networks"]
    # Names or IDs, whole or short, and nobody goes.
    ids = [lab.inspect(name)["Id"] for name in names]
    lab.cycle("network", look, **given, containers=[ids[0]], incremental=True)
    assert members(lab, "lab")["beta"] == first["beta"] and set(members(lab, "lab")) == {"alpha", "beta"}
    for check in (True, False):
        assert not lab.module("network", check=check, **given, connected=[ids[0], ids[1][:12], "/gamma"])["changed"]
        assert not lab.module("network", check=check, **given, connected=["beta"], appends=True)["changed"]
        assert not lab.module("network", check=check, **given)["changed"]
    before = look()
    refusal = str(lab.refusal("network", **given, connected=["alpha", "bta"]))
    assert refusal == "connected[1]: container 'bta' does not exist; did you mean 'beta'?"
    assert look() == before
    lab.cycle("network", look, **given, connected=[])
    assert members(lab, "lab") == {}
    assert all("lab" not in lab.inspect(name)["NetworkSettings"]["Networks"] for name in names)


def test_absent(lab: Resident) -> None:
    lab.docker("network", "create", "lab")
    lab.start("web", "--network", "lab")
    lab.start("idle", "--network", "lab")
    lab.docker("stop", "-t", "0", "idle")
    look = lambda: [networks(lab), lab.inspect("web"), lab.inspect("idle")]  # noqa: E731
    before = look()
    for check in (True, False):
        refusal = lab.refusal("network", check=check, name="lab", state="absent")
        assert "network 'lab' still has idle (stopped), web; detach them first, or set force: true" in str(refusal)
        assert refusal.result["cuts"] == ["web"]
    assert look() == before
    lab.cycle("network", look, name="lab", state="absent", force=True)
    assert "lab" not in [each["Name"] for each in networks(lab)]
    assert all("lab" not in lab.inspect(each)["NetworkSettings"]["Networks"] for each in ("web", "idle"))
    lab.docker("network", "create", "lab")
    lab.cycle("network", look, name="lab", state="absent")
    for name in ("lab", "never-there"):
        assert not lab.module("network", name=name, state="absent")["changed"]


def test_info(lab: Resident) -> None:
    lab.docker("network", "create", "--subnet", "10.70.0.0/24", "lab")
    lab.start("web", "--network", "lab")
    live, endpoint = lab.inspect("network", "lab"), lab.inspect("web")["NetworkSettings"]["Networks"]["lab"]
    for reference in ("lab", live["Id"], live["Id"][:12]):
        found = lab.module("network_info", name=reference)
        assert found["exists"] and len(found["networks"]) == 1
        network = found["networks"][0]
        assert (network["name"], network["id"]) == ("lab", live["Id"])
        assert network["ipam_config"][0]["subnet"] == "10.70.0.0/24"
        assert [(each["container"], each["addresses"]) for each in network["containers"]] == [
            ("web", [endpoint["IPAddress"]])
        ]
    assert lab.module("network_info", name="labb")["exists"] is False
    names = {each["name"] for each in lab.module("network_info")["networks"]}
    assert names == set(lab.docker("network", "ls", "--format", "{{.Name}}").split())

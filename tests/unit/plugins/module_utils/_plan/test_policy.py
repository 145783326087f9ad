# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies on a host in memory: what the kernel's sets hold, what is told, and what check mode foretells."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._host import session
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, NotThere
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost, fake_host

NETWORKS = {"front": ("10.1.0", "fd01::"), "back": ("10.2.0", "fd02::"), "else": ("10.3.0", "")}


def engine_of(version: tuple[int, int] = (28, 5)) -> FakeEngine:
    """web on front and back, api on front, db on back; stray on a network that nobody governs."""
    engine = FakeEngine(version)
    for name, (four, six) in NETWORKS.items():
        config = [{"Subnet": f"{four}.0/24", "Gateway": f"{four}.1"}]
        if six:
            config.append({"Subnet": f"{six}/64", "Gateway": f"{six}1"})
        engine.create_network({"Name": name, "EnableIPv6": bool(six), "IPAM": {"Config": config}})
    engine.run("web", "front", ip="10.1.0.5", ip6="fd01::5", labels={"tier": "edge"})
    engine.connect(
        "back", engine.known_id("web"), {"IPAMConfig": {"IPv4Address": "10.2.0.5", "IPv6Address": "fd02::5"}}
    )
    engine.run("api", "front", ip="10.1.0.6", ip6="fd01::6", labels={"tier": "inner", "app": "api"})
    engine.run("db", "back", ip="10.2.0.7", ip6="fd02::7", labels={"tier": "inner", "app": "db"})
    engine.run("stray", "else", ip="10.3.0.8", labels={"tier": "inner", "app": "stray"})
    engine.create("idle", "front", labels={"tier": "inner"})
    return engine


@pytest.fixture
def host() -> Iterator[FakeHost]:
    with fake_host(engine_of()) as found:
        yield found


def policy(*allow: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "shop", "networks": ["front", "back"], "allow": list(allow), **more}


def sets(host: FakeHost) -> dict[str, set[str]]:
    table = host.engine.kernel.nft.tables["breakwater-shop"]
    return {name: found.elements for name, found in table.sets.items() if found.elements}


Ranges = dict[str, list[list[tuple[int, int]]]]


def ranges(host: FakeHost) -> Ranges:
    """The elements of the sets as numbers."""
    return {name: [_ranges(each) for each in found] for name, found in sets(host).items() if name != "bridges"}


def passes(found: Ranges, source: str, destination: str, protocol: int, port: int) -> bool:
    """What the rules of the table do with the first packet between two addresses that the host forwards."""
    version = 6 if ":" in source else 4
    one, other = int(ip_address(source)), int(ip_address(destination))

    def holds(name: str, *values: int) -> bool:
        return any(
            all(low <= value <= high for value, (low, high) in zip(values, each))
            for each in found.get(f"{name}{version}", ())
        )

    if not (holds("governed", one) or holds("governed", other)):
        return True
    return (
        holds("pairs", one, other, protocol, port)
        or holds("ranges", one, other, protocol, port)
        or (not holds("local", other) and holds("to_world", one, protocol, port))
        or (not holds("local", one) and holds("from_world", other, protocol, port))
    )


def _ranges(element: str) -> list[tuple[int, int]]:
    found = []
    for each in element.split(" . "):
        ends = [int(one) if one.isdecimal() else int(ip_address(one)) for one in each.split("-")]
        found.append((ends[0], ends[-1]))
    return found


def test_cycle(host: FakeHost) -> None:
    args = policy({"from": "api", "to": "web", "ports": ["80"]}, {"from": "host", "to": "db"})
    foretold = host.module("policy", args, check=True)
    assert not host.engine.kernel.nft.tables
    done = host.module("policy", args)
    assert foretold["steps"] == done["steps"]
    assert done["steps"][0]["after"] == {
        "default": "deny",
        "networks": ["back", "front"],
        "allow": ["api -> web: 80/tcp", "host -> db: everything"],
        "bridged_by": "br_netfilter",
    }
    assert host.module("policy", args, check=True)["steps"] == host.module("policy", args)["steps"] == []
    assert sets(host)["pairs4"] == {"10.1.0.6 . 10.1.0.5 . 6 . 80", "10.1.0.6 . 10.2.0.5 . 6 . 80"}
    assert sets(host)["from_host6"] == {"fd02::7 . 0-255 . 0-65535"}
    gone = host.module("policy", {"name": "shop", "state": "absent"})
    assert [each["verb"] for each in gone["steps"]] == ["remove"]
    assert not host.engine.kernel.nft.tables


def test_the_diff_says_what_is_newly_allowed_and_what_no_longer(host: FakeHost) -> None:
    host.module("policy", policy({"from": "api", "to": "web", "ports": ["80"]}, {"from": "web", "to": "db"}))
    (step,) = host.module(
        "policy", policy({"from": "web", "to": "db"}, {"from": "world", "to": "web", "ports": ["443"]})
    )["steps"]
    assert step["before"]["allow"] == ["api -> web: 80/tcp", "web -> db: everything"]
    assert step["after"]["allow"] == ["web -> db: everything", "world -> web: 443/tcp"]


def test_drift_in_rules_and_in_elements_is_mended(host: FakeHost) -> None:
    args = policy({"from": "api", "to": "web", "ports": ["80"]})
    host.module("policy", args)
    table = host.engine.kernel.nft.tables["breakwater-shop"]
    table.chains["forward4"].pop()
    (step,) = host.module("policy", args)["steps"]
    assert step["before"]["rules"] == "changed by somebody else"
    table = host.engine.kernel.nft.tables["breakwater-shop"]
    table.sets["pairs4"].elements.pop()
    assert host.module("policy", args)["changed"]
    del host.engine.kernel.nft.tables["breakwater-shop"].sets["local6"]
    assert host.module("policy", args)["changed"]
    assert not host.module("policy", args)["changed"]


def test_another_address_is_another_element(host: FakeHost) -> None:
    args = policy({"from": "api", "to": "web", "ports": ["80"]})
    host.module("policy", args)
    host.engine.delete("api")
    assert host.module("policy", args)["pending"] == ["allow[0]: container 'api' does not exist"]
    host.engine.run("api", "front", ip="10.1.0.66")
    (step,) = host.module("policy", args)["steps"]
    assert step["after"]["allow"] == ["api -> web: 80/tcp"]
    assert "10.1.0.66 . 10.1.0.5 . 6 . 80" in sets(host)["pairs4"]


def test_a_network_of_somebody_else_is_not_the_world(host: FakeHost) -> None:
    args = policy({"from": "web", "to": "world"})
    host.module("policy", args)
    host.engine.create_network({"Name": "new", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}})
    assert "10.9.0.0-10.9.0.255" not in sets(host)["local4"]
    assert not host.module("policy", args)["changed"]
    assert "10.9.0.0-10.9.0.255" in sets(host)["local4"]


def test_labels_select_running_members_alone(host: FakeHost) -> None:
    host.module("policy", policy({"from": "web", "to": {"labels": "tier=inner"}, "ports": ["80"]}))
    assert {each.split(" . ")[1] for each in sets(host)["pairs4"]} == {"10.1.0.6", "10.2.0.7"}


def test_labels_that_nobody_has_are_a_warning(host: FakeHost) -> None:
    result = host.module("policy", policy({"from": "web", "to": {"labels": "app=nobody"}}))
    assert result["warnings"] == ["allow[0].to: no running container on back, front has the labels 'app=nobody'"]


def verbs(result: dict[str, Any]) -> list[str]:
    return [f"{each['verb']} {each['resource']}" for each in result["steps"]]


def test_by_br_netfilter_where_the_kernel_has_nothing_better(host: FakeHost) -> None:
    """It is switched on for the policies that need it, and left as it was before when the last one goes."""
    host.bridge_filter({4: "1", 6: "0"})
    both = {"ip_versions": [4, 6]}
    enabled = host.module("policy", policy(), check=True)
    assert verbs(enabled) == ["enable filtering on bridges", "set policy shop"]
    assert (enabled["steps"][0]["before"], enabled["steps"][0]["after"]) == ({"ip_versions": [4]}, both)
    assert verbs(host.module("policy", policy())) == verbs(enabled)
    again = host.module("policy", policy())
    assert (again["changed"], again["bridged_by"]) == (False, "br_netfilter")
    host.module("policy", {**policy(), "name": "other"})
    assert verbs(host.module("policy", {"name": "other", "state": "absent"})) == ["remove policy other"]
    gone = host.module("policy", {"name": "shop", "state": "absent"})
    assert verbs(gone) == ["remove policy shop", "restore filtering on bridges"]
    assert (gone["steps"][1]["before"], gone["steps"][1]["after"]) == (both, {"ip_versions": [4]})
    assert host.bridge_filter() == {4: "1", 6: "0"}


def test_by_a_table_of_family_bridge(host: FakeHost) -> None:
    """br_netfilter is left alone; the second table has the elements of the first, and both are kept whole."""
    host.bridge_filter({4: "0", 6: "0"})
    nft = host.engine.kernel.nft
    nft.has_conntrack_bridge = True
    entry = {"from": "api", "to": "web", "ports": ["80"]}
    result = host.module("policy", policy(entry))
    assert (verbs(result), result["bridged_by"]) == (["set policy shop"], "nf_conntrack_bridge")
    assert not host.module("policy", policy(entry))["changed"]
    inet, bridge = (nft.families[each]["breakwater-shop"] for each in ("inet", "bridge"))
    assert {name: each.elements for name, each in bridge.sets.items()}.items() <= {
        name: each.elements for name, each in inet.sets.items()
    }.items()
    assert set(bridge.hooks) == {"forward"}
    bridge.sets["pairs4"].elements.clear()
    assert host.module("policy", policy(entry), check=True)["steps"][0]["before"]["rules"] == "changed by somebody else"
    host.module("policy", policy(entry))
    del nft.families["inet"]["breakwater-shop"]
    host.module("policy", policy(entry))
    assert not host.module("policy", policy(entry))["changed"]
    host.module("policy", {"name": "shop", "state": "absent"})
    assert nft.families == {"inet": {}, "bridge": {}}
    assert host.bridge_filter() == {4: "0", 6: "0"}


def test_from_br_netfilter_to_a_table_of_family_bridge(host: FakeHost) -> None:
    """A kernel that has come to know better: br_netfilter goes back once the table stands."""
    host.bridge_filter({4: "0", 6: "0"})
    host.module("policy", policy())
    host.engine.kernel.nft.has_conntrack_bridge = True
    result = host.module("policy", policy())
    assert verbs(result) == ["set policy shop", "restore filtering on bridges"]
    changed = result["steps"][0]
    assert (changed["before"]["bridged_by"], changed["after"]["bridged_by"]) == ("br_netfilter", "nf_conntrack_bridge")
    assert host.bridge_filter() == {4: "0", 6: "0"}
    assert not host.module("policy", policy())["changed"]


def test_ssh_sessions_are_not_cut(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "Sessions", lambda: [("10.99.1.7", 22), ("10.1.0.6", 2222)])
    with pytest.raises(DeclarationError, match=r"default: would cut the ssh session of 10\.1\.0\.6 .*\[2222/tcp\]"):
        host.module("policy", policy())
    assert not host.engine.kernel.nft.tables
    host.module("policy", policy(default="audit"))
    host.module("policy", policy({"from": "10.1.0.6", "to": "host", "ports": ["2222/tcp"]}))


TOPOLOGY: dict[str, Any] = {
    "name": "shop",
    "networks": [{"name": "shop_a", "ipam_config": [{"subnet": "10.7.0.0/24"}]}, {"name": "shop_b"}],
    "connections": [
        {"container": "api", "networks": [{"name": "shop_a"}], "exclusive": True},
        {"container": "db", "networks": [{"name": "shop_a", "ipv4_address": "10.7.0.9"}, {"name": "shop_b"}]},
    ],
    "policy": {"allow": [{"from": "api", "to": "db", "ports": ["5432"]}, {"from": "late", "to": "db"}]},
    "prune": True,
}


class TestTopology:
    def test_closed_before_anyone_comes(self, host: FakeHost) -> None:
        foretold = host.module("topology", TOPOLOGY, check=True)
        done = host.module("topology", TOPOLOGY)
        assert foretold["steps"] == done["steps"]
        told = [f"{each['verb']} {each['resource']}" for each in done["steps"]]
        assert (
            told.index("create network shop_b")
            < told.index("close policy shop")
            < told.index("connect connection api to shop_a")
        )
        assert told[-1] == "set policy shop"
        assert done["pending"] == ["policy.allow[1]: container 'late' does not exist"]
        assert not host.module("topology", TOPOLOGY)["changed"]

    def test_missing_containers_fail(self, host: FakeHost) -> None:
        with pytest.raises(NotThere, match=r"policy.allow\[1\].from: container 'late' does not exist"):
            host.module("topology", {**TOPOLOGY, "missing_containers": "fail"})
        assert not host.engine.kernel.nft.tables

    def test_a_network_that_is_remade_is_governed_again(self, host: FakeHost) -> None:
        host.module("topology", TOPOLOGY)
        changed = {**TOPOLOGY["networks"][0], "internal": True, "recreate": "if_needed"}
        args = {**TOPOLOGY, "networks": [changed, TOPOLOGY["networks"][1]]}
        foretold = host.module("topology", args, check=True)
        done = host.module("topology", args)
        assert foretold["steps"] == done["steps"]
        assert done["steps"][-1]["resource"] == "policy shop"
        assert not host.module("topology", args)["changed"]

    @pytest.mark.parametrize("prune", [True, False])
    def test_no_longer_declared(self, host: FakeHost, prune: bool) -> None:
        host.module("topology", TOPOLOGY)
        args = {**TOPOLOGY, "prune": prune}
        del args["policy"]
        host.module("topology", args)
        assert ("breakwater-shop" in host.engine.kernel.nft.tables) is not prune
        host.module("topology", {"name": "shop", "state": "absent"})
        assert not host.engine.kernel.nft.tables

    def test_no_bridge_must_be_left_out_by_name(self, host: FakeHost) -> None:
        lan = {"name": "lan", "driver": "macvlan", "ipam_config": [{"subnet": "10.99.1.0/24"}]}
        lan["driver_options"] = {"parent": "eth0"}
        args = {**TOPOLOGY, "networks": [*TOPOLOGY["networks"], lan]}
        with pytest.raises(DeclarationError, match=r"policy\.networks: network 'lan' is of driver macvlan"):
            host.module("topology", args, check=True)


FLOWS: list[tuple[dict[str, Any], str, str | None]] = [
    ({"from": "api", "to": "web", "ports": ["80"]}, "allow", "policy.allow[0]"),
    ({"from": "api", "to": "web", "ports": ["80", "81"]}, "deny", "policy.allow[0]"),
    ({"from": "web", "to": "api", "ports": ["80"]}, "deny", None),
    ({"from": "web", "to": "db", "ports": ["5432"]}, "allow", "policy.allow[1]"),
    ({"from": "world", "to": "web", "ports": ["443"]}, "allow", "policy.allow[2]"),
    ({"from": "192.0.2.7", "to": "web", "ports": ["443"]}, "allow", "policy.allow[2]"),
    ({"from": "10.3.0.8", "to": "web", "ports": ["443"]}, "deny", None),
    ({"from": "host", "to": "db", "ports": ["icmp"]}, "allow", "policy.allow[3]"),
    ({"from": "stray", "to": "world"}, "open", None),
]


EXPLAINED = {
    "networks": ["front", "back"],
    "allow": [
        {"from": "api", "to": "web", "ports": ["80"]},
        {"from": {"network": "back"}, "to": {"labels": "app=db"}, "ports": ["5000-6000"]},
        {"from": "world", "to": "web", "ports": ["443"]},
        {"from": "host", "to": "db"},
    ],
}


class TestExplain:
    @pytest.mark.parametrize(("flow", "verdict", "entry"), FLOWS, ids=[str(each[0]) for each in FLOWS])
    def test_verdict(self, host: FakeHost, flow: dict[str, Any], verdict: str, entry: str | None) -> None:
        (told,) = host.module("explain", {"name": "shop", "policy": EXPLAINED, "flows": [flow]})["verdicts"]
        assert (told["verdict"], told["entry"]) == (verdict, entry), told

    def test_defaults(self, host: FakeHost) -> None:
        flow = {"from": "web", "to": "api"}
        for default in ("allow", "audit"):
            args = {"name": "shop", "policy": {**EXPLAINED, "default": default}, "flows": [flow]}
            assert host.module("explain", args)["verdicts"][0]["verdict"] == default

    def test_the_policy_of_a_topology(self, host: FakeHost) -> None:
        host.module("topology", TOPOLOGY)
        flows = [{"from": "api", "to": "db", "ports": ["5432"]}]
        (told,) = host.module("explain", {"name": "shop", "flows": flows})["verdicts"]
        assert told["entry"] == "policy.allow[0]"
        with pytest.raises(DeclarationError, match="policy: is required: no topology 'other'"):
            host.module("explain", {"name": "other", "flows": flows})
        with pytest.raises(NotThere, match=r"flows\[0\].from: container 'idle' is not running"):
            host.module("explain", {"name": "shop", "flows": [{"from": "idle", "to": "db"}]})


ADDRESSES = {
    "web": ["10.1.0.5", "10.2.0.5", "fd01::5", "fd02::5"],
    "api": ["10.1.0.6", "fd01::6"],
    "db": ["10.2.0.7", "fd02::7"],
    "outside": ["192.0.2.7", "2001:db8::7"],
}
_ENDS = st.sampled_from(
    ["web", "api", "db", "world", {"network": "front"}, {"network": "back"}, {"labels": "tier=inner"}]
    + ["10.1.0.0/25", {"cidr": "10.0.0.0/8", "except": ["10.2.0.0/24"]}, "fd02::/64", "192.0.2.0/24"]
)
_MEMBERS = {"front": ("10.1.0.", "fd01::"), "back": ("10.2.0.", "fd02::")}
_PORTS = st.lists(st.sampled_from(["80", "80-90", "85/udp", "udp", "icmp", "1-100"]), max_size=2)
_ENTRIES = st.lists(st.fixed_dictionaries({"from": _ENDS, "to": _ENDS, "ports": _PORTS}), max_size=6)


def means(end: Any, address: str) -> bool:
    """Whether ``end`` means ``address``, by the documentation and nothing else."""
    if isinstance(end, str) and end in ADDRESSES:
        return address in ADDRESSES[end]
    if end == "world":
        return address in ADDRESSES["outside"]
    if isinstance(end, dict) and "network" in end:
        return address.startswith(_MEMBERS[end["network"]])
    if isinstance(end, dict) and "labels" in end:
        return address in ADDRESSES["api"] + ADDRESSES["db"]
    begins = {"10.1.0.0/25": "10.1.0.", "fd02::/64": "fd02::", "192.0.2.0/24": "192.0.2."}
    return address.startswith(begins[end]) if isinstance(end, str) else address.startswith(("10.1.0.", "10.3."))


def covers(ports: list[str], protocol: str, port: int) -> bool:
    for each in ports:
        numbers, _slash, of = each.partition("/")
        if each in ("udp", "icmp"):
            if protocol == each:
                return True
        elif protocol == (of or "tcp"):
            first, _dash, last = numbers.partition("-")
            if int(first) <= port <= int(last or first):
                return True
    return not ports


@cases(60)
@given(st.lists(_ENTRIES, min_size=1, max_size=3))
def test_the_sets_say_what_the_entries_say(successive: list[list[dict[str, Any]]]) -> None:
    """Each policy applied over the former one; every pair and port by a reading of its own."""
    with fake_host(engine_of()) as host:
        for entries in successive:
            try:
                host.module("policy", policy(*entries))
            except DeclarationError:
                continue  # neither end governed, or no way
            held = ranges(host)
            everyone = [each for found in ADDRESSES.values() for each in found]
            for source in everyone:
                for destination in everyone:
                    if source == destination or (":" in source) != (":" in destination):
                        continue
                    if {source, destination} <= set(ADDRESSES["outside"]):
                        continue
                    numbers = {"tcp": 6, "udp": 17, "icmp": 58 if ":" in source else 1}
                    for protocol, port in (("tcp", 80), ("tcp", 85), ("udp", 85), ("tcp", 443), ("icmp", 8)):
                        expected = any(
                            means(each["from"], source)
                            and means(each["to"], destination)
                            and covers(each["ports"], protocol, port)
                            for each in entries
                        )
                        found = passes(held, source, destination, numbers[protocol], port)
                        assert found == expected, (source, destination, protocol, port, entries)

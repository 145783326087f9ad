# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules compile to, in which family, with which sets; and when a topology applies them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError, NotThere
from ansible_collections.breakwater.docker.plugins.module_utils._model.packet_filter import Ruleset
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Plan, SetRuleset
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import fake_host

from .shop import planned, shop, titles

ORIGINAL = "--ctdir ORIGINAL"


def rulesets(plan: Plan) -> list[Ruleset]:
    """The rulesets that a plan sets, in order."""
    return [each.action.ruleset for each in plan.steps if isinstance(each.action, SetRuleset)]


def compiled(*rules: dict[str, Any], engine: FakeEngine | None = None) -> Ruleset:
    """The one ruleset that these rules make on the shop's host."""
    (found,) = rulesets(planned("firewall", {"name": "edge", "rules": list(rules)}, engine or shop()))
    return found


PER_SOURCE = "-m hashlimit --hashlimit-upto 1/sec --hashlimit-burst 20 --hashlimit-mode srcip"
BOTH = (4, 6)
CASES: list[tuple[str, dict[str, Any], tuple[int, ...], list[str]]] = [
    ("all", {"action": "drop"}, BOTH, ["-j DROP"]),
    ("return is allow", {"action": "return"}, BOTH, ["-j RETURN"]),
    ("a subnet", {"action": "allow", "source": "192.0.2.0/24"}, (4,), ["-s 192.0.2.0/24 -j RETURN"]),
    ("an address", {"action": "allow", "source": "2001:DB8::1"}, (6,), ["-s 2001:db8::1/128 -j RETURN"]),
    ("everywhere of a family", {"action": "drop", "destination": "::/0"}, (6,), ["-j DROP"]),
    ("explicitly", {"action": "drop", "destination": {"cidr": "192.0.2.7"}}, (4,), ["-d 192.0.2.7/32 -j DROP"]),
    ("a port", {"action": "drop", "protocol": "tcp", "ports": [80]}, BOTH, ["-p tcp -m tcp --dport 80 -j DROP"]),
    (
        "ports",
        {"action": "drop", "protocol": "udp", "ports": ["53", "8000-8010", "9-9"]},
        BOTH,
        ["-p udp -m multiport --dports 53,8000:8010,9 -j DROP"],
    ),
    (
        "more ports than multiport takes",
        {"action": "drop", "protocol": "tcp", "ports": ["1-2", *(str(each) for each in range(10, 24))]},
        BOTH,
        [
            "-p tcp -m multiport --dports 1:2,10,11,12,13,14,15,16,17,18,19,20,21,22 -j DROP",
            "-p tcp -m multiport --dports 23 -j DROP",
        ],
    ),
    ("by number", {"action": "drop", "protocol": 6, "ports": [1]}, BOTH, ["-p tcp -m tcp --dport 1 -j DROP"]),
    ("another number", {"action": "drop", "protocol": 47}, BOTH, ["-p 47 -j DROP"]),
    ("ICMPv6", {"action": "drop", "protocol": "icmpv6"}, (6,), ["-p ipv6-icmp -j DROP"]),
    (
        "a published port",
        {"action": "drop", "published_port": 8080},
        BOTH,
        [f"-m conntrack --ctorigdstport 8080 {ORIGINAL} -j DROP"],
    ),
    (
        "sent to the host",
        {"action": "drop", "destination": "host", "in_interface": "eth0"},
        BOTH,
        [f"-i eth0 -m conntrack --ctstate DNAT {ORIGINAL} -j DROP"],
    ),
    (
        "states in the kernel's order",
        {"action": "allow", "state": ["ESTABLISHED", "NEW", "INVALID"]},
        BOTH,
        ["-m conntrack --ctstate INVALID,NEW,ESTABLISHED -j RETURN"],
    ),
    (
        "a rate in the unit that iptables prints",
        {"action": "drop", "limit": {"rate": "60/minute"}},
        BOTH,
        ["-m limit --limit 1/sec -j DROP"],
    ),
    (
        "a rate for each source",
        {"action": "allow", "limit": {"rate": "60/minute", "burst": 20, "per": "source"}},
        BOTH,
        [f"{PER_SOURCE} --hashlimit-name bw-545c2e15a435 -j RETURN"],
    ),
    (
        "logged first",
        {"action": "drop", "log_prefix": "no ", "log_limit": {"rate": "7/h", "burst": 9}, "comment": "why"},
        BOTH,
        [
            '-m limit --limit 7/hour --limit-burst 9 -m comment --comment why -j LOG --log-prefix "no "',
            "-m comment --comment why -j DROP",
        ],
    ),
    ("a log", {"action": "log", "log_prefix": "it's \"\\"}, BOTH, [r'-j LOG --log-prefix "it\'s \"\\"']),
    (
        "a match",
        {"action": "drop", "match": ["!", "-i", "eth0", "-m", "string", "--string", "a b"]},
        BOTH,
        ['"!" -i eth0 -m string --string "a b" -j DROP'],
    ),
]


@pytest.mark.parametrize(("rule", "versions", "lines"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_lines(rule: dict[str, Any], versions: tuple[int, ...], lines: list[str]) -> None:
    found = compiled(rule)
    assert found.rules == {version: tuple(lines) for version in versions}
    assert found.reached == set(versions) and found.sets == {}


REJECTIONS = [
    ("port-unreachable", "icmp-port-unreachable", "icmp6-port-unreachable"),
    ("host-unreachable", "icmp-host-unreachable", "icmp6-addr-unreachable"),
    ("net-unreachable", "icmp-net-unreachable", "icmp6-no-route"),
    ("admin-prohibited", "icmp-admin-prohibited", "icmp6-adm-prohibited"),
]


@pytest.mark.parametrize(("word", "four", "six"), REJECTIONS)
def test_rejections(word: str, four: str, six: str) -> None:
    found = compiled({"action": "reject", "reject_with": word})
    assert found.rules == {4: (f"-j REJECT --reject-with {four}",), 6: (f"-j REJECT --reject-with {six}",)}


def test_names_are_sets_of_addresses() -> None:
    found = compiled({"action": "drop", "source": "web", "destination": {"network": "back"}})
    assert sorted(found.sets.values(), key=len) == [frozenset({"10.2.0.0/24"}), frozenset({"10.1.0.10", "10.2.0.2"})]
    (line,) = found.rules[4]
    web, back = (next(name for name in found.sets if name.endswith(f"-{each}")) for each in ("web", "back"))
    assert line == f"-m set --match-set {web} src -m set --match-set {back} dst -j DROP"
    assert {*found.rules} == {4}, "the shop's networks have no IPv6"


def test_the_world_is_what_is_on_no_bridge() -> None:
    found = compiled({"action": "drop", "source": "world"})
    assert {*found.rules} == {4, 6}
    (four,) = (each for name, each in found.sets.items() if name.startswith("BW4"))
    assert four == {"10.1.0.0/24", "10.2.0.0/24", "172.17.0.0/16"}
    assert "-m set ! --match-set BW4-" in found.rules[4][0]


def test_a_network_of_somebody_else_is_no_change_of_the_rules() -> None:
    engine = FakeEngine((28, 5))
    args = {"name": "edge", "rules": [{"action": "drop", "source": "world"}]}
    with fake_host(engine) as host:
        (step,) = host.module("firewall", args)["steps"]
        assert not [line for line in step["after"]["ipset"] if line.startswith("add")]
        engine.create_network({"Name": "new", "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}})
        assert "10.9.0.0/24" not in engine.kernel.run(["ipset", "save"]).stdout
        assert not host.module("firewall", args)["changed"]
        assert "10.9.0.0/24" in engine.kernel.run(["ipset", "save"]).stdout


def test_one_set_however_often_it_is_named() -> None:
    rules = [{"action": "drop", "source": "db", "destination": "web"}, {"action": "drop", "source": "web"}]
    assert len(compiled(*rules).sets) == 2


def test_a_stopped_container_keeps_its_fixed_address() -> None:
    found = compiled({"action": "drop", "source": "idle"})
    assert [*found.sets.values()] == [frozenset({"10.1.0.30"})]


def test_a_stopped_container_without_one_is_waited_for() -> None:
    engine = shop()
    engine.stop("db")
    plan = planned("firewall", {"name": "edge", "rules": [{"action": "drop", "source": "db"}]}, engine)
    assert [str(each) for each in plan.pending] == [
        "rules[0].source: container 'db' is not running and has no fixed address"
    ]
    assert [*rulesets(plan)[0].sets.values()] == [frozenset()]


def test_a_missing_container_is_an_error() -> None:
    with pytest.raises(NotThere, match=r"rules\[0\].source: container 'wep' does not exist; did you mean 'web'"):
        compiled({"action": "drop", "source": "wep"})


def test_without_ipset() -> None:
    engine = shop()
    with fake_host(engine) as host:
        declared = host.declared(
            "firewall", {"name": "e", "rules": [{"action": "log"}, {"action": "drop", "source": "db"}]}
        )
        world = Host(engine).observe()
        object.__setattr__(world.packet_filter, "has_sets", lambda: False)
        from ansible_collections.breakwater.docker.plugins.module_utils._plan import firewall

        with pytest.raises(DeclarationError, match=r"rules\[1\].source: a name needs ipset") as refused:
            firewall.plan(declared, world)
        assert refused.value.field == "rules[1].source"


TOPOLOGY: dict[str, Any] = {
    "name": "shop",
    "networks": [{"name": "fresh", "ipam_config": [{"subnet": "10.5.0.0/24"}]}, {"name": "drawn"}],
    "connections": [
        {"container": "web", "networks": [{"name": "fresh", "ipv4_address": "10.5.0.9"}]},
        {"container": "db", "networks": [{"name": "fresh"}]},
    ],
    "rules": [
        {"action": "drop", "source": "db", "destination": "web"},
        {"action": "drop", "source": {"network": "drawn"}, "destination": "late"},
    ],
}


def test_rules_stand_before_containers_move() -> None:
    plan = planned("topology", TOPOLOGY, shop())
    told = titles(plan)
    moves = [number for number, each in enumerate(told) if each.startswith("connect ")]
    sets = [number for number, each in enumerate(told) if "ruleset shop" in each]
    assert sets[0] < min(moves) < max(moves) < sets[-1]
    assert [told[each] for each in sets] == ["set ruleset shop", "change ruleset shop"]
    ahead, last = rulesets(plan)
    assert ahead.rules == last.rules

    def members(ruleset: Ruleset, tail: str) -> set[str]:
        return {str(each) for name, every in ruleset.sets.items() if name.endswith(tail) for each in every}

    assert "10.5.0.9" in members(ahead, "-web") and members(ahead, "-db") == {"10.1.0.2"}
    assert members(last, "-db") == {"10.1.0.2", "db on fresh"}
    assert members(last, "-drawn") == {"the subnets of drawn"} and members(last, "-late") == set()
    assert [str(each) for each in plan.pending] == ["rules[1].destination: container 'late' does not exist"]


def test_missing_containers_fail() -> None:
    with pytest.raises(NotThere, match=r"rules\[1\].destination: container 'late' does not exist"):
        planned("topology", {**TOPOLOGY, "missing_containers": "fail"}, shop())


def test_cycles_of_a_topology() -> None:
    """What is applied holds, what is left out stays, an empty list and prune take it away."""
    rest = {key: each for key, each in TOPOLOGY.items() if key != "rules"}
    engine = shop()
    with fake_host(engine) as host:
        untouched = host_state(engine)
        for args, changes in (
            (TOPOLOGY, True),
            (TOPOLOGY, False),
            (rest, False),
            ({**rest, "rules": []}, True),
            (TOPOLOGY, True),
            ({**rest, "prune": True}, True),
            ({**rest, "prune": True}, False),
            (TOPOLOGY, True),
        ):
            foreseen = host.module("topology", args, check=True)
            result = host.module("topology", args)
            assert result["changed"] == foreseen["changed"] == changes and result["steps"] == foreseen["steps"]
            assert not host.module("topology", args)["changed"]
        host.module("topology", {"name": "shop", "state": "absent"})
        assert host_state(engine) == untouched


def host_state(engine: FakeEngine) -> tuple[Any, ...]:
    """The packet filter of the host."""
    kernel = engine.kernel
    saved = [kernel.run([f"{tool}-save"]).stdout for tool in kernel.filters]
    return (*saved, kernel.run(["ipset", "save"]).stdout)


def test_a_match_that_iptables_refuses() -> None:
    rules = [{"action": "log", "match": ["-m", "mark", "--mark", "1"]}, {"action": "drop", "match": ["-m", "nosuch"]}]
    with pytest.raises(DeclarationError, match=r"rules\[1\].match: iptables refuses it: Couldn't load match `nosuch'"):
        compiled(*rules)


def test_what_docker_user_does_not_see_is_refused() -> None:
    engine = shop()
    engine.create_network({"Name": "lan", "Driver": "macvlan", "IPAM": {"Config": [{"Subnet": "10.6.0.0/24"}]}})
    engine.run("plc", "lan")
    engine.run("sidecar", f"container:{engine.known_id('web')}")
    engine.run("lonely", "none")
    for name, says in (
        ("plc", "container 'plc' is on lan alone: what is sent there does not pass the host's FORWARD"),
        ("sidecar", "has the network of another container"),
        ("lonely", "has no network"),
    ):
        with pytest.raises(DeclarationError, match=says) as refused:
            compiled({"action": "drop", "destination": name}, engine=engine)
        assert refused.value.field == "rules[0].destination"

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of patterns come to, and how wrong ones are refused."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.breakwater.docker.plugins.filter.pattern import pattern
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import read
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import SPEC, Topology
from ansible_collections.breakwater.docker.plugins.plugin_utils._patterns import dmz, tiers
from ansible_collections.breakwater.docker.plugins.plugin_utils._patterns.catalogue import PATTERNS

ROLES = Path(__file__).parents[4] / "roles"

SHOP: dict[str, Any] = {
    "pattern": "multi_tier",
    "name": "shop",
    "tiers": [
        {"name": "web", "containers": ["nginx"], "exposes": [80], "calls": {"app": [8080]}, "egress": True},
        {
            "name": "app",
            "start": {"image": "shop:7"},
            "containers": ["app1", {"name": "app2", "env": {"A": "1"}}],
            "calls": {"db": ["5432/tcp"], "app": []},
        },
        {"name": "db", "labels": "role=db"},
    ],
}
EDGE: dict[str, Any] = {
    "pattern": "dmz",
    "name": "edge",
    "edge": [
        {
            "name": "proxy",
            "containers": ["nginx"],
            "exposes": [{"ports": [443, "443/udp"], "limit": {"rate": "50/second", "burst": 9}}, 80],
            "calls": {"app": [8080]},
        }
    ],
    "inner": [
        {"name": "app", "containers": ["app"], "calls": {"db": [5432]}, "egress": True},
        {"name": "db", "containers": ["db"]},
    ],
    "egress": {"containers": ["squid"], "ports": [3128], "to": [{"to": ["203.0.113.0/24"], "ports": [443]}]},
    "management": [{"to": "db", "ports": [5432], "sources": ["198.51.100.0/24"]}],
}


def networks_of(topology: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Who is on which network, and by which aliases."""
    found: dict[str, dict[str, list[str]]] = {}
    for each in topology["connections"]:
        assert each["exclusive"] is True
        for network in each["networks"]:
            found.setdefault(network["name"], {})[each.get("container") or each["labels"]] = network.get("aliases", [])
    return found


def lines(topology: dict[str, Any]) -> list[str]:
    """What the policy allows, a line each."""
    return [
        f"{each['from']} -> {each['to']}: {' '.join(each['ports'])}".replace("'", "")
        for each in topology["policy"]["allow"]
    ]


def test_tiers() -> None:
    found = pattern(SHOP)
    assert networks_of(found) == {
        "shop-web": {"nginx": []},
        "shop-web-app": {"nginx": [], "app1": ["app"], "app2": ["app"]},
        "shop-app-db": {"app1": [], "app2": [], "role=db": ["db"]},
        "shop-app-app": {"app1": ["app"], "app2": ["app"]},
    }
    assert {each["name"]: each.get("internal", False) for each in found["networks"]} == {
        "shop-web": False,
        "shop-web-app": True,
        "shop-app-db": True,
        "shop-app-app": True,
    }
    assert found["containers"] == [
        {"name": "app1", "image": "shop:7"},
        {"name": "app2", "env": {"A": "1"}, "image": "shop:7"},
    ]
    assert lines(found) == [
        "[world] -> [nginx]: 80",
        "[nginx] -> [app1, app2]: 8080",
        "[nginx] -> [world]: ",
        "[app1, app2] -> [{labels: role=db}]: 5432/tcp",
        "[app1, app2] -> [app1, app2]: ",
    ]
    assert found["policy"]["default"] == "deny" and found["prune"] is True


def test_dmz() -> None:
    found = pattern(EDGE)
    assert {each["name"] for each in found["networks"] if not each.get("internal")} == {
        "edge-proxy",
        "edge-egress",
        "edge-db",
    }
    assert set(networks_of(found)["edge-app-egress"]) == {"app", "squid"}
    assert lines(found) == [
        "[world] -> [nginx]: 443 443/udp",
        "[world] -> [nginx]: 80",
        "[nginx] -> [app]: 8080",
        "[app] -> [db]: 5432",
        "[app] -> [squid]: 3128",
        "[198.51.100.0/24] -> [db]: 5432",
        "[squid] -> [203.0.113.0/24]: 443",
    ]
    first, *limits = found["rules"]
    assert first["action"] == "allow" and first["state"] == ["ESTABLISHED", "RELATED"]
    assert [(each["action"], each["protocol"], each["ports"], each["destination"]) for each in limits] == [
        (action, protocol, ["443-443"], {"network": "edge-proxy"})
        for protocol in ("tcp", "udp")
        for action in ("allow", "drop")
    ]
    assert limits[0]["limit"] == {"rate": "50/second", "burst": 9, "per": "source"}


@pytest.mark.parametrize("given", [SHOP, EDGE], ids=["multi_tier", "dmz"])
def test_a_pattern_is_a_topology(given: dict[str, Any]) -> None:
    topology = pattern(given)
    args = read(SPEC, {key: each for key, each in topology.items() if key != "containers"})
    assert Topology.read(args).name == given["name"]


def test_a_container_by_a_word_of_the_policy() -> None:
    tier = {"name": "web", "containers": ["host", "world"], "exposes": [80]}
    found = pattern({"pattern": "multi_tier", "name": "x", "tiers": [tier]})
    assert found["policy"]["allow"][0]["to"] == [{"container": "host"}, {"container": "world"}]


def test_two_that_call_each_other_share_one_network() -> None:
    both = deepcopy(SHOP)
    both["tiers"][2]["calls"] = {"app": [9000]}
    found = pattern({**both, "cycles": True})
    assert networks_of(found)["shop-app-db"] == {"app1": ["app"], "app2": ["app"], "role=db": ["db"]}


def test_networks_take_options() -> None:
    pool = [{"subnet": "10.0.1.0/24"}]
    found = pattern({**SHOP, "networks": {"web-app": {"ipam_config": pool}, "web": {"name": "front"}}})
    assert {"name": "shop-web-app", "internal": True, "ipam_config": pool} in found["networks"]
    assert found["connections"][0]["networks"][0] == {"name": "front"}


def test_what_is_of_the_topology_is_handed_on() -> None:
    assert pattern({**SHOP, "state": "absent", "keeper": False})["state"] == "absent"
    assert pattern({"name": "plain", "networks": []}) == {"name": "plain", "networks": []}


def changed(given: dict[str, Any], key: str, place: int, **options: Any) -> dict[str, Any]:
    """``given`` with other options in one item of one of its lists."""
    listed = deepcopy(given[key])
    listed[place].update(options)
    return {**given, key: listed}


def tier(place: int, **options: Any) -> dict[str, Any]:
    return changed(SHOP, "tiers", place, **options)


TIERS = "breakwater_multi_tier_tiers"
WRONG: list[tuple[str, Any, str]] = [
    ("no pattern of that name", {"pattern": "mesh"}, "pattern: there is no pattern 'mesh'; there is dmz, multi_tier"),
    ("no dictionary", [], "expected a dictionary"),
    ("misspelt", {**SHOP, "teirs": []}, "teirs: no such option; did you mean 'tiers'?"),
    ("no tiers", {"pattern": "multi_tier", "name": "x"}, "tiers: is required"),
    ("no name for a topology", {**SHOP, "name": "a/b"}, "name: 'a/b' is not"),
    (
        "a tier that is not there",
        tier(0, calls={"ap": [1]}),
        f"{TIERS}[0].calls.ap: there is no tier 'ap'; did you mean",
    ),
    ("a port twice", tier(0, calls={"app": [80, "80/tcp"]}), f"{TIERS}[0].calls.app[1]: 80/tcp is listed already, as"),
    (
        "exposed twice",
        tier(0, exposes=[80, {"ports": ["80/tcp"]}]),
        f"{TIERS}[0].exposes[1]: 80/tcp is exposed to world",
    ),
    ("no port", tier(0, exposes=["http"]), f"{TIERS}[0].exposes[0]: expected ports as in 443"),
    ("a port that cannot be", tier(0, calls={"app": [70000]}), f"{TIERS}[0].calls.app: expected ports from 1 to 65535"),
    ("no source", tier(0, exposes=[{"ports": [1], "sources": ["a b"]}]), f"{TIERS}[0].exposes[0].sources[0]: 'a b'"),
    ("a ring", tier(2, calls={"web": [1]}), f"{TIERS}[2].calls.web: closes the ring web → app → db → web; where that"),
    ("a name twice", tier(2, name="app"), f"{TIERS}[2].name: tier 'app' is declared already, as tiers[1]"),
    (
        "a container twice",
        tier(2, containers=["nginx"]),
        f"{TIERS}[2].containers[0]: container 'nginx' is in tier 'web'",
    ),
    ("nobody in it", tier(2, labels=None), f"{TIERS}[2]: tier 'db' has neither containers nor labels"),
    ("no label expression", tier(2, labels="a=(b"), f"{TIERS}[2].labels: 'a=(b' is no label expression"),
    (
        "options and no image",
        tier(0, containers=[{"name": "a", "env": {}}]),
        f"{TIERS}[0].containers[0]: 'a' has options",
    ),
    ("no container", tier(0, containers=[7]), f"{TIERS}[0].containers[0]: expected a container's name"),
    ("started, and nobody", tier(2, start={"image": "x"}), f"{TIERS}[2].start: goes with containers"),
    ("on no network", tier(1, calls={}), f"{TIERS}[2]: tier 'db' is on no network"),
    ("egress perhaps", tier(0, egress="perhaps"), f"{TIERS}[0].egress: expected true or false"),
    ("egress to nobody", tier(0, egress=[{"to": ["300.0.0.0/8"]}]), f"{TIERS}[0].egress[0].to[0]: "),
    ("a network that is not there", {**SHOP, "networks": {"web-db": {}}}, "networks.web-db: there is no such network"),
    ("a network no dictionary", {**SHOP, "networks": {"web": 1}}, "networks.web: expected options of a network"),
    (
        "one name for two networks",
        changed(tier(1, calls={}), "tiers", 2, name="web-app", exposes=[1]),
        "would share a name",
    ),
    ("an edge that opens nothing", changed(EDGE, "edge", 0, exposes=[]), "edge[0].exposes: lists no port"),
    ("no edge", {**EDGE, "edge": []}, "edge: lists none"),
    (
        "the inside calls the edge",
        changed(EDGE, "inner", 1, calls={"proxy": [1]}),
        "inner[1].calls.proxy: 'proxy' is at",
    ),
    ("nobody inside", changed(EDGE, "edge", 0, calls={"ap": [1]}), "edge[0].calls.ap: there is no inner service 'ap'"),
    (
        "a ring inside",
        changed(EDGE, "inner", 1, calls={"app": [1]}),
        "inner[1].calls.app: closes the ring app → db → app",
    ),
    ("no proxy to go by", {**EDGE, "egress": {}}, "inner[0].egress: there is no egress proxy"),
    ("a proxy without a port", {**EDGE, "egress": {"containers": ["a"]}}, "egress.ports: is required"),
    ("a proxy to nowhere", {**EDGE, "egress": {**EDGE["egress"], "to": []}}, "egress.to: leads nowhere"),
    ("nobody to manage", changed(EDGE, "management", 0, to="d"), "management[0].to: there is no service 'd'; did you"),
    (
        "managed by all",
        changed(EDGE, "management", 0, sources=["0.0.0.0/0"]),
        "management[0].sources[0]: '0.0.0.0/0' is",
    ),
    ("managed by the world", changed(EDGE, "management", 0, sources=["world"]), "sources[0]: 'world' is everybody"),
    ("managed by a container", changed(EDGE, "management", 0, sources=["app"]), "sources[0]: expected an address or a"),
    (
        "a rate of pings",
        changed(EDGE, "edge", 0, exposes=[{"ports": ["icmp"], "limit": {"rate": "1/s"}}]),
        "edge[0].exposes[0].limit: counts connections",
    ),
    (
        "no rate",
        changed(EDGE, "edge", 0, exposes=[{"ports": [1], "limit": {"rate": "fast"}}]),
        "edge[0].exposes[0].limit.rate: 'fast' is not a rate",
    ),
]


@pytest.mark.parametrize(("given", "message"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_is_wrong_is_named(given: Any, message: str) -> None:
    prefix = "breakwater_multi_tier_" if message.startswith(TIERS) else ""
    with pytest.raises(AnsibleFilterError) as refused:
        pattern(given, prefix)
    assert message in str(refused.value)


OPTIONS = {
    ("multi_tier", "tiers"): tiers.TIER_SPEC,
    ("dmz", "edge"): dmz.EDGE_SPEC,
    ("dmz", "inner"): dmz.INNER_SPEC,
    ("dmz", "management"): dmz.MANAGEMENT_SPEC,
}


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_the_role_takes_what_the_pattern_does(name: str) -> None:
    role = yaml.safe_load((ROLES / name / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = role["argument_specs"]["main"]["options"]
    prefix = f"breakwater_{name}_"
    assert {each.removeprefix(prefix) for each in options} == {*PATTERNS[name][0], "state", "keeper"}
    for (pattern_name, key), spec in OPTIONS.items():
        if pattern_name == name:
            told = options[f"{prefix}{key}"]["options"]
            assert {each: (one["type"], one.get("required", False)) for each, one in told.items()} == {
                each: (one["type"], one.get("required", False)) for each, one in spec.items()
            }

# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth table of three topologies side by side: every cell is as the oracle says, until somebody acts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from lab_host import Failed, LabHost

from ansible_collections.breakwater.docker.plugins.filter.fleet_host import fleet_host
from ansible_collections.breakwater.docker.plugins.filter.fleet_report import fleet_report
from ansible_collections.breakwater.docker.plugins.plugin_utils import _fleet as fleets

WORLD = "198.51.100.10"
PORTS = ["8080", "9000/udp"]
"""On which the outside node answers."""


def pool(number: int, block: int) -> dict[str, str]:
    """A subnet of a host's own: hosts are tested side by side before one outside."""
    return {"subnet": f"10.{number}.{block}.0/24"}


def topologies(block: int) -> list[dict[str, Any]]:
    """A shop that denies, two networks that a router joins and nobody closes, and one with rules and an audit."""
    v6 = {"subnet": f"fd81:{block}::/64"}
    shop = {
        "name": "shop",
        "networks": [
            {"name": "edge", "enable_ipv6": True, "ipam_config": [pool(81, block), v6]},
            {"name": "app", "ipam_config": [pool(82, block)]},
            {"name": "data", "internal": True, "ipam_config": [pool(83, block)]},
        ],
        "connections": [
            {"container": "lb", "exclusive": True, "networks": [{"name": "edge"}, {"name": "app"}]},
            {"container": "web1", "exclusive": True, "networks": [{"name": "app"}, {"name": "data"}]},
            {"container": "web2", "exclusive": True, "networks": [{"name": "app"}, {"name": "data"}]},
            {"container": "db", "exclusive": True, "networks": [{"name": "data"}]},
            {"container": "ops", "exclusive": True, "networks": [{"name": "edge"}, {"name": "data"}]},
        ],
        "policy": {
            "allow": [
                {"from": "world", "to": "lb", "ports": [8080]},
                {"from": "203.0.113.0/24", "to": "lb", "ports": [8081]},
                {"from": "lb", "to": {"labels": "app=web, !canary"}, "ports": [8080, "icmp"]},
                {"from": {"network": "app"}, "to": "db", "ports": [5432]},
                {"from": {"labels": "app=web"}, "to": "db", "ports": ["5432-5433"]},
                {"from": "ops", "to": ["db", "lb"], "ports": ["tcp", "9000/udp"]},
                {"from": "ops", "to": "world", "ports": [8080]},
                {"from": "host", "to": {"cidr": f"10.83.{block}.0/24"}, "ports": [5432]},
                {"from": "db", "to": "host", "ports": ["53/udp"]},
            ]
        },
    }
    routed = {
        "name": "routed",
        "networks": [
            {"name": "left", "ipam_config": [pool(84, block)]},
            {"name": "right", "ipam_config": [pool(85, block)]},
        ],
        "connections": [
            {"container": "west", "exclusive": True, "networks": [{"name": "left"}]},
            {"container": "east", "exclusive": True, "networks": [{"name": "right"}]},
            {"container": "router", "exclusive": True, "networks": [{"name": "left"}, {"name": "right"}]},
        ],
        "routes": [
            {"container": "west", "routes": [{"destination": f"10.85.{block}.0/24", "via": "router"}]},
            {"container": "east", "routes": [{"destination": f"10.84.{block}.0/24", "via": "router"}]},
        ],
    }
    ruled = {
        "name": "ruled",
        "networks": [{"name": "office", "ipam_config": [pool(86, block)]}],
        "connections": [
            {"container": each, "exclusive": True, "networks": [{"name": "office"}]} for each in ("pc", "printer")
        ],
        "rules": [
            {"action": "allow", "state": ["ESTABLISHED", "RELATED"]},
            {"action": "drop", "source": "printer", "destination": "world"},
            {"action": "drop", "source": "pc", "destination": "world", "protocol": "tcp", "ports": ["8080"]},
        ],
        "policy": {"default": "audit", "allow": [{"from": "pc", "to": "printer", "ports": [9100]}]},
    }
    return [shop, routed, ruled]


@pytest.fixture
def outside(host: LabHost) -> LabHost:
    """The node beyond the fleet: it has no engine."""
    found = LabHost("outside", host.container.removesuffix(host.name) + "outside", (0, 0))
    found.install()
    return found


@pytest.fixture
def site(host: LabHost) -> LabHost:
    for name, *options in (
        ("lb", "-p", "18080:8080", "-p", "18081:8081", "-p", "127.0.0.1:18082:8082"),
        ("web1", "--label", "app=web"),
        ("web2", "--label", "app=web", "--label", "canary="),
        ("db",),
        ("ops",),
        ("west",),
        ("east",),
        ("router", "--sysctl", "net.ipv4.ip_forward=1"),
        ("pc",),
        ("printer",),
        ("stranger",),
    ):
        host.start(name, *options)
    for each in topologies(host.version[0]):
        host.module("topology", **each)
    return host


def verify(host: LabHost, outside: LabHost) -> dict[str, Any]:
    """What the role registers of a host."""
    found = survey(host)
    return {
        "survey": found,
        "inside": measured(host, found["expectations"]),
        "outside": measured(outside, found["outside"], via=address(host)),
    }


def address(host: LabHost) -> str:
    found: str = json.loads(host.run("ip", "-4", "-json", "addr", "show", "eth0"))[0]["addr_info"][0]["local"]
    return found


def survey(host: LabHost) -> dict[str, Any]:
    return host.module("survey", world=WORLD, world_ports=PORTS, address=address(host))


def measured(node: LabHost, expectations: list[Mapping[str, Any]], **options: Any) -> dict[str, Any]:
    try:
        return node.module("probe", expectations=expectations, reply_timeout=1.0, **options)
    except Failed as failed:
        return failed.result


def differing(registered: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    found = fleets.host("x", registered)
    assert not found.failures
    return {(each.source, each.target, each.what) for each in found.differing}


def test_every_cell_is_as_declared(site: LabHost, outside: LabHost) -> None:
    registered = verify(site, outside)
    found = fleets.host(site.name, registered)
    told = [f"{each.title}: {each.outcome} instead of {each.expect}" for each in found.cells if each.differs]
    unjudged = {each["reason"]: each["cells"] for each in found.survey["unjudged"]}
    print(f"{site.name}: {len(found.cells)} cells, {sum(each.passed for each in found.cells)} pass; {unjudged}")
    assert not told, "\n".join(told)
    assert len(found.cells) == found.survey["cells"] - found.unjudged > 1000
    assert not found.drift and not found.failures
    assert [each["container"] for each in found.survey["left_out"]] == ["stranger"]
    assert survey(site) == registered["survey"], "the same host, and another result"
    # By this host alone: the others are attacked from there as well, maybe just now.
    left = outside.run("ip", "route", "show", "proto", "98", "via", address(site))
    assert left == "", "the attacker has left its routes"


def test_what_somebody_opens_or_closes_is_what_differs(site: LabHost, outside: LabHost) -> None:
    # One entry more than is declared, where the kernel keeps them; a route that is gone; a port that nobody reaches.
    (table,) = (each for each in site.run("nft", "list", "tables").splitlines() if "breakwater-shop" in each)
    db, web = (site.inspect(each)["NetworkSettings"]["Networks"]["data"]["IPAddress"] for each in ("db", "web2"))
    family, name = table.split()[1:]
    site.run("nft", "add", "element", family, name, "pairs4", f"{{ {db} . {web} . tcp . 8080 }}")
    site.inside("west", "ip", "route", "del", f"10.85.{site.version[0]}.0/24")
    site.run(
        "iptables", "-t", "nat", "-I", "PREROUTING", "-p", "tcp", "--dport", "18080", "-j", "REDIRECT", "--to", "1"
    )
    site.run("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "1", "-j", "DROP")
    try:
        registered = verify(site, outside)
    finally:
        site.run("iptables", "-D", "INPUT", "-p", "tcp", "--dport", "1", "-j", "DROP")
        site.run(
            "iptables", "-t", "nat", "-D", "PREROUTING", "-p", "tcp", "--dport", "18080", "-j", "REDIRECT", "--to", "1"
        )
    assert {("db", "web2", "tcp/8080"), ("world", "host", "tcp/18080")} == differing(registered)
    found = fleets.host(site.name, registered)
    # The oracle reads routes as they are: one that is gone is drift, and the way is closed as it must be then.
    assert any(each.startswith("routed: ") and "route" in each for each in found.drift), found.drift
    assert any(each.startswith("shop: ") and "policy" in each for each in found.drift), found.drift
    root = ElementTree.fromstring(fleet_report({site.name: fleet_host(registered)}, "junit"))
    failed = {each.get("name") for each in root.iter("testcase") if each.find("failure") is not None}
    assert failed == {"db to web2", "world to host"}
    page = fleet_report({site.name: fleet_host(registered)}, "html")
    assert page.count('class="pin flow wrong"') == page.count('class="pin flow wrong cut"') == 1

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oracle: what Docker lets pass, and what of that declarations close; what cannot be known is not guessed."""

from __future__ import annotations

import ast
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.connection import Published
from ansible_collections.breakwater.docker.plugins.module_utils._model.route import LiveRoute
from ansible_collections.breakwater.docker.plugins.module_utils._plan import as_written, reach, truth
from ansible_collections.breakwater.docker.plugins.module_utils._plan.reach import End, Ground, Joined, Member, Net
from ansible_collections.breakwater.docker.plugins.module_utils._plan.truth import (
    Declarations,
    PolicyDeclared,
    Truth,
    named_ports,
)

NUMBER = {"front": 1, "back": 2, "inner": 3}
PUBLISHED = (Published("tcp", 8443, "0.0.0.0", 443),)
OUTSIDE = End("world", "198.51.100.10", ip_address("198.51.100.10"))


def net(name: str, **others: Any) -> Net:
    number = NUMBER[name]
    subnets = (ip_network(f"10.0.{number}.0/24"), ip_network(f"fd00:{number}::/64"))
    host = (ip_address(f"10.0.{number}.1"), ip_address(f"fd00:{number}::1"))
    return Net(name, subnets=subnets, host=host, **{"internal": name == "inner", **others})


def member(name: str, last: int, *networks: str, routes: tuple[LiveRoute, ...] = (), **others: Any) -> Member:
    """A container with the routes that an engine sets: each subnet, and the default by the first network with one."""
    own = [
        LiveRoute(f"{prefix}{NUMBER[each]}{end}", network=each, protocol=2)
        for each in networks
        for prefix, end in (("10.0.", ".0/24"), ("fd00:", "::/64"))
    ]
    way_out = next((each for each in networks if each != "inner"), None)
    if way_out:
        own.append(LiveRoute("0.0.0.0/0", f"10.0.{NUMBER[way_out]}.1", way_out))
    addresses = {
        each: (ip_address(f"10.0.{NUMBER[each]}.{last}"), ip_address(f"fd00:{NUMBER[each]}::{last}"))
        for each in sorted(networks)
    }
    return Member(name, f"{last:064x}", addresses=addresses, routes=(*routes, *own), **others)


def ground(**others: Any) -> Ground:
    members = (
        member("web", 10, "front", labels={"app": "web"}, published=PUBLISHED),
        member("api", 20, "front", "inner", labels={"app": "api", "tier": "mid"}),
        member("db", 30, "inner", labels={"app": "db"}),
        member("far", 40, "back", labels={"app": "far"}),
        member("gw", 3, "front", "back", forwards=frozenset((4,))),
        member("s1", 51, "front", routes=(LiveRoute("10.0.2.0/24", "10.0.1.3", "front"),)),
        member("s2", 52, "back", routes=(LiveRoute("10.0.1.0/24", "10.0.2.3", "back"),)),
    )
    known: dict[str, Any] = {
        "engine": (26, 1),
        "networks": {each: net(each) for each in NUMBER},
        "members": {each.name: each for each in members},
        "declared_routes": frozenset((("s1", "10.0.2.0/24"), ("s2", "10.0.1.0/24"))),
        "forward": {4: "DROP", 6: "DROP"},
    }
    return Ground(**{**known, **others})


def end(name: str, network: str, version: int = 4, here: Ground | None = None) -> End:
    if name == "host":
        (one,) = (each for each in net(network).host if each.version == version)
        return End("host", "host", one, network)
    if name == "world":
        return OUTSIDE
    listed = (here or ground()).members[name].addresses[network]
    (one,) = (each for each in listed if each.version == version)
    return End("container", name, one, network)


def judged(source: str, target: str, *asked: Any, said: Declarations | None = None, **known: Any) -> str:
    """The verdict on ``source`` to ``target@network``; a question mark where it is none."""
    here = ground(**known)
    name, _at, network = target.partition("@")
    protocol, port, version = (*asked, *("tcp", 80, 4)[len(asked) :])
    homes = next(iter(here.members[source].addresses)) if source in here.members else ""
    own = end(source, homes or network, version, here)
    found = Truth(here, said or Declarations()).cell(own, end(name, network, version, here), protocol, port)
    assert bool(found.reason) == (not found.expect)
    return found.expect or "?"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("web", "api@front", "pass"),
        ("web", "api@inner", "drop"),
        ("web", "db@inner", "drop"),
        ("db", "api@inner", "pass"),
        ("db", "web@front", "drop"),
        ("db", "world", "drop"),
        ("api", "world", "pass"),
        ("web", "far@back", "drop"),
        ("web", "host@front", "pass"),
        ("db", "host@inner", "pass"),
        ("host", "db@inner", "pass"),
        ("s1", "s2@back", "pass"),
        ("s1", "gw@back", "pass"),
        ("s1", "far@back", "drop"),  # far has no way back but by the host
        ("web", "gw@back", "drop"),
        ("world", "db@inner", "drop"),
        ("world", "far@back", "drop"),
    ],
)
def test_what_docker_lets_pass(source: str, target: str, expected: str) -> None:
    assert judged(source, target) == expected


def test_a_datagram_that_gets_there_may_have_passed() -> None:
    assert judged("s1", "far@back", "udp", 53) == "?"
    assert judged("s1", "s2@back", "udp", 53) == "pass"
    assert judged("web", "far@back", "udp", 53) == "drop"


def test_engines_differ_where_who_is_outside_comes_by_a_route() -> None:
    assert judged("world", "web@front", "tcp", 8443) == "pass"
    assert judged("world", "web@front", "tcp", 443) == "drop"
    assert judged("world", "web@front", "tcp", 8443, engine=(28, 5)) == "drop"
    assert judged("world", "web@front", "tcp", 443, forward={4: "ACCEPT"}) == "?"
    assert judged("world", "web@front", "tcp", 8443, forward={4: "ACCEPT"}) == "?"


def test_ipv6() -> None:
    assert judged("web", "api@front", "icmp", 0, 6) == "pass"
    assert judged("web", "host@front", "icmp", 0, 6) == "pass"
    assert judged("web", "far@back", "icmp", 0, 6) == "drop", "there is no default route"


FLEET = Joined((ip_network("10.0.1.0/24"),), (ip_network("10.80.0.0/16"),))
AFAR = End("world", "forky/app", ip_address("10.80.3.10"))


def out(source: str, said: Declarations | None = None, **known: Any) -> str:
    """The verdict on ``source`` to a container of another host."""
    here = ground(joined=(FLEET,), **known)
    own = end(source, next(iter(here.members[source].addresses)), here=here)
    return Truth(here, said or Declarations()).cell(own, AFAR, "tcp", 80).expect or "?"


def into(target: str, said: Declarations | None = None, **known: Any) -> str:
    """The verdict on what comes from there."""
    here = ground(joined=(FLEET,), **known)
    name, _at, network = target.partition("@")
    return Truth(here, said or Declarations()).cell(AFAR, end(name, network, here=here), "tcp", 80).expect or "?"


def test_a_way_to_other_hosts_is_for_those_whom_it_joins() -> None:
    assert (out("web"), into("web@front")) == ("pass", "pass")
    assert (out("far"), into("far@back")) == ("drop", "drop"), "a network beside"
    assert (out("db"), into("db@inner")) == ("drop", "drop"), "one without a way out"
    assert into("api@inner") == "drop"
    both = {"joined": (FLEET, replace(FLEET, local=(ip_network("10.0.2.0/24"),)))}
    assert Truth(ground(**both), Declarations()).cell(end("web", "front"), AFAR, "icmp", 0).expect == "drop"


def test_a_way_is_opened_whatever_docker_makes_of_its_network() -> None:
    trusting = changed("front", options={"com.docker.network.bridge.trusted_host_interfaces": "fleet0"})
    assert (out("web", **trusting), into("web@front", **trusting)) == ("pass", "pass")
    assert into("web@front", engine=(28, 5)) == "pass"


def test_policies_and_rules_close_a_way_to_other_hosts() -> None:
    assert (out("web", policy()), into("web@front", policy())) == ("drop", "drop")
    allowed = policy(entry("10.80.3.0/24", "web", 80), entry({"network": "front"}, "10.80.3.10", 443))
    assert (out("web", allowed), into("web@front", allowed)) == ("drop", "pass")
    assert into("web@front", policy(entry("world", "web"))) == "pass", "who is on another host is outside of this one"
    assert into("web@front", rules({"action": "drop", "source": "10.80.0.0/16"})) == "drop"


def test_who_answers_by_another_network_is_not_judged() -> None:
    members = dict(ground().members)
    way_out = LiveRoute("10.80.0.0/16", "10.0.2.1", "back")
    members["web"] = member("web", 10, "front", "back", routes=(way_out,))
    assert into("web@front", members=members) == "?"
    assert out("web", members=members) == "drop", "it leaves by the address of a network that is not joined"
    members["web"] = member("web", 10, "front", routes=(LiveRoute("10.80.0.0/16", "10.0.1.3", "front"),))
    assert out("web", members=members) == "?", "by a router"
    assert into("web@front", networks=changed("front", driver="macvlan")["networks"]) == "?"


def changed(name: str, **others: Any) -> dict[str, Any]:
    networks = dict(ground().networks)
    return {"networks": {**networks, name: replace(networks[name], **others)}}


@pytest.mark.parametrize(
    ("source", "target", "known"),
    [
        ("web", "api@front", changed("front", driver="macvlan")),
        ("host", "web@front", changed("front", driver="overlay")),
        ("web", "api@front", changed("front", options={"com.docker.network.bridge.enable_icc": "false"})),
        ("web", "world", changed("front", options={"com.docker.network.bridge.enable_ip_masquerade": "false"})),
        ("web", "far@back", changed("back", options={"com.docker.network.bridge.gateway_mode_ipv4": "routed"})),
        ("world", "far@back", changed("back", options={"com.docker.network.bridge.trusted_host_interfaces": "wg0"})),
        ("s1", "s2@back", {"declared_routes": frozenset()}),
        ("web", "host@front", {"open_input": False}),
    ],
)
def test_what_cannot_be_known_is_not_judged_unless_something_closes_it(
    source: str, target: str, known: dict[str, Any]
) -> None:
    assert judged(source, target, **known) == "?"
    closed = Declarations((PolicyDeclared("shop", {"default": "deny"}, frozenset(NUMBER)),))
    assert judged(source, target, said=closed, **known) == "drop"


def test_a_router_that_does_not_forward() -> None:
    members = dict(ground().members)
    members["gw"] = replace(members["gw"], forwards=frozenset())
    assert judged("s1", "s2@back", members=members) == "drop"
    assert judged("s1", "gw@back", members=members) == "pass", "what is its own it need not forward"


def policy(
    *allow: dict[str, Any], networks: tuple[str, ...] = ("front", "inner", "back"), **others: Any
) -> Declarations:
    return Declarations((PolicyDeclared("shop", {"allow": list(allow), **others}, frozenset(networks)),))


def entry(source: Any, target: Any, *ports: Any) -> dict[str, Any]:
    return {"from": source, "to": target, "ports": list(ports)}


@pytest.mark.parametrize(
    ("said", "source", "target", "expected"),
    [
        (policy(), "web", "api@front", "drop"),
        (policy(default="audit"), "web", "api@front", "pass"),
        (policy(default="allow"), "web", "api@front", "pass"),
        (policy(networks=("inner",)), "web", "api@front", "pass"),
        (policy(networks=("inner",)), "db", "api@inner", "drop"),
        (policy(entry("web", "api", 80)), "web", "api@front", "pass"),
        (policy(entry("web", "api", "80/tcp")), "api", "web@front", "drop"),
        (policy(entry("web", "api", "81-90")), "web", "api@front", "drop"),
        (policy(entry("web", "api", "79-81")), "web", "api@front", "pass"),
        (policy(entry("web", "api", "udp")), "web", "api@front", "drop"),
        (policy(entry("web", "api", "tcp")), "web", "api@front", "pass"),
        (policy(entry("web", "api")), "web", "api@front", "pass"),
        (policy(entry("web", "db")), "web", "db@inner", "drop"),  # allowed, and there is no way
        (policy(entry({"container": "/web"}, {"container": f"{20:064x}"})), "web", "api@front", "pass"),
        (policy(entry({"labels": "app in (web, x)"}, {"labels": "tier=mid,!debug"})), "web", "api@front", "pass"),
        (policy(entry({"labels": "app notin (web)"}, "api")), "web", "api@front", "drop"),
        (policy(entry({"labels": "app!=db"}, {"labels": "app"})), "web", "api@front", "pass"),
        (policy(entry({"network": "front"}, ["db", "api"])), "web", "api@front", "pass"),
        (policy(entry({"network": "front"}, "api")), "host", "api@front", "drop"),
        (policy(entry("10.0.1.0/28", "10.0.1.20")), "web", "api@front", "pass"),
        (policy(entry({"cidr": "10.0.1.0/24", "except": ["10.0.1.10"]}, "api")), "web", "api@front", "drop"),
        (policy(entry("0.0.0.0/0", "api")), "host", "api@front", "drop"),
        (policy(entry("host", "api")), "host", "api@front", "pass"),
        (policy(entry("web", "host")), "web", "host@front", "pass"),
        (policy(entry("web", "world")), "web", "host@front", "drop"),
        (policy(entry("web", "world")), "web", "world", "pass"),
        (policy(entry("s1", "s2"), networks=("back",)), "s1", "s2@back", "pass"),
        (policy(entry("s2", "s1"), networks=("back",)), "s1", "s2@back", "drop"),
    ],
)
def test_policies(said: Declarations, source: str, target: str, expected: str) -> None:
    assert judged(source, target, said=said) == expected


def test_two_policies_must_both_allow() -> None:
    one, other = policy(entry("web", "api")), policy(entry("web", "api", 443), networks=("front",))
    assert judged("web", "api@front", said=Declarations(one.policies + other.policies)) == "drop"


def test_what_no_topology_keeps_is_not_judged() -> None:
    assert judged("web", "api@front", said=Declarations(strange_policies={"x": frozenset(("front",))})) == "?"
    assert judged("web", "api@front", said=Declarations(strange_policies={"x": frozenset(("back",))})) == "pass"
    assert judged("api", "world", said=Declarations(strange_rulesets=("BWR-x",))) == "?"
    assert judged("db", "api@inner", said=Declarations(strange_rulesets=("BWR-x",))) == "pass"


def rules(*listed: dict[str, Any]) -> Declarations:
    return Declarations(rules={"shop": listed})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (rules({"action": "drop", "source": "api", "destination": "world"}), "drop"),
        (rules({"action": "reject", "source": {"network": "front"}}), "drop"),
        (rules({"action": "drop", "source": "web"}), "pass"),
        (rules({"action": "log"}, {"action": "allow"}, {"action": "drop"}), "pass"),
        (rules({"action": "drop", "protocol": "udp"}), "pass"),
        (rules({"action": "drop", "protocol": "tcp", "ports": ["70-90"], "destination": "0.0.0.0/0"}), "drop"),
        (rules({"action": "drop", "protocol": "tcp", "ports": ["81"], "source": {"container": "api"}}), "pass"),
        (rules({"action": "drop", "state": ["ESTABLISHED"]}), "drop"),
        (rules({"action": "allow", "state": ["ESTABLISHED"]}, {"action": "drop", "destination": "api"}), "pass"),
        (rules({"action": "drop", "destination": "api"}), "drop"),  # no reply comes back
        (rules({"action": "drop", "limit": {"rate": "1/second"}}), "?"),
        (rules({"action": "drop", "limit": {"rate": "1/second"}, "protocol": "tcp", "ports": ["81"]}), "pass"),
        (rules({"action": "allow", "limit": {"rate": "1/second", "burst": 9}}, {"action": "drop"}), "pass"),
        (rules({"action": "allow", "limit": {"rate": "1/second", "burst": 1}}, {"action": "drop"}), "?"),
        (
            rules(
                {"action": "allow", "state": ["ESTABLISHED"]},
                {"action": "allow", "state": ["NEW"], "limit": {"rate": "1/second", "per": "source"}},
                {"action": "drop"},
            ),
            "pass",
        ),
        (rules({"action": "drop", "match": ["-m", "quota"]}), "?"),
        (rules({"action": "drop", "published_port": "80"}), "?"),
        (rules({"action": "drop", "protocol": "47"}), "?"),
    ],
)
def test_rules(said: Declarations, expected: str) -> None:
    assert judged("api", "world", said=said) == expected


def test_rules_see_one_bridge_only_where_br_netfilter_shows_it() -> None:
    closed = rules({"action": "drop"})
    assert judged("web", "api@front", said=closed) == "pass"
    assert judged("web", "api@front", said=closed, bridged=frozenset((4,))) == "drop"


def test_a_published_port() -> None:
    def opened(said: Declarations, source: End = OUTSIDE) -> str:
        here = ground()
        return Truth(here, said).published(source, here.members["web"], PUBLISHED[0]).expect or "?"

    assert opened(Declarations()) == "pass"
    assert opened(policy()) == "drop"
    assert opened(policy(entry("world", "web", 8443))) == "pass"
    assert opened(policy(entry("world", "web", 443))) == "drop", "the policy sees the container's port"
    assert opened(policy(entry("203.0.113.0/24", "web"))) == "drop"
    assert opened(policy(entry("198.51.100.0/24", "web"))) == "pass"
    assert opened(rules({"action": "drop", "published_port": "443", "source": "world"})) == "drop"
    assert opened(rules({"action": "drop", "published_port": "444", "source": "world"})) == "pass"
    assert opened(Declarations(), End("world", "x", ip_address("2001:db8::1"))) == "?"


def test_a_container_that_asks_the_host_for_a_published_port() -> None:
    assert judged("db", "host@inner", "tcp", 443) == "?"
    assert judged("db", "host@inner", "tcp", 443, said=policy()) == "drop"
    assert judged("db", "host@inner", "tcp", 443, said=policy(entry("db", "host", 443))) == "?"
    assert judged("db", "host@inner", "udp", 443) == "pass"


def test_the_ports_that_somebody_names() -> None:
    said = Declarations(
        policy(entry("a", "b", "8000-8010", "53/udp", "icmp", "tcp", "132/sctp")).policies,
        {"shop": [{"action": "drop", "protocol": "udp", "ports": ["5000:5001"]}]},
    )
    found = named_ports(said, ground().members.values())
    assert found == {
        ("tcp", 8000),
        ("tcp", 8010),
        ("tcp", 8011),
        ("udp", 53),
        ("udp", 5000),
        ("udp", 5001),
        ("udp", 5002),
        ("tcp", 8443),
    }


@pytest.mark.parametrize("module", [reach, as_written, truth])
def test_it_shares_nothing_with_what_it_judges(module: Any) -> None:
    found = ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8")))
    imported = {each.module for each in found if isinstance(each, ast.ImportFrom) and each.level}
    assert imported <= {"_model.connection", "_model.route", "reach", "as_written"}

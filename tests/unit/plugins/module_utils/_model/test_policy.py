# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.policy import (
    SPEC,
    Entry,
    Policy,
    Ports,
    Selector,
)

LABELS = {"app": "web", "tier": "edge", "com.example/debug": ""}

EXPRESSIONS = [
    ("app=web", True),
    ("app==web", True),
    ("app = web", True),
    ("app=db", False),
    ("app!=db", True),
    ("app!=web", False),
    ("missing!=web", True),
    ("missing=web", False),
    ("app", True),
    ("!app", False),
    ("missing", False),
    ("!missing", True),
    ("com.example/debug", True),
    ("com.example/debug=", True),
    ("tier in (edge, inner)", True),
    ("tier in (inner)", False),
    ("missing in (inner)", False),
    ("tier notin (inner,core)", True),
    ("tier notin (edge)", False),
    ("missing notin (edge)", True),
    ("app=web,tier in (edge, inner),!missing", True),
    ("app=web, tier=inner", False),
]


@pytest.mark.parametrize(("text", "matches"), EXPRESSIONS, ids=[each[0] for each in EXPRESSIONS])
def test_label_expression(text: str, matches: bool) -> None:
    found = Selector.read({"labels": text}, "end")
    assert all(term.matches(LABELS) for term in found.terms) is matches


PORTS = [
    ("443", Ports("tcp", 443, 443), "443/tcp"),
    (" 53/UDP ", Ports("udp", 53, 53), "53/udp"),
    ("8000-8010/sctp", Ports("sctp", 8000, 8010), "8000-8010/sctp"),
    ("tcp", Ports("tcp"), "tcp"),
    ("icmp", Ports("icmp"), "icmp"),
]


@pytest.mark.parametrize(("text", "ports", "told"), PORTS, ids=[each[0] for each in PORTS])
def test_ports(text: str, ports: Ports, told: str) -> None:
    assert Ports.read(text, "ports[0]") == ports
    assert str(ports) == told
    for version in (4, 6):
        assert Ports.of(ports.numbers(version), (ports.first, ports.last)) == ports


def test_everything() -> None:
    assert str(Ports()) == "everything"
    assert Ports.of((0, 255), (0, 65535)) == Ports()
    assert str(Ports.of((2, 5), (0, 65535))) == "2-5"


ENDS: list[tuple[str, Any, tuple[str, str, tuple[str, ...]]]] = [
    ("a name", "web", ("container", "web", ())),
    ("a name with dots", "shop_web.1", ("container", "shop_web.1", ())),
    ("the host", "host", ("host", "", ())),
    ("a container called host", {"container": "host"}, ("container", "host", ())),
    ("a CIDR", "10.0.0.0/8", ("cidr", "10.0.0.0/8", ())),
    ("an address", "10.0.0.7", ("cidr", "10.0.0.7/32", ())),
    ("an IPv6 address", "FD00::7", ("cidr", "fd00::7/128", ())),
    (
        "exceptions",
        {"cidr": "10.0.0.0/8", "except": ["10.2.0.0/16", "10.1.0.0/16"]},
        ("cidr", "10.0.0.0/8", ("10.1.0.0/16", "10.2.0.0/16")),
    ),
    ("one exception", {"cidr": "10.0.0.0/8", "except": "10.0.0.1"}, ("cidr", "10.0.0.0/8", ("10.0.0.1/32",))),
    ("a network", {"network": "back"}, ("network", "back", ())),
]


@pytest.mark.parametrize(("given", "found"), [each[1:] for each in ENDS], ids=[each[0] for each in ENDS])
def test_ends(given: Any, found: tuple[str, str, tuple[str, ...]]) -> None:
    read = Selector.read(given, "end")
    assert (read.kind, read.value, read.excepted) == found


def test_what_an_entry_and_a_policy_take_when_nothing_is_said() -> None:
    policy = Policy.read(spec.read(SPEC, {"name": "shop", "allow": [{"from": ["a", "b"], "to": "world"}]}))
    assert (policy.default, policy.networks, policy.log) == ("deny", None, False)
    assert policy.log_prefix == "breakwater shop: "
    (entry,) = policy.entries
    assert isinstance(entry, Entry)
    assert entry.ports == (Ports(),)
    assert [str(each) for each in entry.sources] == ["a", "b"]
    assert [each.path for each in entry.sources] == ["allow[0].from[0]", "allow[0].from[1]"]


def test_audit_always_logs() -> None:
    assert Policy.read(spec.read(SPEC, {"name": "shop", "default": "audit"})).log

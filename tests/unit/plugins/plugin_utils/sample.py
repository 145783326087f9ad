# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play registers of made-up hosts: a shop of a few containers, and one of a hundred."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

ADDRESS = "192.0.2.10"
Passes = Callable[[str, str, str], bool]


def cell(source: str, to: str, what: str, expect: str, outcome: str = "", **others: Any) -> dict[str, Any]:
    """A cell as ``probe`` returns it."""
    protocol, _slash, port = what.partition("/")
    outcome = outcome or expect
    plain = {"protocol": protocol, "port": int(port) if port else None, "ip_version": 4, "expect": expect, "hops": []}
    plain |= {"outcome": outcome, "differs": (outcome == "pass") != (expect == "pass"), "latency_ms": 0.2, "note": ""}
    return {"index": 0, "from": source, "to": to, **plain, "through": None, "network": None, "address": to, **others}


def container(name: str, published: Iterable[tuple[str, int]] = (), **networks: str) -> dict[str, Any]:
    """A container as ``survey`` returns it, with one address on each network."""
    opened = [{"port": port, "host": "0.0.0.0", "host_port": host_port} for port, host_port in published]
    return {
        "name": name,
        "labels": {},
        "networks": {each: [networks[each]] for each in sorted(networks)},
        "published": opened,
    }


def host(
    containers: list[dict[str, Any]],
    whats: Iterable[str],
    passes: Passes,
    closed: Iterable[str],
    wrong: Mapping[tuple[str, str, str], str] | None = None,
    **survey: Any,
) -> dict[str, Any]:
    """What is registered of a host on which ``passes`` says what is declared, and ``wrong`` what is found instead."""
    names = sorted({name for each in containers for name in each["networks"]})
    found = wrong or {}
    matrix = [
        cell(
            one["name"],
            other["name"],
            what,
            expect := "pass" if passes(one["name"], other["name"], what) and network in one["networks"] else "drop",
            found.get((one["name"], other["name"], what), expect),
            network=network,
            address=addresses[0],
        )
        for one in containers
        for other in containers
        if one is not other
        for network, addresses in other["networks"].items()
        for what in whats
    ]
    exposed = [
        {"container": each["name"], **one, "open_to": ["world"]} for each in containers for one in each["published"]
    ]
    outside = [
        cell(
            "198.51.100.10", ADDRESS, f"tcp/{one['host_port']}", "pass", found.get(("", "", str(one["host_port"])), "")
        )
        for one in exposed
    ]
    topology = {"name": "shop", "networks": sorted(closed), "containers": [], "policy": "deny", "rules": 0, "flows": []}
    return {
        "survey": {
            "survey": {
                "engine": "26.1",
                "keeper": True,
                "networks": [
                    {
                        "name": name,
                        "driver": "bridge",
                        "internal": name == "back",
                        "subnets": [],
                        "gateways": [],
                        "topology": "shop",
                    }
                    for name in names
                ],
                "containers": containers,
                "left_out": [],
                "topologies": [{**topology, "drift": [], "pending": [], "failure": ""}],
                "exposed": exposed,
                "cells": len(matrix),
                "passed_over": 0,
                "unjudged": [],
                **survey,
            }
        },
        "inside": {"results": [{"matrix": matrix[:7], "item": 1}, {"matrix": matrix[7:]}]},
        "outside": {"results": [{"matrix": outside}]},
    }


def shop(wrong: Mapping[tuple[str, str, str], str] | None = None, **survey: Any) -> dict[str, Any]:
    """An edge, two apps that are alike, a database; the two of the lab talk to each other as they like."""
    allowed = {("edge", "app-1"), ("edge", "app-2"), ("app-1", "db"), ("app-2", "db")}
    containers = [
        container("edge", [("8443/tcp", 443)], front="10.0.1.2"),
        container("app-1", front="10.0.1.3", back="10.0.2.3"),
        container("app-2", front="10.0.1.4", back="10.0.2.4"),
        container("db", back="10.0.2.5"),
        container("lab-1", lab="10.0.3.2"),
        container("lab-2", lab="10.0.3.3"),
        container("lonely", lab2="10.0.4.2"),
    ]

    def passes(source: str, target: str, what: str) -> bool:
        is_lab = source.startswith("lab-") and target.startswith("lab-")
        return is_lab or ((source, target) in allowed and what == ("tcp/5432" if target == "db" else "tcp/8080"))

    return host(containers, ("icmp", "tcp/7", "tcp/5432", "tcp/8080"), passes, ("front", "back"), wrong, **survey)


def hundred(wrong: Mapping[tuple[str, str, str], str] | None = None) -> dict[str, Any]:
    """A hundred containers in nine tiers, each of which calls the next one; ``metrics`` calls all."""
    tiers = {
        "edge": (6, "public", "edge-web"),
        "web": (24, "edge-web", "web-api"),
        "api": (30, "web-api", "api-data"),
        "cache": (8, "web-api"),
        "worker": (20, "api-data"),
        "db": (5, "api-data"),
        "queue": (4, "api-data"),
        "dev": (2, "lab"),
        "metrics": (1, "public", "edge-web", "web-api", "api-data"),
    }
    networks = ["api-data", "edge-web", "lab", "public", "web-api"]
    calls = {("edge", "web"), ("web", "api"), ("web", "cache"), ("api", "db"), ("api", "queue"), ("worker", "db")}
    containers = [
        container(
            f"{tier}-{number}",
            [("443/tcp", 8440 + number)] if tier == "edge" else [],
            **{each: f"10.{networks.index(each)}.{list(tiers).index(tier)}.{number}" for each in on},
        )
        for tier, (count, *on) in tiers.items()
        for number in range(1, count + 1)
    ]

    def passes(source: str, target: str, what: str) -> bool:
        one, other = (each.partition("-")[0] for each in (source, target))
        return (
            (one == other == "dev")
            or ((one, other) in calls and what == "tcp/8080")
            or (one == "metrics" and what == "tcp/9100")
        )

    return host(containers, ("icmp", "tcp/7", "tcp/8080", "tcp/9100"), passes, set(networks) - {"lab"}, wrong)

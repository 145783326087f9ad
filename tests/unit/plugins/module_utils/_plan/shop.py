# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that the planners' tables are written for, and the steps that a planner takes on it."""

from __future__ import annotations

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Plan
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import KINDS, fake_host
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import KernelRoute


def shop(version: tuple[int, int] = (26, 1)) -> FakeEngine:
    """``front`` with web (10.1.0.10, alias www), db and, stopped, idle; ``back`` with web and gw; hosty; nothing else.

    web has a route of its own through 10.1.0.20, on front.
    """
    engine = FakeEngine(version)
    for name, number in (("front", 1), ("back", 2)):
        pool = {"Subnet": f"10.{number}.0.0/24", "Gateway": f"10.{number}.0.1"}
        engine.create_network({"Name": name, "IPAM": {"Config": [pool]}, "Labels": {"team": "blue"}})
    engine.run("web", "front", ip="10.1.0.10", aliases=["www"])
    engine.connect("back", engine.known_id("web"), {})
    engine.run("db", "front")
    engine.run("gw", "back", ip="10.2.0.20")
    engine.run("idle", "front", ip="10.1.0.30")
    engine.stop("idle")
    engine.run("hosty", "host")
    dev = engine.interface("web", "front")
    engine.namespace("web").replace(KernelRoute("192.0.2.0/24", "10.1.0.20", dev, metric=7))
    return engine


def planned(module: str, args: dict[str, Any], engine: FakeEngine) -> Plan:
    """The plan of a module for these arguments on this host."""
    with fake_host(engine) as host:
        declared, kind = host.declared(module, args), KINDS[module]
        return kind.plan(declared, Host(engine).observe(kind.scope(declared)))


def titles(plan: Plan) -> list[str]:
    """What a user is told of a plan."""
    return [str(step) for step in plan.told]

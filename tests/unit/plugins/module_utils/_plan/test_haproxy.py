# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import Balancer, Environment
from ansible_collections.breakwater.docker.plugins.module_utils._plan.haproxy import configuration, fingerprint

BALANCER = Balancer("shop", (Environment("blue", ("b1:8080", "b2:8080")), Environment("green", ("g1:9000",))), 8090)


def test_each_environment_has_its_weight_its_entrance_and_its_containers() -> None:
    text = configuration(BALANCER, {"green": 10, "blue": 90})
    assert "    server blue unix@/run/breakwater/blue.sock weight 90\n" in text
    assert "    server green unix@/run/breakwater/green.sock weight 10\n" in text
    assert "    bind unix@/run/breakwater/green-gate.sock mode 600\n    default_backend green\n" in text
    assert text.endswith("    server g1_9000 g1:9000\n")
    assert "    bind *:8090\n" in text
    assert "{" not in text.replace("{ srv_uweight", "").replace("{ method", "")


def test_the_fingerprint_is_that_of_all_but_the_weights() -> None:
    assert f"description {fingerprint(BALANCER)}\n" in configuration(BALANCER, {"blue": 100})
    others = [
        replace(BALANCER, port=80),
        replace(BALANCER, health_path="/health"),
        replace(BALANCER, request_timeout=61),
        replace(BALANCER, environments=(BALANCER.environments[0], Environment("green", ("g2:9000",)))),
    ]
    assert len({fingerprint(each) for each in (BALANCER, *others)}) == 5

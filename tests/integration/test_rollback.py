# SPDX-License-Identifier: GPL-3.0-or-later
"""A connect that the engine refuses half-way: the container has its endpoint back, with all that was on it."""

from __future__ import annotations

import json

import pytest
from lab_host import Failed
from resident import Resident


def test_a_refused_reconnect_is_undone(lab: Resident) -> None:
    if lab.version < (27, 0):
        pytest.skip(
            "what passes every check of ours and fails at the engine is an endpoint's sysctl, known from 27.0 on"
        )
    lab.docker("network", "create", "--subnet", "10.70.0.0/24", "back")
    lab.start("web", "--network", "back", "--ip", "10.70.0.9", "--network-alias", "www")
    lab.inside("web", "ip", "route", "add", "192.0.2.0/24", "via", "10.70.0.1")

    def look() -> tuple[object, ...]:
        endpoint = lab.inspect("web")["NetworkSettings"]["Networks"]["back"]
        links = json.loads(lab.inside("web", "ip", "-json", "addr"))
        held = [(each["address"], [one["local"] for one in each["addr_info"]]) for each in links]
        return endpoint["IPAMConfig"], endpoint["Aliases"], held, [each["dst"] for each in lab.routes("web")]

    before = look()
    refused = {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.nonsense=1"}
    with pytest.raises(Failed) as failure:
        lab.module("connection", container="web", networks=[{"name": "back", "driver_opts": refused}])
    assert "is not a sysctl file; rolled back: connect connection web to back" in str(failure.value)
    assert failure.value.result["done"] == ["disconnect connection web to back"]
    assert look() == before

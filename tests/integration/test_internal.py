# SPDX-License-Identifier: GPL-3.0-or-later
"""An internal network has no way out of its host, and none in: the outside node tries it with a route of its own."""

from __future__ import annotations

import subprocess

from resident import Resident

OUTSIDE = "198.51.100.10"
CONNECT = "import socket; socket.create_connection(('{address}', {port}), 2).close()"


def outside(lab: Resident, *argv: str) -> bool:
    """Whether a command succeeds on the outside node of the host's fleet."""
    node = lab.container.removesuffix(lab.name) + "outside"
    return subprocess.run(["docker", "exec", node, *argv], capture_output=True, timeout=60, check=False).returncode == 0


def lets_through(lab: Resident, source: str, address: str, port: int) -> bool:
    script = CONNECT.format(address=address, port=port) + "; print('open')"
    return "open" in lab.inside(source, "python3", "-c", script, check=False)


def test_nothing_leaves_and_nothing_enters(lab: Resident) -> None:
    block = f"10.66.{lab.version[0]}"  # the hosts are tested side by side, and share the outside node
    subnet, vault = f"{block}.0/24", f"{block}.5"
    lab.start("vault", command=("echo-service",))
    lab.start("shop", "-p", "8088:8080", command=("echo-service",))
    result = lab.module(
        "topology",
        name="tiers",
        networks=[
            {"name": "data", "internal": True, "ipam_config": [{"subnet": subnet}]},
            {"name": "public", "ipam_config": [{"subnet": "10.67.0.0/24"}]},
        ],
        connections=[
            {"container": "vault", "networks": [{"name": "data", "ipv4_address": vault}], "exclusive": True},
            {"container": "shop", "networks": [{"name": "public"}, {"name": "data"}], "exclusive": True},
        ],
    )
    assert result["changed"]
    assert lets_through(lab, "shop", vault, 8080), "the vault does not even answer its neighbour"
    assert lets_through(lab, "shop", OUTSIDE, 8080), "the outside does not even answer who has a way out"
    assert not lets_through(lab, "vault", OUTSIDE, 8080)
    assert "1 received" not in lab.inside("vault", "ping", "-c", "1", "-W", "1", OUTSIDE, check=False)

    here = lab.run("ip", "-4", "-brief", "address", "show", "eth0").split()[2].partition("/")[0]
    assert outside(lab, "ip", "route", "replace", subnet, "via", here)
    try:
        assert outside(lab, "python3", "-c", CONNECT.format(address=here, port=8088)), "a published port is open"
        assert not outside(lab, "python3", "-c", CONNECT.format(address=vault, port=8080))
        assert not outside(lab, "ping", "-c", "1", "-W", "1", vault)
    finally:
        outside(lab, "ip", "route", "del", subnet)

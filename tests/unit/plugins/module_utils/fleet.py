# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is to be joined with others: its network, its key, and the tunnels that are declared for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._host import wireguard
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost, fake_host
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import Device, drawn

HOME, HERE = "10.80.1.0/24", "10.99.1.11"
BACKENDS = ("wireguard", "vxlan", "direct")


def peer(number: int = 2, **options: Any) -> dict[str, Any]:
    """A peer of WireGuard, as a user writes it."""
    found = {
        "name": f"edge{number}",
        "public_key": drawn(f"edge{number}"),
        "endpoint": f"10.99.1.{10 + number}:51820",
        "subnets": [f"10.80.{number}.0/24"],
        **options,
    }
    return {key: value for key, value in found.items() if value is not None}


def plain(number: int = 2, **options: Any) -> dict[str, Any]:
    """A peer of another backend."""
    return peer(number, public_key=None, **{"endpoint": f"10.99.1.{10 + number}", **options})


def tunnel(*peers: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A tunnel as a user writes it; to edge2 where no peers are given."""
    is_plain = options.get("backend", "wireguard") != "wireguard"
    whole = peers or ((plain if is_plain else peer)(),)
    local = {"local": HERE} if options.get("backend") == "vxlan" else {}
    return {"name": "fleet0", "subnets": [HOME], "peers": list(whole), **local, **options}


@st.composite
def _peers(draw: st.DrawFn, number: int, backend: str) -> dict[str, Any]:
    subnets = [f"10.80.{number}.0/24", f"10.{100 + number}.0.0/16", f"fd80:{number}::/64"]
    # The gateway of a plain route is of IPv4 here, and takes no more.
    held = draw(st.lists(st.sampled_from(subnets[:2] if backend == "direct" else subnets), min_size=1, unique=True))
    if backend != "wireguard":
        return plain(number, subnets=held, route=draw(st.booleans()))
    return peer(
        number,
        subnets=held,
        route=draw(st.booleans()),
        endpoint=draw(
            st.sampled_from([None, f"10.99.1.{10 + number}:51820", f"edge{number}.example:1", "[fd99::2]:1"])
        ),
        keepalive=draw(st.sampled_from([0, 25])),
        preshared=number == 2 and draw(st.booleans()),
    )


@st.composite
def tunnels(draw: st.DrawFn) -> dict[str, Any]:
    """Any tunnel called fleet0 that this host can have."""
    backend = draw(st.sampled_from(BACKENDS))
    numbers = draw(st.lists(st.integers(2, 5), unique=True))
    return tunnel(
        backend=backend,
        peers=[draw(_peers(number, backend)) for number in numbers],
        subnets=draw(st.lists(st.sampled_from([HOME, "10.81.0.0/24", "fd81::/64"]), min_size=1, unique=True)),
        key=draw(st.sampled_from(["fleet0", "fleet-1"])) if backend == "wireguard" else None,
        listen_port=None if backend == "direct" else draw(st.sampled_from([None, 7])),
        mtu=draw(st.sampled_from([None, 1300])),
    )


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Any two tunnels, one after the other; often some of their peers are the same."""
    former, later = draw(tunnels()), draw(tunnels())
    if former["backend"] == later["backend"]:
        kept = draw(st.lists(st.sampled_from(former["peers"]), unique_by=id)) if former["peers"] else []
        names = {each["name"] for each in kept}
        later["peers"] = kept + [each for each in later["peers"] if each["name"] not in names]
    return former, later


@contextmanager
def fleet_host(version: tuple[int, int] = (28, 5), **options: str) -> Iterator[FakeHost]:
    """A host with the network ``front``, its driver has these ``options``, and the keys ``fleet0`` and ``fleet-1``."""
    engine = FakeEngine(version)
    engine.create_network({"Name": "front", "IPAM": {"Config": [{"Subnet": HOME}]}, "Options": options})
    with fake_host(engine) as host:
        for key in ("fleet0", "fleet-1"):
            wireguard.keep_key(key, "present", False)
        ways = engine.kernel.ways
        ways.names = {f"edge{number}.example": f"198.51.100.{number}" for number in range(2, 6)}
        ways.told.clear()
        yield host


def device(host: FakeHost, name: str = "fleet0") -> Device:
    """The interface as the kernel has it."""
    return host.engine.kernel.ways.devices[name]


def picture(host: FakeHost) -> dict[str, Any]:
    """All that leads to other hosts, by other eyes than ours."""
    kernel = host.engine.kernel
    return {
        "devices": deepcopy(kernel.ways.devices),
        "routes": {(each.destination, each.gateway, each.dev) for each in kernel.host.routes},
        "nft": {name: each.text for name, each in kernel.nft.tables.items()},
        "iptables": {
            (tool, table, chain): list(rules)
            for tool, tables in kernel.filters.items()
            for table, chains in tables.items()
            for chain, rules in chains.rules.items()
        },
        "units": set(kernel.ways.units),
    }


def leaks(host: FakeHost, *told: Any) -> list[str]:
    """The secrets that the host keeps and that are in what was ``told``, in an argument or in a file of others'."""
    secrets = [each.read_text().strip() for each in host.keys.glob("*")]
    text = json.dumps([str(each) if isinstance(each, BaseException) else each for each in told], default=repr)
    text += "".join(json.dumps(argv) for argv, _given in host.engine.kernel.ways.told)
    for folder in (host.records, host.topologies, host.unconfirmed):
        text += "".join(each.read_text() for each in folder.glob("*"))
    return [each for each in secrets if each in text or json.dumps(each)[1:-1] in text]

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packet filter holds of a tunnel: who may use it, under which address, and in segments of which size.

A table of our own in nftables closes, and says that addresses stay as they are; it holds whatever becomes of iptables.
What Docker would drop is accepted where Docker lets others speak: in DOCKER-USER, and in raw from Engine 28 on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from .._model.address import version_of
from .._model.errors import HostError
from .._model.live_tunnel import Fence
from . import chains
from .command import run

_PREFIX = "BWX-"
_FAMILIES = {4: "ip", 6: "ip6"}


def apply(tunnel: str, fence: Fence) -> str:
    """Put the fence of ``tunnel`` in place, in one transaction for each tool; the digest by which it is known again."""
    table = f"inet {_PREFIX}{tunnel}"
    run(["nft", "-f", "-"], f"table {table}\ndelete table {table}\ntable {table} {{\n{_text(fence)}}}\n")
    for version in chains.TOOLS:
        for name, rules in _accepted(fence, version).items():
            chains.put(chains.read(version, name), f"{_PREFIX}{tunnel}", rules)
    return digest(tunnel)


def remove(tunnel: str) -> None:
    """Take all of it away."""
    for version in chains.TOOLS:
        for name in ("raw", "filter"):
            chains.put(chains.read(version, name), f"{_PREFIX}{tunnel}", ())
    table = f"inet {_PREFIX}{tunnel}"
    run(["nft", "-f", "-"], f"table {table}\ndelete table {table}\n")


def digest(tunnel: str) -> str:
    """Of the table as nftables lists it: the same as long as nobody has changed it; empty where there is none."""
    try:
        listed = run(["nft", "--stateless", "list", "table", "inet", f"{_PREFIX}{tunnel}"])
    except HostError:
        return ""
    return hashlib.sha256(listed.encode()).hexdigest()


def is_accepted(tunnel: str, fence: Fence) -> bool:
    """Whether iptables accepts what it is to, before anything of Docker's."""
    for version in chains.TOOLS:
        for name, rules in _accepted(fence, version).items():
            there = chains.read(version, name)
            chain = f"{_PREFIX}{tunnel}"
            if list(there.rules.get(chain, ())) != rules or (rules and not there.reaches(chain)):
                return False
    return True


def _accepted(fence: Fence, version: int) -> dict[str, list[str]]:
    local = _of(fence.local, version)
    opened = _of(fence.opened, version)
    if fence.interface:
        ways = [f"-d {{}} -i {fence.interface} -j ACCEPT", f"-s {{}} -o {fence.interface} -j ACCEPT"]
        through = [f"-i {fence.interface} -o {_siblings(fence.interface)}+ -j ACCEPT"] if fence.transit else []
        return {
            "raw": [ways[0].format(each) for each in opened],
            "filter": [*(way.format(each) for each in local for way in ways), *through],
        }
    # Without an interface of its own, a way is known by its ends alone.
    remote = _of(fence.remote, version)
    pair = "-s {} -d {} -j ACCEPT"
    return {
        "raw": [pair.format(far, near) for near in opened for far in remote],
        "filter": [
            line for near in local for far in remote for line in (pair.format(far, near), pair.format(near, far))
        ],
    }


def _text(fence: Fence) -> str:
    lines = []
    for version in _FAMILIES:
        for name, subnets in (("local", fence.local), ("remote", fence.remote)):
            elements = ", ".join(_of(subnets, version))
            held = f" elements = {{ {elements} }};" if elements else ""
            lines.append(f"set {name}{version} {{ type ipv{version}_addr; flags interval;{held} }}")
    closed, kept = [], []
    for version, family in _FAMILIES.items():
        local, remote = f"@local{version}", f"@remote{version}"
        if fence.transit:
            passes = f'iifname "{fence.interface}" oifname "{_siblings(fence.interface)}*"'
            closed.append(f"{passes} {family} saddr {remote} {family} daddr {remote} accept")
        closed += [
            f"{family} daddr {remote} {family} saddr != {local} drop",
            f"{family} saddr {remote} {family} daddr != {local} drop",
        ]
        kept.append(f"{family} saddr {local} {family} daddr {remote} snat {family} to {family} saddr")
        if fence.interface:
            siblings = f'"{_siblings(fence.interface)}*"'
            closed += [
                f'iifname "{fence.interface}" {family} saddr != {remote} drop',
                f'oifname "{fence.interface}" {family} daddr != {remote} drop',
                f"{family} daddr {remote} oifname != {siblings} drop",
                f"{family} saddr {remote} iifname != {siblings} drop",
            ]
    lines += _chain("forward", "filter hook forward priority -5", closed)
    # Before Docker's and anybody's masquerading: a flow that has got its address is asked no more.
    lines += _chain("postrouting", "nat hook postrouting priority 90", kept)
    if fence.interface:
        clamp = f'oifname "{fence.interface}" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu'
        lines += _chain("segments", "filter hook forward priority -150", [clamp])
        lines += _chain("input", "filter hook input priority -5", _to_host(fence.interface))
    return "".join(f"{line}\n" for line in lines)


def _siblings(interface: str) -> str:
    """How the names of interfaces begin that belong together: two of them differ in their number, as keys change."""
    return interface.rstrip("0123456789")


def _to_host(interface: str) -> Iterable[str]:
    """The host's own services are nobody's business who comes by a tunnel; what tells of errors is."""
    return (
        f'iifname != "{interface}" accept',
        "ct state established,related accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        "drop",
    )


def _chain(name: str, hook: str, rules: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", f"type {hook}; policy accept;", *rules, "}"]


def _of(subnets: Iterable[str], version: int) -> list[str]:
    return [each for each in subnets if version_of(each) == version]

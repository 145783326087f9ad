# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules and the sets of a policy's table, in nft's words.

Every packet is judged by the addresses and ports of the first packet of its flow, replies by the same turned round.
Nothing is ever taken for good because a flow was good once: what is allowed no longer is cut with the next packet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from .._model.policy import Element, Table

_ADDRESS = {4: "ipv4_addr", 6: "ipv6_addr"}
_FLOW = "inet_proto . inet_service"
_NEIGHBOURS = (
    "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, nd-router-advert,"
    " nd-neighbor-solicit, nd-neighbor-advert, nd-redirect, mld2-listener-report } accept"
)
"""How IPv6 finds its neighbours: without it there is no IPv6 on a network at all."""


PRIORITY = -5
"""Before Docker's rules and all of iptables: what is dropped here is dropped, what is accepted is for them to judge."""


@dataclass(frozen=True)
class _Hook:
    """Who judges what passes a hook: the packets of those who ask, the replies; what is ours; what never is."""

    asked: str
    answered: str
    ends: tuple[tuple[str, str], ...]
    unjudged: str = ""


_ENTERS, _LEAVES, _CROSSES = ("iifname", "saddr"), ("oifname", "daddr"), ("meta ibrname", "")
# The host's own addresses on the bridges are governed subnets', too, and nobody cuts the host off from itself. What
# goes to a published port leaves by `lo`, as the hook has it, though it is on its way to a container: so it is the
# address that counts there.
HOOKS = {
    "inet": {
        "forward": _Hook("forward", "forward", (_ENTERS, _LEAVES)),
        "input": _Hook("to_host", "from_host", (_ENTERS,), 'iifname "lo" accept'),
        "output": _Hook("from_host", "to_host", (_LEAVES,), "fib daddr type local accept"),
    },
    "bridge": {"forward": _Hook("forward", "forward", (_CROSSES,))},
}
_VERSIONS = {
    "inet": "meta nfproto vmap {{ ipv4 : goto {0}4, ipv6 : goto {0}6 }}",
    "bridge": "meta protocol vmap {{ ip : goto {0}4, ip6 : goto {0}6 }}",
}


def _sets() -> dict[str, str]:
    found = {"bridges": "type ifname;"}
    for version, one in _ADDRESS.items():
        for name in ("governed", "local"):
            found[f"{name}{version}"] = f"type {one}; flags interval;"
        found[f"pairs{version}"] = f"type {one} . {one} . {_FLOW};"
        found[f"ranges{version}"] = f"type {one} . {one} . {_FLOW}; flags interval;"
        for name in ("from_world", "to_world", "from_host", "to_host"):
            found[f"{name}{version}"] = f"type {one} . {_FLOW}; flags interval;"
    return found


SETS = {"inet": _sets(), "bridge": {}}
# What passes a bridge is neither to the host nor from it, and the bridge says whether it is governed.
SETS["bridge"] = {
    kind: each
    for kind, each in SETS["inet"].items()
    if kind.startswith(("bridges", "local", "pairs", "ranges")) or "world" in kind
}
JUDGED = tuple(each for each in SETS["inet"] if each.startswith(("bridges", "governed", "local")))
"""Who is judged; the others hold what is allowed."""


def chains_of(table: Table, family: str) -> dict[str, list[str]]:
    """The rules of a table of ``family`` by chain."""
    hooks = HOOKS[family]
    # What is never refused comes last: it is little, and all the rest need not pass it.
    refuse = ["ct state related accept", _NEIGHBOURS]
    if table.log_prefix:
        refuse.append(f'limit rate {table.log_rate} burst 5 packets log prefix "{table.log_prefix}"')
    refuse.append(f"counter name refused {'drop' if table.default == 'deny' else 'accept'}")
    found = {"refuse": refuse}
    for version, protocol in ((4, "ip"), (6, "ip6")):
        source, destination = f"{protocol} saddr", f"{protocol} daddr"
        directions = (("original", source, destination, "dport"), ("reply", destination, source, "sport"))
        for direction, asks, asked, port in directions:
            what = f"meta l4proto . th {port}"
            found[f"forward{version}_{direction}"] = [
                f"{asks} . {asked} . {what} @pairs{version} accept",
                f"{asks} . {asked} . {what} @ranges{version} accept",
                f"{asked} != @local{version} {asks} . {what} @to_world{version} accept",
                f"{asks} != @local{version} {asked} . {what} @from_world{version} accept",
                "goto refuse",
            ]
            hosts = ((f"to_host{version}", asks), (f"from_host{version}", asked)) if family == "inet" else ()
            for kind, peer in hosts:
                found[f"{kind}_{direction}"] = [f"{peer} . {what} @{kind} accept", "goto refuse"]
        for name, hook in hooks.items():
            found[f"{name}{version}"] = [
                *((hook.unjudged,) if hook.unjudged else ()),
                f"ct direction original goto {hook.asked}{version}_original",
                f"ct direction reply goto {hook.answered}{version}_reply",
                "goto refuse",
            ]
    for name, hook in hooks.items():
        found[name] = [f"{interface} @bridges {_VERSIONS[family].format(name)}" for interface, at in hook.ends]
        for version, protocol in ((4, "ip"), (6, "ip6")):
            governed = [f"{protocol} {at} @governed{version}" for interface, at in hook.ends if at]
            found[name] += [f"{each} goto {name}{version}" for each in governed]
    return found


def marked(chains: Mapping[str, list[str]], family: str) -> dict[str, list[str]]:
    """Chains as they are found again."""
    return {
        name: [*([f"{name} {PRIORITY} accept"] if name in HOOKS[family] else ()), *(mark(rule) for rule in rules)]
        for name, rules in chains.items()
    }


def mark(rule: str) -> str:
    """The comment by which a rule is known again: nft lists rules in other words than it was given."""
    return hashlib.sha256(rule.encode()).hexdigest()[:12]


def as_text(kind: str, element: Element) -> str:
    """An element as nft takes it; ``kind`` is the name of its set."""
    of_version = IPv4Address if kind.endswith("4") else IPv6Address
    addresses = len(element) if len(element) == 1 else len(element) - 2
    fields = [
        [str(of_version(each)) if n < addresses else str(each) for each in dict.fromkeys(span)]
        for n, span in enumerate(element)
    ]
    return " . ".join("-".join(each) for each in fields)

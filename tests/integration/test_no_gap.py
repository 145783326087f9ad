# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of a policy has no moment of its own: what is denied never passes, what is allowed never fails."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import product
from typing import Any

from lab_host import LabHost
from resident import resident
from truth.cases import entry, policy
from truth.site import Cell, Site, site

CHANGES = 200
EVERY = 0.005
ALLOWED = [
    "r1@red/4 > r2@red/4 tcp/7000",
    "r1@red/6 > r2@red/6 udp/7000",
    "mid@blue/4 > b1@blue/4 udp/7001",
    "host@blue/6 > b1@blue/6 tcp/7001",
]
DENIED = [
    "r1@red/4 > r3@red/4 tcp/7000",
    "r1@red/6 > r3@red/6 udp/7000",
    "mid@red/4 > host@red/4 udp/7001",
    "host@blue/6 > b2@blue/6 udp/7001",
]
HEARD_OF = {"r3": ["r1"], "host": ["mid"], "b2": ["host"]}
"""Whose packets must not arrive where, whether anybody answers them or not."""


def change(here: Site, number: int) -> dict[str, Any]:
    """The same truth for the eight cells, told in ever other words, beside entries that come and go."""
    r2 = [str(end.address) for end in here.ends("r2", "red")]
    red = here.plan.subnets("red")
    b1 = [str(end.address) for end in here.ends("b1", "blue")]
    web = [
        {"labels": "app=web, zone=b"},
        "r2",
        r2,
        [{"cidr": subnet, "except": _all_but(subnet, kept)} for subnet, kept in zip(red, r2, strict=True)],
    ]
    db = [{"labels": "app=db, env=prod, !debug"}, b1, "b1", {"container": "b1"}]
    sources = ["r1", {"labels": "managed, tier=edge"}]
    ports = [
        ["7000/tcp", "7000/udp"],
        [],
        ["7000-7010", "6000-7000/udp"],
        ["tcp", "udp"],
        ["1-65535/tcp", "udp", "icmp"],
    ]
    beside = [
        entry("g1", "g2"),
        entry({"network": "green"}, {"network": "green"}, "7000-7001"),
        entry(r2, red[0], "7001"),
        entry({"labels": "app"}, "world", "tcp"),
        entry("10.64.0.0/10", "mid", "udp"),
        entry("world", {"labels": "tier=edge"}, "7000"),
        entry({"network": "blue"}, "b3", "icmp"),
    ]
    networks = (["red", "blue"], ["red", "green", "blue"])[number // 3 % 2]
    picked = [each for n, each in enumerate(beside) if number * 37 >> n & 1 and (n > 1 or "green" in networks)]
    return policy(
        entry(sources[number % 2], web[number % 4], *ports[number % 5]),
        entry(["mid", "host"], db[number // 2 % 4], *(["7001", "7001/udp"], [])[number % 2]),
        *picked,
        networks=networks,
        # The rules themselves are written anew, not only their elements.
        log=number % 7 == 3,
        log_rate=f"{1 + number % 3}/minute",
    )


def _all_but(subnet: str, kept: str) -> list[str]:
    return [str(each) for each in ip_network(subnet).address_exclude(ip_network(kept))]


def named(cells: list[Cell], names: list[str]) -> list[Cell]:
    by_name = {cell.name: cell for cell in cells}
    return [by_name[name] for name in names]


def test_no_denied_packet_passes_and_no_allowed_one_fails(host: LabHost) -> None:
    quick = resident(host)
    with site(quick) as here:
        quick.module("policy", **change(here, 0))
        cells = named(here.cells(), [*ALLOWED, *DENIED])
        by_place: dict[str, list[Cell]] = {}
        for cell in cells:
            by_place.setdefault(cell.source.place, []).append(cell)
        places = sorted({*by_place, *HEARD_OF})
        orders = {place: [cell.order("") for cell in by_place.get(place, ())] for place in places}
        here.prober().tell(do="watch", cells=orders, every=EVERY)
        changed = [quick.module("policy", **change(here, number))["changed"] for number in range(1, CHANGES + 1)]
        watched = here.prober().tell(do="watched", places=places)
        assert all(changed), f"{changed.count(False)} of the changes change nothing"
        assert len(changed) == CHANGES
        for place, asked in by_place.items():
            for cell, (tries, answers) in zip(asked, watched[place]["counts"], strict=True):
                assert tries >= CHANGES, f"{cell.name}: asked {tries} times only"
                assert answers == (tries if cell.name in ALLOWED else 0), f"{cell.name}: {answers} of {tries}"
        for place, sources in HEARD_OF.items():
            for name, own in product(sources, watched[place]["heard"]):
                addresses = {str(cell.source.address) for cell in cells if cell.source.place == name}
                assert own not in addresses, f"{place} has heard of {name}"


def test_what_is_no_longer_allowed_is_cut_and_nothing_else(host: LabHost) -> None:
    quick = resident(host)
    with site(quick) as here:
        names = [
            f"{source}/{version} > {target}/{version} tcp/{port}"
            for source, target, port in (
                ("r1@red", "r2@red", 7000),
                ("r1@red", "r2@red", 7001),
                ("host@blue", "b1@blue", 7000),
                ("b2@blue", "host@blue", 7000),
            )
            for version in (4, 6)
        ]
        cells = named(here.cells(), names)
        places = list(dict.fromkeys(cell.source.place for cell in cells))
        for cell in cells:  # before there is a policy
            here.prober().tell(do="hold", place=cell.source.place, cells=[cell.order("")])

        def held(wait: float = 1.0) -> list[str]:
            found = here.prober().tell(do="held", places=places, wait=wait)
            return [found[cell.source.place].pop(0) for cell in cells]

        every = policy(entry("r1", "r2", "7000-7001"), entry("host", "b1", "tcp"), entry("b2", "host"))
        fewer = policy(entry("r1", "r2", "7000"), entry("host", "b1", "tcp"))
        assert held() == ["pass"] * 8
        quick.module("policy", **every)
        assert held() == ["pass"] * 8
        quick.module("policy", **fewer)
        assert held() == ["pass", "pass", "drop", "drop"] * 2
        quick.module("policy", **every)
        assert held(10.0) == ["pass"] * 8, "what is allowed again goes on, as neither end has given up"
        quick.module("policy", **policy())
        assert held() == ["drop"] * 8

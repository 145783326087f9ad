# SPDX-License-Identifier: GPL-3.0-or-later
"""Truth tables: what policies mean, by an oracle that shares nothing with the module, is what real packets see."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from lab_host import ENGINES, LabHost
from resident import Resident, resident
from truth.cases import Case, cases
from truth.site import Site, differs, expected, site


def chosen(host: LabHost, site: Site) -> list[Case]:
    """A third of all cases, in their order: the three engines share them, each case on one."""
    every = cases(site.plan)
    assert len(every) >= 250
    wanted = os.environ.get("BREAKWATER_CASES")
    if wanted:
        first, _dash, last = wanted.partition("-")
        return every[int(first) : int(last or first) + 1]
    third = -(-len(every) // len(ENGINES))
    return every[third * host.turn :][:third]


def test_every_cell_is_as_declared(host: LabHost) -> None:
    quick = resident(host)
    with site(quick) as here:
        cells = here.cells()
        base = {}
        for cell, measure in zip(cells, here.measure(cells, ["drop"] * len(cells), 1.0), strict=True):
            base[cell.name] = measure
        in_force: dict[str, dict[str, Any]] = {}
        wrong, seen = [], Counter[str]()
        for case in chosen(host, here):
            declare(quick, here, case, in_force)
            cells, facts = here.cells(), here.facts
            hopes = expected(cells, base, list(in_force.values()), facts)
            seen.update(hopes)
            measured = here.measure(cells, hopes)
            # A container that was made anew may not be known to its neighbours yet: what is lost is sent once more.
            lost = [n for n, hope in enumerate(hopes) if hope == "pass" and differs(cells[n], base, hope, measured[n])]
            found = here.measure([cells[n] for n in lost], ["pass"] * len(lost)) if lost else []
            for n, measure in zip(lost, found, strict=True):
                measured[n] = measure
            for cell, hope, measure in zip(cells, hopes, measured, strict=True):
                if differs(cell, base, hope, measure):
                    wrong.append(f"{case.name}: {cell.name}: {measure} instead of {hope}")
        for name in in_force:
            quick.module("policy", name=name, state="absent")
        again = here.measure(cells, [base[cell.name] for cell in cells])
        assert [base[cell.name] for cell in cells] == again, "what is there without a policy is not as before"
        print(f"{host.name}: {dict(seen)}")
        assert not wrong, f"{len(wrong)} cells differ\n" + "\n".join(wrong[:100])


def declare(host: Resident, here: Site, case: Case, in_force: dict[str, dict[str, Any]]) -> None:
    """Have what a case declares, over what the former ones left."""
    remade = [name for name, labels in case.labels.items() if here.labels[name] != labels]
    for name in remade:
        here.remake(name, case.labels[name])
    in_force[case.policy["name"]] = case.policy
    for policy in in_force.values():
        if remade or policy is case.policy:
            settle(host, policy)
    if case.policy.get("state") == "absent":
        del in_force[case.policy["name"]]


def settle(host: Resident, policy: dict[str, Any]) -> None:
    """Check, apply, check, apply: foreseen as done, and then at rest; judged by what nft lists."""
    before = tables(host)
    foreseen = host.module("policy", check=True, **policy)
    assert tables(host) == before, f"check mode changed what is there: {policy}"
    result = host.module("policy", **policy)
    assert foreseen["steps"] == result["steps"], f"did what it had not foreseen: {policy}"
    after = tables(host)
    for check in (True, False):
        again = host.module("policy", check=check, **policy)
        assert not again["changed"], f"not at rest: {policy}: {again['steps']}"
    assert tables(host) == after, f"touched something without a word: {policy}"


def tables(host: Resident) -> str:
    """All of nftables, but for counters."""
    return host.run("nft", "--stateless", "list", "ruleset")

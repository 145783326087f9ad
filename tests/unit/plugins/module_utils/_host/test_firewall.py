# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulesets in iptables and ipset: swapped whole, put back where they drift, and nothing of them left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import chains, command, firewall, passage
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.firewall import End
from ansible_collections.breakwater.docker.plugins.module_utils._model.network import Definition, LiveNetwork
from ansible_collections.breakwater.docker.plugins.module_utils._model.packet_filter import Ruleset, set_name
from ansible_collections.breakwater.docker.plugins.module_utils._model.passage import Passage
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import FakeKernel

WEB = set_name("BWR-edge", End("container", "web"), 4)
RULES = {4: (f"-m set --match-set {WEB} src -j DROP", "-m mark --mark 17 -j DROP"), 6: ("-p tcp -j DROP",)}
SETS = {WEB: frozenset({"10.0.0.2", "10.0.0.3"})}
FOREIGN = ["-s 192.0.2.1/32 -j ACCEPT", "-j RETURN"]


@pytest.fixture(params=[True, False], ids=["ip6tables", "no ip6tables"])
def kernel(request: pytest.FixtureRequest) -> Iterator[FakeKernel]:
    """A kernel with rules of somebody else's in DOCKER-USER and in FORWARD."""
    found = FakeKernel(ip6tables=request.param)
    found.filters["iptables"]["filter"].rules["DOCKER-USER"] += FOREIGN
    found.filters["ip6tables"]["filter"].rules["FORWARD"].append("-s 2001:db8::/32 -j DROP")
    found.ipset.run(["ipset", "restore"], "create theirs hash:ip\nadd theirs 192.0.2.9\n")
    with patch.object(command.subprocess, "run", found.run), patch.object(firewall, "has", lambda _tool: True):
        yield found


def state(kernel: FakeKernel) -> tuple[Any, ...]:
    """All of the packet filter."""
    saved = [kernel.run([f"{tool}-save"]).stdout for tool in kernel.filters]
    return (*saved, kernel.run(["ipset", "save"]).stdout)


def seen(chain: str = "BWR-edge") -> Ruleset | None:
    return firewall.Rulesets().get(chain)


def test_what_is_applied_is_seen_and_goes_again(kernel: FakeKernel) -> None:
    before = state(kernel)
    assert seen() is None
    firewall.apply("BWR-edge", RULES, SETS)
    found = seen()
    assert found is not None and found.sets == SETS and found.reached == {4, 6}
    assert found.rules[4][0] == RULES[4][0] and found.rules[6] == RULES[6]
    assert found.rules[4][1].startswith("-m mark --mark 0x11 -m comment --comment bw-")
    assert kernel.filters["iptables"]["filter"].rules["DOCKER-USER"] == ["-j BREAKWATER", *FOREIGN]
    assert [*firewall.Rulesets()] == ["BWR-edge"] and len(firewall.Rulesets()) == 1
    after = state(kernel)
    firewall.apply("BWR-edge", RULES, SETS)
    assert state(kernel) == after
    firewall.apply("BWR-edge", {}, {})
    assert state(kernel) == before


def test_where_the_engine_has_no_docker_user(kernel: FakeKernel) -> None:
    firewall.apply("BWR-edge", RULES, SETS)
    rules = kernel.filters["ip6tables"]["filter"].rules
    assert rules["DOCKER-USER"] == ["-j BREAKWATER"]
    assert rules["FORWARD"][0].endswith("-j DOCKER-USER") and len(rules["FORWARD"]) == 2
    if rules["FORWARD"][0] != "-j DOCKER-USER":
        # The engine has come to manage IPv6: its own jump goes above ours, which is not needed any more.
        rules["FORWARD"].insert(0, "-j DOCKER-USER")
        assert seen().reached == {4}  # type: ignore[union-attr]
        firewall.apply("BWR-edge", RULES, SETS)
        assert rules is not kernel.filters["ip6tables"]["filter"].rules
    firewall.apply("BWR-edge", {}, {})
    assert "BREAKWATER" not in "".join(state(kernel)) and "bw-made" not in "".join(state(kernel))


Change = Callable[[dict[str, list[str]]], Any]
DRIFT: list[tuple[str, Change]] = [
    ("DOCKER-USER flushed", lambda rules: rules["DOCKER-USER"].clear()),
    ("FORWARD flushed", lambda rules: rules["FORWARD"].clear()),
    ("not the first", lambda rules: rules["DOCKER-USER"].insert(0, "-j RETURN")),
    ("twice", lambda rules: rules["DOCKER-USER"].append("-j BREAKWATER")),
    ("a rule deleted", lambda rules: rules["BWR-edge"].pop(0)),
    ("a rule changed", lambda rules: rules["BWR-edge"].__setitem__(0, "-j RETURN")),
    ("a marked rule changed", lambda rules: rules["BWR-edge"].append(rules["BWR-edge"].pop().replace("17", "18"))),
    ("out of order", lambda rules: rules["BWR-edge"].reverse()),
    ("not jumped to", lambda rules: rules["BREAKWATER"].clear()),
]


@pytest.mark.parametrize("change", [each[1] for each in DRIFT], ids=[each[0] for each in DRIFT])
def test_drift(kernel: FakeKernel, change: Change) -> None:
    firewall.apply("BWR-edge", RULES, SETS)
    whole = seen()
    change(kernel.filters["iptables"]["filter"].rules)
    assert seen() != whole
    firewall.apply("BWR-edge", RULES, SETS)
    assert seen() == whole


def test_sets_are_swapped(kernel: FakeKernel) -> None:
    firewall.apply("BWR-edge", RULES, SETS)
    kernel.ipset.run(["ipset", "restore"], "create BW-swap4 hash:net\n")  # of a run that was cut off
    firewall.apply("BWR-edge", RULES, {WEB: frozenset({"10.0.0.7"})})
    assert kernel.ipset.members == {"theirs": {"192.0.2.9"}, WEB: {"10.0.0.7"}}


def test_what_is_refused_leaves_all_as_it_was(kernel: FakeKernel) -> None:
    firewall.apply("BWR-edge", RULES, SETS)
    before = state(kernel)
    new = set_name("BWR-edge", End("container", "db"), 4)
    rules = {4: (f"-m set --match-set {new} src -j DROP", "-m owner --uid-owner 0 -j DROP")}
    with pytest.raises(HostError, match=r"iptables refuses '-A BWR-edge -m owner --uid-owner 0 -j DROP': RULE_APPEND"):
        firewall.apply("BWR-edge", rules, {new: frozenset(), **SETS})
    assert state(kernel) == before


def test_objections(kernel: FakeKernel) -> None:
    before = state(kernel)
    assert chains.objection(4, ("-j DROP",)) is None
    found = chains.objection(6, ("-j DROP", "-m nosuch -j DROP"))
    assert found == (1, "Couldn't load match `nosuch':No such file or directory")
    assert state(kernel) == before


@pytest.mark.parametrize("order", [0, 1])
def test_passages_share_the_root(kernel: FakeKernel, order: int) -> None:
    networks = (LiveNetwork("f" * 64, Definition("front")),)
    before = state(kernel)

    def passages(*wanted: Passage) -> None:
        passage.apply("gate", wanted, networks)

    calls = [lambda: firewall.apply("BWR-edge", RULES, SETS), lambda: passages(Passage("front", "10.2.0.0/24"))]
    for each in (calls, calls[::-1])[order]:
        each()
    assert kernel.filters["iptables"]["filter"].rules["BREAKWATER"] == ["-j BW-gate", "-j BWR-edge"]
    assert seen().reached == {4, 6}  # type: ignore[union-attr]
    removals = [lambda: firewall.apply("BWR-edge", {}, {}), passages]
    for each in (removals, removals[::-1])[order]:
        each()
    assert state(kernel) == before


def test_another_flavour_is_refused(kernel: FakeKernel) -> None:
    docker = FakeKernel()
    for table in kernel.filters.values():
        table["filter"].rules.update({"FORWARD": []})
        table["filter"].rules.pop("DOCKER-USER", None)
    docker.filters["iptables-legacy"] = docker.filters["iptables"]

    def run(argv: list[str], **options: Any) -> Any:
        return (docker if argv[0].startswith("iptables-legacy") else kernel).run(
            [argv[0].replace("-legacy", ""), *argv[1:]], **options
        )

    with (
        patch.object(command.subprocess, "run", run),
        pytest.raises(HostError, match="chains are in iptables-legacy, and the host's iptables is iptables-nft"),
    ):
        seen()


def test_a_host_without_ipset(kernel: FakeKernel) -> None:
    with patch.object(firewall, "has", lambda _tool: False):
        firewall.apply("BWR-edge", {4: ("-j DROP",)}, {})
        found = seen()
    assert found == Ruleset({4: ("-j DROP",)}, {}, frozenset({4}))
    assert kernel.ipset.members == {"theirs": {"192.0.2.9"}}

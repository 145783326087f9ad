# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that waits for a confirmation: never without somebody who would take it back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import rollback
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError, Interrupted
from ansible_collections.breakwater.docker.plugins.module_utils._model.topology import Memory
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fleet import fleet_host, picture, tunnel

TIMER = "breakwater-rollback-fleet.timer"
FORMER = Memory({"networks": [], "tunnels": []}, frozenset({("web", "front")}))


@pytest.fixture
def host() -> Iterator[FakeHost]:
    with fleet_host() as found:
        yield found


def units(host: FakeHost) -> dict[str, list[str]]:
    return host.engine.kernel.ways.units


def test_armed_it_waits(host: FakeHost) -> None:
    assert rollback.unconfirmed() == []
    rollback.arm("fleet", 60, FORMER)
    assert rollback.unconfirmed() == ["fleet"] and rollback.former("fleet") == FORMER
    words = units(host)[TIMER]
    assert {"--on-active=60s", "--property=Restart=on-failure"} <= set(words)
    assert words[-3:] == [str(host.program), "rollback", "fleet"]
    (kept,) = host.unconfirmed.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_there_was_not(host: FakeHost) -> None:
    rollback.arm("a.b", 60, None)
    assert host and rollback.unconfirmed() == ["a.b"] and rollback.former("a.b") is None


def test_whoever_takes_it_back_is_waited_for(host: FakeHost) -> None:
    """Its timer has run out, and it holds the lock: what it takes back was not confirmed."""

    @contextmanager
    def taken_back() -> Iterator[None]:
        rollback.settle("cut")
        yield

    rollback.arm("cut", 60, FORMER)
    with patch.object(rollback, "alone", taken_back), pytest.raises(HostError, match="it was taken back"):
        rollback.confirm("cut", False)
    assert host


def test_what_could_not_be_taken_back_is_confirmed(host: FakeHost) -> None:
    rollback.arm("fleet", 60, FORMER)
    units(host).clear()
    assert rollback.confirm("fleet", False) == {"changed": True} and rollback.unconfirmed() == []


def test_confirmed_it_stays(host: FakeHost) -> None:
    rollback.arm("fleet", 60, FORMER)
    assert rollback.confirm("fleet", check=True) == {"changed": True}
    assert rollback.unconfirmed() == ["fleet"] and TIMER in units(host)
    assert rollback.confirm("fleet", check=False) == {"changed": True}
    assert rollback.unconfirmed() == [] and not units(host)
    for check in (True, False):
        with pytest.raises(
            HostError, match="no change of topology 'fleet' waits for a confirmation: it was taken back"
        ):
            rollback.confirm("fleet", check)


ARGS = {"name": "fleet", "tunnels": [tunnel()], "confirm_within": 60}


@pytest.mark.parametrize("lacking", ["the program", "systemd"])
def test_nothing_is_changed_that_nobody_would_take_back(host: FakeHost, lacking: str) -> None:
    before = picture(host)
    if lacking == "systemd":
        host.engine.kernel.ways.tools = set()
    else:
        host.program.unlink()
    for _again in range(2):
        with pytest.raises(
            Interrupted, match=r"confirm_within: the host has no .* apply the role breakwater\.docker\.keep"
        ):
            host.module("topology", ARGS)
    assert picture(host) == before and rollback.unconfirmed() == [] and not host.topologies.exists()


def test_without_a_timer_nothing_waits(host: FakeHost) -> None:
    """Else the next run would take the change for guarded, and go on without anybody who takes it back."""
    before = picture(host)
    with (
        patch.object(host.engine.kernel.ways, "start", side_effect=HostError("Connection refused")),
        pytest.raises(Interrupted, match="Connection refused"),
    ):
        host.module("topology", ARGS)
    assert rollback.unconfirmed() == [] and picture(host) == before
    assert host.module("topology", ARGS)["unconfirmed"] and TIMER in units(host)


def test_killed_before_it_waits_the_next_run_is_guarded(host: FakeHost) -> None:
    host.module_killed("topology", ARGS, after=0)
    assert rollback.unconfirmed() == []
    host.module("topology", ARGS)
    assert rollback.unconfirmed() == ["fleet"] and TIMER in units(host)


def test_a_second_change_is_taken_back_with_the_first(host: FakeHost) -> None:
    host.module("topology", {**ARGS, "tunnels": []})
    first = host.module("topology", ARGS)
    second = host.module("topology", {**ARGS, "tunnels": [tunnel(mtu=1300)]})
    assert first["unconfirmed"] and second["unconfirmed"]
    former = rollback.former("fleet")
    assert former is not None and former.declared["tunnels"] == []
    assert len(host.engine.kernel.ways.words("systemd-run")) == 1


def test_a_change_that_nobody_asked_to_guard(host: FakeHost) -> None:
    result = host.module("topology", {**ARGS, "confirm_within": 0})
    assert not result["unconfirmed"] and not units(host)


def test_check_mode_arms_nothing(host: FakeHost) -> None:
    assert host.module("topology", ARGS, check=True)["unconfirmed"]
    assert rollback.unconfirmed() == [] and not units(host)


@pytest.mark.parametrize("content", ["{", "[1]", '{"declared": {}}'])
def test_a_garbled_note(host: FakeHost, content: str) -> None:
    rollback.arm("fleet", 60, FORMER)
    (host.unconfirmed / "fleet.json").write_text(content)
    with pytest.raises(HostError, match=r"fleet\.json is not what the collection wrote"):
        rollback.former("fleet")


@pytest.mark.parametrize("after", range(5))
def test_killed_before_it_pruned_the_next_run_does(host: FakeHost, after: int) -> None:
    """What was made is not forgotten before it is gone: a tunnel, a policy, a ruleset."""
    before = picture(host)
    rules = [{"action": "drop", "source": "203.0.113.0/24", "destination": "10.80.1.0/24"}]
    networks = [{"name": "back", "ipam_config": [{"subnet": "10.82.0.0/24"}]}]
    whole = {
        "name": "fleet",
        "networks": networks,
        "tunnels": [tunnel()],
        "rules": rules,
        "policy": {"default": "deny"},
    }
    host.module("topology", whole)
    bare = {"name": "fleet", "networks": networks, "prune": True}
    host.module_killed("topology", bare, after)
    host.module("topology", bare)
    assert picture(host) == before


def test_it_is_written_as_memories_are(host: FakeHost) -> None:
    rollback.arm("fleet", 60, FORMER)
    written = json.loads((host.unconfirmed / "fleet.json").read_text())
    assert written["declared"] == FORMER.declared and written["made"]["connections"] == [["web", "front"]]

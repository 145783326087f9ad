# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch as users and operators see it: whom they reach at each moment, and what the run after a killed one does."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.blue_green import (
    CANARY,
    SPEC,
    BlueGreen,
    Record,
    RolledBack,
    Switch,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import (
    DeclarationError,
    HostError,
    Interrupted,
)
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import read
from ansible_collections.breakwater.docker.plugins.module_utils._switch import carry_out, foresee
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_stand import FakeStand, Killed

PAIR = [{"name": "blue", "servers": ["b1:8080"]}, {"name": "green", "servers": ["g1:8080"]}]
BLUE, GREEN = {"blue": 100, "green": 0}, {"blue": 0, "green": 100}


def declared(target: str | None = None, **args: Any) -> BlueGreen:
    """The pair with a target."""
    return BlueGreen.read(read(SPEC, {"name": "shop", "environments": PAIR, "target": target, **args}))


def standing(**how: Any) -> FakeStand:
    """A balancer that runs and has blue live."""
    stand = FakeStand(**how)
    carry_out(declared(), stand)
    return stand


def names(result: dict[str, Any]) -> list[str]:
    return [each["step"] for each in result["steps"]]


def test_the_first_run_makes_the_first_environment_live_and_the_second_changes_nothing() -> None:
    stand = FakeStand(runs=False)
    first = carry_out(declared(), stand)
    assert names(first) == [
        "make blue live, as nothing is yet",
        "bring the balancer to its configuration and weights",
    ]
    assert "server blue unix@/run/breakwater/blue.sock weight 100" in stand.configuration
    assert carry_out(declared(), stand)["changed"] is False
    stand.runs = True
    assert names(carry_out(declared(wait=5), stand)) == ["bring the balancer to its configuration and weights"]
    assert carry_out(declared(initial="green"), stand)["changed"] is False
    assert (stand.shares, stand.reloads) == (BLUE, 1)


def test_a_switch_is_foreseen_step_by_step_and_done_just_so() -> None:
    stand = standing(sessions={"blue": 3})
    wanted = declared("green", canary="10,50", canary_seconds=2)
    before = replace(stand.record or Record("", ""))
    foreseen = foresee(wanted, stand)
    assert (stand.record, foreseen["live"], foreseen["changed"]) == (before, "blue", True)
    done = carry_out(wanted, stand)
    assert names(foreseen) == names(done)
    assert names(done) == [
        "begin a switch to green",
        "gate green by its health, without users",
        "give green 10 % of the users",
        "judge green by its answers at 10 %",
        "give green 50 % of the users",
        "judge green by its answers at 50 %",
        "give green 100 % of the users",
        "judge green by its answers at 100 %",
        "make green live",
        "drain blue",
    ]
    assert [each["requests"] for each in done["steps"] if each["verb"] == "hold"] == pytest.approx(
        [20, 100, 200], abs=9
    )
    assert (done["live"], done["shares"], done["switch"], stand.cut_off) == ("green", GREEN, {}, [])
    assert done["diff"]["before"] == "live: blue\n"
    assert done["diff"]["after"].startswith("live: green\nbegin a switch to green\n")
    assert carry_out(wanted, stand)["steps"] == []
    assert carry_out(declared("blue", canary=[]), stand)["live"] == "blue"


def test_what_does_not_end_is_cut_at_its_time_and_counted() -> None:
    stand = standing(sessions={"blue": 30})
    done = carry_out(declared("green", canary=[], canary_seconds=1, drain_timeout=5), stand)
    assert stand.cut_off == ["blue"]
    assert 20 < done["last"]["cut"] == done["steps"][-1]["cut"] < 30


@pytest.mark.parametrize(
    ("how", "args", "reason", "most"),
    [
        ({"ill": {"green"}}, {"gate_timeout": 3}, "it did not pass its health gate within 3 s: green-1 is DOWN", 0),
        ({"broken": {"green": 50}}, {}, "requests failed (50.0 %, 1 % are allowed) while it had 10 % of the users", 10),
        ({"broken": {"green": 2}, "per_second": 10}, {"canary_seconds": 60}, "while it had 10 % of the users", 10),
        ({"broken": {"green": 50}, "per_second": 2}, {"canary_seconds": 30}, "while it had 10 % of the users", 10),
    ],
    ids=["ill", "broken", "a little broken", "broken, few users"],
)
def test_what_is_not_fit_is_rolled_back(how: dict[str, Any], args: dict[str, Any], reason: str, most: int) -> None:
    stand = standing(**how)
    with pytest.raises(RolledBack) as refused:
        carry_out(declared("green", **args), stand)
    assert str(refused.value).startswith("green was rolled back: ")
    assert reason in str(refused.value)
    assert str(refused.value).endswith("; blue is live")
    told = refused.value.result()
    assert (told["live"], told["switch"], told["last"]["outcome"]) == ("blue", {}, "rolled back")
    assert told["last"]["reason"] in str(refused.value)
    assert (stand.shares, stand.most.get("green", 0)) == (BLUE, most)


def test_as_many_failures_as_are_allowed_are_none_too_many() -> None:
    stand = standing(broken={"green": 2})
    assert carry_out(declared("green", max_error_percent=3, canary_seconds=5), stand)["live"] == "green"


def test_nobody_asked_so_nothing_is_known_against_it() -> None:
    stand = standing(per_second=0, broken={"green": 100})
    assert carry_out(declared("green", canary_seconds=1), stand)["live"] == "green"


@pytest.mark.parametrize("way", ["on", "back"])
@pytest.mark.parametrize("broken", [0, 50])
def test_killed_at_any_moment_the_next_run_ends_it(way: str, broken: int) -> None:
    """Somebody has all users at any time, and the record tells the next run where it stands."""
    phases = set()
    for moment in count(1):
        stand = standing(sessions={"blue": 2}, broken={"green": broken})
        stand.left = moment
        wanted = declared("green", canary="10,50", canary_seconds=1, gate_passes=2, drain_timeout=1)
        try:
            carry_out(wanted, stand)
        except Killed:
            pass
        except RolledBack:
            break
        else:
            break
        stand.left = -1
        assert any(stand.shares.values()), moment
        record = stand.record
        assert record is not None
        phases.add(record.switch.phase if record.switch else "none")
        rolls = record.switch is not None and record.switch.phase == "rollback"
        target = "green" if way == "on" or rolls else "blue"
        try:
            done = carry_out(replace(wanted, target=target), stand)
        except RolledBack as refused:
            assert broken, moment
            done = refused.result()
        assert (done["switch"], done["live"]) == ({}, "blue" if broken else target), moment
        assert stand.shares == (GREEN if done["live"] == "green" else BLUE), moment
        assert stand.configuration.count("weight 100") == 1
        assert carry_out(declared(), stand)["changed"] is False, "nothing is left for a run that switches nobody"
        assert stand.most.get("green", 0) <= (10 if broken else 100)
    assert phases >= ({"gate", "canary", "rollback"} if broken else {"gate", "canary", "drain"})


def test_a_canary_that_was_cut_off_stays_until_somebody_says_where_to() -> None:
    stand = standing()
    stand.record = Record("blue", "", Switch("green", CANARY, 10))
    left = carry_out(declared(), stand)
    assert (left["shares"], left["switch"]["share"]) == ({"blue": 90, "green": 10}, 10)
    assert names(foresee(declared("green", canary="5,30"), stand)) == [
        "judge green by its answers at 10 %",
        "give green 30 % of the users",
        "judge green by its answers at 30 %",
        "give green 100 % of the users",
        "judge green by its answers at 100 %",
        "make green live",
        "drain blue",
    ]
    back = carry_out(declared("blue"), stand)
    assert names(back) == ["roll green back", "drain green"]
    assert (back["live"], back["last"]["reason"], stand.shares) == ("blue", "by hand", BLUE)


def test_back_while_the_former_environment_still_drains() -> None:
    stand = standing()
    carry_out(declared("green", canary=[], canary_seconds=1), stand)
    record = stand.record
    assert record is not None
    stand.record = replace(record, switch=Switch("green", "drain", 100))
    assert names(foresee(declared("green"), stand)) == ["drain blue"]
    assert carry_out(declared("blue", canary=[], canary_seconds=1), stand)["live"] == "blue"
    assert stand.cut_off == []


def test_a_new_container_is_taken_over_without_a_switch() -> None:
    stand = standing()
    more = [PAIR[0], {"name": "green", "servers": ["g1:8080", "g2:8080"]}]
    assert names(carry_out(declared(environments=more), stand)) == [
        "bring the balancer to its configuration and weights"
    ]
    assert (stand.reloads, "g2:8080" in stand.configuration, stand.shares) == (2, True, BLUE)


def test_weights_that_somebody_else_has_set_are_put_right() -> None:
    stand = standing()
    stand.shares["green"] = 50
    assert carry_out(declared(), stand)["changed"] is True
    assert stand.shares == BLUE


def test_who_has_users_cannot_be_declared_away() -> None:
    stand = standing()
    others = [{"name": "red", "servers": ["r1:1"]}, PAIR[1]]
    with pytest.raises(DeclarationError, match="environments: 'blue' has users or is about to, and is none"):
        carry_out(declared(environments=others), stand)


def test_a_balancer_that_does_not_answer() -> None:
    stand = FakeStand(runs=False)
    with pytest.raises(HostError, match="balancer 'shop' does not answer, so nobody can be switched to green"):
        carry_out(declared("green"), stand)
    with pytest.raises(HostError, match="the balancer does not answer within 3 s"):
        carry_out(declared(wait=3), stand)


def test_a_balancer_that_goes_away_leaves_a_switch_to_be_finished() -> None:
    stand = standing()
    knock = stand.knock

    def gone(environment: str, path: str, timeout: float) -> str:
        stand.runs = False
        return knock(environment, path, timeout)

    stand.knock = gone  # type: ignore[method-assign]
    with pytest.raises(Interrupted, match="gate green by its health, without users: the balancer") as failed:
        carry_out(declared("green"), stand)
    assert failed.value.result()["done"] == ["begin a switch to green"]
    stand.runs, stand.knock = True, knock  # type: ignore[method-assign]
    assert carry_out(declared("green", canary=[]), stand)["live"] == "green"

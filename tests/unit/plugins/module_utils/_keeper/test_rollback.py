# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody confirmed: the host is as it was before, by its timer or by its next boot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import files, last_seen, lock
from ansible_collections.breakwater.docker.plugins.module_utils._host import rollback as notes
from ansible_collections.breakwater.docker.plugins.module_utils._keeper import command, restore, rollback
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import EngineAddress
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fleet import (
    fleet_host,
    peer,
    picture,
    tunnel,
)

NETWORK = {"name": "back", "ipam_config": [{"subnet": "10.82.0.0/24"}]}
RULE = {"action": "drop", "source": "203.0.113.0/24", "destination": "10.80.1.0/24"}
BEFORE: dict[str, Any] = {"name": "fleet", "tunnels": [tunnel()], "rules": [RULE]}
CHANGE: dict[str, Any] = {
    "name": "fleet",
    "networks": [NETWORK],
    "tunnels": [tunnel(peer(3), mtu=1300), tunnel(peer(4), name="other0", key="fleet-1", listen_port=1)],
    "rules": [{**RULE, "source": "198.51.100.0/24"}],
    "policy": {"default": "deny"},
    "confirm_within": 60,
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    with (
        fleet_host() as found,
        patch.object(lock, "FOLDER", tmp_path),
        patch.object(last_seen, "PATH", tmp_path / "engine.json"),
        patch.object(restore, "_BOOTED", tmp_path / "restored"),
        patch.object(rollback, "DockerEngine", lambda _where: found.engine),
    ):
        yield found


def fires(host: FakeHost) -> None:
    """What the timer runs; then it is gone."""
    host.engine.kernel.ways.units.pop("breakwater-rollback-fleet.timer", None)
    rollback.take_back("fleet", EngineAddress())


def networks(host: FakeHost) -> set[str]:
    return {each["Name"] for each in host.engine.networks()} - {"bridge", "host", "none"}


def memory() -> Any:
    return files.Memories()["fleet"]


def test_a_change_is_taken_back(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    host.module("topology", BEFORE)
    before, remembered = picture(host), memory()
    host.module("topology", CHANGE)
    assert picture(host) != before
    fires(host)
    assert picture(host) == before and networks(host) == {"front"}
    assert memory().declared == remembered.declared and notes.unconfirmed() == []
    out = capsys.readouterr().out
    assert "<4>fleet: nobody has confirmed the last change, so it was taken back:" in out
    assert "remove tunnel other0" in out and "set tunnel fleet0" in out
    assert not host.module("topology", BEFORE)["changed"]


def test_the_first_change_is_disarmed(host: FakeHost) -> None:
    before = picture(host)
    host.module("topology", CHANGE)
    fires(host)
    assert picture(host) == before
    assert networks(host) == {"front", "back"}, "who is on a network is not cut"
    assert memory().declared["tunnels"] == [] and memory().declared["policy"] is None
    assert notes.unconfirmed() == []


def test_the_end_of_a_topology_is_taken_back(host: FakeHost) -> None:
    host.module("topology", BEFORE)
    before = picture(host)
    host.module("topology", {"name": "fleet", "state": "absent", "confirm_within": 60})
    assert "fleet" not in set(files.Memories())
    fires(host)
    assert picture(host) == before and memory().declared["tunnels"][0]["name"] == "fleet0"


def test_what_was_confirmed_stays(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    host.module("topology", CHANGE)
    notes.confirm("fleet", check=False)
    now = picture(host)
    fires(host)
    assert picture(host) == now
    assert "fleet: nothing waits for a confirmation" in capsys.readouterr().out


def test_what_is_gone_without_a_trace(host: FakeHost) -> None:
    before = picture(host)
    notes.arm("fleet", 60, None)
    fires(host)
    assert picture(host) == before and notes.unconfirmed() == []


def test_somebody_who_came_to_a_network_is_not_cut(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    host.module("topology", BEFORE)
    before = picture(host)
    host.module("topology", CHANGE)
    host.engine.run("late", "back")
    fires(host)
    assert networks(host) == {"front", "back"} and picture(host) == before
    assert "late was attached to it by somebody else" in capsys.readouterr().out
    assert notes.unconfirmed() == []


def test_a_step_that_fails_leaves_nobody_cut_off(host: FakeHost) -> None:
    host.module("topology", BEFORE)
    before = picture(host)
    host.module("topology", CHANGE)
    with patch.object(host.engine, "remove_network", side_effect=HostError("the engine refused")):
        fires(host)
    assert picture(host) == before and networks(host) == {"front", "back"}


def test_a_host_that_cannot_is_asked_again_at_its_next_boot(host: FakeHost) -> None:
    host.module("topology", CHANGE)
    with (
        patch.object(rollback, "converge", side_effect=HostError("the disk is full")),
        pytest.raises(HostError, match="the disk is full"),
    ):
        fires(host)
    assert notes.unconfirmed() == ["fleet"]
    rollback.forget()
    assert memory().declared["tunnels"] == [] and notes.unconfirmed() == []


def test_by_its_command(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.module("topology", BEFORE)
    before = picture(host)
    host.module("topology", CHANGE)
    host.engine.kernel.ways.units.clear()
    monkeypatch.setattr(sys, "argv", ["breakwater", "rollback", "fleet"])
    assert command.main() == 0 and picture(host) == before


def test_a_boot_takes_back_what_nobody_confirmed(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    host.module("topology", BEFORE)
    remembered = memory()
    host.module("topology", CHANGE)
    restore.restore()
    assert memory() == remembered and notes.unconfirmed() == []
    assert "<4>fleet: the host went down before anybody confirmed the last change" in capsys.readouterr().out


def test_a_boot_after_the_first_change(host: FakeHost) -> None:
    host.module("topology", CHANGE)
    rollback.forget()
    declared = memory().declared
    assert (declared["tunnels"], declared["rules"], declared["policy"]) == ([], None, None)
    assert declared["networks"][0]["name"] == "back"


def test_a_boot_after_the_end_of_a_topology(host: FakeHost) -> None:
    host.module("topology", BEFORE)
    remembered = memory()
    host.module("topology", {"name": "fleet", "state": "absent", "confirm_within": 60})
    rollback.forget()
    assert memory() == remembered


def test_an_engine_that_starts_anew_is_no_boot(host: FakeHost) -> None:
    restore.restore()
    host.module("topology", CHANGE)
    restore.restore()
    assert notes.unconfirmed() == ["fleet"], "its timer runs still"


def test_a_garbled_note_does_not_keep_the_host_open(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    host.module("topology", CHANGE)
    (host.unconfirmed / "fleet.json").write_text("{")
    with patch.object(restore, "_restored", return_value=[]) as restored:
        assert restore.restore() == 0
    assert [each.args[0] for each in restored.call_args_list] == ["fleet"]
    assert "<3>fleet: " in capsys.readouterr().out

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper on a host in memory: what others undo comes back, and what cannot is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import files, last_seen, lock
from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._keeper import keep, record, restore, status, wake
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import EngineAddress
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError, Refused
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Plan, Step
from ansible_collections.breakwater.docker.plugins.module_utils._plan import topology
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost, fake_host

SHOP: dict[str, Any] = {
    "name": "shop",
    "networks": [
        {"name": "front", "ipam_config": [{"subnet": "10.1.0.0/24"}]},
        {"name": "back", "ipam_config": [{"subnet": "10.2.0.0/24"}]},
    ],
    "connections": [
        {
            "container": "gw",
            "exclusive": True,
            "networks": [{"name": "front", "ipv4_address": "10.1.0.3"}, {"name": "back"}],
        },
        {"container": "web", "exclusive": True, "networks": [{"name": "front", "ipv4_address": "10.1.0.5"}]},
        {"container": "db", "exclusive": True, "networks": [{"name": "back", "ipv4_address": "10.2.0.7"}]},
    ],
    "routes": [{"container": "web", "routes": [{"destination": "10.2.0.0/24", "via": "gw"}]}],
    "policy": {
        "allow": [
            {"from": "web", "to": "db", "ports": [8080]},
            {"from": {"network": "front"}, "to": {"network": "front"}, "ports": [7]},
        ]
    },
    "rules": [
        {"action": "allow", "source": "web", "destination": "world"},
        {"action": "drop", "source": "db", "destination": "world"},
        {"action": "drop", "source": "203.0.113.0/24", "destination": "web"},
    ],
}
CLOSED = {"action": "drop", "source": "db", "destination": "gw"}
START = wake.Wake("container web: start", 1.0)
ANSWERS = wake.Wake("the engine answers", 1.0, engine="")


class Answering(FakeEngine):
    """An engine that also says what it is."""

    live_restore = False
    stopping = False

    def greet(self) -> None:
        if self.stopping:
            raise HostError("the engine could not answer")

    def identity(self) -> dict[str, Any]:
        return {"version": [28, 5], "api": [1, 51], "live_restore": self.live_restore}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    """shop as it was applied, and a keeper's own files in a folder of the test's."""
    engine = Answering()
    for name in ("gw", "web", "db"):
        engine.run(name)
    with (
        fake_host(engine) as found,
        patch.object(lock, "FOLDER", tmp_path),
        patch.object(record, "STATUS", tmp_path / "status.json"),
        patch.object(status, "STATUS", tmp_path / "status.json"),
        patch.object(last_seen, "PATH", tmp_path / "engine.json"),
        patch.object(restore, "_BOOTED", tmp_path / "restored"),
        patch.object(keep, "DockerEngine", lambda _where: engine),
    ):
        found.module("topology", SHOP)
        yield found


def keeper(heals: bool = True, metrics: Path | None = None) -> Any:
    """A keeper whose engine has answered."""
    found = keep._Keeper(EngineAddress(), heals, 60, metrics)
    found.look([ANSWERS])
    return found


def told(host: FakeHost) -> dict[str, Any]:
    found: dict[str, Any] = status.status()
    assert host
    return found


def restart(host: FakeHost, name: str) -> None:
    host.engine.stop(name)
    host.engine.start(name)


def test_what_a_restart_undoes_comes_back(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    watching = keeper()
    assert "healed" not in capsys.readouterr().out
    restart(host, "web")
    watching.look([START])
    assert [each.destination for each in host.engine.namespace("web").routes].count("10.2.0.0/24") == 1
    assert "<4>shop: healed, add route 10.2.0.0/24 in web (container web: start)" in capsys.readouterr().out
    found = told(host)["topologies"]["shop"]
    assert found["holds"] and [each["what"] for each in found["healed"]] == ["add route 10.2.0.0/24 in web"]
    assert found["declared"] == "2 networks, 3 connections, 1 routes, 3 rules, a policy"
    watching.look([])
    assert len(told(host)["topologies"]["shop"]["healed"]) == 1


def test_a_new_address_takes_the_place_of_the_old(host: FakeHost) -> None:
    watching = keeper()
    host.engine.disconnect("back", host.engine.known_id("db"))
    watching.look([wake.Wake("network back: disconnect", 1.0)])
    assert "back" in host.engine.container("db").endpoints, "who was taken off by hand is attached again"


def test_who_only_reports_touches_nothing(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    watching = keeper(heals=False)
    restart(host, "web")
    for _round in range(2):
        watching.look([START])
    assert "10.2.0.0/24" not in [each.destination for each in host.engine.namespace("web").routes]
    assert capsys.readouterr().out.count("is not as declared, to be healed by: add route 10.2.0.0/24 in web") == 1
    found = told(host)["topologies"]["shop"]
    assert not found["holds"] and found["drift"] == ["add route 10.2.0.0/24 in web"] and found["found_count"] == 1
    assert not status.is_well(told(host))


def test_a_garbled_memory_is_refused_and_its_copy_kept(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    (host.topologies / "shop.json").write_text('{"declared": {"netw')
    watching = keeper()
    restart(host, "web")
    watching.look([START])
    assert "10.2.0.0/24" in [each.destination for each in host.engine.namespace("web").routes]
    found = told(host)["topologies"]["shop"]
    assert not found["holds"] and "is not what the collection wrote" in found["failure"]
    assert "the last good one" in found["failure"]
    assert capsys.readouterr().out.count("<3>shop: ") == 1
    with pytest.raises(HostError, match="is not what the collection wrote"):
        host.module("topology", SHOP)
    (host.topologies.parent / "copies" / "shop.json").write_text("[]")
    watching.look([])
    assert "is not what the collection wrote" in told(host)["topologies"]["shop"]["failure"]


def test_an_engine_that_is_gone_is_waited_for(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    watching = keeper()
    watching.look([wake.Wake("the engine is gone", 2.0, engine="no engine answers")])
    restart(host, "web")
    watching.look([])
    assert told(host)["engine"] == "no engine answers"
    watching.look([ANSWERS])
    assert told(host)["engine"] == "" and told(host)["topologies"]["shop"]["healed_count"] == 1
    assert "<4>no engine answers; what filters packets stays as it is" in capsys.readouterr().out


@pytest.mark.parametrize("stopping", [True, False], ids=["it stops", "it is gone"])
def test_a_flush_while_the_engine_is_away_leaves_nothing_open(
    host: FakeHost, capsys: pytest.CaptureFixture[str], stopping: bool
) -> None:
    watching, kernel = keeper(), host.engine.kernel
    if stopping:
        host.engine.stopping = True  # type: ignore[attr-defined]
    else:
        watching.look([wake.Wake("the engine is gone", 2.0, engine="no engine answers")])
    watching.look([])
    assert kernel.nft.tables["breakwater-shop"].sets["pairs4"].elements, "what stands is left"
    kernel.nft.tables.clear()
    assert watching.look([wake.Wake("the packet filter was changed", 3.0)]) != stopping, "whether it need not hurry"
    table = kernel.nft.tables["breakwater-shop"]
    assert table.sets["governed4"].elements and not table.sets["pairs4"].elements
    assert "<4>shop: set policy shop, closed until the engine has told who is who" in capsys.readouterr().out
    host.engine.stopping = False  # type: ignore[attr-defined]
    assert watching.look([ANSWERS])
    assert kernel.nft.tables["breakwater-shop"].sets["pairs4"].elements


def test_what_filters_packets_holds_whatever_is_wrong_with_the_rest(host: FakeHost) -> None:
    watching = keeper()
    host.engine.kernel.nft.tables.clear()
    with patch.object(topology, "_connections", side_effect=Refused("networks[0]", "somebody would be cut")):
        watching.look([])
    found = told(host)["topologies"]["shop"]
    assert "somebody would be cut" in found["failure"] and not found["holds"]
    assert host.engine.kernel.nft.tables["breakwater-shop"].sets["pairs4"].elements
    watching.look([])
    assert told(host)["topologies"]["shop"]["holds"]


def test_an_engine_that_is_busy_with_a_container_does_not_keep_its_address_open(host: FakeHost) -> None:
    watching, table = keeper(), host.engine.kernel.nft.tables["breakwater-shop"]
    assert table.sets["pairs4"].elements
    host.engine.stop("web")
    with patch.object(FakeEngine, "inspect", side_effect=HostError("the engine could not inspect container web")):
        watching.look([wake.Wake("container web: die", 1.0)])
    table = host.engine.kernel.nft.tables["breakwater-shop"]
    assert not table.sets["pairs4"].elements and table.sets["governed4"].elements
    found = told(host)["topologies"]["shop"]
    assert not found["holds"] and [each["what"] for each in found["healed"]] == ["set policy shop"]


def test_a_rule_knows_an_address_before_the_policy_lets_it_in(host: FakeHost) -> None:
    let_in = {"from": {"network": "back"}, "to": "gw", "ports": [8080]}
    host.module("topology", {**SHOP, "policy": {"allow": [let_in]}, "rules": [CLOSED]})
    watching, done = keeper(), []
    host.engine.stop("gw")
    watching.look([wake.Wake("container gw: die", 1.0)])
    host.engine.start("gw")
    apply = Host.apply

    def noted(on: Host, step: Step) -> None:
        done.append(str(step))
        apply(on, step)

    with patch.object(Host, "apply", noted):
        watching.look([wake.Wake("container gw: start", 2.0)])
    assert done[:2] == ["change ruleset shop", "set policy shop"]


def test_what_others_have_made_impossible_is_told_and_the_rest_holds(host: FakeHost) -> None:
    watching = keeper()
    for name in ("gw", "web"):  # on two networks both: the way by the one is no clear word any more
        host.engine.connect("bridge", host.engine.known_id(name), {})
    restart(host, "web")
    host.engine.kernel.nft.tables.clear()
    with patch.object(topology, "_connections", return_value=Plan()):
        watching.look([])
    found = told(host)["topologies"]["shop"]
    assert found["holds"] and any("say which by network" in each for each in found["pending"])
    assert host.engine.kernel.nft.tables["breakwater-shop"].sets["pairs4"].elements


def test_a_gateway_that_has_stopped_does_not_stop_the_policy(host: FakeHost) -> None:
    watching = keeper()
    host.engine.delete("gw")
    restart(host, "web")
    host.engine.kernel.nft.tables.clear()
    watching.look([])
    found = told(host)["topologies"]["shop"]
    assert found["holds"] and "route 10.2.0.0/24 in web: container 'gw' does not exist" in found["pending"]
    assert host.engine.kernel.nft.tables["breakwater-shop"].sets["pairs4"].elements


def test_what_fails_is_told_once_and_when_it_is_over(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    watching = keeper()
    restart(host, "web")

    def refuse(_host: Host, _step: Any) -> None:
        raise HostError("the disk is full")

    with patch.object(Host, "apply", refuse):
        for _round in range(3):
            watching.look([START])
    found = told(host)["topologies"]["shop"]
    assert not found["holds"] and found["failed_count"] == 3 and "the disk is full" in found["failure"]
    watching.look([])
    out = capsys.readouterr().out
    assert out.count("the disk is full") == 1 and "<6>shop: is in order again" in out
    assert told(host)["topologies"]["shop"]["holds"]


def test_a_topology_that_is_gone_is_told_of_no_more(host: FakeHost) -> None:
    watching = keeper()
    host.module("topology", {"name": "shop", "state": "absent"})
    watching.look([])
    assert told(host)["topologies"] == {}
    assert not list((host.topologies.parent / "copies").glob("*.json"))


def test_nothing_is_recreated_and_nothing_pruned(host: FakeHost) -> None:
    always = [{**SHOP["networks"][0], "recreate": "always"}, SHOP["networks"][1]]
    host.module("topology", {**SHOP, "networks": always, "prune": True})
    before = host.engine.named("front").id
    memory = files.Memories()["shop"]
    keeper().look([])
    assert host.engine.named("front").id == before and files.Memories()["shop"] == memory


def test_metrics(host: FakeHost, tmp_path: Path) -> None:
    folder = tmp_path / "collector"
    folder.mkdir()
    watching = keeper(metrics=folder)
    restart(host, "web")
    watching.look([wake.Wake("container web: start", time.time() - 0.05)])
    text = (folder / "breakwater.prom").read_text()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples["breakwater_up"] == "1" and samples['breakwater_healed_total{topology="shop"}'] == "1"
    assert samples['breakwater_holds{topology="shop"}'] == "1"
    assert 0.05 <= float(samples["breakwater_heal_latency_seconds"]) < 30
    assert (folder / "breakwater.prom").stat().st_mode & 0o777 == 0o644
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == {
        each.partition("{")[0] for each in samples
    }


def test_status_for_a_person(host: FakeHost) -> None:
    nobody = "\n".join(status.lines(told(host)))
    assert "keeper: does not run" in nobody and "shop: nobody has looked yet" in nobody
    with lock.keeping():
        assert not status.is_well(told(host)) and "keeper: starts, and has not looked yet" in status.lines(told(host))
        watching = keeper()
        restart(host, "web")
        watching.look([START])
        text = "\n".join(status.lines(told(host)))
        assert "keeper: heals, looks after each event and every 60 s" in text and "shop: holds" in text
        assert "add route 10.2.0.0/24 in web (container web: start)" in text
        assert status.is_well(told(host)) and json.dumps(told(host))
        with pytest.raises(HostError, match="a keeper runs on this host already"), lock.keeping():
            pass
    assert not status.is_well(told(host))


def test_before_the_engine_starts_all_is_closed(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    keeper()
    kernel = host.engine.kernel
    kernel.nft.tables.clear()
    with lock.alone():
        pass
    assert restore.restore() == 0, capsys.readouterr().out
    table = kernel.nft.tables["breakwater-shop"]
    held = {name: found.elements for name, found in table.sets.items() if found.elements}
    assert not any(name.startswith("pairs") for name in held), "nobody knows who is who"
    assert held["governed4"] == {"10.1.0.0-10.1.0.255", "10.2.0.0-10.2.0.255"} or len(held["governed4"]) == 2
    assert held["ranges4"], "what is allowed between networks needs nobody's address"
    told_rules = kernel.run(["iptables-save"]).stdout
    ours = [line for line in told_rules.splitlines() if line.startswith("-A BWT-shop")]
    assert not any("RETURN" in line for line in ours), "nobody is let through by the address of who was"
    assert sum("DROP" in line for line in ours) == 2
    keeper()
    table = kernel.nft.tables["breakwater-shop"]
    assert table.sets["pairs4"].elements


def test_an_engine_whose_containers_outlive_it_is_not_closed(host: FakeHost) -> None:
    host.engine.live_restore = True  # type: ignore[attr-defined]
    keeper()
    assert restore.restore() == 0  # the first after a boot: there are no containers
    keeper()
    assert restore.restore() == 0
    assert host.engine.kernel.nft.tables["breakwater-shop"].sets["pairs4"].elements
    host.engine.kernel.nft.tables.clear()
    assert restore.restore() == 0
    table = host.engine.kernel.nft.tables["breakwater-shop"]
    assert table.sets["governed4"].elements and not table.sets["pairs4"].elements, "flushed, it is closed"


def test_the_engine_is_asked_again_once_it_was_reloaded(host: FakeHost) -> None:
    watching = keeper()
    host.engine.live_restore = True  # type: ignore[attr-defined]
    watching.look([START])
    assert not last_seen.live_restore()
    watching.look([wake.Wake(wake.RELOADED, 1.0)])
    assert last_seen.live_restore()


def test_what_cannot_be_restored_is_told(host: FakeHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert host and restore.restore() == 1
    assert "the keeper has not seen the engine yet" in capsys.readouterr().out
    (tmp_path / "engine.json").write_text("{}")
    assert restore.restore() == 1

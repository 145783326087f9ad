# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters: what is set and given back, what is not ours, and what is seen before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import (
    DeclarationError,
    Interrupted,
    NotThere,
)
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost, fake_host

from .shop import shop

SOMAXCONN, RMEM, FORWARD = "net.core.somaxconn", "net.ipv4.tcp_rmem", "net.ipv4.ip_forward"
LOOSE = {"net.ipv4.conf.IFNAME.rp_filter": 2}


def live(engine: FakeEngine, key: str, container: str = "") -> str:
    """What the kernel in memory has."""
    space = engine.namespace(container) if container else engine.kernel.host
    return space.sysctls[key.replace(".", "/")]


def endpoint(engine: FakeEngine, container: str, network: str) -> str:
    """rp_filter of the interface on a network."""
    return engine.namespace(container).link(engine.interface(container, network)).sysctls["rp_filter"]


def drop_in(host: FakeHost) -> list[str]:
    """The lines of our drop-in."""
    try:
        text = host.drop_in.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if not line.startswith("#")]


def apply(host: FakeHost, **args: Any) -> list[str]:
    """Check, apply, check; the steps."""
    foretold = host.module("sysctl", args, check=True)
    done = host.module("sysctl", args)
    assert foretold["steps"] == done["steps"]
    assert {key: done[key] for key in ("values", "networks")} == {key: foretold[key] for key in ("values", "networks")}
    assert host.module("sysctl", args, check=True)["steps"] == []
    return [f"{each['verb']} {each['resource']}" for each in done["steps"]]


def test_host_live_and_at_boot() -> None:
    engine = shop()
    with fake_host(engine) as host:
        wanted = {SOMAXCONN: 9000, FORWARD: 1, RMEM: "4096 131072  6291456"}
        # The switch for all interfaces comes first, here and at boot; what is so already is only written down.
        titles = [f"set sysctl {each}" for each in (FORWARD, SOMAXCONN, RMEM)]
        assert apply(host, values=wanted) == titles
        assert drop_in(host) == [f"{FORWARD} = 1", f"{SOMAXCONN} = 9000", f"{RMEM} = 4096 131072 6291456"]
        assert (live(engine, FORWARD), live(engine, SOMAXCONN)) == ("1", "9000")
        engine.kernel.host.sysctls["net/core/somaxconn"] = "1"
        assert apply(host, values=wanted) == [f"set sysctl {SOMAXCONN}"]
        assert apply(host, values=dict.fromkeys(wanted), state="absent") == [
            each.replace("set", "restore") for each in titles
        ]
        assert (live(engine, FORWARD), live(engine, SOMAXCONN)) == ("0", "4096")
        assert drop_in(host) == [] and not list(host.sysctls.glob("*"))


def test_only_what_is_ours_is_given_back() -> None:
    engine = shop()
    with fake_host(engine) as host:
        assert apply(host, values={SOMAXCONN: 1}, state="absent") == []
        apply(host, values={SOMAXCONN: 9000})
        engine.kernel.host.sysctls["net/core/somaxconn"] = "777"
        result = host.module("sysctl", {"values": {SOMAXCONN: None}, "state": "absent"})
        assert result["changed"] and live(engine, SOMAXCONN) == "777" and drop_in(host) == []
        assert "is 777, and was set to 9000 here" in result["warnings"][0]


def test_the_kernel_spells_it_its_own_way() -> None:
    engine = shop()
    with fake_host(engine) as host:
        assert len(host.module("sysctl", {"values": {SOMAXCONN: "0x10"}})["steps"]) == 1
        assert live(engine, SOMAXCONN) == "16"
        assert host.module("sysctl", {"values": {SOMAXCONN: "0x10"}})["steps"] == []
        host.module("sysctl", {"values": {SOMAXCONN: None}, "state": "absent"})
        assert live(engine, SOMAXCONN) == "4096"


def test_container() -> None:
    engine = shop()
    with fake_host(engine) as host:
        args = {"container": "web", "values": {FORWARD: 1, "kernel.shmmax": 4096}, "networks": {"front": LOOSE}}
        steps = apply(host, **args)
        assert steps == [
            f"set sysctl {FORWARD} in web",
            "set sysctl kernel.shmmax in web",
            "set sysctl net.ipv4.conf.IFNAME.rp_filter on front in web",
        ]
        assert (live(engine, FORWARD, "web"), live(engine, FORWARD)) == ("1", "0")
        assert (endpoint(engine, "web", "front"), endpoint(engine, "web", "back")) == ("2", "0")
        assert drop_in(host) == []
        engine.disconnect("front", engine.known_id("web"))
        engine.connect("front", engine.known_id("web"), {})
        assert apply(host, **args) == steps[2:]
        engine.stop("web")
        engine.start("web")
        assert apply(host, **args) == steps
        by_id = {**args, "networks": {engine.named("front").id: LOOSE}, "container": engine.known_id("web")[:12]}
        assert host.module("sysctl", by_id)["steps"] == []
        apply(host, **{**args, "state": "absent"})
        assert (live(engine, FORWARD, "web"), endpoint(engine, "web", "front")) == ("0", "0")
        assert not list(host.sysctls.glob("*"))


def test_what_was_set_for_a_container_that_is_gone_is_forgotten() -> None:
    engine = shop()
    with fake_host(engine) as host:
        apply(host, container="web", values={FORWARD: 1})
        engine.delete("web")
        apply(host, container="db", values={FORWARD: 1})
        assert [each.stem for each in host.sysctls.glob("*")] == [engine.known_id("db")]


def test_a_stopped_container_has_nothing_to_give_back() -> None:
    engine = shop()
    with fake_host(engine) as host:
        apply(host, container="web", values={FORWARD: 1})
        engine.stop("web")
        assert apply(host, container="web", values={FORWARD: 1}, state="absent") == []
        assert not list(host.sysctls.glob("*"))


RAISED: list[tuple[str, Any, list[tuple[str, str]]]] = [
    # What somebody set before (empty: nobody), the floor, and what is live then.
    ("lower is raised", SOMAXCONN, [("", "9000", "9000")]),
    ("higher is left", SOMAXCONN, [("", "100", "4096")]),
    ("the same is left", SOMAXCONN, [("", "4096", "4096")]),
    ("ours may be lowered", SOMAXCONN, [("", "9000", "9000"), ("", "8000", "8000")]),
    ("but not below what was found", SOMAXCONN, [("", "9000", "9000"), ("", "100", "4096")]),
    ("somebody's higher one is left", SOMAXCONN, [("", "9000", "9000"), ("9999", "9000", "9999")]),
    ("somebody's lower one is raised", SOMAXCONN, [("", "9000", "9000"), ("10", "9000", "9000")]),
    ("each number by itself", RMEM, [("", "8192 65536 9999999", "8192 131072 9999999")]),
]


@pytest.mark.parametrize(("key", "story"), [each[1:] for each in RAISED], ids=[each[0] for each in RAISED])
def test_raise_only(key: str, story: list[tuple[str, str, str]]) -> None:
    engine = shop()
    with fake_host(engine) as host:
        for somebody, floor, then in story:
            if somebody:
                engine.kernel.host.sysctls[key.replace(".", "/")] = somebody
            apply(host, values={key: floor}, raise_only=True)
            assert live(engine, key).split() == then.split()
            is_theirs = then in ("4096", somebody)
            assert drop_in(host) == ([] if is_theirs else [f"{key} = {then}"])


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "unknown",
        {"values": {"net.ipv4.ip_forwrd": 1}},
        "values.net.ipv4.ip_forwrd",
        "did you mean 'net.ipv4.ip_f",
    ),
    ("read-only", {"values": {"kernel.osrelease": 1}}, "values.kernel.osrelease", "is read-only here"),
    ("a command", {"values": {"net.ipv4.route.flush": 1}}, "values.net.ipv4.route.flush", "is a command"),
    ("too few numbers", {"values": {RMEM: "1 2"}}, f"values.{RMEM}", "holds 3 numbers, found '1 2'"),
    ("a floor under text", {"values": {"net.ipv4.tcp_congestion_control": 1}, "raise_only": True}, "", "is 'cubic'"),
    ("the machine's", {"container": "web", "values": {"vm.swappiness": 1}}, "", "vm.swappiness is not namespaced"),
    ("the machine's, to be seen", {"container": "web", "values": {"net.core.rmem_max": 1}}, "", "is not namespaced"),
    (
        "unknown to all",
        {"container": "web", "values": {"net.ipv4.nosuch": 1}},
        "",
        "knows no net.ipv4.nosuch",
    ),
    ("unknown there", {"container": "web", "values": {"vm.nosuch": 1}}, "", "the kernel knows no vm.nosuch"),
    ("another network", {"container": "db", "networks": {"back": LOOSE}}, "", "is not on 'back' (it is on front)"),
    ("the host's namespace", {"container": "hosty", "values": {FORWARD: 1}}, "container", "is that of the host"),
    (
        "another one's namespace",
        {"container": "guest", "values": {FORWARD: 1}},
        "container",
        "of another container",
    ),
    ("stopped", {"container": "idle", "values": {FORWARD: 1}}, "container", "is not running"),
]


@pytest.mark.parametrize(("args", "field", "says"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_refused_before_anything_is_written(args: dict[str, Any], field: str, says: str) -> None:
    engine = shop()
    engine.run("guest", f"container:{engine.known_id('web')}")
    with fake_host(engine) as host:
        for check in (True, False):
            with pytest.raises(DeclarationError) as refusal:
                host.module("sysctl", args, check=check)
            assert says in str(refusal.value)
            assert refusal.value.field == (field or refusal.value.field)
        assert drop_in(host) == [] and not list(host.sysctls.glob("*"))


def test_refused_by_the_kernel() -> None:
    engine = shop()
    with fake_host(engine) as host:
        with pytest.raises(Interrupted) as failure:
            host.module("sysctl", {"values": {SOMAXCONN: 9000, "net.ipv4.tcp_syn_retries": 4000}})
        told = failure.value.result()
        assert told["field"] == "values.net.ipv4.tcp_syn_retries" and told["done"] == [f"set sysctl {SOMAXCONN}"]
        assert "the kernel refuses '4000' for net.ipv4.tcp_syn_retries: out of range" in str(failure.value)
        assert drop_in(host) == [f"{SOMAXCONN} = 9000"]
        host.module("sysctl", {"values": {SOMAXCONN: None, "net.ipv4.tcp_syn_retries": None}, "state": "absent"})
        assert not list(host.sysctls.glob("*"))


def test_another_file_sets_it_later() -> None:
    with fake_host(shop()) as host:
        host.drop_in.parent.mkdir(parents=True)
        other = host.drop_in.parent / "99-other.conf"
        other.write_text(f"# x = 1\n; y\n-{SOMAXCONN.replace('.', '/')}=512\nnet.ipv4.conf.*.rp_filter = 1\nnonsense\n")
        (host.drop_in.parent / "10-other.conf").write_text(f"{SOMAXCONN} = 1\n")
        for check in (True, False, True):
            warnings = host.module("sysctl", {"values": {SOMAXCONN: 9000}}, check=check)["warnings"]
            told = f"{SOMAXCONN} will be 512 after the next boot, for {other} sets it after us; remove it there"
            assert warnings == [told]
        assert host.module("sysctl", {"values": {SOMAXCONN: 512}})["warnings"] == []


def test_a_policy_keeps_its_switch() -> None:
    engine = shop()
    key = "net.bridge.bridge-nf-call-iptables"
    with fake_host(engine) as host:
        host.bridge_filter({4: "0", 6: "0"})
        apply(host, values={key: 1})
        engine.kernel.nft.has_conntrack = False
        host.module("policy", {"name": "p", "networks": ["front"], "allow": [{"from": "web", "to": "db"}]})
        with pytest.raises(DeclarationError, match="a policy on this host needs it to be 1"):
            host.module("sysctl", {"values": {key: 0}})
        apply(host, values={key: None}, state="absent")
        assert host.bridge_filter() == {4: "1", 6: "1"}


def topology(*sysctls: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A topology with these."""
    return {"name": "shop", "sysctls": list(sysctls), **parts}


def test_topology_gives_back_what_it_declares_no_more() -> None:
    engine = shop()
    web = {"container": "web", "values": {FORWARD: 1}, "networks": {"front": LOOSE}}
    host_wide = {"values": {SOMAXCONN: 9000}}
    with fake_host(engine) as host:
        host.module("topology", topology(web, host_wide))
        assert host.module("topology", topology())["steps"] == []
        assert host.module("topology", topology(web))["steps"] == []
        told = host.module("topology", topology({**web, "networks": {}}, prune=True))["steps"]
        assert [each["resource"] for each in told] == [
            f"sysctl {SOMAXCONN}",
            "sysctl net.ipv4.conf.IFNAME.rp_filter on front in web",
        ]
        assert (live(engine, FORWARD, "web"), endpoint(engine, "web", "front")) == ("1", "0")
        host.module("topology", {"name": "shop", "state": "absent"})
        assert (live(engine, FORWARD, "web"), live(engine, SOMAXCONN)) == ("0", "4096")
        assert not list(host.topologies.glob("*")) and not list(host.sysctls.glob("*"))


def test_what_another_topology_declares_too_stays() -> None:
    engine = shop()
    with fake_host(engine) as host:
        for name in ("shop", "other"):
            host.module("topology", topology({"container": "web", "values": {FORWARD: 1}}, name=name))
        host.module("topology", {"name": "shop", "state": "absent"})
        assert live(engine, FORWARD, "web") == "1"
        host.module("topology", {"name": "other", "state": "absent"})
        assert live(engine, FORWARD, "web") == "0"


def test_what_was_there_already_is_not_the_topologys() -> None:
    engine = shop()
    engine.namespace("web").sysctls["net/ipv4/ip_forward"] = "1"
    with fake_host(engine) as host:
        assert host.module("topology", topology({"container": "web", "values": {FORWARD: 1}}))["steps"] == []
        host.module("topology", {"name": "shop", "state": "absent"})
        assert live(engine, FORWARD, "web") == "1"


def test_an_endpoint_that_is_yet_to_come() -> None:
    engine = shop()
    declared = topology(
        {"container": "db", "networks": {"back": LOOSE}},
        {"container": "soon", "values": {FORWARD: 1}, "networks": {"back": LOOSE}},
        connections=[{"container": each, "networks": [{"name": "back"}]} for each in ("db", "soon")],
        expected_containers=["soon"],
    )
    with fake_host(engine) as host:
        foretold = host.module("topology", declared, check=True)
        assert [each["resource"] for each in foretold["steps"]] == [
            "connection db to back",
            "sysctl net.ipv4.conf.IFNAME.rp_filter on back in db",
            f"sysctl {FORWARD} in soon",
            "sysctl net.ipv4.conf.IFNAME.rp_filter on back in soon",
        ]
        done = host.module("topology", declared)
        assert endpoint(engine, "db", "back") == "2"
        assert "sysctls of soon: container 'soon' does not exist" in done["pending"]
        with pytest.raises(NotThere):
            host.module("topology", {**declared, "expected_containers": [], "missing_containers": "fail"})
        wrong = topology(
            {"container": "gw", "networks": {"front": {"net.ipv4.conf.IFNAME.nosuch": 1}}},
            connections=[{"container": "gw", "networks": [{"name": "front"}]}],
        )
        with pytest.raises(DeclarationError, match="the kernel knows no"):
            host.module("topology", wrong)
        assert "front" not in engine.container("gw").endpoints

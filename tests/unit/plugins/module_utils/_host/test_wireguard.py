# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that stay in files of root's, and interfaces by whatever WireGuard the host has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import wireguard
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.live_tunnel import LivePeer
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import Peer, Ways, drawn, public
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fleet import device, fleet_host, leaks


@pytest.fixture
def host() -> Iterator[FakeHost]:
    with fleet_host() as found:
        yield found


def ways(host: FakeHost) -> Ways:
    return host.engine.kernel.ways


def secret(host: FakeHost, name: str = "fleet0.key") -> str:
    return (host.keys / name).read_text().strip()


def test_a_key_is_made_once(host: FakeHost) -> None:
    made = wireguard.keep_key("fleet-2", "present", False)
    assert made == {"changed": True, "public_key": public(secret(host, "fleet-2.key"))}
    assert wireguard.keep_key("fleet-2", "present", False) == {**made, "changed": False}
    assert wireguard.keep_key("fleet-2", "present", True) == {**made, "changed": False}
    assert leaks(host, made) == []


def test_only_root_reads_it(host: FakeHost) -> None:
    wireguard.keep_preshared("fleet0@edge2", drawn("shared"))
    assert {each.stat().st_mode & 0o777 for each in host.keys.iterdir()} == {0o600}
    assert host.keys.stat().st_mode & 0o777 == 0o700
    assert len([*host.keys.iterdir()]) == 3, "no draft is left"


def test_check_mode_makes_none(host: FakeHost) -> None:
    before = {each: each.read_text() for each in host.keys.iterdir()}
    assert wireguard.keep_key("new", "present", True) == {"changed": True, "public_key": ""}
    assert wireguard.keep_key("fleet0", "absent", True) == {"changed": True, "public_key": ""}
    assert {each: each.read_text() for each in host.keys.iterdir()} == before


def test_a_key_goes_with_those_that_it_shares(host: FakeHost) -> None:
    wireguard.keep_key("fleet0.2", "present", False)
    for name in ("fleet0@edge2", "fleet0@edge3", "fleet0.2@edge2"):
        wireguard.keep_preshared(name, drawn(name))
    assert wireguard.keep_key("fleet0", "absent", False) == {"changed": True, "public_key": ""}
    assert sorted(each.name for each in host.keys.iterdir()) == ["fleet-1.key", "fleet0.2.key", "fleet0.2@edge2.psk"]
    assert wireguard.keep_key("fleet0", "absent", False) == {"changed": False, "public_key": ""}


def test_public_keys(host: FakeHost) -> None:
    made = wireguard.keep_key("fleet.1", "present", False)["public_key"]
    assert wireguard.public_keys() == {
        "fleet-1": public(secret(host, "fleet-1.key")),
        "fleet.1": made,
        "fleet0": public(secret(host)),
    }
    assert wireguard.public_key("none") == ""


def test_a_fingerprint_tells_keys_apart_and_nothing_else(host: FakeHost) -> None:
    assert wireguard.preshared("fleet0@edge2") == ""
    found = set()
    for seed in ("one", "other"):
        wireguard.keep_preshared("fleet0@edge2", drawn(seed))
        found.add(wireguard.preshared("fleet0@edge2"))
    assert len(found) == 2 and all(re.fullmatch("[0-9a-f]{16}", each) for each in found)
    assert leaks(host, *found) == []


GARBLED = [
    ("cut off", drawn("secret")[:20]),
    ("two of them", f"{drawn('secret')}\n{drawn('secret')}\n"),
    ("other words", "PrivateKey = hunter2hunter2"),
    ("no ASCII", "schlüssel"),
    ("nothing", ""),
]


@pytest.mark.parametrize("content", [each[1] for each in GARBLED], ids=[each[0] for each in GARBLED])
@pytest.mark.parametrize("name", ["fleet0.key", "fleet0@edge2.psk"])
def test_a_garbled_key_is_refused_and_not_shown(host: FakeHost, content: str, name: str) -> None:
    (host.keys / name).write_text(content, encoding="utf-8")
    with pytest.raises(HostError) as refusal:
        (wireguard.public_key if name.endswith(".key") else wireguard.preshared)(name.rpartition(".")[0])
    said = str(refusal.value)
    assert said.startswith(f"{host.keys / name} is not what the collection wrote")
    for word in content.split():
        assert word not in said
    causes = [refusal.value.__cause__, refusal.value.__context__ if not refusal.value.__suppress_context__ else None]
    assert causes == [None, None], "its complaint would show what is in it"


def test_a_key_that_is_bytes(host: FakeHost) -> None:
    (host.keys / "fleet0.key").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HostError, match="is not what the collection wrote"):
        wireguard.public_keys()


def test_who_is_not_root(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, **_options: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(HostError, match=r"fleet0\.key is root's; the task needs become: true"):
        wireguard.public_key("fleet0")
    assert host


def test_device(host: FakeHost) -> None:
    wireguard.create("fleet0")
    assert wireguard.device("fleet0") == wireguard.Device("", 0, {}, {})
    kernel = device(host)
    kernel.private, kernel.port = secret(host), 51820
    kernel.peers = {
        drawn("edge2"): Peer({"10.80.2.0/24", "10.80.12.0/24"}, "10.99.1.12:51820", 25, drawn("shared"), 1),
        drawn("edge3"): Peer(),
    }
    found = wireguard.device("fleet0")
    assert (found.public_key, found.listen_port) == (public(secret(host)), 51820)
    shared = found.peers[drawn("edge2")].preshared
    assert found.peers == {
        drawn("edge2"): LivePeer(("10.80.12.0/24", "10.80.2.0/24"), "10.99.1.12:51820", 25, shared),
        drawn("edge3"): LivePeer(()),
    }
    assert found.handshakes.keys() == {drawn("edge2")} and found.handshakes[drawn("edge2")] > 1_000_000_000
    assert drawn("shared") not in json.dumps(repr(found)) and leaks(host, repr(found)) == []


def test_a_handshake_of_the_future_is_now(host: FakeHost) -> None:
    wireguard.create("fleet0")
    device(host).peers = {drawn("edge2"): Peer(handshake=1 << 40)}
    assert wireguard.device("fleet0").handshakes == {drawn("edge2"): 0}


def test_the_kernels_own_is_taken(host: FakeHost) -> None:
    wireguard.create("fleet0")
    assert device(host).kind == "wireguard" and not ways(host).units
    wireguard.remove("fleet0")
    assert not ways(host).devices


def test_without_it_a_service_runs(host: FakeHost) -> None:
    ways(host).in_kernel = False
    wireguard.create("fleet0")
    assert device(host).kind == "tun"
    (words,) = ways(host).words("systemd-run")
    assert words[-3:] == ["wireguard-go", "-f", "fleet0"] and "--property=Restart=always" in words
    assert list(ways(host).units) == ["breakwater-fleet0.service"]
    wireguard.remove("fleet0")
    assert not ways(host).units and not ways(host).devices


def test_another_refusal_is_no_reason_for_a_service(host: FakeHost) -> None:
    wireguard.create("fleet0")
    with pytest.raises(HostError, match="File exists"):
        wireguard.create("fleet0")
    assert device(host).kind == "wireguard" and not ways(host).units


def test_with_neither(host: FakeHost) -> None:
    ways(host).in_kernel, ways(host).tools = False, set()
    with pytest.raises(HostError, match=r"the kernel has no WireGuard \(.*Unknown device type.*install one"):
        wireguard.create("fleet0")


def test_a_service_that_makes_no_interface(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    ways(host).in_kernel = False
    monkeypatch.setattr(wireguard, "_PATIENCE", 0.1)
    start = ways(host).start
    monkeypatch.setattr(ways(host), "start", lambda words: (start(words), ways(host).devices.clear()))
    with pytest.raises(
        HostError, match=r"made no interface 'fleet0' within 0\.1 s; see journalctl -u breakwater-fleet0"
    ):
        wireguard.create("fleet0")
    assert not ways(host).units, "nobody is left to make it later"


def test_a_host_without_systemd_removes_the_kernels(host: FakeHost) -> None:
    wireguard.create("fleet0")
    ways(host).tools = set()
    wireguard.remove("fleet0")
    assert not ways(host).devices

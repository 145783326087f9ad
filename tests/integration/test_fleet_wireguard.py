# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of three hosts, each with another engine, reach each other; judged by ping, streams and the kernel.

One story on one fleet: each test goes on from the keys and the peers that those before it leave.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import playbook
import pytest
from joined import (
    FETCH,
    NETS,
    POLICY,
    RING,
    Joined,
    address6,
    all_reach_all,
    connects,
    inventory,
    no_stranger_passes,
    start,
    under_load,
)
from lab_host import LAB, LabHost, fleet
from playbook import FLEET

LOOK = """
journalctl --no-pager -o cat
find /etc /run /tmp /var /home /root -xdev -type f -perm /044 -size -2000k -print0 | xargs -0 cat 2>/dev/null |
    tr -cd '\\11\\12\\40-\\176'
"""


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    hosts = {each.name: each for each in fleet()}
    for each in hosts.values():
        each.wipe()
        each.play("keeper", state="absent")
        each.install()
    path = inventory(tmp_path_factory.mktemp("fleet") / "fleet.json")
    play = partial(playbook.play, str(path), "wireguard", keeper=True)
    foreseen, first = play("--check", "--diff"), play()
    for each in hosts.values():
        start(each)
        each.docker("network", "create", "--ipv6", "--subnet=10.81.0.0/24", "--subnet=fd81::/64", "beside")
        each.start("stranger", "--network", "beside", "--restart=always")
    yield Joined(hosts, path, foreseen, first)
    for each in hosts.values():
        each.wipe()
        each.play("keeper", state="absent")


def test_a_second_run_changes_nothing(joined: Joined) -> None:
    assert all(joined.first.changed.values()) and all(joined.foreseen.changed.values())
    assert not any(joined.play().changed.values())
    assert not any(joined.play("--check", "--diff").changed.values())


def test_containers_reach_each_other(joined: Joined) -> None:
    all_reach_all(joined, 1400)
    all_reach_all(joined, 1420)  # what the tunnel takes
    for one, other in permutations(NETS, 2):
        answer = json.loads(joined.hosts[one].inside("app", "python3", "-c", FETCH.format(f"{NETS[other]}.10")))
        assert answer["client"] == f"{NETS[one]}.10"
        assert 0 <= joined.seen(one)["handshakes"]["fleet1"][other] < 275


def test_nobody_else_uses_the_tunnel(joined: Joined) -> None:
    no_stranger_passes(joined)
    for one, other in RING:
        host = joined.hosts[one]
        assert not connects(host, "app", f"{NETS[other]}.1", 22), f"{other}'s own service is reached from {one}"
        assert connects(host, "app", f"{NETS[other]}.10", 8080)
        # What the policy does not allow from a remote host: the port is open there.
        joined.hosts[other].docker("exec", "-d", "app", "echo-service", "--tcp", "9444")
        assert not connects(host, "app", f"{NETS[other]}.10", 9444)


def test_the_proof_goes_from_host_to_host(joined: Joined, tmp_path: Path) -> None:
    """The role verify: packets pass where both ends let them, and it notices where they do not."""

    def crossed() -> dict[str, dict[tuple[str, str, int], tuple[str, str]]]:
        hosts = json.loads((tmp_path / "report.json").read_text())["hosts"]
        return {
            name: {
                (cell["target"], cell["what"], cell["version"]): (cell["expect"], cell["outcome"])
                for cell in each["cells"]
                if cell["origin"] == "across"
            }
            for name, each in hosts.items()
        }

    told = json.dumps({"breakwater_verify_report": str(tmp_path)})
    verify = partial(playbook.play, str(joined.inventory), "verify", "--extra-vars", told, keeper=True)
    verify()
    let_in = {"tcp/8080": "pass", "tcp/9000": "pass", "icmp": "pass", "tcp/7": "drop"}
    assert crossed() == {
        name: {
            (f"{other}/app", what, version): (expect, expect)
            for other in NETS
            if other != name
            for what, expect in let_in.items()
            for version in (4, 6)
        }
        for name in NETS
    }
    sabotage = "add table inet sabotage; add chain inet sabotage forward { type filter hook forward priority -300; }"
    closed = f"add rule inet sabotage forward ip saddr {NETS['forky']}.10 tcp dport 8080 drop"
    joined.hosts["bookworm"].run("nft", f"{sabotage}; {closed}")
    try:
        with pytest.raises(AssertionError, match="app to bookworm/app, tcp/8080 was dropped, expected pass"):
            verify()
    finally:
        joined.hosts["bookworm"].run("nft", "delete table inet sabotage")
    wrong = {(name, *cell) for name, cells in crossed().items() for cell, (one, other) in cells.items() if one != other}
    assert wrong == {("forky", "bookworm/app", "tcp/8080", 4)}


def test_names_of_other_hosts(joined: Joined) -> None:
    for one, other in permutations(NETS, 2):
        found = joined.hosts[one].docker("exec", "app", "getent", "hosts", f"app-{other}")
        assert found.split()[0] == f"{NETS[other]}.10"


# wg-quick as it is; the kernel of the lab has no WireGuard, and bookworm's wireguard-go does not live as a daemon.
LAPTOP = """
cat > /run/laptop.conf
cat > /run/serve <<'END'
#!/bin/sh
systemd-run -q --unit=laptop wireguard-go -f "$1"
until wg show "$1"; do sleep 0.1; done
END
chmod +x /run/serve
WG_QUICK_USERSPACE_IMPLEMENTATION=/run/serve wg-quick up /run/laptop.conf
"""


def test_a_peer_that_nobody_manages(joined: Joined, tmp_path: Path) -> None:
    """With its private key in what is written for it, it is in the fleet, and let in where the policy says so."""
    laptop = LabHost("outside", f"breakwater-{FLEET}-outside", (0, 0))
    private = laptop.run("wg", "genkey").strip()
    peer = {"name": "laptop", "subnets": ["10.80.9.7/32"]}
    peer["public_key"] = laptop.run("wg", "pubkey", given=private).strip()
    let_in = {"from": {"remote": "laptop"}, "to": {"network": "fleet"}, "ports": ["8080/tcp", "icmp"]}
    policy = {**POLICY, "allow": [*POLICY["allow"], let_in]}
    joined.play(peers=[peer], policy=policy, configurations=str(tmp_path))
    written = (tmp_path / "laptop.conf").read_text()
    laptop.run("bash", "-c", LAPTOP, given=re.sub("# PrivateKey = .*", f"PrivateKey = {private}", written))
    try:
        for name, net in NETS.items():
            assert "1 received" in laptop.run("ping", "-n", "-c1", "-W2", f"{net}.10", check=False), name
            answer = json.loads(laptop.run("python3", "-c", FETCH.format(f"{net}.10")))
            assert answer["client"] == "10.80.9.7", name
            closed = f"import socket; print(socket.socket().connect_ex(('{net}.10', 9000)))"
            assert laptop.run("timeout", "1", "python3", "-c", closed, check=False) == "", name
    finally:
        laptop.run("sh", "-c", "wg-quick down /run/laptop.conf; systemctl stop laptop; rm /run/laptop.conf /run/serve")
    joined.play(absent=["laptop"])
    assert peer["public_key"] not in joined.hosts["forky"].run("wg", "show", "fleet1", "peers")


def test_new_keys_are_taken_into_use_without_a_gap(
    joined: Joined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shared ones, too, and under the eyes of all that is written down: no key is anywhere but in its file."""
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "ansible.builtin.jsonfile")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(tmp_path / "facts"))
    monkeypatch.setenv("ANSIBLE_LOG_PATH", str(tmp_path / "log"))
    before = {name: joined.seen(name)["public_keys"] for name in NETS}
    former = {name: private_keys(host) for name, host in joined.hosts.items()}
    with under_load(joined, ("forky", "trixie"), ("trixie", "bookworm")) as lost:
        said = joined.verbose("-vvvv", "--diff", generation=2, preshared=True)
    assert max(lost.values()) <= 1
    written, ends = said + "".join(each.read_text() for each in tmp_path.rglob("*") if each.is_file()), []
    for name, host in joined.hosts.items():
        public = joined.seen(name)["public_keys"]
        assert not set(public.values()) & set(before[name].values()) and public["fleet-2"] in written
        keys = private_keys(host)
        shared = {f"fleet-2@{other}.psk" for other in NETS if other != name}
        assert keys.keys() == {"fleet-2.key", *shared} and former[name].keys() == {"fleet-1.key"}
        ends += host.run("wg", "show", "fleet0", "preshared-keys").split()[1::2]
        assert {keys[each] for each in shared} <= set(ends)
        everywhere = written + host.run("sh", "-c", LOOK, check=False)
        for secret in (*keys.values(), *former[name].values()):
            assert secret not in everywhere, f"a key of {name} was written down"
    assert len(set(ends)) == len(NETS) * (len(NETS) - 1) / 2 and all(ends.count(each) == 2 for each in ends)
    assert not any(joined.play(generation=2, preshared=True).changed.values())


def private_keys(host: LabHost) -> dict[str, str]:
    """The private keys of a host by the name of their file, which root alone can read."""
    folder = "/etc/breakwater/wireguard"
    assert set(host.run("sh", "-c", f"stat -c '%a %U' /etc/breakwater {folder} {folder}/*").splitlines()) == {
        "700 root",
        "600 root",
    }
    return {name: host.run("cat", f"{folder}/{name}").strip() for name in host.run("ls", folder).split()}


def test_one_host_alone_or_unreachable(joined: Joined) -> None:
    def allowed() -> dict[str, list[str]]:
        return {
            name: sorted(each.run("wg", "show", "fleet0", "allowed-ips").splitlines())
            for name, each in joined.hosts.items()
        }

    peers = allowed()
    assert not any(joined.play("--limit", "trixie", generation=2).changed.values())
    nowhere = inventory(joined.inventory.with_name("nowhere.json"), bookworm={"ansible_host": "10.99.1.250"})
    with pytest.raises(AssertionError, match="unreachable"):
        replace(joined, inventory=nowhere).play(generation=2)
    assert peers == allowed()
    all_reach_all(joined)


def test_a_host_goes_comes_and_moves(joined: Joined) -> None:
    """The other two notice nothing."""
    bookworm = joined.hosts["bookworm"]
    six = address6(bookworm)
    with under_load(joined, ("forky", "trixie")) as lost:
        bookworm.docker("rm", "-f", "app")
        joined.play(generation=2, absent=["bookworm"])
        assert "10.80.1.0/24" not in joined.hosts["forky"].run("wg", "show", "fleet0", "allowed-ips")
        assert not bookworm.run(
            "sh", "-c", "wg show; nft list tables | grep BWX; ls /etc/breakwater/wireguard", check=False
        )
        joined.play(generation=2)
        start(bookworm)
        all_reach_all(joined)
        moved = inventory(joined.inventory.with_name("moved.json"), bookworm={"breakwater_wireguard_endpoint": six})
        replace(joined, inventory=moved).play(generation=2)
        assert f"[{six}]" in joined.hosts["forky"].run("wg", "show", "fleet0", "endpoints")
        all_reach_all(joined)
    # None was seen to be lost; a machine that is busy beyond measure may drop one of a thousand by itself.
    assert lost["forky", "trixie"] <= 0.1


@pytest.mark.parametrize(
    ("layout", "of"),
    [
        ("hub", {"trixie": {"hub": True}}),
        (
            "sites",
            {"trixie": {"site": "east", "leader": True}, "forky": {"site": "east"}, "bookworm": {"site": "west"}},
        ),
    ],
    ids=["hub", "sites"],
)
def test_by_way_of_another_host(joined: Joined, layout: str, of: dict[str, dict[str, Any]]) -> None:
    """Spokes through their hub, and a site through the leader of the other."""
    variables = {name: {f"breakwater_wireguard_{key}": one for key, one in each.items()} for name, each in of.items()}
    there = inventory(joined.inventory.with_name(f"{layout}.json"), **variables)
    replace(joined, inventory=there).play(generation=2, layout=layout)
    assert len(joined.hosts["forky"].run("wg", "show", "fleet0", "peers").split()) == 1
    all_reach_all(joined, 1420)
    no_stranger_passes(joined)


def test_reboots(joined: Joined) -> None:
    for each in ("forky", "bookworm"):
        subprocess.run([sys.executable, str(LAB), "reboot", "--fleet", FLEET, each], check=True)
    until = time.monotonic() + 60
    while True:
        with suppress(AssertionError):
            all_reach_all(joined)
            break
        assert time.monotonic() < until, "no traffic within a minute"
    no_stranger_passes(joined)
    for each in ("forky", "bookworm"):
        order = joined.hosts[each].run("journalctl", "-b", "-o", "cat", "-u", "breakwater-restore", "-u", "docker")
        assert order.index("create tunnel fleet0") < order.index("Starting docker.service")


def test_who_cuts_the_controller_off_is_taken_back(joined: Joined) -> None:
    """The controller comes from beyond the default route, and a peer is given just that, as an office's VPN would."""
    trixie, controller = joined.hosts["trixie"], "192.0.2.77"
    lan = json.loads(trixie.run("ip", "-j", "route", "show", "default"))[0]
    router = re.sub(r"[0-9]+$", "1", lan["gateway"])
    ours = next(each for each in json.loads(_here("ip", "-j", "address")) if router in json.dumps(each["addr_info"]))
    bound = f"-o BindAddress={controller} -o ControlPath=none"  # no connection of before, and none for later
    key = joined.seen("forky")["public_keys"]["fleet-2"]
    peer = {"name": "office", "public_key": key, "endpoint": "192.0.2.1:51820", "subnets": [f"{controller}/32"]}
    tunnel = {"name": "cut0", "key": "fleet-2", "listen_port": 51900, "subnets": ["10.80.2.0/24"], "peers": [peer]}
    _here("ip", "address", "add", f"{controller}/32", "dev", ours["ifname"])
    trixie.run("ip", "route", "replace", "default", "via", router)
    try:
        told = {"name": "cut", "confirm_within": 15, "tunnels": [tunnel]}
        with pytest.raises(AssertionError, match="takes the change back by itself"):
            trixie.play("topology", f"--ssh-extra-args={bound}", **told)
        until, journal = time.monotonic() + 20, ("journalctl", "-o", "cat", "-u", "breakwater-rollback-cut")
        while "was taken back: remove tunnel cut0" not in trixie.run(*journal):
            assert time.monotonic() < until, trixie.run(*journal)
            time.sleep(0.5)
        assert "cut0" not in trixie.run("ip", "route", "get", controller)
        assert not trixie.play("topology", f"--ssh-extra-args={bound}", name="cut", state="absent")
    finally:
        trixie.run("ip", "route", "replace", "default", "via", lan["gateway"])
        _here("ip", "address", "delete", f"{controller}/32", "dev", ours["ifname"])


def _here(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("backend", "by"), [("vxlan", 4), ("vxlan", 6), ("direct", 6)])
def test_other_backends(joined: Joined, backend: str, by: int) -> None:
    """Containers' packets of either family, by either between the hosts."""
    six = {name: {"breakwater_wireguard_endpoint": address6(each)} for name, each in joined.hosts.items()}
    lan = replace(joined, inventory=inventory(joined.inventory.with_name("lan.json"), **(six if by == 6 else {})))
    lan.play(backend=backend)
    assert not any(lan.play("--check", backend=backend).changed.values())
    all_reach_all(joined, 1400)
    no_stranger_passes(joined)
    for one, other in RING:
        assert connects(joined.hosts[one], "app", f"{NETS[other]}.10", 8080)
        assert not connects(joined.hosts[one], "app", f"{NETS[other]}.10", 9444)
    assert "key" not in joined.hosts["trixie"].run("sh", "-c", "wg show; ls /etc/breakwater/wireguard")

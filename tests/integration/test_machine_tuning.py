# SPDX-License-Identifier: GPL-3.0-or-later
"""The role tuning under Debian's own kernel, host-wide keys and a true reboot included: judged by sysctl."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from lab_host import IMAGE, Machine

PROFILES = ["throughput", "latency", "many_connections", "gateway"]
# What the admin has set before us, higher and wider than any profile asks for.
ADMIN = {"net.core.rmem_max": "100000000", "net.ipv4.ip_local_port_range": "2048 65001"}
ADMINS_FILE = "/etc/sysctl.d/50-admin.conf"
# All the profiles together, on a machine of 2 GB.
TUNED = {
    **ADMIN,
    "net.core.busy_poll": "50",
    "net.core.busy_read": "50",
    "net.core.netdev_budget": "600",
    "net.core.netdev_max_backlog": "16384",
    "net.core.rmem_default": "262144",
    "net.core.somaxconn": "16384",
    "net.core.wmem_default": "262144",
    "net.core.wmem_max": "8388608",
    "net.ipv4.ip_forward": "1",
    "net.ipv4.ip_local_port_range": "2048 65535",
    "net.ipv4.neigh.default.gc_thresh1": "4096",
    "net.ipv4.neigh.default.gc_thresh2": "8192",
    "net.ipv4.neigh.default.gc_thresh3": "16384",
    "net.ipv4.tcp_fastopen": "3",
    "net.ipv4.tcp_max_syn_backlog": "16384",
    "net.ipv4.tcp_max_tw_buckets": "65536",
    "net.ipv4.tcp_mtu_probing": "1",
    "net.ipv4.tcp_rmem": "4096 131072 8388608",
    "net.ipv4.tcp_slow_start_after_idle": "0",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.ipv4.tcp_wmem": "4096 65536 8388608",
    "net.ipv6.neigh.default.gc_thresh1": "4096",
    "net.ipv6.neigh.default.gc_thresh2": "8192",
    "net.ipv6.neigh.default.gc_thresh3": "16384",
    "net.netfilter.nf_conntrack_buckets": "262144",
    "net.netfilter.nf_conntrack_max": "262144",
}
# What comes down with a smaller profile, for it was ours, and what does because it is asked for.
LOWERED = {
    "net.core.rmem_max": "8388608",
    "net.ipv4.ip_local_port_range": "10240 65535",
    "net.netfilter.nf_conntrack_buckets": "131072",
    "net.netfilter.nf_conntrack_max": "131072",
    **{f"net.{version}.neigh.default.gc_thresh{n}": str(512 << n) for version in ("ipv4", "ipv6") for n in (1, 2, 3)},
}
FILES = "/etc/sysctl.d/60-breakwater.conf /etc/modules-load.d/breakwater-sysctl.conf /var/lib/breakwater/sysctl/*"

Tune = Callable[..., int]


@pytest.fixture
def tune(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tune]:
    """Run the role with some variables and options; how many tasks have changed something. It ends without a trace."""
    untouched = live(machine)
    machine.run("sh", "-c", f"cat > {ADMINS_FILE}; sysctl -qp {ADMINS_FILE}", given=lines(ADMIN))
    # Facts are gathered by the first run alone: the machine is slow.
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "ansible.builtin.jsonfile")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(tmp_path))
    yield partial(machine.play, "tuning")
    machine.play("tuning", state="absent")
    assert live(machine) == {**untouched, **ADMIN}
    assert machine.run("sh", "-c", f"ls {FILES} || true") == ""
    machine.run("sh", "-c", f"rm {ADMINS_FILE}; sysctl -qp -", given=lines({key: untouched[key] for key in ADMIN}))


def live(machine: Machine, *before: str) -> dict[str, str]:
    """What the kernel has for every key of the profiles; ``before`` comes before the command."""
    told = machine.run(*before, "sysctl", "--ignore", *TUNED).splitlines()
    pairs = (line.partition(" = ") for line in told)
    return {key: " ".join(value.split()) for key, _equals, value in pairs}


def lines(values: dict[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def test_all_profiles_together(machine: Machine, tune: Tune) -> None:
    """They hold at once and after a reboot, and reach a container as far as the page says; what was higher stays."""
    assert tune(profiles=PROFILES) == 1
    assert live(machine) == TUNED

    machine.reboot()
    assert live(machine) == TUNED
    assert tune("--check", profiles=PROFILES) == 0
    inside = in_a_container(machine)
    assert {key for key, value in inside.items() if value == TUNED[key]} >= {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
    assert inside["net.core.somaxconn"] == "4096"
    assert inside["net.ipv4.tcp_tw_reuse"] == "2"

    assert tune(profiles=["throughput", "many_connections"], lower=True) == 1
    assert live(machine) == {**TUNED, **LOWERED}


def in_a_container(machine: Machine) -> dict[str, str]:
    """What a container has that is started now."""
    machine.docker("run", "-d", "--name", "tuned", IMAGE)
    try:
        pid = machine.docker("inspect", "-f", "{{.State.Pid}}", "tuned")
        return live(machine, "nsenter", f"--net=/proc/{pid}/ns/net")
    finally:
        machine.docker("rm", "-f", "tuned")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters of the whole machine, under Debian's own kernel; test_machine_tuning.py boots it anew with such."""

from __future__ import annotations

from lab_host import Machine
from resident import resident
from test_sysctl import DROP_IN, KEPT, at_boot, values

RMEM, CONNTRACK = "net.core.rmem_max", "net.netfilter.nf_conntrack_max"
MODULES = "/etc/modules-load.d/breakwater-sysctl.conf"
WANTED = {RMEM: "16777216", CONNTRACK: "123456"}


def test_live_and_as_systemd_sets_them_at_boot(machine: Machine) -> None:
    lab = resident(machine)
    lab.run("sh", "-c", f"rm -f {DROP_IN} {MODULES}")
    found = values(lab, *WANTED)

    def seen() -> object:
        return values(lab, *WANTED), at_boot(lab), lab.run("sh", "-c", f"cat {MODULES}; true").split()[-1:]

    lab.cycle("sysctl", seen, values=WANTED)
    assert seen() == (list(WANTED.values()), WANTED, ["nf_conntrack"])

    # A container sees them, and they are not its own.
    lab.start("web")
    for key in WANTED:
        failure = lab.refusal("sysctl", container="web", values={key: 1})
        assert "is not namespaced" in str(failure) and failure.result["field"] == f"values.{key}"
    lab.docker("rm", "-f", "web")
    # What systemd does when the machine boots, and nothing of the collection with it.
    lab.run("sysctl", "-qw", *(f"{key}={value}" for key, value in zip(WANTED, found, strict=True)))
    lab.run("systemctl", "restart", "systemd-modules-load", "systemd-sysctl")
    assert values(lab, *WANTED) == list(WANTED.values())
    assert not lab.module("sysctl", values=WANTED)["changed"]
    lab.cycle("sysctl", lambda: (values(lab, *WANTED), at_boot(lab)), values=WANTED, state="absent")
    assert values(lab, *WANTED) == found and at_boot(lab) == {}
    assert lab.run("sh", "-c", f"ls {DROP_IN} {MODULES} {KEPT}/*; true") == ""

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes a bridge, and by which part of the kernel the packet filter sees it.

With nf_conntrack_bridge the family bridge tells flows and replies apart, and a table of it is all that is needed. A
kernel without has br_netfilter, a switch for the whole host.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .._model.errors import HostError
from .._model.world import BridgeFilter
from . import files, sysctl
from .command import run

_KEYS = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
_MODULES = Path("/etc/modules-load.d/breakwater.conf")
_SYSCTLS = Path("/etc/sysctl.d/60-breakwater-bridge.conf")
_FORMER = "# Before, {} was {}."
_TRIAL = "table bridge breakwater-trial { chain forward { ct direction original accept; }; }\n"


def observed() -> BridgeFilter:
    """How it is; the kernel is asked about nf_conntrack_bridge when somebody wants to know."""
    return BridgeFilter(versions(), _former(), cache(has_conntrack))


def versions() -> frozenset[int]:
    """The IP versions of which br_netfilter shows the packet filter what passes a bridge."""
    return frozenset(version for version, key in _KEYS.items() if sysctl.read(key) == "1")


def has_conntrack() -> bool:
    """Whether the kernel has nf_conntrack_bridge; it loads the module, if it is one, and nothing else changes."""
    try:
        run(["nft", "-c", "-f", "-"], _TRIAL)
    except HostError:
        return False
    return True


def enable() -> None:
    """Have br_netfilter show both, now and after a reboot; HostError where the kernel cannot."""
    former = _former()
    if former is None:
        former = versions()
    if any(sysctl.read(key) is None for key in _KEYS.values()):
        run(["modprobe", "br_netfilter"])
    lines = [f"{key} = 1\n{_FORMER.format(key, int(version in former))}\n" for version, key in _KEYS.items()]
    files.write_text(_SYSCTLS, "".join(lines))
    files.write_text(_MODULES, "br_netfilter\n")
    for key in _KEYS.values():
        sysctl.write(key, "1")


def restore() -> None:
    """Have br_netfilter show what it did before ``enable``. The module stays: nobody knows who needs it meanwhile."""
    former = _former() or frozenset()
    for version, key in _KEYS.items():
        if sysctl.read(key) is not None:
            sysctl.write(key, str(int(version in former)))
    files.remove(_MODULES)
    files.remove(_SYSCTLS)


def _former() -> frozenset[int] | None:
    """The IP versions that it showed before ``enable``, which has written them down; None without."""
    try:
        text = _SYSCTLS.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    return frozenset(version for version, key in _KEYS.items() if _FORMER.format(key, 1) in text)

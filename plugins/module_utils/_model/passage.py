# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to a gateway container, where the engine would drop its frames on the bridge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """What enters by the bridge of ``network`` may be for an address of ``subnet``, which is elsewhere.

    Engines from 28.2 on drop, in raw PREROUTING, what is for a container's address and does not enter by its
    own bridge (moby#49829). With bridge-nf-call-iptables on, that hits the frames that one container sends to
    another one, the gateway, on the same bridge. The host itself still forwards none of it.
    """

    network: str
    subnet: str

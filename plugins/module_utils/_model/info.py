# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the info modules are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NETWORK_SPEC: dict[str, dict[str, Any]] = {"name": {"type": "str"}}

TOPOLOGY_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "default": "host"},
    "containers": {"type": "list", "elements": "str"},
}

TUNNELS_SPEC: dict[str, dict[str, Any]] = {"name": {"type": "str", "default": "fleet"}}


@dataclass(frozen=True)
class Networks:
    """One network by name or ID, or all of them."""

    name: str | None = None

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Networks:
        return cls(args["name"])


@dataclass(frozen=True)
class Everything:
    """A host, or only some of its ``containers`` and the networks that they are on, under a topology's ``name``."""

    name: str = "host"
    containers: tuple[str, ...] | None = None

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Everything:
        containers = args["containers"]
        return cls(args["name"], None if containers is None else tuple(containers))

    @classmethod
    def named(cls, args: Mapping[str, Any]) -> Everything:
        return cls(args["name"])

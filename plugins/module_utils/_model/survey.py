# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey of a host is asked for: where the outside is, who is on other hosts, and how many cells it may tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import address
from .errors import DeclarationError

REMOTE_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
}
SPEC: dict[str, dict[str, Any]] = {
    "world": {"type": "str"},
    "world_ports": {"type": "list", "elements": "str", "default": []},
    "address": {"type": "str"},
    "cells": {"type": "int", "default": 20000},
    "remote": {"type": "list", "elements": "dict", "options": REMOTE_SPEC, "default": []},
    "remote_ports": {"type": "list", "elements": "int", "default": []},
}


@dataclass(frozen=True)
class Remote:
    """A container of another host, by one of its addresses."""

    name: str
    address: str


@dataclass(frozen=True)
class Survey:
    """``world`` is an address outside, which answers on ``world_ports``, as (protocol, port), and to icmp.

    ``address`` is the host's own, by which who is outside comes to it; ``cells`` is the most that are expected of one
    host. ``remote`` are containers of other hosts, and ``remote_ports`` the ports of TCP on which they are asked, and
    ask.
    """

    world: str | None = None
    world_ports: tuple[tuple[str, int], ...] = ()
    address: str | None = None
    cells: int = 20000
    remote: tuple[Remote, ...] = ()
    remote_ports: tuple[int, ...] = ()

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Survey:
        """The survey that ``args``, which SPEC has accepted, ask for."""
        world, own = (address.address(args[key], key) if args[key] else None for key in ("world", "address"))
        if args["world_ports"] and not world:
            raise DeclarationError("world_ports", "says where the address world answers; give world, too")
        if not 1 <= args["cells"] <= 1_000_000:
            raise DeclarationError("cells", f"expected a number from 1 to 1000000, found {args['cells']}")
        ports = tuple(_port(each, f"world_ports[{n}]") for n, each in enumerate(args["world_ports"]))
        for n, each in enumerate(args["remote_ports"]):
            if not 1 <= each <= 65535:
                raise DeclarationError(f"remote_ports[{n}]", f"expected a port from 1 to 65535, found {each}")
        remote = tuple(
            Remote(each["name"], address.address(each["address"], f"remote[{n}].address"))
            for n, each in enumerate(args["remote"])
        )
        return cls(world, tuple(dict.fromkeys(ports)), own, args["cells"], remote, tuple(args["remote_ports"]))


def _port(text: str, path: str) -> tuple[str, int]:
    number, _slash, protocol = text.strip().lower().partition("/")
    if not number.isdecimal() or not 1 <= int(number) <= 65535 or protocol not in ("", "tcp", "udp"):
        raise DeclarationError(path, f"expected a port as in 443 or 53/udp, found {text!r}")
    return protocol or "tcp", int(number)

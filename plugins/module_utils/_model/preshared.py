# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that a host shares with its peers: of each two, the one whose name sorts first gives it to the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import DeclarationError
from .name import check_name
from .spec import under
from .tunnel import check_peer_name, check_public_key

PEER_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "public_key": {"type": "str", "required": True},
    "sealed": {"type": "str"},
}
SPEC: dict[str, dict[str, Any]] = {
    "key": {"type": "str", "required": True, "no_log": False},
    "host": {"type": "str", "required": True},
    "peers": {"type": "list", "elements": "dict", "options": PEER_SPEC, "required": True},
}


@dataclass(frozen=True)
class Partner:
    """Another host, with what it has ``sealed`` for this one: None where nothing came, empty where it is to come."""

    name: str
    public_key: str
    sealed: str | None
    path: str


@dataclass(frozen=True)
class Partners:
    """All with whom ``host`` shares a key by its private key ``key``, whose name is the same on all of them."""

    key: str
    host: str
    peers: tuple[Partner, ...]

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Partners:
        """What ``args``, which SPEC has accepted, declare; DeclarationError names the field."""
        host = check_peer_name(args["host"], "host")
        owners = {host: "this host"}
        peers = []
        for n, each in enumerate(args["peers"]):
            path = f"peers[{n}]"
            name = check_peer_name(each["name"], under(path, "name"))
            if name in owners:
                raise DeclarationError(under(path, "name"), f"'{name}' is {owners[name]} already")
            owners[name] = path
            public_key = check_public_key(each["public_key"], under(path, "public_key"))
            peers.append(Partner(name, public_key, each["sealed"], path))
        return cls(check_name(args["key"], "key", "key"), host, tuple(peers))

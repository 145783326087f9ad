# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a fleet, of whom what is known, and with which keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

from . import key
from .members import Member, memories
from .settings import Settings


class Known:
    """What is known of whom: ``members`` by their variables and facts, the others by settings or by memory.

    ``remembered`` is what tunnels hold of those of whom too little is known otherwise; of them ``strangers`` are in
    neither the inventory nor the settings. ``keys`` are public keys by owner and by the name of the key.
    """

    def __init__(self, hostvars: Mapping[str, Any], group: Iterable[str], settings: Settings) -> None:
        self.settings = settings
        self.members: dict[str, Member] = {}
        self.absent: list[str] = []
        for name in sorted(set(group)):
            variables = hostvars[name] if name not in settings.absent and name in hostvars else {}
            member = None if name in settings.absent else Member.read(name, variables, settings)
            if member:
                self.members[name] = member
            else:
                self.absent.append(name)
        self.outside = {each.name: each for each in settings.peers}
        for name, peer in self.outside.items():
            if name in self.members:
                raise DeclarationError(f"{peer.path}.name", f"'{name}' is a host of the fleet already")
        self.remembered = memories(self.members.values(), self._told())
        self.strangers = {name: each for name, each in self.remembered.items() if name not in self.members}
        self.keys = self._keys()

    def is_usable(self, name: str) -> bool:
        """Whether others can have it for a peer."""
        return not self.settings.is_wireguard or bool(self.keys[name])

    def _told(self) -> frozenset[str]:
        """Those of whom nothing has to be remembered."""
        known = {
            name
            for name, each in self.members.items()
            if each.seen
            and each.network_subnets(self.settings.network)
            and (each.keys or not self.settings.is_wireguard)
        }
        return frozenset({*known, *self.outside, *self.absent, *self.settings.absent})

    def _keys(self) -> dict[str, dict[str, str]]:
        """Public keys by owner and by the name of the key; of members outside its own fact, of others all they have."""
        if not self.settings.is_wireguard:
            return {}
        wanted = {self.settings.key}
        for member in self.members.values():
            wanted |= {each["key"] for each in (member.seen.tunnels if member.seen else {}).values() if each.get("key")}
        found: dict[str, dict[str, str]] = {}
        for name in chain(self.members, self.strangers):
            own = self.members[name].keys if name in self.members else {}
            keys = {**(self.remembered[name].keys if name in self.remembered else {}), **own}
            found[name] = {each: keys[each] for each in sorted(keys) if each in wanted}
        for name, peer in self.outside.items():
            found[name] = dict.fromkeys(sorted(wanted), peer.public_key)
        key.check_once((each, name, self._path_of(name)) for name, keys in found.items() for each in keys.values())
        return found

    def _path_of(self, name: str) -> str:
        if name in self.outside:
            return f"{self.outside[name].path}.public_key"
        if name in self.members:
            return self.members[name].path
        return f"remembered by {', '.join(self.remembered[name].by[:3])}"

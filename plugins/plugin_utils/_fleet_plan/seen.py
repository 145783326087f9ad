# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host was seen to have: its fact, fresh or from a cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.address import observed_prefix
from ansible_collections.breakwater.docker.plugins.module_utils._model.engine import Version, parse
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError

_ALIVE = 275
"""Seconds after which a handshake says nothing more: a new one is due after 180, and is given 90 and a try of 5."""


@dataclass(frozen=True)
class Seen:
    """The fact of one host, as the module ``tunnel_info`` returns it; ``interfaces`` are the fleet's two."""

    fact: Mapping[str, Any]
    interfaces: tuple[str, str]

    @classmethod
    def read(cls, fact: Any, interfaces: tuple[str, str], path: str) -> Seen | None:
        """The fact of a host, None where there is none; as text, for a play is slow with many values in variables."""
        if fact is None:
            return None
        if isinstance(fact, str) and fact.startswith("{"):
            fact = json.loads(fact)
        if not isinstance(fact, Mapping):
            raise DeclarationError(path, f"expected what tunnel_info returns, found {fact!r}")
        return cls(fact, interfaces)

    def _listed(self, key: str) -> list[Any]:
        return list(self.fact.get(key) or ())

    @cached_property
    def engine(self) -> Version:
        """The engine's version; (0, 0) where it is not known."""
        return parse(str(self.fact["engine"])) if self.fact.get("engine") else (0, 0)

    @property
    def path_mtu(self) -> int | None:
        """The MTU of the way out, in bytes."""
        return self.fact.get("path_mtu")

    @property
    def public_keys(self) -> Mapping[str, str]:
        """The public keys that the host keeps, by the name of the key."""
        return self.fact.get("public_keys") or {}

    @property
    def preshared(self) -> Mapping[str, str]:
        """The fingerprints of the keys that the host shares with peers, by ``preshared_name``."""
        return self.fact.get("preshared") or {}

    @cached_property
    def networks(self) -> dict[str, Mapping[str, Any]]:
        """Docker's networks by name: subnets and driver options."""
        return {str(each["name"]): each for each in self._listed("networks")}

    def network_subnets(self, name: str) -> tuple[str, ...]:
        """The subnets of a network; none where there is no such network."""
        return tuple(observed_prefix(each) for each in self.networks.get(name, {}).get("subnets") or ())

    @property
    def prefixes(self) -> list[Mapping[str, str]]:
        """The host's own routes and addresses: subnet, interface and what it is."""
        return self._listed("prefixes")

    @property
    def pools(self) -> list[str]:
        """What Docker takes subnets from for networks that declare none."""
        return self._listed("pools")

    @cached_property
    def tunnels(self) -> dict[str, Mapping[str, Any]]:
        """The fleet's tunnels as they were declared last, by interface."""
        return {
            each["name"]: each
            for each in self._listed("tunnels")
            if each["name"] in self.interfaces and each.get("state", "present") == "present"
        }

    def peers(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Each tunnel with each of its peers."""
        for tunnel in self.tunnels.values():
            for peer in tunnel.get("peers") or ():
                yield tunnel, peer

    def peers_of(self, interface: str) -> dict[str, Mapping[str, Any]]:
        """The peers of one of the tunnels, by name."""
        return {each["name"]: each for each in self.tunnels.get(interface, {}).get("peers") or ()}

    def hears(self, interface: str, peer: str) -> bool:
        """Whether a peer has shaken hands on ``interface`` lately."""
        ago = ((self.fact.get("handshakes") or {}).get(interface) or {}).get(peer)
        return ago is not None and ago <= _ALIVE

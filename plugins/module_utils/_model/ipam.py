# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address pools of a network: one entry of ``ipam_config`` each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import address
from .errors import DeclarationError
from .spec import under

SPEC: dict[str, dict[str, Any]] = {
    "subnet": {"type": "str", "required": True},
    "iprange": {"type": "str"},
    "gateway": {"type": "str"},
    "aux_addresses": {"type": "dict"},
}


@dataclass(frozen=True)
class Pool:
    """One entry of ``ipam_config``, canonical. ``None`` as declared: left to the engine, or as it is."""

    subnet: str
    iprange: str | None = None
    gateway: str | None = None
    aux_addresses: Mapping[str, str] | None = None

    @property
    def version(self) -> int:
        return address.version_of(self.subnet)

    @property
    def reserved(self) -> dict[str, str]:
        """The addresses that no endpoint can have, and what each of them is for."""
        kept = {each: f"kept for {host!r} by the aux_addresses" for host, each in (self.aux_addresses or {}).items()}
        gateway = self.gateway or address.first(self.iprange or self.subnet, self.subnet)
        return {**address.edges(self.subnet), **kept, gateway: "the gateway"}

    def over(self, live: Pool | None) -> Pool:
        """This entry, completed by what the engine holds for the same subnet."""
        if live is None:
            return replace(self, aux_addresses=self.aux_addresses or {})
        return Pool(
            self.subnet,
            self.iprange if self.iprange is not None else live.iprange,
            self.gateway if self.gateway is not None else live.gateway,
            self.aux_addresses if self.aux_addresses is not None else live.aux_addresses,
        )


def read(args: Mapping[str, Any], path: str) -> Pool:
    """The pool that ``args``, which SPEC has accepted, declare."""
    subnet = address.prefix(args["subnet"], under(path, "subnet"))
    iprange = gateway = aux = None
    if args["iprange"]:
        iprange = address.prefix(args["iprange"], under(path, "iprange"))
        if not address.within(iprange, subnet):
            raise DeclarationError(under(path, "iprange"), f"{iprange} is not within the subnet {subnet}")
    if args["gateway"]:
        gateway = _member(args["gateway"], subnet, under(path, "gateway"))
    if args["aux_addresses"] is not None:
        aux = {
            str(host): _member(str(each), subnet, f"{under(path, 'aux_addresses')}.{host}")
            for host, each in args["aux_addresses"].items()
        }
        taken: dict[str, str] = {gateway: "the gateway"} if gateway else {}
        for host, each in aux.items():
            if each in taken:
                raise DeclarationError(f"{under(path, 'aux_addresses')}.{host}", f"{each} is {taken[each]} already")
            taken[each] = f"the address of {host!r}"
    return Pool(subnet, iprange, gateway, aux)


def _member(text: str, subnet: str, path: str) -> str:
    canonical = address.address(text, path)
    if not address.within(canonical, subnet):
        raise DeclarationError(path, f"{canonical} is not within the subnet {subnet}")
    return canonical

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network: as it is declared, and as an engine holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from . import address, driver_options, ipam
from .errors import DeclarationError
from .ipam import Pool
from .spec import texts, under

PREDEFINED = ("bridge", "host", "none", "default", "ingress")
OWNER = "breakwater.topology"
"""The label that says which topology made a network."""

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True, "aliases": ["network_name"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "driver": {"type": "str", "default": "bridge"},
    "driver_options": {"type": "dict", "default": {}},
    "ipam_driver": {"type": "str"},
    "ipam_driver_options": {"type": "dict"},
    "ipam_config": {"type": "list", "elements": "dict", "options": ipam.SPEC},
    "internal": {"type": "bool"},
    "attachable": {"type": "bool"},
    "ingress": {"type": "bool"},
    "enable_ipv4": {"type": "bool"},
    "enable_ipv6": {"type": "bool"},
    "scope": {"type": "str", "choices": ["local", "global", "swarm"]},
    "config_only": {"type": "bool"},
    "config_from": {"type": "str"},
    "labels": {"type": "dict", "default": {}},
    "connected": {"type": "list", "elements": "str", "aliases": ["containers"]},
    "appends": {"type": "bool", "default": False, "aliases": ["incremental"]},
    "recreate": {"type": "str", "choices": ["never", "if_needed", "always"], "default": "never"},
    "force": {"type": "bool", "default": False},
}

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_GIVEN_BY_ANOTHER = (
    "ipam_config",
    "config_only",
    "driver_options",
    "labels",
    "enable_ipv6",
    "ipam_driver",
    "ipam_driver_options",
)
"""What a network with ``config_from`` cannot say for itself."""
_UNMADE = {
    "host": "every engine has the one network 'host'; start the container with network_mode: host",
    "null": "every engine has the one network 'none'; start the container with network_mode: none",
    "none": "every engine has the one network 'none'; start the container with network_mode: none",
}


@dataclass(frozen=True)
class Definition:
    """All that makes a network what it is, every field known. Pools are in order of their subnets."""

    name: str
    driver: str = "bridge"
    driver_options: Mapping[str, str] = field(default_factory=dict)
    ipam_driver: str = "default"
    ipam_driver_options: Mapping[str, str] = field(default_factory=dict)
    ipam_config: tuple[Pool, ...] = ()
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    scope: str = "local"
    config_only: bool = False
    config_from: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def subnets(self) -> tuple[str, ...]:
        return tuple(pool.subnet for pool in self.ipam_config)

    def holds(self, one: str) -> bool:
        """Whether an endpoint can have the address ``one``, as far as the subnets are known."""
        homes = [pool for pool in self.ipam_config if address.within(one, pool.subnet)]
        return not self.ipam_config or any(one not in pool.reserved for pool in homes)

    @property
    def shares_parent(self) -> bool:
        """Whether its subnet is the LAN of a parent interface, which the host has a route to."""
        return self.driver in ("macvlan", "ipvlan")


@dataclass(frozen=True)
class LiveNetwork:
    """A network as the engine holds it. ``id`` is the full ID, or ``planned:<name>`` before it is made."""

    id: str
    definition: Definition

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def owner(self) -> str | None:
        """The topology that made it; one with ``config_from`` has the labels of the other network, and no owner."""
        return None if self.definition.config_from else self.definition.labels.get(OWNER)

    @property
    def bridge(self) -> str | None:
        """The host's interface for a bridge network; ``None`` for the other drivers."""
        if self.definition.driver != "bridge":
            return None
        return self.definition.driver_options.get("com.docker.network.bridge.name", f"br-{self.id[:12]}")


@dataclass(frozen=True)
class Network:
    """A network as declared. ``None`` is a field that is left alone."""

    name: str
    state: str = "present"
    driver: str = "bridge"
    driver_options: Mapping[str, str] = field(default_factory=dict)
    ipam_driver: str | None = None
    ipam_driver_options: Mapping[str, str] | None = None
    ipam_config: tuple[Pool, ...] | None = None
    internal: bool | None = None
    attachable: bool | None = None
    ingress: bool | None = None
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    scope: str | None = None
    config_only: bool | None = None
    config_from: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    connected: tuple[str, ...] | None = None
    appends: bool = False
    recreate: str = "never"
    force: bool = False
    whole: Definition | None = None
    """What the network is to be, to the last option, where that is known."""
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str = "") -> Network:
        """The network that ``args``, which SPEC has accepted, declare; DeclarationError where they make no sense."""
        pools = args["ipam_config"] or None  # an empty list asks for nothing, and the engine chooses
        network = cls(
            **{
                **{key: args[key] for key in SPEC},
                "driver_options": texts(args["driver_options"], under(path, "driver_options")),
                "ipam_driver_options": None
                if args["ipam_driver_options"] is None
                else texts(args["ipam_driver_options"], under(path, "ipam_driver_options")),
                "ipam_config": None
                if pools is None
                else tuple(ipam.read(pool, f"{under(path, 'ipam_config')}[{n}]") for n, pool in enumerate(pools)),
                "labels": texts(args["labels"], under(path, "labels")),
                "connected": None if args["connected"] is None else tuple(args["connected"]),
            },
            path=path,
        )
        network._check()
        return network

    @classmethod
    def exactly(cls, definition: Definition) -> Network:
        """A declaration of all that ``definition`` says, by which a network is brought back to it."""
        known = {each.name: getattr(definition, each.name) for each in fields(definition)}
        known["enable_ipv4"] = None if definition.enable_ipv4 else False  # as any engine understands it
        return cls(**known, recreate="if_needed", whole=definition)

    def settled(self) -> Network:
        """This declaration once it has been carried out: nothing is recreated for its own sake any more."""
        return replace(self, recreate="if_needed", force=False) if self.always else self

    def owned_by(self, topology: str) -> Network:
        """This declaration with the label of the topology that makes it."""
        return replace(self, labels={**self.labels, OWNER: topology})

    @property
    def always(self) -> bool:
        return self.state == "present" and (self.recreate == "always" or self.force)

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)

    def over(self, live: Definition | None) -> Definition:
        """What is wanted: this declaration over what is there, the engine's defaults where nothing is."""
        if self.whole is not None:
            return self.whole
        base = live if live is not None and live.driver == self.driver else Definition(self.name, self.driver)
        if live is None and self.scope is None and self.driver == "overlay":
            base = replace(base, scope="swarm")
        declared = {
            key: value
            for key in (
                "ipam_driver",
                "internal",
                "attachable",
                "ingress",
                "enable_ipv4",
                "enable_ipv6",
                "scope",
            )
            + ("config_only", "config_from", "ipam_driver_options")
            if (value := getattr(self, key)) is not None
        }
        labels = {**base.labels, **self.labels}
        if live is not None:
            # Whoever made a network stays its owner: the label cannot be changed in place, and is no reason to cut.
            labels = {key: value for key, value in labels.items() if key != OWNER or key in live.labels}
            labels.update({key: live.labels[key] for key in (OWNER,) if key in live.labels})
        return replace(
            base,
            driver=self.driver,
            driver_options={**base.driver_options, **self.driver_options},
            labels=labels,
            ipam_config=self._pools(base),
            **declared,
        )

    def _pools(self, base: Definition) -> tuple[Pool, ...]:
        if self.ipam_config is None:
            return base.ipam_config
        live = {pool.subnet: pool for pool in base.ipam_config}
        families = {pool.version for pool in self.ipam_config}
        # An engine adds a subnet of its own for a family that is on and not declared; that one is left alone.
        kept = [pool for pool in base.ipam_config if families and pool.version not in families]
        pools = [pool.over(live.get(pool.subnet)) for pool in self.ipam_config] + kept
        return tuple(sorted(pools, key=lambda pool: (pool.version, pool.subnet)))

    def _check(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(
                self.at("name"),
                f"{self.name!r} is not a network name: letters, digits, '_', '.', '-'",
            )
        if self.name in PREDEFINED:
            raise DeclarationError(self.at("name"), f"{self.name!r} is the engine's own network and cannot be declared")
        if self.driver in _UNMADE:
            raise DeclarationError(
                self.at("driver"),
                f"a network of driver {self.driver!r} cannot be made: {_UNMADE[self.driver]}",
            )
        if OWNER in self.labels:
            raise DeclarationError(
                self.at("labels"), f"{OWNER} is the label by which a topology knows its networks; leave it out"
            )
        given = [key for key in _GIVEN_BY_ANOTHER if getattr(self, key)]
        if self.config_from and given:
            raise DeclarationError(
                self.at("config_from"),
                f"network '{self.config_from}' gives the configuration; {given[0]} must go",
            )
        if self.enable_ipv4 is False and not self.enable_ipv6:
            raise DeclarationError(self.at("enable_ipv4"), "a network needs IPv4 or IPv6; set enable_ipv6: true")
        self._check_pools()
        driver_options.check(self.driver, self.driver_options, self.at("driver_options"))

    def _check_pools(self) -> None:
        pools = self.ipam_config or ()
        for index, pool in enumerate(pools):
            where = f"{self.at('ipam_config')}[{index}].subnet"
            if pool.version == 6 and not self.enable_ipv6 and not self.config_only:
                raise DeclarationError(where, f"{pool.subnet} is an IPv6 subnet; the network needs enable_ipv6: true")
            if pool.version == 4 and self.enable_ipv4 is False:
                raise DeclarationError(where, f"{pool.subnet} is an IPv4 subnet and enable_ipv4 is false")
            for earlier in pools[:index]:
                if address.overlap(pool.subnet, earlier.subnet):
                    raise DeclarationError(where, f"{pool.subnet} overlaps {earlier.subnet} of the same network")

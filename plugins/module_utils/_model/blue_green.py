# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two environments behind one balancer: as they are declared, and how far a switch between them has come."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import BreakwaterError, DeclarationError
from .name import check_name
from .spec import near

ENVIRONMENT_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "servers": {"type": "list", "elements": "str", "required": True},
}

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "environments": {"type": "list", "elements": "dict", "options": ENVIRONMENT_SPEC, "default": []},
    "port": {"type": "int", "default": 80},
    "health_path": {"type": "str", "default": "/"},
    "request_timeout": {"type": "int", "default": 60},
    "initial": {"type": "str"},
    "target": {"type": "str"},
    "canary": {"type": "list", "elements": "int", "default": [10, 50]},
    "canary_seconds": {"type": "int", "default": 10},
    "max_error_percent": {"type": "float", "default": 1.0},
    "min_requests": {"type": "int", "default": 20},
    "gate_passes": {"type": "int", "default": 5, "no_log": False},  # no word to keep: ansible-test takes it for one
    "gate_timeout": {"type": "int", "default": 60},
    "drain_timeout": {"type": "int", "default": 60},
    "wait": {"type": "int", "default": 0},
}

INFO_SPEC: dict[str, dict[str, Any]] = {"name": {"type": "str", "required": True}}

FOLDER = "/var/lib/breakwater/blue_green"
"""On the host: of each balancer a folder with its configuration, one with its sockets, and a record of the switch."""
CONFIGURATION, SOCKETS = "/etc/breakwater/balancer", "/run/breakwater"
"""Where the balancer's container has the two folders."""

_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")
_SERVER = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9_.-]{0,62}):(?P<port>[0-9]{1,5})")
_PATH = re.compile(r"/[A-Za-z0-9._~!&()*+,;=:@%/?-]*")
_RESERVED = ("live", "users", "docker")


@dataclass(frozen=True)
class Environment:
    """One of the two, and where its containers answer, each ``container:port``."""

    name: str
    servers: tuple[str, ...]


@dataclass(frozen=True)
class Balancer:
    """What decides the balancer's configuration. ``request_timeout`` is in seconds."""

    name: str
    environments: tuple[Environment, ...]
    port: int = 80
    health_path: str = "/"
    request_timeout: int = 60

    @property
    def names(self) -> tuple[str, ...]:
        """Of its two environments."""
        return tuple(each.name for each in self.environments)

    def other(self, environment: str) -> str:
        """The environment beside this one."""
        (found,) = (each for each in self.names if each != environment)
        return found


@dataclass(frozen=True)
class Rollout:
    """How a switch goes: percentages of the users, seconds, and how many of the requests may fail, in percent."""

    canary: tuple[int, ...] = (10, 50, 100)
    canary_seconds: int = 10
    max_error_percent: float = 1.0
    min_requests: int = 20
    gate_passes: int = 5
    gate_timeout: int = 60
    drain_timeout: int = 60


@dataclass(frozen=True)
class BlueGreen:
    """A balancer as it is declared; ``target`` is who shall be live, none where that is to stay as it is."""

    balancer: Balancer
    present: bool
    initial: str
    target: str | None
    rollout: Rollout
    wait: int = 0
    """Seconds to wait for a balancer that starts."""

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> BlueGreen:
        """The declaration that ``args``, which SPEC has accepted, make; DeclarationError names the wrong field."""
        name = check_name(args["name"], "name", "balancer")
        present = args["state"] == "present"
        environments = _environments(args["environments"]) if present else ()
        names = [each.name for each in environments]
        for key in ("initial", "target"):
            if present and args[key] and args[key] not in names:
                raise DeclarationError(key, f"{args[key]!r} is no environment; {near(args[key], names)}")
        for key, least, most in _BOUNDS:
            if not least <= args[key] <= most:
                raise DeclarationError(key, f"expected {least} to {most}, found {args[key]}")
        if not _PATH.fullmatch(args["health_path"]):
            raise DeclarationError(
                "health_path",
                f"expected a path as in /health, without spaces and quotes, found {args['health_path']!r}",
            )
        return cls(
            Balancer(name, environments, args["port"], args["health_path"], args["request_timeout"]),
            present,
            args["initial"] or (names[0] if names else ""),
            args["target"] or None,
            Rollout(
                _canary(args["canary"]),
                args["canary_seconds"],
                args["max_error_percent"],
                args["min_requests"],
                args["gate_passes"],
                args["gate_timeout"],
                args["drain_timeout"],
            ),
            args["wait"],
        )


_BOUNDS = (
    ("port", 1, 65535),
    ("request_timeout", 1, 3600),
    ("canary_seconds", 0, 3600),
    ("max_error_percent", 0, 100),
    ("min_requests", 1, 1_000_000),
    ("gate_passes", 1, 1000),
    ("gate_timeout", 1, 3600),
    ("drain_timeout", 0, 86400),
    ("wait", 0, 600),
)


def _environments(given: Sequence[Mapping[str, Any]]) -> tuple[Environment, ...]:
    if len(given) != 2:
        raise DeclarationError("environments", f"expected two of them, found {len(given)}")
    found: list[Environment] = []
    owners: dict[str, str] = {}
    for index, each in enumerate(given):
        where = f"environments[{index}]"
        name = check_environment(each["name"], f"{where}.name")
        if name in [other.name for other in found]:
            raise DeclarationError(f"{where}.name", f"{name!r} is declared already, as environments[0]")
        if not each["servers"]:
            raise DeclarationError(f"{where}.servers", "expected at least one container:port, found none")
        for number, server in enumerate(each["servers"]):
            parts = _SERVER.fullmatch(server)
            if not parts or not 1 <= int(parts["port"]) <= 65535:
                raise DeclarationError(f"{where}.servers[{number}]", f"expected container:port, found {server!r}")
            if server in owners:
                raise DeclarationError(
                    f"{where}.servers[{number}]", f"{server} is declared already, as {owners[server]}"
                )
            owners[server] = f"{where}.servers[{number}]"
        found.append(Environment(name, tuple(each["servers"])))
    return tuple(found)


def check_environment(name: str, path: str) -> str:
    """``name``, if an environment may be called so; DeclarationError if not."""
    if not _ENVIRONMENT.fullmatch(name) or name in _RESERVED or name.endswith("-gate"):
        raise DeclarationError(
            path,
            f"{name!r} is not an environment's name: up to 20 of a-z, 0-9, '_', '-', and not one of the"
            f" balancer's own ({', '.join(_RESERVED)}, …-gate)",
        )
    return name


def _canary(given: Sequence[int]) -> tuple[int, ...]:
    for index, share in enumerate(given):
        if not 1 <= share <= 100:
            raise DeclarationError(f"canary[{index}]", f"expected a percentage from 1 to 100, found {share}")
        if index and share <= given[index - 1]:
            raise DeclarationError(
                f"canary[{index}]", f"expected more than the {given[index - 1]} before, found {share}"
            )
    return tuple(given) if given and given[-1] == 100 else (*given, 100)


GATE, CANARY, DRAIN, ROLLBACK = "gate", "canary", "drain", "rollback"


@dataclass(frozen=True)
class Switch:
    """A switch that is under way, or was cut off: ``phase`` is what it is at.

    In ``gate`` the target has no user yet; in ``canary`` it has ``share`` percent of them; in ``drain`` it is live
    and the other's sessions end; in ``rollback`` the other is live again, for ``reason``, and the target's end.
    """

    target: str
    phase: str = GATE
    share: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Record:
    """Who is live, since when, the switch that is under way, and how the last one ended; kept on the host."""

    live: str
    since: str
    switch: Switch | None = None
    last: Mapping[str, Any] = field(default_factory=dict)

    def shares(self, balancer: Balancer) -> dict[str, int]:
        """The percentage of the users that each environment is to have."""
        share = self.switch.share if self.switch and self.switch.phase == CANARY else 0
        return {self.live: 100 - share, balancer.other(self.live): share}


@dataclass(frozen=True)
class Traffic:
    """What a balancer tells of itself at one moment.

    ``shares`` are percentages, ``sessions`` those that go on, ``requests`` and ``errors`` are counters since the
    balancer's last start, each by environment; ``servers`` are the states (``UP``, ``DOWN`` …) of an environment's.
    """

    fingerprint: str = ""
    shares: Mapping[str, int] = field(default_factory=dict)
    sessions: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    servers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What there is of a balancer on its host: its record, its configuration, and itself if it answers."""

    record: Record | None = None
    configuration: str = ""
    traffic: Traffic | None = None


class Unfit(BreakwaterError):
    """An environment does not do what it would have to, to become live or to stay it."""


class RolledBack(BreakwaterError):
    """A switch was taken back; ``told`` is the state now, as a module returns it."""

    def __init__(self, message: str, told: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.told = told

    def result(self) -> dict[str, Any]:
        return dict(self.told)

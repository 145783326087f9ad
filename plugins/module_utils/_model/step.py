# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan: the ordered steps from what is there to what is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from .connection import Settings
from .journal import Journal
from .live_tunnel import LiveTunnel
from .network import Definition, LiveNetwork
from .packet_filter import Ruleset
from .passage import Passage
from .policy import Table
from .route import LiveRoute
from .sysctl import Parameter
from .topology import Memory
from .tunnel import Tunnel


@dataclass(frozen=True)
class CreateNetwork:
    definition: Definition


@dataclass(frozen=True)
class RemoveNetwork:
    network: LiveNetwork


@dataclass(frozen=True)
class Connect:
    """Attach a container. ``keep_ipv4``, ``keep_ipv6`` and ``keep_mac`` are taken where the engine lets them be."""

    container_id: str
    container: str
    network: str
    settings: Settings
    keep_ipv4: str | None = None
    keep_ipv6: str | None = None
    keep_mac: str | None = None


@dataclass(frozen=True)
class Disconnect:
    """Detach a container. The network goes by its name: so engines let go of one that is gone, too."""

    container_id: str
    container: str
    network: str


@dataclass(frozen=True)
class SetMac:
    """Give a running container's interface a MAC address from the host's side."""

    container_id: str
    container: str
    network: str
    mac: str


@dataclass(frozen=True)
class SetRoute:
    """Add a route, or replace the one of the same key."""

    container_id: str
    container: str
    route: LiveRoute


@dataclass(frozen=True)
class DeleteRoute:
    container_id: str
    container: str
    route: LiveRoute


@dataclass(frozen=True)
class SetSysctl:
    """Set a kernel parameter of a container, or of the host and there for the next boot, too.

    ``module`` is the kernel module that it comes with, ``path`` the field that declares it.
    """

    container_id: str
    container: str
    key: Parameter
    value: str
    module: str = ""
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class RestoreSysctl:
    """Let go of a kernel parameter that we have set: it gets ``value``, or stays as it is."""

    container_id: str
    container: str
    key: Parameter
    value: str | None


@dataclass(frozen=True)
class KeepJournal:
    journal: Journal


@dataclass(frozen=True)
class DropJournal:
    network: str


@dataclass(frozen=True)
class SetPassages:
    """The whole of a topology's passages; none take its chain away."""

    topology: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class SetPolicy:
    """Make ``table`` the whole of what a policy has in the kernel; with none it goes."""

    policy: str
    table: Table | None


@dataclass(frozen=True)
class SetBridgeFilter:
    """Have br_netfilter show the host's packet filter what passes a bridge, now and after a reboot; or as it was."""

    enabled: bool


@dataclass(frozen=True)
class SetRuleset:
    """The whole of a ruleset, under the name of its chain; one without rules takes the chain and its sets away."""

    chain: str
    ruleset: Ruleset


@dataclass(frozen=True)
class SetTunnel:
    """Bring a tunnel to what is ``wanted``, in place: what is so already is not touched."""

    tunnel: Tunnel
    wanted: LiveTunnel


@dataclass(frozen=True)
class RemoveTunnel:
    name: str


@dataclass(frozen=True)
class ArmRollback:
    """Bring a topology back to what it is now, unless somebody confirms within ``seconds`` what comes after."""

    topology: str
    seconds: int
    former: Memory | None


@dataclass(frozen=True)
class SetHostsFile:
    """The whole of an owner's block in the hosts file of a running container; without lines it goes."""

    container_id: str
    container: str
    owner: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Remember:
    """Write down what a topology declares and has made; no memory takes the note away."""

    topology: str
    memory: Memory | None


Action = Union[
    CreateNetwork,
    RemoveNetwork,
    Connect,
    Disconnect,
    SetMac,
    SetRoute,
    DeleteRoute,
    SetSysctl,
    RestoreSysctl,
    KeepJournal,
    DropJournal,
    SetPassages,
    SetPolicy,
    SetBridgeFilter,
    SetRuleset,
    SetTunnel,
    RemoveTunnel,
    ArmRollback,
    Remember,
    SetHostsFile,
]


@dataclass(frozen=True)
class Step:
    """One change: which resource, what is done to it, from what to what, and whom it cuts meanwhile.

    ``resource`` reads as in a diff (``network frontend``, ``connection web to frontend``); ``before`` and
    ``after`` are in the words of the modules, empty where there is nothing; with ``listing`` they are lines by the
    tool that prints them. Bookkeeping changes no network and is not told.
    """

    resource: str
    verb: str
    action: Action
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    cuts: tuple[str, ...] = ()
    bookkeeping: bool = False
    late: bool = False
    """Whether what it holds is known only once the steps before it have been carried out, and it is planned anew."""
    listing: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


@dataclass(frozen=True)
class Pending:
    """Something declared that waits for its container: ``what`` and ``reason`` are for the user."""

    container: str
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: container '{self.container}' {self.reason}"


@dataclass(frozen=True)
class Plan:
    """The steps in their order, what waits, and what the user should know."""

    steps: tuple[Step, ...] = ()
    pending: tuple[Pending, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.steps + other.steps, self.pending + other.pending, self.warnings + other.warnings)

    @property
    def told(self) -> tuple[Step, ...]:
        """The steps that change the host's network: what a user is shown."""
        return tuple(step for step in self.steps if not step.bookkeeping)

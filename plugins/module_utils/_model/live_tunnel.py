# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's end of the ways to the containers of other hosts, as the kernel and the packet filter have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LivePeer:
    """A peer as the kernel has it, or is to. ``preshared`` is a fingerprint of the key, empty without one.

    ``endpoint`` is the one that was set last: a peer that roams is called where it was heard last.
    """

    subnets: tuple[str, ...]
    endpoint: str | None = None
    keepalive: int = 0
    preshared: str = ""


@dataclass(frozen=True)
class Fence:
    """What the packet filter holds of a tunnel: between ``local`` and ``remote`` it passes, and nobody else.

    ``opened`` are those of ``local`` whose containers the engine would shield from it, ahead of all that it forwards.
    With ``transit`` it passes within ``remote`` as well.
    """

    interface: str
    local: tuple[str, ...]
    remote: tuple[str, ...]
    opened: tuple[str, ...] = ()
    transit: bool = False


@dataclass(frozen=True)
class LiveTunnel:
    """A tunnel as it is, or is to be. ``driver`` is ``kernel``, ``wireguard-go`` or empty where there is no interface.

    Peers go by their public key, with vxlan and direct by their endpoint; ``routes`` are destinations with their
    gateway, which is empty for what the interface itself takes. ``handshakes`` are seconds ago, by peer.
    """

    backend: str
    driver: str = field(default="", compare=False)
    public_key: str = ""
    listen_port: int = 0
    local: str = ""
    vni: int = 0
    mtu: int = 0
    peers: Mapping[str, LivePeer] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    fence: Fence | None = None
    handshakes: Mapping[str, int] = field(default_factory=dict, compare=False)
    silent: frozenset[str] = field(default=frozenset(), compare=False)
    """The peers whose endpoint is a name that ought to be looked up anew."""


def _nothing(_name: str) -> str:
    return ""


@dataclass(frozen=True)
class Way:
    """What the host answers when a tunnel is planned."""

    mtu: Callable[[], int] = field(default=lambda: 1500, compare=False)
    """That of the interface by which the host leads out, in bytes."""
    public_key: Callable[[str], str] = field(default=_nothing, compare=False)
    """The public key to the private one that the host keeps under a name; empty where it keeps none."""
    public_keys: Callable[[], Mapping[str, str]] = field(default=dict, compare=False)
    """All of them, by name."""
    preshared: Callable[[str], str] = field(default=_nothing, compare=False)
    """The fingerprint of the pre-shared key that the host keeps under a name; empty where it keeps none."""
    all_preshared: Callable[[], Mapping[str, str]] = field(default=dict, compare=False)
    """All of them, by name."""

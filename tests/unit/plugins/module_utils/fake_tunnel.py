# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces to other hosts in memory: what ``ip``, ``bridge``, ``wg`` and systemd do with them, and what they tell.

Complaints are those of iproute2, wireguard-tools and systemd on the lab's hosts. ``wg`` reads all that it is told
before it changes anything; it leaves a peer with its own key out, without a word.
"""

from __future__ import annotations

import hashlib
import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NONE = "(none)"


class WayError(Exception):
    """A tool's complaint on its standard error."""


def drawn(seed: str) -> str:
    """32 bytes in base64, as any key of WireGuard is."""
    return b64encode(hashlib.sha256(seed.encode()).digest()).decode()


def public(private: str) -> str:
    """The public key to a private one; not by the real curve."""
    return drawn(f"public {private}")


@dataclass
class Peer:
    """A peer as the kernel has it; ``handshake`` in seconds since 1970."""

    subnets: set[str] = field(default_factory=set)
    endpoint: str = ""
    keepalive: int = 0
    secret: str = ""
    handshake: int = 0


@dataclass
class Device:
    """An interface of ours, ``kind`` as ``ip`` tells it."""

    kind: str
    private: str = ""
    port: int = 0
    peers: dict[str, Peer] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    mtu: int = 1500
    is_up: bool = False
    neighbours: dict[str, str] = field(default_factory=dict)
    places: set[tuple[str, str]] = field(default_factory=set)


class Ways:
    """The interfaces of a host by name, what its resolver knows, and the units that systemd runs.

    ``told`` is all that a command was given: its arguments and its standard input.
    """

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.names: dict[str, str] = {}
        self.units: dict[str, list[str]] = {}
        self.tools = {"systemctl", "systemd-run", "wireguard-go"}
        self.in_kernel = True
        self.mtu = 1500
        self.count = 0
        self.told: list[tuple[list[str], str]] = []

    def has(self, tool: str) -> bool:
        """Stand in for ``command.has``."""
        return tool in self.tools

    def look_up(self, host: str, port: int, type: socket.SocketKind) -> list[Any]:
        """Stand in for ``socket.getaddrinfo``."""
        try:
            return socket.getaddrinfo(self.names.get(host, host), port, type=type, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None

    def words(self, *begin: str) -> list[list[str]]:
        """What the commands that begin so were told, in order."""
        return [argv for argv, _given in self.told if argv[: len(begin)] == list(begin)]

    def add(self, name: str, words: list[str]) -> None:
        """``ip link add``."""
        kind = words[words.index("type") + 1]
        if name in self.devices:
            raise WayError("RTNETLINK answers: File exists")
        if kind == "wireguard" and not self.in_kernel:
            raise WayError("Error: Unknown device type.")
        named = dict(zip(words[::2], words[1::2]))
        data = {}
        if kind == "vxlan":
            local = "local6" if ":" in named["local"] else "local"
            data = {"id": int(named["id"]), local: named["local"], "port": int(named["dstport"])}
        self.devices[name] = Device(kind, data=data)

    def show(self, name: str) -> str:
        """``ip -json -details link show``, of an interface that is there."""
        found = self.devices.get(name)
        if found is None:
            return json.dumps([{"ifname": name, "mtu": self.mtu, "flags": ["UP"]}])
        info = {"info_kind": found.kind, **({"info_data": found.data} if found.data else {})}
        flags = ["UP"] if found.is_up else []
        return json.dumps([{"ifname": name, "mtu": found.mtu, "flags": flags, "linkinfo": info}])

    def neighbour(self, words: list[str]) -> str:
        """``ip neighbour``."""
        found = self.devices[words[words.index("dev") + 1]]
        if words[0] == "show":
            return json.dumps([{"dst": each, "lladdr": mac} for each, mac in found.neighbours.items()])
        if words[0] == "replace":
            found.neighbours[words[1]] = words[3]
        else:
            del found.neighbours[words[1]]
        return ""

    def bridge(self, words: list[str]) -> str:
        """``bridge fdb``."""
        found = self.devices[words[words.index("dev") + 1]]
        if "show" in words:
            return json.dumps([{"mac": mac, "dst": dst} for mac, dst in sorted(found.places)])
        place = (words[2], words[6])
        (found.places.add if words[1] == "replace" else found.places.remove)(place)
        return ""

    def wg(self, words: list[str], given: str) -> str:
        """``wg``."""
        verb, *rest = words
        if verb == "genkey":
            self.count += 1
            return f"{drawn(f'private {self.count}')}\n"
        if verb == "pubkey":
            return f"{public(given.strip())}\n"
        found = self.devices.get(rest[0])
        if found is None or found.kind == "vxlan":
            raise WayError(f"Unable to access interface {rest[0]}: No such device")
        if verb == "set":
            changed = deepcopy(found)
            self._set(changed, iter(rest[1:]))
            self.devices[rest[0]] = changed
            return ""
        if rest[1] == "listen-port":
            return f"{found.port}\n"
        own = public(found.private) if found.private else _NONE
        lines = ["\t".join((found.private or _NONE, own, str(found.port), "off"))]
        for key, each in found.peers.items():
            lines.append(
                "\t".join(
                    (
                        *(key, each.secret or _NONE, each.endpoint or _NONE),
                        *(",".join(sorted(each.subnets, reverse=True)) or _NONE, str(each.handshake), "0", "0"),
                        str(each.keepalive) if each.keepalive else "off",
                    )
                )
            )
        return "\n".join(lines) + "\n"

    def _set(self, device: Device, words: Iterator[str]) -> None:
        peer = Peer()
        for word in words:
            value = next(words, "") if word != "remove" else ""
            if word == "private-key":
                device.private = Path(value).read_text().strip()
            elif word == "listen-port":
                device.port = int(value)
            elif word == "peer":
                is_own = bool(device.private) and public(device.private) == value
                peer = Peer() if is_own else device.peers.setdefault(value, Peer())
                key = value
            elif word == "remove":
                del device.peers[key]
            elif word == "endpoint":
                host, _colon, _port = value.rpartition(":")
                if not host.startswith("[") and not host.replace(".", "").isdecimal():
                    raise WayError(f"a name, which wg would look up for as long as it likes: `{value}'")
                peer.endpoint = value
            elif word == "persistent-keepalive":
                peer.keepalive = int(value)
            elif word == "allowed-ips":
                taken = set(value.split(","))
                for each in device.peers.values():
                    each.subnets -= taken
                peer.subnets = taken
            elif word == "preshared-key":
                peer.secret = Path(value).read_text().strip()
            else:
                raise WayError(f"Invalid argument: {word}")

    def start(self, words: list[str]) -> None:
        """``systemd-run``."""
        unit = next(each.partition("=")[2] for each in words if each.startswith("--unit="))
        delayed = any(each.startswith("--on-active=") for each in words)
        name = f"{unit}.timer" if delayed else unit
        if name in self.units:
            raise WayError(f"Failed to start transient timer unit: Unit {name} was already loaded.")
        self.units[name] = words
        if "wireguard-go" in words:
            self.devices[words[-1]] = Device("tun")

    def systemctl(self, words: list[str]) -> str:
        """``systemctl``."""
        verb, unit = words[0], words[-1]
        if verb == "show":
            return f"ActiveState={'active' if unit in self.units else 'inactive'}\n"
        if unit not in self.units:
            raise WayError(f"Failed to stop {unit}: Unit {unit} not loaded.")
        words = self.units.pop(unit)
        if "wireguard-go" in words:
            self.devices.pop(words[-1], None)
        return ""

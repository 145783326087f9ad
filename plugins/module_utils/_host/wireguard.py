# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard by its own tool: keys that stay in files of root's, and an interface changed peer by peer.

The kernel's WireGuard is taken where it is, ``wireguard-go`` as a service of systemd's own making where not.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET6, SOCK_DGRAM, getaddrinfo
from typing import Any

from .._model.errors import DeclarationError, HostError
from .._model.live_tunnel import LivePeer, LiveTunnel
from .._model.tunnel import check_public_key, preshared_name
from . import files
from .command import has, run

KEYS = Path("/etc/breakwater/wireguard")
KERNEL, USERSPACE = "kernel", "wireguard-go"
_NONE = "(none)"
_UNKNOWN_TYPE = ("Unknown device type", "Operation not supported")
"""What ``ip`` says of a kind of interface that the kernel does not have; kernels before 4.20 the latter."""
_PATIENCE = 10
"""Seconds that wireguard-go may take to make its interface."""


def private_key(name: str) -> str:
    """The private key kept under ``name``, for the module's own process alone; empty where there is none."""
    return _read(KEYS / f"{name}.key")


def public_key(name: str) -> str:
    """The public key to the private one kept under ``name``; empty where there is none, HostError where it is none."""
    private = private_key(name)
    return run(["wg", "pubkey"], private).strip() if private else ""


def public_keys() -> dict[str, str]:
    """All of them, by name."""
    return {each.stem: public_key(each.stem) for each in sorted(KEYS.glob("*.key"))}


def keep_key(name: str, state: str, check: bool) -> dict[str, Any]:
    """A module's result: the private key ``name`` drawn, if there is none, or forgotten."""
    public = public_key(name)
    wanted = state == "present"
    if bool(public) == wanted or check:
        return {"changed": bool(public) != wanted, "public_key": public if wanted else ""}
    if wanted:
        files.write_text(KEYS / f"{name}.key", run(["wg", "genkey"]))
        return {"changed": True, "public_key": public_key(name)}
    for each in (KEYS / f"{name}.key", *KEYS.glob(f"{preshared_name(name, '*')}.psk")):
        files.remove(each)
    return {"changed": True, "public_key": ""}


def preshared_key(name: str) -> str:
    """The pre-shared key kept under ``name``, for the module's own process alone; empty where there is none."""
    return _read(KEYS / f"{name}.psk")


def preshared(name: str) -> str:
    """The fingerprint of the pre-shared key kept under ``name``; empty where there is none."""
    return _fingerprint(preshared_key(name))


def all_preshared() -> dict[str, str]:
    """The fingerprints of all of them, by name."""
    return {each.stem: preshared(each.stem) for each in sorted(KEYS.glob("*.psk"))}


def keep_preshared(name: str, key: str) -> None:
    """Keep a pre-shared key under ``name``."""
    files.write_text(KEYS / f"{name}.psk", f"{key}\n")


@dataclass(frozen=True)
class Device:
    """An interface as ``wg`` tells of it; handshakes in seconds ago, by the peers' public keys."""

    public_key: str
    listen_port: int
    peers: Mapping[str, LivePeer]
    handshakes: Mapping[str, int]


def device(interface: str) -> Device:
    """What ``wg`` tells of an interface. Its secrets are read, and go no further than this function."""
    first, *rest = run(["wg", "show", interface, "dump"]).splitlines()
    _private, public, port, _mark = first.split("\t")
    peers, handshakes = {}, {}
    for line in rest:
        key, secret, endpoint, allowed, latest, _received, _sent, keepalive = line.split("\t")
        peers[key] = LivePeer(
            tuple(sorted(each for each in allowed.split(",") if each != _NONE)),
            None if endpoint == _NONE else endpoint,
            0 if keepalive == "off" else int(keepalive),
            "" if secret == _NONE else _fingerprint(secret),
        )
        if int(latest):
            handshakes[key] = max(0, int(time.time()) - int(latest))
    return Device("" if public == _NONE else public, int(port), peers, handshakes)


def create(interface: str) -> None:
    """Make the interface; HostError that says what to install where the host has no WireGuard at all."""
    try:
        run(["ip", "link", "add", "dev", interface, "type", "wireguard"])
    except HostError as error:
        # Anything else that went wrong is no reason to give up the kernel's for good.
        if not any(each in str(error) for each in _UNKNOWN_TYPE):
            raise
        if not has("wireguard-go"):
            raise HostError(
                f"the kernel has no WireGuard ({error}), and the host no wireguard-go; install one"
            ) from error
        _serve(interface)


def remove(interface: str) -> None:
    """Take the interface away, and who serves it."""
    if _is_served(interface):
        run(["systemctl", "stop", _unit(interface)])
    else:
        run(["ip", "link", "delete", "dev", interface])


def configure(
    interface: str, there: LiveTunnel, wanted: LiveTunnel, key: str, preshared_of: Mapping[str, str]
) -> dict[str, str]:
    """Bring the interface from what is ``there`` to what is ``wanted``; peers that are so already are not touched.

    ``key`` is the name of the private key, ``preshared_of`` those of the pre-shared ones by public key. Secrets go by
    the paths of their files. Returns why an endpoint's name could not be looked up, by public key: all else is done.
    """
    unknown = {}
    words = []
    if there.public_key != wanted.public_key:
        words += ["private-key", str(KEYS / f"{key}.key")]
    if there.listen_port != wanted.listen_port:
        words += ["listen-port", str(wanted.listen_port)]
    for each in there.peers.keys() - wanted.peers.keys():
        words += ["peer", each, "remove"]
    # What a peer takes over must have been let go of before: a subnet is at one peer alone.
    changed = {each: peer for each, peer in wanted.peers.items() if there.peers.get(each) != peer}
    for each, peer in changed.items():
        words += ["peer", each]
        if peer.endpoint:
            try:
                words += ["endpoint", _resolved(peer.endpoint)]
            except OSError as error:
                unknown[each] = f"{peer.endpoint} cannot be looked up: {error.strerror}"
        words += ["persistent-keepalive", str(peer.keepalive), "allowed-ips", ",".join(peer.subnets)]
        if peer.preshared:
            words += ["preshared-key", str(KEYS / f"{preshared_of[each]}.psk")]
        elif there.peers.get(each, peer).preshared:
            words += ["preshared-key", "/dev/null"]
    if words:
        run(["wg", "set", interface, *words])
    return unknown


def _resolved(endpoint: str) -> str:
    """``endpoint`` with an address for its name: wg itself would give up all its peers for one that has none."""
    host, _colon, port = endpoint.rpartition(":")
    family, _type, _protocol, _name, found = getaddrinfo(host.strip("[]"), int(port), type=SOCK_DGRAM)[0]
    return f"[{found[0]}]:{port}" if family == AF_INET6 else f"{found[0]}:{port}"


def _serve(interface: str) -> None:
    run(
        [
            *("systemd-run", "--quiet", "--collect", f"--unit={_unit(interface)}"),
            f"--description=Breakwater: WireGuard in user space, {interface}",
            *("--property=Restart=always", "--property=RestartSec=200ms"),
            *("wireguard-go", "-f", interface),
        ]
    )
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            run(["wg", "show", interface, "listen-port"])
            return
        except HostError:
            if time.monotonic() > until:
                run(["systemctl", "stop", _unit(interface)])
                raise HostError(
                    f"wireguard-go made no interface '{interface}' within {_PATIENCE} s;"
                    f" see journalctl -u {_unit(interface)}"
                ) from None
            time.sleep(0.05)


def _is_served(interface: str) -> bool:
    return has("systemctl") and run(["systemctl", "show", "--property=ActiveState", _unit(interface)]).strip() != (
        "ActiveState=inactive"
    )


def _unit(interface: str) -> str:
    return f"breakwater-{interface}.service"


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(f"breakwater {secret.strip()}".encode()).hexdigest()[:16] if secret else ""


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
        check_public_key(text, "")
        return text
    except FileNotFoundError:
        return ""
    except PermissionError as error:
        raise HostError(f"{path} is root's; the task needs become: true") from error
    except (OSError, ValueError, DeclarationError):
        raise files.garbled(path) from None  # whose complaint would show what is in it

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels between the kernel and the model: interfaces, peers, routes, and the record of what was set last.

The record, in /run, says which interfaces and routes are ours, and holds what the kernel does not tell.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .._model import address
from .._model.errors import HostError
from .._model.live_tunnel import Fence, LivePeer, LiveTunnel, Way
from .._model.tunnel import DIRECT, VXLAN, WIREGUARD, Tunnel, preshared_name
from . import fence, files, netlink, sysctl, vxlan, wireguard
from .command import run
from .lock import FOLDER

RECORDS = FOLDER / "tunnels"
_MAIN_TABLE = 254
_PASSING = ("handshakes", "silent")
"""What is never wanted, and so not recorded."""
_AUTOMATIC = ("fe80:", "ff00:")
_SILENCE, _PATIENCE = 275, 60
"""Seconds after which a peer is not there any more, and between two attempts to look its name up."""


class Tunnels(Mapping[str, LiveTunnel]):
    """The tunnels that are ours, each read when it is asked for."""

    def __init__(self) -> None:
        self._seen: dict[str, LiveTunnel] = {}

    def __getitem__(self, name: str) -> LiveTunnel:
        if name not in self._seen:
            record = files.read(_record(name), None)
            if record is None:
                raise KeyError(name)
            self._seen[name] = _observed(name, record)
        return self._seen[name]

    def __iter__(self) -> Iterator[str]:
        return (each.stem for each in sorted(RECORDS.glob("*.json")))

    def __len__(self) -> int:
        return sum(1 for _each in self)


def way() -> Way:
    """What the host answers when a tunnel is planned."""
    return Way(
        lru_cache(_path_mtu),
        lru_cache(wireguard.public_key),
        wireguard.public_keys,
        lru_cache(wireguard.preshared),
        wireguard.all_preshared,
    )


def apply(tunnel: Tunnel, wanted: LiveTunnel) -> None:
    """Bring a tunnel to what is wanted: closed first, then who may speak, then the way to them."""
    name = tunnel.name
    record = files.read(_record(name), None)
    there = _observed(name, record) if record is not None else LiveTunnel(wanted.backend)
    if record is None and tunnel.backend != DIRECT and _link(name) is not None:
        raise HostError(f"interface '{name}' is there already, and somebody else's; choose another name")
    former = _recalled(record["wanted"]) if record is not None else LiveTunnel(wanted.backend)
    stands = there.fence is not None and there.fence == wanted.fence
    fenced = record.get("fenced") if record is not None and stands else None
    _write(name, _begun(former, wanted), fenced)
    if not stands and wanted.fence is not None:
        fenced = fence.apply(name, wanted.fence)
    unknown: dict[str, str] = {}
    if tunnel.backend == WIREGUARD:
        _interface(name, wanted, lambda: wireguard.create(name))
        shared = {each.public_key: preshared_name(tunnel.key, each.name) for each in tunnel.peers}
        unknown = wireguard.configure(name, _asked(there), wanted, tunnel.key, shared)
    elif tunnel.backend == VXLAN:
        if there.mtu and (there.local, there.listen_port, there.vni) != (wanted.local, wanted.listen_port, wanted.vni):
            run(["ip", "link", "delete", "dev", name])
            there = replace(there, peers={}, routes={})
        _interface(name, wanted, lambda: vxlan.create(name, wanted))
        vxlan.introduce(name, wanted)
    _routes(name, there, wanted)
    peers = {key: replace(each, endpoint=None) if key in unknown else each for key, each in wanted.peers.items()}
    _write(name, replace(wanted, peers=peers), fenced)
    if unknown:
        raise HostError("; ".join(unknown.values()))


def remove(name: str) -> None:
    """Take a tunnel away: routes, interface, what filtered it, and the record last."""
    record = files.read(_record(name), None)
    if record is None:
        return
    there = _observed(name, record)
    _routes(name, there, replace(there, routes={}))
    if there.backend != DIRECT and _link(name) is not None:
        if there.backend == WIREGUARD:
            wireguard.remove(name)
        else:
            run(["ip", "link", "delete", "dev", name])
    fence.remove(name)
    files.remove(_record(name))


def _record(name: str) -> Path:
    return RECORDS / f"{name}.json"


def _write(name: str, last: LiveTunnel, fenced: str | None) -> None:
    """Write down what was set last, by which digest its fence is known again, and when names were looked up: now."""
    lasting = {key: each for key, each in asdict(last).items() if key not in _PASSING}
    files.write_text(_record(name), files.text({"wanted": lasting, "fenced": fenced, "asked": time.time()}))


def _begun(former: LiveTunnel, wanted: LiveTunnel) -> LiveTunnel:
    """What is written down before it is done: all that is ours from now on, and no endpoint that was not set yet.

    Who is killed after that is finished by the next run.
    """
    peers = {
        key: replace(each, endpoint=former.peers[key].endpoint if key in former.peers else None)
        for key, each in wanted.peers.items()
    }
    return replace(wanted, peers={**former.peers, **peers}, routes={**former.routes, **wanted.routes})


def _observed(name: str, record: Mapping[str, Any]) -> LiveTunnel:
    """The tunnel as it is, by its record and the kernel."""
    try:
        last = _recalled(record["wanted"])
    except (KeyError, TypeError) as error:
        raise files.garbled(_record(name)) from error
    stands = last.fence and fence.digest(name) == record.get("fenced") and fence.is_accepted(name, last.fence)
    routes = _present(name, last)
    seen = replace(last, fence=last.fence if stands else None, routes=routes)
    if last.backend == DIRECT:
        return seen
    link = _link(name)
    if link is None:
        return LiveTunnel(last.backend, fence=seen.fence)
    seen = replace(seen, mtu=link["mtu"])
    if last.backend == VXLAN:
        data = link["linkinfo"].get("info_data", {})
        told = {each for key in ("local", "local6") if (each := data.get(key))}
        return replace(
            seen,
            driver=wireguard.KERNEL,
            local=address.observed(next(iter(told), None)) or "",
            listen_port=data.get("port", 0),
            vni=data.get("id", 0),
            peers=dict(vxlan.placed(name, last)),
        )
    device = wireguard.device(name)
    peers = {each: _as_asked(peer, last.peers.get(each)) for each, peer in device.peers.items()}
    due = time.time() - record.get("asked", 0) > _PATIENCE
    return replace(
        seen,
        driver=wireguard.KERNEL if link["linkinfo"].get("info_kind") == "wireguard" else wireguard.USERSPACE,
        public_key=device.public_key,
        listen_port=device.listen_port,
        peers=peers,
        handshakes=device.handshakes,
        silent=frozenset(
            each
            for each, peer in peers.items()
            if due and _is_named(peer.endpoint) and device.handshakes.get(each, _SILENCE) >= _SILENCE
        ),
    )


def _recalled(found: Mapping[str, Any]) -> LiveTunnel:
    peers = {key: LivePeer(**{**each, "subnets": tuple(each["subnets"])}) for key, each in found["peers"].items()}
    held = found["fence"]
    fenced = None
    if held:
        local, remote, opened = (tuple(held[key]) for key in ("local", "remote", "opened"))
        fenced = Fence(held["interface"], local, remote, opened, held["transit"])
    return LiveTunnel(**{**found, "peers": peers, "fence": fenced})


def _as_asked(peer: LivePeer, last: LivePeer | None) -> LivePeer:
    """A peer that roams, or has a name, is called elsewhere than was asked for: what was asked for counts."""
    if last is None or (last.endpoint and not peer.endpoint):
        return peer
    return replace(peer, endpoint=last.endpoint)


def _asked(there: LiveTunnel) -> LiveTunnel:
    """``there``, with the peers that are to be looked up anew as though they had no endpoint."""
    peers = {each: replace(peer, endpoint=None) if each in there.silent else peer for each, peer in there.peers.items()}
    return replace(there, peers=peers)


def _is_named(endpoint: str | None) -> bool:
    return bool(endpoint) and not address.is_address((endpoint or "").rpartition(":")[0].strip("[]"))


def _interface(name: str, wanted: LiveTunnel, create: Any) -> None:
    link = _link(name)
    if link is None:
        create()
        # While keys are exchanged, what is sent by one interface is answered by the other. The kernel's own check of
        # sources refuses that where an interface has no address; the fence and AllowedIPs check them better.
        sysctl.write(f"net.ipv4.conf.{name}.rp_filter", "0")
    if link is None or link["mtu"] != wanted.mtu or "UP" not in link["flags"]:
        run(["ip", "link", "set", "dev", name, "mtu", str(wanted.mtu), "up"])


def _link(name: str) -> dict[str, Any] | None:
    try:
        found = json.loads(run(["ip", "-json", "-details", "link", "show", "dev", name]))
    except HostError as error:
        if "does not exist" in str(error):
            return None
        raise
    return {"linkinfo": {}, **found[0]}


def _routes(name: str, there: LiveTunnel, wanted: LiveTunnel) -> None:
    for destination, gateway in wanted.routes.items():
        if there.routes.get(destination) != gateway:
            _route("replace", name, destination, gateway, wanted.backend)
    for destination, gateway in there.routes.items():
        if destination not in wanted.routes:
            try:
                _route("delete", name, destination, gateway, wanted.backend)
            except HostError as error:
                # Another tunnel may have taken it over meanwhile.
                if "No such process" not in str(error):
                    raise


def _route(verb: str, name: str, destination: str, gateway: str, backend: str) -> None:
    words = ["ip", f"-{address.version_of(destination)}", "route", verb, destination]
    if gateway:
        words += ["via", *(["inet6"] if ":" in gateway and ":" not in destination else []), gateway]
    if backend != DIRECT:
        words += ["dev", name]
    if backend == VXLAN:
        words.append("onlink")
    run(words)


def _present(name: str, last: LiveTunnel) -> dict[str, str]:
    """The routes of a tunnel that the kernel has: by its interface, or those recorded where it has none."""
    _links, routes = netlink.read(None)
    found = {}
    for each in routes:
        if each.table != _MAIN_TABLE or each.destination.startswith(_AUTOMATIC):
            continue
        if each.interface == name or (
            last.backend == DIRECT and each.gateway and last.routes.get(each.destination) == each.gateway
        ):
            found[each.destination] = each.gateway or ""
    return found


def _path_mtu() -> int:
    """Of the interface by which the host leads out; of Ethernet where it leads nowhere."""
    try:
        found = json.loads(run(["ip", "-json", "route", "show", "default"]) or "[]")
        return int((_link(found[0]["dev"]) or {})["mtu"]) if found and "dev" in found[0] else 1500
    except (KeyError, ValueError) as error:
        raise HostError(f"'ip route show default' told {error}") from error

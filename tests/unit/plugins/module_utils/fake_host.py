# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real ``Host`` and the real loop, on an engine and a kernel in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ansible_collections.breakwater.docker.plugins.module_utils import _loop
from ansible_collections.breakwater.docker.plugins.module_utils._host import (
    bridge_filter,
    command,
    files,
    netlink,
    program,
    rollback,
    wireguard,
)
from ansible_collections.breakwater.docker.plugins.module_utils._host import firewall as firewall_of_host
from ansible_collections.breakwater.docker.plugins.module_utils._host import sysctl as sysctl_of_host
from ansible_collections.breakwater.docker.plugins.module_utils._host import tunnel as tunnel_of_host
from ansible_collections.breakwater.docker.plugins.module_utils._host.host import Host
from ansible_collections.breakwater.docker.plugins.module_utils._model import spec
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import HostError
from ansible_collections.breakwater.docker.plugins.module_utils._model.step import Step
from ansible_collections.breakwater.docker.plugins.modules import (
    connection,
    explain,
    firewall,
    hosts_file,
    network,
    network_info,
    policy,
    probe,
    route,
    survey,
    sysctl,
    topology,
    topology_info,
    tunnel,
    tunnel_info,
)
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_engine import FakeEngine
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_sysctl import FakeProc

_MODULES = {
    "connection": connection,
    "firewall": firewall,
    "explain": explain,
    "hosts_file": hosts_file,
    "network": network,
    "network_info": network_info,
    "policy": policy,
    "probe": probe,
    "route": route,
    "survey": survey,
    "sysctl": sysctl,
    "topology": topology,
    "topology_info": topology_info,
    "tunnel": tunnel,
    "tunnel_info": tunnel_info,
}
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


REFUSAL = "refused for the sake of the test"


class Killed(BaseException):
    """SIGKILL: nothing of the process runs on."""


def kind_of(module: str) -> _loop.Kind[Any]:
    """What a module of the collection hands to ``run``."""
    found: list[_loop.Kind[Any]] = []
    with patch.object(_MODULES[module], "run", found.append):
        _MODULES[module].main()
    return found[0]


KINDS = {each: kind_of(each) for each in _MODULES}


class FakeHost:
    """A host as a user of the modules has it: they run, are killed, meet refusals; what is there stays."""

    def __init__(self, engine: FakeEngine, folder: Path) -> None:
        self.engine = engine
        self.topologies = folder / "etc"
        self.journals = folder / "lib"
        self.sysctls = folder / "sysctl"
        self.drop_in = folder / "sysctl.d" / "60-breakwater.conf"
        self.keys = folder / "wireguard"
        self.records = folder / "tunnels"
        self.unconfirmed = folder / "rollback"
        self.program = folder / "breakwater"

    def bridge_filter(self, values: Mapping[int, str] | None = None) -> dict[int, str]:
        """The switches of br_netfilter by IP version, set to ``values`` if there are any."""
        keys = {4: "net/bridge/bridge-nf-call-iptables", 6: "net/bridge/bridge-nf-call-ip6tables"}
        there = self.engine.kernel.host.sysctls
        there.update({keys[version]: value for version, value in (values or {}).items()})
        return {version: there[key] for version, key in keys.items()}

    def declared(self, module: str, args: Mapping[str, Any]) -> Any:
        """The declaration of the arguments as a user writes them."""
        kind = KINDS[module]
        return kind.read(spec.read(kind.spec, args))

    def module(self, module: str, args: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
        """Run a module to its end; its result, or the error that it would fail with."""
        return _loop.converge(KINDS[module], self.declared(module, args), Host(self.engine), check)

    def module_killed(self, module: str, args: Mapping[str, Any], after: int) -> dict[str, Any] | None:
        """Run a module that is killed once it has applied ``after`` steps; its result if it ended before that."""

        def stop(count: int, _step: Step) -> None:
            if count == after:
                raise Killed

        with self._at_each_step(stop), suppressed_death():
            return self.module(module, args)

    def module_failing(self, module: str, args: Mapping[str, Any], at: int, by_engine: bool = False) -> dict[str, Any]:
        """Run a module whose step number ``at``, counted from 0, is refused once.

        The engine counts its own steps alone, and a connect that it refuses has left its mark by then.
        """

        def refuse(count: int, _step: Step) -> None:
            if count == at:
                raise HostError(REFUSAL)

        if not by_engine:
            with self._at_each_step(refuse):
                return self.module(module, args)
        asked = iter(range(10_000))

        def obstacle(_verb: str, _what: str) -> None:
            if next(asked) == at:
                raise HostError(REFUSAL)

        with patch.object(self.engine, "obstacle", obstacle):
            return self.module(module, args)

    @contextmanager
    def _at_each_step(self, meet: Any) -> Iterator[None]:
        apply, applied = Host.apply, iter(range(10_000))

        def met(host: Host, step: Step) -> None:
            meet(next(applied), step)
            apply(host, step)

        with patch.object(Host, "apply", met):
            yield


@contextmanager
def suppressed_death() -> Iterator[None]:
    with suppress(Killed):
        yield


@contextmanager
def fake_host(engine: FakeEngine) -> Iterator[FakeHost]:
    """A host around ``engine``; its files live in memory and go with it."""
    with ExitStack() as stack:
        host = FakeHost(engine, Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY))))
        stack.enter_context(patch.object(command.subprocess, "run", engine.kernel.run))
        stack.enter_context(patch.object(firewall_of_host, "has", lambda _tool: True))
        stack.enter_context(patch.object(netlink, "read", engine.kernel.read))
        stack.enter_context(patch.object(files, "TOPOLOGIES", host.topologies))
        stack.enter_context(patch.object(files, "COPIES", host.topologies.parent / "copies"))
        stack.enter_context(patch.object(files, "JOURNALS", host.journals))
        folder = host.journals.parent
        stack.enter_context(patch.object(bridge_filter, "_MODULES", folder / "modules"))
        stack.enter_context(patch.object(bridge_filter, "_SYSCTLS", folder / "bridges"))
        host.program.touch()
        stack.enter_context(patch.object(wireguard, "KEYS", host.keys))
        stack.enter_context(patch.object(wireguard, "getaddrinfo", engine.kernel.ways.look_up))
        stack.enter_context(patch.object(tunnel_of_host, "RECORDS", host.records))
        stack.enter_context(patch.object(rollback, "FOLDER", host.unconfirmed))
        stack.enter_context(patch.object(program, "PATH", host.program))
        for each in (wireguard, rollback):
            stack.enter_context(patch.object(each, "has", engine.kernel.ways.has))
        proc = FakeProc(engine.kernel)
        stack.enter_context(patch.object(sysctl_of_host, "setns", proc))
        for name, path in {
            "PROC": proc,
            "KEPT": host.sysctls,
            "DROP_IN": host.drop_in,
            "MODULES": folder / "modules-load",
            "LOADED": folder / "loaded",
            "FOLDERS": (host.drop_in.parent,),
        }.items():
            stack.enter_context(patch.object(sysctl_of_host, name, path))
        yield host

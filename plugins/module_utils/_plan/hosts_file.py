# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the names that containers find in their hosts files to those that are declared for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._model.connection import Container
from .._model.errors import DeclarationError, NotThere
from .._model.hosts_file import MODULE, Entry, HostsFile, LiveHostsFile, lines
from .._model.step import Plan, SetHostsFile, Step
from .._model.world import Scope, World

_TITLE = "/etc/hosts"


class Blocks:
    """The blocks of one owner: one for each container, with what all declarations say of it."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._wanted: dict[str, list[Entry]] = {}

    def add(self, declared: HostsFile, world: World) -> Plan:
        """Take ``declared`` in, and tell whom it cannot be brought to.

        NotThere where its container does not run: an engine writes the file anew at the start.
        """
        warnings = []
        for each in _meant(declared, world):
            obstacle = _obstacle(each, world)
            if not obstacle:
                entries = self._wanted.setdefault(each.id, [])
                entries.extend(declared.entries if declared.state == "present" else ())
            elif declared.container and declared.state == "present":
                raise DeclarationError(declared.at("container"), f"container '{each.name}' {obstacle}")
            elif declared.state == "present":
                warnings.append(f"the hosts file of {each.name} is left as it is: the container {obstacle}")
        return Plan(warnings=tuple(warnings))

    def plan(self, world: World, exclusive: bool = False) -> Plan:
        """The steps to all that was taken in; ``exclusive`` takes the block of every other container away."""
        wanted = {each: lines(entries) for each, entries in self._wanted.items()}
        if exclusive:
            wanted = {**dict.fromkeys(holders(self._owner, world), ()), **wanted}
        ordered = sorted(wanted, key=lambda each: world.residents[each].name)
        return Plan(tuple(step for each in ordered for step in self._steps(each, wanted[each], world)))

    def _steps(self, container_id: str, wanted: tuple[str, ...], world: World) -> Iterable[Step]:
        found = _live(container_id, world).blocks.get(self._owner, ())
        if found == wanted:
            return
        name = world.residents[container_id].name
        yield Step(
            f"hosts file of {name}",
            "set" if wanted else "remove",
            SetHostsFile(container_id, name, self._owner, wanted),
            before={_TITLE: list(found)} if found else {},
            after={_TITLE: list(wanted)} if wanted else {},
            listing=True,
        )


def plan(declared: HostsFile, world: World) -> Plan:
    """The steps to ``declared``; DeclarationError where they cannot be, NotThere where nobody runs to have them."""
    blocks = Blocks(MODULE)
    return blocks.add(declared, world) + blocks.plan(world)


def scope(declared: HostsFile) -> Scope:
    """What a plan for ``declared`` will look at."""
    return Scope(
        containers=frozenset((declared.container,) if declared.container else ()),
        networks=frozenset((declared.network,) if declared.network else ()),
    )


def report(declared: HostsFile, world: World) -> dict[str, Any]:
    """What the module ``hosts_file`` returns: the entries in each container's file as they are now."""
    try:
        meant = {each.name: _live(each.id, world).blocks.get(MODULE, ()) for each in _meant(declared, world)}
    except NotThere:
        meant = {}
    return {"hosts_files": {name: list(found) for name, found in meant.items()}}


def holders(owner: str, world: World) -> list[str]:
    """The IDs of the running containers that have a block of ``owner``."""
    return [each.id for each in world.known_residents() if each.running and owner in _live(each.id, world).blocks]


def _meant(declared: HostsFile, world: World) -> list[Container]:
    """The running containers that are meant."""
    if declared.network:
        live = world.require_network(declared.network, declared.at("network"))
        return [world.containers[each] for each in world.members.get(live.name, ()) if world.residents[each].running]
    reference = declared.container or ""
    if declared.state == "absent":
        found = world.container(reference)
        return [found] if found and found.running else []
    container = world.require_container(reference, declared.at("container"))
    if not container.running:
        raise NotThere(declared.at("container"), container.name, "is not running")
    return [container]


def _obstacle(container: Container, world: World) -> str:
    """Why its hosts file is not ours to write; nothing if it is."""
    if container.shares == "host":
        return "has the host's network, and with it the host's names"
    if container.shares and container.shares != "none":
        return "has the network of another container, and its hosts file: declare it for that one"
    return _live(container.id, world).obstacle


def _live(container_id: str, world: World) -> LiveHostsFile:
    return world.hosts_files.get(container_id, LiveHostsFile())

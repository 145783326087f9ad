# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the kernel parameters that a host or a container has to those that are declared for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._model.connection import Container
from .._model.errors import DeclarationError, NotThere
from .._model.spec import near
from .._model.step import Plan, RestoreSysctl, SetSysctl, Step
from .._model.sysctl import HOST, INTERFACE, Kept, Live, Parameter, Setting, Space, Sysctls, numbers
from .._model.world import Scope, World

_OF_BRIDGES = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")


@dataclass(frozen=True)
class Place:
    """The host, or a container, and its parameters."""

    container: Container | None
    space: Space

    @classmethod
    def of(cls, container: Container | None, world: World) -> Place:
        return cls(container, world.sysctls.get(container.id if container else HOST, Space()))

    @property
    def owner(self) -> tuple[str, str]:
        """ID and name of the container."""
        return (self.container.id, self.container.name) if self.container else (HOST, "")

    def title(self, key: Parameter) -> str:
        return f"sysctl {key} in {self.container.name}" if self.container else f"sysctl {key}"


def plan(declared: Sysctls, world: World) -> Plan:
    """The steps to ``declared``; DeclarationError where they cannot be, NotThere where nobody runs to have them."""
    container = None
    if declared.container is not None:
        container = world.require_container(declared.container, declared.at("container"))
        if not container.running and declared.state == "present":
            raise NotThere(declared.at("container"), container.name, "is not running")
    place, found = Place.of(container, world), Plan()
    for each in sorted(declared.settings, key=lambda setting: setting.key.rank):
        key = each.key
        if key.network:
            network = world.network(key.network)
            key = Parameter(key.name, network.name if network else key.network)
        if each.value is None:
            found += release(place, key, world)
        else:
            found += _setting(place, key, each, each.value, declared, world)
    return found


def scope(declared: Sysctls) -> Scope:
    """What a plan for ``declared`` will look at."""
    named = frozenset((declared.container,)) if declared.container else frozenset()
    return Scope(named, named if any(each.key.network for each in declared.settings) else frozenset())


def report(declared: Sysctls, world: World) -> dict[str, Any]:
    """What the module ``sysctl`` returns: the declared parameters as they are now."""
    container = world.container(declared.container) if declared.container else None
    space = Place.of(container, world).space
    values: dict[str, str | None] = {}
    networks: dict[str, dict[str, str | None]] = {}
    for each in declared.settings:
        network = world.network(each.key.network)
        live = space.live.get(Parameter(each.key.name, network.name if network else ""))
        told = networks.setdefault(each.key.network, {}) if each.key.network else values
        told[each.key.name] = live.value if live else None
    return {"values": values, "networks": networks}


def release(place: Place, key: Parameter, world: World) -> Plan:
    """The step that gives a parameter back what we found; what somebody else has set since then stays."""
    space = place.space
    kept, at_boot = space.kept.get(key), space.drop_in.get(key.name)
    if kept is None and at_boot is None:
        return Plan()
    live = _known(place, key) or Live()
    former = kept.former if kept and live.value == kept.live else live.value
    if place.container is None and key.name in _OF_BRIDGES and world.bridge_filter.former is not None:
        former = live.value  # a policy needs it as it is
    before = _told(live.value, at_boot)
    after = _told(former, None)
    changes = before != after
    action = RestoreSysctl(*place.owner, key, former if former != live.value else None)
    step = Step(place.title(key), "restore", action, before, after, bookkeeping=not changes)
    warnings = []
    if place.container is None and kept and live.value != kept.live:
        warnings.append(f"{key} is {live.value}, and was set to {kept.value} here; it is left as it is")
    return Plan((step,), warnings=tuple(warnings))


def holds(place: Place, key: Parameter) -> bool:
    """Whether we have set the parameter."""
    return key in place.space.kept


def _setting(place: Place, key: Parameter, declared: Setting, value: str, whole: Sysctls, world: World) -> Plan:
    space = place.space
    live, kept = _checked(place, key, declared, value, whole, world), space.kept.get(key)
    wanted: str | None = _raised(value, key, live, kept, declared) if declared.floor else value
    if wanted is None:
        return release(place, key, world)
    is_host = place.container is None
    if is_host and key.name in _OF_BRIDGES and wanted != "1" and world.bridge_filter.former is not None:
        raise DeclarationError(declared.path, "a policy on this host needs it to be 1, or traffic passes unseen")
    is_live = live.value == wanted or (kept is not None and (kept.value, kept.live) == (wanted, live.value))
    at_boot = space.drop_in.get(key.name) if is_host else None
    is_kept = not is_host or (kept is not None and at_boot == wanted and live.module in ("", *space.modules))
    warnings = []
    file, other = space.later.get(key.name, ("", wanted)) if is_host else ("", wanted)
    if other != wanted:
        warnings.append(f"{key} will be {other} after the next boot, for {file} sets it after us; remove it there")
    if is_live and is_kept:
        return Plan(warnings=tuple(warnings))
    before, after = _told(live.value, at_boot), _told(wanted, wanted if is_host else None)
    action = SetSysctl(*place.owner, key, wanted, live.module, declared.path)
    return Plan((Step(place.title(key), "set", action, before, after),), warnings=tuple(warnings))


def _checked(place: Place, key: Parameter, declared: Setting, value: str, whole: Sysctls, world: World) -> Live:
    """The parameter as it is; DeclarationError where it cannot be set."""
    container = place.container
    of_host = world.sysctls.get(HOST, Space()).live
    if container is not None:
        _check_namespace(container, key, declared, whole, place.space, key in of_host)
        if key.network and key.network not in container.endpoints:
            on = ", ".join(sorted(container.endpoints)) or "no network"
            raise DeclarationError(
                declared.path, f"container '{container.name}' is not on '{key.network}' (it is on {on})"
            )
    live = _known(place, key)
    if live is None and (container is None or key not in of_host):
        beside = near(key.name, place.space.siblings(key))
        raise DeclarationError(declared.path, f"the kernel knows no {key.name}; {beside}")
    if live is None or (container is not None and not live.writable and key in of_host and of_host[key].writable):
        raise DeclarationError(declared.path, _not_namespaced(key))
    if not live.writable:
        raise DeclarationError(declared.path, f"{key.name} is read-only here")
    if not live.readable:
        raise DeclarationError(declared.path, f"{key.name} is a command, and keeps no value that could be declared")
    there, given = numbers(live.value or ""), numbers(value)
    if there and given and len(there) != len(given):
        raise DeclarationError(
            declared.path, f"{key.name} holds {len(there)} number{'s' * (len(there) > 1)}, found {value!r}"
        )
    return live


def _check_namespace(
    container: Container, key: Parameter, declared: Setting, whole: Sysctls, space: Space, of_host: bool
) -> None:
    kind = key.namespace
    if kind is None and of_host:
        raise DeclarationError(declared.path, _not_namespaced(key))
    owner = ""
    if kind == "net" and container.shares and container.shares != "none":
        owner = "the host" if container.shares == "host" else "another container"
    elif kind in space.borrowed:
        owner = "the host"
    if owner:
        raise DeclarationError(
            whole.at("container"),
            f"container '{container.name}' has no {kind} namespace of its own: its {key.name} is that of {owner}",
        )


def _not_namespaced(key: Parameter) -> str:
    return f"{key.name} is not namespaced: it is the whole machine's, so declare it for the host, without container"


def _known(place: Place, key: Parameter) -> Live | None:
    """The parameter, or what can be told before its container or its interface is there."""
    space = place.space
    if key in space.live:
        return space.live[key]
    if not space.seen:
        return Live() if place.container is not None and key.namespace else None
    if key.network in space.fresh:
        model = space.live.get(Parameter(key.name.replace(INTERFACE, "default")))
        return Live(None, model.readable, model.writable) if model else None
    return None


def _raised(value: str, key: Parameter, live: Live, kept: Kept | None, declared: Setting) -> str | None:
    """The value that is nowhere below the declared one and the one that is not ours; None where it is the latter.

    A range is raised by widening it, which makes its first number smaller.
    """
    is_ours = kept is not None and live.value == kept.live
    found = kept.former if kept is not None and is_ours else live.value
    if found is None:
        return value
    floor, there = numbers(value) or [], numbers(found)
    if there is None or len(there) != len(floor):
        raise DeclarationError(declared.path, f"raise_only compares numbers, and what is there is {found!r}")
    is_range = key.name.endswith("_range")
    raised = [min(pair) if is_range and n == 0 else max(pair) for n, pair in enumerate(zip(floor, there))]
    return None if raised == there else " ".join(map(str, raised))


def _told(live: str | None, at_boot: str | None) -> dict[str, Any]:
    return {name: value for name, value in (("live", live), ("drop_in", at_boot)) if value is not None}

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters of the host and of a container's namespaces: as they are declared, and as the kernel holds them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .errors import DeclarationError
from .spec import under

SPEC: dict[str, dict[str, Any]] = {
    "container": {"type": "str"},
    "values": {"type": "dict", "default": {}},
    "networks": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "raise_only": {"type": "bool", "default": False},
    "exact": {"type": "list", "elements": "str", "default": []},
}

HOST = "host"
"""Stands for the host where a container's ID stands otherwise."""

INTERFACE = "IFNAME"
"""Stands in a key for the interface on a network."""

_PART = re.compile(r"[\w:@+-]+(?:/[\w:@+-]+)*", re.ASCII)
_SWAPPED = str.maketrans("./", "/.")
_OF_INTERFACE = re.compile(r"net\.(?:ipv4|ipv6|mpls)\.(?:conf|neigh)\.(?!all\.|default\.|lo\.)([^.]+)\.")
_NAMESPACES = (
    ("net", re.compile(r"net\.")),
    (
        "ipc",
        re.compile(r"fs\.mqueue\.|kernel\.(?:auto_msgmni|(?:msg|sem|shm)_next_id|msg(?:max|mnb|mni)|sem|shm\w+)$"),
    ),
    ("uts", re.compile(r"kernel\.(?:hostname|domainname|ostype|osrelease|version)$")),
)


class Parameter(NamedTuple):
    """A kernel parameter: what tells it from another.

    ``name`` has dots between its parts, and a slash for a dot within one, as in ``net.ipv4.conf.eth0/7.rp_filter``.
    With ``network`` it has IFNAME in the place of the interface on it.
    """

    name: str
    network: str = ""

    def __str__(self) -> str:
        return f"{self.name} on {self.network}" if self.network else self.name

    @property
    def namespace(self) -> str | None:
        """The kind of namespace that has its own: net, ipc or uts; with none it is the machine's."""
        return next((kind for kind, names in _NAMESPACES if names.match(self.name)), None)

    @property
    def rank(self) -> tuple[int, int]:
        """The order to set parameters in: those first that change others, as a switch for all interfaces does."""
        return (self.name != "net.ipv4.ip_forward", 0 if ".conf.all." in self.name else 1)


@dataclass(frozen=True)
class Live:
    """A parameter as the kernel has it: ``value`` is None where it has none to tell.

    ``module`` is the kernel module that it comes with, to be loaded before it can be set.
    """

    value: str | None = None
    readable: bool = True
    writable: bool = True
    module: str = ""


@dataclass(frozen=True)
class Kept:
    """What is remembered of a parameter that we have set: ``former`` was found before, ``value`` was written.

    ``live`` is what the kernel has made of ``value``: it rounds some, and spells others its own way.
    """

    former: str | None
    value: str
    live: str | None


@dataclass(frozen=True)
class Space:
    """The parameters of the host or of a container, each read when it is looked at; a key that is not there is unknown.

    ``drop_in`` and ``modules`` are what we set and load when the host boots, ``later`` what is set after that and by
    which file. ``borrowed`` are the kinds of namespaces that a container has not for itself, ``fresh`` the networks
    whose interface is yet to come; without ``seen`` nothing runs that could be looked at.
    """

    live: Mapping[Parameter, Live] = field(default_factory=dict)
    kept: Mapping[Parameter, Kept] = field(default_factory=dict)
    drop_in: Mapping[str, str] = field(default_factory=dict)
    modules: AbstractSet[str] = frozenset()
    later: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    borrowed: AbstractSet[str] = frozenset()
    fresh: AbstractSet[str] = frozenset()
    seen: bool = False
    siblings: Callable[[Parameter], Iterable[str]] = field(default=lambda _key: (), compare=False)
    """The names beside one: what may have been meant."""


@dataclass(frozen=True)
class Setting:
    """One declared parameter; ``value`` is in canonical form, None where it is to go.

    Of a ``floor``, what is higher and not ours stays.
    """

    key: Parameter
    value: str | None
    floor: bool = False
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class Sysctls:
    """The declared parameters of the host, or of ``container``."""

    container: str | None = None
    settings: tuple[Setting, ...] = ()
    state: str = "present"
    path: str = field(default="", compare=False)

    @classmethod
    def read(cls, args: Mapping[str, Any], path: str = "") -> Sysctls:
        """The parameters that ``args``, which SPEC has accepted, declare."""
        container = args["container"]
        if container == "":
            raise DeclarationError(under(path, "container"), "is empty; leave it out for the host")
        if args["networks"] and container is None:
            raise DeclarationError(under(path, "networks"), "goes with a container alone")
        settings = tuple(_settings(args, path))
        named = {each.key.name for each in settings if not each.key.network}
        for n, text in enumerate(args["exact"]):
            if name(text, under(path, f"exact[{n}]")) not in named:
                raise DeclarationError(under(path, f"exact[{n}]"), f"{text} is not among values")
        if not settings:
            raise DeclarationError(under(path, "values"), "lists no key; there is nothing to do")
        seen: dict[Parameter, str] = {}
        for each in settings:
            if each.key in seen:
                raise DeclarationError(each.path, f"{each.key} is given already, as {seen[each.key]}")
            seen[each.key] = each.path
        return cls(container, settings, args["state"], path)

    def at(self, key: str) -> str:
        """The path of the field ``key`` of this declaration."""
        return under(self.path, key)


def canonical(value: str) -> str:
    """A value as it is compared: the kernel separates what it lists with tabs, people with blanks."""
    return " ".join(value.split())


def numbers(value: str) -> list[int] | None:
    """The numbers that a value lists, None where it is text or nothing."""
    try:
        return [int(each) for each in value.split()] or None
    except ValueError:
        return None


def name(text: str, path: str = "") -> str:
    """The canonical name of a key, which sysctl takes with dots or with slashes between its parts."""
    found = text.translate(_SWAPPED) if "/" in text.partition(".")[0] else text
    parts = found.split(".")
    if len(parts) < 2 or not all(map(_PART.fullmatch, parts)) or found.startswith("-"):
        raise DeclarationError(path, f"{text!r} is not a kernel parameter, as in net.ipv4.ip_forward")
    return found


def file_of(canonical_name: str) -> str:
    """Where the kernel shows a parameter, below /proc/sys."""
    return canonical_name.translate(_SWAPPED)


def _settings(args: Mapping[str, Any], path: str) -> Iterator[Setting]:
    exact = {name(each, under(path, f"exact[{n}]")) for n, each in enumerate(args["exact"])}
    for text, value in args["values"].items():
        where = under(under(path, "values"), str(text))
        key = name(str(text), where)
        if INTERFACE in key.split("."):
            raise DeclarationError(where, f"{INTERFACE} stands for the interface on a network: it goes under networks")
        found = _OF_INTERFACE.match(key)
        if found and args["container"] is not None:
            raise DeclarationError(
                where,
                f"an engine names '{found[1]}' anew at every reconnect; give it under networks, by the network's name:"
                f" {key.replace(f'.{found[1]}.', f'.{INTERFACE}.')}",
            )
        floor = args["raise_only"] and key not in exact
        yield Setting(Parameter(key), _value(value, where, args["state"], floor), floor, where)
    for network, given in args["networks"].items():
        below = under(under(path, "networks"), str(network))
        if not isinstance(given, Mapping):
            raise DeclarationError(below, f"expected a dictionary of keys and values, found {given!r}")
        for text, value in given.items():
            where = under(below, str(text))
            key = name(str(text), where)
            if key.split(".").count(INTERFACE) != 1 or not _OF_INTERFACE.match(key):
                raise DeclarationError(
                    where,
                    f"has no {INTERFACE} in the place of the interface, as in net.ipv4.conf.{INTERFACE}.rp_filter",
                )
            floor = args["raise_only"]
            yield Setting(Parameter(key, str(network)), _value(value, where, args["state"], floor), floor, where)


def _value(value: Any, path: str, state: str, floor: bool) -> str | None:
    if state == "absent":
        return None
    if isinstance(value, bool):
        raise DeclarationError(path, f"expected a number or text, found {value!r}; a switch is 1 or 0")
    if not isinstance(value, (int, str)):
        raise DeclarationError(path, f"expected a number or text, found {value!r}")
    found = canonical(str(value))
    if not found.isprintable():
        raise DeclarationError(path, f"expected one line of text, found {value!r}")
    if floor and numbers(found) is None:
        raise DeclarationError(path, f"raise_only compares numbers, and {value!r} is none; name the key in exact")
    return found

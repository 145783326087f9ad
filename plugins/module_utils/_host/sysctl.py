# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters read and written: live, in the namespaces of containers, and in what a host sets at its boot."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from .._model.connection import Container
from .._model.errors import DeclarationError, HostError, Rejected
from .._model.step import RestoreSysctl, SetSysctl
from .._model.sysctl import HOST, INTERFACE, Kept, Live, Parameter, Space, canonical, file_of, name
from . import files, setns
from .command import run
from .namespace import Namespace, interface

PROC = Path("/proc/sys")
KEPT = Path("/var/lib/breakwater/sysctl")
DROP_IN = Path("/etc/sysctl.d/60-breakwater.conf")
MODULES = Path("/etc/modules-load.d/breakwater-sysctl.conf")
LOADED = Path("/proc/modules")
FOLDERS = tuple(
    Path(each) for each in ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
)
"""Where systemd-sysctl looks: of two files of one name, the one in the earlier folder counts."""

_PROVIDERS = {"net.netfilter.nf_conntrack_": "nf_conntrack", "net.bridge.": "br_netfilter"}
_HEAD = "# Written by breakwater.docker.sysctl, which sets and removes its lines.\n"
_REASONS = {
    errno.EINVAL: "out of range, or of another kind than the kernel wants",
    errno.ERANGE: "out of range",
    errno.EPERM: "not permitted here: it is the machine's on which this host itself is a container, or is locked",
    errno.EACCES: "not permitted here: it is the machine's on which this host itself is a container, or is locked",
    errno.EROFS: "the parameters are mounted read-only here",
}


class Spaces(Mapping[str, Space]):
    """The parameters of the host, as ``HOST``, and of containers by full ID."""

    def __init__(self, containers: Mapping[str, Container], namespaces: Mapping[str, Namespace]) -> None:
        self._containers = containers
        self._namespaces = namespaces
        self._seen: dict[str, Space] = {}

    def __getitem__(self, owner: str) -> Space:
        if owner not in self._seen:
            self._seen[owner] = _of_host() if owner == HOST else self._of(self._containers[owner])
        return self._seen[owner]

    def _of(self, container: Container) -> Space:
        if container.netns is None:
            return Space(kept=_records(container.id))
        live = _Live(container, self._namespaces)
        borrowed = frozenset(kind for kind in ("ipc", "uts") if setns.is_own(_namespace(container, kind), kind))
        return Space(live, _records(container.id), borrowed=borrowed, seen=True, siblings=live.siblings)

    def __iter__(self) -> Iterator[str]:
        yield HOST
        yield from self._containers

    def __len__(self) -> int:
        return 1 + len(self._containers)


class _Live(Mapping[Parameter, Live]):
    """The parameters of a container that runs, or of the host, each read once."""

    def __init__(self, container: Container | None = None, namespaces: Mapping[str, Namespace] | None = None) -> None:
        self._container = container
        self._namespaces = namespaces or {}
        self._seen: dict[Parameter, Live | None] = {}

    def __getitem__(self, key: Parameter) -> Live:
        if key not in self._seen:
            self._seen[key] = self._look(key)
        found = self._seen[key]
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def siblings(self, key: Parameter) -> list[str]:
        """The names beside ``key``."""
        parent = key.name.rpartition(".")[0]
        name = self._name(Parameter(f"{parent}.x", key.network))
        if name is None:
            return []
        with _within(self._container, key):
            try:
                return [f"{parent}.{each.name.replace('.', '/')}" for each in (PROC / file_of(name)).parent.iterdir()]
            except OSError:
                return []

    def _look(self, key: Parameter) -> Live | None:
        name = self._name(key)
        if name is None:
            return None
        module = "" if self._container else _module(name)
        try:
            with _within(self._container, key):
                path = PROC / file_of(name)
                if not path.is_file():
                    return Live(module=module) if module else None
                mode = path.stat().st_mode
                return Live(read(name), bool(mode & 0o444), bool(mode & 0o222), module)
        except FileNotFoundError as error:
            raise _stopped(self._container) from error

    def _name(self, key: Parameter) -> str | None:
        if not key.network or self._container is None:
            return key.name
        networks = self._namespaces[self._container.id].networks
        return next((_filled(key, each) for each, network in networks.items() if network == key.network), None)


def _records(owner: str) -> dict[Parameter, Kept]:
    """What is remembered of the host or of a container."""
    path = KEPT / f"{owner}.json"
    found = files.read(path, {})
    try:
        return {
            Parameter(name, network): Kept(each["former"], each["value"], each["live"])
            for network, names in found.items()
            for name, each in names.items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise files.garbled(path) from error


def read(name: str) -> str | None:
    """The value of a parameter where we are; None where there is none, or the kernel tells none."""
    try:
        return canonical((PROC / file_of(name)).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def write(name: str, value: str) -> None:
    """Set a parameter where we are; HostError says why the kernel refuses."""
    try:
        (PROC / file_of(name)).write_text(f"{value}\n", encoding="utf-8")
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise HostError(f"the kernel refuses {value!r} for {name}: {reason}") from error


def refuse_redirects(container: Container, version: int) -> None:
    """Have a container believe no ICMP redirect: a way that is declared is not for others to change.

    A gateway container that starts has one network before the other, and tells whoever asks it meanwhile to go by the
    host. The kernel would believe that for five minutes, beside the route.
    """
    folder = f"net/ipv{version}/conf"
    try:
        with setns.entered(_namespace(container, "net"), "net"):
            for each in (PROC / folder).iterdir():
                (PROC / f"{folder}/{each.name}/accept_redirects").write_text("0\n", encoding="ascii")
    except FileNotFoundError:
        return  # the container has ended, or has no such IP version: the route will say so
    except OSError as error:
        raise HostError(f"container '{container.name}' goes on to accept ICMP redirects: {error.strerror}") from error


def apply(
    action: SetSysctl | RestoreSysctl, container: Container | None, known: Callable[[], Iterable[str]] = tuple
) -> None:
    """Set or restore one parameter; ``known`` are the IDs of the containers that there are."""
    if isinstance(action, SetSysctl):
        _set(action, container, known)
    else:
        _restore(action, container)


def _set(action: SetSysctl, container: Container | None, known: Callable[[], Iterable[str]]) -> None:
    owner, key, value = action.container_id, action.key, action.value
    name = _filled(key, interface(container, key.network)) if container and key.network else key.name
    before = _records(owner)
    with _within(container, key):
        if action.module and read(name) is None:
            run(["modprobe", action.module])
        former = before[key].former if key in before else read(name)
    # Written down first: what was found is never forgotten, wherever we are killed.
    _keep(owner, {**before, key: Kept(former, value, value)}, known)
    try:
        with _within(container, key):
            write(name, value)
            live = read(name)
    except HostError as error:
        _keep(owner, before, known)
        raise Rejected(action.path, str(error)) from error
    if live != value:
        _keep(owner, {**before, key: Kept(former, value, live)}, known)
    if container is None:
        _at_boot({**drop_in(), key.name: value}, {*modules(), action.module} - {""})


def _restore(action: RestoreSysctl, container: Container | None) -> None:
    owner, key = action.container_id, action.key
    if action.value is not None and (owner == HOST or (container and container.netns)):
        name = _filled(key, interface(container, key.network)) if container and key.network else key.name
        with _within(container, key):
            write(name, action.value)
    if owner == HOST:
        left = {each: value for each, value in drop_in().items() if each != key.name}
        _at_boot(left, {each for each in modules() if any(_provider(one) == each for one in left)})
    _keep(owner, {each: kept for each, kept in _records(owner).items() if each != key})


def _keep(owner: str, records: Mapping[Parameter, Kept], known: Callable[[], Iterable[str]] | None = None) -> None:
    path = KEPT / f"{owner}.json"
    if not records:
        files.remove(path)
        return
    if known and not path.exists() and KEPT.is_dir():
        there = {HOST, *known()}
        for each in KEPT.glob("*.json"):
            if each.stem not in there:
                files.remove(each)  # of a container that is gone
    told: dict[str, dict[str, dict[str, str | None]]] = {}
    for key, kept in records.items():
        told.setdefault(key.network, {})[key.name] = {"former": kept.former, "value": kept.value, "live": kept.live}
    files.write_text(path, files.text(told))


def drop_in() -> dict[str, str]:
    """What our drop-in sets when the host boots."""
    return dict(_lines(DROP_IN))


def modules() -> set[str]:
    """The kernel modules that we have loaded when the host boots."""
    try:
        text = MODULES.read_text(encoding="utf-8")
    except FileNotFoundError:
        return set()
    return {line for line in text.splitlines() if line and not line.startswith("#")}


def _at_boot(values: Mapping[str, str], wanted: Iterable[str]) -> None:
    lines = {
        DROP_IN: [f"{each} = {values[each]}" for each in sorted(values, key=lambda one: (Parameter(one).rank, one))],
        MODULES: sorted(wanted),
    }
    for path, each in lines.items():
        if each:
            files.write_text(path, _HEAD + "".join(f"{line}\n" for line in each), 0o644)
        else:
            files.remove(path)


def _of_host() -> Space:
    live = _Live()
    return Space(
        live, _records(HOST), drop_in(), frozenset(modules()), dict(_later()), seen=True, siblings=live.siblings
    )


def _later() -> Iterator[tuple[str, tuple[str, str]]]:
    """What the files set that come after ours: parameters, each with the file and its value."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in folder.glob("*.conf"):
            found.setdefault(path.name, path)
    for each in sorted(found):
        if each > DROP_IN.name:
            for key, value in _lines(found[each]):
                yield key, (str(found[each]), value)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The settings in a file of sysctl.d; what is none of one parameter, a pattern for one, is passed over."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if not separator or key.startswith(("#", ";")):
            continue
        try:
            yield name(key.strip().lstrip("-")), canonical(value)
        except DeclarationError:
            continue


def _module(of: str) -> str:
    """The kernel module that a parameter comes with, if it is one and not built in."""
    module = _provider(of)
    if not module:
        return ""
    try:
        if any(line.startswith(f"{module} ") for line in LOADED.read_text(encoding="ascii").splitlines()):
            return module
        return module if run(["modinfo", "-F", "filename", module]).startswith("/") else ""
    except (OSError, HostError):
        return ""


def _provider(of: str) -> str:
    return next((module for start, module in _PROVIDERS.items() if of.startswith(start)), "")


def _filled(key: Parameter, interface_name: str) -> str:
    return key.name.replace(INTERFACE, interface_name.replace(".", "/"))


def _within(container: Container | None, key: Parameter) -> AbstractContextManager[None]:
    """Being where the parameter is the container's."""
    kind = key.namespace
    if container is None or kind is None:
        return nullcontext()
    return setns.entered(_namespace(container, kind), kind)


def _namespace(container: Container, kind: str) -> str:
    return str(Path(container.netns or "").with_name(kind))


def _stopped(container: Container | None) -> HostError:
    return HostError(f"container '{container.name if container else HOST}' has stopped meanwhile")

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts files of containers, read and written where the engine has them: each is mounted into its container.

Hence no draft that is renamed: the container would keep the former file. Engines 20.10 to 28.5 append a line where a
container is connected, take it out where it is disconnected, and write the file anew when the container starts.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from .._model.connection import Container
from .._model.errors import HostError
from .._model.hosts_file import LiveHostsFile
from .._model.step import SetHostsFile

_MARK = re.compile(r"# (BEGIN|END) breakwater (.+)")
_MOST = 1 << 20
"""Bytes that are read: who is root in the container may have written without end."""


class HostsFiles(Mapping[str, LiveHostsFile]):
    """The hosts files of running containers by full ID, each read when it is first looked at."""

    def __init__(self, containers: Mapping[str, Container]) -> None:
        self._containers = containers
        self._seen: dict[str, LiveHostsFile] = {}

    def __getitem__(self, container_id: str) -> LiveHostsFile:
        if container_id not in self._seen:
            self._seen[container_id] = _observed(self._containers[container_id])
        return self._seen[container_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._containers)

    def __len__(self) -> int:
        return len(self._containers)


def apply(action: SetHostsFile, container: Container) -> None:
    """Write the block of one owner, or take it away."""
    block = [f"# BEGIN breakwater {action.owner}", *action.lines, _end(action.owner)]
    added = _text(block if action.lines else ())
    try:
        descriptor = _opened(container)
        try:
            text = _read(descriptor)
            rest, blocks = _split(text)
            if action.owner not in blocks and text[-1:] in ("", "\n"):
                # The engine may append a line of its own meanwhile.
                fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
                _write(descriptor, added)
            else:
                others = (_text(each) for owner, each in blocks.items() if owner != action.owner)
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.ftruncate(descriptor, _write(descriptor, _text(rest) + "".join(others) + added))
        finally:
            os.close(descriptor)
    except (OSError, HostError) as error:
        raise HostError(f"container '{container.name}' {_why(error)}") from error


def _observed(container: Container) -> LiveHostsFile:
    if container.netns is None or container.shares not in (None, "none"):
        return LiveHostsFile()
    try:
        descriptor = _opened(container)
        try:
            blocks = _split(_read(descriptor))[1]
        finally:
            os.close(descriptor)
    except (OSError, HostError) as error:
        return LiveHostsFile(obstacle=_why(error))
    return LiveHostsFile(
        {owner: tuple(each[1:-1] if each[-1] == _end(owner) else each) for owner, each in blocks.items()}
    )


def _opened(container: Container) -> int:
    """The file, for reading and writing; HostError if it is somebody's own."""
    path = Path(container.hosts_path)
    # A file that was mounted there at the container's creation is what the engine then takes for the container's.
    if (path.name, path.parent.name) != ("hosts", container.id):
        raise HostError("has a file at /etc/hosts that was mounted there, and is not the engine's")
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HostError("has no regular hosts file")
    return descriptor


def _read(descriptor: int) -> str:
    found = os.read(descriptor, _MOST + 1)
    if len(found) > _MOST:
        raise HostError(f"has a hosts file of more than {_MOST} bytes")
    return found.decode("utf-8", "surrogateescape")


def _write(descriptor: int, text: str) -> int:
    data = text.encode("utf-8", "surrogateescape")
    if os.write(descriptor, data) != len(data):
        raise HostError("has a hosts file that could not be written whole: is the disk full?")
    return len(data)


def _split(text: str) -> tuple[list[str], dict[str, list[str]]]:
    """The lines of nobody, and by owner those of its block, the marks among them.

    A block that was not written to its end goes up to the next one, and two of one owner are one, to be mended.
    """
    rest: list[str] = []
    blocks: dict[str, list[str]] = {}
    owner = ""
    for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
        mark = _MARK.fullmatch(line)
        owner = mark[2] if mark else owner
        (blocks.setdefault(owner, []) if owner else rest).append(line)
        if mark and mark[1] == "END":
            owner = ""
    return rest, blocks


def _end(owner: str) -> str:
    return f"# END breakwater {owner}"


def _text(of_lines: list[str] | tuple[str, ...]) -> str:
    return "".join(f"{each}\n" for each in of_lines)


def _why(error: OSError | HostError) -> str:
    return f"has a hosts file that cannot be written: {error.strerror}" if isinstance(error, OSError) else str(error)

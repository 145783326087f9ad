# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A /proc/sys in memory: its files are those of the namespace that one is in, as the kernel has it."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_kernel import FakeKernel, Namespace

_OF_LINK = re.compile(r"net/ipv4/conf/(?!all/|default/)([^/]+)/(\w+)")
_NAMESPACED = ("net/", "kernel/shm", "kernel/domainname")
_MODES = {"kernel/osrelease": 0o444, "net/ipv4/route/flush": 0o200}
_LIMITS = {"net/ipv4/tcp_syn_retries": 127}


class FakeProc:
    """Stands in for the path of /proc/sys and for ``setns``."""

    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel = kernel
        self.space = kernel.host

    def __truediv__(self, name: str) -> FakeFile:
        return FakeFile(self, name)

    @contextmanager
    def entered(self, namespace: str, kind: str = "net") -> Iterator[None]:
        found = self.kernel.namespaces.get(int(namespace.split("/")[2]))
        if found is None or not namespace.endswith(f"/ns/{kind}"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", namespace)
        self.space, outside = found, self.space
        try:
            yield
        finally:
            self.space = outside

    @staticmethod
    def is_own(namespace: str, kind: str) -> bool:
        """Whether a namespace is the host's: here, each container has its own."""
        return not namespace.endswith(f"/ns/{kind}")


@dataclass
class FakeFile:
    """One file of it, or a folder."""

    proc: FakeProc
    name: str

    @property
    def parent(self) -> FakeFile:
        return FakeFile(self.proc, self.name.rpartition("/")[0])

    def iterdir(self) -> Iterator[SimpleNamespace]:
        beside = {each.rsplit("/", 1)[1] for each in files(self.proc.space) if each.rpartition("/")[0] == self.name}
        return (SimpleNamespace(name=each) for each in sorted(beside))

    def is_file(self) -> bool:
        return self._key in self._home

    def stat(self) -> SimpleNamespace:
        is_foreign = self.proc.space is not self.proc.kernel.host and self.name == "net/core/rmem_max"
        return SimpleNamespace(st_mode=0o444 if is_foreign else _MODES.get(self.name, 0o644))

    def read_text(self, **_options: str) -> str:
        if not self.is_file() or not self.stat().st_mode & 0o444:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", self.name)
        return f"{self._home[self._key]}\n"

    def write_text(self, text: str, **_options: str) -> None:
        if not self.is_file():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", self.name)
        if self.name in _LIMITS and int(text) > _LIMITS[self.name]:
            raise OSError(errno.EINVAL, "Invalid argument", self.name)
        # The kernel reads numbers in any base, and shows them in one.
        self._home[self._key] = "\t".join(str(int(each, 16)) if each[:2] == "0x" else each for each in text.split())

    @property
    def _home(self) -> MutableMapping[str, str]:
        space = self.proc.space if self.name.startswith(_NAMESPACED) else self.proc.kernel.host
        found = _OF_LINK.fullmatch(self.name)
        if not found:
            return space.sysctls
        return next((each.sysctls for each in space.links if each.name == found[1]), {})

    @property
    def _key(self) -> str:
        found = _OF_LINK.fullmatch(self.name)
        return found[2] if found else self.name


def files(space: Namespace) -> dict[str, str]:
    """All that a namespace has for itself, by path."""
    links = {f"net/ipv4/conf/{one.name}/{each}": value for one in space.links for each, value in one.sysctls.items()}
    return {**space.sysctls, **links}

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own packages as one program file, that Python runs on the managed host."""

from __future__ import annotations

import hashlib
import io
import pkgutil
import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .._model.errors import HostError
from . import files

PATH = Path("/usr/local/sbin/breakwater")
_HOME = __name__.rpartition("._host.")[0]
_NAME = "breakwater"
_NEEDS_ANSIBLE = "_run"


def built(entry: str) -> bytes:
    """The program whose ``main`` is in the module ``entry``, of all that module_utils has but for what needs Ansible.

    A module finds these packages beside itself, in what Ansible brings to the host. The same packages give the same
    bytes.
    """
    stream = io.BytesIO()
    stream.write(f"#!{sys.executable}\n".encode())
    start = f"from {_NAME}{entry.removeprefix(_HOME)} import main\n\nraise SystemExit(main())\n"
    with zipfile.ZipFile(stream, "a") as archive:
        for name, source in [("__main__.py", start.encode()), *sorted(_sources(_HOME, _NAME))]:
            archive.writestr(zipfile.ZipInfo(name), source)
    return stream.getvalue()


def bring(entry: str | None, check: bool) -> dict[str, Any]:
    """Put the program of ``entry`` in its place, or with none take it away; a module's result.

    Who runs the one of before runs on.
    """
    there, wanted = _there(), built(entry) if entry else None
    if there != wanted and not check:
        if wanted is None:
            files.remove(PATH)
        else:
            files.write_bytes(PATH, wanted, mode=0o755)
    diff = {"before": _shown(there), "after": _shown(wanted), "before_header": str(PATH), "after_header": str(PATH)}
    return {"changed": there != wanted, "path": str(PATH), "diff": diff}


def _there() -> bytes | None:
    try:
        return PATH.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError(f"{PATH} could not be read: {error.strerror}") from error


def _shown(program: bytes | None) -> str:
    return "" if program is None else f"sha256 {hashlib.sha256(program).hexdigest()}\n"


def _sources(package: str, path: str) -> Iterator[tuple[str, bytes]]:
    yield f"{path}/__init__.py", b""
    for each in pkgutil.iter_modules(import_module(package).__path__):
        if each.ispkg:
            yield from _sources(f"{package}.{each.name}", f"{path}/{each.name}")
        elif each.name != _NEEDS_ANSIBLE:
            yield f"{path}/{each.name}.py", _source(f"{package}.{each.name}")


def _source(module: str) -> bytes:
    spec = find_spec(module)
    loader: Any = spec.loader if spec else None  # of files here, of an archive on a managed host
    source = loader.get_source(module) if loader else None
    if source is None:
        raise HostError(f"the source of {module} is not there")
    return source if isinstance(source, bytes) else str(source).encode()  # bytes by Ansible's own loader

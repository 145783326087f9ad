# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper's program is the collection's own packages, byte for byte, and nothing else."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch
from zipfile import ZipFile

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._host import program
from ansible_collections.breakwater.docker.plugins.module_utils._keeper import command

PACKAGES = Path(program.__file__).parents[1]


def test_its_packages_are_the_collections() -> None:
    built = program.built(command.__name__)
    assert built == program.built(command.__name__) and built.startswith(f"#!{sys.executable}\n".encode())
    archive = ZipFile(io.BytesIO(built))
    found = {name: archive.read(name) for name in archive.namelist()}
    start = found.pop("__main__.py")
    assert b"from breakwater._keeper.command import main" in start
    wanted = {f"breakwater/{path.relative_to(PACKAGES).as_posix()}": path for path in PACKAGES.rglob("*.py")}
    del wanted["breakwater/_run.py"]  # Ansible's side of the loop
    assert found.pop("breakwater/__init__.py") == b""
    wanted.pop("breakwater/__init__.py", None)
    assert found.keys() == wanted.keys()
    assert [name for name, path in wanted.items() if found[name] != path.read_bytes()] == []
    assert not [name for name, source in found.items() if b"import ansible" in source or b"from ansible" in source]


def test_it_is_put_there_once_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "sbin" / "breakwater"
    with patch.object(program, "PATH", path):
        for check, there in ((True, False), (False, True)):
            assert program.bring(command.__name__, check)["changed"]
            assert path.exists() == there
        assert not program.bring(command.__name__, check=False)["changed"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o755
        path.write_bytes(b"something else")
        assert program.bring(command.__name__, check=True)["changed"]
        for check, there in ((True, True), (False, False)):
            assert program.bring(None, check)["changed"]
            assert path.exists() == there
        assert not program.bring(None, check=False)["changed"]


@pytest.mark.parametrize("argv", [["--help"], ["keep", "--help"], ["restore", "--help"], ["status", "--help"]])
def test_it_runs_alone(tmp_path: Path, argv: list[str]) -> None:
    path = tmp_path / "breakwater"
    path.write_bytes(program.built(command.__name__))
    done = subprocess.run(
        [sys.executable, "-I", str(path), *argv], capture_output=True, timeout=60, check=False, encoding="utf-8"
    )
    assert done.returncode == 0 and done.stdout.startswith("usage: breakwater"), done.stderr

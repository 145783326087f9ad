# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrows of the design: modules -> _run, _keeper -> _loop -> _host, _plan -> _model, and none the other way."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import _loop
from ansible_collections.breakwater.docker.plugins.module_utils._model import (
    connection,
    hosts_file,
    network,
    route,
    sysctl,
    topology,
    tunnel,
)
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import KINDS

UTILS = Path(_loop.__file__).parent
MODULES = UTILS.parent / "modules"
COLLECTION = "ansible_collections.breakwater.docker.plugins.module_utils"

MAY_IMPORT = {
    "_model": {"_model"},
    "_plan": {"_plan", "_model"},
    "_host": {"_host", "_model"},
    "_loop": {"_host", "_plan", "_model"},
    "_switch": {"_host", "_plan", "_model"},
    "_kinds": {"_loop", "_plan", "_model"},
    "_run": {"_loop", "_host", "_model"},
    "_keeper": {"_keeper", "_kinds", "_loop", "_host", "_plan", "_model"},
    "modules": {"_run", "_switch", "_kinds", "_loop", "_keeper", "_plan", "_host", "_model"},
}
"""Which rooms each room may import from."""

BESIDES = {
    "_model": set(),
    "_plan": set(),
    "_host": {"docker", "requests"},
    "_loop": set(),
    "_switch": set(),
    "_kinds": set(),
    "_run": {"ansible"},
    "_keeper": set(),
    "modules": {"ansible"},
}
"""What each room may import beside the standard library."""


def files() -> list[Path]:
    """Every Python file that runs on a managed host."""
    return sorted(path for folder in (UTILS, MODULES) for path in folder.rglob("*.py") if path.name != "__init__.py")


def room(path: Path) -> str:
    """The room that a file lies in."""
    if MODULES in path.parents:
        return "modules"
    return path.relative_to(UTILS).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """What a file imports, wherever in it: the level of a relative import, and the dotted name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from ((node.level, f"{base}.{each.name}".lstrip(".")) for each in node.names)


def imported_room(path: Path, level: int, name: str) -> str | None:
    """The room of the collection that an import leads to; none for what is foreign."""
    if level:
        package = path.parent
        for _step in range(level - 1):
            package = package.parent
        return (package.relative_to(UTILS).parts + tuple(name.split(".")))[0]
    return name.removeprefix(f"{COLLECTION}.").split(".")[0] if name.startswith(COLLECTION) else None


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(UTILS.parent)))
def test_arrows(path: Path) -> None:
    here = room(path)
    for level, name in imports(path):
        there = imported_room(path, level, name)
        if there is not None:
            assert there in MAY_IMPORT[here], f"{here} must not know {there}"
            assert level or here == "modules", f"within module_utils imports are relative, {name} is not"
        else:
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top == "__future__" or top in BESIDES[here], name


@pytest.mark.parametrize("module", sorted(KINDS))
def test_a_module_runs_on_a_spec_of_the_model(module: str) -> None:
    specs = {
        f"{path.stem}.{name}": value
        for path in (UTILS / "_model").glob("*.py")
        for name, value in vars(sys.modules.get(f"{COLLECTION}._model.{path.stem}", object)).items()
        if name.endswith("SPEC")
    }
    assert any(KINDS[module].spec is each for each in specs.values()), sorted(specs)


@pytest.mark.parametrize(
    ("key", "module", "spec"),
    [
        ("networks", "network", network.SPEC),
        ("connections", "connection", connection.SPEC),
        ("sysctls", "sysctl", sysctl.SPEC),
        ("routes", "route", route.SPEC),
        ("hosts_files", "hosts_file", hosts_file.SPEC),
        ("tunnels", "tunnel", tunnel.SPEC),
    ],
)
def test_an_item_of_a_topology_is_what_the_module_takes(key: str, module: str, spec: object) -> None:
    option = topology.SPEC[key]
    assert (option["type"], option["elements"]) == ("list", "dict")
    assert option["options"] is spec
    assert KINDS[module].spec is spec


def test_every_room_is_known() -> None:
    assert {room(path) for path in files()} == set(MAY_IMPORT)


def test_no_module_holds_logic() -> None:
    """A module is documentation and main(): nothing that a keeper would have to do again."""
    for path in MODULES.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        assert defined in ([], ["main"]), f"{path.name}: {defined}"

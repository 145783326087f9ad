# SPDX-License-Identifier: GPL-3.0-or-later
"""The systems of the source documents, an inventory file each: they converge, rest, and no cell of theirs differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_host import ROOT, fleet
from playbook import play

BY_MOLECULE = {"blue-green", "dmz", "three-tier"}
"""What the scenarios of the roles measure already."""
FOLDER = ROOT / "inventories" / "patterns"
PATTERNS = sorted(path.name for path in FOLDER.glob("*.yml") if path.stem not in BY_MOLECULE)


@pytest.fixture(params=PATTERNS)
def pattern(request: pytest.FixtureRequest) -> Iterator[str]:
    """The path of an inventory, on an empty fleet."""
    hosts = fleet()
    for each in hosts:
        each.wipe()
    yield f"inventories/patterns/{request.param}"
    for each in hosts:
        each.wipe()


def test_the_whole_truth_table(pattern: str, tmp_path: Path) -> None:
    first, again = play(pattern, "site"), play(pattern, "site")
    assert all(first.changed.values()) and not any(again.changed.values())
    told = json.dumps({"breakwater_verify_report": str(tmp_path)})
    play(pattern, "verify", "--inventory=molecule/inventory.yml", "--extra-vars", told)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    cells = {name: host["cells"] for name, host in report["hosts"].items()}
    print(f"{pattern}: {', '.join(f'{len(each)} cells on {name}' for name, each in cells.items())}")
    assert set(cells) == {each.name for each in fleet()}
    for name, each in cells.items():
        assert len(each) > 100 and not report["hosts"][name]["differs"]
        assert any(cell["origin"] == "outside" for cell in each), "the outside has not tried"
    assert play(pattern, "teardown").changed

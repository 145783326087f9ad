# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gate: what a role documents is what it does. For each role, meta/argument_specs.yml ≡ defaults/main.yml.

Every public variable carries the role's prefix, and its default stands in both files or in neither.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ABSENT = "no default"


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty one where there is no file."""
    if not path.exists():
        return {}
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def spelt(values: dict[str, Any], name: str) -> str:
    """The default of ``name`` as text that tells true from 1, and an empty string from none."""
    return json.dumps(values[name], sort_keys=True) if name in values else ABSENT


def differences(role: Path) -> Iterator[str]:
    """Each way in which the two files of ``role`` disagree, as a sentence."""
    prefix = f"breakwater_{role.name}_"
    defaults = read(role / "defaults" / "main.yml")
    entry_points = read(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    if "main" not in entry_points:
        yield "meta/argument_specs.yml has no entry point `main`"

    documented: set[str] = set()
    for entry_point, spec in entry_points.items():
        for name, option in spec.get("options", {}).items():
            documented.add(name)
            if not name.startswith(prefix):
                yield f"{entry_point}: {name} lacks the prefix {prefix}"
            in_spec, in_defaults = spelt(option, "default"), spelt(defaults, name)
            if in_spec != in_defaults:
                yield f"{entry_point}: {name}: {in_spec} in the spec, {in_defaults} in defaults"
            if option.get("required") and in_defaults != ABSENT:
                yield f"{entry_point}: {name} is required, so it can have no default"
    for name in sorted(defaults.keys() - documented):
        yield f"{name} stands in defaults/main.yml, but not in argument_specs"


def main() -> int:
    """Judge every role, and say how many there were."""
    roles = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())
    wrong = [f"roles/{role.name}: {sentence}" for role in roles for sentence in differences(role)]
    print("\n".join(wrong) or f"roles whose argument_specs and defaults agree: {len(roles)}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

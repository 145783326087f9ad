# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gate: the tarball that a user would install is whole.

It is built, installed without Galaxy, and judged there: all Python files import, what runs on a
managed host without site-packages; each module has documentation, and is in the action group if it speaks to an engine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ARTIFACT = ROOT / ".build" / "artifact"
COLLECTION = ARTIFACT / "ansible_collections" / "breakwater" / "docker"
GROUP = ["breakwater.docker.docker", "docker"]
IMPORTER = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def run(*command: str | Path) -> str:
    """What ``command`` prints; where it fails, the gate ends with what it said."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ARTIFACT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def build_and_install() -> None:
    """Leave the collection at COLLECTION, as a user's `ansible-galaxy collection install` would."""
    shutil.rmtree(ARTIFACT, ignore_errors=True)
    run("ansible-galaxy", "collection", "build", "--output-path", ARTIFACT, ROOT)
    (tarball,) = ARTIFACT.glob("*.tar.gz")
    # Galaxy need not be reachable: what the collection depends on is there already.
    install = ("ansible-galaxy", "collection", "install", "--offline", "--no-deps")
    run(*install, "--collections-path", ARTIFACT, tarball)


def check_imports() -> int:
    """Import every Python file of plugins/ with no more than it may count on; count them."""
    files = sorted(COLLECTION.glob("plugins/**/*.py"))
    for_hosts = [path for path in files if path.relative_to(COLLECTION).parts[2].startswith("_")]
    without_ansible = [path for path in for_hosts if path.name != "_run.py"]
    for options, chosen in (["-S"], without_ansible), ([], set(files) - set(without_ansible)):
        names = [".".join(path.relative_to(ARTIFACT).with_suffix("").parts) for path in chosen]
        run(sys.executable, *options, "-c", IMPORTER, ARTIFACT, *sorted(names))
    return len(files)


def modules() -> list[str]:
    """The full names of the collection's modules."""
    names = (path.stem for path in COLLECTION.glob("plugins/modules/*.py"))
    return sorted(f"breakwater.docker.{name}" for name in names if name != "__init__")


def flaws() -> Iterator[str]:
    """Each module whose documentation or action group is amiss, as a sentence."""
    runtime = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    grouped = {f"breakwater.docker.{name}" for name in runtime["action_groups"]["docker"]}
    for name in sorted(grouped - set(modules())):
        yield f"meta/runtime.yml: {name} is in the action group, but there is no such module"

    docs = json.loads(run("ansible-doc", "--json", "--type", "module", *modules()))
    for name in modules():
        if name not in docs:
            yield f"{name}: ansible-doc finds no documentation"
            continue
        # What the group sets, a module without an engine would refuse.
        wanted = GROUP if "docker_host" in docs[name]["doc"].get("options", {}) else None
        if (name in grouped) != bool(wanted):
            yield f"{name}: is {'not ' if wanted else ''}in the action group of meta/runtime.yml"
        attributes = docs[name]["doc"].get("attributes", {})
        membership = attributes.get("action_group", {}).get("membership")
        if membership != wanted:
            yield f"{name}: attributes.action_group.membership is {membership}, not {wanted}"


def main() -> int:
    """Build, install, judge."""
    build_and_install()
    files = check_imports()
    wrong = list(flaws())
    print("\n".join(wrong) or f"{files} files import; {len(modules())} modules are documented")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

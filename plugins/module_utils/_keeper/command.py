# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `breakwater` of a managed host."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .._model import spec
from .._model.engine import ADDRESS_SPEC, EngineAddress
from .._model.errors import BreakwaterError
from .journal import shown
from .keep import keep
from .restore import restore
from .rollback import take_back
from .status import is_well, lines, status


def main() -> int:
    """Run what the command line asks for; the exit status."""
    asked = _parser().parse_args()
    try:
        if asked.command == "keep":
            where = EngineAddress.read(spec.read(ADDRESS_SPEC, {"docker_host": asked.docker_host}))
            keep(where, asked.mode == "heal", asked.every, asked.metrics)
            return 0
        if asked.command == "rollback":
            take_back(asked.topology, EngineAddress.read(spec.read(ADDRESS_SPEC, {"docker_host": asked.docker_host})))
            return 0
        if asked.command == "restore":
            return int(bool(restore()))
        told = status()
        sys.stdout.write((json.dumps(told, indent=2) if asked.json else "\n".join(map(shown, lines(told)))) + "\n")
        return int(not is_well(told))
    except BreakwaterError as error:
        sys.stderr.write(f"breakwater: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="breakwater", description="Keeps the declared network of this Docker host.")
    commands = parser.add_subparsers(dest="command", required=True)
    told = commands.add_parser(
        "status", help="what is declared, what holds, what was healed; fails if all does not hold"
    )
    told.add_argument("--json", action="store_true", help="as JSON")
    kept = commands.add_parser("keep", help="watch and heal, until stopped: what breakwater-keeper.service runs")
    kept.add_argument("--mode", choices=["heal", "report"], default="heal")
    kept.add_argument("--every", type=int, default=60, metavar="SECONDS", help="how often to look without a reason")
    kept.add_argument("--metrics", type=Path, metavar="FOLDER", help="where node_exporter's textfile collector reads")
    taken = commands.add_parser("rollback", help="take back what nobody has confirmed, as its timer does")
    taken.add_argument("topology", metavar="TOPOLOGY")
    for each in (kept, taken):
        each.add_argument("--docker-host", default=ADDRESS_SPEC["docker_host"]["default"], metavar="URL")
    commands.add_parser("restore", help="close what is declared closed, before the engine starts")
    return parser

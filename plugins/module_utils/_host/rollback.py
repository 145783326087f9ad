# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that is taken back unless somebody confirms it: who has cut himself off cannot.

What was before is written down, and a timer of systemd's own making brings it back by the program of the keeper.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from .._model.errors import HostError
from .._model.topology import Memory
from . import files, program
from .command import has, run
from .lock import alone

FOLDER = Path("/var/lib/breakwater/rollback")


def unconfirmed() -> list[str]:
    """The topologies whose last change nobody has confirmed yet."""
    return sorted(each.stem for each in FOLDER.glob("*.json"))


def former(topology: str) -> Memory | None:
    """What an unconfirmed topology was before; None where there was none."""
    path = FOLDER / f"{topology}.json"
    found = files.read(path, None)
    return files.memory(found, path) if found else None


def arm(topology: str, seconds: int, former: Memory | None) -> None:
    """Have ``topology`` brought back to ``former`` after ``seconds``; HostError where nothing would do it."""
    if not program.PATH.exists() or not has("systemd-run"):
        raise HostError(
            f"confirm_within: the host has no {program.PATH}, which would take the change back, or no systemd;"
            " apply the role breakwater.docker.keeper first"
        )
    run(
        [
            *("systemd-run", "--quiet", "--collect", f"--unit={_unit(topology)}"),
            f"--description=Breakwater: takes back what nobody has confirmed of {topology}",
            *(f"--on-active={seconds}s", "--timer-property=AccuracySec=100ms"),
            # Who is cut off can mend nothing: what cannot be taken back now, as while the engine starts, is later.
            *("--property=Restart=on-failure", "--property=RestartSec=5s"),
            *(str(program.PATH), "rollback", topology),
        ]
    )
    # Last: without a timer it waits for nobody, and the next run sets one. The timer's run waits for the end of this.
    files.write_text(FOLDER / f"{topology}.json", files.text(files.as_written(former) if former else None))


def confirm(topology: str, check: bool) -> dict[str, Any]:
    """A module's result: the change stays; HostError where it was taken back already, or is about to be."""
    with nullcontext() if check else alone():  # who takes it back holds the lock until it is done
        if topology not in unconfirmed():
            raise HostError(
                f"no change of topology '{topology}' waits for a confirmation: it was taken back,"
                f" as journalctl -u {_unit(topology)} tells, or confirm_within was not asked for"
            )
        if not check:
            settle(topology)
            with suppress(HostError):  # it has run out; who tries again to take it back finds that nothing waits
                run(["systemctl", "stop", f"{_unit(topology)}.timer"])
    return {"changed": True}


def settle(topology: str) -> None:
    """Nothing is to be taken back any more."""
    files.remove(FOLDER / f"{topology}.json")


def _unit(topology: str) -> str:
    return f"breakwater-rollback-{topology}"

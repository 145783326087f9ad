"""How the nodes are reached: the folder that the lab remembers in, and its ssh key."""

from __future__ import annotations

import shlex
from pathlib import Path

from command import run

USER = "ops"
STATE = Path(__file__).resolve().parents[2] / ".lab"
KEY = STATE / "id_ed25519"

# Nodes come and go under the same addresses: their host keys mean nothing.
SSH_OPTIONS = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


def ensure_key() -> str:
    """Have the lab's ssh key, and return its public half."""
    STATE.mkdir(exist_ok=True)
    if not KEY.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "breakwater-lab", "-f"]
        run("making the lab's ssh key", [*argv, str(KEY)])
    return KEY.with_suffix(".pub").read_text()


def ssh(address: str, *argv: str, port: int = 22, shared: Path | None = None, within: int = 5) -> list[str]:
    """Return the command that runs `argv` on the node at `address`, by the connection that is `shared` if one is.

    `within`: the seconds in which they must have shaken hands.
    """
    login = ["-i", str(KEY), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-p", str(port), f"{USER}@{address}"]
    patience = ["-o", f"ConnectTimeout={within}"]
    share = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={shared}"] if shared else []
    return ["ssh", *SSH_OPTIONS, *patience, *share, *login, shlex.join(argv)]

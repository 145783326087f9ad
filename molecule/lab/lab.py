#!/usr/bin/env python3
"""Throwaway Docker hosts with real engines: the command line of the lab."""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import access
import engine
import fleet
import images
import inventory
import machine
import node
from command import LabError, attempt, say

_DEFAULT_INDEXES = {"demo": 0, "test": 1}
_LOCK = Path(tempfile.gettempdir(), "breakwater-lab.lock")
_MACHINES_LOCK = _LOCK.with_name("breakwater-lab-machines.lock")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def up(asked: argparse.Namespace) -> None:
    """Bring up hosts of a fleet; the last line of standard output is the inventory's path."""
    hosts = _hosts(asked.hosts)
    with _alone():
        engine.ensure()
        lan = _lan(asked.fleet, asked.subnet_index)
        fleet.up(lan, hosts, access.ensure_key())
        running = [one.node for one in fleet.standing(asked.fleet) if one.running]
        path = inventory.write(running)
    say(f"{asked.fleet}: {', '.join(hosts)} and {node.OUTSIDE} stand")
    print(path)


def reboot(asked: argparse.Namespace) -> None:
    """Stop and start a host, and wait until it answers."""
    fleet.reboot(fleet.find(asked.fleet, asked.host), hard=asked.hard)


def execute(asked: argparse.Namespace) -> None:
    """Become `docker exec`: the command's streams and its exit code are the caller's."""
    argv = _argv(asked)
    container = node.container(asked.fleet, asked.host)
    inspect = attempt(engine.docker("inspect", "--format", "{{.State.Running}}", container))
    if inspect.stdout != "true":
        found = fleet.find(asked.fleet, asked.host)
        raise LabError(f"{found.title} does not run; `up` starts it")
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    command = engine.docker("exec", "--interactive", *terminal, container, *argv)
    os.execvp(command[0], command)


def down(asked: argparse.Namespace) -> None:
    """Destroy a fleet."""
    with _alone():
        if engine.version():
            fleet.down(asked.fleet)
        inventory.remove(asked.fleet)


def vm_up(asked: argparse.Namespace) -> None:
    """Bring up virtual machines; the last line of standard output is the inventory's path."""
    with _alone(_MACHINES_LOCK):
        with _alone():
            engine.ensure(machine.PACKAGES)
            images.build([images.workload()])
            workload = images.save_workload()
        machine.up(asked.machines, access.ensure_key(), workload)
        standing = machine.running()
        path = inventory.write_machines(standing)
    say(f"up: {', '.join(one.name for one in standing)}")
    print(path)


def vm_reboot(asked: argparse.Namespace) -> None:
    """Reboot a virtual machine, and wait until it answers."""
    machine.reboot(asked.machine, hard=asked.hard)


def vm_exec(asked: argparse.Namespace) -> None:
    """Become ssh: the command runs as root on a virtual machine."""
    command = asked.machine.command(*_argv(asked))
    os.execvp(command[0], command)


def vm_down(_: argparse.Namespace) -> None:
    """Destroy the virtual machines with their disks."""
    with _alone(_MACHINES_LOCK):
        machine.down()


def clean(_: argparse.Namespace) -> None:
    """Destroy all fleets, the virtual machines, images and state, and the engine if the lab started it."""
    with _alone(_MACHINES_LOCK), _alone():
        machine.down()
        if engine.version():
            names = {one.node.lan.fleet for one in fleet.standing()}
            for name in sorted(names | {lan.fleet for lan in fleet.lans()}):
                fleet.down(name)
            images.remove_all()
        engine.stop()
    for lock in (_MACHINES_LOCK, _LOCK):
        lock.unlink(missing_ok=True)
    for folder in (access.STATE, Path(__file__).with_name("__pycache__")):
        shutil.rmtree(folder, ignore_errors=True)


def status(_: argparse.Namespace) -> None:
    """Print the engine, and a line for each node."""
    version = engine.version()
    whose = "started by the lab" if engine.is_ours() else "not the lab's"
    print(f"outer engine: {f'{version}, {whose}' if version else 'none answers'}")
    for one in fleet.standing() if version else []:
        state = "running" if one.running else "stopped"
        columns = (one.node.lan.fleet, one.node.name, one.node.suite, one.node.addresses[0], state)
        print("{:12} {:12} {:10} {:14} {}".format(*columns))
    for virtual in machine.running():
        print(f"{virtual.name}: ssh at {machine.ADDRESS}:{virtual.port}, LAN {virtual.addresses[0]}")


def _argv(asked: argparse.Namespace) -> list[str]:
    argv: list[str] = asked.argv[1:] if asked.argv[:1] == ["--"] else asked.argv
    if not argv:
        raise LabError("no command is given; write it after --")
    return argv


def _hosts(words: list[str]) -> dict[str, str]:
    """Return {host: suite} of words that read SUITE or HOST=SUITE."""
    hosts: dict[str, str] = {}
    for word in words:
        name, _, suite = word.rpartition("=")
        name = name or suite
        if suite not in images.SUITES:
            raise LabError(f"{word}: '{suite}' is no suite; write one of {', '.join(images.SUITES)}")
        if not _NAME.fullmatch(name) or name == node.OUTSIDE:
            raise LabError(f"{word}: '{name}' cannot be the name of a host")
        if name in hosts:
            raise LabError(f"{word}: host '{name}' is listed twice; write HOST={suite}")
        hosts[name] = suite
    return hosts


def _lan(name: str, index: int | None) -> node.Lan:
    """Return the LAN of a fleet: the standing one, or one with the index asked for."""
    known = next((lan for lan in fleet.lans() if lan.fleet == name), None)
    if known and index in (None, known.index):
        return known
    if known:
        raise LabError(f"fleet {name} stands with --subnet-index {known.index}; take it down first")
    index = _DEFAULT_INDEXES.get(name) if index is None else index
    if index is None:
        raise LabError(f"fleet {name}: give --subnet-index N (its LAN is then 10.99.N.0/24)")
    return node.Lan(name, index)


@contextmanager
def _alone(path: Path = _LOCK) -> Iterator[None]:
    """Hold a lock: what changes fleets or images happens one at a time, and beside it what changes virtual machines.

    Who takes both takes that of the machines first.
    """
    access.STATE.mkdir(exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run of the lab")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fleet_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no name of small letters, digits, dashes")
    if text == machine.NAME:
        raise argparse.ArgumentTypeError(f"'{text}' is the virtual machines'; vm-up and its like are for them")
    return text


def _machine(text: str) -> machine.Machine:
    known = {one.name: one for one in machine.MACHINES}
    if text not in known:
        raise argparse.ArgumentTypeError(f"'{text}' is no virtual machine; write one of {', '.join(known)}")
    return known[text]


def _index(text: str) -> int:
    if not text.isdecimal() or int(text) not in range(256):
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0 to 255")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for work in (up, reboot, execute, down, vm_up, vm_reboot, vm_exec, vm_down, clean, status):
        name = "exec" if work is execute else work.__name__.replace("_", "-")
        verb = verbs.add_parser(name, help=work.__doc__, description=work.__doc__)
        verb.set_defaults(work=work)
        if work in (up, reboot, execute, down):
            verb.add_argument("--fleet", required=True, type=_fleet_name, metavar="NAME")
        if work is up:
            help_ = "the LAN is 10.99.N.0/24; fleets demo and test have one"
            verb.add_argument("--subnet-index", type=_index, metavar="N", help=help_)
            verb.add_argument("hosts", nargs="+", metavar="[HOST=]SUITE")
        if work in (reboot, execute):
            verb.add_argument("host", metavar="HOST")
        if work is vm_up:
            help_ = "how many shall stand: 1, or 2 that share a LAN"
            verb.add_argument("--machines", type=int, choices=(1, 2), default=1, help=help_)
        if work in (vm_reboot, vm_exec):
            verb.add_argument("--machine", type=_machine, default=machine.MACHINES[0], metavar="NAME")
        if work in (reboot, vm_reboot):
            verb.add_argument("--hard", action="store_true", help="cut the power, no shutdown")
        if work in (execute, vm_exec):
            verb.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- ARGV…")
    return parser


def main() -> int:
    """Do what the command line says; an error is told in a sentence."""
    asked = _parser().parse_args()
    try:
        asked.work(asked)
    except (LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

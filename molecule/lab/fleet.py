"""What is done with fleets on the outer engine: bring up, find, reboot, destroy."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import images
from access import ssh
from command import LabError, attempt, in_parallel, run, say, tail
from engine import docker
from node import (
    HOST_NUMBERS,
    INIT,
    LABEL,
    OUTSIDE,
    OUTSIDE_NUMBER,
    OUTSIDE_SUITE,
    SAVED_IMAGES,
    Lan,
    Node,
)

_BOOT_SECONDS = 120


@dataclass(frozen=True)
class Standing:
    """A node's container as the outer engine has it."""

    node: Node
    running: bool
    spec: str


def standing(fleet: str | None = None) -> list[Standing]:
    """Return the nodes of a fleet, or of all fleets, whether they run or not."""
    label = f"label={LABEL}={fleet}" if fleet else f"label={LABEL}"
    found = _inspect(docker("ps", "--all", "--quiet", "--filter", label))
    indexes = {lan.fleet: lan.index for lan in lans()}
    nodes = []
    for entry in found:
        labels = entry["Config"]["Labels"]
        lan = Lan(labels[LABEL], indexes.get(labels[LABEL], 0))
        name, suite = labels[f"{LABEL}.host"], labels[f"{LABEL}.suite"]
        node = Node(lan, name, suite, int(labels[f"{LABEL}.number"]))
        nodes.append(Standing(node, entry["State"]["Running"], labels.get(f"{LABEL}.spec", "")))
    return sorted(nodes, key=lambda one: (one.node.lan.fleet, one.node.number))


def lans() -> list[Lan]:
    """Return the LANs of all fleets."""
    found = _inspect(docker("network", "ls", "--quiet", "--filter", f"label={LABEL}"))
    return [Lan(one["Labels"][LABEL], int(one["Labels"][f"{LABEL}.index"])) for one in found]


def _inspect(listing: list[str]) -> list[dict[str, Any]]:
    """Return the engine's description of each object whose ID the command `listing` prints."""
    for _ in range(5):
        ids = run("listing what stands", listing).split()
        if not ids:
            return []
        looked = attempt(docker("inspect", *ids))
        if looked.returncode == 0:
            found: list[dict[str, Any]] = json.loads(looked.stdout)
            return found
        # Another run of the lab may have taken one away in between: look again.
    raise LabError(f"looking at what stands: docker inspect failed:\n{tail(looked)}")


def up(lan: Lan, hosts: Mapping[str, str], public_key: str) -> None:
    """Have these hosts (name: suite) and the outside node in the fleet, running and answering."""
    if lan not in lans():
        _create_lan(lan)
    known = {one.node.name: one for one in standing(lan.fleet)}
    free = iter(sorted(set(HOST_NUMBERS) - {one.node.number for one in known.values()}))
    nodes = [Node(lan, OUTSIDE, OUTSIDE_SUITE, OUTSIDE_NUMBER)]
    for name, suite in hosts.items():
        number = known[name].node.number if name in known else next(free)
        nodes.append(Node(lan, name, suite, number))
    recipes = [images.host(suite) for suite in sorted({node.suite for node in nodes})]
    images.build([*recipes, images.workload()])
    answers = in_parallel(lambda node: _bring_up(node, known.get(node.name), public_key), nodes)
    load = [n for n, ids in zip(nodes, answers, strict=True) if not ids and not n.is_outside]
    if load:
        saved = images.save_workload()
        in_parallel(lambda node: _load_workload(node, saved.name), load)
    images.remove_outdated([*recipes, images.workload()])


def _create_lan(lan: Lan) -> None:
    subnet4, subnet6 = lan.subnets
    say(f"{lan.fleet}: LAN {subnet4}, {subnet6}")
    argv = docker(
        *("network", "create", "--driver", "bridge", "--ipv6"),
        *("--subnet", subnet4, "--subnet", subnet6),
        *("--opt", "com.docker.network.bridge.enable_ip_masquerade=false"),
        *(f"--label={LABEL}={lan.fleet}", f"--label={LABEL}.index={lan.index}", lan.network),
    )
    run(f"{lan.fleet}: creating the LAN", argv)


def _bring_up(node: Node, known: Standing | None, public_key: str) -> str:
    """Have the node running as its specification says; return its workload image, if any."""
    files = node.files(public_key)
    image = images.host(node.suite).tag
    parts = [image, INIT, *node.options(), *(f"{path}={text!r}" for path, text in files.items())]
    spec = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    if known and known.spec != spec:
        say(f"{node.title}: made to another specification, is replaced")
        _remove(known.node)
        known = None
    if not known:
        label = f"--label={LABEL}.spec={spec}"
        create = docker("create", "--pull", "never", *node.options(), label, image, "sh", "-c", INIT)
        run(f"{node.title}: creating the container", create)
        copy = docker("cp", "-", f"{node.container}:/")
        run(f"{node.title}: laying down its files", copy, stdin=images.archive(files))
    if not known or not known.running:
        _start(node)
    return _wait_until_ready(node)


def _start(node: Node) -> None:
    say(f"{node.title}: booting Debian {node.suite}")
    run(f"{node.title}: starting the container", docker("start", node.container))


def _wait_until_ready(node: Node) -> str:
    """Wait until ssh, and on a host dockerd, answer; return the ID of its workload image."""
    question = ["true"]
    if not node.is_outside:
        label = f"label={images.RECIPE_LABEL}={images.workload().digest}"
        question = ["docker", "image", "ls", "--quiet", "--filter", label, images.WORKLOAD]
    argv = ssh(node.addresses[0], "sudo", *question)
    begin = time.monotonic()
    while time.monotonic() - begin < _BOOT_SECONDS:
        last = attempt(argv, timeout=30)
        if last.returncode == 0:
            if time.monotonic() - begin > 1:
                say(f"{node.title}: answers after {time.monotonic() - begin:.1f} s")
            return last.stdout
        if not _is_running(node):
            break
        time.sleep(0.2)
    console = attempt(docker("logs", "--tail", "15", node.container))
    raise LabError(
        f"{node.title}: `sudo {' '.join(question)}` over ssh gave no answer after"
        f" {time.monotonic() - begin:.0f} s:\n{tail(last)}\n"
        f"  and the console ended with:\n{tail(console)}"
    )


def _is_running(node: Node) -> bool:
    look = docker("inspect", "--format", "{{.State.Running}}", node.container)
    return attempt(look).stdout == "true"


def _load_workload(node: Node, name: str) -> None:
    load = ("docker", "load", "--quiet", "--input", f"{SAVED_IMAGES}/{name}")
    run(f"{node.title}: loading {name}", docker("exec", node.container, *load), timeout=300)
    say(f"{node.title}: workload image loaded")


def find(fleet: str, host: str) -> Node:
    """Return the node of that name; an unknown one is an error that lists the known ones."""
    known = {one.node.name: one.node for one in standing(fleet)}
    if host not in known:
        names = ", ".join(known) or "none: the fleet is not up"
        raise LabError(f"fleet {fleet} has no host '{host}' (it has {names})")
    return known[host]


def reboot(node: Node, *, hard: bool) -> None:
    """Stop and start the node: its disk stays; namespaces, routes, rules and sysctls are gone."""
    say(f"{node.title}: {'power cut' if hard else 'shutting down'}")
    stop = ("kill",) if hard else ("stop", "--time", "60")
    run(f"{node.title}: stopping the container", docker(*stop, node.container), timeout=90)
    _start(node)
    _wait_until_ready(node)


def down(fleet: str) -> None:
    """Destroy the nodes of a fleet with their disks, and its LAN."""
    in_parallel(lambda one: _remove(one.node), standing(fleet))
    for lan in lans():
        if lan.fleet == fleet:
            run(f"{fleet}: removing the LAN", docker("network", "rm", lan.network))
    say(f"{fleet}: destroyed")


def _remove(node: Node) -> None:
    argv = docker("rm", "--force", "--volumes", node.container)
    run(f"{node.title}: removing the container", argv, timeout=120)

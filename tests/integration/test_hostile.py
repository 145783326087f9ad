# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile names and labels: nothing of them is executed, and none breaks out of a file, a set, a rule or a line."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from lab_host import IMAGE, Failed, LabHost
from resident import Resident, resident

SEED = 7
CANARY = "/tmp/canary"
TOUCH = f"touch {CANARY}"
TEXTS = [
    f"; {TOUCH} ;",
    f"$({TOUCH})",
    f"`{TOUCH}`",
    f"| {TOUCH} &",
    f"\n{TOUCH}\n",
    f"'; {TOUCH}; '",
    f'"; {TOUCH}; "',
    "; rm -rf /",
    '" accept; } ; flush ruleset; add table inet canary {',
    "}\nadd table inet canary\n#",
    "-j ACCEPT\n-A FORWARD -j ACCEPT\nCOMMIT\n*filter",
    " --jump ACCEPT -m comment --comment canary",
    "10.82.1.0/24 , 0.0.0.0/0",
    "../../../tmp/canary",
    "/etc/passwd",
    "{{ lookup('pipe', 'touch /tmp/canary') }}",
    "%s%n{0}{__class__}",
    "\u202egnp.exe",
    "Grüße 世界 \U0001f40b",
    "\x1b[2J\x07\r<0>forged",
    "x" * 3000,
    "--privileged",
    "-",
    "",
]
NETWORK = {"name": "hostile", "ipam_config": [{"subnet": "10.82.1.0/24"}]}


@pytest.fixture
def lab(host: LabHost) -> Iterator[Resident]:
    """A host with a keeper, with things of others on it, and with containers whose labels and networks are hostile."""
    host.play("keeper", interval=2)
    host.run("systemctl", "start", "breakwater-keeper")
    lot = random.Random(SEED)
    found = resident(host)
    found.run("sh", "-c", FOREIGN)
    found.module("topology", name="hostile", networks=[NETWORK])
    for text in TEXTS:
        if lot.random() < 0.5:
            found.docker("network", "create", text, check=False)
    for n in range(0, len(TEXTS), 3):
        name, image = f"c{n}.-_x", [IMAGE, "sleep", "infinity"]
        start = ["docker", "run", "-d", "--restart=always", "--name", name, "--network", "hostile"]
        values = [f"--label=k{at}={text}" for at, text in enumerate(TEXTS[n : n + 3], n)]
        keys = [f"--label={text}=v" for text in TEXTS[n : n + 3]]
        found.run(*start, *values, *keys, *image, check=False)
        if name not in found.docker("ps", "--format", "{{.Names}}").split():
            found.docker("rm", "-f", name, check=False)  # what the engine refuses as a key may still be a value
            found.run(*start, *values, *image)
    yield found
    host.play("keeper", state="absent")
    host.run("sh", "-c", "nft delete table ip foreign; iptables -F FOREIGN; iptables -X FOREIGN")


FOREIGN = """
nft add table ip foreign; nft add set ip foreign them '{ type ipv4_addr; elements = { 192.0.2.1 }; }'
iptables -N FOREIGN; iptables -A FOREIGN -s 192.0.2.7 -j DROP
"""


def others(host: LabHost) -> str:
    """What is not ours, and must be left alone."""
    return host.run(
        "sh", "-c", "nft list table ip foreign; iptables -S FOREIGN; ls -1 /etc /tmp /var/lib /usr/local/sbin"
    )


def topology(text: str) -> list[dict[str, Any]]:
    """The text at each place of a topology where a user may write one."""
    base = {"name": "hostile", "networks": [NETWORK]}
    policy = {"default": "deny", "allow": []}
    entry = {"from": {"network": "hostile"}, "to": "host"}
    rule = {"action": "drop", "source": "192.0.2.0/24", "destination": "world"}
    return [
        {**base, "name": text},
        {**base, "networks": [NETWORK, {"name": text}]},
        {**base, "networks": [{**NETWORK, "labels": {"k": text}}]},
        {**base, "connections": [{"container": text, "networks": [{"name": "hostile"}]}]},
        {**base, "connections": [{"container": "c0.-_x", "networks": [{"name": "hostile", "aliases": [text]}]}]},
        {**base, "routes": [{"container": text, "routes": [{"destination": "10.83.0.0/24", "via": text}]}]},
        {**base, "policy": {**policy, "allow": [{**entry, "from": text}]}},
        {**base, "policy": {**policy, "allow": [{**entry, "from": {"container": text}}]}},
        {**base, "policy": {**policy, "allow": [{**entry, "from": {"network": text}}]}},
        {**base, "policy": {**policy, "allow": [{**entry, "from": {"labels": text}}]}},
        {**base, "policy": {**policy, "allow": [{**entry, "from": {"labels": f"k0={text}"}}]}},
        {**base, "policy": {**policy, "allow": [{**entry, "ports": [text]}]}},
        {**base, "policy": {**policy, "log": True, "log_prefix": text}},
        {**base, "policy": {**policy, "log": True, "log_rate": text}},
        {**base, "rules": [{**rule, "source": text}]},
        {**base, "rules": [{**rule, "destination": {"container": text}}]},
        {**base, "rules": [{**rule, "comment": text}]},
        {**base, "rules": [{**rule, "log_prefix": text}]},
    ]


def test_nothing_of_a_name_is_executed(lab: Resident) -> None:
    before, taken = others(lab), 0
    lot, refused = random.Random(SEED), list[str]()
    for text in TEXTS:
        for each in lot.sample(topology(text), 5):
            try:
                lab.module("topology", **each)
                taken += 1
            except Failed as failure:
                refused.append(str(failure))
        lab.docker("restart", "-t", "0", "c0.-_x")
    assert taken > 20 and len(refused) > 20, (taken, len(refused))
    assert [each for each in refused if "Traceback" in each or "\n" in each] == []
    tables = lab.run("nft", "list", "tables")
    assert "canary" not in tables, tables
    assert others(lab) == before, "what is not ours has changed"
    assert lab.run("sh", "-c", f"ls {CANARY}* 2>/dev/null; true") == ""
    strange = files(lab)
    time.sleep(1)  # a draft becomes its file
    assert not strange & files(lab), strange
    said = lab.run("journalctl", "-u", "breakwater-keeper", "-o", "cat", "--since", "-10min")
    assert (
        not [line for line in said.splitlines() if line.startswith(("<0>", "forged", "\x1b"))]
        and "Traceback" not in said
    )
    status = lab.run("breakwater", "status", check=False)
    assert "\x1b" not in status and "\nforged" not in status
    print(f"{lab.name}: {taken} taken, {len(refused)} refused")


def files(lab: Resident) -> set[str]:
    """The files in the collection's folders that are none of its own."""
    found = lab.run("find", "/etc/breakwater", "/var/lib/breakwater", "/run/breakwater", "-type", "f").splitlines()
    return {each for each in found if each.rpartition("/")[2] not in KNOWN}


KNOWN = {"hostile.json", "engine.json", "status.json", "lock", "keeper.lock", "restored", "bridge_filter.json"}


def test_a_topology_has_no_name_that_is_a_path(host: LabHost) -> None:
    lab = resident(host)
    for name in ("../evil", "a/b", "x;y", "x\ny", "-rf", ".hidden", "x" * 25, "ü", "a b", "*", ""):
        for module in ("topology", "firewall", "policy"):
            more = {"topology": {}, "firewall": {"rules": []}, "policy": {"networks": ["hostile"]}}[module]
            failure = lab.refusal(module, name=name, **more)
            assert str(failure).startswith("name: "), f"{module} {name!r}: {failure}"

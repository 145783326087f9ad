# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab host, or the virtual machine, whose agent stays: a table of many cases is quick, and so are many tests."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from lab_host import THERE, Failed, LabHost

_AGENT = Path(__file__).with_name("resident_agent.py")


@dataclass(frozen=True)
class Resident(LabHost):
    """A lab host that is spoken to by one connection."""

    agent: subprocess.Popen[str]

    @property
    def address(self) -> str:
        """The host's address on the fleet's LAN."""
        found: str = json.loads(self.run("ip", "-4", "-json", "addr", "show", "eth0"))[0]["addr_info"][0]["local"]
        return found

    def run(self, *argv: str, given: bytes | str = b"", check: bool = True) -> str:
        """What a command prints on the host, as root."""
        done = self._tell({"argv": argv, "given": given if isinstance(given, str) else given.decode()})
        if check and done["code"]:
            raise AssertionError(f"{self.name}: {' '.join(argv)}: {done['stderr']}{done['stdout']}")
        printed: str = done["stdout"]
        return printed

    def _carry_out(self, order: dict[str, Any]) -> tuple[int, str, str]:
        done = self._tell(order)
        return done["code"], done["stdout"], done["stderr"]

    def swarm(self) -> None:
        """Make the host a swarm of its own, ready to be used.

        Its pool is not a swarm's own choice, 10.0.0.0/8: there an overlay of 10.0.0.0/16, which a source document has,
        overlaps ``ingress`` and never comes to life.
        """
        self.docker("swarm", "init", "--advertise-addr", self.address, "--default-addr-pool", "10.200.0.0/16")
        until = time.monotonic() + 20
        while not {"overlay ingress", "bridge docker_gwbridge"} <= set(
            self.docker("network", "ls", "--format", "{{.Driver}} {{.Name}}").splitlines()
        ):
            assert time.monotonic() < until, "the swarm does not come up"

    def cycle(self, module: str, look: Callable[[], Any], **args: Any) -> dict[str, Any]:
        """Check, apply, check, apply: foreseen as done, nothing left to do; ``look`` judges. What the first apply said.

        A second run and a check leave what ``look`` sees as it is, to the byte.
        """
        before = look()
        foreseen = self.module(module, check=True, **args)
        assert look() == before, f"{module} in check mode changed what is there"
        result = self.module(module, **args)
        assert result["changed"] and foreseen["changed"], f"{module} found nothing to do: {args}"
        for one, other in zip_longest(foreseen["steps"], result["steps"]):
            assert one == other, f"{module} did what it had not foreseen: {one} was to be done, and {other} was"
        after = look()
        for check in (True, False):
            again = self.module(module, check=check, **args)
            assert not again["changed"], f"{module} is not at rest: {again['steps']}"
            assert look() == after, f"{module} touched something without a word"
        return result

    def refusal(self, module: str, check: bool = False, **args: Any) -> Failed:
        """How a module fails that must."""
        with pytest.raises(Failed) as failure:
            self.module(module, check=check, **args)
        return failure.value

    def _tell(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.agent.stdin and self.agent.stdout
        self.agent.stdin.write(json.dumps(order) + "\n")
        self.agent.stdin.flush()
        answer: dict[str, Any] = json.loads(self.agent.stdout.readline())
        return answer


_agents: dict[str, subprocess.Popen[str]] = {}


def resident(host: LabHost) -> Resident:
    """The lab host by the agent that stays there for all tests; if it is gone, as after a reboot, another one comes."""
    agent = _agents.get(host.name)
    if agent is None or agent.poll() is not None:
        dismiss(host.name)
        host.run("sh", "-c", f"cat > {THERE}/{_AGENT.name}", given=_AGENT.read_bytes())
        argv = host.command("env", f"PYTHONPATH={THERE}", "python3", f"{THERE}/{_AGENT.name}")
        agent = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _agents[host.name] = agent
    return Resident(**{each.name: getattr(host, each.name) for each in fields(host)}, agent=agent)


def dismiss(*names: str) -> None:
    """Send the agents of these hosts home."""
    for agent in (_agents.pop(each) for each in names if each in _agents):
        with agent, suppress(BrokenPipeError):  # of one that is gone already
            assert agent.stdin
            agent.stdin.close()


def dismiss_all() -> None:
    dismiss(*_agents)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit tests' table of wrong topologies on real hosts: each is refused, and nothing has changed."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from lab_host import ROOT, LabHost
from resident import resident


def table() -> ModuleType:
    """The table, which lies with the unit tests."""
    path = ROOT / "tests/unit/plugins/module_utils/bad_topologies.py"
    found = importlib.util.spec_from_file_location("bad_topologies", path)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_refused_and_untouched(host: LabHost) -> None:
    host.docker("network", "create", "--subnet", "10.9.0.0/24", "--gateway", "10.9.0.1", "taken")
    host.docker("network", "create", "--subnet", "10.8.0.0/24", "--gateway", "10.8.0.1", "shared")
    host.start("web", "--network", "taken", "--ip", "10.9.0.5")
    host.docker("network", "connect", "shared", "web")
    host.start("other", "--network", "shared")
    host.start("hosty", "--network", "host")
    host.docker("create", "--name", "idle", "--network", "taken", "breakwater/workload:latest")
    lab = resident(host)

    def look() -> str:
        networks = lab.docker("network", "ls", "-q", "--no-trunc").split()
        containers = lab.docker("ps", "-aq", "--no-trunc").split()
        rules = lab.run("iptables-save") if host.version >= (28, 2) else ""
        rules = "\n".join(line for line in rules.splitlines() if not line.startswith(("#", ":")))
        return lab.docker("inspect", *networks, *containers) + rules + lab.run("ls", "/etc")

    before, refused = look(), 0
    for case in table().CASES:
        if host.version > case.until:
            continue
        arguments = {"name": "bad", "missing_containers": "fail", **case.topology}
        failure = lab.refusal("topology", **arguments)
        message = str(failure)
        assert case.says in message and not failure.result.get("changed"), f"{case.name}: {message}"
        assert message.startswith(f"{failure.result['field']}: "), f"{case.name}: {message}"
        assert failure.result["field"].startswith(case.field), f"{case.name}: {message}"
        assert "\n" not in message, f"{case.name}: {message}"
        refused += 1
    assert refused >= 60
    assert look() == before

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every tunnel and every change of one, on a kernel in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils._host import wireguard
from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import BreakwaterError, Interrupted
from ansible_collections.breakwater.docker.tests.unit.plugins.cases import cases
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils import fleet
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_host import FakeHost, Killed
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import drawn

VERSIONS = st.sampled_from([(20, 10), (28, 5)])


def prepared() -> None:
    """The keys that the tunnels may share with edge2."""
    for name in ("fleet0@edge2", "fleet-1@edge2"):
        wireguard.keep_preshared(name, drawn(name))


def true(host: FakeHost, args: dict[str, Any]) -> dict[str, Any]:
    """All that leads to other hosts, but for where those are called that are to call themselves: that is theirs."""
    found = fleet.picture(host)
    callers = [each["public_key"] for each in args.get("peers", ()) if "public_key" in each and "endpoint" not in each]
    for device in found["devices"].values():
        for key in callers:
            device.peers[key].endpoint = ""
    return found


def fresh(args: dict[str, Any], version: tuple[int, int]) -> dict[str, Any]:
    """The same of a host that has never had another tunnel."""
    with fleet.fleet_host(version) as host:
        prepared()
        host.module("tunnel", args)
        return true(host, args)


@cases(100)
@given(fleet.changes(), VERSIONS)
def test_declared_becomes_true(change: tuple[dict[str, Any], dict[str, Any]], version: tuple[int, int]) -> None:
    """Whatever was there: check mode foretells it, it becomes what it is on a fresh host, and nothing is left to do."""
    former, args = change
    with fleet.fleet_host(version) as host:
        prepared()
        empty = fleet.picture(host)
        host.module("tunnel", former)
        before = fleet.picture(host)
        foretold = host.module("tunnel", args, check=True)
        assert fleet.picture(host) == before
        host.engine.kernel.ways.told.clear()
        done = host.module("tunnel", args)
        assert done["steps"] == foretold["steps"] and done["changed"] == foretold["changed"]
        unnoticed(host, former, args, before)
        assert true(host, args) == fresh(args, version)
        assert host.module("tunnel", args)["steps"] == []
        gone = host.module("tunnel", {"name": "fleet0", "state": "absent"})
        assert fleet.picture(host) == empty
        assert fleet.leaks(host, foretold, done, gone) == []


def unnoticed(host: FakeHost, former: dict[str, Any], args: dict[str, Any], before: dict[str, Any]) -> None:
    """A peer that both declare alike is in no word handed to wg, and keeps what it has."""
    if former["backend"] != "wireguard" or args["backend"] != "wireguard" or former["key"] != args["key"]:
        return
    told = [word for words in host.engine.kernel.ways.words("wg", "set") for word in words]
    for each in former["peers"]:
        if {**each, "route": None} in [{**one, "route": None} for one in args["peers"]]:
            key = each["public_key"]
            assert key not in told
            assert fleet.device(host).peers[key] == before["devices"]["fleet0"].peers[key]


def disturbed(host: FakeHost, at: int, meet: Callable[[Any], Any]) -> Any:
    """The command number ``at`` that changes something, counted from 0, meets something else."""
    run, count = host.engine.kernel.run, iter(range(10_000))

    def met(argv: list[str], *given: Any, **options: Any) -> Any:
        changes = not {"show", "list", "pubkey"} & {*argv} and not argv[0].endswith("-save")
        if changes and next(count) == at:
            return meet(argv)
        return run(argv, *given, **options)

    return patch("subprocess.run", met)


@cases(120)
@given(fleet.tunnels(), fleet.tunnels(), st.integers(0, 16), st.booleans())
def test_cut_off_anywhere_the_next_run_finishes(
    former: dict[str, Any], args: dict[str, Any], at: int, is_killed: bool
) -> None:
    """Killed at any command, or refused by any: the next run reaches what is declared, and nothing else is left."""

    def killed(_argv: list[str]) -> Any:
        raise Killed

    with fleet.fleet_host() as host:
        prepared()
        empty = fleet.picture(host)
        host.module("tunnel", former)
        refused = host.engine.kernel.run(["ip", "link", "show", "dev", "none"])
        told = []
        with disturbed(host, at, killed if is_killed else lambda _argv: refused), suppress(Killed):
            try:
                host.module("tunnel", args)
            except Interrupted as error:
                told += [error, error.result()]
        told.append(host.module("tunnel", args))
        assert true(host, args) == fresh(args, (28, 5))
        assert host.module("tunnel", args)["steps"] == []
        with disturbed(host, at, killed if is_killed else lambda _argv: refused), suppress(Killed, BreakwaterError):
            host.module("tunnel", {"name": "fleet0", "state": "absent"})
        host.module("tunnel", {"name": "fleet0", "state": "absent"})
        assert fleet.picture(host) == empty
        assert fleet.leaks(host, *told) == []


@cases(40)
@given(fleet.tunnels(), fleet.tunnels())
def test_a_topology_keeps_what_it_may_not_tell(former: dict[str, Any], args: dict[str, Any]) -> None:
    """The same by a topology: what it returns, remembers and would bring back holds no secret."""
    with fleet.fleet_host() as host:
        prepared()
        told = []
        for each in (former, args):
            asked = {"name": "fleet", "tunnels": [each], "prune": True, "confirm_within": 60}
            told.append(host.module("topology", asked, check=True))
            told.append(host.module("topology", asked))
            assert told[-1]["steps"] == told[-2]["steps"]
        assert told[-1]["unconfirmed"]
        told.append(host.module("tunnel_info", {"name": "fleet"}))
        assert true(host, args) | {"units": None} == fresh(args, (28, 5)) | {"units": None}
        assert fleet.leaks(host, *told) == []
        assert len([*host.unconfirmed.iterdir()]) == 1, "where a secret would be, too"

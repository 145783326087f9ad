# SPDX-License-Identifier: GPL-3.0-or-later
"""Every lab test runs on each host of the standing fleet from an empty engine, or on the virtual machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab_host import ROOT, LabHost, Machine, fleet
from lab_host import machine as standing
from resident import Resident, dismiss_all, resident


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "host" in metafunc.fixturenames:
        hosts = fleet()
        if not hosts:
            pytest.exit("no lab stands: python3 molecule/lab/lab.py up --fleet test bookworm trixie forky", 2)
        metafunc.parametrize("host", hosts, ids=[each.name for each in hosts], indirect=True, scope="session")


# Suites run side by side and the whole goes on for long: `make test` ends with this.
_FAILED = ROOT / ".build" / "failed"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        lines = [line[:300] for line in report.longreprtext.splitlines()]
        errors = [line for line in lines if line.startswith("E ")] or lines[-8:]
        with _FAILED.open("a") as told:
            told.write("\n".join((f"{report.nodeid}, {report.when}", *errors[:8])) + "\n")


def pytest_sessionfinish() -> None:
    dismiss_all()


_installed: set[str] = set()


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> LabHost:
    """A lab host with the collection on it."""
    found: LabHost = request.param
    if found.name not in _installed:
        found.install()
        _installed.add(found.name)
    return found


@pytest.fixture
def lab(host: LabHost) -> Resident:
    """The host, spoken to by one connection: most files put something on it first, by a fixture of the same name."""
    return resident(host)


@pytest.fixture(scope="module")
def machine() -> Machine:
    """The virtual machine with the collection on it, empty at first: the tests of a file share what they make on it."""
    found = standing()
    if found is None:
        pytest.exit("no virtual machine stands: python3 molecule/lab/lab.py vm-up", 2)
    if found.name not in _installed:
        found.install()
        _installed.add(found.name)
    found.wipe()
    return found


_empty: set[str] = set()


@pytest.fixture(autouse=True)
def _clean(request: pytest.FixtureRequest) -> Iterator[None]:
    if "host" not in request.fixturenames:
        yield
        return
    found: LabHost = request.getfixturevalue("host")
    if found.name not in _empty:  # the first test, or one after which wiping failed
        found.wipe()
    _empty.discard(found.name)
    yield
    resident(found).wipe()
    _empty.add(found.name)

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for ways to other hosts say of themselves is so: options, examples, what they return."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils._model import info, spec
from ansible_collections.breakwater.docker.plugins.module_utils._model import tunnel as model
from ansible_collections.breakwater.docker.plugins.modules import (
    topology_confirm,
    tunnel,
    tunnel_info,
    wireguard_key,
)
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils import fleet
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.fake_tunnel import drawn

yaml = pytest.importorskip("yaml")

MODULES: list[tuple[str, ModuleType, Mapping[str, Any]]] = [
    ("tunnel", tunnel, model.SPEC),
    ("tunnel_info", tunnel_info, info.TUNNELS_SPEC),
    ("wireguard_key", wireguard_key, wireguard_key.SPEC),
    ("topology_confirm", topology_confirm, topology_confirm.SPEC),
]
each_module = pytest.mark.parametrize(("name", "module", "declared"), MODULES, ids=[each[0] for each in MODULES])


def differences(options: Mapping[str, Any], declared: Mapping[str, Any], path: str = "") -> list[str]:
    """Where the documentation of options and their spec say another thing."""
    found = [f"{path}{each}" for each in {*options} ^ {*declared}]
    for name in {*options} & {*declared}:
        told, is_ = options[name], declared[name]
        for key in ("type", "elements", "required", "default"):
            if told.get(key) != is_.get(key):
                found.append(f"{path}{name}.{key}: {told.get(key)!r}, {is_.get(key)!r}")
        if [*told.get("choices", ())] != [*is_.get("choices", ())]:
            found.append(f"{path}{name}.choices")
        found += differences(told.get("suboptions", {}), is_.get("options", {}), f"{path}{name}.")
    return found


@each_module
def test_options(name: str, module: ModuleType, declared: Mapping[str, Any]) -> None:
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["module"] == name
    assert differences(documentation["options"], declared) == []


@each_module
def test_examples(name: str, module: ModuleType, declared: Mapping[str, Any]) -> None:
    """Each is accepted; what a play would fill in is a key."""
    examples = yaml.safe_load(re.sub(r'"\{\{ hostvars.*?\}\}"', f'"{drawn("edge1")}"', module.EXAMPLES))
    found = [each[f"breakwater.docker.{name}"] for each in examples if f"breakwater.docker.{name}" in each]
    assert found
    for args in found:
        accepted = spec.read(declared, args or {})
        if name == "tunnel":
            model.Tunnel.read(accepted)


@each_module
def test_samples_are_keys(name: str, module: ModuleType, declared: Mapping[str, Any]) -> None:
    returned = yaml.safe_load(module.RETURN)
    for sample in re.findall(r"[A-Za-z0-9+/]{43}=", module.RETURN):
        assert model.check_public_key(sample, name) == sample
    assert returned and declared


def test_what_is_returned_is_documented() -> None:
    everywhere = {"changed", "diff", "pending"}
    with fleet.fleet_host() as host:
        result = host.module("tunnel", fleet.tunnel())
        assert result.keys() - everywhere - {"warnings"} == yaml.safe_load(tunnel.RETURN).keys() - {"field"}
        seen = host.module("tunnel_info", {})["seen"]
        assert seen.keys() == yaml.safe_load(tunnel_info.RETURN)["seen"]["contains"].keys()

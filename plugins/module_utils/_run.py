# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module runs: read its arguments, bring the host to them by the loop, make an exception a ``fail_json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ._host.command import require_tools
from ._host.engine import DockerEngine
from ._host.host import Host
from ._host.last_seen import Asleep
from ._host.lock import alone
from ._loop import Kind, converge
from ._model import spec
from ._model.engine import ADDRESS_SPEC, ENVIRONMENT, EngineAddress
from ._model.errors import BreakwaterError, DeclarationError


class Module(AnsibleModule):  # type: ignore[misc]
    """AnsibleModule whose refusal of an argument names the path of the field."""

    def __init__(self, argument_spec: Mapping[str, Mapping[str, Any]]) -> None:
        self._accepted = False
        self._declared_spec = argument_spec
        options = {
            key: {**option, "fallback": (env_fallback, [ENVIRONMENT[key]])} if key in ENVIRONMENT else dict(option)
            for key, option in argument_spec.items()
        }
        super().__init__(argument_spec=options, supports_check_mode=True)
        # Ansible makes text of a dictionary where it wants a string; ours refuses it.
        self._check_given()
        self._accepted = True

    def _load_params(self) -> None:
        super()._load_params()
        # As they were given: what Ansible's own check cannot read is gone from ``params`` when it complains.
        self._given = {key: deepcopy(value) for key, value in self.params.items() if not key.startswith("_ansible_")}

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        if not self._accepted:
            self._check_given()
        super().fail_json(msg, **kwargs)

    def _check_given(self) -> None:
        try:
            spec.read(self._declared_spec, self._given)
        except DeclarationError as error:
            super().fail_json(str(error), **error.result())


def run(kind: Kind[Any]) -> None:
    """Run a module of this kind from its arguments to its result."""
    module = Module({**kind.spec, **ADDRESS_SPEC})
    try:
        declared = kind.read(module.params)
        where = EngineAddress.read(module.params)
        if kind.local and not where.is_local:
            raise DeclarationError(
                "docker_host",
                f"{where.docker_host} is elsewhere; this module works on the engine's own host",
            )
        needs_engine = kind.needs_engine(declared)
        if kind.local and needs_engine:
            require_tools()
        with alone() if kind.plan and where.is_local and not module.check_mode else nullcontext():
            host = Host(DockerEngine(where) if needs_engine else Asleep())
            result = converge(kind, declared, host, module.check_mode)
    except BreakwaterError as error:
        module.fail_json(msg=str(error), **error.result())
        return
    for warning in result.pop("warnings"):
        module.warn(warning)
    if result["changed"] and result["volatile"]:
        kept = "no keeper (role breakwater.docker.keeper) brings this back:"
        module.warn(f"{kept} {'; '.join(result['volatile'])}")
    module.exit_json(**result)


def run_alone(argument_spec: Mapping[str, Mapping[str, Any]], work: Callable[[dict[str, Any], bool], Any]) -> None:
    """Run a module that needs no engine: ``work`` makes its result of the arguments and of check mode."""
    module = Module(argument_spec)
    try:
        module.exit_json(**work(module.params, module.check_mode))
    except BreakwaterError as error:
        module.fail_json(msg=str(error), **error.result())

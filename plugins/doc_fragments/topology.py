# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a topology, which take the options of the module of the same name.

Their documentation is the one in that module: Ansible merges no fragment below `suboptions`, so it is read and
laid there. A reference to an option, which reads O(gateway) in the module, reads O(routes[].gateway) here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from ansible_collections.breakwater.docker.plugins.modules import (
    connection,
    firewall,
    hosts_file,
    network,
    policy,
    route,
    sysctl,
    tunnel,
)

_LISTS: dict[str, tuple[str, list[str]]] = {
    "networks": (
        network.DOCUMENTATION,
        [
            "The networks, each with the options of M(breakwater.docker.network).",
            "A network that the topology makes bears the label C(breakwater.topology) with its name.",
            "A network that was there before is brought to what is declared, and is never pruned.",
        ],
    ),
    "connections": (
        connection.DOCUMENTATION,
        [
            "The networks of containers, each with the options of M(breakwater.docker.connection).",
            "Containers may swap their addresses, or take what another one gives up.",
        ],
    ),
    "sysctls": (
        sysctl.DOCUMENTATION,
        [
            "Kernel parameters of the host and of containers, each with the options of M(breakwater.docker.sysctl).",
            "One that the topology has set, and that is declared no more, is given back by O(prune=true).",
        ],
    ),
    "routes": (
        route.DOCUMENTATION,
        ["The routes inside containers, each with the options of M(breakwater.docker.route)."],
    ),
    "tunnels": (
        tunnel.DOCUMENTATION,
        [
            "The ways to the containers of other hosts, each with the options of M(breakwater.docker.tunnel).",
            "One that the topology declares no more goes by O(prune=true).",
        ],
    ),
    "hosts_files": (
        hosts_file.DOCUMENTATION,
        [
            "Names in the C(/etc/hosts) of containers, each with the options of M(breakwater.docker.hosts_file).",
            "All that is said of one container makes one block there, which bears the name of the topology.",
        ],
    ),
}
_OWN_OPTION = re.compile(r"\bO\((?![^)]*#)")


def _options(of_module: str, path: str, without: Iterable[str] = ()) -> dict[str, Any]:
    """The options of a module as they are to be read below ``path``, or as they are."""
    found: dict[str, Any] = yaml.safe_load(_OWN_OPTION.sub(f"O({path}.", of_module) if path else of_module)["options"]
    return {name: each for name, each in found.items() if name not in without}


def _policy(*description: str) -> dict[str, Any]:
    return {
        "description": [*description],
        "type": "dict",
        "suboptions": _options(policy.DOCUMENTATION, "policy", without=("name", "state")),
    }


def _documentation() -> str:
    options: dict[str, Any] = {
        name: {
            "description": description,
            "type": "list",
            "elements": "dict",
            "default": [],
            "suboptions": _options(of_module, f"{name}[]"),
        }
        for name, (of_module, description) in _LISTS.items()
    }
    options["rules"] = {
        **_options(firewall.DOCUMENTATION, "")["rules"],
        "description": [
            "The ordered rules for what the host forwards, with the options of M(breakwater.docker.firewall).",
            "The list is the whole ruleset, with or without O(prune).",
            "If left out, what is there is left alone, unless O(prune=true).",
            "New rules are in force before the first container is attached or detached.",
            "An address that the engine draws when it attaches a container is in them right after that.",
        ],
    }
    options["policy"] = _policy(
        "Who may talk to whom, with the options of M(breakwater.docker.policy).",
        "It governs the networks of the topology, unless O(policy.networks) names others. They are closed before the"
        " first container is attached to them.",
    )
    text: str = yaml.safe_dump({"options": options}, sort_keys=False)
    return text


def _policy_alone() -> str:
    found = _policy(
        "The policy, with the options of M(breakwater.docker.policy).",
        "If left out, the one that the topology O(name) has declared on the host.",
    )
    text: str = yaml.safe_dump({"options": {"policy": found}}, sort_keys=False)
    return text


class ModuleDocFragment:
    """The options of a topology that are lists, `rules` and `policy`; the last alone with ``.policy``."""

    # Annotated, for ansible-test reads what is assigned otherwise without running it.
    DOCUMENTATION: str = _documentation()
    POLICY: str = _policy_alone()

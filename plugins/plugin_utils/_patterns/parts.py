# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every pattern is declared with: containers to start or to find, and options for the networks that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError
from ansible_collections.breakwater.docker.plugins.module_utils._model.spec import near


def container(given: Any, start: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A container as docker_container is to start it; its name alone where somebody else does."""
    own = given if isinstance(given, Mapping) else {"name": given}
    if not isinstance(own.get("name"), str) or not own["name"]:
        raise DeclarationError(path, f"expected a container's name, or its options with a name, found {given!r}")
    options = {**start, **own}
    if len(options) > 1 and not options.get("image"):
        raise DeclarationError(
            path, f"'{own['name']}' has options and no image to start it from; what runs already is named alone"
        )
    return options


def add_options(networks: dict[str, dict[str, Any]], given: Mapping[str, Any]) -> None:
    """Add the options ``given`` to those ``networks``, by key, that they name; DeclarationError where there is none."""
    for key, options in given.items():
        if key not in networks:
            raise DeclarationError(f"networks.{key}", f"there is no such network; {near(key, networks)}")
        if not isinstance(options, Mapping):
            raise DeclarationError(f"networks.{key}", f"expected options of a network, found {options!r}")
        networks[key] = {**networks[key], **options}

# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys of WireGuard: one that two have takes the tunnels of both down."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.breakwater.docker.plugins.module_utils._model.errors import DeclarationError


def check_once(keys: Iterable[tuple[str, str, str]]) -> None:
    """DeclarationError where two have one key; ``keys`` are the public key, its owner and where it is from."""
    owners: dict[str, tuple[str, str]] = {}
    for key, owner, path in keys:
        first, where = owners.setdefault(key, (owner, path))
        if first != owner:
            raise DeclarationError(
                path,
                f"'{owner}' has the public key of '{first}' ({where}); a copied host needs a key of its own, and one"
                " that has been renamed its former name in breakwater_wireguard_absent",
            )

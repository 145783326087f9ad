# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that two hosts share: drawn by one of them, sealed for the other, and kept by both."""

from __future__ import annotations

from typing import Any

from .._model.errors import DeclarationError
from .._model.preshared import Partner, Partners
from .._model.spec import under
from .._model.tunnel import preshared_name
from . import wireguard
from .command import run
from .seal import seal, unseal


def share(wanted: Partners, check: bool) -> dict[str, Any]:
    """A module's result: what is sealed for each of those to whom this host gives, after it kept what it was given."""
    private_key = wireguard.private_key(wanted.key)
    if not private_key:
        raise DeclarationError(
            "key", f"this host keeps no key '{wanted.key}'; make it with the module breakwater.docker.wireguard_key"
        )
    changed, sealed = False, {}
    for each in wanted.peers:
        name = preshared_name(wanted.key, each.name)
        there = wireguard.preshared_key(name)
        if wanted.host < each.name:
            secret = there or ("" if check else run(["wg", "genpsk"]).strip())
            sealed[each.name] = seal(secret, private_key, each.public_key, _context(wanted, each)) if secret else ""
            changes = not there
        else:
            secret = _opened(wanted, each, private_key) if each.sealed else there
            changes = secret != there or (check and each.sealed == "")  # which the giver would draw
        if secret != there and not check:
            wireguard.keep_preshared(name, secret)
        changed = changed or changes
    return {"changed": changed, "sealed": sealed}


def _opened(wanted: Partners, giver: Partner, private_key: str) -> str:
    secret = unseal(giver.sealed or "", private_key, giver.public_key, _context(wanted, giver))
    if not secret:
        raise DeclarationError(
            under(giver.path, "sealed"),
            f"'{giver.name}' has not sealed this for '{wanted.host}' with the keys '{wanted.key}' that both have now;"
            " run the module on both, and give each the public key of the other",
        )
    return secret


def _context(wanted: Partners, other: Partner) -> str:
    return " ".join((wanted.key, *sorted((wanted.host, other.name))))

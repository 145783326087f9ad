# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret of 32 bytes, sealed by one host for another with the WireGuard keys of both.

X25519 of the own private and the other's public key, which ``openssl`` computes, is what both alone know. HMAC-SHA256
by it makes a tag of the secret, and of the tag what the secret is masked with: the same secret has the same text, and
no number has to be drawn.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from tempfile import NamedTemporaryFile

from .command import run_bytes

_SIZE = 32
"""Bytes of a key, of a tag and of a mask alike."""
_PRIVATE = bytes.fromhex("302e020100300506032b656e04220420")
_PUBLIC = bytes.fromhex("302a300506032b656e032100")
"""What DER has before the bytes of an X25519 key (RFC 8410)."""


def seal(secret: str, private_key: str, public_key: str, context: str) -> str:
    """The text that the owner of ``public_key`` can open; keys and ``secret`` are 32 bytes in base64 each.

    ``context`` says what the secret is for: a text that was made for something else does not open.
    """
    plain = b64decode(secret)
    tagging, masking = _keys(private_key, public_key)
    tag = _mac(tagging, context.encode() + b"\0" + plain)
    return b64encode(tag + _xor(plain, _mac(masking, tag))).decode()


def unseal(text: str, private_key: str, public_key: str, context: str) -> str:
    """The secret that the owner of ``public_key`` has sealed; empty where it has not, or not so."""
    try:
        sealed = b64decode(text, validate=True)
    except ValueError:
        return ""
    if len(sealed) != 2 * _SIZE:
        return ""
    tag, masked = sealed[:_SIZE], sealed[_SIZE:]
    tagging, masking = _keys(private_key, public_key)
    plain = _xor(masked, _mac(masking, tag))
    if not hmac.compare_digest(tag, _mac(tagging, context.encode() + b"\0" + plain)):
        return ""
    return b64encode(plain).decode()


def _keys(private_key: str, public_key: str) -> tuple[bytes, bytes]:
    """The keys of the tag and of the mask; HostError where ``public_key`` is one that no host can have."""
    with NamedTemporaryFile(prefix="breakwater-") as theirs:
        theirs.write(_PUBLIC + b64decode(public_key))
        theirs.flush()
        # The private one goes by a pipe: it stands in no file, and in no list of processes.
        ours = ("-inkey", "/dev/stdin", "-keyform", "DER")
        argv = ["openssl", "pkeyutl", "-derive", *ours, "-peerkey", theirs.name, "-peerform", "DER"]
        shared = run_bytes(argv, _PRIVATE + b64decode(private_key))
    return _mac(shared, b"breakwater preshared tag"), _mac(shared, b"breakwater preshared mask")


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, "sha256").digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other))

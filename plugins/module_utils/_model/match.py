# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule may say in iptables' own words: what to match, and nothing else."""

from __future__ import annotations

from .errors import DeclarationError

_MATCH_FLAGS = frozenset(("-m", "-p", "-i", "-o", "-f"))
_COMMANDS = (
    "--append",
    "--check",
    "--delete",
    "--insert",
    "--replace",
    "--list",
    "--list-rules",
    "--flush",
    "--zero",
    "--new-chain",
    "--delete-chain",
    "--policy",
    "--rename-chain",
    "--jump",
    "--goto",
    "--table",
    "--set-counters",
    "--modprobe",
    "--wait",
    "--verbose",
    "--numeric",
    "--exact",
    "--line-numbers",
    "--version",
    "--help",
    "--ipv4",
    "--ipv6",
    "--noflush",
    "--counters",
    "--test",
    "--source",
    "--src",
    "--destination",
    "--dst",
)
"""What an argument of iptables says that is no match, or one of which iptables makes several rules."""
_NO_MATCH = "no match; action says what becomes of a packet, source and destination where it comes from and goes to"


def argument(text: str, path: str) -> str:
    """One argument of iptables, if it says what to match and nothing else."""
    if not text or not text.isprintable():
        raise DeclarationError(path, f"expected one argument of iptables on one line, found {text!r}")
    if text.startswith("-") and " " in text:
        raise DeclarationError(path, f"{text!r} is more than one argument; each is an item of its own")
    flag = text.partition("=")[0]
    # `--set` is the match `recent`'s own.
    is_command = flag != "--set" and len(flag) > 1 and any(each.startswith(flag) for each in _COMMANDS)
    if text == "--" or (text.startswith("--") and is_command):
        raise DeclarationError(path, f"{text} is {_NO_MATCH}")
    if text.startswith("-") and not text.startswith("--") and not text[1:].isdigit() and text not in _MATCH_FLAGS:
        raise DeclarationError(path, f"{text} is {_NO_MATCH}")
    return text

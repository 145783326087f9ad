# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark of a rule that iptables prints otherwise than it was written: a comment with two digests.

A free-form match comes back with defaults filled in and numbers spelt anew, in ways that only its extension knows.
The mark holds the digest of what was written and of what is printed, so that such a rule is known again, and a
change by hand is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

_TAG = re.compile(r"-m comment --comment bw-([0-9a-f]{16})-([0-9a-f]{16}) ")
_TARGET = re.compile(r'-j (?:\S+|REJECT --reject-with \S+|LOG --log-prefix (?:"(?:\\.|[^"\\])*"|\S+))$')


def tagged(written: str, printed: str) -> str:
    """The rule ``written``, marked so that it is known by what iptables prints for it."""
    mark = f"-m comment --comment bw-{_digest(written)}-{_digest(printed)} "
    return _TARGET.sub(lambda target: mark + target[0], written)


def same(written: str, seen: str) -> bool:
    """Whether the rule that iptables prints as ``seen`` is the one that was ``written``."""
    if written == seen:
        return True
    tag = _TAG.search(seen)
    return tag is not None and tag[1] == _digest(written) and tag[2] == _digest(_TAG.sub("", seen))


def original(seen: str, written: Iterable[str]) -> str:
    """The one of the rules ``written`` that is printed as ``seen``; without one, what is printed, unmarked."""
    if _TAG.search(seen) is None:
        return seen
    return next((each for each in written if same(each, seen)), _TAG.sub("", seen))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]

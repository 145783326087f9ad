# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel parameters that tuning profiles come to on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tuning_values
short_description: The kernel parameters that tuning profiles come to on a host
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Looks the profiles up in a table, scales what scales with the memory of the host, and brings them together.
  - The role P(breakwater.docker.tuning#role) holds the table and hands the result to M(breakwater.docker.sysctl).
positional: table, memory_mb, values, exclude, kinds
options:
  _input:
    description: The names of the profiles. Their order does not matter.
    type: list
    elements: str
    required: true
  table:
    description:
      - The profiles by name, each a dictionary by key of the kernel, each of these a dictionary with these fields.
      - C(value) is a number or a list of numbers. In the place of a number may stand a dictionary with C(per_gb),
        C(at_least) and C(at_most), for what scales with memory.
      - C(kind) says what becomes of a key that several profiles set. Of V(size), the default, the larger number
        counts, one by one in a list. Of V(range), the widest counts. A V(mode) is not more or less than another, so all
        must say the same.
      - C(reason) and C(reaches) are for people to read.
    type: dict
    required: true
  memory_mb:
    description:
      - The memory of the host in MB, as C(ansible_facts['memtotal_mb']) has it.
      - It counts as the power of two below, a tenth forgiven for what kernel and firmware keep to themselves. So the
        values stay as they are when another kernel keeps a little more.
    type: int
    required: true
  values:
    description: Values of your own, which stand instead of those of the profiles or beside them.
    type: dict
    default: {}
  exclude:
    description: Keys to leave alone, or patterns such as V(net.netfilter.*).
    type: list
    elements: str
    default: []
  kinds:
    description: The kinds of keys to give; what is in O(values) is V(own).
    type: list
    elements: str
    choices: [size, range, mode, own]
    default: [size, range, mode, own]
"""

EXAMPLES = r"""
- name: Show what a profile comes to
  ansible.builtin.debug:
    msg: "{{ ['throughput'] | breakwater.docker.tuning_values(table, memory_mb=16000) }}"
  vars:
    table:
      throughput:
        net.core.rmem_max:
          value: {per_gb: 4194304, at_least: 4194304, at_most: 67108864}
          reaches: machine
          reason: The most that a socket may ask for.
        net.core.netdev_max_backlog:
          value: 16384
          reaches: machine
          reason: A veth pair hands over its packets through it.
"""

RETURN = r"""
_value:
  description: The value of each key, as the kernel writes it, by the key.
  type: dict
  sample:
    net.core.netdev_max_backlog: "16384"
    net.core.rmem_max: "67108864"
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Union

from ansible.errors import AnsibleFilterError

Entry = Mapping[str, Any]
Table = Mapping[str, Mapping[str, Entry]]
Numbers = tuple[int, ...]
Number = Union[int, Mapping[str, int]]

KINDS = ("size", "range", "mode", "own")

_KEPT_BY_THE_KERNEL = 10
"""The part of the memory, one tenth, that may be missing from what the kernel reports."""


def tuning_values(
    profiles: Iterable[str],
    table: Table,
    memory_mb: int,
    values: Mapping[str, Any] | None = None,
    exclude: Iterable[str] = (),
    kinds: Iterable[str] = KINDS,
) -> dict[str, str]:
    """The value of each key of ``profiles`` and of ``values``; AnsibleFilterError names what is wrong."""
    own, patterns, given = values or {}, tuple(exclude), frozenset(kinds)
    _check(own, patterns, table)
    memory = _counted(memory_mb)
    found: dict[str, list[tuple[str, Entry]]] = {}
    for profile in dict.fromkeys(profiles):
        for key, entry in _profile(profile, table).items():
            if key not in own and not _matches(key, patterns):
                found.setdefault(key, []).append((profile, entry))
    settled = {key: _together(key, entries, memory) for key, entries in found.items() if _kind(entries) in given}
    if "own" in given:
        settled.update((key, _text(value)) for key, value in own.items())
    return dict(sorted(settled.items()))


def _check(own: Mapping[str, Any], patterns: Iterable[str], table: Table) -> None:
    keys = {key for profile in table.values() for key in profile}
    for index, pattern in enumerate(patterns):
        for key in own:
            if fnmatchcase(key, pattern):
                raise AnsibleFilterError(f"exclude[{index}]: '{pattern}' leaves {key} alone, but values sets it")
        if not any(fnmatchcase(key, pattern) for key in keys):
            raise AnsibleFilterError(f"exclude[{index}]: no profile has a key '{pattern}'")


def _matches(key: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def _profile(name: str, table: Table) -> Mapping[str, Entry]:
    if name not in table:
        raise AnsibleFilterError(f"profiles: there is no profile '{name}', only {', '.join(sorted(table))}")
    return table[name]


def _counted(memory_mb: int) -> int:
    """The power of two, in MB, that the memory counts as."""
    if not isinstance(memory_mb, int) or memory_mb < 1:
        raise AnsibleFilterError(f"memory_mb: expected a number of megabytes, found {memory_mb!r}")
    whole = memory_mb * (_KEPT_BY_THE_KERNEL + 1) // _KEPT_BY_THE_KERNEL
    return 1 << (whole.bit_length() - 1)


def _together(key: str, entries: list[tuple[str, Entry]], memory: int) -> str:
    """The one value of a key that several profiles may set."""
    kind = _kind(entries)
    wanted = {profile: tuple(_scaled(entry["value"], memory)) for profile, entry in entries}
    each = list(wanted.values())
    if kind == "mode" and len(set(each)) > 1:
        told = ", ".join(f"'{profile}' sets it to {_text(numbers)}" for profile, numbers in wanted.items())
        raise AnsibleFilterError(f"{key}: the profiles differ: {told}; exclude it, or say its value in values")
    if kind == "range":
        return _text((min(numbers[0] for numbers in each), max(numbers[1] for numbers in each)))
    return _text(max(numbers) for numbers in zip(*each))


def _kind(entries: list[tuple[str, Entry]]) -> str:
    return str(entries[0][1].get("kind", "size"))


def _scaled(value: Number | list[Number], memory: int) -> Iterator[int]:
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, Mapping):
            yield min(max(number["per_gb"] * memory // 1024, number["at_least"]), number["at_most"])
        else:
            yield number


def _text(value: Any) -> str:
    """A value as the kernel writes it: numbers with a space between."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (str, int)):
        return str(value)
    return " ".join(str(number) for number in value)


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"tuning_values": tuning_values}

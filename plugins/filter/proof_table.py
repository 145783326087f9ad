# Copyright (c) 2026, the Breakwater founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe has measured, as a table for a person."""

from __future__ import annotations

DOCUMENTATION = r"""
name: proof_table
short_description: What a probe has measured, as a table for a person
version_added: 0.1.0
author:
  - the Breakwater founders (@breakwater)
description:
  - Lays out the result of M(breakwater.docker.probe) in columns, a line for each expectation, and the sum below.
  - The lines that are not as expected carry a mark, for the eye and for a search.
options:
  _input:
    description: The result of M(breakwater.docker.probe), whether it succeeded or failed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Send the packets
  breakwater.docker.probe:
    expectations:
      - {from: web, to: db, protocol: tcp, port: 5432, expect: pass}
  register: proof

- name: Show the proof
  ansible.builtin.debug:
    msg: "{{ proof | breakwater.docker.proof_table }}"
"""

RETURN = r"""
_value:
  description: The table, without a line break at its end.
  type: str
  sample: |-
    from  to  packets   expected  measured
    web   db  tcp/5432  pass      pass, 0.3 ms
    1 expectation: as expected
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Cell = Mapping[str, Any]

_HEADINGS = ("from", "to", "packets", "expected", "measured")
_MARK = "  <-- differs"


def proof_table(result: Mapping[str, Any]) -> str:
    """The table of all that ``result`` has measured; its message where nothing was measured."""
    cells: Sequence[Cell] = result.get("matrix", ())
    if not cells:
        return str(result.get("msg", "nothing was measured"))
    rows = [_HEADINGS, *(_row(each) for each in cells)]
    marks = ["", *(_MARK if each["differs"] else "" for each in cells)]
    lines = [line + mark for line, mark in zip(_aligned(rows), marks)]
    return "\n".join([*lines, _sum(cells)])


def _row(cell: Cell) -> tuple[str, ...]:
    packets = f"{cell['protocol']}/{cell['port']}" if cell["port"] else cell["protocol"]
    if cell["ip_version"] == 6:
        packets += " over IPv6"
    expected = f"{cell['expect']} through {cell['through']}" if cell["through"] else cell["expect"]
    return (cell["from"], cell["to"], packets, expected, _measured(cell))


def _measured(cell: Cell) -> str:
    measured = [str(cell["outcome"])]
    if cell["through"] and cell["hops"]:
        measured[0] += f" through {', '.join(cell['hops'])}"
    if cell["latency_ms"] is not None:
        measured.append(f"{cell['latency_ms']:.1f} ms")
    if cell["note"]:
        measured.append(cell["note"])
    return ", ".join(measured)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEADINGS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def _sum(cells: Sequence[Cell]) -> str:
    differ = sum(1 for each in cells if each["differs"])
    counted = f"{len(cells)} expectation{'' if len(cells) == 1 else 's'}"
    if not differ:
        return f"{counted}: {'as' if len(cells) == 1 else 'all as'} expected"
    return f"{counted}: {differ} differ{'s' if differ == 1 else ''}"


class FilterModule:
    """How Ansible finds the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"proof_table": proof_table}

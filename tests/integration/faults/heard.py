# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the voices of a host have heard: ``heard.py FOLDER SINCE`` prints spans of time, as JSON.

``{"from 4 web app": [[begin, end], ...]}``: app has heard web; ``back`` means that web has had app's answer. A span
ends where nothing was heard for a moment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

SILENCE = 0.2


def lines(path: Path, since: float) -> Iterator[tuple[float, str]]:
    me = path.name.removesuffix(".heard")
    for line in path.read_text().splitlines():
        with_time, kind, version, who = line.split(" ")
        at = float(with_time)
        if at >= since:
            yield at, " ".join([kind, version, *((who, me) if kind == "from" else (me, who))])


def main(folder: Path, since: float) -> None:
    spans: dict[str, list[list[float]]] = {}
    for path in sorted(folder.glob("*.heard")):
        for at, key in lines(path, since):
            found = spans.setdefault(key, [[at, at]])
            if at - found[-1][1] > SILENCE:
                found.append([at, at])
            found[-1][1] = at
    json.dump(spans, sys.stdout)


main(Path(sys.argv[1]), float(sys.argv[2]))

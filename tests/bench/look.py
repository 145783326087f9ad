# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a lab host with a keeper: the milliseconds of ten looks at the topology ``bench``, by its program."""

from __future__ import annotations

import json
import sys
import time

# The packages as they are on the host, and nowhere here.
sys.path.insert(0, "/usr/local/sbin/breakwater")

from breakwater._host.engine import DockerEngine
from breakwater._host.files import LastingMemories
from breakwater._host.host import Host
from breakwater._keeper.restore import declared
from breakwater._kinds import TOPOLOGY
from breakwater._loop import converge
from breakwater._model.engine import EngineAddress

engine, memories = DockerEngine(EngineAddress()), LastingMemories()
looks = []
for _look in range(10):
    start = time.perf_counter()
    converge(TOPOLOGY, declared("bench", memories["bench"]), Host(engine, memories), check_mode=True)
    looks.append(round((time.perf_counter() - start) * 1000, 1))
print(json.dumps(looks))

"""Run commands as argument lists under a time limit; say in one sentence what went wrong."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_STARTED = time.monotonic()
_TAIL_LINES = 15
# What a terminal reads as commands: ESC [ …, ESC ] … and other controls than tab and newline.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*|[\x00-\x08\x0b-\x1f\x7f]")


class LabError(Exception):
    """What a person is told: the step, the host, the command and the end of what it printed."""


def say(message: str) -> None:
    """Print a line of progress with the seconds since the start; standard output is for results."""
    sys.stderr.write(f"[{time.monotonic() - _STARTED:6.1f} s] {message}\n")


def tail(done: subprocess.CompletedProcess[str]) -> str:
    """Return the end of what a command printed, indented, or a word for nothing."""
    printed = _ESCAPES.sub("", f"{done.stdout}\n{done.stderr}")
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:]) or "    (no output)"


def attempt(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` and return what came of it; out of time is code 124, an unknown program 127."""
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            env=env,
            check=False,
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        code, out, err = 124, late.stdout or b"", late.stderr or b""
        err += b"\nno end within %g seconds" % timeout
    except FileNotFoundError:
        code, out, err = 127, b"", b"no such program"
    text, errors = out.decode(errors="replace"), err.decode(errors="replace")
    return subprocess.CompletedProcess(list(argv), code, text.strip(), errors)


def run(
    step: str,
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run `argv` and return its output; `step` says what for (and on which host) if it fails."""
    done = attempt(argv, stdin=stdin, timeout=timeout, env=env)
    if done.returncode:
        command = textwrap.shorten(shlex.join(argv), 160, placeholder=" …")
        raise LabError(f"{step}: `{command}` ended with {done.returncode}:\n{tail(done)}")
    return done.stdout


def in_parallel(work: Callable[[Item], Outcome], items: Iterable[Item]) -> list[Outcome]:
    """Do `work` for every item at once and return the outcomes in order; all failures are told."""
    todo = list(items)
    if not todo:
        return []
    with ThreadPoolExecutor(len(todo)) as pool:
        futures = [pool.submit(work, item) for item in todo]
    failures = [error for future in futures if (error := future.exception())]
    if failures:
        raise LabError("\n".join(map(str, failures))) from failures[0]
    return [future.result() for future in futures]

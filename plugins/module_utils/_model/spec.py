# Copyright (c) 2026, the Breakwater founders
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs read without Ansible: defaults filled in, types checked, an error names the path of the field.

Ansible checks a module's arguments by the same spec, and its refusal does not say which item of a list
was wrong. This reader does. The keeper, which has no Ansible, reads its state files with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from .errors import DeclarationError

ArgumentSpec = Mapping[str, Mapping[str, Any]]

_TRUE = frozenset(("y", "yes", "on", "1", "true", "t", "1.0"))
_FALSE = frozenset(("n", "no", "off", "0", "false", "f", "0.0"))


def near(word: str, words: Iterable[str]) -> str:
    """A clause with the near matches of ``word`` among ``words``, or with all of them where none is near."""
    known = sorted(words)
    close = get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(each) for each in close)}?"
    return f"there is {', '.join(known[:12])}{' …' if len(known) > 12 else ''}" if known else "the host has none"


def under(path: str, key: str) -> str:
    """The path of ``key`` within ``path``."""
    return f"{path}.{key}" if path else key


def read(spec: ArgumentSpec, given: Any, path: str = "") -> dict[str, Any]:
    """``given`` with aliases resolved, defaults filled in and values of their declared types.

    Raises DeclarationError at the first field that the spec refuses.
    """
    if not isinstance(given, Mapping):
        raise DeclarationError(path, f"expected a dictionary, found {given!r}")
    names = {alias: name for name, option in spec.items() for alias in (name, *option.get("aliases", ()))}
    named: dict[str, Any] = {}
    for key, value in given.items():
        if key not in names:
            homes = [name for name, option in spec.items() if key in option.get("options", ())]
            hint = f"it goes under {homes[0]}" if homes else near(str(key), spec)
            raise DeclarationError(under(path, str(key)), f"no such option; {hint}")
        if value is not None or names[key] not in named:
            named[names[key]] = value
    result: dict[str, Any] = {}
    for name, option in spec.items():
        value = named.get(name)
        if value is None:
            value = option.get("default")
        if value is None and option.get("required"):
            raise DeclarationError(under(path, name), "is required")
        result[name] = None if value is None else _value(option, value, under(path, name))
    return result


def texts(given: Mapping[str, Any], path: str) -> dict[str, str]:
    """A dictionary of options or labels as the engine keeps it: text to text, a boolean as true or false."""
    result = {}
    for key, value in given.items():
        if isinstance(value, (Mapping, list, tuple)):
            raise DeclarationError(under(path, key), f"expected text, a number or a boolean, found {value!r}")
        result[str(key)] = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    return result


def _value(option: Mapping[str, Any], value: Any, path: str) -> Any:
    kind = option.get("type", "str")
    if kind == "list":
        return [_value({**option, "type": option["elements"]}, each, where) for each, where in _items(value, path)]
    if kind == "dict" and "options" in option:
        return read(option["options"], value, path)
    converted = _CONVERT[kind](value, path)
    if "choices" in option and converted not in option["choices"]:
        raise DeclarationError(path, f"expected one of {', '.join(option['choices'])}, found {value!r}")
    return converted


def _items(value: Any, path: str) -> list[tuple[Any, str]]:
    if isinstance(value, str):
        value = [each.strip() for each in value.split(",")] if value else []
    if not isinstance(value, (list, tuple)):
        raise DeclarationError(path, f"expected a list, found {value!r}")
    return [(each, f"{path}[{index}]") for index, each in enumerate(value)]


def _str(value: Any, path: str) -> str:
    if isinstance(value, (Mapping, list, tuple)) or value is None:
        raise DeclarationError(path, f"expected a string, found {value!r}")
    return str(value)


def _int(value: Any, path: str) -> int:
    try:
        if isinstance(value, (bool, float)) and value != int(value):
            raise ValueError(value)
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DeclarationError(path, f"expected a whole number, found {value!r}") from error


def _float(value: Any, path: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DeclarationError(path, f"expected a number, found {value!r}") from error


def _bool(value: Any, path: str) -> bool:
    word = str(value).lower().strip()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise DeclarationError(path, f"expected true or false, found {value!r}")


def _dict(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise DeclarationError(path, f"expected a dictionary, found {value!r}")
    return dict(value)


def _raw(value: Any, _path: str) -> Any:
    return value


_CONVERT: dict[str, Callable[[Any, str], Any]] = {
    "str": _str,
    "path": _str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "dict": _dict,
    "raw": _raw,
}

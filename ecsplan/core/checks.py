"""Checks of input: what is wrong, and where.

A *path* leads from the root of a document to a value: keys, and indices of lists. A `Check` answers with what is wrong
with a value, in words, or "".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
Check: TypeAlias = Callable[[Any], str]

MISSING = "required, but missing"
EMPTY = "must not be empty"
MAX_LISTED = 12  # known keys that an error still lists when none of them is near


class Problem(NamedTuple):
    """What is wrong, and where."""

    path: Path
    message: str


# --- paths ---


def dotted(path: Path) -> str:
    """A path as people read it, with keys quoted where TOML quotes them: `tasks."my.web".run_tasks[0].cluster`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if re.fullmatch("[A-Za-z0-9_-]+", part) else quoted(part)
            text += f".{key}" if text else key
    return text


def in_order(data: Any, problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, in the order of the keys in `data`; a missing key comes before those that are there."""
    return sorted(set(problems), key=lambda it: (_position(data, it.path), dotted(it.path), it.message))


def _position(data: Any, path: Path) -> tuple[int, ...]:
    places: list[int] = []
    for part in path:
        if isinstance(data, dict) and part in data:
            places.append(list(data).index(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            places.append(part)
        else:
            break  # a shorter path sorts first
        data = data[part]
    return tuple(places)


# --- messages ---


def quoted(text: str) -> str:
    """Text in quotes and on one line; unprintable characters are escaped."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text.replace("\\", "\\\\")
    ).replace('"', '\\"')
    return f'"{shown}"'


def toml_type(value: object) -> str:
    """The type of a TOML value, in words: `a string`, `a table`."""
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a float", dict: "a table", list: "a list"}
    return names.get(type(value), "a date or time")


def wrong_type(wanted: str, value: object) -> str:
    """One sentence. Dates have one of their own, because no AWS request takes them from TOML."""
    if toml_type(value) == "a date or time":
        return f"must be {wanted}, not a date or time; write it as a string"
    return f"must be {wanted}, not {toml_type(value)}"


def want_tables(path: Path, value: object) -> str:
    """The message where a list of tables is wanted; a single table, `[x]` for `[[x]]`, is the usual slip."""
    message = wrong_type("a list of tables", value)
    return f"{message}; write [[{_header(path)}]]" if isinstance(value, dict) else message


def want_table(path: Path, value: object) -> str:
    """The message where one table is wanted; `[[x]]` for `[x]` is the usual slip."""
    message = wrong_type("a table", value)
    tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    return f"{message}; write [{_header(path)}]" if tables else message


def _header(path: Path) -> str:
    return dotted(tuple(part for part in path if isinstance(part, str)))


def unknown_key(key: str, known: Collection[str], otherwise: str = "") -> str:
    """Names the nearest known key, whatever its case, `_` and `-`. Without one, lists the known keys if they are few
    or no `otherwise` is given, else says `otherwise`."""
    by_fold = {_fold(name): name for name in sorted(known)}
    near = difflib.get_close_matches(_fold(key), sorted(by_fold), n=1, cutoff=0.7)
    if near:
        return f"unknown key; did you mean {quoted(by_fold[near[0]])}?"
    if otherwise and len(known) > MAX_LISTED:
        return f"unknown key; {otherwise}"
    return f"unknown key; the keys here are {', '.join(sorted(known))}"


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


# --- checks of one value ---


def nonempty(value: Any) -> str:
    """A `Check`: text that is not empty."""
    if not isinstance(value, str):
        return wrong_type("a string", value)
    return "" if value else EMPTY


def boolean(value: Any) -> str:
    """A `Check`: true or false."""
    return "" if isinstance(value, bool) else wrong_type("true or false", value)


def matching(pattern: str, must: str) -> Check:
    """A `Check`: text that matches all of `pattern`; `must` describes that in words."""
    return lambda it: nonempty(it) or ("" if re.fullmatch(pattern, it) else f"must {must}, not {quoted(it)}")


# --- values of unknown type ---


def member(table: Any, key: str) -> Any:
    """The member of a table; None where it is missing, or `table` is no table."""
    return table.get(key) if isinstance(table, dict) else None


def entries_of(table: Any, key: str) -> list[Any]:
    """The member of a table, if it is a list; else an empty one."""
    value = member(table, key)
    return value if isinstance(value, list) else []


def repeats(found: Iterable[tuple[Any, Path]]) -> Iterator[tuple[Any, Path, Path]]:
    """Each repetition of a key: the key, the path of the repetition, and the path of the first one. A key is text, or a
    tuple of texts; any other, or an empty one, is a problem of its own and ignored here."""
    seen: dict[Any, Path] = {}
    for key, path in found:
        if all(isinstance(part, str) and part for part in (key if isinstance(key, tuple) else (key,))):
            first = seen.setdefault(key, path)
            if first is not path:
                yield key, path, first

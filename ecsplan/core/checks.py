"""Checks of input: what is wrong, and where.

A *path* leads from the root of a document to a value: keys, and indices of lists. A `Check` answers with what is wrong
with a value, in words, or "".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from ecsplan.core.model import Doc, Value

Path: TypeAlias = tuple[str | int, ...]
Check: TypeAlias = Callable[[Any], str]

MISSING = "required, but missing"
EMPTY = "must not be empty"
MAX_LISTED = 12  # known keys that an error still lists when none of them is near
MAX_SECONDS = 30 * 86400  # of a duration
_DURATION = re.compile("([0-9]{1,9})|(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")


class Problem(NamedTuple):
    """What is wrong, and where."""

    path: Path
    message: str


Problems: TypeAlias = Iterable[Problem]


class Request(Value, frozen=True, kw_only=True):
    """An operation, and where its declared parameters may or must differ from botocore's model of it. All places are
    patterns (`aws/api.py`)."""

    service: str
    operation: str
    partial: bool = False
    """undeclared members keep their live values, so the model's required members are demanded only within lists, which
    are replaced whole"""
    merged: frozenset[str] = frozenset()
    """lists whose items keep their undeclared members too"""
    required: frozenset[str] = frozenset()
    """members demanded in addition; of a partial request, the only ones outside of lists"""
    filled: frozenset[str] = frozenset()
    """members, text or list, that must not be empty where they are declared"""
    supplied: Mapping[str, str] = {}
    """members that are filled in later; declaring one is a problem with this message"""
    lenient: Mapping[str, tuple[type, ...]] = {}
    """types accepted besides the model's, because they are converted later"""
    own: tuple[str, ...] = ()
    """ecsplan's own keys beside the members at the top, for suggestions; the caller has removed them from the table"""


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


def tables_of(tasks: Doc, key: str) -> Iterator[tuple[Path, Doc]]:
    """The tables in the lists `[[tasks.NAME.KEY]]` of all tasks, whatever is in them, each with its path."""
    for name, task in tasks.items():
        for index, entry in enumerate(entries_of(task, key)):
            if isinstance(entry, dict):
                yield ("tasks", name, key, index), entry


def repeats(found: Iterable[tuple[Any, Path]]) -> Iterator[tuple[Any, Path, Path]]:
    """Each repetition of a key: the key, the path of the repetition, and the path of the first one. A key is text, or a
    tuple of texts; any other, or an empty one, is a problem of its own and ignored here."""
    seen: dict[Any, Path] = {}
    for key, path in found:
        if all(isinstance(part, str) and part for part in (key if isinstance(key, tuple) else (key,))):
            first = seen.setdefault(key, path)
            if first is not path:
                yield key, path, first


plain_name = matching(  # it becomes the name of a folder
    "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "be 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit"
)


def duration(value: Any) -> str:
    """A `Check`: what `parse_duration` takes."""
    if type(value) not in (int, str):
        return wrong_type('seconds or text such as "15m"', value)
    try:
        parse_duration(value)
    except ValueError as error:
        return str(error)
    return ""


def parse_duration(text: str | int) -> int:
    """Seconds, from 1 to 30 days: 90, "90", "90s", "15m", "2h", "1h30m". Raises ValueError, with one sentence that says
    what was given and how to write it."""
    if isinstance(text, int):
        total = text
    elif (match := _DURATION.fullmatch(text)) and text:
        plain, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        total = plain + hours * 3600 + minutes * 60 + seconds
    else:
        raise ValueError(f'not a duration: {quoted(text[:40])}; write seconds or units, 90, "90s", "15m" or "1h30m"')
    if not 0 < total <= MAX_SECONDS:
        raise ValueError("a duration must be from 1 second to 30 days")
    return total

"""Checks AWS request tables against the installed botocore's own service models, and lists their fields.

The models are what makes every field that AWS adds usable without a release of ecsplan. They are read once per process,
when first asked for. Operations are named as boto3 names them (`register_task_definition`).

A *pattern* is a field's place: `containerDefinitions[].environment[].name`; a map's values are `dockerLabels{}`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from ecsplan.aws.loader import loader
from ecsplan.core.model import Value

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

Path: TypeAlias = tuple[str | int, ...]
Check: TypeAlias = Callable[[Any], str]

MISSING = "required, but missing"
EMPTY = "must not be empty"
FEW = 12  # how many known keys are still listed to someone who mistyped one
DEEPEST = 32  # free-form documents are the only shapes without an end of their own


class Problem(NamedTuple):
    """What is wrong, and where: keys and list indices from the root of the document."""

    path: Path
    message: str


class Field(NamedTuple):
    """A member of a request: its pattern, and botocore's name of its type (`string`, `structure`, `list`, …)."""

    pattern: str
    type: str


class Request(Value, frozen=True, kw_only=True):
    """An operation, and where what is declared for it may or must differ from the model. All places are patterns."""

    service: str
    operation: str
    partial: bool = False
    """what is not declared is kept as it is live, so that the model's required members are not demanded; but within
    lists, which are replaced whole"""
    merged: frozenset[str] = frozenset()
    """lists whose items are kept as they are live too"""
    required: frozenset[str] = frozenset()
    """members demanded beside those, or for a partial request alone"""
    filled: frozenset[str] = frozenset()
    """members that are not empty where they are declared, text or list"""
    supplied: Mapping[str, str] = {}
    """members that are filled in later, so never missed; declaring one is a problem with this message"""
    lenient: Mapping[str, tuple[type, ...]] = {}
    """types accepted beside the model's, because they are turned into it later"""
    own: tuple[str, ...] = ()
    """names that stand beside the members at the top, for suggestions; the caller has taken them out of the table"""


# --- the models ---


@cache
def _model(service: str) -> ServiceModel:
    from botocore.model import ServiceModel

    return ServiceModel(loader().load_service_model(service, "service-2"), service)


@cache
def _operation(service: str, operation: str) -> OperationModel:
    from botocore import xform_name

    model = _model(service)
    for name in model.operation_names:
        if xform_name(name) == operation:
            return model.operation_model(name)
    raise LookupError(f"the installed botocore knows no operation {service}.{operation}")


def _input(service: str, operation: str) -> StructureShape:
    """Raises LookupError for an operation that the installed botocore does not know, or that takes no parameters."""
    shape = _operation(service, operation).input_shape
    if shape is None:
        raise LookupError(f"{service}.{operation} takes no parameters")
    return shape


def members(service: str, operation: str) -> frozenset[str]:
    """The names of an operation's parameters. Raises LookupError for an operation that botocore does not know."""
    return frozenset(_input(service, operation).members)


def walk(service: str, operation: str) -> Iterator[Field]:
    """Every field of an operation's request, parents before their members, in the model's order."""
    yield from _walk(_input(service, operation), "", ())


def _walk(shape: Shape, at: str, above: tuple[str, ...]) -> Iterator[Field]:
    if at:
        yield Field(at, shape.type_name)
    if shape.name in above:  # a shape that holds itself is listed once
        return
    above = (*above, shape.name)
    match shape.type_name:
        case "structure":
            for name, member in cast("StructureShape", shape).members.items():
                yield from _walk(member, f"{at}.{name}" if at else name, above)
        case "list":
            yield from _walk(cast("ListShape", shape).member, f"{at}[]", above)
        case "map":
            yield from _walk(cast("MapShape", shape).value, f"{at}{{}}", above)


# --- words ---


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
    """Each problem once, as the keys stand in `data`; what is missing comes before all that is there."""
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


def quoted(text: str) -> str:
    """Text in quotes and on one line, with what does not print escaped."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text.replace("\\", "\\\\")
    ).replace('"', '\\"')
    return f'"{shown}"'


def kind_of(value: object) -> str:
    """What a TOML value is, in words: `a string`, `a table`."""
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a float", dict: "a table", list: "a list"}
    return names.get(type(value), "a date or time")


def wrong_type(wanted: str, value: object) -> str:
    """One sentence; dates, which no AWS request takes from TOML, get one of their own."""
    if kind_of(value) == "a date or time":
        return f"must be {wanted}, not a date or time; write it as a string"
    return f"must be {wanted}, not {kind_of(value)}"


def want_tables(path: Path, value: object) -> str:
    """What to say where a list of tables is wanted; one table is the usual slip, `[x]` for `[[x]]`."""
    said = wrong_type("a list of tables", value)
    return f"{said}; write [[{_header(path)}]]" if isinstance(value, dict) else said


def want_table(path: Path, value: object) -> str:
    """What to say where one table is wanted; `[[x]]` for `[x]` is the usual slip."""
    said = wrong_type("a table", value)
    tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    return f"{said}; write [{_header(path)}]" if tables else said


def _header(path: Path) -> str:
    return dotted(tuple(part for part in path if isinstance(part, str)))


def unknown_key(key: str, known: Collection[str], else_say: str = "") -> str:
    """Names the nearest known key, whatever its case, `_` and `-`; or lists them when few; or says `else_say`."""
    by_fold = {_fold(name): name for name in sorted(known)}
    near = difflib.get_close_matches(_fold(key), sorted(by_fold), n=1, cutoff=0.7)
    if near:
        return f"unknown key; did you mean {quoted(by_fold[near[0]])}?"
    if else_say and len(known) > FEW:
        return f"unknown key; {else_say}"
    return f"unknown key; the keys here are {', '.join(sorted(known))}"


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


# --- values of unknown type ---


def text(value: Any) -> str:
    """A `Check`: what is wrong, in words, or "". Here: text that is not empty."""
    if not isinstance(value, str):
        return wrong_type("a string", value)
    return "" if value else EMPTY


def truth(value: Any) -> str:
    return "" if isinstance(value, bool) else wrong_type("true or false", value)


def matching(pattern: str, must: str) -> Check:
    """Text that matches all of `pattern`; `must` says in words what that is."""
    return lambda it: text(it) or ("" if re.fullmatch(pattern, it) else f"must {must}, not {quoted(it)}")


def member(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, dict) else None


def entries_of(table: Any, key: str) -> list[Any]:
    value = member(table, key)
    return value if isinstance(value, list) else []


def repeats(found: Iterable[tuple[Any, Path]]) -> Iterator[tuple[Any, Path, Path]]:
    """Each key that was there before, where it stands again, and where it stood first. A key is text, or a tuple of
    texts; one with anything else in it is at fault elsewhere, and passed over."""
    seen: dict[Any, Path] = {}
    for key, path in found:
        if all(isinstance(part, str) and part for part in (key if isinstance(key, tuple) else (key,))):
            first = seen.setdefault(key, path)
            if first is not path:
                yield key, path, first


# --- checking ---


def check(request: Request, params: Any, path: Path = ()) -> list[Problem]:
    """Everything in which declared parameters depart from the model, with paths below `path`; empty is sound.

    Checked are unknown and missing members, types (a boolean is no integer), unions, and the minimum lengths and values
    of the model. As in botocore itself, enumerations, maximums and patterns are left to AWS, which widens them. Nothing
    is raised for any value that TOML can hold, and `params` is not changed.
    """
    return list(_Checker(request).value(_input(request.service, request.operation), params, path, ""))


class _Checker:
    """One method per sort of shape; `at` is the pattern of the place, `path` where it stands in the file."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def value(self, shape: Shape, value: Any, path: Path, at: str) -> Iterator[Problem]:
        if type(value) in self.request.lenient.get(at, ()):
            yield from _numbers(value, "long", path)
            return
        if at in self.request.filled and value in ("", []):
            yield Problem(path, EMPTY)
            return
        match shape.type_name:
            case "structure" if getattr(shape, "is_document_type", False):
                yield from _document(value, path, DEEPEST)
            case "structure":
                yield from self._structure(cast("StructureShape", shape), value, path, at)
            case "list":
                yield from self._list(cast("ListShape", shape), value, path, at)
            case "map":
                yield from self._map(cast("MapShape", shape), value, path, at)
            case _:
                yield from _scalar(shape, value, path)

    def _structure(self, shape: StructureShape, value: Any, path: Path, at: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(path, want_table(path, value))
            return
        known = shape.members
        yield from self._missing(shape, value, path, at)
        if shape.is_tagged_union and len([key for key in value if key in known] or value) != 1:
            yield Problem(path, f"must have exactly one of {', '.join(sorted(known))}")
        for key, item in value.items():
            place = _within(at, key)
            if place in self.request.supplied:
                yield Problem((*path, key), self.request.supplied[place])
            elif key in known:
                yield from self.value(known[key], item, (*path, key), place)
            else:
                names = [name for name in known if _within(at, name) not in self.request.supplied]
                if not at:
                    names += self.request.own
                yield Problem((*path, key), unknown_key(key, names, self._beyond()))

    def _beyond(self) -> str:
        from botocore import __version__

        return f"boto3's {self.request.service}.{self.request.operation} has none of that name (botocore {__version__})"

    def _missing(self, shape: StructureShape, value: Mapping[str, Any], path: Path, at: str) -> Iterator[Problem]:
        demanded = set() if self._kept(at) else set(shape.required_members)
        if self.request.required:
            demanded.update(name for name in shape.members if _within(at, name) in self.request.required)
        for name in sorted(demanded):
            if name not in value and _within(at, name) not in self.request.supplied:
                yield Problem((*path, name), MISSING)

    def _kept(self, at: str) -> bool:
        """Whether what is not declared there is kept as it is live."""
        if not self.request.partial:
            return False
        lists = [at[:end] for end in range(len(at)) if at.startswith("[]", end)]
        return all(place in self.request.merged for place in lists)

    def _list(self, shape: ListShape, value: Any, path: Path, at: str) -> Iterator[Problem]:
        member = shape.member
        if not isinstance(value, list):
            of_tables = member.type_name == "structure"
            yield Problem(path, want_tables(path, value) if of_tables else wrong_type("a list", value))
            return
        yield from _at_least(shape, len(value), "have {} or more entries", path)
        for index, item in enumerate(value):
            yield from self.value(member, item, (*path, index), f"{at}[]")

    def _map(self, shape: MapShape, value: Any, path: Path, at: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield Problem(path, want_table(path, value))
            return
        yield from _at_least(shape, len(value), "have {} or more keys", path)
        for key, item in value.items():
            yield from _at_least(shape.key, len(key), "have a key of {} or more characters", (*path, key))
            yield from self.value(shape.value, item, (*path, key), f"{at}{{}}")


def _within(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


_SCALARS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "string": ("a string", (str,)),
    "integer": ("an integer", (int,)),
    "long": ("an integer", (int,)),
    "float": ("a number", (float, int)),
    "double": ("a number", (float, int)),
    "boolean": ("true or false", (bool,)),
    "blob": ("a string", (str,)),  # TOML has a type for neither; botocore takes both as text
    "timestamp": ("a string", (str,)),
}


def _scalar(shape: Shape, value: Any, path: Path) -> Iterator[Problem]:
    wanted, types = _SCALARS[shape.type_name]
    if type(value) not in types:  # not isinstance: a bool is an int to Python
        yield Problem(path, wrong_type(wanted, value))
    elif isinstance(value, str):
        yield from _at_least(shape, len(value), "have {} or more characters", path)
    elif not isinstance(value, bool):
        yield from _numbers(value, shape.type_name, path) or _at_least(shape, value, "be at least {}", path)


def _numbers(value: Any, type_name: str, path: Path) -> list[Problem]:
    """Numbers that TOML can write and a request cannot carry: JSON has no nan and inf, integers have their bits."""
    if isinstance(value, float) and not math.isfinite(value):
        return [Problem(path, f"must be a finite number, not {value}")]
    bits = 32 if type_name == "integer" else 64
    if type(value) is int and not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        return [Problem(path, f"must fit in {bits} bits")]
    return []


def _at_least(shape: Shape, size: float, must: str, path: Path) -> list[Problem]:
    least = shape.metadata.get("min")
    return [Problem(path, f"must {must.format(least)}")] if least is not None and size < least else []


def _document(value: Any, path: Path, deeper: int) -> Iterator[Problem]:
    """A free-form document takes any JSON, so all that can be wrong is what JSON has not."""
    if isinstance(value, dict | list):
        if not deeper:
            yield Problem(path, f"must not be nested more than {DEEPEST} deep")
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _document(item, (*path, key), deeper - 1)
    elif not isinstance(value, str | bool | int | float):
        yield Problem(path, "must not be a date or time; write it as a string")
    else:
        yield from _numbers(value, "long", path)

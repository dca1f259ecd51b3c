"""AWS's requests as the installed botocore describes them: fields and types, and checks of request tables.

The models make every field that AWS adds usable without a release of ecsplan. They are read once per process, when
first asked for; the gateway's clients read them through the same `loader`. Operations are named as boto3 names them
(`register_task_definition`).

A *pattern* is a field's place: `containerDefinitions[].environment[].name`; a map's values are `dockerLabels{}`.

botocore is imported inside functions: it takes longer to import than all of ecsplan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ecsplan.core.checks import EMPTY, MISSING, Path, Problem, Request, unknown_key, want_table, want_tables, wrong_type

if TYPE_CHECKING:
    from botocore.loaders import Loader
    from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

MAX_DEPTH = 32  # of free-form documents, the only shapes whose model sets no limit


class Field(NamedTuple):
    """A member of a request: its pattern, botocore's name of its type (`string`, `structure`, `list`, …), and whether
    the model takes no empty text or list there."""

    pattern: str
    type: str
    filled: bool = False


# --- the models ---


@cache
def loader() -> Loader:
    """botocore's loader of models, for the checks here and for `Session.register_component("data_loader", …)`.

    Before botocore reads the model of one service, it looks through the folders of all services, anew for each sort of
    file. That takes longer than reading. This loader opens the folder of the service that is asked for.
    """
    from botocore.exceptions import DataNotFoundError
    from botocore.loaders import Loader

    usual = Loader()

    class DirectLoader(Loader):
        asked: frozenset[str] = frozenset()

        def list_available_services(self, type_name: str) -> list[str]:
            return sorted(self.asked)

        def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> object:
            self.asked |= {service_name}
            try:
                return super().load_service_model(service_name, type_name, api_version)
            except DataNotFoundError:  # botocore's own error names the services that it knows
                return usual.load_service_model(service_name, type_name, api_version)

    return DirectLoader()


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
    """Raises LookupError for an operation that is not in the installed botocore, or that takes no parameters."""
    shape = _operation(service, operation).input_shape
    if shape is None:
        raise LookupError(f"{service}.{operation} takes no parameters")
    return shape


def members(service: str, operation: str) -> frozenset[str]:
    """The names of an operation's parameters. Raises LookupError for an operation that is not in botocore."""
    return frozenset(_input(service, operation).members)


def walk(service: str, operation: str) -> Iterator[Field]:
    """Every field of an operation's request, parents before their members, in the model's order."""
    yield from _walk(_input(service, operation), "", ())


def _walk(shape: Shape, at: str, above: tuple[str, ...]) -> Iterator[Field]:
    if at:
        yield Field(at, shape.type_name, bool(shape.metadata.get("min") or shape.metadata.get("enum")))
    if shape.name in above:  # a shape that contains itself is listed once
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


# --- checking ---


def check(request: Request, params: Any, path: Path = ()) -> list[Problem]:
    """Every difference between declared parameters and the model, with paths below `path`; an empty list is sound.

    Checked are unknown and missing members, types (a boolean is no integer), unions, and the model's minimum lengths
    and values. As in botocore itself, enumerations, maximums and patterns are left to AWS, which widens them. Raises
    nothing for any value that TOML can hold. `params` is not changed.
    """
    return list(_Checker(request).value(_input(request.service, request.operation), params, path, ""))


class _Checker:
    """One method per type of shape; `at` is the pattern of the place, `path` its place in the file."""

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
                yield from _document(value, path, MAX_DEPTH)
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
                yield Problem((*path, key), unknown_key(key, names, self._not_in_model()))

    def _not_in_model(self) -> str:
        from botocore import __version__

        return f"boto3's {self.request.service}.{self.request.operation} has none of that name (botocore {__version__})"

    def _missing(self, shape: StructureShape, value: Mapping[str, Any], path: Path, at: str) -> Iterator[Problem]:
        demanded = set() if self._kept_live(at) else set(shape.required_members)
        if self.request.required:
            demanded.update(name for name in shape.members if _within(at, name) in self.request.required)
        for name in sorted(demanded):
            if name not in value and _within(at, name) not in self.request.supplied:
                yield Problem((*path, name), MISSING)

    def _kept_live(self, at: str) -> bool:
        """Whether undeclared members there keep their live values."""
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
    """Numbers that TOML allows and a request does not: JSON has no nan and inf, integers have 32 or 64 bits."""
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
    """A free-form document takes any JSON; only what JSON does not have is wrong."""
    if isinstance(value, dict | list):
        if not deeper:
            yield Problem(path, f"must not be nested more than {MAX_DEPTH} deep")
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _document(item, (*path, key), deeper - 1)
    elif not isinstance(value, str | bool | int | float):
        yield Problem(path, "must not be a date or time; write it as a string")
    else:
        yield from _numbers(value, "long", path)

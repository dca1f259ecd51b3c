"""Strategies derived from botocore's request shapes, so that a field AWS adds is used without an edit.

A document is either `whole`, with every field that its operation's shape has, or it has any of them. Where AWS lets
only one of several members stand, a whole list has an item for each. What a shape does not say of a value, and what
AWS demands of several fields together, is given along (`fields`, `requests.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, TypeAlias, cast

from botocore.loaders import create_loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from hypothesis import strategies as st

from ecsplan.core.model import Doc
from ecsplan.core.normalize import Keyed, Rule, Unordered

Values: TypeAlias = st.SearchStrategy[Any]
Docs: TypeAlias = st.SearchStrategy[Doc]
Parts: TypeAlias = tuple[frozenset[str], ...]

TEXTS = ("a", "b-2", "Z_9", "c.d", "0", "with blanks")


@cache
def model(service: str) -> ServiceModel:
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service)


def request(service: str, operation: str) -> StructureShape:
    """The shape of a request, by the name that AWS gives the operation."""
    return cast("StructureShape", model(service).operation_model(operation).input_shape)


def pattern_of(path: str) -> str:
    """A rule's path as `api.walk` writes it."""
    return path.replace(".*", "[]")


def readable(pattern: str) -> str:
    """A pattern of the model as Python reads it, which knows no Unicode categories."""
    return pattern.replace("\\p{L}", "a-zA-Z").replace("\\p{Z}", " ").replace("\\p{N}", "0-9")


@dataclass(frozen=True, kw_only=True)
class Strategies:
    """Documents of one request. All places are patterns, as `api.walk` writes them."""

    shape: StructureShape
    rules: Sequence[Rule]
    fields: Mapping[str, Values] = field(default_factory=dict)
    """values that mean something to AWS, in place of any of their type"""
    always: frozenset[str] = frozenset()
    """members without which AWS refuses what they belong to, although the model does not say so"""
    least: Mapping[str, int] = field(default_factory=dict)
    """lists that AWS refuses when they are shorter"""
    exclusive: Mapping[str, Callable[[Sequence[str]], Parts]] = field(default_factory=dict)
    """structures of which some members exclude each other: the sets of members of which one may stand, others aside"""
    refused: frozenset[str] = frozenset()
    """members that ecsplan takes in no spec"""
    only: Mapping[str, int] = field(default_factory=dict)
    """of the ways to write a structure, the one that is written"""
    sound: Callable[[Doc], Doc] = lambda doc: doc
    """what AWS demands of several fields together; it may change values and add fields, and takes none away"""

    @cached_property
    def whole(self) -> Docs:
        """Documents with every field."""
        return self._structure(self.shape, "", True).map(self.sound)

    @cached_property
    def wholes(self) -> tuple[Docs, ...]:
        """Documents that together have every field: one for each way to write a structure that is in no list."""
        ways = [place for place in self.exclusive if "[]" not in place]
        counts = {place: len(self._left_out(self._shape_at(place), place)) for place in ways}
        choices = [{place: number} for place, count in counts.items() for number in range(count)]
        return tuple(replace(self, only=choice).whole for choice in choices) or (self.whole,)

    def _shape_at(self, place: str) -> StructureShape:
        shape = self.shape
        for name in place.split("."):
            shape = cast("StructureShape", shape.members[name])
        return shape

    @cached_property
    def some(self) -> Docs:
        """Documents with any of the fields, and with what is demanded."""
        return self._structure(self.shape, "", False).map(self.sound)

    def _value(self, shape: Shape, at: str, whole: bool) -> Values:
        if at in self.fields:
            return self.fields[at]
        match shape.type_name:
            case "structure" if getattr(shape, "is_document_type", False):
                return st.dictionaries(
                    st.sampled_from(TEXTS), st.sampled_from([*TEXTS, 1, True]), min_size=1, max_size=2
                )
            case "structure":
                return self._structure(cast("StructureShape", shape), at, whole)
            case "list":
                return self._list(cast("ListShape", shape), at, whole)
            case "map":
                keys = scalar(cast("MapShape", shape).key)
                values = self._value(cast("MapShape", shape).value, f"{at}{{}}", whole)
                return st.dictionaries(keys, values, min_size=int(whole), max_size=2)
        return scalar(shape)

    # --- structures ---

    def _structure(self, shape: StructureShape, at: str, whole: bool) -> Values:
        options = [self._members(shape, at, whole, left_out) for left_out in self._left_out(shape, at)]
        if at in self.only:
            return options[self.only[at]]
        return options[0] if len(options) == 1 else st.one_of(options)

    def _left_out(self, shape: StructureShape, at: str) -> list[frozenset[str]]:
        """Per way to write such a structure, the members that are not in it."""
        names = list(shape.members)
        if shape.is_tagged_union:
            parts: Parts = tuple(frozenset([name]) for name in names)
        elif at in self.exclusive:
            parts = self.exclusive[at](names)
        else:
            return [frozenset()]
        together = frozenset[str]().union(*parts)
        return [together - part for part in parts]

    def _members(self, shape: StructureShape, at: str, whole: bool, left_out: frozenset[str]) -> Values:
        places = {name: f"{at}.{name}" if at else name for name in shape.members if name not in left_out}
        places = {name: place for name, place in places.items() if place not in self.refused}
        demanded = set(shape.required_members) | {name for name, place in places.items() if place in self.always}
        rule = self._keyed(at.removesuffix("[]"))
        if rule:
            demanded |= {next(name for name in rule.by if name in places)}
        if whole or shape.is_tagged_union:
            demanded = set(places)
        found = {name: self._value(shape.members[name], place, whole) for name, place in places.items()}
        return st.fixed_dictionaries(
            {name: value for name, value in found.items() if name in demanded},
            optional={name: value for name, value in found.items() if name not in demanded},
        )

    # --- lists ---

    def _keyed(self, at: str) -> Keyed | None:
        return next((r for r in self.rules if isinstance(r, Keyed) and pattern_of(r.path) == at), None)

    def _list(self, shape: ListShape, at: str, whole: bool) -> Values:
        member, place, keyed = shape.member, f"{at}[]", self._keyed(at)
        least = max(self.least.get(at, 0), int(shape.metadata.get("min", 0)))
        most = min(max(least, 2), int(shape.metadata.get("max", 9)))
        some: Values = st.lists(self._value(member, place, False), min_size=least, max_size=most)
        if whole:
            firsts = [self._value(member, place, True)]
            if isinstance(member, StructureShape) and place not in self.fields:
                firsts = [self._members(member, place, True, left_out) for left_out in self._left_out(member, place)]
            more = st.lists(self._value(member, place, False), max_size=max(0, most - len(firsts)))
            some = st.tuples(st.tuples(*firsts), more).map(lambda both: [*both[0], *both[1]])
        if keyed:
            return some.map(lambda items: told_apart(items, keyed, cast("StructureShape", member)))
        if any(isinstance(r, Unordered) and pattern_of(r.path) == at for r in self.rules):
            return some.map(lambda items: [item for i, item in enumerate(items) if item not in items[:i]])
        return some


def told_apart(items: Sequence[Doc], rule: Keyed, shape: StructureShape) -> list[Doc]:
    """Items without two of one identity: a name or number is made different, of two with one enumerated name the
    second is left out."""
    result: list[Doc] = []
    seen: set[tuple[str, ...]] = set()
    for number, item in enumerate(items):
        if _identity(item, rule) in seen:
            name = next(name for name in rule.by if name in item)
            if getattr(shape.members[name], "enum", None):
                continue
            other = item[name] + number if isinstance(item[name], int) else f"{item[name]}{number}"
            item = {**item, name: other}  # noqa: PLW2901
        seen.add(_identity(item, rule))
        result.append(item)
    return result


def _identity(item: Doc, rule: Keyed) -> tuple[str, ...]:
    return tuple(str(item.get(name, "")) for name in rule.by)


def scalar(shape: Shape) -> Values:
    """Values of the shape's type, within what the model says of them."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    match shape.type_name:
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            least = int(low or 0)
            return st.integers(least, min(least + 9, int(high)) if high is not None else least + 9)
        case "float" | "double":
            return st.sampled_from([0.5, 5.0, 10.0, 12.5])
    if enum := cast("StringShape", shape).enum:
        return st.sampled_from(list(enum))
    pattern = readable(str(shape.metadata.get("pattern", "")))
    texts = [text for text in TEXTS if int(low or 0) <= len(text) <= int(high or 99)]
    texts = [text for text in texts if not pattern or re.fullmatch(pattern, text)]
    return st.sampled_from(texts) if texts else st.from_regex(pattern, fullmatch=True)


def patterns_in(value: Any, shape: Shape, at: str = "") -> Iterator[str]:
    """The pattern of every field that a document has."""
    if at:
        yield at
    match shape.type_name:
        case "structure":
            for name, item in value.items() if not getattr(shape, "is_document_type", False) else ():
                yield from patterns_in(
                    item, cast("StructureShape", shape).members[name], f"{at}.{name}" if at else name
                )
        case "list":
            for item in value:
                yield from patterns_in(item, cast("ListShape", shape).member, f"{at}[]")
        case "map":
            for item in value.values():
                yield from patterns_in(item, cast("MapShape", shape).value, f"{at}{{}}")

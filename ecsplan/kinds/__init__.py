"""The kinds, discovered: every module of this folder that defines `KIND`. There is no registry to edit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from ecsplan.core.errors import PlanFileError
from ecsplan.core.model import Address
from ecsplan.kinds.contract import Kind

T = TypeVar("T")


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, in reference order."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    return tuple(sorted((m.KIND for m in modules if hasattr(m, "KIND")), key=lambda kind: (kind.rank, kind.name)))


def by_kind(items: Iterable[T], address_of: Callable[[T], Address]) -> list[tuple[Kind, list[T]]]:
    """What has addresses, in groups of one kind each, so that a kind can deal with all of its own at once."""
    groups: dict[str, tuple[Kind, list[T]]] = {}
    for item in items:
        kind = kind_of(address_of(item))
        groups.setdefault(kind.name, (kind, []))[1].append(item)
    return list(groups.values())


def kind_of(address: Address) -> Kind:
    """The kind of an address; raises PlanFileError where no kind has that name (only a foreign file can say so)."""
    kind = _by_name().get(address.kind)
    if kind is None:
        raise PlanFileError(f"{address}: there is no kind of that name")
    return kind


@cache
def _by_name() -> dict[str, Kind]:
    return {kind.name: kind for kind in kinds()}

"""The kinds, found by themselves: every module of this folder that defines `KIND`. There is no registry to edit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from ecsplan.aws.pacing import add_rates
from ecsplan.core.errors import PlanFileError
from ecsplan.core.model import Address, Change, Plan
from ecsplan.kinds.contract import Kind, Resource

T = TypeVar("T")


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, in reference order. From then on their requests are paced."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    found = sorted((m.KIND for m in modules if hasattr(m, "KIND")), key=lambda kind: (kind.order, kind.name))
    for kind in found:
        add_rates(kind.rates)
    return tuple(found)


def by_kind(items: Iterable[T], kind_of: Callable[[T], Kind]) -> list[tuple[Kind, list[T]]]:
    """The items in groups of one kind each, so that a kind can handle all of its own at once."""
    groups: dict[str, tuple[Kind, list[T]]] = {}
    for item in items:
        kind = kind_of(item)
        groups.setdefault(kind.name, (kind, []))[1].append(item)
    return list(groups.values())


def kind_of(address: Address) -> Kind:
    """The kind of an address. Call it only where an address enters (a plan file, the journal); from there on, the kind
    is carried. Raises PlanFileError for an unknown kind, which only a foreign file can name."""
    kind = _by_name().get(address.kind)
    if kind is None:
        raise PlanFileError(f"{address}: there is no kind of that name")
    return kind


def kinds_of(plan: Plan) -> dict[Address, Kind]:
    """The kind of every address of a plan; raises PlanFileError as `kind_of` does."""
    addresses = [*(change.address for change in plan.changes), *(step.address for step in plan.steps)]
    return {address: kind_of(address) for address in dict.fromkeys(addresses)}


def resource_of(change: Change) -> Resource:
    """The declared resource that a change came from, so that a saved plan can read the same things again."""
    return Resource(
        kind=kind_of(change.address),
        address=change.address,
        task=change.task,
        doc=change.after or {},
        settings=change.settings,
        facts=change.facts,
        keep=change.keep,
        pinned=change.pinned,
        retire=change.retire,
    )


@cache
def _by_name() -> dict[str, Kind]:
    return {kind.name: kind for kind in kinds()}

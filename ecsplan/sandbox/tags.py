"""Tags of everything that can carry them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from . import errors, names, task_definitions, validation
from .state import Doc, Region


def tag(region: Region, params: Doc) -> Doc:
    new = validation.tags(params["tags"])
    referenced_values = _held(region, params["resourceArn"])
    referenced_values[:] = [t for t in referenced_values if t["key"] not in {n["key"] for n in new}] + new
    return {}


def untag(region: Region, params: Doc) -> Doc:
    referenced_values = _held(region, params["resourceArn"])
    referenced_values[:] = [t for t in referenced_values if t["key"] not in params["tagKeys"]]
    return {}


def list_for(region: Region, params: Doc) -> Doc:
    return {"tags": list(_held(region, params["resourceArn"]))}


def _held(region: Region, arn: str) -> list[Doc]:
    """The list of the resource's tags itself."""
    kind, _, rest = arn.removeprefix(region.arn("")).partition("/")
    if kind == "task-definition":
        return task_definitions.find(region, arn).tags
    if kind == "cluster" and rest in region.clusters:
        return region.clusters[rest].tags
    if kind == "service":
        cluster, _, name = rest.partition("/")
        if (cluster, name) in region.services:
            return region.services[cluster, name].tags
    if kind == "task" and arn in region.tasks:
        return region.tasks[arn].tags
    raise errors.invalid(f"The specified {kind or 'resource'} is not found: {names.short(arn)}")


OPERATIONS: Final[Mapping[str, Callable[[Region, Doc], Doc]]] = MappingProxyType({
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_for,
})  # fmt: skip

"""What the lint of several kinds shares. Any value may stand anywhere in a table; malformed ones are ignored here,
since the check against botocore's model reports them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, dotted, entries_of, member, quoted, repeats
from ecsplan.core.model import Doc

MAX_TAGS = 50
STORAGE = range(21, 200 + 1)  # GiB (botocore's documentation of EphemeralStorage)


def tables(table: Any, key: str, path: Path) -> Iterator[tuple[Any, Path]]:
    """The items of a list below `path`, whatever they are, each with its path."""
    return ((item, (*path, key, index)) for index, item in enumerate(entries_of(table, key)))


def texts(items: list[Any], key: str) -> set[str]:
    """The values of that member that are text."""
    return {name for item in items if isinstance(name := member(item, key), str)}


def integer(value: Any) -> int:
    """A number; 0 for everything else, since AWS treats a memory or port of 0 as none."""
    return value if type(value) is int else 0


def compact_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str, ensure_ascii=False)


def known_names(known: set[str]) -> str:
    """The end of a sentence about an unknown name."""
    return f"; there is {', '.join(sorted(known))}" if known else ""


# --- the task definition of the task ---


def container_names(definition: Any) -> set[str]:
    return texts(entries_of(definition, "containerDefinitions"), "name")


def containers_by_name(definition: Any) -> dict[str, Doc]:
    containers = entries_of(definition, "containerDefinitions")
    return {name: container for container in containers if isinstance(name := member(container, "name"), str)}


def on_fargate(definition: Any) -> bool:
    return "FARGATE" in entries_of(definition, "requiresCompatibilities")


# --- checks ---


def longer(table: Any, key: str, most: int, path: Path) -> Problems:
    if isinstance(text := member(table, key), str) and len(text) > most:
        yield Problem((*path, key), f"longer than {most} characters, which is the most that AWS takes")


def storage(table: Any, path: Path) -> Problems:
    """For a task definition, and for overrides."""
    size = member(member(table, "ephemeralStorage"), "sizeInGiB")
    if type(size) is int and size not in STORAGE:
        said = f"must be from {STORAGE[0]} to {STORAGE[-1]} GiB, not {size}; Fargate gives 20 where none is declared"
        yield Problem((*path, "ephemeralStorage", "sizeInGiB"), said)


def tags(table: Any, path: Path) -> Problems:
    """Each key once, at most 50, and `aws:` in any case is reserved (botocore's documentation of Tag)."""
    found = list(tables(table, "tags", path))
    for key, again, first in repeats((member(tag, "key"), (*at, "key")) for tag, at in found):
        yield Problem(again, f"{quoted(key)} is the key of {dotted(first[:-1])} too")
    for tag, at in found:
        for part in ("key", "value"):
            if str(member(tag, part)).lower().startswith("aws:"):
                yield Problem((*at, part), "aws: at the beginning is reserved for AWS itself")
    if len(found) > MAX_TAGS:
        yield Problem((*path, "tags"), f"{len(found)} tags are more than the {MAX_TAGS} that AWS takes")


def volumes(entry: Any, definition: Any, path: Path) -> Problems:
    """A volume that is configured at launch has to be declared in the task definition (botocore's documentation of
    ServiceVolumeConfiguration.name)."""
    known = texts(entries_of(definition, "volumes"), "name")
    for volume, at in tables(entry, "volumeConfigurations", path):
        name = member(volume, "name")
        if isinstance(name, str) and name not in known:
            yield Problem(
                (*at, "name"), f"there is no volume {quoted(name)} in the task definition{known_names(known)}"
            )

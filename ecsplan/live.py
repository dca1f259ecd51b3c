"""Ask AWS for what is declared: all kinds at once, and a second look only where one kind's answers need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ecsplan.kinds import by_kind, kind_of
from ecsplan.kinds.base import Ask
from ecsplan.model import Address, Live, Ref, Resource, digest_of
from ecsplan.normalize import normal, view


def read(ask: Ask, resources: Sequence[Resource]) -> dict[Address, Live]:
    """What is live at each address. Two dependent round trips at most, however many resources (more only for further
    pages); raises AwsError for what AWS refuses."""
    groups = by_kind(resources, lambda resource: resource.address)
    pool = ThreadPoolExecutor(max_workers=max(1, len(groups)), thread_name_prefix="read")
    try:
        reads = [pool.submit(kind.read, ask, group) for kind, group in groups]
        lives = {live.address: live for read in reads for live in read.result()}
    finally:
        pool.shutdown(wait=False)  # whoever interrupts this does not wait for AWS's pace
    used = _used(resources, lives)
    for kind, group in groups:
        more = kind.read_used(ask, [lives[resource.address] for resource in group], used)
        lives |= {live.address: live for live in more}
    return lives


def observed(resources: Sequence[Resource], lives: Mapping[Address, Live]) -> dict[Address, str]:
    """A digest per address of what must not move between plan and apply."""
    return {address: digest_of(value) for address, value in seen(resources, lives).items()}


def seen(resources: Sequence[Resource], lives: Mapping[Address, Live]) -> dict[Address, Any]:
    """What `observed` gives the digests of."""
    return {
        resource.address: lives[resource.address].observed
        for resource in resources
        if not kind_of(resource.address).ephemeral
    }


def _used(resources: Sequence[Resource], lives: Mapping[Address, Live]) -> dict[Address, list[str]]:
    """For each address that is referred to: the values that live resources hold in the reference's place."""
    used: dict[Address, list[str]] = {}
    for resource in resources:
        kind, live = kind_of(resource.address), lives[resource.address]
        if not live.candidates:
            continue
        found = live.candidates[0].doc
        wanted = view(normal(kind.merge(found, resource.doc), kind.rules), kind.rules)
        for ref, value in ref_places(wanted, view(normal(found, kind.rules), kind.rules)):
            if isinstance(value, str):
                used.setdefault(ref.address, []).append(value)
    return used


def ref_places(wanted: Any, found: Any) -> Iterator[tuple[Ref, Any]]:
    """Each reference of one view, with what stands in its place in the other (None where nothing does)."""
    if isinstance(wanted, Ref):
        yield wanted, found
    elif isinstance(wanted, Mapping):
        for name, value in wanted.items():
            yield from ref_places(value, found.get(name) if isinstance(found, Mapping) else None)

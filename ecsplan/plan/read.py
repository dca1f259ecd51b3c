"""Reads the live state of declared resources: all kinds at once, then what depends on the answers of another kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ecsplan.core.codec import digest_of
from ecsplan.core.documents import refs_in
from ecsplan.core.model import Address, Doc, Ref
from ecsplan.core.normalize import by_identity
from ecsplan.core.ports import Reader
from ecsplan.kinds import by_kind
from ecsplan.kinds.contract import Kind, Live, Resource


def read(reader: Reader, resources: Sequence[Resource]) -> dict[Address, Live]:
    """The live state of each address. At most two dependent round trips for any number of resources, and more for
    further pages. Raises AwsError for what AWS refuses."""
    groups = [
        (kind.compare, group) for kind, group in by_kind(resources, lambda resource: resource.kind) if kind.compare
    ]
    lives = {resource.address: Live(address=resource.address) for resource in resources}
    pool = ThreadPoolExecutor(max_workers=max(1, len(groups)), thread_name_prefix="read")
    try:
        reads = [pool.submit(compare.read, reader, group) for compare, group in groups]
        lives |= {live.address: live for read in reads for live in read.result()}
    finally:
        pool.shutdown(wait=False)  # an interrupt must not wait for throttled requests
    used = _used(resources, lives)
    for compare, group in groups:
        more = compare.read_used(reader, [lives[resource.address] for resource in group], used)
        lives |= {live.address: live for live in more}
    return lives


def fingerprints(resources: Sequence[Resource], lives: Mapping[Address, Live]) -> dict[Address, str]:
    """For each address, a digest of the state that must not change between plan and apply."""
    return {address: digest_of(value) for address, value in observed_state(resources, lives).items()}


def observed_state(resources: Sequence[Resource], lives: Mapping[Address, Live]) -> dict[Address, Any]:
    """For each address, the state of which `fingerprints` has the digest."""
    return {
        resource.address: lives[resource.address].observed
        for resource in resources
        if resource.kind.compare is not None
    }


def _used(resources: Sequence[Resource], lives: Mapping[Address, Live]) -> dict[Address, list[str]]:
    """For each address that is referred to, the values of live resources in place of the reference."""
    used: dict[Address, list[str]] = {}
    for resource in resources:
        live = lives[resource.address]
        if live.candidates:
            for ref, value in referenced_values(resource.kind, resource.doc, live.candidates[0].doc):
                if isinstance(value, str):
                    used.setdefault(ref.address, []).append(value)
    return used


def referenced_values(kind: Kind, declared: Doc, live: Doc) -> Iterator[tuple[Ref, Any]]:
    """Pairs each reference in the merged document with the live value at the same place (None if absent). List items
    are matched by their identity, which no rule changes."""
    if kind.compare is None:
        return iter(())
    merged, rules = kind.compare.merge(live, declared), kind.document.rules
    wanted = {name: value for name, value in merged.items() if any(refs_in(value))}
    theirs = {name: live[name] for name in wanted if name in live}
    return pair_refs(by_identity(wanted, rules), by_identity(theirs, rules))


def pair_refs(wanted: Any, found: Any) -> Iterator[tuple[Ref, Any]]:
    """Pairs each reference in `wanted` with the value at the same place in `found`."""
    if isinstance(wanted, Ref):
        yield wanted, found
    elif isinstance(wanted, Mapping):
        for name, value in wanted.items():
            yield from pair_refs(value, found.get(name) if isinstance(found, Mapping) else None)

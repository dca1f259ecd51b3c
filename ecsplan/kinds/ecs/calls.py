"""What kinds of ECS share in calls: the cluster, the further pages of a listing, refusals that pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Answer, Reader

NOT_YET = ("Unable to describe task definition", "TaskDefinition not found")


def in_cluster(cluster: str | None, params: Doc) -> Doc:
    """Parameters of a call in a cluster; AWS takes the default one if none is named."""
    return {"cluster": cluster, **params} if cluster else params


def is_revision_unknown_yet(error: AwsError) -> bool:
    """ECS answers from several places, and not all of them know a revision that was just registered."""
    return any(text in error.message for text in NOT_YET)


def pages(reader: Reader, first: Sequence[Answer], *, at: str, next_page: str = "nextToken") -> list[list[Any]]:
    """The items of each listing, beginning with its first page; the next pages of all listings are fetched together.

    `at` is the member of an answer that has the items, `next_page` the member that names the next page, in answers and
    in requests. Raises the error of a page.
    """
    items: list[list[Any]] = [[] for _ in first]
    seen: set[tuple[int, str]] = set()
    latest = dict(enumerate(first))
    while latest:
        following: dict[int, Call] = {}
        for listing, answer in latest.items():
            data = answer.value()
            items[listing].extend(data.get(at, ()))
            name = str(data.get(next_page) or "")
            if name and (listing, name) not in seen:  # a page that names itself as the next one would never end
                seen.add((listing, name))
                params = {**answer.call.params, next_page: name}
                following[listing] = Call(service=answer.call.service, operation=answer.call.operation, params=params)
        answers = reader.fetch(list(following.values())) if following else ()
        latest = dict(zip(following, answers, strict=True))
    return items

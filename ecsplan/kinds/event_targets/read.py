"""What is live of EventBridge targets."""

from __future__ import annotations

from collections.abc import Sequence

from ecsplan.core.model import Call, Doc
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Answer, Reader
from ecsplan.kinds.contract import Candidate, Live, Resource
from ecsplan.kinds.ecs.request_fields import request_fields_only, unknown_fields
from ecsplan.kinds.event_targets.rules import RULES


def read(reader: Reader, resources: Sequence[Resource]) -> tuple[Live, ...]:
    """All targets of all rules at once; a rule that two tasks declare is asked for once."""
    answers = reader.fetch([listing(resource.doc) for resource in resources])
    return tuple(_live(reader, resource, answer) for resource, answer in zip(resources, answers, strict=True))


def names_of(doc: Doc) -> Doc:
    return {field: doc[field] for field in ("Rule", "EventBusName") if field in doc}


def listing(doc: Doc) -> Call:
    return Call(service="events", operation="list_targets_by_rule", params=names_of(doc))


def _live(reader: Reader, resource: Resource, first: Answer) -> Live:
    if first.error and first.error.code == "ResourceNotFoundException":
        return Live(address=resource.address, observed="missing")
    targets = all_pages(reader, first)
    request = ("events", "put_targets")
    doc = request_fields_only(
        *request, {**names_of(resource.doc), "Targets": targets}, unknown_fields(*request, resource.doc)
    )
    observed = normal(doc, RULES)
    found = Candidate(doc=doc, outputs={}, normal=observed)
    return Live(address=resource.address, candidates=(found,), observed=observed)


def all_pages(reader: Reader, answer: Answer) -> list[Doc]:
    data = answer.value()
    targets, seen = list(data.get("Targets", ())), set[str]()
    # A page that names itself as the next one would never end.
    while (token := data.get("NextToken")) and token not in seen:
        seen.add(token)
        call = Call(
            service="events",
            operation="list_targets_by_rule",
            params={**answer.call.params, "NextToken": token},
        )
        (following,) = reader.fetch([call])
        data = following.value()
        targets.extend(data.get("Targets", ()))
    return list({target["Id"]: target for target in targets if "Id" in target}.values())


def by_id(doc: Doc) -> dict[str, Doc]:
    return {target["Id"]: target for target in doc.get("Targets", ())}

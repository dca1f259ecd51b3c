"""Reading EventBridge targets."""

from __future__ import annotations

from collections.abc import Sequence

from ecsplan.core.model import Call, Doc
from ecsplan.core.normalize import normal
from ecsplan.core.ports import Answer, Reader
from ecsplan.kinds.contract import Candidate, Live, Resource
from ecsplan.kinds.ecs.calls import pages
from ecsplan.kinds.ecs.request_fields import request_fields_only, unknown_fields
from ecsplan.kinds.event_targets.rules import RULES


def read(reader: Reader, resources: Sequence[Resource]) -> tuple[Live, ...]:
    """All targets of all rules at once; a rule that two tasks declare is read once."""
    answers = reader.fetch([listing(resource.doc) for resource in resources])
    targets = iter(targets_of(reader, [answer for answer in answers if not rule_is_missing(answer)]))
    return tuple(
        _missing(resource, answer) if rule_is_missing(answer) else _live(resource, next(targets))
        for resource, answer in zip(resources, answers, strict=True)
    )


def names_of(doc: Doc) -> Doc:
    return {field: doc[field] for field in ("Rule", "EventBusName") if field in doc}


def listing(doc: Doc) -> Call:
    return Call(service="events", operation="list_targets_by_rule", params=names_of(doc))


def rule_is_missing(answer: Answer) -> bool:
    return answer.error is not None and answer.error.code == "ResourceNotFoundException"


def _missing(resource: Resource, answer: Answer) -> Live:
    """EventBridge has one code for both: "Event bus NAME does not exist.", and "Rule NAME does not exist on EventBus
    NAME."."""
    bus = answer.error is not None and ": Event bus " in answer.error.message
    return Live(address=resource.address, observed="missing", facts={"missing": "bus" if bus else "rule"})


def _live(resource: Resource, targets: Sequence[Doc]) -> Live:
    request = ("events", "put_targets")
    doc = request_fields_only(
        *request, {**names_of(resource.doc), "Targets": targets}, unknown_fields(*request, resource.doc)
    )
    observed = normal(doc, RULES)
    found = Candidate(doc=doc, outputs={}, normal=observed)
    return Live(address=resource.address, candidates=(found,), observed=observed)


def targets_of(reader: Reader, first: Sequence[Answer]) -> list[list[Doc]]:
    """The targets of each listing, beginning with its first page; each target once."""
    listings = pages(reader, first, at="Targets", next_page="NextToken")
    return [list({target["Id"]: target for target in targets if "Id" in target}.values()) for targets in listings]


def by_id(doc: Doc) -> dict[str, Doc]:
    return {target["Id"]: target for target in doc.get("Targets", ())}

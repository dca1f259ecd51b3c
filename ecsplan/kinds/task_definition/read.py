"""Reading task definitions: the newest revision of a family, the ACTIVE ones, and those in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Address, Call, Doc
from ecsplan.core.ports import Answer, Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Candidate, Live, Resource
from ecsplan.kinds.ecs.calls import pages
from ecsplan.kinds.ecs.request_fields import request_fields_only, unknown_fields

# Members of an answer that its request does not take are left out: the ARN, the status, and what AWS adds to answers.
REQUEST = ("ecs", "register_task_definition")


def read(reader: Reader, resources: Sequence[Resource]) -> tuple[Live, ...]:
    """Per family the newest ACTIVE revision and the ARNs of all ACTIVE ones; and the pinned one, if there is one."""
    calls = [call for resource in resources for call in (describe(family(resource)), listing(family(resource)))]
    pins = [describe(resource.pinned) for resource in resources if resource.pinned]
    answers = reader.fetch([*calls, *pins])
    described, listed = answers[0 : len(calls) : 2], revisions(reader, answers[1 : len(calls) : 2])
    pinned = iter(answers[len(calls) :])
    return tuple(
        _live(resource, newest, arns, next(pinned) if resource.pinned else None)
        for resource, newest, arns in zip(resources, described, listed, strict=True)
    )


def read_used(reader: Reader, lives: Sequence[Live], used: Mapping[Address, Sequence[str]]) -> tuple[Live, ...]:
    """Puts revisions in use before the newest one: if one in use is equal, nothing has to move."""
    wanted = {
        live.address: [
            arn
            for arn in dict.fromkeys(used.get(live.address, ()))
            if same_family(arn, live.facts["family"]) and arn not in arns_of(live)
        ]
        for live in lives
    }
    calls = [describe(arn) for arns in wanted.values() for arn in arns]
    answers = iter(reader.fetch(calls) if calls else ())
    return tuple(
        _in_order(live, [next(answers) for _ in wanted[live.address]], set(used.get(live.address, ())))
        for live in lives
    )


def _in_order(live: Live, more: Sequence[Answer], in_use: set[str]) -> Live:
    """Revisions in use first, since differences are shown against them; then the pinned one, then the newest."""
    found = [
        *live.candidates,
        *(one for answer in more if (one := candidate(answer, live.facts.get("beyond", frozenset())))),
    ]
    pinned = live.facts["pinned"]
    found.sort(key=lambda one: (one.outputs["arn"] not in in_use, short_arn(one.outputs["arn"]) != short_arn(pinned)))
    statuses = {short_arn(one.outputs["arn"]): one.reusable for one in found}
    # A registered revision cannot change but for its tags.
    tags = {short_arn(one.outputs["arn"]): _tags(one) for one in found if one.doc.get("tags")}
    return Live(
        address=live.address,
        candidates=tuple(found),
        wanted=live.wanted,
        observed={"active": live.observed, "known": statuses, **({"tagged": tags} if tags else {})},
        facts=live.facts,
    )


def _tags(found: Candidate) -> Doc:
    return {str(tag.get("key")): tag.get("value") for tag in found.doc["tags"]}


def family(resource: Resource) -> str:
    """The family's name: the declared one, that of a pinned revision, or the address's."""
    return str(resource.doc.get("family") or (resource.pinned and family_of(resource.pinned)) or resource.address.name)


def family_of(arn: str) -> str:
    return short_arn(arn).rpartition(":")[0]


def revision_of(arn: str) -> int:
    number = arn.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def same_family(arn: str, family: str) -> bool:
    return ":task-definition/" in arn and family_of(arn) == family


def describe(name: str) -> Call:
    return Call(
        service="ecs", operation="describe_task_definition", params={"taskDefinition": name, "include": ["TAGS"]}
    )


def listing(family: str) -> Call:
    return Call(
        service="ecs",
        operation="list_task_definitions",
        params={"familyPrefix": family, "status": "ACTIVE", "sort": "DESC"},
    )


def revisions(reader: Reader, first: Sequence[Answer]) -> list[list[str]]:
    """The ARNs of each listing, beginning with its first page."""
    return pages(reader, first, at="taskDefinitionArns")


def _live(resource: Resource, newest: Answer, listed: Iterable[str], pinned: Answer | None) -> Live:
    name = family(resource)
    active = sorted({arn for arn in listed if same_family(arn, name)}, key=revision_of, reverse=True)
    also = unknown_fields(*REQUEST, resource.doc)
    found = candidate(newest, also)
    if found is None and active:
        newest.value()  # there are revisions, so the error means something else, such as a missing permission
    pin = candidate(pinned, also) if pinned else None
    both = {one.outputs["arn"]: one for one in (pin, found) if one}
    return Live(
        address=resource.address,
        candidates=tuple(both.values()),
        wanted=pin.doc if pin else None,
        observed=[short_arn(arn) for arn in active],
        facts={"family": name, "active": active, "pinned": resource.pinned} | ({"beyond": also} if also else {}),
    )


def candidate(answer: Answer, also: frozenset[str] = frozenset()) -> Candidate | None:
    if answer.error is not None:
        if answer.error.code in ("ClientException", "InvalidParameterException"):
            return None  # "Unable to describe task definition."
        raise answer.error
    described = answer.value()
    doc = dict(described.get("taskDefinition") or {})
    if "taskDefinitionArn" not in doc:
        raise AwsError.of(answer.call, "the answer names no revision")
    # AWS's own tags cannot be sent back.
    if tags := [tag for tag in described.get("tags", ()) if not str(tag.get("key", "")).startswith("aws:")]:
        doc["tags"] = tags
    outputs = {"arn": str(doc["taskDefinitionArn"])}
    return Candidate(
        doc=request_fields_only(*REQUEST, doc, also),
        outputs=outputs,
        reusable=doc.get("status", "ACTIVE") == "ACTIVE",
    )


def arns_of(live: Live) -> set[str]:
    return {found.outputs["arn"] for found in live.candidates}

"""Task definitions: registering, describing, listing, deregistering, deleting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ecsplan.sandbox import common
from ecsplan.sandbox.common import page

from . import definition_inputs
from .state import Doc, Region, Revision


def register(region: Region, params: Doc) -> Doc:
    """Always makes a new revision, even if nothing differs. Numbers are never used twice."""
    definition_inputs.check(params)
    doc = definition_inputs.described(params)
    labels = definition_inputs.new_tags(params.get("tags"))
    family = doc["family"]
    number = region.last_revision.get(family, 0) + 1
    region.last_revision[family] = number
    arn = region.arn(f"task-definition/{family}:{number}")
    doc = {"taskDefinitionArn": arn, "revision": number, "status": "ACTIVE"} | doc
    doc |= {"registeredAt": region.now, "registeredBy": "arn:aws:iam::123456789012:user/sandbox"}
    revision = Revision(arn, family, number, doc, labels)
    region.families.setdefault(family, []).append(revision)
    return {"taskDefinition": doc} | ({"tags": labels} if labels else {})


def find(region: Region, reference: str) -> Revision:
    """The revision of ``family:revision``, an ARN or ``family`` (its newest ACTIVE one). Raises ClientException."""
    family, number = _split(region, reference)
    if any(r.number == number and r.status == "DELETE_IN_PROGRESS" for r in region.families.get(family, [])):
        drop_deleted(region)
    revisions = region.families.get(family, [])
    if number is None:
        revisions = [r for r in revisions if r.status == "ACTIVE"][-1:]
    found = [r for r in revisions if number is None or r.number == number]
    if not found:
        raise common.client("Unable to describe task definition.")
    return found[0]


def known(region: Region, arn: str) -> Revision | None:
    """The revision of that ARN, None if it was deleted."""
    family, number = _split(region, arn)
    return next((r for r in region.families.get(family, []) if r.number == number), None)


def usable(region: Region, reference: str, refuse: Callable[[str], Exception]) -> Revision:
    """As ``find``, for a revision that is to run. Raises ``refuse(message)`` unless it is ACTIVE."""
    revision = find(region, reference)
    if revision.status != "ACTIVE":
        raise refuse("TaskDefinition is inactive")
    return revision


def describe(region: Region, params: Doc) -> Doc:
    revision = find(region, params["taskDefinition"])
    answer: Doc = {"taskDefinition": revision.doc}
    if "TAGS" in params.get("include", []):
        answer["tags"] = revision.tags
    return answer


def list_revisions(region: Region, params: Doc) -> Doc:
    """``familyPrefix`` is the whole name of a family, despite its name."""
    status, family = params.get("status", "ACTIVE"), params.get("familyPrefix")
    found = [
        r for f in sorted(region.families) if family in (None, f) for r in region.families[f] if r.status == status
    ]
    if params.get("sort") == "DESC":
        found.reverse()
    size, token = params.get("maxResults"), params.get("nextToken")
    arns, following = page([r.arn for r in found], size, token, default=100, limit=100)
    return {"taskDefinitionArns": arns} | ({"nextToken": following} if following else {})


def list_families(region: Region, params: Doc) -> Doc:
    """Families by prefix. ACTIVE families have an ACTIVE revision, INACTIVE ones have none."""
    status, prefix = params.get("status", "ALL"), params.get("familyPrefix", "")
    found = [
        family
        for family, revisions in sorted(region.families.items())
        if family.startswith(prefix) and _family_status(revisions, status)
    ]
    size, token = params.get("maxResults"), params.get("nextToken")
    families, following = page(found, size, token, default=100, limit=100)
    return {"families": families} | ({"nextToken": following} if following else {})


def _family_status(revisions: list[Revision], wanted: str) -> bool:
    active = any(r.status == "ACTIVE" for r in revisions)
    return bool(revisions) and (wanted == "ALL" or (wanted == "ACTIVE") == active)


def deregister(region: Region, params: Doc) -> Doc:
    """The revision is INACTIVE from now on. What runs on it continues; nothing new may use it."""
    reference = params["taskDefinition"]
    if _split(region, reference)[1] is None:
        raise common.client(f"Missing revision: taskDefinition '{reference}' must be family:revision or an ARN.")
    try:
        revision = find(region, reference)
    except common.AwsError:
        raise common.client("The specified task definition does not exist.") from None
    if revision.status != "DELETE_IN_PROGRESS":
        revision.doc = revision.doc | {"status": "INACTIVE", "deregisteredAt": region.now}
    return {"taskDefinition": revision.doc}


def delete(region: Region, params: Doc) -> Doc:
    """Only INACTIVE revisions. A revision stays DELETE_IN_PROGRESS while a service or a task uses it."""
    if not 1 <= len(params["taskDefinitions"]) <= 10:
        raise common.invalid("task definitions can have at most 10 items.")
    deleted, failures = [], []
    for reference in params["taskDefinitions"]:
        try:
            revision = find(region, reference)
        except common.AwsError:
            failures.append({"arn": reference, "reason": "The specified task definition does not exist."})
            continue
        if revision.status == "ACTIVE":
            reason = (
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
            )
            failures.append({"arn": revision.arn, "reason": reason})
            continue
        revision.doc = revision.doc | {"status": "DELETE_IN_PROGRESS", "deleteRequestedAt": region.now}
        deleted.append(revision.doc)
    drop_deleted(region)
    return {"taskDefinitions": deleted, "failures": failures}


def drop_deleted(region: Region) -> None:
    """Remove the revisions in DELETE_IN_PROGRESS that nothing uses any more."""
    doomed = {r.arn for revisions in region.families.values() for r in revisions if r.status == "DELETE_IN_PROGRESS"}
    if not doomed:
        return
    used = {d.revision.task_definition for s in region.services.values() if s.status == "ACTIVE" for d in s.deployments}
    used |= {t.revision.arn for t in region.tasks.values() if t.status(region.now) != "STOPPED"}
    for revisions in region.families.values():
        revisions[:] = [r for r in revisions if r.arn not in doomed or r.arn in used]


def _split(region: Region, reference: str) -> tuple[str, int | None]:
    prefix = region.arn("task-definition/")
    name = reference.removeprefix(prefix) if reference.startswith("arn:") else reference
    found = re.fullmatch(r"([A-Za-z0-9_-]{1,255})(?::(\d+))?", name)
    if not found:
        raise common.client("Unable to describe task definition.")
    return found[1], int(found[2]) if found[2] else None


OPERATIONS: Final[Mapping[str, Callable[[Region, Doc], Doc]]] = MappingProxyType({
    "RegisterTaskDefinition": register,
    "DescribeTaskDefinition": describe,
    "ListTaskDefinitions": list_revisions,
    "ListTaskDefinitionFamilies": list_families,
    "DeregisterTaskDefinition": deregister,
    "DeleteTaskDefinitions": delete,
})  # fmt: skip

"""What ECS remembers of the rollouts of services: its service deployments, of 90 days (ECS API reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecsplan.core.clock import epoch
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Answer, Reader
from ecsplan.kinds.contract import Past, Ran, Resource
from ecsplan.kinds.service.read import names
from ecsplan.kinds.service.service_deployment import GIVEN_UP, GOING_BACK

REVISIONS = 20  # ARNs per DescribeServiceRevisions (ECS API reference)
ROLLOUTS = 20  # of a service, that many that succeeded and that many that failed; ECS lists the newest first
TARGET = "targetServiceRevisionArn"


def past(reader: Reader, resources: Sequence[Resource]) -> tuple[Past, ...]:
    """Two round trips. The revisions of the newest rollout and of those that have ended are looked up."""
    listed = reader.fetch([_listing(resource.doc) for resource in resources])
    briefs = [_wanted(answer.data or {}) for answer in listed]
    arns = sorted({brief[TARGET] for group in briefs for brief in group})
    batches = [arns[i : i + REVISIONS] for i in range(0, len(arns), REVISIONS)]
    described = reader.fetch([_describing(batch) for batch in batches]) if batches else ()
    revisions = {
        str(one.get("serviceRevisionArn")): str(one.get("taskDefinition") or "")
        for answer in described
        for one in (answer.data or {}).get("serviceRevisions", ())
    }
    refused = next((_refusal(answer) for answer in described if answer.error), "")
    return tuple(
        Past(
            address=resource.address,
            rollouts=tuple(_ran(brief, revisions) for brief in group),
            refused=_refusal(answer) or (refused if group else ""),
        )
        for resource, answer, group in zip(resources, listed, briefs, strict=True)
    )


def _listing(doc: Doc) -> Call:
    return Call(service="ecs", operation="list_service_deployments", params=names(doc))


def _describing(arns: Sequence[str]) -> Call:
    return Call(service="ecs", operation="describe_service_revisions", params={"serviceRevisionArns": list(arns)})


def _refusal(answer: Answer) -> str:
    return answer.error.message if answer.error is not None else ""


def _wanted(listed: Doc) -> list[Doc]:
    """The newest service deployment, and those that have succeeded or failed, newest first."""
    briefs = [brief for brief in listed.get("serviceDeployments") or () if brief.get(TARGET)]
    briefs.sort(key=lambda brief: epoch(brief.get("createdAt")) or 0.0, reverse=True)
    successful = [brief for brief in briefs if brief.get("status") == "SUCCESSFUL"][:ROLLOUTS]
    failed = [brief for brief in briefs if brief.get("status") in (*GIVEN_UP, *GOING_BACK)][:ROLLOUTS]
    wanted = [*briefs[:1], *successful, *failed]
    return [brief for brief in briefs if any(brief is one for one in wanted)]


def _ran(brief: Doc, revisions: Mapping[str, str]) -> Ran:
    status = brief.get("status")
    return Ran(
        revision=revisions.get(str(brief[TARGET]), ""),
        began=epoch(brief.get("createdAt")),
        well=status == "SUCCESSFUL",
        failed=status in GIVEN_UP,
        taken_back=status in GOING_BACK,
    )

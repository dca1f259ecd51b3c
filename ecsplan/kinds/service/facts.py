"""What a diagnosis reads about a failed rollout: two round trips; any answer may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecsplan.core.clock import epoch
from ecsplan.core.model import Call, Doc
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Tracked
from ecsplan.kinds.ecs.calls import in_cluster
from ecsplan.kinds.ecs.lookup import Lookup
from ecsplan.kinds.ecs.stopped_tasks import BATCH
from ecsplan.kinds.ecs.task_diagnosis import definition_of
from ecsplan.kinds.service.read import by_name, describe, expected

CLOCK_SKEW = 120.0  # seconds at most between a deployment and its service deployment


@dataclass(frozen=True, kw_only=True)
class Facts:
    """AWS's answers: the service, our deployment of it, our service deployment, our tasks, and our revision."""

    service: Doc
    deployment: Doc
    rollout: Doc
    stopped: Sequence[Doc]
    running: Sequence[Doc]
    definition: Doc


def facts_of(lookup: Lookup, tracked: Tracked, *, late: bool) -> Facts:
    """Two round trips. For a rollout that timed out, running tasks are fetched too."""
    params, known = tracked.call.params, tracked.outputs.get("rollout", "")
    revision = params.get("taskDefinition")
    first = {
        "service": service_request(tracked),
        "stopped": ("the stopped tasks", _list_tasks(params, "STOPPED")),
        **({"running": ("the running tasks", _list_tasks(params, "RUNNING"))} if late else {}),
        **({"definition": _request_for_definition(revision)} if revision else {}),
        "rollout": _request_for_rollout(known) if known else _request_for_rollouts(params),
    }
    answers = dict(zip(first, lookup.fetch(*first.values()), strict=True))
    service = service_of(tracked, answers["service"])
    deployment = _our_deployment(tracked, service)
    revision = deployment.get("taskDefinition") or revision
    arn = (
        ""
        if known
        else _nearest_rollout(answers["rollout"], deployment, str(service.get("currentServiceDeployment", "")))
    )
    second = {
        name: (f"the {name} tasks", _describe_tasks(params, listed))
        for name in ("stopped", "running")
        if (listed := answers.get(name, {}).get("taskArns", ()))
    }
    if arn:
        second["rollout"] = _request_for_rollout(arn)
    if "definition" not in first and revision:
        second["definition"] = _request_for_definition(revision)
    if answers["stopped"].get("nextToken"):
        lookup.note(f"the stopped tasks: there are more than the {len(answers['stopped']['taskArns'])} that were read")
    more = dict(zip(second, lookup.fetch(*second.values()), strict=True))
    rollouts = more.get("rollout", answers["rollout"]).get("serviceDeployments", ()) if known or arn else ()
    return Facts(
        service=service,
        deployment=deployment,
        rollout=dict(rollouts[0]) if rollouts else {},
        stopped=_our_tasks(more.get("stopped", {}), tracked, deployment, revision),
        running=_our_tasks(more.get("running", {}), tracked, deployment, revision),
        definition=(more.get("definition") or answers.get("definition") or {}).get("taskDefinition", {}),
    )


def service_request(tracked: Tracked) -> tuple[str, Call]:
    params = tracked.call.params
    return "the service's events", describe(params.get("cluster"), [params["service"]])


def _list_tasks(params: Doc, status: str) -> Call:
    given = in_cluster(params.get("cluster"), {"serviceName": params["service"], "desiredStatus": status})
    return Call(service="ecs", operation="list_tasks", params=given)


def _describe_tasks(params: Doc, arns: Sequence[str]) -> Call:
    given = in_cluster(params.get("cluster"), {"tasks": list(arns[:BATCH])})
    return Call(service="ecs", operation="describe_tasks", params=given)


def _request_for_definition(revision: object) -> tuple[str, Call]:
    return "the task definition", definition_of(revision)


def _request_for_rollouts(params: Doc) -> tuple[str, Call]:
    given = in_cluster(params.get("cluster"), {"service": params["service"]})
    return "circuit breaker and alarms", Call(service="ecs", operation="list_service_deployments", params=given)


def _request_for_rollout(arn: str) -> tuple[str, Call]:
    given = {"serviceDeploymentArns": [arn]}
    return "circuit breaker and alarms", Call(service="ecs", operation="describe_service_deployments", params=given)


def service_of(tracked: Tracked, answer: Doc) -> Doc:
    return by_name(answer).get(short_arn(tracked.call.params["service"]), {})


def _our_deployment(tracked: Tracked, service: Doc) -> Doc:
    """Our deployment as the service shows it; {} once it has drained away."""
    ours, before = tracked.outputs.get("deployment"), expected(tracked.step).deployment
    revision = short_arn(tracked.call.params.get("taskDefinition", ""))
    for deployment in service.get("deployments", ()):
        same = short_arn(deployment.get("taskDefinition", "")) == revision and deployment.get("id") != before
        if deployment.get("id") == ours or (not ours and same):
            return dict(deployment)
    return {}


def _nearest_rollout(listed: Doc, deployment: Doc, current: str) -> str:
    """The ARN of the service deployment that belongs to this deployment: no field says so, but both begin at once. If
    the deployment is no longer shown, the newest one that did not succeed."""
    rollouts = [one for one in listed.get("serviceDeployments", ()) if one.get("serviceDeploymentArn")]
    if not rollouts:
        return current
    began = epoch(deployment.get("createdAt"))
    if began is None:
        failed = [one for one in rollouts if one.get("status") != "SUCCESSFUL"]
        return str(max(failed, key=_began)["serviceDeploymentArn"]) if failed else ""
    nearest = min(rollouts, key=lambda one: abs(_began(one) - began))
    return str(nearest["serviceDeploymentArn"]) if abs(_began(nearest) - began) <= CLOCK_SKEW else ""


def _began(rollout: Doc) -> float:
    return epoch(rollout.get("createdAt")) or epoch(rollout.get("startedAt")) or 0.0


def _our_tasks(answer: Doc, tracked: Tracked, deployment: Doc, revision: object) -> list[Doc]:
    """Tasks that our deployment started; if that is not shown, tasks of its revision since it began."""
    ours = tracked.outputs.get("deployment") or deployment.get("id")
    began = epoch(deployment.get("createdAt")) or 0.0

    def is_ours(task: Doc) -> bool:
        if ours and str(task.get("startedBy", "")).startswith("ecs-svc/"):
            return bool(task["startedBy"] == ours)
        same = short_arn(task.get("taskDefinitionArn", "")) == short_arn(revision or "")
        return same and (epoch(task.get("createdAt")) or began) >= began

    return [task for task in answer.get("tasks", ()) if is_ours(task)]

"""The UpdateService that moves a service to what is declared, its undo, and what ECS would reject of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ecsplan.core.diagnosis import Status
from ecsplan.core.documents import overlay, without_none
from ecsplan.core.model import Action, Address, Call, Doc, Irreversible, Phase, Ref
from ecsplan.core.normalize import Normalized, normal
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Delta, Live, Resource, StepDraft
from ecsplan.kinds.ecs.request_fields import has_network, map_fields, missing
from ecsplan.kinds.service.revert import stopped_by
from ecsplan.kinds.service.rules import KEPT, OFF_BY_DEFAULT, RULES, D
from ecsplan.kinds.service.unsettled import DEPLOY_AGAIN
from ecsplan.kinds.service.waiting import wait_step
from ecsplan.kinds.task_definition.lint_ports import maps_port

# Blocks that are sent as live values with the declared ones over them.
WHOLE = KEPT | {"volumeConfigurations"}

HAD_FAILED = "the rollout before had failed too, so there is nothing to go back to"

# Rejected on Fargate even if empty, so [] is sent only where there is something to remove.
NOT_ON_FARGATE = ("placementConstraints", "placementStrategy")


def map_members() -> frozenset[str]:
    """Members of the request whose keys are the user's own."""
    return map_fields("ecs", "update_service")


def steps(delta: Delta) -> tuple[StepDraft, ...]:
    """One UpdateService with everything that is declared. Of a block whose omitted members AWS resets, the live values
    of undeclared members are sent too. Nothing is sent where the rollout has only to be waited for."""
    if delta.change.action is Action.WAIT:
        return (wait_step(delta),)
    found = delta.candidate
    assert found is not None
    restore = delta.change.before or {}
    params = _params(delta)
    undo = {
        f: overlay(found.doc.get(f, {}), value, map_members()) if f in KEPT else value for f, value in restore.items()
    }
    undo = _complete(without_none(undo))
    again = _has_failed(delta)
    if delta.resource.settings.force or again:
        params["forceNewDeployment"] = True
    stops = stopped_by(delta)
    if delta.resource.optional and not delta.change.fields and not stops and not again:
        return ()  # it was redeployed, and that has ended: nothing differs
    expect: Doc = {
        "deployment": delta.live.facts.get("deployment", ""),
        "previous": found.doc.get("taskDefinition", ""),
    }
    if rollout := delta.live.facts.get("rollout"):
        expect["rollout"] = rollout
    return (
        StepDraft(
            phase=Phase.UPDATE,
            action=Action.UPDATE,
            call=Call(service="ecs", operation="update_service", params=params),
            undo=_undo(undo) if delta.change.fields or not again else Irreversible(reason=HAD_FAILED),
            changes=delta.change.fields,
            settings=delta.resource.settings,
            note=_note(delta, again=again, stops=bool(stops)),
            expect=expect | ({"stops": stops} if stops else {}),
        ),
    )


def replaced_by(planned: Doc, now: Doc) -> str:
    """Has another deployment of the service begun since? Where AWS does not show which one there is, that is not
    known."""
    before, after = planned.get("deployment"), now.get("deployment")
    return "another deployment of it has begun" if before and after and before != after else ""


def _undo(params: Doc) -> Call:
    return Call(service="ecs", operation="update_service", params=params)


def _note(delta: Delta, *, again: bool, stops: bool) -> str:
    if stops:
        return "ECS rolls back the rollout that is in progress"
    return delta.change.note or (DEPLOY_AGAIN if again else "")


def _has_failed(delta: Delta) -> bool:
    """Has the rollout of the very revision that is declared failed? Without forceNewDeployment ECS would begin no other
    one."""
    wanted, live = delta.declared.get("taskDefinition"), delta.candidate.doc if delta.candidate else {}
    same = isinstance(wanted, str) and short_arn(wanted) == short_arn(live.get("taskDefinition", ""))
    return same and delta.live.unsettled is not None and delta.live.unsettled.status is Status.FAILED


def _params(delta: Delta) -> Doc:
    live = delta.candidate.doc if delta.candidate else {}
    params = {
        field: send_whole(field, value, delta.merged)
        for field, value in delta.declared.items()
        if value or live.get(field) or field not in NOT_ON_FARGATE
    }
    if live.get("schedulingStrategy") == "DAEMON":
        params.pop("desiredCount", None)
    return _complete(params)


def send_whole(field: str, declared: Any, wanted: Normalized) -> Any:
    """The declared value, or the whole block if leaving out the rest of it would change something. The deployment
    configuration is always sent whole: ECS resets some of its omitted members, and keeps others."""
    if field not in WHOLE or field not in wanted.doc:
        return without_none(declared)
    whole = field == D or normal({field: declared}, RULES).get(field) != wanted.normal.get(field)
    return without_none(wanted.doc[field] if whole else declared)


def _complete(params: Doc) -> Doc:
    """The parameters with the members that a declared block has to be sent with, and that older services lack."""
    if D not in params:
        return params
    blocks = {name: OFF_BY_DEFAULT[name] | block for name, block in params[D].items() if name in OFF_BY_DEFAULT}
    return {**params, D: {**params[D], **blocks}}


def conflicts(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """What ECS would reject: parts that do not fit together, and required members that are missing."""
    params = {field: value for field, value in _params(delta).items() if field != "taskDefinition"}
    return (*_unfit(delta, others), *missing("ecs", "update_service", params, delta))


# --- whether a service and the revision that it moves to fit ---
#
# What UpdateService would reject, found while planning, also where it comes from the live service. Sources: the ECS API
# reference (UpdateService, LoadBalancer, ServiceConnectService) and recorded rejections.


def blockers(resource: Resource, live: Live) -> tuple[str, ...]:
    status, controller = live.facts.get("status"), live.facts.get("controller", "ECS")
    cluster = short_arn(resource.doc.get("cluster") or "default")
    where = f"service {short_arn(resource.doc['service'])} in cluster {cluster}"
    if status == "NO CLUSTER":
        return (
            f"{resource.address}: there is no cluster {cluster}; clusters are created elsewhere, ecsplan only deploys "
            "to their services",
        )
    if status == "MISSING":
        return (
            f"{resource.address}: there is no {where}; services are created elsewhere, ecsplan only deploys to them",
        )
    if status != "ACTIVE":
        return (f"{resource.address}: {where} is {status}",)
    if controller != "ECS":
        return (f"{resource.address}: {where} is deployed by {controller}, not by ECS itself; ecsplan cannot move it",)
    wanted = resource.doc.get("deploymentController", {}).get("type", controller)
    if wanted != controller:
        return (
            f"{resource.address}: {where} is deployed by {controller} itself; a deployment cannot hand it to {wanted}, "
            "so leave deploymentController out",
        )
    return ()


def _unfit(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """Why ECS would reject the service on its new revision, a sentence each; none if the revision is unknown."""
    definition = _definition(delta, others)
    if not definition:
        return ()
    found = (
        *_ports(delta.merged_doc, definition),
        *_names(delta.merged_doc, definition),
        *_place(delta.merged_doc, definition),
    )
    return tuple(f"{delta.change.address}: {fault}" for fault in found)


def _definition(delta: Delta, others: Mapping[Address, Delta]) -> Doc:
    """The task definition that the service moves to, as it will be; empty if this plan has none of it."""
    ref = delta.resource.doc.get("taskDefinition")
    other = others.get(ref.address) if isinstance(ref, Ref) else None
    return other.merged_doc if other else {}


def _ports(service: Doc, definition: Doc) -> Iterator[str]:
    """Load balancers and registries name a container and a port of it."""
    containers = {container.get("name"): container for container in definition.get("containerDefinitions", ())}
    entries = [("load balancer", entry) for entry in service.get("loadBalancers", ())]
    entries += [("service registry", entry) for entry in service.get("serviceRegistries", ())]
    for what, entry in entries:
        name, port = entry.get("containerName"), entry.get("containerPort")
        if name is not None and name not in containers:
            yield f"its {what} sends to container {name}, which the task definition does not have"
        elif name is not None and port is not None and not maps_port(containers[name], port):
            yield f"its {what} sends to port {port} of container {name}, which maps no such port"


def _names(service: Doc, definition: Doc) -> Iterator[str]:
    """Service Connect goes by the names of port mappings."""
    connect = service.get("serviceConnectConfiguration") or {}
    known = {
        mapping.get("name")
        for container in definition.get("containerDefinitions", ())
        for mapping in container.get("portMappings", ())
    }
    if connect.get("enabled"):
        for entry in connect.get("services", ()):
            if entry.get("portName") not in known:
                yield (
                    f"its Service Connect names port {entry.get('portName')}, "
                    "and no port mapping of the task definition has that name"
                )


def _place(service: Doc, definition: Doc) -> Iterator[str]:
    """Network and launch type."""
    network = has_network(service)
    awsvpc = definition.get("networkMode") == "awsvpc"
    if awsvpc and not network:
        yield "the task definition's network mode is awsvpc, and neither the spec nor the service has a network for it"
    if network and not awsvpc:
        yield (
            "it has an awsvpc network, which ECS does not take away from a service, and the task definition's network "
            f"mode is {definition.get('networkMode') or 'bridge'}"
        )
    # Definitions that require EC2 or EXTERNAL may be compatible with more, as ECS computes it. FARGATE has to be
    # required.
    launch, wanted = service.get("launchType"), definition.get("requiresCompatibilities")
    if launch == "FARGATE" and wanted and launch not in wanted and not service.get("capacityProviderStrategy"):
        yield f"its launch type is {launch}, and the task definition is for {', '.join(wanted)} only"

"""A service and the revision that it is moved to: what UpdateService would refuse is seen while planning."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.errors import PlanningError
from ecsplan.core.model import Action, Address, Call, Doc, Ref
from ecsplan.kinds.contract import Delta
from ecsplan.plan.diff import diff
from ecsplan.plan.steps import cautions
from tests.unit.fakes_kinds import candidate, kind, live_of, resource, revision

TASK, SERVICE, RUN = "task_definition.web", "service.prod/web", "run_task.web/migrate"
ARN = Ref(address=Address(TASK), output="arn")
SUBNETS: Doc = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}}
EMPTY: Doc = {"awsvpcConfiguration": {"subnets": [], "assignPublicIp": "DISABLED"}}
OTHERS: Doc = {"awsvpcConfiguration": {"subnets": ["subnet-2"]}}


def definition(*, ports: list[Doc] | None = None, name: str = "web", **members: Any) -> Doc:
    container = {"name": name, "image": "web:2", "portMappings": ports or [{"containerPort": 80, "name": "http"}]}
    return {"family": "web", "containerDefinitions": [container], **members}


def planned(wanted: Doc, live: Doc, declared: Doc | None = None, *, optional: bool = False) -> tuple[Delta, ...]:
    """The deltas of a service that is moved from another revision to one made of `wanted`."""
    old = candidate({"family": "web", "containerDefinitions": []}, arn=revision("web:1"))
    service = candidate({"service": "web", "taskDefinition": revision("web:1"), **live}, arn="service")
    mine = resource(SERVICE, {"service": "web", "taskDefinition": ARN, **(declared or {})}, optional=optional)
    return diff(
        [resource(TASK, wanted), mine],
        {
            Address(TASK): live_of(TASK, old),
            Address(SERVICE): live_of(SERVICE, service, facts={"status": "ACTIVE"}),
        },
    )


def refused(wanted: Doc, live: Doc, declared: Doc | None = None) -> str:
    with pytest.raises(PlanningError) as caught:
        planned(wanted, live, declared)
    return str(caught.value)


REFUSED = {
    "a load balancer that is live and not declared, to no such port": (
        definition(ports=[{"containerPort": 81}]),
        {"loadBalancers": [{"containerName": "web", "containerPort": 80}]},
        "its load balancer sends to port 80 of container web, which maps no such port",
    ),
    "a load balancer to no such container": (
        definition(name="app"),
        {"loadBalancers": [{"containerName": "web", "containerPort": 80}]},
        "its load balancer sends to container web, which the task definition does not have",
    ),
    "a registry to no such port": (
        definition(),
        {"serviceRegistries": [{"registryArn": "arn:r", "containerName": "web", "containerPort": 8}]},
        "its service registry sends to port 8 of container web",
    ),
    "Service Connect by a name that is gone": (
        definition(ports=[{"containerPort": 80, "name": "web"}]),
        {"serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "http"}]}},
        "its Service Connect names port http, and no port mapping of the task definition has that name",
    ),
    "no network for awsvpc": (
        definition(networkMode="awsvpc"),
        {},
        "network mode is awsvpc, and neither the spec nor the service has a network for it",
    ),
    "a network for bridge": (
        definition(),
        {"networkConfiguration": SUBNETS},
        "it has an awsvpc network, which ECS does not take away from a service, and the task definition's network mode "
        "is bridge",
    ),
    "a launch type that the revision is not for": (
        definition(requiresCompatibilities=["EC2"]),
        {"launchType": "FARGATE"},
        "its launch type is FARGATE, and the task definition is for EC2 only",
    ),
}
FITTING = {
    "the port": ({"loadBalancers": [{"containerName": "web", "containerPort": 80}]}, definition()),
    "a port in a range": (
        {"loadBalancers": [{"containerName": "web", "containerPort": 85}]},
        definition(ports=[{"containerPortRange": "80-90"}]),
    ),
    "a registry of addresses": ({"serviceRegistries": [{"registryArn": "arn:r"}]}, definition()),
    "the name of the port": (
        {"serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "http"}]}},
        definition(),
    ),
    "Service Connect that is switched off": (
        {"serviceConnectConfiguration": {"enabled": False, "services": [{"portName": "gone"}]}},
        definition(),
    ),
    "a network without subnets, which is none": (
        {"networkConfiguration": EMPTY},
        definition(),
    ),
    "a network": ({"networkConfiguration": SUBNETS}, definition(networkMode="awsvpc")),
    "the launch type": ({"launchType": "FARGATE"}, definition(requiresCompatibilities=["EC2", "FARGATE"])),
    "a launch type that ECS finds compatible by itself": (
        {"launchType": "EC2"},
        definition(requiresCompatibilities=["FARGATE"]),
    ),
    "capacity providers": (
        {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
        definition(requiresCompatibilities=["FARGATE"]),
    ),
}


@pytest.mark.parametrize(("wanted", "live", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_together_is_not_planned(wanted: Doc, live: Doc, message: str) -> None:
    said = refused(wanted, live)
    assert f"{SERVICE}: " in said
    assert message in said
    assert "Nothing was changed." in said


@pytest.mark.parametrize(("live", "wanted"), FITTING.values(), ids=FITTING)
def test_what_goes_together_is_planned(live: Doc, wanted: Doc) -> None:
    assert [delta.change.action for delta in planned(wanted, live)] == [Action.CREATE, Action.UPDATE]


def test_what_is_declared_counts_before_what_is_live() -> None:
    live = {"loadBalancers": [{"containerName": "gone", "containerPort": 80}]}
    assert planned(definition(), live, {"loadBalancers": [{"containerName": "web", "containerPort": 80}]})


def test_all_that_does_not_fit_is_told_at_once() -> None:
    live = {"networkConfiguration": SUBNETS, "loadBalancers": [{"containerName": "gone", "containerPort": 80}]}
    assert refused(definition(), live).count(SERVICE) == 2


def test_a_service_that_is_kept_is_not_judged() -> None:
    """It runs as it is; whether ECS would take it again is not asked."""
    kept = candidate({"family": "web", "containerDefinitions": []}, arn=revision("web:1"))
    service = candidate(
        {"service": "web", "taskDefinition": revision("web:1"), "networkConfiguration": SUBNETS}, arn="service"
    )
    deltas = diff(
        [resource(TASK, kept.doc), resource(SERVICE, {"service": "web", "taskDefinition": ARN})],
        {Address(TASK): live_of(TASK, kept), Address(SERVICE): live_of(SERVICE, service, facts={"status": "ACTIVE"})},
    )
    assert [delta.change.action for delta in deltas] == [Action.KEEP, Action.KEEP]


def test_a_way_back_is_warned_of_and_not_refused() -> None:
    (said,) = cautions(planned(definition(), {"networkConfiguration": SUBNETS}, optional=True))
    assert "it has an awsvpc network" in said


# --- the deployment controller ---


def controlled(declared: Doc) -> tuple[str, ...]:
    live = live_of(SERVICE, candidate({}, arn="s"), facts={"status": "ACTIVE", "controller": "ECS"})
    return kind("service").change.blockers(resource(SERVICE, {"service": "web", **declared}), live)


def test_another_deployment_controller_cannot_be_deployed() -> None:
    (said,) = controlled({"deploymentController": {"type": "EXTERNAL"}})
    assert "is deployed by ECS itself; a deployment cannot hand it to EXTERNAL" in said
    assert controlled({"deploymentController": {"type": "ECS"}}) == ()
    assert controlled({}) == ()


# --- the network of one-off tasks ---


def run(deltas_of: Doc, entry: Doc, *services: tuple[str, str, Doc]) -> tuple[Delta, ...]:
    """The deltas of a one-off task, beside services by address, task and live network."""
    mine = resource(RUN, {"taskDefinition": ARN, "cluster": "prod", **entry}, facts={"essential": ["web"]})
    resources = [resource(TASK, deltas_of), mine]
    lives = {Address(TASK): live_of(TASK), Address(RUN): live_of(RUN)}
    for address, task, network in services:
        name = address.rpartition("/")[2]
        resources.append(resource(address, {"service": name}, task=task))
        found = candidate({"service": name, **({"networkConfiguration": network} if network else {})}, arn=name)
        lives[Address(address)] = live_of(address, found, facts={"status": "ACTIVE"})
    return diff(resources, lives)


def params_of(deltas: tuple[Delta, ...]) -> tuple[Doc, str]:
    (draft,) = kind("run_task").change.steps(deltas[1])
    assert isinstance(draft.call, Call)
    return draft.call.params, draft.note


def test_a_task_without_a_network_gets_that_of_its_own_service() -> None:
    services = [("service.prod/other", "other", OTHERS), ("service.prod/web", "web", SUBNETS)]
    params, note = params_of(run(definition(networkMode="awsvpc"), {}, *services))
    assert params["networkConfiguration"] == SUBNETS
    assert note == "the containers' own commands; with the network of service.prod/web"


def test_or_that_of_another_task_of_the_same_cluster() -> None:
    services = [("service.staging/web", "web", SUBNETS), ("service.prod/other", "other", OTHERS)]
    params, note = params_of(run(definition(networkMode="awsvpc"), {}, *services))
    assert params["networkConfiguration"] == OTHERS
    assert note.endswith("with the network of service.prod/other")


def test_a_task_on_instances_gets_no_public_address() -> None:
    public = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "ENABLED"}}
    entry = {"launchType": "EC2"}
    params, _ = params_of(run(definition(networkMode="awsvpc"), entry, ("service.prod/web", "web", public)))
    assert params["networkConfiguration"] == {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def test_its_own_network_stays() -> None:
    entry = {"networkConfiguration": OTHERS}
    params, note = params_of(run(definition(networkMode="awsvpc"), entry, ("service.prod/web", "web", SUBNETS)))
    assert params["networkConfiguration"] == OTHERS
    assert note == "the containers' own commands"


def test_a_task_on_the_hosts_network_gets_none() -> None:
    params, note = params_of(run(definition(), {}, ("service.prod/web", "web", SUBNETS)))
    assert "networkConfiguration" not in params
    assert "network" not in note


@pytest.mark.parametrize(
    "services",
    [
        [],
        [("service.staging/web", "web", SUBNETS)],
        [("service.prod/web", "web", {})],
        [("service.prod/web", "web", EMPTY)],
    ],
)
def test_without_any_network_it_is_not_planned(services: list[tuple[str, str, Doc]]) -> None:
    with pytest.raises(PlanningError, match="declares no service of cluster prod that has one to take"):
        run(definition(networkMode="awsvpc"), {}, *services)

"""What CreateService, UpdateService and RunTask refuse, and what they make of a request before it is described.

Sources: aws-semantics 2.2 and 3.
"""

from __future__ import annotations

from typing import Any, Final

from ecsplan.sandbox import common

from .state import Cluster, Doc, Revision

#: Members that DescribeServices shows on the PRIMARY deployment only, not on the service.
DEPLOYMENT_ONLY: Final = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")
#: Members whose change starts a deployment (with taskDefinition and forceNewDeployment). Source: BC, UpdateService.
STARTS_DEPLOYMENT: Final = (
    "networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", *DEPLOYMENT_ONLY,
)  # fmt: skip
#: The members of a service that its revisions and deployments keep.
REMEMBERED: Final = (*STARTS_DEPLOYMENT, "launchType", "capacityProviderStrategy")
#: Members that are stored as they were sent.
PLAIN: Final = (
    "platformVersion", "loadBalancers", "serviceRegistries", "placementConstraints", "healthCheckGracePeriodSeconds",
    "propagateTags", "enableECSManagedTags", "enableExecuteCommand", "availabilityZoneRebalancing",
    "deploymentController", "vpcLatticeConfigurations",
)  # fmt: skip
#: Stages at which AWS accepts hooks that invoke Lambda functions only. Source: BC, DeploymentLifecycleHook.
NO_PAUSE: Final = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
_FEWEST_FAILURES: Final = 3
_MOST_FAILURES: Final = 200
_BREAKER: Final = ("resetOnHealthyTask", "thresholdConfiguration")


def created(params: Doc, cluster: Cluster, revision: Revision) -> Doc:
    """The members of a new service, with AWS's defaults."""
    daemon = params.get("schedulingStrategy") == "DAEMON"
    doc: Doc = {
        "loadBalancers": [], "serviceRegistries": [], "placementConstraints": [], "placementStrategy": [],
        "healthCheckGracePeriodSeconds": 0, "propagateTags": "NONE", "enableECSManagedTags": False,
        "enableExecuteCommand": False, "schedulingStrategy": params.get("schedulingStrategy", "REPLICA"),
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": _first_configuration(daemon=daemon),
    }  # fmt: skip
    doc |= _capacity(params, cluster)
    doc |= sent(params, doc)
    if doc.get("launchType") == "FARGATE":
        doc.setdefault("platformVersion", "LATEST")
        doc["platformFamily"] = platform_family(revision)
    if _linked_role(doc):
        doc["roleArn"] = params.get("role") or (
            "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
        )
    doc.setdefault("availabilityZoneRebalancing", "ENABLED" if _rebalances(doc) else "DISABLED")
    return doc


def sent(params: Doc, current: Doc) -> Doc:
    """Only the members that a request sets, as they will be described."""
    doc: Doc = {name: params[name] for name in PLAIN if name in params}
    if "networkConfiguration" in params:
        doc["networkConfiguration"] = network(params["networkConfiguration"])
    if "capacityProviderStrategy" in params:
        doc["capacityProviderStrategy"] = strategy(params["capacityProviderStrategy"])
    if "placementStrategy" in params:
        doc["placementStrategy"] = [_placement(entry) for entry in params["placementStrategy"]]
    if "deploymentConfiguration" in params:
        doc["deploymentConfiguration"] = configuration(
            current["deploymentConfiguration"], params["deploymentConfiguration"]
        )
    if "volumeConfigurations" in params:
        doc["volumeConfigurations"] = [_volume(entry) for entry in params["volumeConfigurations"]]
    if "serviceConnectConfiguration" in params:
        doc["serviceConnectConfiguration"] = params["serviceConnectConfiguration"]
    return doc


def network(given: Doc) -> Doc:
    inner = given.get("awsvpcConfiguration")
    if inner is None:
        return {}
    return {"awsvpcConfiguration": {"securityGroups": [], "assignPublicIp": "DISABLED"} | inner}


def strategy(given: list[Doc]) -> list[Doc]:
    return [{"weight": 0, "base": 0} | entry for entry in given]


def configuration(current: Doc, given: Doc) -> Doc:
    """A deploymentConfiguration merged into the current one. Some blocks are reset to their defaults (CDKD)."""
    doc = current | {k: v for k, v in given.items() if k not in _BLOCKS}
    for name, fill in _BLOCKS.items():
        if name in given:
            doc[name] = fill(given[name], current)
    return doc


def _first_configuration(*, daemon: bool) -> Doc:
    breaker = {
        "enable": False, "rollback": False, "resetOnHealthyTask": True,
        "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
    }  # fmt: skip
    return {
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        "maximumPercent": 100 if daemon else 200,
        "minimumHealthyPercent": 0 if daemon else 100,
        "deploymentCircuitBreaker": breaker,
    }


def _breaker(given: Doc, current: Doc) -> Doc:
    """``enable`` and ``rollback`` are false unless sent. The newer members keep their values."""
    kept = {k: v for k, v in current["deploymentCircuitBreaker"].items() if k in _BREAKER}
    return {"enable": False, "rollback": False} | kept | given


def _hooks(given: list[Doc], current: Doc) -> list[Doc]:
    timeout = {"action": "ROLLBACK", "timeoutInMinutes": 1440}
    return [
        {"targetType": "AWS_LAMBDA"} | hook | {"timeoutConfiguration": timeout | hook.get("timeoutConfiguration", {})}
        for hook in given
    ]


def _fixed(**defaults: Any) -> Any:
    return lambda given, current: defaults | given


_BLOCKS: Final[dict[str, Any]] = {
    "deploymentCircuitBreaker": _breaker,
    "lifecycleHooks": _hooks,
    "alarms": _fixed(enable=False, rollback=False, alarmNames=[]),
    "linearConfiguration": _fixed(stepPercent=10.0, stepBakeTimeInMinutes=6),
    "canaryConfiguration": _fixed(canaryPercent=5.0, canaryBakeTimeInMinutes=10),
    "earlySuccessCriteria": _fixed(healthyPercent=100, sourceServiceRevisionCleanup="BLOCKING"),
}


def _placement(entry: Doc) -> Doc:
    """A spread over ``host`` is stored as one over ``instanceId``."""
    return entry | {"field": "instanceId"} if entry.get("field") == "host" else entry


def _volume(entry: Doc) -> Doc:
    if "managedEBSVolume" not in entry:
        return entry
    return entry | {"managedEBSVolume": {"filesystemType": "xfs"} | entry["managedEBSVolume"]}


def _capacity(params: Doc, cluster: Cluster) -> Doc:
    """A launch type or a strategy, never both. Without either, the cluster's default strategy is copied."""
    if params.get("launchType"):
        return {"launchType": params["launchType"]}
    given = params.get("capacityProviderStrategy") or cluster.default_strategy
    return {"capacityProviderStrategy": strategy(given)} if given else {"launchType": "EC2"}


def _linked_role(doc: Doc) -> bool:
    return bool(doc.get("networkConfiguration") or doc["loadBalancers"])


def _rebalances(doc: Doc) -> bool:
    """Whether a new service is eligible for Availability Zone rebalancing. Source: aws-cdk PR #32259."""
    first = (doc["placementStrategy"] or [{"type": "spread", "field": "attribute:ecs.availability-zone"}])[0]
    zones = first.get("type") == "spread" and first.get("field") == "attribute:ecs.availability-zone"
    pinned = any("ecs.availability-zone" in c.get("expression", "") for c in doc["placementConstraints"])
    classic = any(lb.get("loadBalancerName") for lb in doc["loadBalancers"])
    below = doc["deploymentConfiguration"]["maximumPercent"] != 100
    return bool(doc["schedulingStrategy"] == "REPLICA" and zones and below and not pinned and not classic)


def platform_family(revision: Revision) -> str:
    system = revision.doc.get("runtimePlatform", {}).get("operatingSystemFamily", "LINUX")
    return "Linux" if system == "LINUX" else "Windows"


def threshold(configuration: Doc, desired: int) -> int:
    """How many failed tasks trip the circuit breaker. BOUNDED_PERCENT (default 50) of the desired count is rounded up
    and limited to 3 to 200. UNBOUNDED_PERCENT is only rounded up. COUNT is the number itself. Source: BC, docs."""
    given = configuration["deploymentCircuitBreaker"].get("thresholdConfiguration", {})
    kind, value = given.get("type", "BOUNDED_PERCENT"), int(given.get("value", 50))
    if kind == "COUNT":
        return max(1, value)
    share = -(-desired * value // 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(_MOST_FAILURES, max(_FEWEST_FAILURES, share))


# -- what is refused --------------------------------------------------------------------------------------------------


def check_capacity(params: Doc) -> None:
    if params.get("launchType") and params.get("capacityProviderStrategy"):
        text = (
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
        raise common.invalid(text)


def check_network(revision: Revision, configuration: Doc | None) -> None:
    """An awsvpc task needs subnets. Any other must not have them."""
    if revision.doc.get("networkMode") == "awsvpc":
        if not (configuration or {}).get("awsvpcConfiguration"):
            text = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            raise common.invalid(text)
        if not (configuration or {})["awsvpcConfiguration"].get("subnets"):
            raise common.invalid("subnets can not be empty.")
    elif configuration and configuration.get("awsvpcConfiguration"):
        raise common.invalid("Network Configuration is not valid for the given networkMode of this task definition.")


def check_launch_type(revision: Revision, wanted: str) -> None:
    if wanted not in revision.doc["compatibilities"]:
        raise common.invalid(f"Task definition does not support launch_type {wanted}.")


def check_fargate_placement(params: Doc, doc: Doc) -> None:
    """Fargate accepts no placement, not even an empty list."""
    if doc.get("launchType") != "FARGATE":
        return
    for member, what in (("placementStrategy", "strategies"), ("placementConstraints", "constraints")):
        if member in params:
            raise common.invalid(f"Placement {what} are not supported with FARGATE launch type.")


def check_ports(revision: Revision, doc: Doc) -> None:
    """The task definition must have the container and port that load balancers and registries name."""
    containers = {c["name"]: c for c in revision.doc["containerDefinitions"]}
    for entry in [*doc.get("loadBalancers", []), *doc.get("serviceRegistries", [])]:
        name, port = entry.get("containerName"), entry.get("containerPort")
        if name is None:
            continue
        if name not in containers:
            raise common.invalid(f"The container {name} does not exist in the task definition.")
        mapped = any(_maps(mapping, port) for mapping in containers[name]["portMappings"])
        if port is not None and not mapped:
            raise common.invalid(f"The container {name} did not have a container port {port} defined.")


def _maps(mapping: Doc, port: int | None) -> bool:
    if "containerPortRange" in mapping:
        low, _, high = mapping["containerPortRange"].partition("-")
        return port is not None and int(low) <= port <= int(high or low)
    return bool(mapping.get("containerPort") == port)


def check_hooks(configuration: Doc) -> None:
    """Raise what AWS refuses: PAUSE hooks at the stages in which the traffic shifts."""
    for hook in configuration.get("lifecycleHooks", []):
        for stage in hook.get("lifecycleStages", []) if hook["targetType"] == "PAUSE" else ():
            if stage in NO_PAUSE:
                raise common.invalid(f"PAUSE hooks cannot be configured at the {stage} lifecycle stage.")

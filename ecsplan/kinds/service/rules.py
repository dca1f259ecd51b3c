"""What ECS makes of a service between UpdateService and DescribeServices, a row each.

Sources: the ECS API reference and botocore's service model; answers recorded from real accounts; the public
Terraform AWS provider; the example outputs that the AWS CLI ships.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecsplan.core.model import Doc
from ecsplan.core.normalize import Canon, Default, Derive, Drop, Keep, Keyed, Rule, Secret, Unordered

D = "deploymentConfiguration"
LINEAR = {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}
CANARY = {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}


def by_strategy(field: str, *, replica: int, daemon: int) -> Callable[[Doc, Doc], int | None]:
    """A default that depends on the scheduling strategy."""

    def of(doc: Doc, parent: Doc) -> int | None:
        if parent.get(field) is not None:
            return None
        return daemon if doc.get("schedulingStrategy") == "DAEMON" else replica

    return of


def not_enable(value: Any) -> bool:
    return isinstance(value, dict) and value.get("enable") is False


def not_enabled(value: Any) -> bool:
    return isinstance(value, dict) and value.get("enabled") is False


def discovery_name(doc: Doc, service: Doc) -> Any:
    return service.get("portName") if not service.get("discoveryName") else None


def client_aliases(doc: Doc, service: Doc) -> Any:
    """The aliases with the DNS name that ECS gives those without; not where the namespace is an ARN, which names
    none."""
    namespace = str(doc.get("serviceConnectConfiguration", {}).get("namespace", ""))
    name = service.get("discoveryName") or service.get("portName")
    aliases = service.get("clientAliases")
    if not aliases or not namespace or namespace.startswith("arn:"):
        return None
    return [alias if alias.get("dnsName") else {**alias, "dnsName": f"{name}.{namespace}"} for alias in aliases]


def other_form_of_namespace(found: Doc, wanted: Doc, sent: Doc) -> tuple[Doc, tuple[str, ...]]:
    """The live document with the namespace as it is declared, where one is a name and the other an ARN: the ARN has
    the namespace's id and not its name, and which of the two ECS answers is not known."""
    field = "serviceConnectConfiguration"
    live, declared = found.get(field) or {}, wanted.get(field) or {}
    live_name, declared_name = str(live.get("namespace") or ""), str(declared.get("namespace") or "")
    if not live_name or not declared_name or live_name.startswith("arn:") == declared_name.startswith("arn:"):
        return found, ()
    doubt = f"{field}.namespace is {live_name} and declared as {declared_name}: a name and an ARN cannot be compared"
    return {**found, field: {**live, "namespace": declared["namespace"]}}, (doubt,)


def placement_field(value: Any) -> Any:
    """Names of attributes are not case-sensitive, and `host` is answered as `instanceId`."""
    return "instanceid" if str(value).lower() == "host" else str(value).lower()


def target_group_pairs(load_balancers: Any) -> Any:
    """Blue/green swaps the two target groups at every deployment: they are a pair without an order."""
    result = []
    for item in load_balancers:
        other = item.get("advancedConfiguration", {}).get("alternateTargetGroupArn")
        group = item.get("targetGroupArn")
        if other and group and other < group:
            advanced = {**item["advancedConfiguration"], "alternateTargetGroupArn": group}
            item = {**item, "targetGroupArn": other, "advancedConfiguration": advanced}  # noqa: PLW2901
        result.append(item)
    return result


RULES: tuple[Rule, ...] = (
    Drop(path="cluster", reason="names the service, no part of its state"),
    Drop(path="service", reason="names the service, no part of its state"),
    Drop(path="forceNewDeployment", reason="an action, never answered"),
    Drop(
        path="gatewayConnectors",
        reason="never answered: sent with an update, no difference by itself",
    ),
    Drop(path="monitoring", reason="never answered: sent with an update, no difference by itself"),
    Default(path="deploymentController", value={"type": "ECS"}, reason="absent on some answers"),
    Default(path="schedulingStrategy", value="REPLICA", reason="the default"),
    Default(path=D, value={"strategy": "ROLLING"}, reason="always answered for services that ECS deploys"),
    Keep(path=D, reason="sub-fields that are left out are reset: rollback to false, hooks replaced, defaults filled"),
    Derive(
        path=f"{D}.maximumPercent",
        of=by_strategy("maximumPercent", replica=200, daemon=100),
        reason="200, for daemons 100",
    ),
    Derive(
        path=f"{D}.minimumHealthyPercent",
        of=by_strategy("minimumHealthyPercent", replica=100, daemon=0),
        reason="100, for daemons 0",
    ),
    Default(path=f"{D}.strategy", value="ROLLING", reason="filled in"),
    Default(path=f"{D}.bakeTimeInMinutes", value=0, reason="filled in"),
    Default(path=f"{D}.deploymentCircuitBreaker", value={"enable": False}, reason="filled in as disabled"),
    Default(path=f"{D}.deploymentCircuitBreaker.enable", value=False, reason="filled in"),
    Default(path=f"{D}.deploymentCircuitBreaker.rollback", value=False, reason="omitted is false"),
    Default(path=f"{D}.deploymentCircuitBreaker.resetOnHealthyTask", value=True, reason="filled in since 2026-07"),
    Default(
        path=f"{D}.deploymentCircuitBreaker.thresholdConfiguration",
        value={"type": "BOUNDED_PERCENT", "value": 50},
        reason="filled in since 2026-07",
    ),
    Unordered(path=f"{D}.alarms.alarmNames", reason="a set"),
    Default(path=f"{D}.alarms", value={"enable": False}, reason="filled in as disabled, or absent"),
    Default(path=f"{D}.alarms.enable", value=False, reason="filled in"),
    Default(path=f"{D}.alarms.rollback", value=False, reason="filled in"),
    Default(path=f"{D}.linearConfiguration", value=LINEAR, reason="the defaults, as absent"),
    Default(path=f"{D}.canaryConfiguration", value=CANARY, reason="the defaults, as absent"),
    Default(path=f"{D}.linearConfiguration.stepPercent", value=10.0, reason="filled in"),
    Default(path=f"{D}.linearConfiguration.stepBakeTimeInMinutes", value=6, reason="filled in"),
    Default(path=f"{D}.canaryConfiguration.canaryPercent", value=5.0, reason="filled in"),
    Default(path=f"{D}.canaryConfiguration.canaryBakeTimeInMinutes", value=10, reason="filled in"),
    Default(path=f"{D}.lifecycleHooks.*.targetType", value="AWS_LAMBDA", reason="the default"),
    Default(
        path=f"{D}.lifecycleHooks.*.timeoutConfiguration",
        value={"action": "ROLLBACK", "timeoutInMinutes": 1440},
        reason="filled in",
    ),
    Default(path=f"{D}.lifecycleHooks.*.timeoutConfiguration.action", value="ROLLBACK", reason="the default"),
    Default(path=f"{D}.lifecycleHooks.*.timeoutConfiguration.timeoutInMinutes", value=1440, reason="the default"),
    Unordered(path=f"{D}.lifecycleHooks.*.lifecycleStages", reason="a set"),
    Unordered(path=f"{D}.lifecycleHooks", reason="hooks by target and stages, in any order"),
    Default(path=f"{D}.earlySuccessCriteria.healthyPercent", value=100, reason="filled in"),
    Default(path=f"{D}.earlySuccessCriteria.sourceServiceRevisionCleanup", value="BLOCKING", reason="filled in"),
    Drop(path=f"{D}.earlySuccessCriteria", when=not_enable, reason="filled in as disabled"),
    Keyed(path="capacityProviderStrategy", by=("capacityProvider",), reason="shares by provider"),
    Default(path="capacityProviderStrategy.*.base", value=0, reason="filled in"),
    Default(path="capacityProviderStrategy.*.weight", value=0, reason="filled in"),
    Keep(path="networkConfiguration", reason="subnets are required, and security groups left out are reset"),
    Default(path="networkConfiguration.awsvpcConfiguration.assignPublicIp", value="DISABLED", reason="filled in"),
    Unordered(path="networkConfiguration.awsvpcConfiguration.subnets", reason="a set"),
    Unordered(path="networkConfiguration.awsvpcConfiguration.securityGroups", reason="a set"),
    Drop(
        path="platformVersion",
        when=lambda version: version == "LATEST",
        reason="LATEST, answered as such, as the version it was resolved to, or not at all",
    ),
    Default(
        path="healthCheckGracePeriodSeconds", value=0, reason="0 even without a load balancer; absent in old answers"
    ),
    Default(path="enableECSManagedTags", value=False, reason="filled in"),
    Default(path="enableExecuteCommand", value=False, reason="filled in"),
    Default(path="propagateTags", value="NONE", reason="NONE or absent"),
    Default(
        path="availabilityZoneRebalancing", value="DISABLED", reason="absent in old answers; never set, it is disabled"
    ),
    Canon(path="loadBalancers", to=target_group_pairs, reason="blue/green swaps the target groups"),
    Keyed(
        path="loadBalancers",
        by=("targetGroupArn", "loadBalancerName", "containerName", "containerPort"),
        reason="a set",
    ),
    Unordered(path="serviceRegistries", reason="a set"),
    Drop(path="placementConstraints.*.expression", when=lambda text: text == "", reason="distinctInstance has none"),
    Unordered(path="placementConstraints", reason="all of them hold, in any order"),
    Canon(path="placementStrategy.*.field", to=placement_field, reason="not case-sensitive; host is instanceId"),
    Drop(path="placementStrategy.*.field", when=lambda field: field == "", reason="random has none"),
    Keep(path="serviceConnectConfiguration", reason="replaced whole"),
    Drop(path="serviceConnectConfiguration", when=not_enabled, reason="not enabled is the same as absent"),
    Derive(path="serviceConnectConfiguration.services.*.discoveryName", of=discovery_name, reason="the port's name"),
    Derive(
        path="serviceConnectConfiguration.services.*.clientAliases",
        of=client_aliases,
        reason="the DNS name is the discovery name in the namespace",
    ),
    Keyed(path="serviceConnectConfiguration.services", by=("portName",), reason="services by port"),
    Keyed(
        path="serviceConnectConfiguration.logConfiguration.secretOptions",
        by=("name",),
        value="valueFrom",
        reason="options by name",
    ),
    Secret(path="serviceConnectConfiguration.logConfiguration.options", reason="log drivers take tokens"),
    Default(path="volumeConfigurations.*.managedEBSVolume.filesystemType", value="xfs", reason="filled in"),
    Default(
        path="volumeConfigurations.*.managedEBSVolume.tagSpecifications.*.propagateTags",
        value="NONE",
        reason="NONE or absent",
    ),
    Unordered(path="volumeConfigurations.*.managedEBSVolume.tagSpecifications.*.tags", reason="a set"),
    Keyed(path="volumeConfigurations", by=("name",), reason="volumes by name"),
    Keyed(path="vpcLatticeConfigurations", by=("portName", "targetGroupArn"), reason="a set"),
)

# Blocks whose omitted members AWS resets, so that they are sent whole.
KEPT = frozenset(rule.path for rule in RULES if isinstance(rule, Keep))

# Members that a block has to be sent with, and that older answers may lack.
OFF_BY_DEFAULT: dict[str, Doc] = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "alarms": {"alarmNames": [], "enable": False, "rollback": False},
}

# What to send so that a field is again as if it had never been set (ECS API reference, UpdateService; probed answers).
RESET: Doc = {
    "healthCheckGracePeriodSeconds": 0,
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "propagateTags": "NONE",
    "platformVersion": "LATEST",
    "capacityProviderStrategy": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "loadBalancers": [],
    "serviceRegistries": [],
    "serviceConnectConfiguration": {"enabled": False},
    "volumeConfigurations": [],
    "vpcLatticeConfigurations": [],
}

# The same for members of blocks: left out, they stay as they are.
RESET_MEMBERS: dict[str, Doc] = {
    D: {
        **OFF_BY_DEFAULT,
        "lifecycleHooks": [],
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        "linearConfiguration": LINEAR,
        "canaryConfiguration": CANARY,
        "earlySuccessCriteria": {"enable": False},
    },
}

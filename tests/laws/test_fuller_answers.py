"""An AWS that fills in all that it is known, or said, to fill in, and answers what has no order in any: no difference.

The table is written from AWS's documentation and recorded answers, not from the kinds' rules.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.core.documents import copied
from ecsplan.core.model import Action, Doc
from tests.laws.embedded import applied, declared, live, planned, seeded
from tests.laws.leaves import leaves, others
from tests.laws.requests import REQUESTS, documents
from tests.laws.test_every_field import every_kind, few, for_all_kinds
from tests.laws.test_one_leaf import check

C = "containerDefinitions.*"
D = "deploymentConfiguration"
E = "Targets.*.EcsParameters"
S = "Target.EcsParameters"
HOOK_TIMEOUT = {"action": "ROLLBACK", "timeoutInMinutes": 1440}
NO_ALARMS: Doc = {"alarmNames": [], "enable": False, "rollback": False}
EARLY: Doc = {"enable": False, "healthyPercent": 100, "sourceServiceRevisionCleanup": "BLOCKING"}
LINUX = {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}

# Where the parent is there and the field is not, or is empty.
FILLED: Mapping[str, Mapping[str, Any]] = {
    "DescribeTaskDefinition": {
        "networkMode": "bridge",
        "enableFaultInjection": False,
        "placementConstraints": [],
        "volumes": [],
        "inferenceAccelerators": [],
        "proxyConfiguration.type": "APPMESH",
        "volumes.*.configuredAtLaunch": False,
        "volumes.*.host": {},
        "volumes.*.efsVolumeConfiguration.rootDirectory": "/",
        "volumes.*.efsVolumeConfiguration.transitEncryption": "DISABLED",
        "volumes.*.efsVolumeConfiguration.transitEncryptionPort": 0,
        "volumes.*.efsVolumeConfiguration.authorizationConfig": {},
        "volumes.*.efsVolumeConfiguration.authorizationConfig.iam": "DISABLED",
        "volumes.*.s3filesVolumeConfiguration.rootDirectory": "/",
        "volumes.*.dockerVolumeConfiguration.scope": "task",
        "volumes.*.dockerVolumeConfiguration.autoprovision": False,
        "volumes.*.dockerVolumeConfiguration.driver": "local",
        "volumes.*.dockerVolumeConfiguration.driverOpts": {},
        "volumes.*.dockerVolumeConfiguration.labels": {},
        **{
            f"{C}.{name}": []
            for name in (
                "command", "credentialSpecs", "dependsOn", "dnsSearchDomains", "dnsServers", "dockerSecurityOptions",
                "entryPoint", "environmentFiles", "extraHosts", "links", "resourceRequirements", "secrets", "ulimits",
            )
        },
        **{
            f"{C}.{name}": False
            for name in ("disableNetworking", "interactive", "privileged", "pseudoTerminal", "readonlyRootFilesystem")
        },
        **{f"{C}.{name}": "" for name in ("hostname", "user", "workingDirectory")},
        f"{C}.dockerLabels": {},
        f"{C}.versionConsistency": "enabled",
        f"{C}.mountPoints.*.readOnly": False,
        f"{C}.volumesFrom.*.readOnly": False,
        f"{C}.healthCheck.startPeriod": 0,
        f"{C}.linuxParameters": {},
        f"{C}.linuxParameters.initProcessEnabled": False,
        f"{C}.linuxParameters.capabilities": {"add": [], "drop": []},
        f"{C}.linuxParameters.capabilities.add": [],
        f"{C}.linuxParameters.capabilities.drop": [],
        f"{C}.linuxParameters.devices": [],
        f"{C}.linuxParameters.devices.*.permissions": ["read", "write", "mknod"],
        f"{C}.linuxParameters.tmpfs": [],
        f"{C}.linuxParameters.tmpfs.*.mountOptions": ["defaults"],
        f"{C}.logConfiguration.options": {},
        f"{C}.logConfiguration.secretOptions": [],
        f"{C}.firelensConfiguration.options": {},
        f"{C}.restartPolicy.restartAttemptPeriod": 300,
        f"{C}.restartPolicy.ignoredExitCodes": [],
    },
    "DescribeServices": {
        "healthCheckGracePeriodSeconds": 0,
        "propagateTags": "NONE",
        "enableECSManagedTags": False,
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": "DISABLED",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementStrategy.*.field": "",
        "placementConstraints.*.expression": "",
        "capacityProviderStrategy.*.weight": 0,
        "capacityProviderStrategy.*.base": 0,
        f"{D}.alarms": NO_ALARMS,
        f"{D}.lifecycleHooks": [],
        f"{D}.lifecycleHooks.*.timeoutConfiguration": HOOK_TIMEOUT,
        f"{D}.linearConfiguration": {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6},
        f"{D}.canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10},
        f"{D}.earlySuccessCriteria": EARLY,
    },
    "PRIMARY": {
        "serviceConnectConfiguration": {"enabled": False},
        "volumeConfigurations": [],
        "vpcLatticeConfigurations": [],
        "volumeConfigurations.*.managedEBSVolume.filesystemType": "xfs",
        "volumeConfigurations.*.managedEBSVolume.iops": 3000,
        "volumeConfigurations.*.managedEBSVolume.throughput": 125,
        "volumeConfigurations.*.managedEBSVolume.volumeType": "gp3",
        "volumeConfigurations.*.managedEBSVolume.encrypted": True,
        "volumeConfigurations.*.managedEBSVolume.tagSpecifications": [],
        "volumeConfigurations.*.managedEBSVolume.tagSpecifications.*.propagateTags": "NONE",
        "volumeConfigurations.*.managedEBSVolume.tagSpecifications.*.tags": [],
        "serviceConnectConfiguration.logConfiguration.secretOptions": [],
        "serviceConnectConfiguration.logConfiguration.options": {},
    },
    "GetSchedule": {
        "GroupName": "default",
        "State": "ENABLED",
        "ScheduleExpressionTimezone": "UTC",
        "ActionAfterCompletion": "NONE",
        "Target.RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        "Target.RetryPolicy.MaximumEventAgeInSeconds": 86400,
        "Target.RetryPolicy.MaximumRetryAttempts": 185,
        "Target.DeadLetterConfig": {},
        f"{S}.TaskCount": 1,
        f"{S}.EnableECSManagedTags": False,
        f"{S}.EnableExecuteCommand": False,
        f"{S}.PlatformVersion": "LATEST",
        f"{S}.PlacementConstraints": [],
        f"{S}.PlacementStrategy": [],
        f"{S}.Tags": [],
        f"{S}.NetworkConfiguration.awsvpcConfiguration.SecurityGroups": [],
        f"{S}.NetworkConfiguration.awsvpcConfiguration.AssignPublicIp": "DISABLED",
        f"{S}.CapacityProviderStrategy.*.weight": 0,
        f"{S}.CapacityProviderStrategy.*.base": 0,
    },
    "ListTargetsByRule": {
        f"{E}.TaskCount": 1,
        f"{E}.EnableECSManagedTags": False,
        f"{E}.EnableExecuteCommand": False,
        f"{E}.PlatformVersion": "LATEST",
        f"{E}.PlacementConstraints": [],
        f"{E}.PlacementStrategy": [],
        f"{E}.Tags": [],
        f"{E}.NetworkConfiguration.awsvpcConfiguration.SecurityGroups": [],
        f"{E}.NetworkConfiguration.awsvpcConfiguration.AssignPublicIp": "DISABLED",
        f"{E}.CapacityProviderStrategy.*.weight": 0,
        f"{E}.CapacityProviderStrategy.*.base": 0,
        "Targets.*.DeadLetterConfig": {},
        "Targets.*.RetryPolicy": {},
    },
}  # fmt: skip

# Lists that have no order, or whose order AWS was seen to change.
SETS: Mapping[str, tuple[str, ...]] = {
    "DescribeTaskDefinition": (
        "containerDefinitions", "volumes", "placementConstraints", "requiresCompatibilities",
        "proxyConfiguration.properties",
        *(
            f"{C}.{name}"
            for name in (
                "environment", "secrets", "portMappings", "mountPoints", "volumesFrom", "systemControls", "links",
                "dependsOn", "extraHosts", "dockerSecurityOptions", "ulimits", "resourceRequirements",
                "credentialSpecs", "linuxParameters.capabilities.add", "linuxParameters.capabilities.drop",
                "linuxParameters.devices", "linuxParameters.devices.*.permissions", "linuxParameters.tmpfs",
                "linuxParameters.tmpfs.*.mountOptions", "logConfiguration.secretOptions",
                "restartPolicy.ignoredExitCodes",
            )
        ),
    ),
    "DescribeServices": (
        "capacityProviderStrategy", "loadBalancers", "serviceRegistries", "placementConstraints",
        "networkConfiguration.awsvpcConfiguration.subnets", "networkConfiguration.awsvpcConfiguration.securityGroups",
        f"{D}.alarms.alarmNames", f"{D}.lifecycleHooks", f"{D}.lifecycleHooks.*.lifecycleStages",
    ),
    "PRIMARY": (
        "volumeConfigurations", "vpcLatticeConfigurations", "serviceConnectConfiguration.services",
        "serviceConnectConfiguration.logConfiguration.secretOptions",
        "volumeConfigurations.*.managedEBSVolume.tagSpecifications.*.tags",
    ),
    "GetSchedule": (
        f"{S}.CapacityProviderStrategy", f"{S}.PlacementConstraints", f"{S}.Tags",
        f"{S}.NetworkConfiguration.awsvpcConfiguration.Subnets",
        f"{S}.NetworkConfiguration.awsvpcConfiguration.SecurityGroups",
    ),
    "ListTargetsByRule": (
        "Targets", f"{E}.CapacityProviderStrategy", f"{E}.PlacementConstraints", f"{E}.Tags",
        f"{E}.NetworkConfiguration.awsvpcConfiguration.Subnets",
        f"{E}.NetworkConfiguration.awsvpcConfiguration.SecurityGroups",
    ),
}  # fmt: skip


def parents(doc: Any, path: str) -> Iterator[tuple[Doc, str]]:
    """Every structure that a path leads to, and the field in it."""
    head, _, rest = path.partition(".")
    if head == "*":
        for item in doc or ():
            yield from parents(item, rest)
    elif isinstance(doc, dict):
        if rest:
            yield from parents(doc.get(head), rest)
        else:
            yield doc, head


def fuller(doc: Doc, sort: str, chance: random.Random) -> None:
    """Fills in, in place, some of what may be filled in, and puts what has no order into any other."""
    for path, value in FILLED[sort].items():
        for parent, field in parents(doc, path):
            if parent.get(field) in (None, [], {}) and chance.random() < 0.8:
                parent[field] = copied({"it": value})["it"]
    for path in SETS[sort]:
        for parent, field in parents(doc, path):
            if isinstance(parent.get(field), list):
                chance.shuffle(parent[field])


def of_task_definition(found: Doc, chance: random.Random) -> None:
    fuller(found, "DescribeTaskDefinition", chance)
    for role in ("taskRoleArn", "executionRoleArn"):
        if found.get(role) and not found[role].startswith("arn:"):
            found[role] = f"arn:aws:iam::123456789012:role/service/{found[role]}"
    if "FARGATE" in found.get("requiresCompatibilities", ()):
        found["runtimePlatform"] = LINUX | found.get("runtimePlatform", {})


def of_service(found: Doc, chance: random.Random) -> None:
    fuller(found, "DescribeServices", chance)
    for entry in found.get("placementStrategy", ()):
        if entry.get("field") in ("cpu", "memory"):
            entry["field"] = entry["field"].upper()
    for balancer in found.get("loadBalancers", ()):
        advanced = balancer.get("advancedConfiguration", {})
        if balancer.get("targetGroupArn") and advanced.get("alternateTargetGroupArn"):
            first, second = balancer["targetGroupArn"], advanced["alternateTargetGroupArn"]
            balancer["targetGroupArn"], advanced["alternateTargetGroupArn"] = second, first
    if found.get("platformVersion") == "LATEST":
        found["platformVersion"] = chance.choice(["1.4.0", "LATEST"])
    for deployment in found.get("deployments", ()):
        fuller(deployment, "PRIMARY", chance)
        connect = deployment.get("serviceConnectConfiguration") or {}
        for service in connect.get("services", ()):
            name = service.setdefault("discoveryName", service["portName"])
            for alias in service.get("clientAliases", ()):
                alias.setdefault("dnsName", f"{name}.{connect.get('namespace', 'shop')}")


class Fuller:
    """Makes of an answer what such an AWS answers; the same of the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, operation: str, answer: Doc) -> Doc:
        chance = random.Random(self.seed)
        if operation == "DescribeTaskDefinition":
            of_task_definition(answer["taskDefinition"], chance)
        if operation == "DescribeServices":
            of_service(answer["services"][0], chance)
        if operation in ("ListTargetsByRule", "GetSchedule"):
            fuller(answer, operation, chance)
        return answer


SEEDS = st.integers(0, 10_000)


@every_kind
@settings(parent=few, max_examples=4)
@given(data=st.data(), seed=SEEDS)
def test_what_another_aws_fills_in_is_no_difference(name: str, whole: bool, data: st.DataObject, seed: int) -> None:
    aws, doc = seeded(name), data.draw(documents(name, whole))
    applied(aws, name, doc)
    aws.seen = Fuller(seed)
    again = planned(aws, name, doc)
    assert again.change.fields == ()
    assert again.change.action is Action.KEEP


@for_all_kinds
@settings(parent=few, max_examples=8)
@given(data=st.data(), seed=SEEDS)
def test_and_hides_no_other_value_of_what_is_declared(name: str, data: st.DataObject, seed: int) -> None:
    aws, doc = seeded(name), data.draw(documents(name, False))
    applied(aws, name, doc)
    aws.seen = Fuller(seed)
    leaf = data.draw(st.sampled_from(list(leaves(doc, REQUESTS[name].shape))))
    check(name, live(aws, declared(name, doc)), doc, [(leaf, data.draw(st.sampled_from(others(leaf))))])

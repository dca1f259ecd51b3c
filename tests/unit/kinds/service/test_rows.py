"""What UpdateService is sent and DescribeServices answers, a row each, both ways: no difference where ECS makes them
equal, and one, at the path named, where one thing that is declared is another."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from ecsplan.aws.api import members
from ecsplan.core.model import Doc
from ecsplan.core.normalize import normal
from ecsplan.kinds.service.read import READ_ONLY
from tests.unit.fakes_kinds import compare, differences, kind, paths, revision, same

KIND = kind("service")
D = "deploymentConfiguration"
ROLLING: Doc = {
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "deploymentCircuitBreaker": {
        "enable": False,
        "rollback": False,
        "resetOnHealthyTask": True,
        "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
    },
}

# id, declared, answered, declared otherwise, where that differs
Row: TypeAlias = tuple[str, Doc, Doc, Doc, str]


def how(**fields: Any) -> Doc:
    return {D: fields}


def network(**fields: Any) -> Doc:
    return {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]} | fields}}


def connect(**fields: Any) -> Doc:
    return {"serviceConnectConfiguration": {"enabled": True, "namespace": "shop", "services": [{"portName": "web"}
                                                                                               | fields]}}  # fmt: skip


def logging(**secrets: str) -> Doc:
    options = [{"name": name, "valueFrom": source} for name, source in secrets.items()]
    logs = {"logDriver": "splunk", "secretOptions": options}
    return {"serviceConnectConfiguration": {"enabled": True, "namespace": "shop", "logConfiguration": logs}}


def hook(**fields: Any) -> Doc:
    return {"hookTargetArn": "arn:f", "roleArn": "arn:r", "lifecycleStages": ["PRE_SCALE_UP"]} | fields


def ebs(**fields: Any) -> Doc:
    return {"volumeConfigurations": [{"name": "a", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 1} | fields}]}


def tagged(*names: str) -> Doc:
    return {"resourceType": "volume", "tags": [{"key": name, "value": "x"} for name in names]}


def balanced(**advanced: Any) -> Doc:
    return {"loadBalancers": [{"targetGroupArn": "a", "advancedConfiguration": advanced}]}


CIRCUIT = ROLLING["deploymentCircuitBreaker"]
CONFIGURATION_ROWS: list[Row] = [
    ("nothing declared, everything filled in", {}, {D: ROLLING}, how(maximumPercent=150), f"{D}.maximumPercent"),
    ("old answers, max and min only", {D: ROLLING}, how(maximumPercent=200, minimumHealthyPercent=100),
     how(minimumHealthyPercent=50), f"{D}.minimumHealthyPercent"),
    ("blue/green", how(strategy="BLUE_GREEN", bakeTimeInMinutes=0), {D: ROLLING | {"strategy": "BLUE_GREEN"}},
     how(strategy="LINEAR", bakeTimeInMinutes=0), f"{D}.strategy"),
    ("max and min", how(maximumPercent=200, minimumHealthyPercent=50), {D: ROLLING | {"minimumHealthyPercent": 50}},
     how(maximumPercent=200, minimumHealthyPercent=51), f"{D}.minimumHealthyPercent"),
    ("declared in part", how(maximumPercent=200), {D: ROLLING}, how(maximumPercent=200, bakeTimeInMinutes=1),
     f"{D}.bakeTimeInMinutes"),
    ("a daemon's defaults", how(maximumPercent=100, minimumHealthyPercent=0), {"schedulingStrategy": "DAEMON"},
     how(maximumPercent=200), f"{D}.maximumPercent"),
    ("a replica's defaults", how(maximumPercent=200, minimumHealthyPercent=100), {"schedulingStrategy": "REPLICA"},
     how(minimumHealthyPercent=0), f"{D}.minimumHealthyPercent"),
    ("strategy", how(strategy="ROLLING"), {D: {"maximumPercent": 200}}, how(strategy="BLUE_GREEN"), f"{D}.strategy"),
    ("breaker of old answers", how(deploymentCircuitBreaker=CIRCUIT), {D: {"maximumPercent": 200}},
     how(deploymentCircuitBreaker={"enable": True}), f"{D}.deploymentCircuitBreaker.enable"),
    ("breaker in part", how(deploymentCircuitBreaker={"enable": False}), {D: ROLLING},
     how(deploymentCircuitBreaker={"rollback": True}), f"{D}.deploymentCircuitBreaker.rollback"),
    ("breaker with its rollback", how(deploymentCircuitBreaker={"enable": True, "rollback": True}),
     {D: ROLLING | {"deploymentCircuitBreaker": CIRCUIT | {"enable": True, "rollback": True}}},
     how(deploymentCircuitBreaker={"enable": True, "rollback": False}), f"{D}.deploymentCircuitBreaker.rollback"),
    ("breaker threshold", how(deploymentCircuitBreaker={"thresholdConfiguration": {"value": 50}}), {D: ROLLING},
     how(deploymentCircuitBreaker={"thresholdConfiguration": {"value": 5}}),
     f"{D}.deploymentCircuitBreaker.thresholdConfiguration.value"),
    ("breaker reset", how(deploymentCircuitBreaker={"resetOnHealthyTask": True}), how(deploymentCircuitBreaker={}),
     how(deploymentCircuitBreaker={"resetOnHealthyTask": False}), f"{D}.deploymentCircuitBreaker.resetOnHealthyTask"),
    ("alarms that are off", how(alarms={"alarmNames": [], "enable": False, "rollback": False}), {D: ROLLING},
     how(alarms={"enable": True}), f"{D}.alarms.enable"),
    ("alarms in any order", how(alarms={"alarmNames": ["b", "a"]}),
     how(alarms={"alarmNames": ["a", "b"], "enable": True, "rollback": False}),
     how(alarms={"alarmNames": ["a"]}), f"{D}.alarms.alarmNames"),
    ("alarms, one other", how(alarms={"alarmNames": ["a"], "enable": True, "rollback": True}),
     how(alarms={"alarmNames": ["a"], "enable": True, "rollback": True}),
     how(alarms={"alarmNames": ["a"], "enable": True, "rollback": False}), f"{D}.alarms.rollback"),
    ("linear, not answered", how(linearConfiguration={"stepPercent": 10, "stepBakeTimeInMinutes": 6}), {D: ROLLING},
     how(linearConfiguration={"stepPercent": 10, "stepBakeTimeInMinutes": 7}),
     f"{D}.linearConfiguration.stepBakeTimeInMinutes"),
    ("linear, answered without the time", how(linearConfiguration={"stepPercent": 20, "stepBakeTimeInMinutes": 6}),
     how(linearConfiguration={"stepPercent": 20.0}), how(linearConfiguration={"stepPercent": 21}),
     f"{D}.linearConfiguration.stepPercent"),
    ("linear, answered without the share", how(linearConfiguration={"stepPercent": 10, "stepBakeTimeInMinutes": 7}),
     how(linearConfiguration={"stepBakeTimeInMinutes": 7}), how(linearConfiguration={"stepPercent": 21}),
     f"{D}.linearConfiguration.stepPercent"),
    ("canary, not answered", how(canaryConfiguration={"canaryPercent": 5, "canaryBakeTimeInMinutes": 10}), {D: ROLLING},
     how(canaryConfiguration={"canaryPercent": 6, "canaryBakeTimeInMinutes": 10}),
     f"{D}.canaryConfiguration.canaryPercent"),
    ("canary, answered without the time", how(canaryConfiguration={"canaryPercent": 6, "canaryBakeTimeInMinutes": 10}),
     how(canaryConfiguration={"canaryPercent": 6.0}), how(canaryConfiguration={"canaryPercent": 7}),
     f"{D}.canaryConfiguration.canaryPercent"),
    ("canary, answered without the share", how(canaryConfiguration={"canaryPercent": 5, "canaryBakeTimeInMinutes": 1}),
     how(canaryConfiguration={"canaryBakeTimeInMinutes": 1}), how(canaryConfiguration={"canaryPercent": 7}),
     f"{D}.canaryConfiguration.canaryPercent"),
    ("linear, partial", how(linearConfiguration={"stepPercent": 10}),
     how(linearConfiguration={"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}),
     how(linearConfiguration={"stepPercent": 10.5}), f"{D}.linearConfiguration.stepPercent"),
    ("linear, nothing", how(linearConfiguration={}),
     how(linearConfiguration={"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}),
     how(linearConfiguration={"stepBakeTimeInMinutes": 7}), f"{D}.linearConfiguration.stepBakeTimeInMinutes"),
    ("canary, partial", how(canaryConfiguration={"canaryPercent": 5}),
     how(canaryConfiguration={"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}),
     how(canaryConfiguration={"canaryBakeTimeInMinutes": 11}), f"{D}.canaryConfiguration.canaryBakeTimeInMinutes"),
    ("hooks filled in", how(lifecycleHooks=[hook()]),
     how(lifecycleHooks=[hook(targetType="AWS_LAMBDA",
                              timeoutConfiguration={"action": "ROLLBACK", "timeoutInMinutes": 1440})]),
     how(lifecycleHooks=[hook(targetType="PAUSE")]), f"{D}.lifecycleHooks"),
    ("hooks of the same stages, one other", how(lifecycleHooks=[hook(hookTargetArn="a"), hook(hookTargetArn="b")]),
     how(lifecycleHooks=[hook(hookTargetArn="b"), hook(hookTargetArn="a")]),
     how(lifecycleHooks=[hook(hookTargetArn="a"), hook(hookTargetArn="c")]), f"{D}.lifecycleHooks"),
    ("hook timeout, partial", how(lifecycleHooks=[hook(timeoutConfiguration={"timeoutInMinutes": 5})]),
     how(lifecycleHooks=[hook(timeoutConfiguration={"action": "ROLLBACK", "timeoutInMinutes": 5})]),
     how(lifecycleHooks=[hook(timeoutConfiguration={"timeoutInMinutes": 6})]), f"{D}.lifecycleHooks"),
    ("hook timeout, its action", how(lifecycleHooks=[hook(timeoutConfiguration={"action": "CONTINUE"})]),
     how(lifecycleHooks=[hook(timeoutConfiguration={"action": "CONTINUE", "timeoutInMinutes": 1440})]),
     how(lifecycleHooks=[hook(timeoutConfiguration={"timeoutInMinutes": 1440})]), f"{D}.lifecycleHooks"),
    ("hook stages in any order", how(lifecycleHooks=[hook(lifecycleStages=["B", "A"]), hook()]),
     how(lifecycleHooks=[hook(), hook(lifecycleStages=["A", "B"])]),
     how(lifecycleHooks=[hook(), hook(lifecycleStages=["A"])]), f"{D}.lifecycleHooks"),
    ("early success switched off", how(earlySuccessCriteria={"enable": False}), {D: ROLLING},
     how(earlySuccessCriteria={"enable": False}, bakeTimeInMinutes=1), f"{D}.bakeTimeInMinutes"),
    ("early success filled in", how(earlySuccessCriteria={"enable": True}),
     how(earlySuccessCriteria={"enable": True, "healthyPercent": 100, "sourceServiceRevisionCleanup": "BLOCKING"}),
     how(earlySuccessCriteria={"healthyPercent": 50}), f"{D}.earlySuccessCriteria.healthyPercent"),
]  # fmt: skip

SERVICE_ROWS: list[Row] = [
    ("deploymentController", {"deploymentController": {"type": "ECS"}}, {},
     {"deploymentController": {"type": "EXTERNAL"}}, "deploymentController.type"),
    ("taskDefinition", {"taskDefinition": revision("web:41")}, {}, {"taskDefinition": revision("web:42")},
     "taskDefinition"),
    ("desiredCount left alone", {}, {"desiredCount": 7}, {"desiredCount": 3}, "desiredCount"),
    ("desiredCount of 0", {"desiredCount": 0}, {"desiredCount": 0}, {"desiredCount": 1}, "desiredCount"),
    ("a strategy copied from the cluster", {}, {"capacityProviderStrategy": [{"capacityProvider": "a"}]},
     {"capacityProviderStrategy": [{"capacityProvider": "a", "weight": 1}]}, "capacityProviderStrategy.a.weight"),
    ("weight", {"capacityProviderStrategy": [{"capacityProvider": "a", "weight": 1}]},
     {"capacityProviderStrategy": [{"capacityProvider": "a", "weight": 1, "base": 0}]},
     {"capacityProviderStrategy": [{"capacityProvider": "a", "weight": 2}]}, "capacityProviderStrategy.a.weight"),
    ("capacityProviderStrategy", {"capacityProviderStrategy": [{"capacityProvider": "b", "weight": 1},
                                                               {"capacityProvider": "a"}]},
     {"capacityProviderStrategy": [{"capacityProvider": "a", "weight": 0, "base": 0},
                                   {"capacityProvider": "b", "weight": 1, "base": 0}]},
     {"capacityProviderStrategy": [{"capacityProvider": "b", "weight": 1, "base": 2}, {"capacityProvider": "a"}]},
     "capacityProviderStrategy.b.base"),
    ("assignPublicIp", network(assignPublicIp="DISABLED"), network(), network(assignPublicIp="ENABLED"),
     "networkConfiguration.awsvpcConfiguration.assignPublicIp"),
    ("security groups left alone", network(), network(securityGroups=["sg-1"]), network(securityGroups=["sg-2"]),
     "networkConfiguration.awsvpcConfiguration.securityGroups"),
    ("security groups in any order", network(securityGroups=["b", "a"]), network(securityGroups=["a", "b"]),
     network(securityGroups=["a"]), "networkConfiguration.awsvpcConfiguration.securityGroups"),
    ("subnets in any order", network(subnets=["b", "a"]), network(subnets=["a", "b"]), network(subnets=["a"]),
     "networkConfiguration.awsvpcConfiguration.subnets"),
    ("healthCheckGracePeriodSeconds", {"healthCheckGracePeriodSeconds": 0}, {}, {"healthCheckGracePeriodSeconds": 1},
     "healthCheckGracePeriodSeconds"),
    ("enableECSManagedTags", {"enableECSManagedTags": False}, {}, {"enableECSManagedTags": True},
     "enableECSManagedTags"),
    ("enableExecuteCommand", {}, {"enableExecuteCommand": False}, {"enableExecuteCommand": True},
     "enableExecuteCommand"),
    ("enableExecuteCommand not answered", {"enableExecuteCommand": False}, {}, {"enableExecuteCommand": True},
     "enableExecuteCommand"),
    ("propagateTags", {"propagateTags": "NONE"}, {}, {"propagateTags": "SERVICE"}, "propagateTags"),
    ("availabilityZoneRebalancing", {}, {"availabilityZoneRebalancing": "ENABLED"},
     {"availabilityZoneRebalancing": "DISABLED"}, "availabilityZoneRebalancing"),
    ("availabilityZoneRebalancing as sent", {"availabilityZoneRebalancing": "DISABLED"},
     {"availabilityZoneRebalancing": "DISABLED"}, {"availabilityZoneRebalancing": "ENABLED"},
     "availabilityZoneRebalancing"),
    ("availabilityZoneRebalancing never set", {"availabilityZoneRebalancing": "DISABLED"}, {},
     {"availabilityZoneRebalancing": "ENABLED"}, "availabilityZoneRebalancing"),
    ("platformVersion not declared", {}, {"platformVersion": "LATEST"}, {"platformVersion": "1.4.0"},
     "platformVersion"),
    ("platformVersion as sent", {"platformVersion": "1.4.0"}, {"platformVersion": "1.4.0"},
     {"platformVersion": "1.3.0"}, "platformVersion"),
    ("platformVersion LATEST, resolved", {"platformVersion": "LATEST"}, {"platformVersion": "1.4.0"},
     {"platformVersion": "1.3.0"}, "platformVersion"),
    ("platformVersion LATEST, as answered", {"platformVersion": "LATEST"}, {"platformVersion": "LATEST"},
     {"platformVersion": "1.4.0"}, "platformVersion"),
    ("platformVersion LATEST, not answered", {"platformVersion": "LATEST"}, {}, {"platformVersion": "1.4.0"},
     "platformVersion"),
    ("loadBalancers in any order", {"loadBalancers": [{"targetGroupArn": "b"}, {"targetGroupArn": "a"}]},
     {"loadBalancers": [{"targetGroupArn": "a"}, {"targetGroupArn": "b"}]},
     {"loadBalancers": [{"targetGroupArn": "b"}]}, "loadBalancers.a"),
    ("loadBalancers omitted", {"loadBalancers": []}, {}, {"loadBalancers": [{"targetGroupArn": "a"}]},
     "loadBalancers.a"),
    ("loadBalancers, the role of one", balanced(roleArn="r"), balanced(roleArn="r"), balanced(roleArn="s"),
     "loadBalancers.a.advancedConfiguration.roleArn"),
    ("serviceRegistries, the port of one", {"serviceRegistries": [{"registryArn": "a", "port": 80}]},
     {"serviceRegistries": [{"registryArn": "a", "port": 80}]},
     {"serviceRegistries": [{"registryArn": "a", "port": 81}]}, "serviceRegistries"),
    ("serviceRegistries", {"serviceRegistries": [{"registryArn": "b"}, {"registryArn": "a"}]},
     {"serviceRegistries": [{"registryArn": "a"}, {"registryArn": "b"}]}, {"serviceRegistries": []},
     "serviceRegistries"),
    ("placementConstraints", {"placementConstraints": [{"type": "memberOf", "expression": "a"},
                                                       {"type": "distinctInstance"}]},
     {"placementConstraints": [{"type": "distinctInstance"}, {"type": "memberOf", "expression": "a"}]},
     {"placementConstraints": [{"type": "distinctInstance"}]}, "placementConstraints"),
    ("placementConstraints, one other", {"placementConstraints": [{"type": "memberOf", "expression": "a"}]},
     {"placementConstraints": [{"type": "memberOf", "expression": "a"}]},
     {"placementConstraints": [{"type": "memberOf", "expression": "b"}]}, "placementConstraints"),
    ("placementConstraints, without an expression", {"placementConstraints": [{"type": "distinctInstance"}]},
     {"placementConstraints": [{"type": "distinctInstance", "expression": ""}]},
     {"placementConstraints": [{"type": "memberOf", "expression": "b"}]}, "placementConstraints"),
    ("placementStrategy host", {"placementStrategy": [{"type": "spread", "field": "host"}]},
     {"placementStrategy": [{"type": "spread", "field": "instanceId"}]},
     {"placementStrategy": [{"type": "binpack", "field": "host"}]}, "placementStrategy"),
    ("placementStrategy by case", {"placementStrategy": [{"type": "binpack", "field": "cpu"}]},
     {"placementStrategy": [{"type": "binpack", "field": "CPU"}]},
     {"placementStrategy": [{"type": "binpack", "field": "memory"}]}, "placementStrategy"),
    ("placementStrategy random", {"placementStrategy": [{"type": "random", "field": ""}]},
     {"placementStrategy": [{"type": "random"}]}, {"placementStrategy": [{"type": "spread"}]}, "placementStrategy"),
    ("placementStrategy in order", {"placementStrategy": [{"type": "random"}, {"type": "spread"}]},
     {"placementStrategy": [{"type": "random"}, {"type": "spread"}]},
     {"placementStrategy": [{"type": "spread"}, {"type": "random"}]}, "placementStrategy"),
    ("service connect switched off", {"serviceConnectConfiguration": {"enabled": False}}, {},
     {"serviceConnectConfiguration": {"enabled": True}}, "serviceConnectConfiguration.enabled"),
    ("service connect left alone", {}, connect(), {"serviceConnectConfiguration": {"namespace": "wiki"}},
     "serviceConnectConfiguration.namespace"),
    ("service connect timeout is not filled in", connect(), connect(),
     connect(timeout={"idleTimeoutSeconds": 300}),
     "serviceConnectConfiguration.services.web.timeout.idleTimeoutSeconds"),
    ("service connect, log secrets in any order", logging(b="2", a="1"), logging(a="1", b="2"), logging(a="1", b="3"),
     "serviceConnectConfiguration.logConfiguration.secretOptions.b"),
    ("discoveryName", connect(), connect(discoveryName="web"), connect(discoveryName="x"),
     "serviceConnectConfiguration.services.web.discoveryName"),
    ("dnsName", connect(clientAliases=[{"port": 80}]), connect(clientAliases=[{"port": 80, "dnsName": "web.shop"}]),
     connect(clientAliases=[{"port": 80, "dnsName": "web"}]), "serviceConnectConfiguration.services.web.clientAliases"),
    ("volume filesystemType", ebs(), ebs(filesystemType="xfs"), ebs(filesystemType="ext4"),
     "volumeConfigurations.a.managedEBSVolume.filesystemType"),
    ("volume encrypted, iops", ebs(), ebs(encrypted=True, iops=3000), ebs(iops=4000),
     "volumeConfigurations.a.managedEBSVolume.iops"),
    ("volume encrypted", ebs(encrypted=True), ebs(encrypted=True, iops=3000), ebs(encrypted=False),
     "volumeConfigurations.a.managedEBSVolume.encrypted"),
    ("volume size", ebs(), ebs(filesystemType="xfs"), ebs(sizeInGiB=2),
     "volumeConfigurations.a.managedEBSVolume.sizeInGiB"),
    ("volume tags", ebs(tagSpecifications=[{"resourceType": "volume"}]),
     ebs(tagSpecifications=[{"resourceType": "volume", "propagateTags": "NONE"}]),
     ebs(tagSpecifications=[{"resourceType": "volume", "propagateTags": "SERVICE"}]),
     "volumeConfigurations.a.managedEBSVolume.tagSpecifications"),
    ("volume tags in any order", ebs(tagSpecifications=[tagged("b", "a")]), ebs(tagSpecifications=[tagged("a", "b")]),
     ebs(tagSpecifications=[tagged("a")]), "volumeConfigurations.a.managedEBSVolume.tagSpecifications"),
    ("volume type and speed, chosen by AWS", ebs(), ebs(volumeType="gp3", throughput=125), ebs(throughput=250),
     "volumeConfigurations.a.managedEBSVolume.throughput"),
    ("volume key, chosen by AWS", ebs(encrypted=True), ebs(encrypted=True, kmsKeyId="k"), ebs(kmsKeyId="l"),
     "volumeConfigurations.a.managedEBSVolume.kmsKeyId"),
    ("volumes by name", {"volumeConfigurations": [{"name": "b"}, {"name": "a"}]},
     {"volumeConfigurations": [{"name": "a"}, {"name": "b"}]}, {"volumeConfigurations": [{"name": "b"}]},
     "volumeConfigurations.a"),
    ("vpcLattice", {"vpcLatticeConfigurations": [{"portName": "b", "targetGroupArn": "x", "roleArn": "r"},
                                                 {"portName": "a", "targetGroupArn": "x", "roleArn": "r"}]},
     {"vpcLatticeConfigurations": [{"portName": "a", "targetGroupArn": "x", "roleArn": "r"},
                                   {"portName": "b", "targetGroupArn": "x", "roleArn": "r"}]},
     {"vpcLatticeConfigurations": [{"portName": "b", "targetGroupArn": "x", "roleArn": "r"},
                                   {"portName": "a", "targetGroupArn": "x", "roleArn": "q"}]},
     "vpcLatticeConfigurations.a/x.roleArn"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "answered", "other", "path"), [pytest.param(*row[1:], id=row[0]) for row in
                                                                     CONFIGURATION_ROWS + SERVICE_ROWS])  # fmt: skip
def test_services(declared: Doc, answered: Doc, other: Doc, path: str) -> None:
    names = {"cluster": "prod", "service": "web"}
    live = names | {"taskDefinition": revision("web:41"), "launchType": "FARGATE"} | answered
    assert same(KIND, live, names | declared)
    assert paths(KIND, live, names | declared) == []
    assert not same(KIND, live, names | other)
    assert paths(KIND, live, names | other) == [path]


def test_a_daemons_count_is_that_of_its_instances() -> None:
    live = {"service": "web", "schedulingStrategy": "DAEMON", "desiredCount": 0}
    assert same(KIND, live, {"service": "web", "desiredCount": 1})
    assert not same(KIND, live, {"service": "web", "enableExecuteCommand": True})


def test_a_service_is_a_replica_unless_it_says_so() -> None:
    """No update can change it, but what was read and what is read again is compared too."""
    answered = [normal({"service": "web", **more}, KIND.document.rules) for more in
                ({}, {"schedulingStrategy": "REPLICA"}, {"schedulingStrategy": "DAEMON"})]  # fmt: skip
    assert answered[0] == answered[1] != answered[2]


def test_what_no_longer_fits_a_volume_is_not_kept() -> None:
    live = {"service": "web"} | ebs(volumeType="gp3", iops=3000, throughput=125, encrypted=True, kmsKeyId="k")
    wanted = compare(KIND).merge(live, ebs(volumeType="io2"))
    assert wanted["volumeConfigurations"] == ebs(volumeType="io2", encrypted=True, kmsKeyId="k")["volumeConfigurations"]
    wanted = compare(KIND).merge(live, ebs(encrypted=False))
    assert "kmsKeyId" not in wanted["volumeConfigurations"][0]["managedEBSVolume"]


def test_early_success_that_is_off_has_no_other_settings() -> None:
    off = {"enable": False, "healthyPercent": 100, "sourceServiceRevisionCleanup": "BLOCKING"}
    assert normal({"service": "web"}, KIND.document.rules) == normal(
        {D: {"earlySuccessCriteria": off}}, KIND.document.rules
    )
    on = how(earlySuccessCriteria={"enable": True})
    assert paths(KIND, {"service": "web", D: ROLLING}, on) == [f"{D}.earlySuccessCriteria.{field}" for field in off]


@pytest.mark.parametrize(
    ("mine", "other", "equal"), [("a", "b", True), ("b", "a", True), ("a", "c", False), ("c", "b", False)]
)
def test_the_target_groups_of_blue_and_green_are_a_pair(mine: str, other: str, equal: bool) -> None:
    def balancer(first: str, second: str) -> Doc:
        advanced = {"alternateTargetGroupArn": second, "roleArn": "r"}
        return {"service": "web", "loadBalancers": [{"targetGroupArn": first, "advancedConfiguration": advanced}]}

    assert same(KIND, balancer("a", "b"), balancer(mine, other)) is equal
    assert bool(paths(KIND, balancer("a", "b"), balancer(mine, other))) is not equal


def test_a_load_balancer_that_comes_and_one_that_goes_are_seen() -> None:
    web = {"targetGroupArn": "tg", "containerName": "web", "containerPort": 80}
    live: Doc = {"service": "web", "loadBalancers": [web]}
    found = differences(KIND, live, {"service": "web", "loadBalancers": [web | {"containerPort": 81}]})
    assert [it.path for it in found] == ["loadBalancers.tg/web/80", "loadBalancers.tg/web/81"]
    assert (found[0].after, found[1].before) == (None, None)
    assert found[0].before is not None
    assert found[1].after is not None


def test_service_connect_that_is_switched_off_is_seen() -> None:
    live = {"service": "web"} | connect()
    off: Doc = {"service": "web", "serviceConnectConfiguration": {"enabled": False}}
    assert "serviceConnectConfiguration.enabled" in paths(KIND, live, off)


@pytest.mark.parametrize("member", ["monitoring", "gatewayConnectors", "forceNewDeployment"])
def test_what_is_never_answered_is_no_difference_alone(member: str) -> None:
    live: Doc = {"service": "web", "desiredCount": 1}
    assert same(KIND, live, {"service": "web", member: {"any": "thing"}})
    assert paths(KIND, live, {"service": "web", member: {"any": "thing"}, "desiredCount": 2}) == ["desiredCount"]


def test_names_and_actions_are_no_state() -> None:
    live: Doc = {"service": "web", "cluster": "prod"}
    assert same(KIND, live, {"service": "web", "cluster": "arn:aws:ecs:x:1:cluster/prod", "forceNewDeployment": True})


def test_what_no_row_knows_is_no_difference_where_it_is_not_declared() -> None:
    assert same(KIND, {"service": "web", "addedLater": {"a": 1}}, {"service": "web"})
    assert not same(KIND, {"service": "web", "addedLater": {"a": 1}}, {"service": "web", "addedLater": {"a": 2}})


def test_what_a_description_has_and_no_update_takes_is_never_compared() -> None:
    from botocore.session import Session

    service: Any = Session().get_service_model("ecs").shape_for("Service")
    immutable = {"schedulingStrategy", "launchType", "deploymentController"}
    assert service.members.keys() - members("ecs", "update_service") - immutable <= READ_ONLY
    assert not READ_ONLY & members("ecs", "update_service")

"""What RegisterTaskDefinition is sent and DescribeTaskDefinition answers, a row each, both ways: equal where ECS makes
them equal, and different, at the path named, where one thing that is declared is another."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from ecsplan.core.model import Doc
from tests.unit.fakes_kinds import kind, paths, same

KIND = kind("task_definition")
FARGATE: Doc = {"requiresCompatibilities": ["FARGATE"]}

# id, sent, answered, sent otherwise, where that differs
Row: TypeAlias = tuple[str, Doc, Doc, Doc, str]


def task(fields: Doc) -> Doc:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": "web:1"}]} | fields


TASK_ROWS: list[Row] = [
    ("cpu as a number", {"cpu": 256}, {"cpu": "256"}, {"cpu": 512}, "cpu"),
    ("cpu in vCPU", {"cpu": "1 vCPU"}, {"cpu": "1024"}, {"cpu": "2 vCPU"}, "cpu"),
    ("cpu in a part of a vCPU", {"cpu": ".5 vcpu"}, {"cpu": "512"}, {"cpu": ".25 vcpu"}, "cpu"),
    ("cpu without a space", {"cpu": "0.25vCPU"}, {"cpu": "256"}, {"cpu": "0.5vCPU"}, "cpu"),
    ("cpu omitted", {}, {}, {"cpu": "256"}, "cpu"),
    ("memory as a number", {"memory": 512}, {"memory": "512"}, {"memory": 1024}, "memory"),
    ("memory in GB", {"memory": "0.5GB"}, {"memory": "512"}, {"memory": "1 GB"}, "memory"),
    ("memory in GB, a space", {"memory": "4 GB"}, {"memory": "4096"}, {"memory": "3 GB"}, "memory"),
    ("networkMode omitted", {}, {"networkMode": "bridge"}, {"networkMode": "host"}, "networkMode"),
    ("networkMode as sent", {"networkMode": "awsvpc"}, {"networkMode": "awsvpc"}, {"networkMode": "host"},
     "networkMode"),
    ("networkMode bridge", {"networkMode": "bridge"}, {}, {"networkMode": "none"}, "networkMode"),
    ("memory omitted", {}, {}, {"memory": "512"}, "memory"),
    ("requiresCompatibilities omitted", {}, {}, {"requiresCompatibilities": ["EC2"]}, "requiresCompatibilities"),
    ("taskRoleArn omitted", {}, {}, {"taskRoleArn": "web"}, "taskRoleArn"),
    ("compatibilities sorted", {"requiresCompatibilities": ["FARGATE", "EC2"]},
     {"requiresCompatibilities": ["EC2", "FARGATE"]}, FARGATE, "requiresCompatibilities"),
    ("taskRoleArn by name", {"taskRoleArn": "web"}, {"taskRoleArn": "arn:aws:iam::1:role/web"},
     {"taskRoleArn": "worker"}, "taskRoleArn"),
    ("executionRoleArn with a path", {"executionRoleArn": "arn:aws:iam::1:role/app/web"}, {"executionRoleArn": "web"},
     {"executionRoleArn": "arn:aws:iam::1:role/app/x"}, "executionRoleArn"),
    ("executionRoleArn by name, behind its path", {"executionRoleArn": "app/web"},
     {"executionRoleArn": "arn:aws:iam::1:role/app/web"}, {"executionRoleArn": "app/x"}, "executionRoleArn"),
    ("volumes omitted", {}, {"volumes": [], "placementConstraints": []}, {"volumes": [{"name": "a"}]},
     "volumes.a.configuredAtLaunch"),
    ("volume host", {"volumes": [{"name": "a"}]}, {"volumes": [{"name": "a", "host": {}}]},
     {"volumes": [{"name": "a", "host": {"sourcePath": "/x"}}]}, "volumes.a.host.sourcePath"),
    ("volumes by name", {"volumes": [{"name": "b"}, {"name": "a", "host": {"sourcePath": "/x"}}]},
     {"volumes": [{"name": "a", "host": {"sourcePath": "/x"}}, {"name": "b"}]},
     {"volumes": [{"name": "b"}, {"name": "a", "host": {"sourcePath": "/y"}}]}, "volumes.a.host.sourcePath"),
    ("configuredAtLaunch", {"volumes": [{"name": "a"}]}, {"volumes": [{"name": "a", "configuredAtLaunch": False}]},
     {"volumes": [{"name": "a", "configuredAtLaunch": True}]}, "volumes.a.configuredAtLaunch"),
    ("placementConstraints", {"placementConstraints": [{"type": "memberOf", "expression": "b"},
                                                       {"type": "memberOf", "expression": "a"}]},
     {"placementConstraints": [{"type": "memberOf", "expression": "a"}, {"type": "memberOf", "expression": "b"}]},
     {"placementConstraints": [{"type": "memberOf", "expression": "a"}]}, "placementConstraints"),
    ("placementConstraints, one other", {"placementConstraints": [{"type": "memberOf", "expression": "a"}]},
     {"placementConstraints": [{"type": "memberOf", "expression": "a"}]},
     {"placementConstraints": [{"type": "memberOf", "expression": "b"}]}, "placementConstraints"),
    ("runtimePlatform verbatim", {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
     {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
     {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2019_CORE"}},
     "runtimePlatform.operatingSystemFamily"),
    ("runtimePlatform is not filled in elsewhere", {"requiresCompatibilities": ["EC2"]},
     {"requiresCompatibilities": ["EC2"]},
     {"requiresCompatibilities": ["EC2"], "runtimePlatform": {"cpuArchitecture": "X86_64"}},
     "runtimePlatform.cpuArchitecture"),
    ("ephemeralStorage omitted", FARGATE, FARGATE, FARGATE | {"ephemeralStorage": {"sizeInGiB": 21}},
     "ephemeralStorage.sizeInGiB"),
    ("pidMode omitted", {}, {}, {"pidMode": "task"}, "pidMode"),
    ("runtimePlatform on Fargate", FARGATE,
     FARGATE | {"runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}},
     FARGATE | {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
     "runtimePlatform.cpuArchitecture"),
    ("runtimePlatform elsewhere", {}, {}, {"runtimePlatform": {"cpuArchitecture": "ARM64"}},
     "runtimePlatform.cpuArchitecture"),
    ("ephemeralStorage", {"ephemeralStorage": {"sizeInGiB": 21}}, {"ephemeralStorage": {"sizeInGiB": 21}},
     {"ephemeralStorage": {"sizeInGiB": 22}}, "ephemeralStorage.sizeInGiB"),
    ("pidMode and ipcMode", {"pidMode": "host"}, {"pidMode": "host", "ipcMode": None},
     {"pidMode": "host", "ipcMode": "task"}, "ipcMode"),
    ("proxyConfiguration", {"proxyConfiguration": {"containerName": "e", "properties": [{"name": "B", "value": "1"},
                                                                                      {"name": "A", "value": "2"}]}},
     {"proxyConfiguration": {"type": "APPMESH", "containerName": "e", "properties": [{"name": "A", "value": "2"},
                                                                                   {"name": "B", "value": "1"}]}},
     {"proxyConfiguration": {"containerName": "e", "properties": [{"name": "A", "value": "2"},
                                                                  {"name": "B", "value": "9"}]}},
     "proxyConfiguration.properties.B"),
    ("enableFaultInjection", {}, {"enableFaultInjection": False}, {"enableFaultInjection": True},
     "enableFaultInjection"),
    ("inferenceAccelerators", {"inferenceAccelerators": [{"deviceName": "b", "deviceType": "x"},
                                                         {"deviceName": "a", "deviceType": "x"}]},
     {"inferenceAccelerators": [{"deviceName": "a", "deviceType": "x"}, {"deviceName": "b", "deviceType": "x"}]},
     {"inferenceAccelerators": [{"deviceName": "b", "deviceType": "x"}, {"deviceName": "a", "deviceType": "y"}]},
     "inferenceAccelerators.a.deviceType"),
    ("tags by key", {"tags": [{"key": "b", "value": "1"}, {"key": "a", "value": "2"}]},
     {"tags": [{"key": "a", "value": "2"}, {"key": "b", "value": "1"}, {"key": "aws:x", "value": "3"}]},
     {"tags": [{"key": "b", "value": "1"}, {"key": "a", "value": "9"}]}, "tags.a"),
]  # fmt: skip


def efs(**fields: Any) -> Doc:
    return {"volumes": [{"name": "a", "efsVolumeConfiguration": {"fileSystemId": "fs-1"} | fields}]}


def fsx(**fields: Any) -> Doc:
    sent = {"fileSystemId": "fs-1", "rootDirectory": "share",
            "authorizationConfig": {"credentialsParameter": "arn:s", "domain": "d"}}  # fmt: skip
    return {"volumes": [{"name": "a", "fsxWindowsFileServerVolumeConfiguration": sent | fields}]}


def docker(**fields: Any) -> Doc:
    return {"volumes": [{"name": "a", "dockerVolumeConfiguration": {"labels": {"x": "y"}} | fields}]}


EFS, DOCKER = "volumes.a.efsVolumeConfiguration", "volumes.a.dockerVolumeConfiguration"
VOLUME_ROWS: list[Row] = [
    ("efs, another file system", efs(), efs(rootDirectory="/"), efs(fileSystemId="fs-2"), f"{EFS}.fileSystemId"),
    ("fsx verbatim", fsx(), fsx(), fsx(rootDirectory="share\\x"),
     "volumes.a.fsxWindowsFileServerVolumeConfiguration.rootDirectory"),
    ("fsx, another domain", fsx(), fsx(), fsx(authorizationConfig={"credentialsParameter": "arn:s", "domain": "e"}),
     "volumes.a.fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain"),
    ("docker, nothing declared", {"volumes": [{"name": "a", "dockerVolumeConfiguration": {}}]},
     {"volumes": [{"name": "a", "dockerVolumeConfiguration": {"scope": "task", "driver": "local"}}]},
     {"volumes": [{"name": "a", "dockerVolumeConfiguration": {"scope": "task", "driver": "nfs"}}]},
     f"{DOCKER}.driver"),
    ("docker driverOpts verbatim", docker(driverOpts={"type": "nfs"}), docker(driverOpts={"type": "nfs"}),
     docker(driverOpts={"type": "NFS"}), f"{DOCKER}.driverOpts.type"),
    ("efs rootDirectory", efs(), efs(rootDirectory="/"), efs(rootDirectory="/x"), f"{EFS}.rootDirectory"),
    ("efs transitEncryption", efs(), efs(transitEncryption="DISABLED"), efs(transitEncryption="ENABLED"),
     f"{EFS}.transitEncryption"),
    ("efs transitEncryptionPort", efs(), efs(transitEncryptionPort=0), efs(transitEncryptionPort=2049),
     f"{EFS}.transitEncryptionPort"),
    ("efs iam", efs(), efs(authorizationConfig={"iam": "DISABLED"}), efs(authorizationConfig={"iam": "ENABLED"}),
     f"{EFS}.authorizationConfig.iam"),
    ("efs iam beside an access point", efs(authorizationConfig={"accessPointId": "p"}),
     efs(authorizationConfig={"accessPointId": "p", "iam": "DISABLED"}),
     efs(authorizationConfig={"accessPointId": "q"}), f"{EFS}.authorizationConfig.accessPointId"),
    ("s3files rootDirectory", {"volumes": [{"name": "a", "s3filesVolumeConfiguration": {"fileSystemArn": "b"}}]},
     {"volumes": [{"name": "a", "s3filesVolumeConfiguration": {"fileSystemArn": "b", "rootDirectory": "/"}}]},
     {"volumes": [{"name": "a", "s3filesVolumeConfiguration": {"fileSystemArn": "b", "rootDirectory": "/x"}}]},
     "volumes.a.s3filesVolumeConfiguration.rootDirectory"),
    ("docker autoprovision", docker(), docker(autoprovision=False), docker(autoprovision=True),
     f"{DOCKER}.autoprovision"),
    ("docker scope", docker(), docker(scope="task"), docker(scope="shared"), f"{DOCKER}.scope"),
    ("docker driver", docker(), docker(driver="local"), docker(driver="rexray"), f"{DOCKER}.driver"),
    ("docker driverOpts", docker(), docker(driverOpts={}), docker(driverOpts={"a": ""}), f"{DOCKER}.driverOpts.a"),
    ("docker labels verbatim", docker(labels={"A": "x"}), docker(labels={"A": "x"}), docker(labels={"A": "X"}),
     f"{DOCKER}.labels.A"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "answered", "other", "path"), [pytest.param(*row[1:], id=row[0]) for row in
                                                                 TASK_ROWS + VOLUME_ROWS])  # fmt: skip
def test_tasks(sent: Doc, answered: Doc, other: Doc, path: str) -> None:
    assert same(KIND, task(answered), task(sent))
    assert paths(KIND, task(answered), task(sent)) == []
    assert not same(KIND, task(answered), task(other))
    assert paths(KIND, task(answered), task(other)) == [path]


def test_a_task_definition_is_replaced_whole_and_its_tags_are_not() -> None:
    live = task({"cpu": "256", "tags": [{"key": "team", "value": "x"}]})
    assert paths(KIND, live, task({})) == ["cpu"]
    assert paths(KIND, live, task({"cpu": 256})) == []
    assert paths(KIND, live, task({"cpu": 256, "tags": [{"key": "a", "value": "x"}]})) == ["tags.a", "tags.team"]
    assert same(KIND, live, {})


def test_a_role_of_another_name_differs_whatever_its_path() -> None:
    live = task({"taskRoleArn": "arn:aws:iam::1:role/service/web"})
    assert same(KIND, live, task({"taskRoleArn": "web"}))
    assert not same(KIND, live, task({"taskRoleArn": "service"}))


def test_a_volume_of_another_type() -> None:
    assert paths(KIND, task(efs()), task({"volumes": [{"name": "a"}]})) == [
        f"{EFS}.fileSystemId",
        f"{EFS}.rootDirectory",
        f"{EFS}.transitEncryption",
    ]

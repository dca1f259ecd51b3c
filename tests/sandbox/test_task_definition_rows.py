"""Section 1 of the table, row by row: what RegisterTaskDefinition is sent, what DescribeTaskDefinition answers."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.sandbox.helpers import FARGATE, Doc, container, described, task_definition

ABSENT: Final = object()
EFS: Final = {"fileSystemId": "fs-1"}
FSX: Final = {
    "fileSystemId": "fs-1",
    "rootDirectory": "share",
    "authorizationConfig": {"credentialsParameter": "arn:s", "domain": "d"},
}
SHARED: Final = {"scope": "shared", "autoprovision": True, "driver": "rexray", "driverOpts": {"Size": ""}}
PARAMETERS: Final = [{"name": n, "valueFrom": "p"} for n in "ba"]
TMPFS: Final = {"containerPath": "/t", "size": 1, "mountOptions": ["rw", "defaults"]}

#: field · sent at the top level · what the answer then has (ABSENT: no such key)
TOP_ROWS: Final[list[tuple[str, Doc, Doc]]] = [
    ("cpu omitted", {}, {"cpu": ABSENT, "memory": ABSENT}),
    ("cpu plain", {"cpu": "256", "memory": "512"}, {"cpu": "256", "memory": "512"}),
    ("cpu 1 vCPU", {"cpu": "1 vCPU", "memory": "2 GB"}, {"cpu": "1024", "memory": "2048"}),
    ("cpu 1 vcpu", {"cpu": "1 vcpu", "memory": "1GB"}, {"cpu": "1024", "memory": "1024"}),
    ("cpu .5 vcpu", {"cpu": ".5 vcpu", "memory": "0.5GB"}, {"cpu": "512", "memory": "512"}),
    ("cpu 0.25 vCPU", {"cpu": "0.25 vCPU", "memory": "4GB"}, {"cpu": "256", "memory": "4096"}),
    ("cpu 0.5vcpu", {"cpu": "0.5vcpu", "memory": "1 GB"}, {"cpu": "512", "memory": "1024"}),
    ("cpu 4 vcpu", {"cpu": "4 vcpu", "memory": "30 gb"}, {"cpu": "4096", "memory": "30720"}),
    ("networkMode omitted", {}, {"networkMode": ABSENT}),
    ("networkMode host", {"networkMode": "host"}, {"networkMode": "host"}),
    ("networkMode none", {"networkMode": "none"}, {"networkMode": "none"}),
    ("compatibility omitted", {}, {"requiresCompatibilities": ABSENT, "compatibilities": ["EXTERNAL", "EC2"]}),
    (
        "requiresCompatibilities sorted",
        FARGATE | {"requiresCompatibilities": ["FARGATE", "EC2"]},
        {"requiresCompatibilities": ["EC2", "FARGATE"], "compatibilities": ["EC2", "FARGATE"]},
    ),
    ("compatibilities of awsvpc without sizes", {"networkMode": "awsvpc"}, {"compatibilities": ["EC2"]}),
    ("roles", {"taskRoleArn": "r", "executionRoleArn": "e"}, {"taskRoleArn": "r", "executionRoleArn": "e"}),
    ("volumes omitted", {}, {"volumes": []}),
    ("volumes name only", {"volumes": [{"name": "v"}]}, {"volumes": [{"name": "v", "host": {}}]}),
    (
        "volumes kept in order",
        {"volumes": [{"name": n, "host": {"sourcePath": "/p"}} for n in "zam"]},
        {"volumes": [{"name": n, "host": {"sourcePath": "/p"}} for n in "zam"]},
    ),
    (
        "efs rootDirectory",
        {"volumes": [{"name": "v", "efsVolumeConfiguration": EFS}]},
        {"volumes": [{"name": "v", "efsVolumeConfiguration": EFS | {"rootDirectory": "/"}}]},
    ),
    (
        "efs with an access point",
        {"volumes": [{"name": "v", "efsVolumeConfiguration": EFS | {"authorizationConfig": {"accessPointId": "a"}}}]},
        {"volumes": [{"name": "v", "efsVolumeConfiguration": EFS | {"authorizationConfig": {"accessPointId": "a"}}}]},
    ),
    (
        "efs and nothing else filled in",
        {"volumes": [{"name": "v", "efsVolumeConfiguration": EFS | {"authorizationConfig": {}}}]},
        {"volumes": [{"name": "v", "efsVolumeConfiguration": EFS | {"authorizationConfig": {}, "rootDirectory": "/"}}]},
    ),
    (
        "fsx verbatim",
        {"volumes": [{"name": "v", "fsxWindowsFileServerVolumeConfiguration": FSX}]},
        {"volumes": [{"name": "v", "fsxWindowsFileServerVolumeConfiguration": FSX}]},
    ),
    (
        "docker volume driver as sent",
        {"volumes": [{"name": "v", "dockerVolumeConfiguration": SHARED}]},
        {"volumes": [{"name": "v", "dockerVolumeConfiguration": SHARED}]},
    ),
    (
        "docker volume scope",
        {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"labels": {"L": ""}}}]},
        {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task", "labels": {"L": ""}}}]},
    ),
    ("a block of empty ones is none", {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"labels": {}}}]},
     {"volumes": [{"name": "v", "host": {}}]}),
    ("an empty block is none", {"volumes": [{"name": "v", "dockerVolumeConfiguration": {}}]},
     {"volumes": [{"name": "v", "host": {}}]}),
    ("what no row knows", {"trustedExecutionConfiguration": {"isolationMode": "SHARED"}},
     {"trustedExecutionConfiguration": {"isolationMode": "SHARED"}}),
    ("volume configured at launch", {"volumes": [{"name": "v", "configuredAtLaunch": True}]},
     {"volumes": [{"name": "v", "configuredAtLaunch": True}]}),
    ("placementConstraints omitted", {}, {"placementConstraints": []}),
    (
        "placementConstraints kept in order",
        {"placementConstraints": [{"type": "memberOf", "expression": e} for e in ("b", "a")]},
        {"placementConstraints": [{"type": "memberOf", "expression": e} for e in ("b", "a")]},
    ),
    ("runtimePlatform omitted on Fargate", FARGATE, {"runtimePlatform": ABSENT, "ephemeralStorage": ABSENT}),
    (
        "runtimePlatform",
        {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
        {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
    ),
    ("ephemeralStorage", {"ephemeralStorage": {"sizeInGiB": 30}}, {"ephemeralStorage": {"sizeInGiB": 30}}),
    ("pidMode, ipcMode omitted", {}, {"pidMode": ABSENT, "ipcMode": ABSENT}),
    ("proxyConfiguration verbatim", {"proxyConfiguration": {"containerName": "app"}},
     {"proxyConfiguration": {"containerName": "app"}}),
    ("pidMode, ipcMode as sent", {"pidMode": "host", "ipcMode": "none"}, {"pidMode": "host", "ipcMode": "none"}),
    (
        "proxyConfiguration's properties in order",
        {"proxyConfiguration": {"containerName": "app", "properties": [{"name": n, "value": "1"} for n in "ba"]}},
        {"proxyConfiguration": {"containerName": "app", "properties": [{"name": n, "value": "1"} for n in "ba"]}},
    ),
    (
        "inferenceAccelerators in order",
        {"inferenceAccelerators": [{"deviceName": n, "deviceType": "t"} for n in "ba"]},
        {"inferenceAccelerators": [{"deviceName": n, "deviceType": "t"} for n in "ba"]},
    ),
    ("enableFaultInjection omitted", {}, {"enableFaultInjection": ABSENT}),
    ("tags are no member", {"tags": [{"key": "a", "value": "b"}]}, {"tags": ABSENT}),
]  # fmt: skip

#: field · members sent with the container (and "networkMode") · what the described container then has
CONTAINER_ROWS: Final[list[tuple[str, Doc, Doc]]] = [
    (
        "always printed",
        {},
        {"cpu": 0, "essential": True, "environment": [], "portMappings": [], "mountPoints": [], "volumesFrom": [],
         "systemControls": []},
    ),
    (
        "printed only if sent",
        {},
        dict.fromkeys(
            ("memoryReservation", "secrets", "links", "command", "entryPoint", "healthCheck", "user", "hostname",
             "workingDirectory", "linuxParameters", "dockerLabels", "startTimeout", "stopTimeout", "versionConsistency",
             "restartPolicy", "logConfiguration", "privileged", "dependsOn", "environmentFiles"), ABSENT),
    ),
    ("image with tag", {"image": "r:5000/a/b:42"}, {"image": "r:5000/a/b:42"}),
    ("memoryReservation", {"memoryReservation": 32}, {"memory": 64, "memoryReservation": 32}),
    (
        "environment in hash order",
        {"environment": [{"name": n, "value": "v"} for n in ("ZEBRA", "ALPHA", "MIKE", "BRAVO", "YANKEE", "CHARLIE")]},
        {"environment": [{"name": n, "value": "v"} for n in ("BRAVO", "ALPHA", "ZEBRA", "YANKEE", "MIKE", "CHARLIE")]},
    ),
    ("environment without value", {"environment": [{"name": "A"}, {"name": "B", "value": ""}, {}]},
     {"environment": [{"name": "B", "value": ""}]}),
    ("environment twice", {"environment": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
     {"environment": [{"name": "A", "value": "2"}]}),
    (
        "environmentFiles in order",
        {"environmentFiles": [{"value": v, "type": "s3"} for v in ("arn:aws:s3:::z/1.env", "arn:aws:s3:::a/2.env")]},
        {"environmentFiles": [{"value": v, "type": "s3"} for v in ("arn:aws:s3:::z/1.env", "arn:aws:s3:::a/2.env")]},
    ),
    ("protocol", {"portMappings": [{"containerPort": 80}]},
     {"portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]}),
    ("protocol udp", {"portMappings": [{"containerPort": 53, "protocol": "udp"}]},
     {"portMappings": [{"containerPort": 53, "hostPort": 0, "protocol": "udp"}]}),
    ("hostPort in awsvpc", {"networkMode": "awsvpc", "portMappings": [{"containerPort": 80}]},
     {"portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]}),
    ("hostPort 0 in awsvpc", {"networkMode": "awsvpc", "portMappings": [{"containerPort": 80, "hostPort": 0}]},
     {"portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]}),
    ("hostPort in host", {"networkMode": "host", "portMappings": [{"containerPort": 80}]},
     {"portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]}),
    ("hostPort static in bridge", {"networkMode": "bridge", "portMappings": [{"containerPort": 80, "hostPort": 8080}]},
     {"portMappings": [{"containerPort": 80, "hostPort": 8080, "protocol": "tcp"}]}),
    (
        "portMappings reordered",
        {"portMappings": [{"containerPort": p} for p in (8080, 443, 80)]},
        {"portMappings": [{"containerPort": p, "hostPort": 0, "protocol": "tcp"} for p in (443, 8080, 80)]},
    ),
    ("containerPortRange", {"portMappings": [{"containerPortRange": "8080-8090"}]},
     {"portMappings": [{"containerPortRange": "8080-8090", "protocol": "tcp"}]}),
    ("port name", {"portMappings": [{"containerPort": 80, "name": "p", "appProtocol": "grpc"}]},
     {"portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp", "name": "p", "appProtocol": "grpc"}]}),
    ("systemControls in order", {"systemControls": [{"namespace": n, "value": "1"} for n in ("z", "a")]},
     {"systemControls": [{"namespace": n, "value": "1"} for n in ("z", "a")]}),
    ("extraHosts in order", {"extraHosts": [{"hostname": h, "ipAddress": "10.0.0.1"} for h in ("zeta", "alpha")]},
     {"extraHosts": [{"hostname": h, "ipAddress": "10.0.0.1"} for h in ("zeta", "alpha")]}),
    ("dns in order", {"dnsServers": ["9.9.9.9", "1.1.1.1"], "dnsSearchDomains": ["z", "a"]},
     {"dnsServers": ["9.9.9.9", "1.1.1.1"], "dnsSearchDomains": ["z", "a"]}),
    ("ulimits in order", {"ulimits": [{"name": n, "softLimit": 1, "hardLimit": 2} for n in ("nproc", "core")]},
     {"ulimits": [{"name": n, "softLimit": 1, "hardLimit": 2} for n in ("nproc", "core")]}),
    ("command verbatim", {"command": [""], "entryPoint": ["sh", "-c"]}, {"command": [""], "entryPoint": ["sh", "-c"]}),
    ("healthCheck", {"healthCheck": {"command": ["CMD-SHELL", "x"]}},
     {"healthCheck": {"command": ["CMD-SHELL", "x"], "interval": 30, "timeout": 5, "retries": 3}}),
    ("healthCheck partly", {"healthCheck": {"command": ["CMD", "x"], "interval": 10, "startPeriod": 9}},
     {"healthCheck": {"command": ["CMD", "x"], "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 9}}),
    ("linuxParameters", {"linuxParameters": {"initProcessEnabled": True}},
     {"linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": []}}}),
    ("capabilities", {"linuxParameters": {"capabilities": {"drop": ["NET_RAW", "ALL"]}}},
     {"linuxParameters": {"capabilities": {"add": [], "drop": ["NET_RAW", "ALL"]}}}),
    ("log options verbatim", {"logConfiguration": {"logDriver": "fluentd", "options": {"tag": "", "Case": "X"}}},
     {"logConfiguration": {"logDriver": "fluentd", "options": {"tag": "", "Case": "X"}}}),
    ("restartPolicy verbatim", {"restartPolicy": {"enabled": True}}, {"restartPolicy": {"enabled": True}}),
    ("secretOptions as sent", {"logConfiguration": {"logDriver": "fluentd", "secretOptions": PARAMETERS}},
     {"logConfiguration": {"logDriver": "fluentd", "secretOptions": PARAMETERS}}),
    ("firelens verbatim", {"firelensConfiguration": {"type": "fluentbit", "options": {"A": "b"}}},
     {"firelensConfiguration": {"type": "fluentbit", "options": {"A": "b"}}}),
    ("devices and tmpfs as sent", {"linuxParameters": {"devices": [{"hostPath": "/d"}], "tmpfs": [TMPFS]}},
     {"linuxParameters": {"capabilities": {"add": [], "drop": []}, "devices": [{"hostPath": "/d"}], "tmpfs": [TMPFS]}}),
    ("swap as sent", {"linuxParameters": {"maxSwap": 1, "swappiness": 0}},
     {"linuxParameters": {"capabilities": {"add": [], "drop": []}, "maxSwap": 1, "swappiness": 0}}),
    ("timeouts", {"startTimeout": 60, "stopTimeout": 5}, {"startTimeout": 60, "stopTimeout": 5}),
    ("versionConsistency", {"versionConsistency": "disabled"}, {"versionConsistency": "disabled"}),
    ("hostname and workingDirectory", {"hostname": "h", "workingDirectory": "/w"},
     {"hostname": "h", "workingDirectory": "/w"}),
    ("repositoryCredentials", {"repositoryCredentials": {"credentialsParameter": "arn:s"}},
     {"repositoryCredentials": {"credentialsParameter": "arn:s"}}),
    ("resourceRequirements in order", {"resourceRequirements": [{"type": "GPU", "value": v} for v in "21"]},
     {"resourceRequirements": [{"type": "GPU", "value": v} for v in "21"]}),
    ("lists of text in order", {"credentialSpecs": ["b", "a"], "dockerSecurityOptions": ["z", "y"]},
     {"credentialSpecs": ["b", "a"], "dockerSecurityOptions": ["z", "y"]}),
    ("false is echoed", {"privileged": False, "readonlyRootFilesystem": False},
     {"privileged": False, "readonlyRootFilesystem": False}),
    ("user kept", {"user": "0"}, {"user": "0"}),
    ("dockerLabels verbatim", {"dockerLabels": {"A.b": ""}}, {"dockerLabels": {"A.b": ""}}),
    ("empty lists are absent", {"secrets": [], "links": [], "dependsOn": [], "dockerLabels": {}},
     {"secrets": ABSENT, "links": ABSENT, "dependsOn": ABSENT, "dockerLabels": ABSENT}),
]  # fmt: skip

#: names sent · names answered
CONTAINER_ORDER: Final = [
    (["app", "sidecar"], ["sidecar", "app"]),
    (["init", "logger", "app"], ["logger", "init", "app"]),
    (["app", "logger", "sidecar"], ["logger", "sidecar", "app"]),
]


def holds(answer: Doc, expected: Doc) -> None:
    for key, value in expected.items():
        assert answer.get(key, ABSENT) == value, key


@pytest.mark.parametrize(("sent", "expected"), [row[1:] for row in TOP_ROWS], ids=[row[0] for row in TOP_ROWS])
def test_top_level_row(ecs: Any, sent: Doc, expected: Doc) -> None:
    holds(described(ecs, **task_definition(**sent)), expected)


@pytest.mark.parametrize(("sent", "expected"), [r[1:] for r in CONTAINER_ROWS], ids=[r[0] for r in CONTAINER_ROWS])
def test_container_row(ecs: Any, sent: Doc, expected: Doc) -> None:
    members = {k: v for k, v in sent.items() if k != "networkMode"}
    top = {k: v for k, v in sent.items() if k == "networkMode"}
    (answer,) = described(ecs, **task_definition("web", container(**members), **top))["containerDefinitions"]
    holds(answer, expected)


@pytest.mark.parametrize(("sent", "expected"), CONTAINER_ORDER)
def test_containers_come_back_in_another_order(ecs: Any, sent: list[str], expected: list[str]) -> None:
    answer = described(ecs, **task_definition("web", *(container(name) for name in sent)))
    assert [c["name"] for c in answer["containerDefinitions"]] == expected


def test_references_between_containers(ecs: Any) -> None:
    app = container(
        "app",
        volumesFrom=[{"sourceContainer": "logger", "readOnly": True}, {"sourceContainer": "init"}],
        links=["logger:log", "init:setup"],
        dependsOn=[{"containerName": "logger", "condition": "START"}, {"containerName": "init", "condition": "START"}],
        mountPoints=[{"sourceVolume": v, "containerPath": f"/{v}"} for v in ("z", "a")],
    )
    sent = task_definition("web", app, container("logger"), container("init"), volumes=[{"name": "z"}, {"name": "a"}])
    (answer,) = [c for c in described(ecs, **sent)["containerDefinitions"] if c["name"] == "app"]
    assert answer["links"] == ["init:setup", "logger:log"]
    assert answer["dependsOn"] == app["dependsOn"]
    assert answer["mountPoints"] == app["mountPoints"]


def test_volumes_from_come_back_in_another_order(ecs: Any) -> None:
    first = container("x", volumesFrom=[{"sourceContainer": "logger", "readOnly": True}, {"sourceContainer": "app"}])
    sent = task_definition("web", first, container("logger"), container("app"))
    (answer,) = [c for c in described(ecs, **sent)["containerDefinitions"] if c["name"] == "x"]
    assert answer["volumesFrom"] == [{"sourceContainer": "app"}, {"sourceContainer": "logger", "readOnly": True}]


def test_the_order_depends_on_the_names_only(ecs: Any) -> None:
    names = ("ONE", "TWO", "THREE", "FOUR", "FIVE")
    orders = []
    for sent in (names, tuple(reversed(names))):
        environment = [{"name": n, "value": n} for n in sent]
        secrets = [{"name": f"S_{n}", "valueFrom": n} for n in sent]
        params = task_definition("web", container(environment=environment, secrets=secrets), executionRoleArn="e")
        (answer,) = described(ecs, **params)["containerDefinitions"]
        orders.append(([e["name"] for e in answer["environment"]], [s["name"] for s in answer["secrets"]]))
    assert orders[0] == orders[1]


def test_registering_what_was_described_describes_the_same(ecs: Any) -> None:
    """Normalising is done once: a described task definition, registered again, comes back unchanged."""
    sent = task_definition(
        "web",
        container(
            environment=[{"name": n, "value": "v"} for n in "ABCDEF"],
            portMappings=[{"containerPort": 80}],
            healthCheck={"command": ["CMD", "x"]},
            linuxParameters={"initProcessEnabled": True},
        ),
        container("b"),
        **FARGATE | {"cpu": "1 vCPU", "memory": "2 GB"},
        volumes=[{"name": "v", "efsVolumeConfiguration": EFS}, {"name": "w"}],
    )
    read_only = ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt",
                 "registeredBy")  # fmt: skip
    first = described(ecs, **sent)
    again = {k: v for k, v in first.items() if k not in read_only}
    assert first["revision"] == 1
    assert {k: v for k, v in described(ecs, **again).items() if k not in read_only} == again

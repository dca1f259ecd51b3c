"""What ECS makes of containers, a row each, both ways: equal where ECS makes them equal, and different, at the path
named, where one thing that is declared is another."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from ecsplan.core.model import Doc
from tests.unit.fakes_kinds import differences, kind, paths, same

KIND = kind("task_definition")
WEB = "containers.web"

# id, sent, answered, sent otherwise, where that differs below the container
Row: TypeAlias = tuple[str, Doc, Doc, Doc, str]


def task(container: Doc, **fields: Any) -> Doc:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": "web:1"} | container]} | fields


def pairs(**values: str) -> list[Doc]:
    return [{"name": name, "value": value} for name, value in values.items()]


def keyed(key: str, value: str, **values: Any) -> list[Doc]:
    return [{key: name, value: item} for name, item in values.items()]


def ulimits(**soft: int) -> Doc:
    return {"ulimits": [{"name": name, "softLimit": limit, "hardLimit": 9} for name, limit in soft.items()]}


def linux(**fields: Any) -> Doc:
    return {"linuxParameters": {"maxSwap": 1} | fields}


def device(**fields: Any) -> Doc:
    return linux(devices=[{"hostPath": "/dev/a", "containerPath": "/dev/b"} | fields])


def tmpfs(**fields: Any) -> Doc:
    return linux(tmpfs=[{"containerPath": "/t", "size": 1} | fields])


def check(**fields: Any) -> Doc:
    return {"healthCheck": {"command": ["CMD-SHELL", "true"]} | fields}


def log(**fields: Any) -> Doc:
    return {"logConfiguration": {"logDriver": "fluentd"} | fields}


def awslogs(**options: str) -> Doc:
    return log(logDriver="awslogs", options={"awslogs-group": "g", "awslogs-region": "r"} | options)


L = "linuxParameters"
ROWS: list[Row] = [
    ("what is always printed", {},
     {"cpu": 0, "essential": True, "environment": [], "mountPoints": [], "portMappings": [], "volumesFrom": [],
      "systemControls": []}, {"cpu": 10}, "cpu"),
    ("image verbatim", {"image": "web:1"}, {}, {"image": "web:1@sha256:00"}, "image"),
    ("cpu", {"cpu": 10}, {"cpu": 10}, {"cpu": 11}, "cpu"),
    ("memoryReservation", {}, {}, {"memoryReservation": 64}, "memoryReservation"),
    ("repositoryCredentials", {"repositoryCredentials": {"credentialsParameter": "arn:s"}},
     {"repositoryCredentials": {"credentialsParameter": "arn:s"}},
     {"repositoryCredentials": {"credentialsParameter": "arn:t"}}, "repositoryCredentials.credentialsParameter"),
    ("memory", {"memory": 128}, {"memory": 128}, {"memory": 129}, "memory"),
    ("essential", {}, {"essential": True}, {"essential": False}, "essential"),
    ("environment in hash order", {"environment": pairs(ZEBRA="1", ALPHA="2", MIKE="3")},
     {"environment": pairs(MIKE="3", ALPHA="2", ZEBRA="1")}, {"environment": pairs(ZEBRA="1", ALPHA="9", MIKE="3")},
     "environment.ALPHA"),
    ("environment without a value", {"environment": [{"name": "A"}, {}, None, *pairs(B="1")]},
     {"environment": pairs(B="1")}, {"environment": pairs(A="", B="1")}, "environment.A"),
    ("environment emptied is not removed", {"environment": pairs(A="")}, {"environment": pairs(A="")},
     {"environment": []}, "environment.A"),
    ("environment set and emptied", {"environment": pairs(A="x", B="1")}, {"environment": pairs(B="1", A="x")},
     {"environment": pairs(A="", B="1")}, "environment.A"),
    ("environment, empty and set", {"environment": pairs(A="")}, {"environment": pairs(A="")},
     {"environment": pairs(A="x")}, "environment.A"),
    ("environment omitted", {}, {"environment": []}, {"environment": pairs(A="1")}, "environment.A"),
    ("environment name with a dot", {"environment": pairs(**{"a.b": "1"})}, {"environment": pairs(**{"a.b": "1"})},
     {"environment": pairs(**{"a.b": "2"})}, "environment.a.b"),
    ("environment name with underscores", {"environment": pairs(__A="1")}, {"environment": pairs(__A="1")},
     {"environment": pairs(__A="2")}, "environment.__A"),
    ("environmentFiles in order", {"environmentFiles": keyed("value", "type", a="s3", b="s3")},
     {"environmentFiles": keyed("value", "type", a="s3", b="s3")},
     {"environmentFiles": keyed("value", "type", b="s3", a="s3")}, "environmentFiles"),
    ("environmentFiles, which", {"environmentFiles": keyed("value", "type", a="s3")},
     {"environmentFiles": keyed("value", "type", a="s3")}, {"environmentFiles": keyed("value", "type", b="s3")},
     "environmentFiles"),
    ("secrets omitted", {}, {"secrets": []}, {"secrets": keyed("name", "valueFrom", A="x")}, "secrets.A"),
    ("secrets verbatim", {"secrets": keyed("name", "valueFrom", A="p")},
     {"secrets": keyed("name", "valueFrom", A="p")},
     {"secrets": keyed("name", "valueFrom", A="arn:aws:ssm:eu-west-1:1:parameter/p")}, "secrets.A"),
    ("secrets, another key of one", {"secrets": keyed("name", "valueFrom", A="arn:s:key::")},
     {"secrets": keyed("name", "valueFrom", A="arn:s:key::")}, {"secrets": keyed("name", "valueFrom", A="arn:s:Key::")},
     "secrets.A"),
    ("secrets by name", {"secrets": keyed("name", "valueFrom", B="x", A="y")},
     {"secrets": keyed("name", "valueFrom", A="y", B="x")}, {"secrets": keyed("name", "valueFrom", A="z", B="x")},
     "secrets.A"),
    ("mountPoints by path", {"mountPoints": keyed("containerPath", "sourceVolume", b="v", a="v")},
     {"mountPoints": [{"containerPath": "a", "sourceVolume": "v", "readOnly": False},
                      {"containerPath": "b", "sourceVolume": "v"}]},
     {"mountPoints": keyed("containerPath", "sourceVolume", b="w", a="v")}, "mountPoints.b.sourceVolume"),
    ("mountPoints readOnly", {"mountPoints": [{"containerPath": "a"}]},
     {"mountPoints": [{"containerPath": "a", "readOnly": False}]},
     {"mountPoints": [{"containerPath": "a", "readOnly": True}]}, "mountPoints.a.readOnly"),
    ("volumesFrom", {"volumesFrom": [{"sourceContainer": "b", "readOnly": True}, {"sourceContainer": "a"}]},
     {"volumesFrom": [{"sourceContainer": "a", "readOnly": False}, {"sourceContainer": "b", "readOnly": True}]},
     {"volumesFrom": [{"sourceContainer": "b"}, {"sourceContainer": "a"}]}, "volumesFrom.b.readOnly"),
    ("systemControls", {"systemControls": keyed("namespace", "value", b="1", a="2")},
     {"systemControls": keyed("namespace", "value", a="2", b="1")},
     {"systemControls": keyed("namespace", "value", a="2", b="3")}, "systemControls.b"),
    ("links sorted", {"links": ["logger:log", "init:setup"]}, {"links": ["init:setup", "logger:log"]},
     {"links": ["logger:log", "init:x"]}, "links"),
    ("dependsOn", {"dependsOn": keyed("containerName", "condition", b="START", a="START")},
     {"dependsOn": keyed("containerName", "condition", a="START", b="START")},
     {"dependsOn": keyed("containerName", "condition", b="START", a="HEALTHY")}, "dependsOn.a"),
    ("extraHosts", {"extraHosts": keyed("hostname", "ipAddress", zeta="1.1.1.1", alpha="2.2.2.2")},
     {"extraHosts": keyed("hostname", "ipAddress", alpha="2.2.2.2", zeta="1.1.1.1")},
     {"extraHosts": keyed("hostname", "ipAddress", zeta="1.1.1.1", alpha="3.3.3.3")}, "extraHosts"),
    ("dockerSecurityOptions", {"dockerSecurityOptions": ["b", "a"]}, {"dockerSecurityOptions": ["a", "b"]},
     {"dockerSecurityOptions": ["a"]}, "dockerSecurityOptions"),
    ("dnsServers in order", {"dnsServers": ["8.8.8.8", "1.1.1.1"]}, {"dnsServers": ["8.8.8.8", "1.1.1.1"]},
     {"dnsServers": ["1.1.1.1", "8.8.8.8"]}, "dnsServers"),
    ("dnsSearchDomains in order", {"dnsSearchDomains": ["b", "a"]}, {"dnsSearchDomains": ["b", "a"]},
     {"dnsSearchDomains": ["a", "b"]}, "dnsSearchDomains"),
    ("ulimits, the hard one", {"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]},
     {"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]},
     {"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 3}]}, "ulimits.nofile.hardLimit"),
    ("ulimits", ulimits(nofile=1, core=2), ulimits(core=2, nofile=1), ulimits(nofile=3, core=2),
     "ulimits.nofile.softLimit"),
    ("command in order", {"command": ["a", "b"]}, {"command": ["a", "b"]}, {"command": ["b", "a"]}, "command"),
    ("entryPoint in order", {"entryPoint": ["sh", "-c"]}, {"entryPoint": ["sh", "-c"]}, {"entryPoint": ["-c", "sh"]},
     "entryPoint"),
    ("command of nothing", {}, {"command": []}, {"command": [""]}, "command"),
    ("healthCheck filled in", check(), check(interval=30, timeout=5, retries=3), check(interval=31),
     "healthCheck.interval"),
    ("healthCheck timeout", check(), check(timeout=5), check(timeout=6), "healthCheck.timeout"),
    ("healthCheck retries", check(), check(retries=3), check(retries=4), "healthCheck.retries"),
    ("healthCheck startPeriod", check(), check(startPeriod=0), check(startPeriod=1), "healthCheck.startPeriod"),
    ("healthCheck command in order", check(), check(), check(command=["true", "CMD-SHELL"]), "healthCheck.command"),
    ("initProcessEnabled false alone", {}, {"linuxParameters": {"initProcessEnabled": False}},
     {"linuxParameters": {"initProcessEnabled": True}}, f"{L}.initProcessEnabled"),
    ("initProcessEnabled", linux(), linux(initProcessEnabled=False), linux(initProcessEnabled=True),
     f"{L}.initProcessEnabled"),
    ("capabilities beside initProcessEnabled", {"linuxParameters": {"initProcessEnabled": True}},
     {"linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": []}}},
     {"linuxParameters": {"initProcessEnabled": False}}, f"{L}.initProcessEnabled"),
    ("maxSwap", linux(), linux(), linux(maxSwap=2), f"{L}.maxSwap"),
    ("swappiness is not filled in", linux(), linux(), linux(swappiness=60), f"{L}.swappiness"),
    ("devices in any order", linux(devices=[{"hostPath": "/b"}, {"hostPath": "/a", "containerPath": "/c"}]),
     linux(devices=[{"hostPath": "/a", "containerPath": "/c"}, {"hostPath": "/b"}]),
     linux(devices=[{"hostPath": "/b"}, {"hostPath": "/a", "containerPath": "/c", "permissions": ["read"]}]),
     f"{L}.devices./a//c.permissions"),
    ("tmpfs in any order", linux(tmpfs=[{"containerPath": "/b", "size": 1}, {"containerPath": "/a", "size": 1}]),
     linux(tmpfs=[{"containerPath": "/a", "size": 1}, {"containerPath": "/b", "size": 1}]),
     linux(tmpfs=[{"containerPath": "/b", "size": 2}, {"containerPath": "/a", "size": 1}]), f"{L}.tmpfs./b.size"),
    ("capabilities filled in", linux(), linux(capabilities={"add": [], "drop": []}),
     linux(capabilities={"add": ["SYS_PTRACE"]}), f"{L}.capabilities.add"),
    ("capabilities added in any order", linux(capabilities={"add": ["B", "A"]}),
     linux(capabilities={"add": ["A", "B"], "drop": []}), linux(capabilities={"add": ["B"]}), f"{L}.capabilities.add"),
    ("capabilities in any order", linux(capabilities={"drop": ["B", "A"]}),
     linux(capabilities={"add": [], "drop": ["A", "B"]}), linux(capabilities={"drop": ["A"]}),
     f"{L}.capabilities.drop"),
    ("no devices, no tmpfs", linux(), linux(devices=[], tmpfs=[]), linux(sharedMemorySize=1), f"{L}.sharedMemorySize"),
    ("device permissions", device(), device(permissions=["read", "write", "mknod"]), device(permissions=["read"]),
     f"{L}.devices./dev/a//dev/b.permissions"),
    ("tmpfs options", tmpfs(mountOptions=["rw", "noexec"]), tmpfs(mountOptions=["noexec", "rw"]),
     tmpfs(mountOptions=["ro"]), f"{L}.tmpfs./t.mountOptions"),
    ("tmpfs defaults", tmpfs(), tmpfs(mountOptions=["defaults"]), tmpfs(size=2), f"{L}.tmpfs./t.size"),
    ("logDriver", log(), log(), log(logDriver="json-file"), "logConfiguration.logDriver"),
    ("awslogs-create-group is not added", awslogs(), awslogs(), awslogs(**{"awslogs-create-group": "true"}),
     "logConfiguration.options.awslogs-create-group"),
    ("max-buffer-size is not added", log(options={"mode": "non-blocking"}), log(options={"mode": "non-blocking"}),
     log(options={"mode": "non-blocking", "max-buffer-size": "10m"}), "logConfiguration.options.max-buffer-size"),
    ("logConfiguration options verbatim", log(options={"tag": ""}), log(options={"tag": ""}, secretOptions=[]),
     log(), "logConfiguration.options.tag"),
    ("logConfiguration options by case", log(options={"mode": "x"}), log(options={"mode": "x"}),
     log(options={"mode": "X"}), "logConfiguration.options.mode"),
    ("secretOptions", log(secretOptions=keyed("name", "valueFrom", B="x", A="y")),
     log(secretOptions=keyed("name", "valueFrom", A="y", B="x")),
     log(secretOptions=keyed("name", "valueFrom", A="z", B="x")), "logConfiguration.secretOptions.A"),
    ("firelens options verbatim", {"firelensConfiguration": {"type": "fluentbit", "options": {"a": "b"}}},
     {"firelensConfiguration": {"type": "fluentbit", "options": {"a": "b"}}},
     {"firelensConfiguration": {"type": "fluentbit", "options": {"a": "B"}}}, "firelensConfiguration.options.a"),
    ("restartPolicy", {"restartPolicy": {"enabled": True, "ignoredExitCodes": [2, 1]}},
     {"restartPolicy": {"enabled": True, "ignoredExitCodes": [1, 2], "restartAttemptPeriod": 300}},
     {"restartPolicy": {"enabled": True, "ignoredExitCodes": [1, 2], "restartAttemptPeriod": 60}},
     "restartPolicy.restartAttemptPeriod"),
    ("restartPolicy off", {"restartPolicy": {"enabled": True}}, {"restartPolicy": {"enabled": True}},
     {"restartPolicy": {"enabled": False}}, "restartPolicy.enabled"),
    ("restartPolicy codes", {"restartPolicy": {"enabled": True}},
     {"restartPolicy": {"enabled": True, "ignoredExitCodes": []}},
     {"restartPolicy": {"enabled": True, "ignoredExitCodes": [1]}}, "restartPolicy.ignoredExitCodes"),
    ("versionConsistency", {}, {"versionConsistency": "enabled"}, {"versionConsistency": "disabled"},
     "versionConsistency"),
    ("startTimeout", {"startTimeout": 60}, {"startTimeout": 60}, {"startTimeout": 61}, "startTimeout"),
    ("stopTimeout", {}, {}, {"stopTimeout": 30}, "stopTimeout"),
    ("user", {}, {"user": ""}, {"user": "0"}, "user"),
    ("user root removed", {"user": "0"}, {"user": "0"}, {}, "user"),
    ("user root emptied", {"user": "0"}, {"user": "0"}, {"user": ""}, "user"),
    ("hostname", {"hostname": ""}, {}, {"hostname": "a"}, "hostname"),
    ("workingDirectory", {"workingDirectory": ""}, {}, {"workingDirectory": "/"}, "workingDirectory"),
    *((flag, {}, {flag: False}, {flag: True}, flag) for flag in
      ("privileged", "readonlyRootFilesystem", "interactive", "pseudoTerminal", "disableNetworking")),
    ("dockerLabels", {}, {"dockerLabels": {}}, {"dockerLabels": {"a": ""}}, "dockerLabels.a"),
    ("dockerLabels verbatim", {"dockerLabels": {"A": ""}}, {"dockerLabels": {"A": ""}}, {"dockerLabels": {}},
     "dockerLabels.A"),
    ("resourceRequirements", {"resourceRequirements": keyed("value", "type", b="GPU", a="GPU")},
     {"resourceRequirements": keyed("value", "type", a="GPU", b="GPU")},
     {"resourceRequirements": keyed("value", "type", a="GPU", b="InferenceAccelerator")}, "resourceRequirements"),
    ("credentialSpecs", {"credentialSpecs": ["b", "a"]}, {"credentialSpecs": ["a", "b"]}, {"credentialSpecs": ["a"]},
     "credentialSpecs"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "answered", "other", "path"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)  # fmt: skip
def test_containers(sent: Doc, answered: Doc, other: Doc, path: str) -> None:
    assert same(KIND, task(answered), task(sent))
    assert paths(KIND, task(answered), task(sent)) == []
    assert not same(KIND, task(answered), task(other))
    assert paths(KIND, task(answered), task(other)) == [f"{WEB}.{path}"]


# --- ports ---


def ports(*mappings: Doc) -> Doc:
    return {"portMappings": list(mappings)}


P = {"containerPort": 80}


@pytest.mark.parametrize(
    ("mode", "sent", "answered", "other", "path"),
    [
        ("bridge", P, P | {"hostPort": 0, "protocol": "tcp"}, P | {"hostPort": 80}, "80/tcp.hostPort"),
        ("", P, P | {"hostPort": 0, "protocol": "tcp"}, P | {"hostPort": 80}, "80/tcp.hostPort"),
        ("awsvpc", P, P | {"hostPort": 80, "protocol": "tcp"}, P | {"name": "web"}, "80/tcp.name"),
        ("awsvpc", P | {"hostPort": 0}, P | {"hostPort": 80, "protocol": "tcp"}, P | {"appProtocol": "http"},
         "80/tcp.appProtocol"),
        ("host", P, P | {"hostPort": 80, "protocol": "tcp"}, P | {"hostPort": 81}, "80/tcp.hostPort"),
        ("host", P | {"hostPort": 0}, P | {"hostPort": 80}, P | {"name": "web"}, "80/tcp.name"),
    ],
)  # fmt: skip
def test_host_ports_depend_on_the_network(mode: str, sent: Doc, answered: Doc, other: Doc, path: str) -> None:
    network = {"networkMode": mode} if mode else {}
    live = task(ports(answered), **network)
    assert same(KIND, live, task(ports(sent), **network))
    assert paths(KIND, live, task(ports(other), **network)) == [f"{WEB}.portMappings.{path}"]


def test_ports_are_compared_in_any_order() -> None:
    sent = ports({"containerPort": 8080}, {"containerPort": 443}, {"containerPort": 80, "protocol": "udp"})
    live = task(ports(*reversed(sent["portMappings"])))
    assert same(KIND, live, task(sent))
    udp = ports({"containerPort": 8080}, {"containerPort": 443}, {"containerPort": 80})
    assert paths(KIND, live, task(udp)) == [
        f"{WEB}.portMappings.80/tcp.hostPort",
        f"{WEB}.portMappings.80/udp.hostPort",
    ]


def test_one_other_port_is_seen_as_one_that_goes_and_one_that_comes() -> None:
    found = differences(KIND, task(ports(P | {"hostPort": 0, "protocol": "tcp"})), task(ports({"containerPort": 81})))
    assert [(it.path, it.before, it.after) for it in found] == [
        (f"{WEB}.portMappings.80/tcp.hostPort", 0, None),
        (f"{WEB}.portMappings.81/tcp.hostPort", None, 0),
    ]


def test_a_host_port_that_is_given_is_not_any_port() -> None:
    live = task(ports(P | {"hostPort": 80, "protocol": "tcp"}))
    assert same(KIND, live, task(ports(P | {"hostPort": 80})))
    assert paths(KIND, live, task(ports(P))) == [f"{WEB}.portMappings.80/tcp.hostPort"]


def test_a_health_check_is_not_filled_in_where_there_is_none() -> None:
    assert same(KIND, task({}), task({"healthCheck": {}}))
    assert f"{WEB}.healthCheck.command" in paths(KIND, task({}), task(check()))
    assert f"{WEB}.healthCheck.command" in paths(KIND, task(check(interval=30, timeout=5, retries=3)), task({}))


def test_a_range_of_ports_has_no_host_port_and_still_shows() -> None:
    live = task(ports({"containerPortRange": "8080-8090", "protocol": "tcp"}))
    assert same(KIND, live, task(ports({"containerPortRange": "8080-8090"})))
    assert same(KIND, live, task(ports({"containerPortRange": "8080-8090", "hostPort": 0})))
    assert paths(KIND, live, task(ports({"containerPortRange": "8080-8090", "hostPort": 1}))) == [
        f"{WEB}.portMappings.8080-8090/tcp.hostPort"
    ]
    other = task(ports({"containerPortRange": "8080-8099"}))
    assert not same(KIND, live, other)
    assert paths(KIND, live, other) == [
        f"{WEB}.portMappings.8080-8090/tcp",
        f"{WEB}.portMappings.8080-8099/tcp",
    ]


# --- several containers ---


def test_containers_are_compared_by_name() -> None:
    app, sidecar = {"name": "app", "image": "a:1"}, {"name": "sidecar", "image": "s:1"}
    live: Doc = {"family": "web", "containerDefinitions": [sidecar, app]}
    assert same(KIND, live, {"family": "web", "containerDefinitions": [app, sidecar]})
    changed = {"family": "web", "containerDefinitions": [app | {"image": "a:2"}, sidecar]}
    assert [(it.path, it.before, it.after) for it in differences(KIND, live, changed)] == [
        ("containers.app.image", "a:1", "a:2")
    ]


def test_of_a_variable_that_is_declared_twice_the_later_one_counts_as_the_later_one() -> None:
    twice = task({"environment": [*pairs(A="1"), *pairs(A="2")]})
    assert same(KIND, twice, twice)
    swapped = task({"environment": [*pairs(A="2"), *pairs(A="1")]})
    assert paths(KIND, twice, swapped) == [f"{WEB}.environment.A", f"{WEB}.environment.A#2"]

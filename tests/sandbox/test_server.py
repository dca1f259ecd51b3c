"""The server itself: what it answers to whom, its log, its own requests, the services that moto serves."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import Clock, create_service, error_of, primary, service_of, task_definition

Client = Callable[..., Any]


def post(aws: Sandbox, target: str, body: bytes) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(urlsplit(aws.url).netloc, timeout=10)
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def control(aws: Sandbox, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(aws.url).netloc, timeout=10)
    try:
        connection.request(method, f"/_sandbox{path}", body if isinstance(body, str) else json.dumps(body or {}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_environment_is_all_that_boto3_needs(aws: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    for make in (session.client("sts"), session.client("ecs")):
        make.close()
    sts = session.client("sts")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    assert sts.get_caller_identity()["Arn"].startswith("arn:aws:")
    sts.close()


def test_the_shape_of_an_answer(aws: Sandbox) -> None:
    status, body, headers = post(aws, "AmazonEC2ContainerServiceV20141113.CreateCluster", b"{}")
    assert (status, body["cluster"]["clusterName"]) == (200, "default")
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert headers["x-amzn-requestid"]


def test_times_are_numbers(aws: Sandbox, clock: Clock) -> None:
    body = json.dumps(task_definition()).encode()
    _, answer, _ = post(aws, "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", body)
    assert answer["taskDefinition"]["registeredAt"] == clock.now()


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("AmazonEC2ContainerServiceV20141113.Nothing", b"{}", "UnknownOperationException"),
        ("AmazonEC2ContainerServiceV20141113.CreateCapacityProvider", b"{}", "UnknownOperationException"),
        ("AWSEvents.Nothing", b"{}", "UnknownOperationException"),
        ("AmazonEC2ContainerServiceV20141113.CreateCluster", b"{", "SerializationException"),
        ("AmazonEC2ContainerServiceV20141113.CreateCluster", b"[]", "SerializationException"),
        pytest.param("AmazonEC2ContainerServiceV20141113.CreateCluster", b"[" * 100_000, "SerializationException",
                     id="deep"),
        ("AmazonEC2ContainerServiceV20141113.CreateCluster", b'{"clusterName": 1}', "SerializationException"),
        ("AmazonEC2ContainerServiceV20141113.ListClusters", b'{"maxResults": true}', "SerializationException"),
        ("AmazonEC2ContainerServiceV20141113.ListClusters", b'{"maxResults": "1"}', "SerializationException"),
        ("AmazonEC2ContainerServiceV20141113.DescribeClusters", b'{"clusters": "a"}', "SerializationException"),
        ("AmazonEC2ContainerServiceV20141113.DescribeTasks", b'{"cluster": "default"}', "InvalidParameterException"),
        ("AmazonEC2ContainerServiceV20141113.RunTask", b'{"taskDefinition": "a", "launchType": "MOON"}',
         "InvalidParameterException"),
        ("AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", b'{"family": "a"}', "ClientException"),
        ("AWSEvents.ListTargetsByRule", b"{}", "ValidationException"),
        ("AWSEvents.PutRule", b'{"Name": "a b", "ScheduleExpression": "rate(1 day)"}', "ValidationException"),
        ("AWSEvents.PutRule", b'{"Name": "a", "ScheduleExpression": "x", "State": "ON"}', "ValidationException"),
    ],
)  # fmt: skip
def test_malformed_requests(aws: Sandbox, target: str, body: bytes, code: str) -> None:
    status, answer, _ = post(aws, target, body)
    assert (status, answer["__type"]) == (400, code)
    assert isinstance(answer["message"], str)
    assert aws.requests[-1].error == code


def test_unknown_members_and_nulls_are_ignored(aws: Sandbox) -> None:
    body = b'{"clusterName": "a", "tags": null, "newThing": {"x": 1}}'
    status, answer, _ = post(aws, "AmazonEC2ContainerServiceV20141113.CreateCluster", body)
    assert (status, answer["cluster"]["tags"]) == (200, [])


def test_connections_are_kept(aws: Sandbox) -> None:
    connection = http.client.HTTPConnection(urlsplit(aws.url).netloc, timeout=10)
    headers = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    connection.request("POST", "/", b"{}", headers)
    connection.getresponse().read()
    kept = connection.sock
    connection.request("POST", "/", b"{}", headers)
    assert connection.getresponse().status == 200
    assert kept is not None
    assert connection.sock is kept
    connection.close()


def test_the_log(ecs: Any, events: Any, client: Client, aws: Sandbox) -> None:
    aws.clear_requests()
    ecs.list_clusters(maxResults=1)
    events.list_rules()
    client("sts").get_caller_identity()
    with pytest.raises(ClientError):
        ecs.describe_task_definition(taskDefinition="none")
    logged = [(r.service, r.operation, r.status, r.error) for r in aws.requests]
    assert logged == [
        ("ecs", "ListClusters", 200, ""),
        ("events", "ListRules", 200, ""),
        ("sts", "GetCallerIdentity", 200, ""),
        ("ecs", "DescribeTaskDefinition", 400, "ClientException"),
    ]
    assert aws.requests[0].params == {"maxResults": 1}
    for before, after in zip(aws.requests, aws.requests[1:], strict=False):
        assert before.began <= before.ended <= after.began
        assert before.number < after.number


def test_reset(ecs: Any, client: Client, aws: Sandbox) -> None:
    aws.fault("*", "throttle", skip=1)
    aws.latency = aws.rollout_seconds = aws.task_seconds = 0.01
    aws.container_instances = 0
    aws.rollout("FAILED")
    sns = client("sns")
    sns.create_topic(Name="t")
    aws.reset()
    assert sns.list_topics()["Topics"] == []
    assert ecs.list_clusters()["clusterArns"] == []
    assert [r.number for r in aws.requests] == [1, 2]
    settings = (aws.latency, aws.rollout_seconds, aws.task_seconds, aws.container_instances)
    assert settings == (0.0, 1.0, 1.0, 2)


def test_objects_and_parameters_are_motos(client: Client, aws: Sandbox) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="bucket", Key="a/x y.json", Body=b"{}", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="bucket", Key="a/x y.json", Body=b"{}", IfNoneMatch="*")
    assert error_of(caught.value)[0] == "PreconditionFailed"
    assert s3.get_object(Bucket="bucket", Key="a/x y.json")["Body"].read() == b"{}"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["a/x y.json"]
    assert s3.head_object(Bucket="bucket", Key="a/x y.json")["ContentLength"] == 2
    ssm = client("ssm")
    ssm.put_parameter(Name="/p", Value="v", Type="String")
    assert ssm.get_parameter(Name="/p")["Parameter"]["Value"] == "v"
    logged = [r.operation for r in aws.requests if r.service == "s3"]
    assert logged == ["CreateBucket", "PutObject", "PutObject", "GetObject", "ListObjectsV2", "HeadObject"]


def test_an_assumed_role_has_its_own_identity(client: Client, aws: Sandbox) -> None:
    role = "arn:aws:iam::123456789012:role/deploy"
    given = client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    sts = boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=aws.url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    assert "assumed-role/deploy/me" in sts.get_caller_identity()["Arn"]
    sts.close()


def test_without_http(ecs: Any, aws: Sandbox) -> None:
    aws.clear_requests()
    aws.fault("*", "throttle")
    answer = aws.ecs().call("DescribeClusters", {"clusters": ["prod"]})
    answer["clusters"][0]["settings"].append("mine")
    assert aws.ecs().call("DescribeClusters", {"clusters": ["prod"]}) != answer
    assert aws.requests == ()


def test_starting_and_stopping() -> None:
    aws = Sandbox(region="us-east-1")
    with pytest.raises(RuntimeError):
        _ = aws.url
    aws.start()
    assert aws.environment["AWS_DEFAULT_REGION"] == "us-east-1"
    port = int(aws.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=port).start()
    aws.stop()
    aws.stop()
    with Sandbox(port=port) as again:
        assert again.url.endswith(f":{port}")


def test_real_time_goes_by(client: Client) -> None:
    with Sandbox() as aws:
        aws.rollout_seconds = 0.0
        ecs = aws.ecs()
        ecs.call("CreateCluster", {"clusterName": "prod"})
        ecs.call("RegisterTaskDefinition", task_definition())
        params = {"cluster": "prod", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1}
        assert primary(ecs.call("CreateService", params)["service"])["rolloutState"] == "IN_PROGRESS"
        answer = ecs.call("DescribeServices", {"cluster": "prod", "services": ["web"]})["services"][0]
        assert (primary(answer)["rolloutState"], answer["runningCount"]) == ("COMPLETED", 1)


def test_importing_it_is_cheap() -> None:
    """Neither boto3 nor moto nor werkzeug is imported before it is needed."""
    code = (
        "import sys, ecsplan.sandbox as s; s.Sandbox();"
        "sys.exit(any(m in sys.modules for m in ('boto3', 'moto', 'werkzeug')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_control_orders(ecs: Any, aws: Sandbox, clock: Clock) -> None:
    ecs.register_task_definition(**task_definition())
    assert control(aws, "POST", "/settings", {"rollout_seconds": 5, "latency": 0}) == (
        200,
        {
            "latency": 0,
            "rollout_seconds": 5,
            "task_seconds": 1.0,
            "minute_seconds": 60.0,
            "stop_seconds": 0.0,
            "container_instances": 2,
            "rates": False,
        },
    )
    assert control(aws, "POST", "/alarm", {"name": "a", "stage": "BAKE_TIME"}) == (200, {"ok": True})
    assert control(aws, "POST", "/alarm", {"name": "a"}) == (200, {"ok": True})
    assert control(aws, "POST", "/hook", {"target": "*", "answer": "FAILED", "seconds": 3}) == (200, {"ok": True})
    paired = {"log_lines": ["x", [0.5, "y"]], "log_delay": 2, "failure": "OUT_OF_MEMORY", "command": "none"}
    assert control(aws, "POST", "/task", paired) == (200, {"ok": True})
    assert control(aws, "POST", "/rollout", {"ends": "FAILED", "service": "web", "reason": "r"}) == (200, {"ok": True})
    assert control(aws, "POST", "/task", {"exit_codes": {"app": 4}, "log_lines": ["x"]}) == (200, {"ok": True})
    assert control(aws, "POST", "/fault", {"operation": "ListClusters", "kind": "throttle"}) == (200, {"ok": True})
    create_service(ecs)
    clock.tick(5)
    assert primary(service_of(ecs))["rolloutStateReason"] == "r"
    with pytest.raises(ClientError):
        ecs.list_clusters()
    status, answer = control(aws, "GET", "/requests")
    assert (status, answer["requests"][-1]["operation"]) == (200, "ListClusters")
    assert control(aws, "DELETE", "/requests")[0] == 200
    assert control(aws, "GET", "/requests") == (200, {"requests": []})
    assert control(aws, "POST", "/release")[0] == 200
    assert control(aws, "POST", "/reset")[0] == 200
    assert ecs.list_clusters()["clusterArns"] == []
    assert aws.rollout_seconds == 1.0


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/fault", {"operation": "RunTask", "kind": "explode"}, "unknown kind of fault 'explode'"),
        ("/fault", {"kind": "throttle"}, "missing argument 'operation'"),
        ("/fault", {"operation": "RunTask", "kind": "throttle", "time": 2}, "unknown argument 'time'"),
        ("/fault", {"operation": "RunTask", "kind": "throttle", "times": "2"}, "times must be a whole number"),
        ("/rollout", {"ends": "DONE"}, "unknown end of a rollout 'DONE'"),
        ("/rollout", {"seconds": -1}, "seconds must be a number"),
        ("/task", {"exit_code": True}, "exit_code must be a whole number"),
        ("/task", {"family": 3}, "family must be"),
        ("/task", {"exit_codes": [1]}, "exit_codes must be"),
        ("/task", {"log_lines": "x"}, "log_lines must be"),
        ("/task", {"log_lines": [[1, 2]]}, "log_lines must be"),
        ("/task", {"log_lines": ["x"], "log_line_count": 3}, "log_lines and log_line_count exclude each other"),
        ("/task", {"failure": "EXPLODES"}, "unknown failure of a task 'EXPLODES'"),
        ("/task", {"stays": "STOPPED"}, "unknown status to stay in 'STOPPED'"),
        ("/task", {"stays": "PENDING", "exit_code": 1}, "a task that stays PENDING cannot fail as well"),
        ("/rollout", {"ends": "NEVER", "failures": 2}, "failures are for rollouts that end COMPLETED"),
        ("/rollout", {"unplaced": "no room"}, "tasks that find no place are for rollouts that do not end COMPLETED"),
        ("/alarm", {}, "missing argument 'name'"),
        ("/alarm", {"name": "a", "seconds": 1, "stage": "BAKE_TIME"}, "an alarm that is still to come needs either"),
        ("/alarm", {"name": "a", "stage": "LUNCH"}, "unknown stage 'LUNCH'"),
        ("/hook", {"answer": "MAYBE"}, "unknown answer of a hook 'MAYBE'"),
        ("/hook", {"stage": "LUNCH"}, "unknown stage 'LUNCH'"),
        ("/hook", {"hook": "x"}, "unknown argument 'hook'"),
        ("/fault", {"operation": "RunTask", "kind": "failures", "count": 0}, "count must be at least 1"),
        ("/settings", {"minute_seconds": -1}, "minute_seconds must be a number"),
        ("/settings", {"latencies": 1}, "unknown setting 'latencies'"),
        ("/settings", {"latency": "fast"}, "latency must be a number"),
        ("/settings", {"rates": 1}, "rates must be true or false"),
        ("/settings", {"rates": None}, "a setting must have a value"),
        ("/reset", {"x": 1}, "unknown argument 'x'"),
        ("/fault", "{", "the body is not JSON"),
        pytest.param("/fault", "[" * 100_000, "the body is not JSON", id="deep"),
        ("/fault", "[]", "the body must be a JSON object"),
    ],
)
def test_control_says_what_is_wrong(aws: Sandbox, path: str, body: Any, text: str) -> None:
    status, answer = control(aws, "POST", path, body)
    assert (status, list(answer)) == (400, ["error"])
    assert answer["error"].startswith(text)
    assert "\n" not in answer["error"]


def test_unknown_control_requests(aws: Sandbox) -> None:
    status, answer = control(aws, "POST", "/nothing")
    assert status == 404
    assert "POST /reset" in answer["error"]


def test_objects_are_stored_at_once(client: Client, aws: Sandbox) -> None:
    """botocore asks before it sends a body, and waits a whole second for the answer."""
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.clear_requests()
    began = time.monotonic()
    s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 100_000)
    assert time.monotonic() - began < 0.9
    assert len(aws.requests) == 1


def test_a_stopped_sandbox_answers_nobody() -> None:
    aws = Sandbox().start()
    connection = http.client.HTTPConnection(urlsplit(aws.url).netloc, timeout=10)
    headers = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}

    def ask() -> bytes:
        connection.request("POST", "/", b"{}", headers)
        return connection.getresponse().read()

    assert ask() == b'{"clusterArns": []}'
    aws.stop()
    with pytest.raises((http.client.HTTPException, OSError)):
        ask()
    connection.close()


def test_without_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moto.moto_server.werkzeug_app", None)
    with Sandbox() as aws:
        sns = boto3.client(
            "sns",
            region_name="eu-west-1",
            endpoint_url=aws.url,
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(ClientError, match=r"pip install 'ecsplan\[sandbox\]'"):
            sns.list_topics()
        sns.close()
        with pytest.raises(ImportError, match="moto"):
            aws.seed({}, topics=["arn:aws:sns:eu-west-1:123456789012:t"])
        assert control(aws, "POST", "/task", {"log_lines": ["x"]})[0] == 200  # moto is not needed for them
        assert aws.seed({"A": {"task_definition": task_definition()}}).clusters == ("default",)


def test_a_fault_of_its_own_is_said(client: Client) -> None:
    class Broken:
        def now(self) -> float:
            raise RuntimeError("no time")

    with Sandbox(clock=Broken()) as aws:
        status, answer, _ = post(aws, "AmazonEC2ContainerServiceV20141113.ListClusters", b"{}")
    assert (status, answer["__type"]) == (500, "InternalFailure")
    assert answer["message"] == "the sandbox failed in ListClusters: RuntimeError: no time"

"""REST-JSON, read and answered by botocore's models; botocore itself writes the requests and reads the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from ecsplan.sandbox import Sandbox, rest
from ecsplan.sandbox.common import AwsError
from ecsplan.sandbox.faults import Fault
from ecsplan.sandbox.inputs import model
from ecsplan.sandbox.rates import throttled
from ecsplan.sandbox.wire import Answer, Incoming, refusal, success
from tests.sandbox.helpers import EPOCH, Doc, error_of

Client = Callable[..., Any]
#: Services of REST-JSON: with names in paths, in query strings, in headers, with bodies that are one member.
SERVICES: Final = ("scheduler", "pipes", "eks", "lambda", "apigatewayv2")
#: Those of them whose requests have nothing but names in paths and query strings and JSON bodies.
PLAIN: Final = ("scheduler", "pipes", "eks")
OPERATIONS: Final = [(service, name) for service in SERVICES for name in model(service).operation_names]


def sample(shape: Shape) -> Any:
    """A value of that shape, with every member."""
    if isinstance(shape, StructureShape):
        return {name: sample(member) for name, member in shape.members.items()}
    if isinstance(shape, ListShape):
        return [sample(shape.member)]
    if isinstance(shape, MapShape):
        return {"key /1": sample(shape.value)}
    if isinstance(shape, StringShape):
        return f"a/b {shape.name}%"
    values: Doc = {"boolean": True, "timestamp": EPOCH, "blob": b"bytes", "float": 0.5, "double": 0.5}
    return values.get(shape.type_name, 7)


def written(service: str, operation: str, params: Doc) -> Incoming:
    """The request as botocore writes it."""
    of = model(service).operation_model(operation)
    made = create_serializer("rest-json", include_validation=False).serialize_to_request(params, of)
    pairs = made["query_string"]
    items = [(key, one) for key, v in pairs.items() for one in (v if isinstance(v, list) else [v])]
    mark = "&" if "?" in made["url_path"] else "?"
    path = made["url_path"] + (mark + urlencode(items, quote_via=quote) if items else "")
    body = made["body"] if isinstance(made["body"], bytes) else str(made["body"]).encode()
    signed = {"authorization": f"Credential=a/20260101/eu-west-1/{service}/aws4_request"}
    headers = signed | {str(name).lower(): str(value) for name, value in made["headers"].items()}
    return Incoming(method=made["method"], path=path, headers=headers, body=body, default_region="")


def understood(service: str, operation: str, answer: Answer) -> Doc:
    """The answer as botocore reads it."""
    shape = model(service).operation_model(operation).output_shape
    assert shape is not None
    got = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}
    return dict(create_parser("rest-json").parse(got, shape))


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_request_is_the_operation_that_botocore_wrote(service: str, operation: str) -> None:
    shape = model(service).operation_model(operation).input_shape
    params = sample(shape) if shape else {}
    name, read = written(service, operation, params).read()
    assert name == operation
    if service in PLAIN:
        assert read == params


@pytest.mark.parametrize(
    ("method", "path", "operation", "params"),
    [
        ("PUT", "/schedules/a%20b", "UpdateSchedule", {"Name": "a b"}),
        ("GET", "/schedules/a?groupName=g%2F1", "GetSchedule", {"Name": "a", "GroupName": "g/1"}),
        ("GET", "/schedules?MaxResults=5", "ListSchedules", {"MaxResults": 5}),
        ("GET", "/schedules?MaxResults=five", "ListSchedules", {"MaxResults": "five"}),
        ("DELETE", "/tags/arn?TagKeys=a&TagKeys=b", "UntagResource", {"ResourceArn": "arn", "TagKeys": ["a", "b"]}),
        ("PATCH", "/schedules/a", "PATCH /schedules/a", {}),
        ("GET", "/schedules/a/b", "GET /schedules/a/b", {}),
    ],
)
def test_paths(method: str, path: str, operation: str, params: Doc) -> None:
    headers = {"authorization": "Credential=a/20260101/eu-west-1/scheduler/aws4_request"}
    asked = Incoming(method=method, path=path, headers=headers, body=b"", default_region="")
    assert asked.read() == (operation, params)


def test_members_are_read_where_they_belong() -> None:
    assert rest.read("scheduler", "PUT", "/schedules/a", b'{"Name": "b", "State": "ENABLED"}') == (
        "UpdateSchedule",
        {"Name": "a", "State": "ENABLED"},
    )
    assert rest.read("scheduler", "DELETE", "/schedules/a", b'{"GroupName": "g"}') == ("DeleteSchedule", {"Name": "a"})


@pytest.mark.parametrize(("name", "operation"), [("list", "ListAutomationRulesV2"), ("lists", "GetAutomationRuleV2")])
def test_a_word_of_the_path_comes_before_a_name(name: str, operation: str) -> None:
    found = rest.read("securityhub", "GET", f"/automationrulesv2/{name}", b"")
    assert found is not None
    assert found[0] == operation


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b'"x"', pytest.param(b"[" * 100_000, id="deep")])
def test_a_body_that_is_no_object(body: bytes) -> None:
    assert rest.read("scheduler", "PUT", "/schedules/a", body) == ("UpdateSchedule", None)


def test_other_protocols_are_not_read_so() -> None:
    for service in ("ecs", "events", "sns", "s3", "", "unheard-of"):
        assert not rest.speaks(service)
    headers = {
        "authorization": "Credential=a/20260101/eu-west-1/scheduler/aws4_request",
        "x-amz-target": "AWSScheduler.GetSchedule",
    }
    asked = Incoming(method="POST", path="/", headers=headers, body=b'{"Name": "a"}', default_region="")
    assert (asked.rest_json, asked.read()) == (False, ("GetSchedule", {"Name": "a"}))


def test_an_answer() -> None:
    asked = written("scheduler", "GetSchedule", {"Name": "a"})
    answer = success(asked, "GetSchedule", {"Name": "a", "CreationDate": EPOCH})
    assert ("Content-Type", "application/json") in answer.headers
    got = understood("scheduler", "GetSchedule", answer)
    assert (answer.status, got["Name"], got["CreationDate"].timestamp()) == (200, "a", EPOCH)


def test_the_status_is_that_of_the_model() -> None:
    asked = written("lambda", "CreateFunction", {"FunctionName": "f"})
    assert success(asked, "CreateFunction", {"FunctionName": "f"}).status == 201


@pytest.mark.parametrize("code", ["ConflictException", "SerializationException"])
def test_a_refusal(code: str) -> None:
    asked = written("scheduler", "UpdateSchedule", {"Name": "a"})
    answer = refusal(asked, AwsError(code, "No.", 409))
    got = understood("scheduler", "UpdateSchedule", answer)
    assert (answer.status, answer.error, got["Error"]) == (409, code, {"Code": code, "Message": "No."})
    assert ("x-amzn-errortype", code) in answer.headers


def test_over_http(client: Client, aws: Sandbox) -> None:
    """Also of services that moto serves, the log and the faults know operations and parameters."""
    pipes = client("pipes")
    aws.fault("ListPipes", "error", code="ThrottlingException", message="Slower.", status=429, match={"Limit": 3})
    with pytest.raises(pipes.exceptions.ThrottlingException) as caught:
        pipes.list_pipes(Limit=3)
    assert isinstance(caught.value, ClientError)
    assert error_of(caught.value) == ("ThrottlingException", "Slower.")
    (logged,) = aws.requests
    assert (logged.service, logged.operation, logged.params, logged.status, logged.error) == (
        "pipes", "ListPipes", {"Limit": 3}, 429, "ThrottlingException",
    )  # fmt: skip


TOO_MANY: Final = AwsError("ThrottlingException", "Rate exceeded", 429)


@pytest.mark.parametrize(
    ("kind", "given", "refused"),
    [
        ("throttle", {}, ("ThrottlingException", "Rate exceeded", 429)),
        ("throttle", {"status": 503, "code": "Slow"}, ("Slow", "Rate exceeded", 503)),
        ("error", {}, ("ServerException", "An error that was ordered.", 400)),
        ("error", {"status": 500, "message": "m"}, ("ServerException", "m", 500)),
    ],
)
def test_a_fault_throttles_as_its_service_does(kind: str, given: Any, refused: tuple[str, str, int]) -> None:
    error = Fault(operation="*", kind=kind, **given).refusal(TOO_MANY)
    assert (error.code, error.message, error.status) == refused


def test_who_throttles_with_which_status() -> None:
    assert [throttled(service, "List").status for service in ("ecs", "events", "sns")] == [400] * 3

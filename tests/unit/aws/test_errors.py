"""Every way in which AWS, or the way to it, says no, as an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from ecsplan.aws.errors import FOR_ALL_CALLS, is_throttled
from ecsplan.aws.errors import refused as made_of
from ecsplan.aws.gateway import Gateway
from ecsplan.core.errors import AwsError, EcsplanError, UsageError
from ecsplan.core.model import Call
from tests.unit.builders import ecs

DESCRIBE = ecs("describe_services", services=["web"])
REGISTER = ecs("register_task_definition", family="web")
UPDATE = ecs("update_service", service="web")
RUN = ecs("run_task", taskDefinition="web")
PUBLISH = Call(service="sns", operation="publish", params={"Message": "x"})


class Client:
    """A boto3 client that answers each operation with what it was given, an exception being raised."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.closed = False

    def __getattr__(self, operation: str) -> Any:
        answer = self._answers[operation]

        def send(**params: Any) -> Any:
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return send

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(region="eu-west-1") as made:
        yield made


def error_of(gateway: Gateway, call: Call, raised: Exception) -> AwsError:
    client = Client(**{call.operation: raised})
    for once in (True, False):
        gateway._clients[call.service, once] = client
    with pytest.raises(AwsError) as caught:
        gateway.do(call)
    return caught.value


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "UpdateService")


# --- AWS answered ---


def test_a_refusal_says_what_was_tried_and_what_aws_answered(gateway: Gateway) -> None:
    error = error_of(gateway, UPDATE, refused("ServiceNotFoundException", "Service not found."))
    assert error.message == "ecs:update_service: ServiceNotFoundException: Service not found."
    assert (error.service, error.operation, error.code) == ("ecs", "update_service", "ServiceNotFoundException")
    assert (error.unclear, error.hint) == (False, "")


def test_a_refusal_without_a_reason_says_so(gateway: Gateway) -> None:
    assert error_of(gateway, UPDATE, refused("X", "")).message == "ecs:update_service: X: AWS gave no reason"
    bare: Any = {}
    assert "AWS gave no reason" in error_of(gateway, UPDATE, ClientError(bare, "UpdateService")).message


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("ExpiredToken", "The credentials have expired: sign in again."),
        ("ExpiredTokenException", "The credentials have expired: sign in again."),
        ("RequestExpired", "The credentials have expired: sign in again."),
        ("UnrecognizedClientException", "AWS does not accept these credentials"),
        ("InvalidClientTokenId", "AWS does not accept these credentials"),
        ("SignatureDoesNotMatch", "AWS does not accept these credentials"),
        ("AccessDenied", "The role in use needs permission for ecs:UpdateService."),
        ("AccessDeniedException", "The role in use needs permission for ecs:UpdateService."),
    ],
)
def test_refusals_that_people_can_help_say_how(gateway: Gateway, code: str, hint: str) -> None:
    assert error_of(gateway, UPDATE, refused(code)).hint.startswith(hint)


@pytest.mark.parametrize("call", [REGISTER, PUBLISH, UPDATE], ids=str)
def test_after_a_server_error_nobody_knows_whether_it_was_carried_out(gateway: Gateway, call: Call) -> None:
    assert error_of(gateway, call, refused("ServerException", status=500)).unclear is True
    assert error_of(gateway, call, refused("ServiceUnavailable", status=503)).unclear is True
    assert error_of(gateway, call, refused("ClientException", status=400)).unclear is False


def test_a_refusal_of_a_repetition_says_nothing_about_the_first(gateway: Gateway) -> None:
    """botocore repeated the request: the answer to the first may have been lost after it was carried out."""
    error = refused("ClientException")
    error.response["ResponseMetadata"]["RetryAttempts"] = 1
    assert error_of(gateway, UPDATE, error).unclear is True


def test_a_token_that_came_before_says_nothing_about_the_call_that_it_came_with(gateway: Gateway) -> None:
    assert error_of(gateway, RUN, refused("ConflictException")).unclear is True


def test_throttling_is_no_other_refusal(gateway: Gateway) -> None:
    for code, throttled in (
        ("ThrottlingException", True),
        ("Throttling", True),
        ("TooManyRequestsException", True),
        ("RequestLimitExceeded", True),
        ("ConcurrentModificationException", False),
        ("ClientException", False),
        ("AccessDeniedException", False),
    ):
        assert is_throttled(error_of(gateway, REGISTER, refused(code))) is throttled


# --- nobody answered ---


NO_CREDENTIALS, NO_CONNECTION, BROKE = "NoCredentials", "NoConnection", "the connection broke before an answer came"
PARTIAL = exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY")
PROXY = exceptions.ProxyConnectionError(proxy_url="http://proxy", error=OSError())
URL = "https://ecs"


@pytest.mark.parametrize(
    ("raised", "code", "said", "hint"),
    [
        (exceptions.NoCredentialsError(), NO_CREDENTIALS, "no AWS credentials were found", "Sign in, set AWS_PROFILE"),
        (PARTIAL, NO_CREDENTIALS, "no AWS credentials were found", "Sign in, set AWS_PROFILE"),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="gone"), NO_CREDENTIALS, "gone", "Sign in again."),
        (exceptions.TokenRetrievalError(provider="x", error_msg="gone"), NO_CREDENTIALS, "gone", "Sign in again."),
        (exceptions.UnauthorizedSSOTokenError(), NO_CREDENTIALS, "SSO", "Sign in again."),
        (exceptions.ParamValidationError(report="Unknown x"), "BadParameters", "Unknown x", ""),
        (exceptions.EndpointConnectionError(endpoint_url=URL), NO_CONNECTION, "Could not connect", "Check the network"),
        (exceptions.ConnectTimeoutError(endpoint_url=URL), NO_CONNECTION, "Connect timeout", "Check the network"),
        (PROXY, NO_CONNECTION, "proxy", "Check the network"),
        (exceptions.ReadTimeoutError(endpoint_url=URL), NO_CONNECTION, BROKE, ""),
        (exceptions.ConnectionClosedError(endpoint_url=URL), NO_CONNECTION, BROKE, ""),
        (exceptions.HTTPClientError(error="x"), NO_CONNECTION, BROKE, ""),
        (exceptions.UnknownServiceError(service_name="x", known_service_names=[]), "UnknownServiceError", "x", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_kept_an_answer_away(gateway: Gateway, raised: Exception, code: str, said: str, hint: str) -> None:
    error = error_of(gateway, UPDATE, raised)
    assert (error.code, error.unclear) == (code, said is BROKE)
    assert error.message.startswith("ecs:update_service: ")
    assert said in error.message
    assert error.hint.startswith(hint)
    assert bool(error.hint) is bool(hint)


@pytest.mark.parametrize(
    "raised",
    [exceptions.ResponseStreamingError(error="cut off"), ResponseParserError("invalid XML received")],
    ids=lambda raised: type(raised).__name__,
)
def test_an_answer_that_cannot_be_read_is_unclear(gateway: Gateway, raised: Exception) -> None:
    """The request arrived somewhere: what broke is the answer, or it is the page of a proxy."""
    error = error_of(gateway, REGISTER, raised)
    assert error.unclear is True
    assert error.message.startswith("ecs:register_task_definition: ")


def test_a_region_that_is_missing_is_a_usage_error(gateway: Gateway) -> None:
    gateway._clients["ecs", False] = Client(update_service=exceptions.NoRegionError())
    with pytest.raises(UsageError, match="nothing was sent"):
        gateway.do(UPDATE)


def test_a_fault_of_ours_is_not_taken_for_an_answer(gateway: Gateway) -> None:
    gateway._clients["ecs", False] = Client(update_service=KeyError("x"))
    with pytest.raises(KeyError):
        gateway.do(UPDATE)


# --- an answer, or an error for all ---


def test_what_aws_refuses_is_an_answer(gateway: Gateway) -> None:
    gateway._clients["ecs", False] = Client(describe_services=refused("ClusterNotFoundException"))
    (answer,) = gateway.reader().fetch([DESCRIBE])
    assert answer.error is not None
    assert (answer.call, answer.data, answer.error.code) == (DESCRIBE, None, "ClusterNotFoundException")
    with pytest.raises(AwsError, match="ClusterNotFoundException"):
        answer.value()


@pytest.mark.parametrize("code", ["ExpiredToken", "UnrecognizedClientException", "InvalidSignatureException"])
def test_what_concerns_all_calls_is_raised(gateway: Gateway, code: str) -> None:
    gateway._clients["ecs", False] = Client(describe_services=refused(code))
    with pytest.raises(AwsError, match=code):
        gateway.reader().fetch([DESCRIBE])


@pytest.mark.parametrize("raised", [exceptions.NoCredentialsError(), exceptions.ReadTimeoutError(endpoint_url="x")])
def test_what_keeps_any_call_from_being_answered_is_raised(gateway: Gateway, raised: Exception) -> None:
    gateway._clients["ecs", False] = Client(describe_services=raised)
    with pytest.raises(EcsplanError):
        gateway.reader().fetch([DESCRIBE])


def test_one_refusal_does_not_hide_the_other_answers(gateway: Gateway) -> None:
    client = Client(describe_services=refused("AccessDeniedException"), describe_clusters={"clusters": []})
    gateway._clients["ecs", False] = client
    first, second = gateway.reader().fetch([DESCRIBE, ecs("describe_clusters")])
    assert first.error is not None
    assert second.value() == {"clusters": []}


@pytest.mark.parametrize(
    ("raised", "locked_out"),
    [
        (refused("ExpiredToken"), True),
        (refused("InvalidClientTokenId"), True),
        (exceptions.NoCredentialsError(), True),
        (exceptions.EndpointConnectionError(endpoint_url=URL), False),
        (exceptions.ReadTimeoutError(endpoint_url=URL), False),
        (refused("ThrottlingException"), False),
    ],
    ids=str,
)
def test_only_credentials_that_will_not_do_lock_out(gateway: Gateway, raised: Exception, locked_out: bool) -> None:
    """A connection may come back by itself; credentials do not."""
    assert error_of(gateway, UPDATE, raised).locked_out is locked_out


def test_codes_for_all_calls_say_what_to_do(gateway: Gateway) -> None:
    said = {code: error_of(gateway, UPDATE, refused(code)).hint for code in FOR_ALL_CALLS if not code.startswith("No")}
    assert all(said.values())


def test_metadata_of_the_answer_is_left_out(gateway: Gateway) -> None:
    gateway._clients["ecs", False] = Client(update_service={"service": {}, "ResponseMetadata": {"RequestId": "x"}})
    assert gateway.do(UPDATE) == {"service": {}}


def test_clients_are_closed_with_the_gateway() -> None:
    client = Client()
    with Gateway(region="eu-west-1") as gateway:
        gateway._clients["ecs", False] = client
    assert client.closed


def test_the_action_that_aws_names_is_the_one_that_lacks() -> None:
    said = (
        "User: arn:aws:sts::1:x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/scheduler"
    )
    error = ClientError({"Error": {"Code": "AccessDeniedException", "Message": said}}, "UpdateSchedule")
    update = Call(service="scheduler", operation="update_schedule", params={})
    assert made_of(update, error).hint == "The role in use needs permission for iam:PassRole."

"""What AWS, or the way to it, answers instead of data: botocore's exceptions as errors that say what to do.

botocore is imported inside functions: it takes longer to import than all of ecsplan.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ecsplan.core.errors import AwsError, EcsplanError, UsageError
from ecsplan.core.model import Call
from ecsplan.core.text import short_arn

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

# What AWS answers to too many requests.
TOO_OFTEN = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
BAD_KEYS = frozenset(
    {"UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidSignatureException"}
)
NO_CREDENTIALS, NO_CONNECTION, BAD_PARAMETERS = "NoCredentials", "NoConnection", "BadParameters"
FOR_ALL_CALLS = EXPIRED | BAD_KEYS | {NO_CREDENTIALS, NO_CONNECTION}  # codes that any other call would meet as well
# RunTask: an earlier call had the same client token, and its result has to be looked up.
TOKEN_USED = "ConflictException"  # noqa: S105  an error code, not a secret

_DENIED = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")
HOW_TO_SIGN_IN = "Sign in, set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."


def is_throttled(error: AwsError) -> bool:
    """AWS did nothing because it takes too many requests; the same call may succeed later."""
    return error.code in TOO_OFTEN


def refused(call: Call, error: ClientError) -> AwsError:
    """AWS answered with an error."""
    detail = error.response.get("Error", {})
    code, message = str(detail.get("Code", "")), str(detail.get("Message", "") or "AWS gave no reason")
    metadata = error.response.get("ResponseMetadata", {})
    # botocore repeats requests. A refusal of the second one says nothing about the first, whose answer may be lost.
    unclear = metadata.get("HTTPStatusCode", 0) >= 500 or metadata.get("RetryAttempts", 0) > 0
    unclear |= code == TOKEN_USED and call.operation == "run_task"
    hint = ""
    if code in EXPIRED:
        hint = "The credentials have expired: sign in again."
    elif code in BAD_KEYS:
        hint = "AWS does not accept these credentials: check the profile, or AWS_ACCESS_KEY_ID and its secret."
    elif "AccessDenied" in code:
        # Often another action than the one that was called: iam:PassRole for a role that a request names.
        named = _DENIED.search(message)
        hint = f"The role in use needs permission for {named[1] if named else call.action}."
    elif code == "ClusterNotFoundException":  # AWS's message names none
        cluster = short_arn(call.params.get("cluster") or "default")
        hint = f"There is no cluster {cluster} in this account and region; clusters are created elsewhere."
    locked_out = code in EXPIRED | BAD_KEYS
    return AwsError.of(call, f"{code}: {message}", code=code, unclear=unclear, locked_out=locked_out, hint=hint)


def unknown_operation(call: Call) -> AwsError:
    """The installed SDK is older than the operation."""
    message = "the installed botocore does not know it"
    return AwsError.of(call, message, code="UnknownOperation", hint="Install a newer boto3.")


def unreadable(call: Call, error: Exception) -> AwsError:
    """The answer cannot be parsed: the page of a proxy, for example."""
    return AwsError.of(
        call,
        f"the answer is not one of AWS and could not be read: {error}",
        code=NO_CONNECTION,
        unclear=True,
        hint="Check whether a proxy answers in AWS's place.",
    )


def unanswered(call: Call, error: BotoCoreError) -> EcsplanError:
    """botocore got no answer, or sent nothing at all."""
    from botocore import exceptions

    unclear, code, hint = False, type(error).__name__, ""
    message = str(error)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        code, message, hint = NO_CREDENTIALS, "no AWS credentials were found", HOW_TO_SIGN_IN
    elif isinstance(error, exceptions.CredentialRetrievalError | exceptions.TokenRetrievalError | exceptions.SSOError):
        code, hint = NO_CREDENTIALS, "Sign in again."
    elif isinstance(error, exceptions.NoRegionError | exceptions.InvalidRegionError):
        return UsageError(f"{error}; nothing was sent", hint="Set the region with --region, or in the spec.")
    elif isinstance(error, exceptions.ParamValidationError):
        code = BAD_PARAMETERS
    elif isinstance(
        error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError | exceptions.ProxyConnectionError
    ):
        code, hint = NO_CONNECTION, "Check the network, the region and AWS_ENDPOINT_URL."
    elif isinstance(error, exceptions.HTTPClientError):
        code, unclear = NO_CONNECTION, True
        message = f"the connection broke before an answer came: {error}"
    return AwsError.of(call, message, code=code, unclear=unclear, locked_out=code == NO_CREDENTIALS, hint=hint)

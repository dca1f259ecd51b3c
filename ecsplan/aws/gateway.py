"""The way to AWS: one session, clients made once and shared, concurrent reads, errors translated (the only importer
of boto3).

Two ports come out of it and no more. A `AwsReader` refuses every operation that does not read; `do` is handed to the
executor alone, so nothing else can write.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ecsplan.aws.api import loader
from ecsplan.aws.pacing import Pace, Turn, rate_of
from ecsplan.core import events
from ecsplan.core.clock import SystemClock
from ecsplan.core.errors import AwsError, EcsplanError, UsageError
from ecsplan.core.model import Call, Doc, Identity, to_data
from ecsplan.core.ports import Answer

if TYPE_CHECKING:
    from ecsplan.core.clock import Clock

THREADS = 25  # so that 50 services and 10 rules are asked for at once, and updated in two turns; made when needed
READS = ("describe_", "get_", "list_", "head_")

# Requests that botocore must not repeat by itself: those that make something new each time they arrive, and those that
# are asked again a moment later and must not keep anything waiting until then.
ONCE = frozenset({"ecs:register_task_definition", "sns:publish", "logs:get_log_events"})

CONNECT_TIMEOUT, READ_TIMEOUT = 5, 60  # seconds
ATTEMPTS = 5  # of everything that may be repeated, in botocore's standard mode: with backoff, jitter and a retry quota

ROUNDS = 3  # of those attempts, for a read that is only ever throttled

# What AWS answers when asked too often. The last is a ClientException that botocore does not repeat.
TOO_OFTEN = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
# EventBridge says the second when another change of the same rule is under way.
THROTTLED = TOO_OFTEN | {"ConcurrentModificationException"}
TOO_MANY_AT_ONCE = "Too many concurrent attempts to create a new revision of the specified family"
# ECS answers from several places: of a revision that was just registered one of them may not have heard yet.
NOT_YET = ("Unable to describe task definition", "TaskDefinition not found")
USING_REVISIONS = ("update_service", "run_task")


def is_throttled(error: AwsError) -> bool:
    """AWS did nothing and wants to be asked again later."""
    if error.operation in USING_REVISIONS and any(text in error.message for text in NOT_YET):
        return True
    return error.code in THROTTLED or TOO_MANY_AT_ONCE in error.message


class Gateway:
    """AWS, for one identity and region. Close it, or use it as a context manager."""

    def __init__(
        self,
        *,
        region: str | None = None,
        profile: str | None = None,
        assume_role: str | None = None,
        clock: Clock | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Nothing is sent and botocore is not imported before the first call. Waiting for AWS's pace goes by `clock`,
        and ends with StoppingError when `stop` is set."""
        self._region, self._profile, self._assume_role = region, profile, assume_role
        self._session: Any = None
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="aws")
        self._identity: Future[Identity] | None = None
        clock, stop = clock or SystemClock(self._closed), stop or self._closed
        self._pace = Pace(clock.now, clock.sleep, lambda: stop.is_set() or self._closed.is_set())
        self._lines: dict[object, ThreadPoolExecutor] = {}  # of reads for which AWS has no room yet, by rate
        self._here = threading.local()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closed.set()
        for pool in (*self._lines.values(), self._pool):  # what they still hold is answered at once: not sent any more
            pool.shutdown(wait=False)
        for client in list(self._clients.values()):  # a thread may be making another one right now
            client.close()

    def identity(self) -> Future[Identity]:
        """The account and region, asked for once and in the background; its result raises AwsError or UsageError."""
        with self._lock:
            if self._identity is None:
                self._identity = self._pool.submit(self._get_identity)
            return self._identity

    def reader(self) -> AwsReader:
        """An `Reader` that remembers its answers: for one look at the world."""
        return AwsReader(self, remember=True)

    def poller(self) -> AwsReader:
        """An `Reader` that asks anew each time: for waiting."""
        return AwsReader(self, remember=False)

    def listen(self, told: events.Listener) -> None:
        """Have somebody told of long waits for AWS's pace."""
        self._pace.told = told

    def do(self, call: Call) -> Doc:
        """Send any call. Raises AwsError; `unclear` tells that nobody knows whether it was carried out."""
        return self._send_in_turn(call, self._pace.turn(call))

    def submit(self, call: Call) -> Future[Answer]:
        """Send a read from one of the threads, or, while AWS has no room for it, as soon as it has."""
        self._check_open(call)
        if turn := self._pace.turn_now(call):
            return self._pool.submit(self._answer, call, turn)
        answer: Future[Answer] = Future()
        with self._lock:
            rate = rate_of(call)
            if rate not in self._lines:
                self._lines[rate] = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aws-line")
        self._lines[rate].submit(self._queue, call, answer)
        return answer

    def _queue(self, call: Call, answer: Future[Answer]) -> None:
        """The threads are kept free for what can be sent; nothing but the wait happens here."""
        try:
            turn = self._pace.turn(call, announced=True)
            self._pool.submit(self._answer, call, turn).add_done_callback(partial(_pass_on, answer))
        except Exception as error:
            answer.set_exception(error)

    def _answer(self, call: Call, turn: Turn) -> Answer:
        """What AWS refuses is an answer; what keeps any call from being answered is raised."""
        for further in reversed(range(ROUNDS)):
            try:
                return Answer(call=call, data=self._send_in_turn(call, turn))
            except AwsError as error:
                if error.code in TOO_OFTEN and further:
                    turn.again()
                    continue
                if error.code in FOR_ALL_CALLS:
                    raise
                return Answer(call=call, error=error)
        raise AssertionError("the last round returns or raises")

    def _send_in_turn(self, call: Call, turn: Turn) -> Doc:
        self._here.turn = turn
        try:
            return self._send(call)
        finally:
            turn.over()

    def _before_send(self, **_: Any) -> None:
        """botocore sends a request, for the first time or again."""
        self._here.turn.again()

    def _received(self, parsed_response: Any = None, **_: Any) -> None:
        """It has an answer, or knows that there will be none."""
        code = (parsed_response or {}).get("Error", {}).get("Code")
        self._here.turn.answered(throttled=code in TOO_OFTEN)

    def _send(self, call: Call) -> Doc:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        once = str(call) in ONCE
        try:
            self._check_open(call)
            send = getattr(self._client(call.service, once), call.operation, None)
            if send is None:
                raise _unknown(call)
            self._check_open(call)  # making the client takes its time
            answer = send(**call.params)
        except ClientError as error:
            raise _refused(call, error) from error
        except ResponseParserError as error:  # the page of a proxy, for example
            raise _unreadable(call, error) from error
        except BotoCoreError as error:
            raise _not_sent(call, error) from error
        answer.pop("ResponseMetadata", None)
        return dict(answer)

    def _check_open(self, call: Call) -> None:
        if self._closed.is_set():  # by a command that has failed meanwhile
            raise AwsError(f"{call}: not sent any more", service=call.service, operation=call.operation)

    def _client(self, service: str, once: bool) -> Any:
        # Making clients in several threads is slower than one after the other, so this is the one place.
        with self._lock:
            key = (service, once)
            if key not in self._clients:
                from botocore.config import Config

                config = Config(
                    retries={"mode": "standard", "total_max_attempts": 1 if once else ATTEMPTS},
                    max_pool_connections=THREADS,
                    connect_timeout=CONNECT_TIMEOUT,
                    read_timeout=READ_TIMEOUT,
                    user_agent_extra="ecsplan",
                )
                try:
                    client = self._clients[key] = self._get_session().client(service, config=config)
                    client.meta.events.register("before-send", self._before_send)
                    client.meta.events.register("response-received", self._received)
                except ValueError as error:  # "Invalid endpoint: …"
                    raise UsageError(f"{error}; nothing was sent", hint="Check AWS_ENDPOINT_URL.") from error
            return self._clients[key]

    def _get_session(self) -> Any:
        if self._session is None:
            import boto3
            from botocore.exceptions import BotoCoreError, ProfileNotFound

            try:
                session = _new_session(self._region, self._profile)
                if session.get_config_variable("region") is None:
                    raise UsageError(
                        "no AWS region is set; nothing was sent",
                        hint='Set it with --region, with `region = "…"` in the spec, or with AWS_DEFAULT_REGION.',
                    )
                if self._assume_role:
                    session = self._assumed(session, self._assume_role)
            except ProfileNotFound as error:
                raise UsageError(f"{error}; nothing was sent") from error
            except BotoCoreError as error:
                raise UsageError(f"the AWS configuration cannot be used: {error}; nothing was sent") from error
            self._session = boto3.session.Session(botocore_session=session)
        return self._session

    def _assumed(self, session: Any, role: str) -> Any:
        """A session in another role, whose credentials renew themselves: a deployment can outlast them."""
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

        source = session.get_credentials()
        if source is None:
            raise AwsError(
                f"no AWS credentials were found to assume {role} with", code=NO_CREDENTIALS, hint=HOW_TO_SIGN_IN
            )
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=session.create_client,
            source_credentials=source,
            role_arn=role,
            extra_args={"RoleSessionName": "ecsplan"},
        )
        assumed = _new_session(session.get_config_variable("region"))
        # botocore has no public way to hand over credentials that renew themselves; this one is used all over its docs.
        credentials = DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
        vars(assumed)["_credentials"] = credentials
        return assumed

    def _get_identity(self) -> Identity:
        answer = self.do(Call(service="sts", operation="get_caller_identity", params={}))
        return Identity(account=str(answer["Account"]), region=str(self._get_session().region_name))


def _new_session(region: str | None, profile: str | None = None) -> Any:
    """botocore's, for boto3's to hold: with models that were read already."""
    import botocore.session

    session = botocore.session.Session(profile=profile)
    if region is not None:
        session.set_config_variable("region", region)
    if session.get_config_variable("data_path") is None:  # otherwise somebody's own models are meant
        session.register_component("data_loader", loader())
    return session


def _pass_on(answer: Future[Answer], done: Future[Answer]) -> None:
    if error := done.exception():
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


class AwsReader:
    """The `Reader` port: all calls at once through the gateway's threads."""

    def __init__(self, gateway: Gateway, *, remember: bool) -> None:
        self._gateway, self._remember = gateway, remember
        self._answers: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        futures = [self._submit(call) for call in calls]
        return tuple(future.result() for future in futures)

    def _submit(self, call: Call) -> Future[Answer]:
        if not call.operation.startswith(READS):
            raise ValueError(f"{call} does not read; only the executor may write")
        if not self._remember:
            return self._gateway.submit(call)
        key = json.dumps(to_data(call), sort_keys=True)
        with self._lock:
            if key not in self._answers:
                self._answers[key] = self._gateway.submit(call)
            return self._answers[key]


# --- errors ---

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
BAD_KEYS = frozenset(
    {"UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidSignatureException"}
)
NO_CREDENTIALS, NO_CONNECTION, BAD_PARAMETERS = "NoCredentials", "NoConnection", "BadParameters"
# RunTask: its client token came before, and what became of that call is to be looked up.
TOKEN_USED = "ConflictException"  # noqa: S105  an error code, not a secret
HOW_TO_SIGN_IN = "Sign in, set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
FOR_ALL_CALLS = EXPIRED | BAD_KEYS | {NO_CREDENTIALS, NO_CONNECTION}


def _refused(call: Call, error: Any) -> AwsError:
    """AWS answered, with an error."""
    detail = error.response.get("Error", {})
    code, message = str(detail.get("Code", "")), str(detail.get("Message", "") or "AWS gave no reason")
    metadata = error.response.get("ResponseMetadata", {})
    # botocore repeats requests: a refusal of the second says nothing about the first, whose answer may have been lost.
    unclear = metadata.get("HTTPStatusCode", 0) >= 500 or metadata.get("RetryAttempts", 0) > 0
    unclear |= code == TOKEN_USED and call.operation == "run_task"
    hint = ""
    if code in EXPIRED:
        hint = "The credentials have expired: sign in again."
    elif code in BAD_KEYS:
        hint = "AWS does not accept these credentials: check the profile, or AWS_ACCESS_KEY_ID and its secret."
    elif "AccessDenied" in code:
        hint = f"The role in use needs permission for {call}."
    return AwsError(
        f"{call}: {code}: {message}",
        service=call.service,
        operation=call.operation,
        code=code,
        unclear=unclear,
        locked_out=code in EXPIRED | BAD_KEYS,
        hint=hint,
    )


def _unknown(call: Call) -> AwsError:
    """The installed SDK is older than the operation."""
    return AwsError(
        f"{call}: the installed botocore does not know it",
        service=call.service,
        operation=call.operation,
        code="UnknownOperation",
        hint="Install a newer boto3.",
    )


def _unreadable(call: Call, error: Exception) -> AwsError:
    return AwsError(
        f"{call}: the answer is not one of AWS and could not be read: {error}",
        service=call.service,
        operation=call.operation,
        code=NO_CONNECTION,
        unclear=True,
        hint="Check whether a proxy answers in AWS's place.",
    )


def _not_sent(call: Call, error: Any) -> EcsplanError:
    """botocore did not get an answer, or did not send at all."""
    from botocore import exceptions

    unclear, code, hint = False, type(error).__name__, ""
    message = str(error)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        code, message = NO_CREDENTIALS, "no AWS credentials were found"
        hint = HOW_TO_SIGN_IN
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
    return AwsError(
        f"{call}: {message}",
        service=call.service,
        operation=call.operation,
        code=code,
        unclear=unclear,
        locked_out=code == NO_CREDENTIALS,
        hint=hint,
    )

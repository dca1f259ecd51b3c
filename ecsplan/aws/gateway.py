"""The connection to AWS: one session, clients made once and shared, concurrent reads (the only importer of boto3).

It has two ports. An `AwsReader` refuses every operation that does not read. `do` is given to `apply/` alone, so
nothing else can write.

boto3 and botocore are imported inside functions, because they take longer to import than all of ecsplan.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from ecsplan.aws.api import loader
from ecsplan.aws.errors import (
    FOR_ALL_CALLS,
    HOW_TO_SIGN_IN,
    NO_CREDENTIALS,
    TOO_OFTEN,
    refused,
    unanswered,
    unknown_operation,
    unreadable,
)
from ecsplan.aws.pacing import Pacer, rate_of
from ecsplan.core import events
from ecsplan.core.clock import Clock, SystemClock
from ecsplan.core.codec import to_data
from ecsplan.core.errors import AwsError, UsageError
from ecsplan.core.model import Call, Doc, Identity
from ecsplan.core.ports import Answer

THREADS = 25  # so that 50 services and 10 rules are asked for at once, and updated in two turns; made when needed
READS = ("describe_", "get_", "list_", "head_")

# Requests that botocore must not repeat by itself: those that make something new each time they arrive, and those that
# are repeated by the next poll anyway and must not delay it.
ONCE = frozenset({"ecs:register_task_definition", "sns:publish", "logs:get_log_events"})

CONNECT_TIMEOUT, READ_TIMEOUT = 5, 60  # seconds
ATTEMPTS = 5  # of everything that may be repeated, in botocore's standard mode: with backoff, jitter and a retry quota
ROUNDS = 3  # of those attempts, for a read that is throttled each time


class Gateway:
    """AWS, for one identity and region. Close it, or use it as a context manager."""

    def __init__(
        self,
        *,
        region: str | None = None,
        fallback_region: str | None = None,
        profile: str | None = None,
        assume_role: str | None = None,
        clock: Clock | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Nothing is sent and botocore is not imported before the first call. Waiting for AWS's request rates
        uses `clock`, and ends with Interrupted when `stop` is set. Without `region` boto3's settings count, and without
        these `fallback_region`."""
        self._region, self._profile, self._assume_role = region, profile, assume_role
        self._fallback_region = fallback_region
        self._session: Any = None
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="aws")
        self._identity: Future[Identity] | None = None
        clock, stop = clock or SystemClock(self._closed), stop or self._closed
        self._pacer = Pacer(clock.now, clock.sleep, lambda: stop.is_set() or self._closed.is_set())
        self._queues: dict[object, ThreadPoolExecutor] = {}  # reads that wait for a bucket, by its rate
        self._sending = threading.local()  # `call`, and whether there is a token for its next attempt

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closed.set()
        for pool in (*self._queues.values(), self._pool):  # the calls that they still hold fail at once, unsent
            pool.shutdown(wait=False)
        for client in list(self._clients.values()):  # another thread may be adding one
            client.close()

    def identity(self) -> Future[Identity]:
        """The account and region, fetched once and in the background; its result raises AwsError or UsageError."""
        with self._lock:
            if self._identity is None:
                self._identity = self._pool.submit(self._get_identity)
            return self._identity

    def reader(self) -> AwsReader:
        """A `Reader` that remembers its answers: for one view of AWS."""
        return AwsReader(self, remember=True)

    def poller(self) -> AwsReader:
        """A `Reader` that sends each call anew: for waiting."""
        return AwsReader(self, remember=False)

    def listen(self, listener: events.Listener) -> None:
        """Report long waits for AWS's request rates to `listener`."""
        self._pacer.on_wait = listener

    def do(self, call: Call) -> Doc:
        """Send any call. Raises AwsError, which is `unclear` if the call may have been carried out."""
        self._pacer.acquire(call)
        return self._send_paced(call)

    def submit(self, call: Call) -> Future[Answer]:
        """Send a read in one of the threads. One that has to wait for its bucket does so in a queue of that bucket, so
        that the threads stay free for others."""
        self._check_open(call)
        if self._pacer.try_acquire(call):
            return self._pool.submit(self._answer, call)
        answer: Future[Answer] = Future()
        with self._lock:
            rate = rate_of(call)
            if rate not in self._queues:
                self._queues[rate] = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aws-queue")
        self._queues[rate].submit(self._wait_and_submit, call, answer)
        return answer

    def _wait_and_submit(self, call: Call, answer: Future[Answer]) -> None:
        try:
            self._pacer.acquire(call, announced=True)
            self._pool.submit(self._answer, call).add_done_callback(partial(_pass_on, answer))
        except Exception as error:
            answer.set_exception(error)

    def _answer(self, call: Call) -> Answer:
        """Send a read that has its token. An error that concerns this call alone is an answer; others are raised."""
        for further in reversed(range(ROUNDS)):
            try:
                return Answer(call=call, data=self._send_paced(call))
            except AwsError as error:
                if error.code in TOO_OFTEN and further:
                    self._pacer.acquire(call)
                    continue
                if error.code in FOR_ALL_CALLS:
                    raise
                return Answer(call=call, error=error)
        raise AssertionError("the last round returns or raises")

    def _send_paced(self, call: Call) -> Doc:
        """Send a call that has its token, which is put back if nothing was sent."""
        here = self._sending
        here.call, here.token = call, True
        try:
            return self._send(call)
        finally:
            if here.token:
                here.token = False
                self._pacer.cancel(call)

    def _before_send(self, **_: Any) -> None:
        """botocore sends a request of this thread's call. Its own repetitions need a token each."""
        here = self._sending
        if not here.token:
            self._pacer.acquire(here.call)
            here.token = True

    def _received(self, parsed_response: Any = None, **_: Any) -> None:
        """botocore has an answer, or has lost it."""
        here = self._sending
        if here.token:
            here.token = False
            code = (parsed_response or {}).get("Error", {}).get("Code")
            self._pacer.release(here.call, throttled=code in TOO_OFTEN)

    def _send(self, call: Call) -> Doc:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        once = str(call) in ONCE
        try:
            self._check_open(call)
            send = getattr(self._client(call.service, once), call.operation, None)
            if send is None:
                raise unknown_operation(call)
            self._check_open(call)  # again, because making the client takes time
            answer = send(**call.params)
        except ClientError as error:
            raise refused(call, error) from error
        except ResponseParserError as error:
            raise unreadable(call, error) from error
        except BotoCoreError as error:
            raise unanswered(call, error) from error
        answer.pop("ResponseMetadata", None)
        return dict(answer)

    def _check_open(self, call: Call) -> None:
        if self._closed.is_set():  # the command has failed while other threads were still sending
            raise AwsError.of(call, "not sent, shutting down")

    def _client(self, service: str, once: bool) -> Any:
        # One after the other: several threads that make clients at once take longer.
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
                    if not self._fallback_region:
                        raise UsageError(
                            "no AWS region is set; nothing was sent",
                            hint='Set it with --region, with `region = "…"` in the spec, or with AWS_REGION.',
                        )
                    session.set_config_variable("region", self._fallback_region)
                if self._assume_role:
                    session = self._assumed(session, self._assume_role)
            except ProfileNotFound as error:
                raise UsageError(f"{error}; nothing was sent") from error
            except BotoCoreError as error:
                raise UsageError(f"the AWS configuration cannot be used: {error}; nothing was sent") from error
            self._session = boto3.session.Session(botocore_session=session)
        return self._session

    def _assumed(self, session: Any, role: str) -> Any:
        """A session in another role. Its credentials renew themselves, because a deployment can outlast them."""
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
        # botocore has no public way to set credentials that renew themselves; its documentation uses this one.
        credentials = DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
        vars(assumed)["_credentials"] = credentials
        return assumed

    def _get_identity(self) -> Identity:
        answer = self.do(Call(service="sts", operation="get_caller_identity", params={}))
        return Identity(account=str(answer["Account"]), region=str(self._get_session().region_name))


def _new_session(region: str | None, profile: str | None = None) -> Any:
    """A session of botocore that shares the models which the checks have read."""
    import botocore.session

    session = botocore.session.Session(profile=profile)
    if region is not None:
        session.set_config_variable("region", region)
    if session.get_config_variable("data_path") is None:  # otherwise the user has models of their own
        session.register_component("data_loader", loader())
    return session


def _pass_on(answer: Future[Answer], done: Future[Answer]) -> None:
    if error := done.exception():
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


class AwsReader:
    """The `Reader` port: sends all calls at once, in the gateway's threads."""

    def __init__(self, gateway: Gateway, *, remember: bool) -> None:
        self._gateway, self._remember = gateway, remember
        self._answers: dict[str, Future[Answer]] = {}
        self._lock = threading.Lock()

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        futures = [self._submit(call) for call in calls]
        return tuple(future.result() for future in futures)

    def _submit(self, call: Call) -> Future[Answer]:
        if not call.operation.startswith(READS):
            raise ValueError(f"{call} does not read; only `apply/` may write")
        if not self._remember:
            return self._gateway.submit(call)
        key = json.dumps(to_data(call), sort_keys=True)
        with self._lock:
            if key not in self._answers:
                self._answers[key] = self._gateway.submit(call)
            return self._answers[key]

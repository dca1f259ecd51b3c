"""The session, its clients, and the two ports that come out of them. Real clients, and no network."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from ecsplan.aws.gateway import ATTEMPTS, THREADS, Gateway
from ecsplan.core.errors import AwsError, UsageError
from ecsplan.core.model import Call, Identity
from tests.unit.builders import ACCOUNT, REGION, ecs
from tests.unit.fakes import child_environment

ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
WHO = Call(service="sts", operation="get_caller_identity", params={})


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of nobody, and no settings of this machine."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(region=REGION) as made:
        yield made


class Counting:
    """A client that answers everything, and counts."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.meet: threading.Barrier | None = None

    def __getattr__(self, operation: str) -> Any:
        def send(**params: Any) -> dict[str, Any]:
            self.sent.append((operation, params))
            if self.meet is not None:
                self.meet.wait()
            return {"sent": params}

        return send

    def close(self) -> None:
        pass


# --- reading ---


def test_answers_come_in_the_order_of_the_calls(gateway: Gateway) -> None:
    with Stubber(gateway._client("ecs", once=False)) as stub:
        stub.add_response("describe_services", {"services": [], "failures": []}, {"services": ["web"]})
        call = ecs("describe_services", services=["web"])
        (answer,) = gateway.reader().fetch([call])
    assert answer.call == call
    assert answer.value() == {"services": [], "failures": []}
    assert gateway.reader().fetch([]) == ()


def test_a_refusal_of_a_real_client_is_an_answer(gateway: Gateway) -> None:
    with Stubber(gateway._client("ecs", once=False)) as stub:
        stub.add_client_error("describe_services", "ClusterNotFoundException", "Cluster not found.", 400)
        (answer,) = gateway.reader().fetch([ecs("describe_services", services=["web"])])
    assert answer.error is not None
    assert answer.error.message == "ecs:describe_services: ClusterNotFoundException: Cluster not found."


def test_parameters_that_botocore_refuses_are_an_answer(gateway: Gateway) -> None:
    (answer,) = gateway.reader().fetch([ecs("describe_services", services="web")])
    assert answer.error is not None
    assert answer.error.code == "BadParameters"


@pytest.mark.parametrize(
    "operation", ["update_service", "register_task_definition", "run_task", "delete_cluster", "put_targets", "publish"]
)
def test_a_reader_refuses_to_write(gateway: Gateway, operation: str) -> None:
    client = Counting()
    gateway._clients["ecs", False] = gateway._clients["ecs", True] = client
    for reader in (gateway.reader(), gateway.poller()):
        with pytest.raises(ValueError, match=f"^ecs:{operation} does not read; only `apply/` may write$"):
            reader.fetch([ecs("list_services"), ecs(operation)])
    assert operation not in [name for name, _ in client.sent]


def test_a_reader_sends_equal_calls_once(gateway: Gateway) -> None:
    client = gateway._clients["ecs", False] = Counting()
    reader = gateway.reader()
    calls = [ecs("list_services", a=1, b=2), ecs("list_services", b=2, a=1), ecs("list_services", a=2, b=2)]
    first = reader.fetch(calls)
    assert len(client.sent) == 2
    assert first[0].value() == first[1].value() == {"sent": {"a": 1, "b": 2}}
    assert reader.fetch(calls[:1])[0].value() == first[0].value()
    assert len(client.sent) == 2


def test_equal_calls_to_different_services_are_two(gateway: Gateway) -> None:
    one, other = Counting(), Counting()
    gateway._clients["ecs", False], gateway._clients["events", False] = one, other
    gateway.reader().fetch([Call(service=name, operation="list_tags", params={}) for name in ("ecs", "events")])
    assert (len(one.sent), len(other.sent)) == (1, 1)


def test_another_reader_asks_anew(gateway: Gateway) -> None:
    client = gateway._clients["ecs", False] = Counting()
    for _ in range(2):
        gateway.reader().fetch([ecs("list_services")])
    assert len(client.sent) == 2


def test_a_poller_asks_anew_each_time(gateway: Gateway) -> None:
    client = gateway._clients["ecs", False] = Counting()
    poller = gateway.poller()
    for _ in range(3):
        poller.fetch([ecs("list_services")])
    assert len(client.sent) == 3


def test_calls_are_sent_at_once(gateway: Gateway) -> None:
    """Each waits for all others: one after the other, none would ever be answered."""
    client = gateway._clients["ecs", False] = Counting()
    client.meet = threading.Barrier(THREADS, timeout=10)
    assert len(gateway.reader().fetch([ecs("list_services", a=n) for n in range(THREADS)])) == THREADS


# --- clients ---


def test_a_client_is_made_once_and_shared(gateway: Gateway) -> None:
    together, made, lock = threading.Barrier(4, timeout=10), set(), threading.Lock()

    def take() -> None:
        together.wait()
        client = gateway._client("ecs", once=False)
        with lock:
            made.add(id(client))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


@pytest.mark.parametrize(
    ("call", "attempts"),
    [
        (ecs("register_task_definition"), 1),
        (Call(service="sns", operation="publish", params={}), 1),
        (ecs("run_task"), ATTEMPTS),
        (ecs("update_service"), ATTEMPTS),
        (ecs("deregister_task_definition"), ATTEMPTS),
        (Call(service="events", operation="put_targets", params={}), ATTEMPTS),
        (ecs("describe_services"), ATTEMPTS),
    ],
    ids=str,
)
def test_what_makes_something_new_each_time_is_not_repeated_by_botocore(
    gateway: Gateway, call: Call, attempts: int
) -> None:
    """The two clients of a service differ in how often they repeat; the call tells which of them is used."""
    gateway._clients.clear()
    with pytest.raises(AwsError, match="Parameter validation failed"):
        gateway.do(Call(service=call.service, operation=call.operation, params={"nonsense": 1}))
    ((_, once),) = gateway._clients
    config = gateway._clients[call.service, once].meta.config
    assert config.retries["total_max_attempts"] == attempts
    assert config.retries["mode"] == "standard"
    assert config.max_pool_connections == THREADS
    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert "ecsplan" in config.user_agent_extra


def test_nothing_is_imported_before_the_first_call() -> None:
    code = (
        "import sys; from ecsplan.aws.gateway import Gateway; g = Gateway(region='x'); g.reader(); g.close(); "
        "print([n for n in ('boto3', 'botocore') if n in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=child_environment())
    assert done.stdout.strip() == "[]"


# --- who and where ---


def identity(gateway: Gateway) -> Identity:
    with Stubber(gateway._client("sts", once=False)) as stub:
        stub.add_response(
            "get_caller_identity", {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ci", "UserId": "u"}, {}
        )
        return gateway.identity().result()


def test_the_identity_is_account_and_region(gateway: Gateway) -> None:
    assert identity(gateway) == Identity(account=ACCOUNT, region=REGION)


def test_the_identity_is_asked_for_once(gateway: Gateway) -> None:
    assert identity(gateway) == gateway.identity().result()
    assert gateway.identity() is gateway.identity()


def test_the_region_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with Gateway() as gateway:
        assert identity(gateway).region == "us-west-2"


def test_the_region_that_was_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with Gateway(region=REGION) as gateway:
        assert identity(gateway).region == REGION


def test_without_a_region_nothing_is_sent() -> None:
    with Gateway() as gateway, pytest.raises(UsageError, match=r"^no AWS region is set; nothing was sent\n") as caught:
        gateway.do(WHO)
    assert "--region" in caught.value.hint


def test_a_profile_that_there_is_not_is_a_usage_error() -> None:
    with Gateway(region=REGION, profile="nobody") as gateway:
        with pytest.raises(UsageError, match=r"\(nobody\) could not be found; nothing was sent$"):
            gateway.do(WHO)
        with pytest.raises(UsageError, match="nobody"):
            gateway.identity().result()


def test_settings_that_cannot_be_read_are_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default\nregion = x\n")
    with Gateway() as gateway, pytest.raises(UsageError, match="the AWS configuration cannot be used"):
        gateway.do(WHO)


def test_a_region_that_is_none_is_a_usage_error() -> None:
    with Gateway(region="not a region!") as gateway, pytest.raises(UsageError, match="region"):
        gateway.do(WHO)


def test_an_endpoint_that_is_none_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with Gateway(region=REGION) as gateway, pytest.raises(UsageError, match="nonsense; nothing was sent") as caught:
        gateway.do(WHO)
    assert caught.value.hint == "Check AWS_ENDPOINT_URL."


def test_the_region_of_a_profile_counts(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile ops]\nregion = ap-south-1\n")
    with Gateway(profile="ops") as gateway:
        assert identity(gateway).region == "ap-south-1"


# --- another role ---


def test_a_role_is_assumed_lazily_and_signs_the_calls() -> None:
    with Gateway(region=REGION, assume_role=ROLE) as gateway:
        client = gateway._client("ecs", once=False)
        credentials = gateway._session.get_credentials()
        assert credentials.method == "assume-role"
        assert client.meta.region_name == REGION
        assert gateway._session.region_name == REGION


def test_a_role_without_credentials_to_assume_it_is_a_known_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with Gateway(region=REGION, assume_role=ROLE) as gateway, pytest.raises(AwsError) as caught:
        gateway.do(WHO)
    assert caught.value.code == "NoCredentials"


def test_without_credentials_it_says_how_to_get_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with Gateway(region=REGION) as gateway, pytest.raises(AwsError, match="no AWS credentials were found") as caught:
        gateway.do(WHO)
    assert caught.value.hint

"""One embedded AWS for all tests of this folder, empty again for each of them, with a clock that they move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from ecsplan.sandbox import Sandbox
from tests.sandbox.helpers import EPOCH, Clock

Client = Callable[..., Any]


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[Sandbox, Clock]]:
    clock = Clock()
    with Sandbox(clock=clock) as aws:
        yield aws, clock


@pytest.fixture(scope="session")
def made_clients(running: tuple[Sandbox, Clock]) -> Iterator[Client]:
    """Clients by service, region and attempts; each is made once, since making one takes longer than most tests."""
    aws, _ = running
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1")
    made: dict[tuple[Any, ...], Any] = {}
    make: Any = session.client

    def client(service: str, region: str = "eu-west-1", attempts: int = 1, **options: Any) -> Any:
        key = (service, region, attempts, *sorted(options.items()))
        if key not in made:
            retries: Any = {"mode": "standard", "total_max_attempts": attempts}
            config = Config(retries=retries, read_timeout=60, **options)
            made[key] = make(service, region_name=region, endpoint_url=aws.url, config=config)
        return made[key]

    yield client
    for each in made.values():
        each.close()


@pytest.fixture
def aws(running: tuple[Sandbox, Clock]) -> Iterator[Sandbox]:
    sandbox, clock = running
    clock.time = EPOCH
    yield sandbox
    sandbox.reset()


@pytest.fixture
def clock(running: tuple[Sandbox, Clock], aws: Sandbox) -> Clock:
    return running[1]


@pytest.fixture
def client(made_clients: Client, aws: Sandbox) -> Client:
    """``client(service, region="eu-west-1", attempts=1, **config)``: a boto3 client of this test's AWS."""
    return made_clients


@pytest.fixture
def ecs(client: Client) -> Any:
    """ECS with a cluster ``prod``."""
    made = client("ecs")
    made.create_cluster(clusterName="prod")
    return made


@pytest.fixture
def events(client: Client) -> Any:
    return client("events")

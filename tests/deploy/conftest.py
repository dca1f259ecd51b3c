"""One embedded AWS for all tests of this folder (per worker), empty again for each, and a folder to work in."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest

from tests.support.aws import Aws, pausing
from tests.support.clients import lending
from tests.support.clock import EPOCH
from tests.support.processes import PATIENCE
from tests.support.world import World


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """botocore reads AWS's models anew for every session, which takes ten times as long as all else that a command
    does. Every command here makes its own session, as it should; the files behind them do not change meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(scope="session")
def served() -> Iterator[Aws]:
    with Aws().http() as aws, lending():
        yield aws


@pytest.fixture(scope="session")
def client(served: Aws) -> Iterator[Callable[[str], Any]]:
    """Clients of the tests' own, each made once."""
    session = boto3.Session(aws_access_key_id="tests", aws_secret_access_key="tests", region_name="eu-west-1")
    make: Any = session.client
    made: dict[str, Any] = {}

    def get(service: str) -> Any:
        if service not in made:
            made[service] = make(service, endpoint_url=served.url)
        return made[service]

    yield get
    for one in made.values():
        one.close()


@pytest.fixture
def world(
    served: Aws,
    client: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """Rollouts, bake times and tasks end at once here: the first look at them is the last."""
    aws = served
    aws.clock.time = EPOCH
    aws.clock.slept.clear()
    aws.rollout_seconds = aws.task_seconds = aws.minute_seconds = 0.0
    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO_", "ECSPLAN_"))]:
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with pausing(lambda _seconds: None):
        yield World(aws, tmp_path, client)
    # A command that has failed leaves without waiting for its other reads; none of them is to end in the next test.
    for thread in threading.enumerate():
        if thread.name.startswith("aws"):
            thread.join(timeout=PATIENCE)
    aws.reset()

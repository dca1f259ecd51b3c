"""The smallest example as real processes, each killed with SIGKILL at each of its requests, and finished by another.

The embedded AWS holds the request; the process is killed while it waits for the answer; then the request is dropped (it
was never carried out) or carried out (its answer reaches nobody). `make test` plays one story, `script/soak` all.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ecsplan import pipeline, rehearsal
from ecsplan.aws.gateway import Gateway
from ecsplan.core.model import Doc, Identity
from ecsplan.journal import Journal, Outcome, open_store
from tests.faults.conftest import Points
from tests.support.amounts import at_length
from tests.support.aws import ACCOUNT, REGION, Aws
from tests.support.clock import RealClock
from tests.support.forking import Forking, forking
from tests.support.live import READS, short
from tests.support.paths import EXAMPLES
from tests.support.processes import until

EXAMPLE = EXAMPLES / "web" / "ecsplan.toml"
Command = tuple[str, ...]
# The tags that were deployed before, and the command.
STORIES: dict[str, tuple[Sequence[str], Command]] = {
    "first": ((), ("deploy", "v1", "--yes")),
    "change": (("v1",), ("deploy", "v2", "--yes")),
    "rollback": (("v1", "v2"), ("rollback", "--yes")),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Aws(RealClock()).http() as served:
        yield served


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    with forking(tmp_path_factory.mktemp("said") / "said") as started:
        yield started


@pytest.fixture(scope="module")
def gateway(aws: Aws) -> Iterator[Gateway]:
    """One for all deployments that only prepare: its clients are made once."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        with Gateway(region=REGION) as shared:
            yield shared


@dataclass(frozen=True, kw_only=True)
class Stage:
    aws: Aws
    gateway: Gateway
    processes: Forking
    folder: Path

    def prepare(self, tags: Sequence[str]) -> None:
        """A new account and a new journal, with these tags deployed one after the other."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.aws.reset()
        self.aws.rollout_seconds = self.aws.task_seconds = 0.0
        spec = pipeline.load(EXAMPLE)
        rehearsal.seed(self.aws, spec)
        site = replace(pipeline.connect(spec, journal=self.folder), gateway=self.gateway)
        for tag in tags:
            assert pipeline.run_plan(site, pipeline.make_plan(site, spec, tag))
        self.aws.clear_requests()

    def run(self, *command: str) -> int:
        return self.processes.run(*self.arguments(command), env=self.aws.environment)

    def arguments(self, command: Command) -> tuple[str, ...]:
        return ("-f", os.fspath(EXAMPLE), "--journal", os.fspath(self.folder), *command)

    def killed(self, command: Command, at: int, *, after: bool) -> bool:
        """Kill the command at that request; False if it ended before it had sent so many."""
        self.aws.fault("*", "hold", skip=at)
        process = self.processes.start(*self.arguments(command), env=self.aws.environment)
        until(lambda: self.aws.holding or self.processes.has_ended(), "a request that is held")
        if not self.aws.holding:
            assert self.processes.ended() == 0, self.processes.said.read_text()
            return False
        os.kill(process, signal.SIGKILL)
        assert self.processes.ended() == -signal.SIGKILL
        self.aws.release(drop=not after)
        until(lambda: len(self.aws.requests) > at, "the request that was held")
        return True

    def finish(self, command: Command) -> None:
        """`resume`; and where nothing had begun, the command again."""
        assert self.run("resume") == 0, self.processes.said.read_text()
        if "Nothing is under way" in self.processes.said.read_text():
            assert self.run(*command) == 0, self.processes.said.read_text()

    def state(self) -> Doc:
        """AWS and the journal."""
        service = self.aws.service("web")
        revisions = {
            status: [short(arn) for arn in self.aws.call("ListTaskDefinitions", status=status)["taskDefinitionArns"]]
            for status in ("ACTIVE", "INACTIVE")
        }
        rollouts = self.aws.call("ListServiceDeployments", cluster="prod", service="web")["serviceDeployments"]
        journal = Journal(open_store(self.folder), "web", Identity(account=ACCOUNT, region=REGION)).deployments()
        return {
            **revisions,
            "web": short(service["taskDefinition"]),
            "deployments": [one["rolloutState"] for one in service["deployments"]],
            "rollouts": len(rollouts),
            "journal": [(one.number, one.plan.tag, one.outcome, one.states()) for one in journal],
        }


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", STORIES if at_length() else ["change"])
def test_a_process_that_is_killed_is_finished_by_another(
    story: str, after: bool, aws: Aws, gateway: Gateway, processes: Forking, tmp_path: Path, points: Points
) -> None:
    before, command = STORIES[story]
    stage = Stage(aws=aws, gateway=gateway, processes=processes, folder=tmp_path / "journal")
    stage.prepare(before)
    assert stage.run(*command) == 0
    operations = [request.operation for request in aws.requests]
    expected = stage.state()
    assert expected["journal"][-1][2] is Outcome.SUCCEEDED
    # To a request that only reads it makes no difference whether it is still carried out.
    writing = [at for at, operation in enumerate(operations) if not operation.startswith(READS)]
    for at in writing if after else range(len(operations)):
        stage.prepare(before)
        assert stage.killed(command, at, after=after), f"there was no request {at}"
        stage.finish(command)
        assert stage.state() == expected, f"killed at request {at}, {operations[at]}"
        points.count()

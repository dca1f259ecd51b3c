"""A deployment that dies at any of its calls and is resumed ends where an undisturbed one ends."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecsplan import pipeline, rehearsal
from ecsplan.apply.deploy import Options, Result
from ecsplan.core.errors import UnfinishedError
from ecsplan.core.model import Call, Doc
from ecsplan.journal import Outcome
from tests.support.aws import Aws, Killed
from tests.support.clock import EPOCH
from tests.support.live import short
from tests.support.paths import EXAMPLES

# The calls of a first deployment, without its messages to SNS: what the matrix below has to cover.
CALLS = {"web": 2, "django": 7, "ec2-bridge": 2}


class Dying:
    """A gateway whose process dies at its call number `at`, before or after AWS has carried it out."""

    def __init__(self, gateway: Any, at: int, *, after: bool) -> None:
        self._gateway, self._at, self._after = gateway, at, after
        self._lock, self.calls = threading.Lock(), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def do(self, call: Call) -> Doc:
        if call.service == "sns":
            return {}
        with self._lock:  # one after the other, so that nothing is sent once the process is dead
            if self.calls >= self._at > 0:
                raise Killed
            self.calls += 1
            dies = self.calls == self._at
            if dies and not self._after:
                raise Killed
            answer: Doc = self._gateway.do(call)
            if dies:
                raise Killed
            return answer


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with Aws().http() as aws:
        yield aws


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    server.reset()
    server.clock.time = EPOCH
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


class Story:
    """One example, deployed to an embedded AWS that was just made."""

    def __init__(self, example: str, aws: Aws, journal: Path) -> None:
        self.spec = pipeline.load(EXAMPLES / example / "ecsplan.toml")
        self.aws, self.journal = aws, journal
        rehearsal.seed(aws, self.spec)

    def site(self, *, dies_at: int = 0, after: bool = False) -> pipeline.Site:
        site = pipeline.connect(self.spec, journal=self.journal, clock=self.aws.clock)
        return dataclasses.replace(site, gateway=Dying(site.gateway, dies_at, after=after))  # type: ignore[arg-type]

    def deploy(
        self, tag: str, *, dies_at: int = 0, after: bool = False, options: Options | None = None
    ) -> Result | None:
        with self.site(dies_at=dies_at, after=after) as site:
            return pipeline.run_plan(site, pipeline.make_plan(site, self.spec, tag), options=options)

    def resume(self, *, dies_at: int = 0, after: bool = False) -> Result | None:
        with self.site(dies_at=dies_at, after=after) as site:
            return pipeline.resume(site)

    def state(self) -> Doc:
        """Everything that a deployment changes: revisions, one-off tasks, and what services and targets are on."""
        call = self.aws.call
        arns = {
            status: sorted(short(arn) for arn in call("ListTaskDefinitions", status=status)["taskDefinitionArns"])
            for status in ("ACTIVE", "INACTIVE")
        }
        services, ran = {}, []
        for cluster in call("ListClusters")["clusterArns"]:
            names = call("ListServices", cluster=cluster)["serviceArns"]
            for service in call("DescribeServices", cluster=cluster, services=names)["services"]:
                services[service["serviceName"]] = short(service["taskDefinition"])
            stopped = call("ListTasks", cluster=cluster, desiredStatus="STOPPED")["taskArns"]
            tasks = call("DescribeTasks", cluster=cluster, tasks=stopped)["tasks"] if stopped else []
            ran += [short(task["taskDefinitionArn"]) for task in tasks if task["group"].startswith("family:")]
        targets = {
            request.params["Rule"]: sorted(
                (target["Id"], short(target["EcsParameters"]["TaskDefinitionArn"]))
                for target in request.params["Targets"]
            )
            for request in self.aws.requests
            if request.operation == "PutTargets" and not request.error
        }
        return {**arns, "services": services, "ran": sorted(ran), "targets": targets}


def points() -> list[Any]:
    return [
        pytest.param(example, at, after, id=f"{example}-{at}-{'after' if after else 'before'}")
        for example, calls in CALLS.items()
        for at in range(1, calls + 1)
        for after in (False, True)
    ]


@pytest.mark.parametrize("example", CALLS)
def test_the_matrix_covers_every_call(example: str, aws: Aws, tmp_path: Path) -> None:
    story = Story(example, aws, tmp_path / "journal")
    with story.site() as site:
        result = pipeline.run_plan(site, pipeline.make_plan(site, story.spec, "v1"))
        assert result is not None
        assert result.outcome is Outcome.SUCCEEDED
        assert site.gateway.calls == CALLS[example]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("example", "at", "after"), points())
def test_a_resumed_deployment_ends_where_an_undisturbed_one_does(
    example: str, at: int, after: bool, aws: Aws, tmp_path: Path
) -> None:
    undisturbed = Story(example, aws, tmp_path / "undisturbed")
    undisturbed.deploy("v1")
    expected = undisturbed.state()
    aws.reset()
    story = Story(example, aws, tmp_path / "journal")
    with pytest.raises(Killed):
        story.deploy("v1", dies_at=at, after=after)
    with pytest.raises(UnfinishedError, match="is unfinished: the process was killed"):
        story.deploy("v2")
    result = story.resume()
    assert result is not None
    assert (result.number, result.outcome, result.reason) == (1, Outcome.SUCCEEDED, "")
    assert story.state() == expected
    assert story.resume() is None
    with story.site() as site:
        assert not pipeline.make_plan(site, story.spec, "v1").changed


@pytest.mark.parametrize("at", range(1, 8))
def test_a_resumed_deployment_can_be_killed_and_resumed_again(at: int, aws: Aws, tmp_path: Path) -> None:
    story = Story("django", aws, tmp_path / "journal")
    with pytest.raises(Killed):
        story.deploy("v1", dies_at=1, after=True)
    try:
        story.resume(dies_at=at, after=True)
    except Killed:
        story.resume()
    state = story.state()
    assert state["ran"] == ["shop-web:1"]
    assert state["services"] == {"shop-web": "shop-web:1", "shop-worker": "shop-worker:1"}
    assert [name for name in state["ACTIVE"] if not name.startswith("sandbox")] == ["shop-web:1", "shop-worker:1"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [4, 5])
def test_putting_back_goes_on_where_it_was_cut_off(at: int, after: bool, aws: Aws, tmp_path: Path) -> None:
    """Calls 1 to 3 are the registrations and the migration, which fails; 4 and 5 take the registrations back."""
    aws.task(exit_code=1, command="*migrate*")
    story = Story("django", aws, tmp_path / "journal")
    with pytest.raises(Killed):
        story.deploy("v1", dies_at=at, after=after)
    result = story.resume()
    assert result is not None
    assert result.outcome is Outcome.PUT_BACK
    state = story.state()
    assert [name for name in state["ACTIVE"] if not name.startswith("sandbox")] == []
    assert sorted(state["INACTIVE"]) == ["shop-web:1", "shop-worker:1"]
    assert state["ran"] == ["shop-web:1"]


def test_a_rollout_that_was_not_finished_in_time_is_waited_for_and_the_rest_done(aws: Aws, tmp_path: Path) -> None:
    aws.rollout("COMPLETED", seconds=120)
    story = Story("django", aws, tmp_path / "journal")
    late = story.deploy("v1", options=Options(timeout=10))
    assert late is not None
    assert late.outcome is Outcome.UNFINISHED
    assert "shop-nightly" not in {
        r.params.get("Rule") for r in aws.requests if r.operation == "PutTargets" and "shop-web:1" in str(r.params)
    }
    result = story.resume()
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert [r.operation for r in aws.requests].count("UpdateService") == 2
    assert story.state()["targets"]["shop-nightly"] == [("clearsessions", "shop-web:1"), ("report", "shop-web:1")]


def test_without_a_deployment_that_was_left_there_is_nothing_to_resume(aws: Aws, tmp_path: Path) -> None:
    story = Story("web", aws, tmp_path / "journal")
    assert story.resume() is None
    story.deploy("v1")
    assert story.resume() is None

"""Waiting for what others began, and deploying again what failed: wherever that is cut off, it ends as undisturbed.

What is under way cannot be copied, so each point has an account of its own, made anew, with two folders.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Options, Result
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Doc, Identity
from ecsplan.core.spec import Spec
from ecsplan.journal import Journal, Outcome, open_store, unfinished, waiting
from tests.faults.conftest import Points
from tests.faults.test_kill_matrix import ROUNDS, differences, told, troubles
from tests.support import specs, toml
from tests.support.amounts import played
from tests.support.aws import ACCOUNT, REGION, Aws, InProcess, Killed, site


@dataclass(frozen=True, kw_only=True)
class Story:
    """How the rollouts of v2 end that the first machine begins; whether one service is not on v2, so that the second
    machine has a step of its own; and how that machine's deployment ends."""

    name: str
    rollouts: str
    ends: Outcome
    own_step: bool = False
    again: str = ""
    """how the rollout ends that is begun again after it had failed"""


STORIES = (
    Story(name="waited for", rollouts="COMPLETED", ends=Outcome.SUCCEEDED),
    Story(name="failed", rollouts="FAILED", ends=Outcome.FAILED),
    Story(name="taken back", rollouts="ROLLED_BACK", ends=Outcome.PUT_BACK),
    Story(name="beside a step", rollouts="COMPLETED", ends=Outcome.SUCCEEDED, own_step=True),
    Story(name="failed beside a step", rollouts="FAILED", ends=Outcome.FAILED, own_step=True),
    Story(name="deployed again", rollouts="FAILED", ends=Outcome.SUCCEEDED, again="COMPLETED"),
    Story(name="failed again", rollouts="FAILED", ends=Outcome.FAILED, again="FAILED"),
)


class Stage:
    """The first machine has deployed v1, and begun v2."""

    def __init__(self, spec: Spec, story: Story, folder: Path) -> None:
        self.spec, self.aws, self.folder = spec, Aws(), folder
        self.aws.seed_with(spec)
        self.aws.rollout_seconds = 0.0
        self.first("v1")
        self.aws.rollout(story.rollouts, service="web", image="*:v2", seconds=30.0)
        self.aws.rollout("COMPLETED", service="admin", seconds=60.0)
        self.first("v2")
        if story.own_step:
            self.aws.call("UpdateService", cluster="prod", service="admin", taskDefinition="web:1")
        if story.again:
            self.aws.clock.sleep(300)
            self.aws.rollout(story.again, service="web", image="*:v2", seconds=30.0)

    def first(self, tag: str) -> None:
        here = site(self.folder / "first", self.aws.in_process(), self.aws.clock, self.spec.app)
        with here:
            pipeline.run_plan(here, pipeline.make_plan(here, self.spec, tag), options=Options(wait=False))

    def second(self, wire: InProcess) -> Result | None:
        """`deploy v2`; and where that had begun, `resume`."""
        deployments = self.journal().deployments()
        with site(self.folder / "second", wire, self.aws.clock, self.spec.app) as here:
            if unfinished(deployments) or waiting(deployments):
                return pipeline.resume(here)
            return pipeline.run_plan(here, pipeline.make_plan(here, self.spec, "v2"))

    def journal(self) -> Journal:
        store = open_store(self.folder / "second")
        return Journal(store, self.spec.app, Identity(account=ACCOUNT, region=REGION))

    def found(self) -> tuple[Doc, list[Doc]]:
        return self.aws.state(), [told(deployment) for deployment in self.journal().deployments()]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_wherever_it_is_cut_off(story: Story, tmp_path: Path, points: Points) -> None:
    made = specs.spec(specs.task(services=("web", "admin")))
    breaker = {"enable": True, "rollback": story.rollouts == "ROLLED_BACK"}
    made["tasks"]["web"]["update_services"][0]["deploymentConfiguration"] = {"deploymentCircuitBreaker": breaker}
    file = tmp_path / "ecsplan.toml"
    file.write_text(toml.dumps(made), encoding="utf-8")
    spec = pipeline.load(file)
    undisturbed = Stage(spec, story, tmp_path / "undisturbed")
    wire = undisturbed.aws.in_process()
    result = undisturbed.second(wire)
    assert result is not None
    assert result.outcome is story.ends, result.reason
    expected = undisturbed.found()
    assert any(step[1].value == "wait" for step in expected[1][0]["steps"]) or story.again

    wrong = []
    for point, trouble in played([(one, trouble) for one in wire.points for trouble in troubles(one)]):
        cut = Stage(spec, story, tmp_path / str(points.count()))
        said = []
        ways = (cut.aws.in_process(kill_at=point, trouble=trouble), *(cut.aws.in_process() for _ in range(ROUNDS)))
        for way in ways:
            try:
                result = cut.second(way)
            except (Killed, AwsError) as error:
                said.append(repr(error))
                continue
            said.append(f"{result.outcome.value}: {result.reason}" if result else "nothing")
            if result is None or result.outcome.ended:
                break
        found = cut.found()
        if trouble == "repeated" and "forceNewDeployment" in point.request:
            found[0]["services"]["web"]["moves"] -= 1  # what is asked for twice begins twice, of the same revision
        if found != expected:
            wrong.append(f"{trouble} {point}\n  said: {said}\n  {differences(found, expected)}")
    assert not wrong, f"{len(wrong)} of {points.tried} points end elsewhere:\n" + "\n".join(wrong)

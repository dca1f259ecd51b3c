"""Deployments that end in other ways than by going forward or back: wherever a command is cut off, it ends the same.

As in the kill matrix: at each request of the command the process is killed or the connection breaks, and then somebody
gives it again, or resumes what it has begun. What is under way cannot be copied, so each stage is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Options, Result
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Identity
from ecsplan.core.spec import Spec
from ecsplan.journal import Deployment, Journal, Outcome, open_store, unfinished
from tests.faults.conftest import Points
from tests.faults.test_kill_matrix import ROUNDS, differences, told, tried, troubles
from tests.support import specs, toml
from tests.support.amounts import played
from tests.support.aws import ACCOUNT, REGION, Aws, InProcess, Killed, site

STOP = Options(on_failure="stop")


class Stage:
    """An account and the journal of one machine."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec, self.aws, self.folder = spec, Aws(), folder
        self.aws.seed_with(spec)
        self.begun_with = 0
        """how many deployments there are before the command"""

    def site(self, wire: InProcess | None = None, folder: Path | None = None) -> pipeline.Site:
        return site(folder or self.folder, wire or self.aws.in_process(), self.aws.clock, self.spec.app)

    def deploy(
        self,
        tag: str,
        options: Options | None = None,
        wire: InProcess | None = None,
        *,
        replace: bool = False,
        folder: Path | None = None,
    ) -> Result | None:
        with self.site(wire, folder) as here:
            plan = pipeline.make_plan(here, self.spec, tag, replace=replace)
            return pipeline.run_plan(here, plan, options=options)

    def killed(self, tag: str, operation: str, number: int = 1, folder: Path | None = None) -> None:
        """A deployment whose process is killed at the request behind so many of this operation."""
        seen = 0

        def fault(call: Call) -> None:
            nonlocal seen
            if seen == number:
                raise Killed
            seen += str(call) == operation

        with pytest.raises(Killed):
            self.deploy(tag, wire=self.aws.in_process(fault=fault), folder=folder)

    def deployments(self) -> list[Deployment]:
        identity = Identity(account=ACCOUNT, region=REGION)
        return Journal(open_store(self.folder), self.spec.app, identity).deployments()

    def found(self) -> tuple[Doc, list[Doc]]:
        return self.aws.state(), [told(deployment) for deployment in self.deployments()]


# --- what is there before the command ---


def a_migration_that_failed(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.task(exit_code=1, image="*:v2")
    _is(stage.deploy("v2", STOP), Outcome.STOPPED)
    stage.aws.task(exit_code=0, image="*:v2")


def a_rollout_that_failed(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.rollout("FAILED", service="web", image="*:v2")
    _is(stage.deploy("v2", STOP), Outcome.STOPPED)
    stage.aws.rollout("COMPLETED", service="web", image="*:v2")


def an_undo_that_failed(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.rollout("FAILED", service="web", image="*:v1")
    stage.aws.rollout("FAILED", service="admin", image="*:v2", seconds=90.0)
    _is(stage.deploy("v2"), Outcome.STOPPED)
    stage.aws.rollout("COMPLETED", image="*:v1")


def one_that_was_overtaken(stage: Stage) -> None:
    """Killed when it had moved its services; then another machine deploys, one of them only."""
    stage.deploy("v1")
    stage.killed("v2", "ecs:update_service", 2)
    (theirs,) = stage.aws.register()
    stage.aws.call("UpdateService", cluster="prod", service="web", taskDefinition=theirs)


def a_migration_that_runs_on(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.task(stays="RUNNING", image="*:v2")
    stage.killed("v2", "ecs:run_task")


def a_migration_of_another_machine(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.task(seconds=400.0, image="*:v2")
    stage.killed("v2", "ecs:run_task", folder=stage.folder.with_name(f"{stage.folder.name}-other"))


# --- the command ---


def resume(stage: Stage, wire: InProcess) -> Outcome | None:
    with stage.site(wire) as here:
        return _outcome(pipeline.resume(here))


def abandon(stage: Stage, wire: InProcess) -> Outcome | None:
    with stage.site(wire) as here:
        ended = pipeline.abandon(here)
    return ended.outcome if ended else None


def replace(stage: Stage, wire: InProcess) -> Outcome | None:
    return _outcome(stage.deploy("v3", wire=wire, replace=True))


def deploy(stage: Stage, wire: InProcess) -> Outcome | None:
    return _outcome(stage.deploy("v2", wire=wire))


def rollback(stage: Stage, wire: InProcess) -> Outcome | None:
    with stage.site(wire) as here:
        return _outcome(pipeline.run_plan(here, pipeline.undo(here, stage.spec)))


@dataclass(frozen=True, kw_only=True)
class Story:
    name: str
    before: Callable[[Stage], None]
    command: Callable[[Stage, InProcess], Outcome | None]
    ends: Outcome
    ran: int
    """how many one-off tasks have run in the end"""


STORIES = (
    Story(name="resume of a failed migration", before=a_migration_that_failed, command=resume, ends=Outcome.SUCCEEDED,
          ran=3),
    Story(name="resume of a failed rollout", before=a_rollout_that_failed, command=resume, ends=Outcome.SUCCEEDED,
          ran=2),
    Story(name="resume of a failed undo", before=an_undo_that_failed, command=resume, ends=Outcome.PUT_BACK, ran=2),
    Story(name="resume of what was overtaken", before=one_that_was_overtaken, command=resume, ends=Outcome.SUPERSEDED,
          ran=2),
    Story(name="abandon", before=a_rollout_that_failed, command=abandon, ends=Outcome.ABANDONED, ran=2),
    Story(name="replace", before=a_rollout_that_failed, command=replace, ends=Outcome.SUCCEEDED, ran=3),
    Story(name="rollback that stops a task", before=a_migration_that_runs_on, command=rollback,
          ends=Outcome.SUCCEEDED, ran=2),
    Story(name="deployment that joins a task", before=a_migration_of_another_machine, command=deploy,
          ends=Outcome.SUCCEEDED, ran=2),
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_wherever_it_is_cut_off(story: Story, tmp_path: Path, points: Points) -> None:
    made = specs.spec(specs.task(services=("web", "admin"), runs=("migrate",), rules=(("nightly", ("report",)),)))
    file = tmp_path / "ecsplan.toml"
    file.write_text(toml.dumps(made), encoding="utf-8")
    spec = pipeline.load(file)
    undisturbed = _staged(story, spec, tmp_path / "undisturbed")
    wire = undisturbed.aws.in_process()
    _is(story.command(undisturbed, wire), story.ends)
    expected = undisturbed.found()
    assert len(expected[0]["ran"]) == story.ran

    wrong = []
    for point, trouble in played([(one, trouble) for one in tried(wire.points) for trouble in troubles(one)]):
        if trouble == "repeated" and "forceNewDeployment" in point.request:
            continue  # UpdateService has no token: each begins a rollout, the second in the place of the first
        cut = _staged(story, spec, tmp_path / str(points.count()))
        said = []
        try:
            said.append(str(story.command(cut, cut.aws.in_process(kill_at=point, trouble=trouble))))
        except (Killed, AwsError) as error:
            said.append(repr(error))
        for _ in range(ROUNDS):
            if _over(story, cut):
                break
            said.append(str(_go_on(story, cut)))
        if (found := cut.found()) != expected:
            wrong.append(f"{trouble} {point}\n  said: {said}\n  {differences(found, expected)}")
    assert not wrong, f"{len(wrong)} of {points.tried} points end elsewhere:\n" + "\n".join(wrong)


def _staged(story: Story, spec: Spec, folder: Path) -> Stage:
    stage = Stage(spec, folder)
    story.before(stage)
    stage.begun_with = len(stage.deployments())
    return stage


def _over(story: Story, stage: Stage) -> bool:
    """Has the command done what it was to do? Where it makes a deployment, that one has ended; else the one before."""
    makes = story.command in (replace, deploy, rollback)
    deployments = stage.deployments()
    return len(deployments) == stage.begun_with + makes and deployments[-1].outcome is story.ends


def _go_on(story: Story, stage: Stage) -> Outcome | None:
    """What a person does: resume what the command has begun, or give the command again."""
    left = unfinished(stage.deployments())
    begun = left is not None and left.number > stage.begun_with
    return (resume if begun else story.command)(stage, stage.aws.in_process())


def _outcome(result: Result | None) -> Outcome | None:
    return result.outcome if result else None


def _is(result: Result | Outcome | None, wanted: Outcome) -> None:
    found = result.outcome if isinstance(result, Result) else result
    assert found is wanted, result

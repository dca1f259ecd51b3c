"""What `resume` cannot see or cannot know it does not guess: the deployment stays as it is, and says what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Next, Options, Result
from ecsplan.cli import resume as resuming
from ecsplan.cli.options import CliOptions
from ecsplan.core.errors import AwsError, Exit
from ecsplan.core.model import Call, Doc
from ecsplan.journal import Deployment, Outcome
from tests.faults.test_kill_matrix import Stage, Story, refused, staged
from tests.support.aws import InProcess, Killed

TWO_HOURS = 7200.0


STORY = Story(name="first", before=(), tag="v1")


def killed(stage: Stage, operation: str, trouble: str = "killed after") -> None:
    """The first deployment of the example, killed at the first request of that operation."""
    rehearsal = stage.copied(stage.folder.with_name("rehearsal"))
    wire = rehearsal.wire()
    rehearsal.apply(wire, rehearsal.plan(rehearsal.wire(), "v1"))
    point = next(one for one in wire.points if one.operation == operation)
    with pytest.raises(Killed):
        stage.apply(stage.wire(point, trouble), stage.plan(stage.wire(), "v1"))


def resumed(stage: Stage, unclear: str = "", wire: InProcess | None = None) -> Result:
    with stage.site(wire or stage.wire()) as site:
        result = pipeline.resume(site, options=Options(unclear=unclear))
    assert result is not None
    return result


def last(stage: Stage) -> Deployment:
    return stage.journal().deployments()[-1]


@pytest.fixture
def django(tmp_path: Path) -> Stage:
    return staged(STORY, "django", tmp_path / "journal")


# --- a one-off task that nobody can tell of any more ---


@pytest.mark.parametrize("trouble", ["killed before", "killed after"])
def test_a_migration_without_an_end_is_not_run_again_once_ecs_has_forgotten_its_tasks(
    django: Stage, trouble: str
) -> None:
    killed(django, "ecs:run_task", trouble)
    django.aws.clock.sleep(TWO_HOURS)
    result = resumed(django)
    assert result.outcome is Outcome.STOPPED
    assert "was begun 2 h 0 min ago and its end is unknown" in result.reason
    assert "It was not run again." in result.state
    assert Next.DECIDE in result.next
    assert len(django.aws.state()["ran"]) == (trouble == "killed after")
    assert resumed(django).outcome is Outcome.STOPPED  # and again


def test_within_the_hour_it_is_found_and_not_run_again(django: Stage) -> None:
    """Whether or not its client token still counts: it is looked up first."""
    killed(django, "ecs:run_task")
    django.aws.clock.sleep(3000)
    django.aws.region.run_tokens.clear()
    assert resumed(django).outcome is Outcome.SUCCEEDED
    assert django.aws.state()["ran"] == ["shop-web:1"]


def test_within_the_hour_one_that_is_not_there_is_run(django: Stage) -> None:
    killed(django, "ecs:run_task", "killed before")
    django.aws.clock.sleep(3000)
    assert resumed(django).outcome is Outcome.SUCCEEDED
    assert django.aws.state()["ran"] == ["shop-web:1"]


@pytest.mark.parametrize(("behind", "outcome"), [(200, Outcome.SUCCEEDED), (1000, Outcome.STOPPED)])
def test_resumed_by_a_machine_whose_clock_is_behind(django: Stage, behind: float, outcome: Outcome) -> None:
    """Clocks differ; a time that cannot be is no time to judge by."""
    killed(django, "ecs:run_task", "killed before")
    django.aws.clock.sleep(-behind)
    result = resumed(django)
    assert result.outcome is outcome
    assert ("in the future, by this machine's clock" in result.reason) == (outcome is Outcome.STOPPED)


@pytest.mark.parametrize(("unclear", "ran"), [("done", 1), ("run", 2)])
def test_a_person_says_whether_it_ran(django: Stage, unclear: str, ran: int) -> None:
    killed(django, "ecs:run_task")
    django.aws.clock.sleep(TWO_HOURS)
    django.aws.region.run_tokens.clear()  # the token counts no longer than the task is shown
    assert resumed(django, unclear).outcome is Outcome.SUCCEEDED
    state = django.aws.state()
    assert state["ran"] == ["shop-web:1"] * ran
    assert state["services"]["shop-web"]["taskDefinition"].endswith("shop-web:1")


@pytest.mark.parametrize(("unclear", "outcome", "ran"), [
    ("", Outcome.STOPPED, 1), ("done", Outcome.SUCCEEDED, 1), ("run", Outcome.SUCCEEDED, 2),
])  # fmt: skip
def test_a_migration_whose_end_nobody_saw(django: Stage, unclear: str, outcome: Outcome, ran: int) -> None:
    """It was started, that is journaled; how it ended ECS tells no longer."""
    killed(django, "ecs:describe_tasks")
    django.aws.clock.sleep(TWO_HOURS)
    django.aws.region.run_tokens.clear()
    result = resumed(django, unclear)
    assert result.outcome is outcome, result.reason
    assert ("nor how it ended" in result.reason) == (not unclear)
    assert len(django.aws.state()["ran"]) == ran


def test_going_back_needs_no_answer(django: Stage) -> None:
    """`rollback` is a way out of any deployment that was left part-way."""
    killed(django, "ecs:run_task")
    django.aws.clock.sleep(TWO_HOURS)
    with django.site(django.wire()) as site:
        result = pipeline.run_plan(site, pipeline.undo(site))
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert {name: status for name, status in django.aws.state()["revisions"].items() if "shop" in name} == {
        "shop-web:1": "INACTIVE", "shop-worker:1": "INACTIVE",
    }  # fmt: skip


def test_a_migration_that_failed_has_failed_also_when_ecs_has_forgotten_it(django: Stage) -> None:
    """The journal knows it, so that after `stop` it runs again, and once more only."""
    django.aws.task(exit_code=1)
    with django.site(django.wire()) as site:
        first = pipeline.run_plan(site, pipeline.make_plan(site, django.spec, "v1"), options=Options(on_failure="stop"))
    assert first is not None
    assert "exit code 1" in first.reason
    django.aws.clock.sleep(TWO_HOURS)
    django.aws.task(exit_code=0)
    assert resumed(django).outcome is Outcome.SUCCEEDED
    assert django.aws.state()["ran"] == ["shop-web:1", "shop-web:1"]


def test_a_mark_that_the_spec_declares_is_kept_and_the_token_has_to_do(tmp_path: Path) -> None:
    stage = staged(STORY, "django", tmp_path / "journal")
    for task in stage.spec.tasks:
        for entry in task.entries["run_task"]:
            entry.params["startedBy"] = "ci"
    killed(stage, "ecs:run_task")
    (ran,) = [one for one in stage.aws.region.tasks.values() if one.service is None]
    assert ran.doc["startedBy"] == "ci"
    assert resumed(stage).outcome is Outcome.SUCCEEDED
    assert stage.aws.state()["ran"] == ["shop-web:1"]


class Here(CliOptions):
    """A command line that leads to a stage."""

    stage: Stage

    def site(self, *_: object) -> pipeline.Site:
        return self.stage.site(self.stage.wire())


def test_the_command_line_says_what_to_do_and_takes_the_answer(
    django: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Here(file=django.spec.file, journal=None, region=None, profile=None, color="never", verbose=False)
    here.__dict__["stage"] = django

    def resume(*arguments: str) -> int:
        return int(resuming.resume.main(args=list(arguments), obj=here, standalone_mode=False))

    killed(django, "ecs:run_task")
    django.aws.clock.sleep(TWO_HOURS)
    assert resume() == Exit.STOPPED
    assert "ecsplan resume --unclear done" in capsys.readouterr().err
    with pytest.raises(click.BadParameter):
        resume("--unclear", "perhaps")
    assert resume("--unclear", "done") == Exit.OK
    assert django.aws.state()["ran"] == ["shop-web:1"]


# --- reads that are refused ---


def asks(operation: str) -> Callable[[Call], bool]:
    return lambda call: call.operation == operation


@pytest.mark.parametrize(("killed_at", "operation"), [
    ("ecs:register_task_definition", "list_task_definitions"),
    ("ecs:run_task", "list_tasks"),
    ("ecs:run_task", "describe_tasks"),
    ("ecs:describe_tasks", "describe_tasks"),
    ("ecs:update_service", "describe_services"),
    ("events:put_targets", "list_targets_by_rule"),
])  # fmt: skip
def test_a_refused_look_leaves_the_deployment_as_it_is(django: Stage, killed_at: str, operation: str) -> None:
    killed(django, killed_at)
    state, entries = django.aws.state(), last(django).states()
    published = list(django.aws.published)
    result = resumed(django, wire=django.aws.in_process(fault=refused(asks(operation))))
    assert result.outcome is Outcome.STOPPED
    assert "AccessDeniedException" in result.reason
    assert not last(django).rolling_back
    assert (django.aws.state(), last(django).states()) == (state, entries)
    assert django.aws.published == published
    assert resumed(django).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("trouble", ["lost before", "killed before"])
def test_a_connection_that_breaks_in_any_look_of_resume_changes_nothing_for_good(
    django: Stage, tmp_path: Path, trouble: str
) -> None:
    killed(django, "ecs:run_task")
    rehearsal = django.copied(tmp_path / "undisturbed")
    wire = rehearsal.wire()
    assert resumed(rehearsal, wire=wire).outcome is Outcome.SUCCEEDED
    expected = (rehearsal.aws.state(), rehearsal.told())
    for number, point in enumerate(wire.points):
        stage = django.copied(tmp_path / str(number))
        ended = False
        with contextlib.suppress(Killed, AwsError):
            ended = resumed(stage, wire=stage.wire(point, trouble)).outcome.ended
        ended |= last(stage).outcome.ended  # killed at the message that it has ended
        if not ended:
            assert resumed(stage).outcome is Outcome.SUCCEEDED
        assert (stage.aws.state(), stage.told()) == expected, f"{trouble} {point}"


# --- an undo that fails ---


def no_way_back(call: Call) -> bool:
    """Neither the targets of v2 nor the way back of shop-web are permitted."""
    forward = call.operation == "put_targets" and "shop-web:2" in str(call.params)
    return forward or (call.operation == "update_service" and "shop-web:1" in str(call.params))


@pytest.fixture
def stuck(tmp_path: Path) -> Stage:
    """A change of the example whose undo has failed in part."""
    stage = staged(Story(name="stuck", before=("v1",), tag="v2"), "django", tmp_path / "journal")
    wire = stage.aws.in_process(fault=refused(no_way_back))
    result = stage.apply(wire, stage.plan(stage.wire(), "v2"))
    assert result is not None
    assert result.outcome is Outcome.STOPPED
    assert "put_targets: AccessDeniedException" in result.reason
    assert "and putting things back failed: ecs:update_service: AccessDeniedException" in result.reason
    return stage


def on(stage: Stage) -> dict[str, str]:
    services = stage.aws.state()["services"]
    return {name: service["taskDefinition"].rpartition("/")[2] for name, service in services.items()}


def test_an_undo_that_fails_is_journaled_and_what_is_still_used_stays(stuck: Stage) -> None:
    assert on(stuck) == {"shop-web": "shop-web:2", "shop-worker": "shop-worker:1"}
    assert stuck.aws.state()["revisions"]["shop-web:2"] == "ACTIVE"
    assert "undo failed" in last(stuck).states().values()
    assert last(stuck).outcome is Outcome.STOPPED


def test_resume_goes_on_with_an_undo_that_failed(stuck: Stage) -> None:
    assert resumed(stuck).outcome is Outcome.PUT_BACK
    assert on(stuck) == {"shop-web": "shop-web:1", "shop-worker": "shop-worker:1"}
    revisions = stuck.aws.state()["revisions"]
    assert (revisions["shop-web:2"], revisions["shop-worker:2"]) == ("INACTIVE", "INACTIVE")


def test_rollback_works_from_an_undo_that_failed(stuck: Stage) -> None:
    with stuck.site(stuck.wire()) as site:
        result = pipeline.run_plan(site, pipeline.undo(site))
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert on(stuck) == {"shop-web": "shop-web:1", "shop-worker": "shop-worker:1"}
    revisions = stuck.aws.state()["revisions"]
    assert (revisions["shop-web:2"], revisions["shop-worker:2"]) == ("INACTIVE", "INACTIVE")
    with stuck.site(stuck.wire()) as site:
        assert pipeline.resume(site) is None


def test_what_somebody_else_has_deployed_since_is_left_to_them(stuck: Stage) -> None:
    """Between the failed undo and `resume`."""
    image = {"name": "web", "image": "elsewhere:1", "memory": 128}
    params: Doc = {"family": "other", "containerDefinitions": [image], "networkMode": "awsvpc", "cpu": "256",
              "memory": "512", "requiresCompatibilities": ["FARGATE"]}  # fmt: skip
    stuck.aws.call("RegisterTaskDefinition", **params)
    stuck.aws.call("UpdateService", cluster="prod", service="shop-web", taskDefinition="other:1")
    result = resumed(stuck)
    assert result.outcome is Outcome.SUPERSEDED
    assert "service.prod/shop-web was changed by another deployment; left as it is" in result.reason
    assert on(stuck)["shop-web"] == "other:1"

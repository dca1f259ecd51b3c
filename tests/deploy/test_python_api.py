"""What the commands do, from Python: for those who extend ecs-task's class today."""

from __future__ import annotations

import contextlib
import inspect
import io
import textwrap
from typing import Any

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Options, Result
from ecsplan.core import events
from ecsplan.core.errors import AwsError, EcsplanError, LockedError, PlanningError, SpecError, StaleError, UsageError
from ecsplan.journal import Journal, Outcome
from tests.support.specs import shop, spec, task
from tests.support.world import World


def documented() -> str:
    """The code in the docstring of `ecsplan.pipeline`."""
    lines = inspect.cleandoc(pipeline.__doc__ or "").splitlines()
    return textwrap.dedent("\n".join(line for line in lines if line.startswith("    ") or not line))


def test_the_docstring_works_as_written(world: World) -> None:
    world.write(shop())
    code = documented()
    assert "make_plan" in code
    assert "run_plan" in code
    names: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, names)
    assert isinstance(names["result"], Result)
    assert names["result"].outcome is Outcome.SUCCEEDED
    assert "to register" in said.getvalue()
    assert world.image(world.on("web")) == "web:v42"


def test_a_whole_story(world: World) -> None:
    world.write(shop())
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        for tag in ("v1", "v2"):
            plan = pipeline.make_plan(site, loaded, tag)
            assert plan.changed
            result = pipeline.run_plan(site, plan)
            assert result is not None
            assert result.outcome is Outcome.SUCCEEDED
        assert pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v2")) is None
        back = pipeline.undo(site, loaded, to="1")
        assert back.undoes == (2,)
        result = pipeline.run_plan(site, back)
        assert result is not None
        assert (result.number, result.outcome) == (3, Outcome.SUCCEEDED)
        (journal,) = pipeline.journals(site.store, site.app)
    assert [getattr(one, "outcome", None) for one in pipeline.history(journal)] == [Outcome.SUCCEEDED] * 3
    assert pipeline.show(journal, 3).plan.tag == "v1"
    assert world.on("web") == "web:1"


def test_two_tags_in_one_process(world: World) -> None:
    """Nothing of the first is left in the second; the spec is a value."""
    world.write(spec())
    loaded = pipeline.load(world.file)
    before = repr(loaded)
    with world.site(loaded) as site:
        first, second = (pipeline.make_plan(site, loaded, tag) for tag in ("v1", "v2"))
        assert pipeline.run_plan(site, first) is not None
        with pytest.raises(StaleError):
            pipeline.run_plan(site, second)
        assert pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v2")) is not None
    assert repr(loaded) == before
    assert [world.image(f"web:{number}") for number in (1, 2)] == ["web:v1", "web:v2"]


def test_events_in_order(world: World) -> None:
    world.write(spec(task(runs=("migrate",))))
    loaded = pipeline.load(world.file)
    heard: list[events.Event] = []
    with world.site(loaded) as site:
        pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"), emit=heard.append)
    kinds = [type(event).__name__ for event in heard]
    assert kinds[0] == "DeploymentStarted"
    assert kinds[-1] == "DeploymentEnded"
    assert kinds.count("StepStarted") == kinds.count("StepDone") == 3
    assert "Progressed" in kinds


def test_a_failed_deployment_is_a_result(world: World) -> None:
    world.write(shop())
    world.aws.task(exit_code=2)
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        result = pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"), options=Options(on_failure="stop"))
    assert result is not None
    assert result.outcome is Outcome.STOPPED
    assert "exit code 2" in result.reason


def test_redeploy(world: World) -> None:
    """A new rollout of what is there already: asked for, never by itself."""
    world.write(spec())
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1"))
        before = world.service("web")["deployments"][0]["id"]
        world.forget()
        pipeline.run_plan(site, pipeline.make_plan(site, loaded, "v1", redeploy=True))
    assert world.sent() == ["UpdateService"]
    assert world.params("UpdateService")[0]["forceNewDeployment"] is True
    assert world.service("web")["deployments"][0]["id"] != before
    assert world.on("web") == "web:1"


def test_arguments_win_over_the_spec(world: World) -> None:
    world.write(spec(region="eu-west-1"))
    loaded = pipeline.load(world.file)
    with pipeline.connect(loaded, region="us-east-1", journal=world.folder / "there", app="other") as site:
        assert site.identity().region == "us-east-1"
        assert site.app == "other"
        assert site.store.name == str(world.folder / "there")
        with pytest.raises(PlanningError):  # there is no such service in that region
            pipeline.make_plan(site, loaded, "v1")


def test_connecting_sends_nothing(world: World) -> None:
    world.write(spec())
    with world.site(pipeline.load(world.file)):
        pass
    assert not world.aws.requests


def test_everything_raised_is_an_ecsplan_error(world: World) -> None:
    world.write(spec())
    loaded = pipeline.load(world.file)
    world.write("tasks = 1", seed=False)
    with pytest.raises(SpecError):
        pipeline.load(world.file)
    with pytest.raises(UsageError):
        pipeline.load(world.folder / "nowhere.toml")
    with pytest.raises(UsageError):
        pipeline.connect()
    with world.site(loaded) as site:
        with pytest.raises(UsageError):
            pipeline.make_plan(site, loaded, "")
        with pytest.raises(UsageError):
            pipeline.undo(site, loaded, to="7")
        plan = pipeline.make_plan(site, loaded, "v1")
        journal = Journal(site.store, site.app, site.identity())
        with journal.locked(site.origin, "2026-01-01T00:00:00Z"), pytest.raises(LockedError):
            pipeline.run_plan(site, plan)
        world.aws.fault("DescribeServices", "error", times=9, code="AccessDeniedException")
        with pytest.raises(AwsError) as caught:
            pipeline.make_plan(site, loaded, "v1")
    assert isinstance(caught.value, EcsplanError)
    assert (caught.value.service, caught.value.operation, caught.value.code) == (
        "ecs",
        "describe_services",
        "AccessDeniedException",
    )
    assert world.sent() == []


def test_the_text_masks_secrets(world: World) -> None:
    made = spec()
    made["tasks"]["web"]["task_definition"]["containerDefinitions"][0]["environment"] = [
        {"name": "DB_PASSWORD", "value": "hunter2"}
    ]
    world.write(made)
    loaded = pipeline.load(world.file)
    with world.site(loaded) as site:
        plan = pipeline.make_plan(site, loaded, "v1")
    assert "hunter2" not in pipeline.text(plan)
    assert "(sensitive)" in pipeline.text(plan)


def test_the_names_of_the_module_are_there() -> None:
    assert all(callable(getattr(pipeline, name)) for name in pipeline.__all__)

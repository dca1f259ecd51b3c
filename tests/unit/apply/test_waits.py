"""Steps that send nothing: they wait for what was begun before, are journaled, and are never put back."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.apply.deploy import Next
from ecsplan.core import events
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Settings, Step
from ecsplan.journal import Closed, Deployment, Done, Failed, Opened, Outcome
from ecsplan.sandbox.ecs.outcomes import RolloutRule
from tests.unit.builders import AT, ORIGIN, plan, register, run, update, wait
from tests.unit.fakes import refusal
from tests.unit.rig import FOR_EVER, Rig, exits, fails, rolls_out


@pytest.fixture
def rig() -> Rig:
    return Rig()


def rolling_out(rig: Rig, rollout: RolloutRule, **more: Any) -> Step:
    """The service web is on web:41 already, and a rollout of that goes on; the step that waits for it."""
    rig.aws.add_service("web")
    rig.rollouts["web", 1] = rollout
    rig.aws.update("web", forceNewDeployment=True)
    return wait(awaits=rig.aws.primary("web"), **more)


def test_it_is_waited_for_and_nothing_is_sent(rig: Rig) -> None:
    step = rolling_out(rig, rolls_out(after=20.0))
    ours = {"deployment": rig.aws.primary("web")}
    result = rig.apply(plan(step))
    assert (result.outcome, result.reason, rig.aws.sent) == (Outcome.SUCCEEDED, "", [])
    assert sum(rig.clock.slept) >= 20
    assert rig.log.entries[0] == Done(at=AT, step=1, outputs=ours)
    assert [type(entry) for entry in rig.log.entries] == [Done, Closed]
    assert [event.undo for event in rig.happened(events.StepStarted)] == [False]
    assert [event.outputs for event in rig.happened(events.StepDone)] == [ours]
    assert rig.told == []
    assert [closed.changed for closed in rig.closed] == [False]


@pytest.mark.parametrize("policy", ["rollback", "stop"])
def test_what_fails_stays_and_has_nothing_to_put_back(rig: Rig, policy: str) -> None:
    step = rolling_out(rig, fails("it crashed", after=5.0))
    result = rig.apply(plan(step), on_failure=policy)
    assert result.outcome is Outcome.FAILED
    assert result.reason == "service.prod/web: the rollout failed: it crashed; 0/1 running, 3 failed"
    assert result.state == "Left as it is: service.prod/web."
    assert result.hint == "Deploy it again with `ecsplan deploy v42`, or go back with `ecsplan rollback`."
    assert (result.next, rig.aws.sent) == (frozenset(), [])
    assert rig.happened(events.UndoStarted) == []
    (failed,) = [entry for entry in rig.log.entries if isinstance(entry, Failed)]
    assert failed.stays is True
    assert result.diagnoses.keys() == {"service.prod/web"}


@pytest.mark.parametrize("made", [{"undoes": (3,)}, {"tag": ""}])
def test_a_rollback_is_not_deployed_again(rig: Rig, made: dict[str, object]) -> None:
    step = rolling_out(rig, fails("it crashed"))
    assert rig.apply(plan(step, **made)).hint == "Go back with `ecsplan rollback`."


def test_out_of_time(rig: Rig) -> None:
    step = rolling_out(rig, FOR_EVER)
    result = rig.apply(plan(step), timeout=60)
    assert result.outcome is Outcome.UNFINISHED
    assert result.next >= {Next.RESUME, Next.ROLLBACK}
    assert result.state == "Still under way: service.prod/web."


@pytest.mark.parametrize(("settings", "waits"), [(Settings(wait=False), True), (Settings(), False)])
def test_not_waited_for(rig: Rig, settings: Settings, waits: bool) -> None:
    step = rolling_out(rig, FOR_EVER, settings=settings)
    result = rig.apply(plan(step), wait=waits)
    assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, "ecsplan did not wait for its rollouts")


def test_stopped_before_it_began_to_wait(rig: Rig) -> None:
    step = rolling_out(rig, FOR_EVER)
    rig.stop.set()
    assert rig.apply(plan(step)).outcome is Outcome.INTERRUPTED
    assert [type(entry) for entry in rig.log.entries] == [Closed]


def test_beside_a_step_that_is_refused_it_goes_on(rig: Rig) -> None:
    step = rolling_out(rig, FOR_EVER)
    rig.aws.fail("update_service", refusal(message="no"))
    result = rig.apply(plan(step, update("api")))
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "no")
    assert rig.aws.operations == ["update_service"]


def test_beside_a_step_that_fails_it_is_named(rig: Rig) -> None:
    step = rolling_out(rig, FOR_EVER)
    rig.rollouts["api", 1] = fails("it crashed", after=5.0)
    result = rig.apply(plan(register(), step, update("api")))
    assert result.outcome is Outcome.PUT_BACK
    assert result.state == "Not begun by this deployment, and still under way: service.prod/web."


def test_a_wait_that_fails_puts_the_others_back_and_is_7(rig: Rig) -> None:
    step = rolling_out(rig, fails("it crashed", after=5.0))
    result = rig.apply(plan(register(), run(), step, update("api")))
    assert result.outcome is Outcome.FAILED
    assert result.state == (
        "Left as it is: service.prod/web. What else this deployment had changed was put back. "
        "One-off tasks are not undone: run_task.web/migrate."
    )
    assert rig.closed[0].changed is True


def test_what_fails_before_is_put_back_as_ever(rig: Rig) -> None:
    step = rolling_out(rig, FOR_EVER)
    rig.tasks[1] = exits(1)
    assert rig.apply(plan(register(), run(), step)).outcome is Outcome.PUT_BACK
    assert not any(isinstance(entry, Done) and entry.step == 3 for entry in rig.log.entries)


# --- resumed ---


def resumed(step: Step, *entries: Done | Failed) -> Deployment:
    return Deployment(opened=Opened(number=7, at=AT, origin=ORIGIN, plan=plan(step)), entries=entries)


@pytest.mark.parametrize("begun", [True, False])
def test_to_resume_it_is_to_wait_on(rig: Rig, begun: bool) -> None:
    step = rolling_out(rig, rolls_out(after=20.0))
    done = Done(at=AT, step=1, outputs={"deployment": rig.aws.primary("web")})
    result = rig.resume(resumed(step, *([done] if begun else [])))
    assert (result.outcome, rig.aws.sent) == (Outcome.SUCCEEDED, [])
    assert [type(entry) for entry in rig.log.entries] == ([Closed] if begun else [Done, Closed])


def test_one_that_had_failed_is_looked_at_again(rig: Rig) -> None:
    """Deployed again from elsewhere, it may be well by now."""
    step = rolling_out(rig, rolls_out())
    entries = Done(at=AT, step=1, outputs={"deployment": "ecs-svc/1"}), Failed(at=AT, step=1, error="no", stays=True)
    assert rig.resume(resumed(step, *entries)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("locked_out", [False, True])
def test_what_cannot_be_read_is_not_known(rig: Rig, locked_out: bool) -> None:
    """It has neither failed nor been put back; once it can be read, to resume it is to wait on."""
    step = rolling_out(rig, rolls_out(after=20.0))
    error = AwsError("not allowed", code="AccessDeniedException", locked_out=locked_out)
    rig.aws.fail("describe_services", error, times=99, for_all=locked_out)
    result = rig.apply(plan(step))
    assert (result.outcome, result.reason) == (Outcome.STOPPED, "could not read its status: not allowed")
    assert result.next >= {Next.RESUME, Next.ROLLBACK}
    assert rig.aws.sent == []

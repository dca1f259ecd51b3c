"""Waiting: pauses, time limits, and which looks mean that something has failed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count

import pytest
from msgspec import structs

from ecsplan.apply.wait import WaitFailed, WaitTimedOut, joined_notes, wait_for
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock
from ecsplan.core.diagnosis import Tally
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Settings, Step
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Tracked
from ecsplan.sandbox.ecs.outcomes import RolloutRule, TaskRule
from tests.unit.builders import ecs, register, run, targets, update
from tests.unit.failing_account import FailingAccount
from tests.unit.fakes import FakeClock, refusal, throttled
from tests.unit.rig import FOR_EVER, STAYS, exits, fails, rolls_out

FAILS = fails("it crashed")
AS_USUAL = Settings()


class Looks:
    """Services and tasks under way, and what was told of them."""

    def __init__(self) -> None:
        self.clock, self.stop = FakeClock(), threading.Event()
        self.aws = FailingAccount(self.clock)
        self.said: list[events.Event] = []
        self.index = count(1)

    def service(self, name: str, rule: RolloutRule | None = None, settings: Settings = AS_USUAL) -> Tracked:
        """A service whose update was accepted. Without a rule it has rolled out at once."""
        self.aws.add_service(name)
        self.aws.outcomes.rollouts[name, 1] = rule or rolls_out()
        step = structs.replace(update(name, settings=settings), index=next(self.index))
        call = ecs("update_service", cluster="prod", service=name, taskDefinition=self.aws.add_revision("web", 42))
        self.aws.write(call)
        return Tracked(kind=kind_of(step.address), step=step, call=call, outputs={"deployment": self.aws.primary(name)})

    def task(self, rule: TaskRule, settings: Settings = AS_USUAL) -> Tracked:
        """A task that was started."""
        self.aws.outcomes.tasks[len(self.aws.tasks) + 1] = rule
        step = structs.replace(run(settings=settings), index=next(self.index))
        return waiting(step, {"tasks": self.start()})

    def start(self) -> str:
        """The ARN of one more task."""
        call = ecs("run_task", cluster="prod", taskDefinition=self.aws.add_revision("web", 42))
        return str(self.aws.write(call)["tasks"][0]["taskArn"])

    def wait(self, *those: Tracked, timeout: int | None = None) -> None:
        wait_for(those, self.aws, StoppableClock(self.clock, self.stop), self.said.append, timeout)

    @property
    def progress(self) -> list[events.Progressed]:
        return [event for event in self.said if isinstance(event, events.Progressed)]

    @property
    def asked(self) -> list[Call]:
        return [call for calls in self.aws.asked for call in calls]


def waiting(step: Step, outputs: dict[str, str]) -> Tracked:
    return Tracked(kind=kind_of(step.address), step=step, call=step.call, outputs=outputs)


@pytest.fixture
def looks() -> Looks:
    return Looks()


def test_what_has_ended_already_takes_one_look_and_no_pause(looks: Looks) -> None:
    looks.wait(looks.service("web"))
    assert len(looks.asked) == 1
    assert looks.clock.slept == []
    assert looks.progress == [
        events.Progressed(
            address=update("web").address,
            note="rolled out, 1/1 running",
            summary="rolled out",
            done=True,
            ok=True,
            elapsed=0.0,
            verdict="succeeded",
            tally=Tally(running=1, desired=1),
            newest="has reached a steady state.",
            step=1,
        )
    ]


def test_nothing_to_wait_for_is_no_look(looks: Looks) -> None:
    looks.wait()
    looks.wait(waiting(register(), {"arn": "x"}), waiting(targets(), {}))
    assert looks.asked == []


def test_pauses_grow_and_are_bounded(looks: Looks) -> None:
    looks.wait(looks.service("web", rolls_out(after=38.0)))
    slept = looks.clock.slept
    assert slept[:3] == [0.5, 0.75, 1.125]
    assert slept == sorted(slept)
    assert slept[-4:] == [5.0] * 4
    assert len(slept) == 12


def test_each_look_tells_how_long_it_has_been(looks: Looks) -> None:
    looks.wait(looks.service("web", rolls_out(after=1.0)))
    assert [(event.elapsed, event.done) for event in looks.progress] == [(0.0, False), (0.5, False), (1.25, True)]


def test_what_has_ended_is_not_looked_at_again(looks: Looks) -> None:
    looks.wait(looks.service("a"), looks.service("b", rolls_out(after=1.0)))
    assert [call.params["services"] for call in looks.asked] == [["a", "b"], ["b"], ["b"]]


def test_services_and_tasks_are_looked_at_in_the_same_round(looks: Looks) -> None:
    looks.wait(looks.service("web", rolls_out(after=0.5)), looks.task(exits(0, after=0.5)))
    assert [call.operation for call in looks.asked] == ["describe_services", "describe_tasks"] * 2
    assert looks.clock.slept == [0.5]


# --- failing ---


def test_the_first_look_that_shows_a_failure_ends_it(looks: Looks) -> None:
    web = looks.service("web", fails("it crashed", after=0.5))
    with pytest.raises(WaitFailed) as caught:
        looks.wait(web, looks.service("other", FOR_EVER))
    assert [(one.address, progress.note) for one, progress in caught.value.failed] == [
        (web.address, "the rollout failed: it crashed; 0/1 running, 3 failed")
    ]
    assert caught.value.late == ()
    assert str(caught.value) == "the rollout failed: it crashed; 0/1 running, 3 failed"
    assert len(looks.asked) == 2


def test_failures_of_one_look_are_told_together(looks: Looks) -> None:
    first, second = looks.service("a", FAILS), looks.task(exits(2))
    with pytest.raises(WaitFailed) as caught:
        looks.wait(first, second)
    assert [one.step for one, _ in caught.value.failed] == [first.step, second.step]
    assert [(event.done, event.ok) for event in looks.progress] == [(True, False), (True, False)]


@pytest.mark.parametrize(("notes", "said"), [
    ([("a", "it broke")], "a: it broke"),
    ([("a", "it broke"), ("b", "it broke")], "a, b: it broke"),
    ([("a", "it broke"), ("a", "it broke")], "a: it broke"),
    ([("a", "it broke"), ("b", "it is late")], "a: it broke; b: it is late"),
    ([(f"s{n}", "it broke") for n in range(40)], "s0, s1, s2, 37 others: it broke"),
    ([(f"s{n}", f"note {n}") for n in range(4)], "s0: note 0; s1: note 1; s2: note 2; s3: note 3"),
    ([(f"s{n}", f"note {n}") for n in range(40)], "s0: note 0; s1: note 1; s2: note 2; 37 other failures"),
])  # fmt: skip
def test_many_failures_are_told_in_a_line_that_can_be_read(notes: list[tuple[str, str]], said: str) -> None:
    assert joined_notes(notes) == said


def test_a_failed_task_is_told_with_its_exit_code(looks: Looks) -> None:
    with pytest.raises(WaitFailed, match=r"^container web ended with exit code 137: it ended$"):
        looks.wait(looks.task(exits(137, after=0.5)))


# --- too late ---


def elapsed(looks: Looks) -> float:
    return looks.clock.time - FakeClock().time


@pytest.mark.parametrize(
    ("declared", "given", "limit"), [(None, None, 900), (120, None, 120), (120, 60, 60), (None, 60, 60), (0, None, 0)]
)
def test_a_rollout_that_takes_too_long_is_only_not_finished(
    looks: Looks, declared: int | None, given: int | None, limit: int
) -> None:
    web = looks.service("web", FOR_EVER, settings=Settings(timeout=declared))
    with pytest.raises(WaitTimedOut) as caught:
        looks.wait(web, timeout=given)
    assert limit <= elapsed(looks) <= limit + 5
    assert caught.value.message == f"service.prod/web: not finished after {limit} s: rolling out, 0/1 running"
    assert caught.value.hint == "ECS continues the rollout."


@pytest.mark.parametrize(("declared", "given", "limit"), [(None, None, 1800), (120, None, 120), (120, 60, 60)])
def test_a_task_that_takes_too_long_has_failed(
    looks: Looks, declared: int | None, given: int | None, limit: int
) -> None:
    migrate = looks.task(STAYS, settings=Settings(timeout=declared))
    with pytest.raises(WaitFailed) as caught:
        looks.wait(migrate, timeout=given)
    assert limit <= elapsed(looks) <= limit + 5
    assert [(one, progress.note) for one, progress in caught.value.failed] == [
        (migrate, f"not finished after {limit} s: running")
    ]
    assert caught.value.late == (migrate,)


def test_what_ends_at_the_last_look_is_not_too_late(looks: Looks) -> None:
    looks.wait(looks.service("web"), timeout=0)
    assert looks.progress[-1].ok


def test_a_failure_counts_more_than_the_time(looks: Looks) -> None:
    with pytest.raises(WaitFailed, match="it crashed"):
        looks.wait(looks.service("a", FOR_EVER), looks.service("b", FAILS), timeout=0)


def test_all_that_are_late_are_named(looks: Looks) -> None:
    late = r"^service\.prod/a: not finished after 0 s: [^;]*; service\.prod/c: not finished after 0 s: "
    with pytest.raises(WaitTimedOut, match=late):
        looks.wait(looks.service("a", FOR_EVER), looks.service("b"), looks.service("c", FOR_EVER), timeout=0)


def test_only_what_is_late_is_named(looks: Looks) -> None:
    soon, later = Settings(timeout=10), Settings(timeout=100)
    with pytest.raises(WaitTimedOut, match=r"^service\.prod/a: not finished"):
        looks.wait(looks.service("a", FOR_EVER, settings=soon), looks.service("b", FOR_EVER, settings=later))


# --- looks that fail ---


@pytest.mark.parametrize("error", [throttled(), refusal("ServerException", "an internal error")])
def test_a_look_that_is_refused_is_no_failure(looks: Looks, error: AwsError) -> None:
    looks.aws.fail("describe_services", error, times=3)
    looks.wait(looks.service("web"))
    assert len(looks.asked) == 4
    assert len(looks.progress) == 1


def test_a_look_that_cannot_be_sent_is_no_failure_and_is_told(looks: Looks) -> None:
    looks.aws.fail("describe_services", refusal("NoConnection", "no way there"), for_all=True)
    looks.wait(looks.service("web"))
    assert looks.said[0] == events.Warned(message="polling failed, retrying: no way there")
    assert looks.progress[-1].ok


def test_a_look_that_is_refused_is_told(looks: Looks) -> None:
    """Otherwise nobody hears anything for as long as AWS refuses."""
    looks.aws.fail("describe_services", refusal("ServerException", "an internal error"))
    looks.wait(looks.service("web"))
    assert looks.said[0] == events.Warned(message="polling failed, retrying: an internal error")


def test_credentials_that_have_expired_are_an_error(looks: Looks) -> None:
    """The next look would be refused too, and so on until the time is over."""
    expired = AwsError("the token has expired", code="ExpiredToken", locked_out=True)
    looks.aws.fail("describe_services", expired, for_all=True)
    with pytest.raises(AwsError, match="the token has expired"):
        looks.wait(looks.service("web"))
    assert len(looks.asked) == 1


def test_looks_that_fail_until_the_time_is_over_are_late(looks: Looks) -> None:
    looks.aws.fail("describe_services", refusal("NoConnection", "no way there"), for_all=True, times=1000)
    with pytest.raises(WaitTimedOut):
        looks.wait(looks.service("web"), timeout=60)


def test_one_of_several_looks_that_fails_holds_back_only_its_own(looks: Looks) -> None:
    """The look at the eleventh service is refused twice; the ten others have ended meanwhile."""
    looks.aws.fail("describe_services", throttled(), about="'s10'", times=2)
    looks.wait(*(looks.service(f"s{n}") for n in range(11)))
    assert [len(call.params["services"]) for call in looks.asked] == [10, 1, 1, 1]


def test_a_task_seen_in_two_looks_waits_until_both_are_answered(looks: Looks) -> None:
    """Of more than a hundred tasks of one run, a part cannot be judged alone."""
    arns = [looks.start() for _ in range(101)]
    looks.aws.fail("describe_tasks", throttled(), about=arns[0])
    looks.wait(waiting(run(count=101), {"tasks": " ".join(arns)}))
    assert [len(call.params["tasks"]) for call in looks.asked] == [100, 1, 100, 1]
    assert len(looks.progress) == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied"])
def test_looks_that_are_not_permitted_are_an_error(looks: Looks, code: str) -> None:
    looks.aws.fail("describe_services", refusal(code, "not authorized"))
    with pytest.raises(AwsError, match="not authorized"):
        looks.wait(looks.service("web"))


# --- stopping ---


def test_when_asked_to_stop_it_does_not_even_look(looks: Looks) -> None:
    looks.stop.set()
    looks.wait(looks.service("web", FOR_EVER))
    assert looks.asked == []


def test_a_request_to_stop_during_a_pause_ends_it(looks: Looks) -> None:
    def on_sleep() -> None:
        if len(looks.clock.slept) == 3:
            looks.stop.set()

    looks.clock.on_sleep = on_sleep
    looks.wait(looks.service("web", FOR_EVER))
    assert len(looks.asked) == 3


def test_a_request_to_stop_during_a_poll_hides_no_failure(looks: Looks) -> None:
    def on_ask(_calls: Sequence[Call]) -> None:
        looks.stop.set()

    looks.aws.on_ask = on_ask
    with pytest.raises(WaitFailed):
        looks.wait(looks.service("web", FAILS))

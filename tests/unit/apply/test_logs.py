"""Lines are followed beside the waiting: each once, in order, at a request per stream and look."""

from __future__ import annotations

import threading

import pytest

from ecsplan.apply.logs import BURST, FINAL, LONGEST, PER_SECOND, REFUSALS, SETTLING, Tailer
from ecsplan.apply.wait import Observation
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock
from ecsplan.core.errors import AwsError, UsageError
from ecsplan.core.model import Action, Call, Doc
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Progress, Tracked
from tests.support.streams import Streams
from tests.support.world import EPOCH, Clock
from tests.unit.fakes import refusal, throttled
from tests.unit.fakes_kinds import ECS, call, step_of

NAME = "run_task.web/migrate"
LOGS = {"web": ["/shop", "eu-west-1", "ecs"]}


class Following:
    """A follower, the streams it reads, and what it has told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.streams = Streams(self.clock)
        self.said: list[events.Event] = []
        self.stop = threading.Event()
        self.follower = Tailer(self.streams, StoppableClock(self.clock, self.stop), self.said.append, "eu-west-1")

    def poll(self, *tasks: Doc, logs: Doc | None = None, index: int = 1, done: bool = False, old: bool = False) -> None:
        expect = {"count": len(tasks), "logs": LOGS if logs is None else logs}
        step = step_of(NAME, call("run_task"), action=Action.RUN, expect=expect)
        one = Tracked(kind=kind_of(step.address), step=step, call=step.call, outputs={"tasks": ""}, old=old)
        self.follower.observe(Observation(one=one, progress=Progress(done=done), documents=({"tasks": list(tasks)},)))

    @property
    def lines(self) -> list[str]:
        return [event.text for event in self.said if isinstance(event, events.Logged)]

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.said if isinstance(event, events.Warned)]


def task(name: str = "1", ended: float | None = None) -> Doc:
    found: Doc = {"taskArn": f"{ECS}task/prod/{name}", "lastStatus": "RUNNING" if ended is None else "STOPPED"}
    times = {} if ended is None else {"executionStoppedAt": ended}
    return {**found, "containers": [{"name": "web", "exitCode": 0}], **times}


@pytest.fixture
def following() -> Following:
    return Following()


def test_each_look_shows_what_is_new(following: Following) -> None:
    following.streams.write("ecs/web/1", "one", "two")
    following.poll(task())
    following.streams.write("ecs/web/1", "three")
    following.poll(task())
    following.poll(task())
    assert following.lines == ["one", "two", "three"]
    assert len(following.streams.asked) == 3


def test_a_line_says_who_wrote_it_and_when(following: Following) -> None:
    following.streams.write("ecs/web/1", "hello")
    following.poll(task())
    assert following.said == [
        events.Logged(
            address=step_of(NAME, call("run_task"), action=Action.RUN).address,
            source="migrate",
            task="1",
            container="web",
            at="2023-11-14T22:13:20.000Z",
            text="hello",
        )
    ]
    assert following.streams.asked == [
        Call(
            service="logs",
            operation="get_log_events",
            params={"logGroupName": "/shop", "logStreamName": "ecs/web/1", "startFromHead": True},
        )
    ]


def test_one_request_per_stream_and_look_and_all_at_once(following: Following) -> None:
    for name in ("1", "2", "3"):
        following.streams.write(f"ecs/web/{name}", "a", "b")
    following.poll(task("1"), task("2"), task("3"))
    assert following.streams.rounds == [3]


def test_full_pages_are_read_on_at_once(following: Following) -> None:
    following.streams.write("ecs/web/1", *map(str, range(25_000)))
    following.poll(task())
    assert following.lines == list(map(str, range(25_000)))
    assert len(following.streams.asked) == 3


def test_so_are_pages_that_are_full_of_long_lines(following: Following) -> None:
    following.streams.page = 4
    following.streams.write("ecs/web/1", *["x" * 200_000] * 6)
    following.poll(task())
    assert len(following.lines) == 6


def test_a_stream_that_is_not_there_yet_is_asked_for_again(following: Following) -> None:
    following.poll(task())
    following.streams.write("ecs/web/1", "late")
    following.poll(task())
    assert (following.lines, following.warnings) == (["late"], [])


@pytest.mark.parametrize("error", [throttled(), refusal("ServiceUnavailableException", "not now")])
def test_a_request_that_is_refused_is_made_again(following: Following, error: AwsError) -> None:
    following.streams.write("ecs/web/1", "a")
    following.streams.refusals = [error, error]
    for _ in range(3):
        following.poll(task())
    assert (following.lines, following.warnings) == (["a"], [])


def test_what_keeps_any_request_from_being_sent_is_no_failure(following: Following) -> None:
    class Nowhere:
        def fetch(self, calls: object) -> tuple[()]:
            raise UsageError("Invalid endpoint")

    clock, said = Clock(), list[events.Event]()
    follower = Tailer(Nowhere(), StoppableClock(clock, threading.Event()), said.append, "eu-west-1")
    following.follower = follower
    following.poll(task())
    follower.finish()
    assert [event.message for event in said if isinstance(event, events.Warned)] == [
        f"the log lines of {NAME} may not be complete: Invalid endpoint"
    ]


def test_no_permission_is_told_once_and_not_asked_again(following: Following) -> None:
    following.streams.refusals = [refusal("AccessDeniedException", "not authorized")] * 2
    following.poll(task("1"), task("2"))
    following.poll(task("1"), task("2"), task("3"))
    following.follower.finish()
    assert following.warnings == [
        "log lines in /shop are not shown, because the role in use has no logs:GetLogEvents for it"
    ]
    assert len(following.streams.asked) == 2


def test_what_cannot_be_followed_is_told_once(following: Following) -> None:
    logs = {"web": ["/shop", "eu-west-1", ""], "far": ["/far", "us-east-1", "ecs"]}
    for _ in range(2):
        following.poll(task(), logs=logs)
    assert following.warnings == [
        f"the log lines of {NAME} are not shown: container web has no awslogs-stream-prefix, without which "
        "the name of its stream is unknown",
        f"the log lines of {NAME} are not shown: container far logs to us-east-1",
    ]
    assert following.streams.asked == []


def test_requests_stay_within_what_an_account_has(following: Following) -> None:
    """However many streams there are; each gets its turn."""
    tasks = [task(str(n)) for n in range(100)]
    for n in range(100):
        following.streams.write(f"ecs/web/{n}", f"line of {n}")
    for _ in range(30):
        following.poll(*tasks)
        following.clock.sleep(0.5)
    assert len(following.streams.asked) <= BURST + 15 * PER_SECOND
    assert sorted(following.lines) == sorted(f"line of {n}" for n in range(100))


# --- when it is over ---


def test_the_last_lines_come_when_the_container_is_gone(following: Following) -> None:
    following.streams.write("ecs/web/1", "one")
    following.streams.write("ecs/web/1", "two", seen=EPOCH + 1.5)
    following.streams.write("ecs/web/1", "three", seen=EPOCH + 2.9)
    following.poll(task("1", ended=EPOCH), done=True)
    following.follower.finish()
    assert following.lines == ["one", "two", "three"]
    assert sum(following.clock.slept) <= SETTLING + 1


def test_lines_are_waited_for_as_long_as_they_come(following: Following) -> None:
    for second in range(12):
        following.streams.write("ecs/web/1", str(second), seen=EPOCH + second)
    following.poll(task("1", ended=EPOCH), done=True)
    following.follower.finish()
    assert len(following.lines) == 12


def test_and_no_longer_than_for_half_a_minute(following: Following) -> None:
    for second in range(1000):
        following.streams.write("ecs/web/1", str(second), seen=EPOCH + second)
    following.poll(task("1", ended=EPOCH), done=True)
    following.follower.finish()
    assert LONGEST <= sum(following.clock.slept) <= LONGEST + 1


def test_where_nobody_answers_for_logs_they_are_not_waited_for(following: Following) -> None:
    """An AWS, or a proxy before it, that does not know CloudWatch Logs at all."""
    following.streams.refusals = [refusal("UnknownOperationException", "what?")] * 100
    following.poll(task("1", ended=EPOCH), done=True)
    following.follower.finish()
    assert len(following.streams.asked) == 1 + REFUSALS // FINAL
    assert sum(following.clock.slept) <= REFUSALS // FINAL
    assert len(following.warnings) == 1


def test_what_means_later_is_asked_for_more_often(following: Following) -> None:
    following.streams.write("ecs/web/1", "one")
    following.streams.refusals = [throttled()] * 12
    following.poll(task("1", ended=EPOCH), done=True)
    following.follower.finish()
    assert (following.lines, following.warnings) == (["one"], [])


def test_after_a_container_that_ended_long_ago_nothing_is_waited_for(following: Following) -> None:
    following.streams.write("ecs/web/1", "one")
    following.poll(task("1", ended=EPOCH - 60), done=True, old=True)
    following.follower.finish()
    assert following.lines == ["one"]
    assert following.clock.slept == []


@pytest.mark.parametrize("apart", [-7200.0, 7200.0])
def test_the_last_lines_are_waited_for_whatever_the_clock_of_aws_says(following: Following, apart: float) -> None:
    following.streams.write("ecs/web/1", "one")
    following.poll(task())
    following.clock.sleep(600)
    following.streams.write("ecs/web/1", "two", seen=EPOCH + 600 + 2.5)
    following.poll(task("1", ended=EPOCH + 600 + apart), done=True)
    following.streams.write("ecs/web/2", "three", seen=EPOCH + 600 + 2.5)
    following.poll(task("2", ended=EPOCH + 600 + apart), done=True)  # never seen running
    following.follower.finish()
    assert following.lines == ["one", "two", "three"]


def test_a_task_that_ended_before_anybody_looked(following: Following) -> None:
    following.streams.write("ecs/web/1", *"abc")
    following.poll(task("1", ended=EPOCH - 0.1), done=True)
    following.follower.finish()
    assert following.lines == [*"abc"]


def test_every_page_of_what_has_ended_is_read_however_many(following: Following) -> None:
    following.streams.page, following.streams.empty = 10, 2
    following.streams.write("ecs/web/1", *map(str, range(3_000)))
    following.poll(task("1", ended=EPOCH - 60), done=True)
    following.follower.finish()
    assert following.lines == list(map(str, range(3_000)))


def test_of_what_still_runs_all_that_is_there_is_read(following: Following) -> None:
    following.streams.page = 2
    following.streams.write("ecs/web/1", *"abcde")
    following.poll(task())
    following.follower.finish()
    assert following.lines == [*"abcde"]
    assert following.clock.slept == []


def test_a_throttled_end_is_tried_again_and_then_told(following: Following) -> None:
    following.streams.write("ecs/web/1", "a")
    following.streams.refusals = [throttled()] * 5
    following.poll(task("1", ended=EPOCH), done=True)
    following.follower.finish()
    assert (following.lines, following.warnings) == (["a"], [])
    following.streams.refusals = [throttled()] * 1000
    following.poll(task("2", ended=EPOCH), done=True)
    following.follower.finish()
    assert following.warnings == [f"the log lines of {NAME} may not be complete: Rate exceeded"]


def test_credentials_that_are_no_longer_accepted_are_not_tried_again(following: Following) -> None:
    following.streams.refusals = [AwsError("expired", code="ExpiredToken", locked_out=True)] * 10
    following.poll(task("1", ended=EPOCH), done=True)
    following.follower.finish()
    assert (len(following.streams.asked), following.clock.slept) == (2, [])


def test_a_request_to_stop_ends_it(following: Following) -> None:
    following.streams.write("ecs/web/1", "a")
    following.poll(task("1", ended=EPOCH), done=True)
    following.stop.set()
    following.follower.finish()
    assert (following.lines, following.clock.slept) == (["a"], [])


def test_what_is_over_is_not_read_again(following: Following) -> None:
    following.streams.write("ecs/web/1", "a")
    following.poll(task("1", ended=EPOCH - 60), done=True)
    following.follower.finish()
    asked = len(following.streams.asked)
    following.follower.finish()
    assert len(following.streams.asked) == asked


def test_pages_that_are_empty_for_ever_are_an_end(following: Following) -> None:
    following.streams.empty = 10**9
    following.streams.write("ecs/web/1", "a")
    following.poll(task())
    following.follower.finish()
    assert len(following.streams.asked) < 20


def test_an_answer_without_a_token_is_read_from_the_start_and_told_once(following: Following) -> None:
    class Bare(Streams):
        def _page(self, params: Doc) -> Doc:
            return {"events": [{"message": line} for _, line in self.written[params["logStreamName"]]]}

    bare = Bare(following.clock)
    clock = StoppableClock(following.clock, following.stop)
    following.follower = Tailer(bare, clock, following.said.append, "eu-west-1")
    bare.write("ecs/web/1", "a", "b")
    following.poll(task())
    bare.write("ecs/web/1", "c")
    following.poll(task())
    following.follower.finish()
    assert following.lines == ["a", "b", "c"]

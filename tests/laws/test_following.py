"""Whatever is written when, however it is paged, delayed and refused: exactly the lines, in order, once."""

from __future__ import annotations

import threading

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecsplan.apply.logs import SETTLING, Tailer
from ecsplan.apply.wait import Observation
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Action, Doc
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Progress, Tracked
from tests.support.streams import Streams
from tests.support.world import EPOCH, Clock
from tests.unit.fakes_kinds import ECS, call, step_of

REFUSALS = (
    AwsError("Rate exceeded", code="ThrottlingException"),
    AwsError("an internal error", code="ServiceUnavailableException"),
    AwsError("no answer", code="NoConnection", unclear=True),
)
#: By task: when each line is written, and how much later than it or than the line before it can be read.
WRITTEN = st.lists(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, SETTLING - 1)), max_size=12), min_size=1, max_size=3
)


@settings(max_examples=150, deadline=None)
@example(written=[[(5.0, 2.0)]], page=1, empty=3, refusals=[], pauses=[1.0] * 4)  # silent for longer than pages may be
@given(
    written=WRITTEN,
    page=st.integers(1, 5),
    empty=st.integers(0, 3),
    refusals=st.lists(st.sampled_from([None, None, *REFUSALS]), max_size=12),
    pauses=st.lists(st.floats(0.1, 5), max_size=10),
)
def test_exactly_the_lines_in_order_once(
    written: list[list[tuple[float, float]]],
    page: int,
    empty: int,
    refusals: list[AwsError | None],
    pauses: list[float],
) -> None:
    clock, said = Clock(), list[events.Event]()
    streams = Streams(clock, page=page, empty=empty, refusals=list(refusals))
    follower = Tailer(streams, StoppableClock(clock, threading.Event()), said.append, "eu-west-1")
    ends = []
    for task, lines in enumerate(written):
        seen = EPOCH
        for number, (at, delay) in enumerate(sorted(lines)):
            seen = max(seen, EPOCH + at + delay)
            streams.write(f"ecs/web/{task}", f"{task}: {number}", seen=seen)
        ends.append(EPOCH + max((at for at, _ in lines), default=0.0))

    def look() -> None:
        tasks = [_task(str(number), end, clock.time) for number, end in enumerate(ends)]
        step = step_of(
            "run_task.web/many", call("run_task"), action=Action.RUN, expect={"logs": {"web": ["/a", "", "ecs"]}}
        )
        one = Tracked(kind=kind_of(step.address), step=step, call=step.call, outputs={})
        follower.observe(Observation(one=one, progress=Progress(done=False), documents=({"tasks": tasks},)))

    look()
    for pause in pauses:
        clock.sleep(pause)
        look()
    if clock.time < max(ends):
        clock.sleep(max(ends) - clock.time)
        look()
    follower.finish()
    for task, lines in enumerate(written):
        told = [event.text for event in said if isinstance(event, events.Logged) and event.task == str(task)]
        assert told == [f"{task}: {number}" for number in range(len(lines))]


def _task(name: str, end: float, now: float) -> Doc:
    found: Doc = {"taskArn": f"{ECS}task/prod/{name}", "containers": [{"name": "web", "exitCode": 0}]}
    if now < end:
        return {**found, "lastStatus": "RUNNING"}
    return {**found, "lastStatus": "STOPPED", "executionStoppedAt": end}

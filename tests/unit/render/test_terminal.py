"""The table of a running deployment: what it shows as text, how it fits a terminal, and how it is drawn."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyte
import pytest
from rich.text import Text

from ecsplan.core import events
from ecsplan.core.diagnosis import Pause, Tally
from ecsplan.core.model import Phase, Step
from ecsplan.journal import Outcome
from ecsplan.render.table import Board, State
from ecsplan.render.terminal import FALLBACK, LOOKS, TerminalTable, console, size_of, table
from tests.conftest import Golden
from tests.support.world import Clock
from tests.unit.builders import plan, register, retire, run, targets, task_definition_arn, update, wait

TABLES = Path(__file__).parent / "tables"
BAD = "the rollout failed: ECS deployment circuit breaker: tasks failed to start.; 0/2 running, 3 failed"


class Story:
    """A deployment as its events tell it, and the table that hears them."""

    def __init__(self, *steps: Step) -> None:
        self.clock = Clock()
        self.steps = plan(*steps).steps
        self.board = Board(self.clock.now)
        planned = tuple(
            events.Planned(index=one.index, phase=one.phase, address=one.address, action=one.action)
            for one in self.steps
        )
        self.board(events.DeploymentStarted(number=7, app="shop", tag="v42", steps=len(planned), planned=planned))

    def step(self, address: str) -> Step:
        return next(one for one in self.steps if one.address == address)

    def starts(self, *addresses: str, undo: bool = False) -> None:
        for address in addresses:
            self.board(events.StepStarted(step=self.step(address), undo=undo))
            outputs = {"arn": task_definition_arn("web", 42)} if address.startswith("task_definition") else {}
            self.board(events.StepDone(step=self.step(address), outputs=outputs, undo=undo))

    def looks(self, address: str, note: str, *, done: bool = False, ok: bool = True, **more: object) -> None:
        seen = events.Progressed(
            address=self.step(address).address,
            step=self.step(address).index,
            note=note,
            done=done,
            ok=ok,
            elapsed=0.0,
        )
        self.board(msgspec.structs.replace(seen, **more))

    def fails(self, address: str, error: str, *, undo: bool = False) -> None:
        self.board(events.StepFailed(step=self.step(address), error=error, undo=undo))

    def ends(self, outcome: Outcome, reason: str = "") -> None:
        self.board(events.DeploymentEnded(number=7, outcome=outcome.value, reason=reason))

    def state(self, name: str) -> tuple[State, str]:
        (row,) = [row for row in self.board.rows if row.name == name]
        return row.state, row.says

    def shown(self, columns: int = 80, lines: int = 24, *, signs: bool = True) -> str:
        return text(self.board, columns, lines, self.clock, signs=signs)


def printed(lines: Iterable[Text], *, colored: bool) -> list[str]:
    """Lines as the terminal gets them; none is broken."""
    file = io.StringIO()
    out = console(file, colored=colored)
    for line in lines:
        out.print(line, soft_wrap=True)
    return file.getvalue().splitlines()


def text(board: Board, columns: int, lines: int, clock: Clock, *, signs: bool = True) -> str:
    made = table(board, (columns, lines), clock.now(), signs=signs)
    return "\n".join(line.rstrip() for line in printed(made, colored=False)) + "\n"


WEB, API, MIGRATE = "service.prod/web", "service.prod/api", "run_task.web/migrate"


@pytest.fixture
def story() -> Story:
    return Story(register(), register("api"), run(), update(), update("api"), targets(), retire(), retire("api"))


def under_way(story: Story) -> Story:
    story.starts("task_definition.web", "task_definition.api")
    story.starts(MIGRATE)
    story.clock.sleep(65)
    story.looks(MIGRATE, "exit code 0", done=True, tally=Tally(desired=1))
    story.starts(WEB, API)
    story.clock.sleep(12)
    story.looks(
        WEB,
        "rolling out, 1/2 running, 1 pending, 3 failed",
        summary="rolling out",
        tally=Tally(running=1, desired=2, pending=1, failed=3),
        newest="(service web) was unable to place a task because no container instance met all of its requirements.",
    )
    story.looks(
        API,
        "rolling out, 12/12 running",
        summary="rolling out",
        tally=Tally(running=12, desired=12),
        stage="BAKE_TIME",
        traffic=50.0,
    )
    return story


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_while_it_runs(story: Story, golden: Golden, columns: int) -> None:
    golden(TABLES / f"running-{columns}.txt", under_way(story).shown(columns))


@pytest.mark.parametrize("columns", [80, 120])
def test_while_it_is_put_back(story: Story, golden: Golden, columns: int) -> None:
    under_way(story)
    story.looks(API, "rolled out, 12/12 running", summary="rolled out", done=True, tally=Tally(running=12, desired=12))
    story.looks(WEB, BAD, done=True, ok=False, verdict="rolled back", tally=Tally(desired=2, failed=3))
    story.fails(WEB, BAD)
    story.board(events.UndoStarted(reason=BAD))
    story.starts(API, undo=True)
    story.clock.sleep(3)
    story.looks(API, "rolling out, 3/12 running", summary="rolling out", tally=Tally(running=3, desired=12))
    golden(TABLES / f"back-{columns}.txt", story.shown(columns))


def test_when_everything_was_put_back(story: Story, golden: Golden) -> None:
    under_way(story)
    story.looks(WEB, BAD, done=True, ok=False, verdict="rolled back", tally=Tally(desired=2, failed=3))
    story.fails(WEB, BAD)
    story.board(events.UndoStarted(reason=BAD))
    story.starts(API, undo=True)
    story.looks(API, "rolled out, 12/12 running", summary="rolled out", done=True, tally=Tally(running=12, desired=12))
    story.starts("task_definition.web", "task_definition.api", undo=True)
    story.ends(Outcome.PUT_BACK, BAD)
    story.clock.sleep(600)  # time goes on, and the table tells no more of it
    golden(TABLES / "put-back-80.txt", story.shown())


def test_when_it_has_succeeded(story: Story, golden: Golden) -> None:
    under_way(story)
    for address in (WEB, API):
        story.looks(
            address, "rolled out, 2/2 running", summary="rolled out", done=True, tally=Tally(running=2, desired=2)
        )
    story.starts("event_targets.nightly", *(one.address for one in story.steps if one.phase is Phase.RETIRE))
    story.ends(Outcome.SUCCEEDED)
    golden(TABLES / "succeeded-80.txt", story.shown())


# --- rows ---


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        ("failed", "failed"),
        ("rolled back", "rolled back by ECS"),
        ("superseded", "superseded"),
        ("timed out", "timed out"),
        ("forgotten", "end unknown"),
    ],
)
def test_each_way_to_fail_is_told_apart(story: Story, verdict: str, says: str) -> None:
    story.starts(WEB)
    story.looks(WEB, "why", done=True, ok=False, verdict=verdict)
    story.fails(WEB, "why")
    assert story.state("web") == (State.FAILED, says)
    assert "    why\n" in story.shown()


def test_what_is_only_waited_for_was_begun_before() -> None:
    story = Story(wait())
    story.starts(WEB)
    assert story.state("web") == (State.GOING, "already under way")
    story.looks(WEB, "rolled out, 2/2 running", summary="rolled out", done=True)
    assert story.state("web") == (State.DONE, "rolled out")


def test_a_pause_says_at_which_hook(story: Story) -> None:
    story.starts(WEB)
    pause = Pause(deployment="d", hook="h1", stage="POST_SCALE_UP", expires="2026-01-02T03:04:05Z", action="ROLLBACK")
    story.looks(WEB, "paused at POST_SCALE_UP: hook h1 waits", verdict="paused", pause=pause)
    assert story.state("web") == (State.PAUSED, "paused at a hook")
    story.ends(Outcome.UNFINISHED)
    assert story.state("web") == (State.PAUSED, "paused at a hook")
    assert "    at post scale up, until 2026-01-02T03:04:05Z, then ROLLBACK\n" in story.shown()


@pytest.mark.parametrize(
    ("pause", "said"),
    [
        (Pause(deployment="d", hook="h1"), ""),
        (Pause(deployment="d", hook="h1", stage="BAKE_TIME"), "at bake time"),
        (Pause(deployment="d", hook="h1", expires="2026-01-02T03:04:05Z"), "until 2026-01-02T03:04:05Z"),
    ],
)
def test_of_a_pause_what_aws_told_is_said(story: Story, pause: Pause, said: str) -> None:
    story.starts(WEB)
    story.looks(WEB, "paused: hook h1 waits", verdict="paused", pause=pause)
    (row,) = [row for row in story.board.rows if row.name == "web"]
    assert row.detail == said


@pytest.mark.parametrize(
    ("note", "says"),
    [("rolled out, 2/2 running", "rolled out"), ("rolled back to web:41, 2/2 running", "rolled back to web:41")],
)
def test_how_a_service_came_to_where_it_is(story: Story, note: str, says: str) -> None:
    story.starts(WEB)
    story.looks(WEB, note, summary=says, done=True, tally=Tally(running=2, desired=2))
    assert story.state("web") == (State.DONE, says)


def test_what_was_refused_is_told_at_once(story: Story) -> None:
    story.board(events.StepStarted(step=story.step(WEB)))
    story.fails(WEB, f"{WEB}: ecs:update_service: AccessDeniedException: no")
    assert story.state("web") == (State.FAILED, "failed")
    assert "    ecs:update_service: AccessDeniedException: no\n" in story.shown()


def test_what_could_not_be_put_back_says_so(story: Story) -> None:
    story.starts(WEB)
    story.board(events.StepStarted(step=story.step(WEB), undo=True))
    story.fails(WEB, "no", undo=True)
    assert story.state("web") == (State.FAILED, "not put back")


def test_what_was_never_begun_says_so_at_the_end(story: Story) -> None:
    story.ends(Outcome.STOPPED, "no")
    assert {(row.state, row.says) for row in story.board.rows} == {(State.LEFT, "not begun")}


@pytest.mark.parametrize(
    ("outcome", "says"), [(Outcome.SUCCEEDED, "not waited for"), (Outcome.INTERRUPTED, "left: rolling out")]
)
def test_what_is_still_rolling_out_at_the_end(story: Story, outcome: Outcome, says: str) -> None:
    story.starts(WEB)
    story.looks(WEB, "rolling out, 1/2 running", summary="rolling out", tally=Tally(running=1, desired=2))
    story.ends(outcome)
    assert story.state("web") == (State.LEFT, says)


def test_what_was_made_before_a_resume_is_done() -> None:
    story = Story(register(), update())
    made = tuple(
        events.Planned(index=one.index, phase=one.phase, address=one.address, action=one.action, made=one.index == 1)
        for one in story.steps
    )
    story.board(events.DeploymentStarted(number=7, app="shop", tag="v42", steps=2, planned=made))
    assert story.state("task definitions") == (State.DONE, "done before")
    assert story.state("web") == (State.WAITING, "waiting")


@pytest.mark.parametrize(
    ("outcome", "stands"),
    [
        (Outcome.SUCCEEDED, (State.DONE, "done before")),
        (Outcome.INTERRUPTED, (State.LEFT, "begun before")),
    ],
)
def test_what_ended_before_a_resume_was_begun_although_nobody_looks_again(
    outcome: Outcome, stands: tuple[State, str]
) -> None:
    story = Story(run(), update())
    made = tuple(
        events.Planned(index=one.index, phase=one.phase, address=one.address, action=one.action, made=one.index == 1)
        for one in story.steps
    )
    story.board(events.DeploymentStarted(number=7, app="shop", tag="v42", steps=2, planned=made))
    story.ends(outcome)
    assert story.state("web/migrate") == stands
    assert story.state("web") == (State.LEFT, "not begun")


def test_several_steps_of_one_task_are_one_row() -> None:
    story = Story(*(run(count=10) for _ in range(3)))
    for one in story.steps:
        story.board(events.StepStarted(step=one))
        story.board(events.StepDone(step=one, outputs={}))
    for one in story.steps:
        looked = events.Progressed(
            address=one.address, step=one.index, note="running", done=False, ok=True, elapsed=0.0,
            tally=Tally(running=one.index, desired=10),
        )  # fmt: skip
        story.board(looked)
    (row,) = story.board.rows
    assert row.tally == Tally(running=6, desired=30)
    for one in story.steps:
        assert row.state is State.GOING
        ended = events.Progressed(
            address=one.address, step=one.index, note="exit code 0", done=True, ok=True, elapsed=1
        )
        story.board(ended)
    assert (row.state, row.says) == (State.DONE, "exit code 0")


def test_services_of_several_clusters_keep_the_names_of_these() -> None:
    other = msgspec.structs.replace(update(), address=type(update().address)("service.test/web"))
    assert [row.name for row in Story(update(), other).board.rows] == ["prod/web", "test/web"]


def test_time_goes_on_between_two_looks(story: Story) -> None:
    story.starts(WEB)
    for seconds, shown in ((1, "1s"), (58, "59s"), (66, "2m05s"), (3600, "1h02m")):
        story.clock.sleep(seconds)
        assert f" {shown}  starting\n" in story.shown()


# --- room ---


def crowd(number: int = 40) -> Story:
    story = Story(*(update(f"service-{n:02}") for n in range(number)))
    story.starts(*(one.address for one in story.steps))
    for one in story.steps[:28]:
        story.looks(
            one.address, "rolled out, 2/2 running", summary="rolled out", done=True, tally=Tally(running=2, desired=2)
        )
    for one in story.steps[28:]:
        story.looks(one.address, "rolling out, 1/2 running", newest="has started 1 tasks: (task x).")
    return story


def test_forty_services_on_24_lines(golden: Golden) -> None:
    story = crowd()
    story.looks(story.steps[39].address, BAD, done=True, ok=False, verdict="failed")
    shown = story.shown()
    golden(TABLES / "forty-80.txt", shown)
    assert len(shown.splitlines()) <= 23


@pytest.mark.parametrize("lines", [1, 5, 8, 12, 24, 43])
@pytest.mark.parametrize("columns", [1, 20, 40, 60, 80, 200])
def test_the_table_fits_any_terminal(columns: int, lines: int) -> None:
    for story in (crowd(), crowd(1), crowd(3)):
        shown = story.shown(columns, lines).splitlines()
        assert len(shown) <= max(6, lines - 1)
        assert max(map(len, shown)) <= max(1, columns - 1)


def test_nothing_is_left_out_where_there_is_room() -> None:
    shown = crowd().shown(80, 60)
    assert all(f"service-{n:02}" in shown for n in range(40))
    assert "more" not in shown


def test_what_came_from_elsewhere_moves_no_cursor(story: Story) -> None:
    story.starts(WEB)
    story.looks(WEB, "x", newest="red \033[31mred\033[0m\r\nnext \033]0;title\007line\a")
    assert "    red red next line\n" in story.shown()


def test_signs_that_any_terminal_can_show(story: Story) -> None:
    under_way(story).shown(signs=False).encode("ascii")


def test_colours_are_of_the_basic_ones_and_each_has_its_sign(story: Story) -> None:
    under_way(story)
    lines = printed(table(story.board, (80, 24), story.clock.now()), colored=True)
    assert any("\033[36m" in line for line in lines)
    assert {look[2] for look in LOOKS.values()} <= {"red", "green", "yellow", "cyan", "magenta", "dim"}
    states = [state for state in LOOKS if state is not State.LEFT]  # as what waits: nothing happens to it
    assert len({LOOKS[state][0] for state in states}) == len(states)


# --- drawing ---


class Screen(io.StringIO):
    """A terminal that can be resized, and says when it was drawn."""

    encoding = "utf-8"

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.columns, self.lines = columns, lines
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.Stream(self.screen)
        self.writes: list[str] = []
        self.lock = threading.Lock()
        self.drawn = threading.Semaphore(0)

    def write(self, text: str) -> int:
        with self.lock:
            self.writes.append(text)
            self.stream.feed(text.replace("\n", "\r\n"))  # as a terminal's driver does
        self.drawn.release()
        return len(text)

    def size(self) -> tuple[int, int]:
        return self.columns, self.lines

    def narrow(self, columns: int) -> None:
        """Become narrower, and break the lines that are too long now, as terminals do."""
        with self.lock:
            self.columns = columns
            shown = self.shown[: self.screen.cursor.y + 1]
            self.screen.reset()
            self.screen.resize(self.lines, columns)
            self.stream.feed("\r\n".join(shown))

    @property
    def shown(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]


def send(terminal: TerminalTable, sent: Iterable[events.Event]) -> None:
    for event in sent:
        terminal(event)


def started(number: int = 1) -> events.DeploymentStarted:
    steps = plan(*(update(f"web-{n}") for n in range(number))).steps
    planned = tuple(
        events.Planned(index=one.index, phase=one.phase, address=one.address, action=one.action) for one in steps
    )
    return events.DeploymentStarted(number=7, app="shop", tag="v42", steps=number, planned=planned)


ENDED = events.DeploymentEnded(number=7, outcome="succeeded", reason="")


def logged(line: str) -> events.Logged:
    return events.Logged(
        address=run().address, source="web/migrate", task="t", container="web", at="2026-01-01T00:00:00Z", text=line
    )


def test_lines_scroll_above_the_table_and_the_table_stays() -> None:
    screen = Screen(40, 8)
    terminal = TerminalTable(screen, Clock().now, colored=True, size=screen.size)
    terminal.start()
    terminal(started())
    screen.drawn.acquire()
    for number in range(20):
        terminal(logged(f"line {number}"))
    terminal(events.Warned(message="mind"))
    terminal.say("stopping")
    terminal(ENDED)
    terminal.close()
    assert screen.shown == [
        "web/migrate | line 19", "! mind", "stopping",
        "", "deployment 7: shop v42  0s", "· web-0  not begun", "", "",
    ]  # fmt: skip
    assert screen.screen.cursor.x == 0


def test_a_wait_for_the_pace_of_aws_is_told_above_the_table() -> None:
    screen = Screen(60, 6)
    terminal = TerminalTable(screen, Clock().now, colored=True, size=screen.size)
    terminal.start()
    terminal(started())
    terminal(events.Paced(call="ecs:update_service", per_second=5.0, waiting=12))
    terminal(ENDED)
    terminal.close()
    assert screen.shown[0] == "ecs:update_service at AWS's pace: 5/s, 12 waiting"


def test_a_hook_that_was_let_go_on_is_told_above_the_table() -> None:
    screen = Screen(60, 6)
    terminal = TerminalTable(screen, Clock().now, colored=False, size=screen.size)
    terminal.start()
    terminal(started())
    terminal(events.Continued(address=update().address, hook="h1", stage="BAKE_TIME"))
    terminal(ENDED)
    terminal.close()
    assert screen.shown[0] == "service.prod/web  continued past BAKE_TIME (hook h1)"


def test_no_line_above_the_table_is_lost_or_told_twice() -> None:
    screen = Screen(40, 8)
    terminal = TerminalTable(screen, Clock().now, colored=False, size=screen.size)
    terminal.start()
    terminal(started())
    send(terminal, (logged(f"line {number}") for number in range(2000)))
    terminal.close()
    lines = [line for write in screen.writes for line in write.splitlines() if "line" in line]
    assert [line.rpartition("web/migrate | ")[2].removesuffix("\033[K") for line in lines] == [
        f"line {n}" for n in range(2000)
    ]


@pytest.mark.parametrize("columns", [21, 23, 26, 40])
def test_a_terminal_that_becomes_narrower_is_left_clean(columns: int) -> None:
    """It breaks lines that were too long for it, so more of them have to go than were drawn."""
    screen = Screen(80, 24)
    terminal = TerminalTable(screen, Clock().now, colored=False, size=screen.size)
    terminal.start()
    terminal(started())
    screen.drawn.acquire()
    screen.narrow(columns)
    terminal(events.Warned(message="mind"))
    terminal(ENDED)
    terminal.close()
    title = "deployment 7: shop v42  0s"
    title = title if len(title) < columns else f"{title[: columns - 2]}…"
    assert [line for line in screen.shown if line] == ["! mind", title, "· web-0  not begun"]


def test_a_terminal_that_becomes_narrower_is_drawn_again_without_an_event() -> None:
    screen = Screen(80, 24)
    terminal = TerminalTable(screen, Clock().now, colored=False, size=screen.size)
    terminal.start()
    terminal(started())
    screen.drawn.acquire()
    screen.narrow(20)
    screen.drawn.acquire()
    terminal.close()
    assert sum("deployment" in line for line in screen.shown) == 1


def test_a_narrow_terminal_loses_no_line_above_the_table() -> None:
    screen = Screen(12, 24)
    terminal = TerminalTable(screen, Clock().now, colored=False, size=screen.size)
    terminal.start()
    terminal(started())
    for number in range(5):
        screen.drawn.acquire()
        terminal(events.Warned(message=f"mind {number}"))
    terminal.close()
    assert [line for line in screen.shown if line] == [*(f"! mind {n}" for n in range(5)), "deployment…", "· web-0  w…"]


def test_nothing_is_drawn_before_a_deployment_begins() -> None:
    screen = Screen(80, 24)
    terminal = TerminalTable(screen, Clock().now, colored=False, size=screen.size)
    terminal.start()
    terminal.close()
    terminal.close()
    assert screen.writes == []


def test_a_terminal_that_has_gone_stops_nothing() -> None:
    class Gone(Screen):
        def write(self, text: str) -> int:
            super().write(text)
            raise OSError(5, "Input/output error")

    screen = Gone(80, 24)
    terminal = TerminalTable(screen, Clock().now, colored=False, size=screen.size)
    terminal.start()
    terminal(started())
    screen.drawn.acquire()
    terminal(ENDED)
    terminal.close()
    assert len(screen.writes) == 1


def test_the_size_of_what_is_no_terminal() -> None:
    assert size_of(io.StringIO()) == FALLBACK

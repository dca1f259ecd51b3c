"""How a deployment is told and what it exits with; signals; and colours by terminal."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecsplan.apply.deploy import Next, Result
from ecsplan.cli.deploy import exit_code, print_outcome, stopping
from ecsplan.cli.options import CliOptions, Duration
from ecsplan.cli.streams import LineWriter, screen
from ecsplan.core.errors import Exit
from ecsplan.journal import Outcome, open_store
from ecsplan.pipeline import Site
from ecsplan.render.paint import ansi, plain
from tests.unit.builders import ORIGIN
from tests.unit.failing_account import FailingAccount
from tests.unit.fakes import FakeClock, child_environment, gateway_to

Output = pytest.CaptureFixture[str]


def given(color: str = "never") -> CliOptions:
    return CliOptions(file=None, journal=None, region=None, profile=None, color=color, verbose=False)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    clock = FakeClock()
    with Site(
        app="shop", store=open_store(tmp_path), gateway=gateway_to(FailingAccount(clock)), origin=ORIGIN, clock=clock
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.SUCCEEDED, Exit.OK),
        (Outcome.PUT_BACK, Exit.PUT_BACK),
        (Outcome.STOPPED, Exit.STOPPED),
        (Outcome.UNFINISHED, Exit.UNFINISHED),
        (Outcome.INTERRUPTED, Exit.INTERRUPTED),
    ],
)
def test_each_outcome_has_its_exit_code(outcome: Outcome, code: Exit) -> None:
    assert exit_code(Result(number=7, outcome=outcome)) is code


@pytest.mark.parametrize(("form", "out"), [("text", True), ("jsonl", False)])
def test_success_is_a_result_and_goes_to_stderr_beside_a_stream(capsys: Output, form: str, out: bool) -> None:
    print_outcome(given(), Result(number=7, outcome=Outcome.SUCCEEDED), form)
    captured = capsys.readouterr()
    said, silent = (captured.out, captured.err) if out else (captured.err, captured.out)
    assert (said, silent) == ("Deployment 7 succeeded.\n", "")


def test_what_was_put_back_leaves_nothing_to_do(capsys: Output) -> None:
    result = Result(number=7, outcome=Outcome.PUT_BACK, reason="it crashed", state="Tasks run.", hint="Look.")
    print_outcome(given(), result, "text")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Deployment 7 failed and everything was put back: it crashed\nTasks run.\nLook.\n"


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.INTERRUPTED, Outcome.UNFINISHED])
def test_what_was_left_part_way_says_how_to_go_on(capsys: Output, outcome: Outcome) -> None:
    result = Result(number=7, outcome=outcome, reason="x", next=frozenset({Next.RESUME, Next.ROLLBACK}))
    print_outcome(given(), result, "text")
    err = capsys.readouterr().err
    assert "ecsplan rollback" in err
    assert "ecsplan resume" in err


# --- signals ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_to_stop(site: Site, number: signal.Signals) -> None:
    said: list[str] = []
    with stopping(site, said.append):
        signal.raise_signal(number)
        assert site.stop.is_set()
    assert said == ["stopping after the current call; press Ctrl-C again to stop immediately"]


def test_a_signal_in_the_middle_of_a_line_is_no_fault(site: Site) -> None:
    """Python refuses to write to a stream from within a write to it."""

    class Busy(io.StringIO):
        def write(self, text: str) -> int:
            raise RuntimeError("reentrant call inside a writer")

    with contextlib.redirect_stderr(Busy()), stopping(site, LineWriter(err=True)):
        signal.raise_signal(signal.SIGINT)
        assert site.stop.is_set()


def test_signals_are_as_before_afterwards(site: Site) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with contextlib.suppress(KeyError), stopping(site, print):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != before
        raise KeyError
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_second_signal_stops_at_once() -> None:
    code = """
import signal
from ecsplan import pipeline
from ecsplan.cli.deploy import stopping
with stopping(pipeline.connect(app="shop"), lambda text: None):
    signal.raise_signal(signal.SIGTERM)
    print("still here", flush=True)
    signal.raise_signal(signal.SIGINT)
    print("not any more", flush=True)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=child_environment())
    assert (done.returncode, done.stdout) == (130, "still here\n")
    assert done.stderr == "\nstopped; see `ecsplan history` for how far it got\n"


# --- colours, and times ---


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("color", "stream", "environment", "painted"),
    [
        ("auto", Terminal(), {}, True),
        ("auto", io.StringIO(), {}, False),
        ("auto", Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", Terminal(), {"NO_COLOR": ""}, True),
        ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1"}, True),
        ("never", Terminal(), {}, False),
    ],
)
def test_who_gets_colours(
    monkeypatch: pytest.MonkeyPatch, color: str, stream: io.StringIO, environment: dict[str, str], painted: bool
) -> None:
    """NO_COLOR counts where it is set and not empty (no-color.org)."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert given(color).paint(stream) is (ansi if painted else plain)


@pytest.mark.parametrize(("columns", "lines", "size"), [
    ("80", "24", (80, 18)), ("200", "60", (120, 54)), ("20", "5", (60, 18)),
])  # fmt: skip
def test_what_a_terminal_takes(
    monkeypatch: pytest.MonkeyPatch, columns: str, lines: str, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", lines)
    assert screen(Terminal()) == size
    assert screen(io.StringIO()) == (80, None)


def test_durations_are_seconds_or_text() -> None:
    assert [Duration().convert(value, None, None) for value in (5, "5", "90s", "15m", "1h30m")] == [5, 5, 90, 900, 5400]

"""`--update-golden` writes what is compared otherwise; figures that tests have recorded are summed up at the end of a
run, also where it is spread over several workers."""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.amounts import figure


class Golden(Protocol):
    def __call__(self, path: Path, text: str) -> None:
        """The text is that of the file."""


def pytest_configure() -> None:
    """Ctrl-C reaches the processes that tests start, also where it does not reach this one (nohup): what is ignored
    here would be ignored there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What was collected stays to the end, and so do AWS's models: the collector need not go through it again and
    again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the expected texts that are files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    update = request.config.getoption("--update-golden", default=False)

    def check(path: Path, text: str) -> None:
        if update:
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), (
            f"{path.parent.name}/{path.name}: if it is meant, run pytest with --update-golden"
        )

    return check


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """No test cuts the power, so none can see whether what was written has reached the disk; waiting for that takes
    most of the time that a journal takes. What the journal syncs is seen in unit/journal/test_entry_file.py.
    Processes that tests start do sync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _handle: None)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`record_property(name, number)` in a test adds to the figure of that name."""
    figures: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                figures.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    for name, number in sorted(figures.items()):
        figure(f"{name}: {number:,}")

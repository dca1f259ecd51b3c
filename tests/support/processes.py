"""`ecsplan` as a process of its own, for what only a process shows: signals, imports, what is left when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.support.paths import ROOT

PATIENCE = 120.0  # seconds; only a test that fails waits that long


class Process:
    """A running command. What it says is read when it has ended, unless a test reads lines before."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.running = subprocess.Popen(
            [sys.executable, "-m", "ecsplan", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def send(self, number: signal.Signals) -> None:
        self.running.send_signal(number)

    def ended(self) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        out, err = self.running.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        return self.running.returncode, out, err


def environment() -> dict[str, str]:
    """This process's own, and the package of this folder."""
    return {**os.environ, "PYTHONPATH": os.fspath(ROOT), "PYTHONUNBUFFERED": "1"}


@contextmanager
def started(*arguments: str) -> Iterator[Process]:
    """Whatever happens, the process is gone afterwards."""
    process = Process(arguments)
    try:
        yield process
    finally:
        if process.running.poll() is None:
            process.running.kill()
            process.running.communicate()


def until(true: Callable[[], object], what: str) -> None:
    """Look every few milliseconds; fails with `what` when patience is at its end."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.005)


def python(code: str) -> str:
    """What a new interpreter prints that runs `code`."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(),
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

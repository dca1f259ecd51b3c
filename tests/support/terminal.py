"""`ecsplan` on a terminal that is not there: a pseudo terminal, and what a person would see on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyte

from tests.support.processes import PATIENCE, environment


class Terminal:
    """A running command and its screen of so many columns and lines. What it writes is drawn when a test looks."""

    def __init__(self, arguments: Sequence[str], columns: int, lines: int, more: Mapping[str, str]) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=5000)
        self._stream = pyte.ByteStream(self.screen)
        self._ours, theirs = pty.openpty()
        self.resize(columns, lines)
        self.running = subprocess.Popen(
            [sys.executable, "-m", "ecsplan", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment(), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **more},
            start_new_session=True,
        )
        os.close(theirs)
        self.written = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def send(self, number: signal.Signals) -> None:
        self.running.send_signal(number)

    @property
    def shown(self) -> list[str]:
        """The lines of the screen, without blanks at their ends and below the last one."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def everything(self) -> list[str]:
        """The same, and before it what has scrolled away."""
        above = ["".join(line[x].data for x in range(self.screen.columns)) for line in self.screen.history.top]
        return [line.rstrip() for line in above] + self.shown

    def look(self) -> bool:
        """Draw what was written meanwhile, after waiting for it a little; False when there will be nothing more."""
        if not select.select([self._ours], [], [], 0.05)[0]:
            return True
        data = b""
        with contextlib.suppress(OSError):  # on Linux the end is an error
            data = os.read(self._ours, 65536)
        self.written += data
        self._stream.feed(data)
        return bool(data)

    def until(self, true: Callable[[list[str]], object], what: str) -> list[str]:
        """What is shown as soon as it is as wanted; fails with `what` when patience is at its end."""
        end = time.monotonic() + PATIENCE
        while not true(self.shown):
            assert self.look(), f"it ended, and still not {what}:\n" + "\n".join(self.shown)
            assert time.monotonic() < end, f"still not {what}:\n" + "\n".join(self.shown)
        return self.shown

    def ended(self) -> int:
        """Its exit code, when all that it wrote is drawn."""
        end = time.monotonic() + PATIENCE
        while self.look():
            assert time.monotonic() < end, "it does not end:\n" + "\n".join(self.shown)
        return self.running.wait(timeout=PATIENCE)

    def close(self) -> None:
        if self.running.poll() is None:
            self.running.kill()
            self.running.wait()
        os.close(self._ours)


@contextmanager
def terminal(
    *arguments: str, columns: int = 80, lines: int = 24, more: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Whatever happens, the command is gone afterwards."""
    opened = Terminal(arguments, columns, lines, more or {})
    try:
        yield opened
    finally:
        opened.close()

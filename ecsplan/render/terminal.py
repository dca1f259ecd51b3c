"""A deployment while it runs, as a table on a terminal that is drawn again when something has changed, and each second
while something is under way. Lines that stay (logs, warnings) scroll above it.

One thread takes the events from a queue, keeps the board and draws. Everything else, a signal handler too, only puts
into the queue: no lock of rich is ever taken outside that thread.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO, TypeAlias

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlCode, ControlType
from rich.text import Text

from ecsplan.core import events
from ecsplan.render.table import Board, Row, State
from ecsplan.render.words import continued_text, lines_of, one_line, paced_text, seconds_text

TICK = 0.5  # seconds between two looks at the clock and at the terminal's size
FRAME = 0.05  # seconds that a drawing stays at least, however many events come
ROOM = 3  # lines left for what scrolls above a table that is too long
FALLBACK = (80, 24)
UP: ControlCode = (ControlType.CURSOR_UP, 1)
ERASE_LINE: ControlCode = (ControlType.ERASE_IN_LINE, 2)

# Of the eight basic colours those that can be read on a dark and on a light background. What a colour says, a sign says
# too; the second sign is for a terminal that has no others.
LOOKS: dict[State, tuple[str, str, str]] = {
    State.FAILED: ("✗", "x", "red"),
    State.PAUSED: ("‖", "=", "magenta"),
    State.GOING: ("→", ">", "cyan"),
    State.BACK: ("←", "<", "yellow"),
    State.WAITING: ("·", ".", "dim"),
    State.DONE: ("✓", "+", "green"),
    State.LEFT: ("·", ".", "dim"),
    State.UNDONE: ("↩", "<", "yellow"),
}
COUNTED = {
    State.FAILED: "failed",
    State.PAUSED: "paused",
    State.GOING: "under way",
    State.BACK: "being put back",
    State.WAITING: "waiting",
    State.DONE: "done",
    State.LEFT: "left",
    State.UNDONE: "put back",
}
Size: TypeAlias = tuple[int, int]


def table(board: Board, size: Size, now: float, *, signs: bool = True) -> list[Text]:
    """The board as lines that fit a terminal of that many columns and lines, after an empty one. Where it has too few
    lines, first the details of the rows are left out, then the rows that are done; a last line counts them."""
    width, height = max(20, size[0] - 1), max(6, size[1] - 1)
    rows, details = list(board.rows), True
    if 2 + len(rows) + sum(bool(row.detail) for row in rows) > height:
        details = False
    needed = 2 + len(rows) + sum(_shows_detail(row, details) for row in rows)
    hidden: list[Row] = []
    if needed > height:
        rows.sort(key=lambda row: row.state.rank)
        left = max(3, height - ROOM - 3)
        shown: list[Row] = []
        for row in rows:
            left -= 1 + _shows_detail(row, details)
            if left < 0:
                break
            shown.append(row)
        rows, hidden = shown, rows[len(shown) :]
    columns = _columns(rows, width, now)
    lines = [Text(), _title(board)]
    for row in rows:
        lines.append(_line(row, columns, now, signs=signs))
        if _shows_detail(row, details):
            lines.append(Text(f"    {row.detail}", "" if row.trouble else "dim"))
    if hidden:
        lines.append(Text(f"  and {len(hidden)} more: {_counted(hidden)}", "dim"))
    for line in lines:
        line.truncate(max(1, size[0] - 1), overflow="ellipsis" if signs else "crop")
    return lines


def _shows_detail(row: Row, details: bool) -> bool:
    return bool(row.detail) and (details or row.trouble)


def _title(board: Board) -> Text:
    back = ("  putting back", "yellow") if board.going_back and board.ended is None else ""
    return Text.assemble((board.title, "bold"), (f"  {seconds_text(board.elapsed)}", "dim"), back)


Columns: TypeAlias = tuple[int, int, int, int, bool]


def _columns(rows: Sequence[Row], width: int, now: float) -> Columns:
    """The widths of names, running tasks, failed tasks and times; and whether `running` is said."""
    name = min(max((cell_len(row.name) for row in rows), default=0), max(16, width * 2 // 5))
    failed = max((len(_failed(row)) for row in rows), default=0)
    time = max((len(_time(row, now)) for row in rows), default=0)
    for words in (True, False):
        running = max((len(_running(row, words=words)) for row in rows), default=0)
        if width - (2 + name + running + failed + time + 8) >= 18:
            break
    return name, running, failed, time, words


def _line(row: Row, columns: Columns, now: float, *, signs: bool) -> Text:
    name, running, failed, time, words = columns
    sign, ascii_sign, color = LOOKS[row.state]
    head = Text(row.name)
    head.truncate(name, overflow="ellipsis" if signs else "crop")
    line = Text.assemble((f"{sign if signs else ascii_sign} ", color), head, " " * (name - head.cell_len))
    cells = ((_running(row, words=words), running, ""), (_failed(row), failed, "red"), (_time(row, now), time, "dim"))
    for text, size, style in cells:
        if size:
            line.append("  " + " " * (size - len(text)))
            line.append(text, style)
    line.append("  ")
    line.append(row.says, color if row.state in (State.FAILED, State.PAUSED, State.WAITING, State.LEFT) else "")
    return line


def _running(row: Row, *, words: bool) -> str:
    if row.tally is None:
        return ""
    return f"{row.tally.running}/{row.tally.desired}{' running' if words else ''}"


def _failed(row: Row) -> str:
    return f"{row.tally.failed} failed" if row.tally and row.tally.failed else ""


def _time(row: Row, now: float) -> str:
    elapsed = row.elapsed(now)
    return "" if elapsed is None else seconds_text(elapsed)


def _counted(rows: Sequence[Row]) -> str:
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{counts[state]} {word}" for state, word in COUNTED.items() if counts[state])


def lasting(event: events.Event) -> list[Text]:
    """The lines of an event that stay above the table."""
    match event:
        case events.Logged():
            return [Text.assemble((f"{event.source} | ", "cyan"), line) for line in lines_of(event.text)]
        case events.Warned():
            return [Text.assemble(("! ", "yellow"), one_line(event.message))]
        case events.Paced():
            return [Text(paced_text(event))]
        case events.Continued():
            return [Text(continued_text(event))]
        case _:
            return []


class TerminalTable:
    """The table on a terminal, from `start` to `close`. `now` gives seconds; `size` columns and lines."""

    def __init__(
        self,
        stream: TextIO,
        now: Callable[[], float],
        *,
        colored: bool,
        size: Callable[[], Size] | None = None,
    ) -> None:
        self._now = now
        self._size = size or (lambda: size_of(stream))
        self._signs = _can_show(stream, "".join(sign for sign, _, _ in LOOKS.values()))
        self._console = console(stream, colored=colored)
        self._board = Board(now)
        self._drawn: list[Text] = []
        self._live = Live(
            console=self._console,
            get_renderable=lambda: Group(*self._drawn, Text()),  # the cursor stands below the table
            vertical_overflow="crop",
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._queue: queue.SimpleQueue[events.Event | str | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="table", daemon=True)

    def __call__(self, event: events.Event) -> None:
        self._queue.put(event)

    def say(self, text: str) -> None:
        """A line above the table; also from a signal handler."""
        self._queue.put(text)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """The table stays as it is now, and the cursor stands below it."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        ended = gone = False
        while not ended:
            above: list[Text] = []
            for item in self._received():
                if item is None:
                    ended = True
                elif isinstance(item, str):
                    above.append(Text(item, "bold"))
                else:
                    self._board(item)
                    above += lasting(item)
            try:
                if self._board.title and not gone:
                    self._draw(above)
                    if ended:
                        self._live.stop()
            except (OSError, ValueError):
                gone = True  # the terminal has gone; the deployment goes on
            self._closing.wait(FRAME)

    def _received(self) -> list[events.Event | str | None]:
        """All that came since the last time, or nothing after a while."""
        received: list[events.Event | str | None] = []
        with suppress(queue.Empty):
            received.append(self._queue.get(timeout=TICK))
            while True:
                received.append(self._queue.get_nowait())
        return received

    def _draw(self, above: Sequence[Text]) -> None:
        size = self._size()
        lines = table(self._board, size, self._now(), signs=self._signs)
        # A terminal that has become narrower has broken the lines that were too long for it; rich does not know.
        broken = sum((line.cell_len - 1) // size[0] for line in self._drawn if line)
        if lines == self._drawn and not above and not broken:
            return
        self._console.size = ConsoleDimensions(*size)
        if broken:
            self._console.control(Control(ERASE_LINE, *((UP, ERASE_LINE) * broken)))
        self._drawn = lines
        self._live.start()
        if above:
            self._console.print(Group(*above), soft_wrap=True)
        else:
            self._live.refresh()


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:
        """The cursor is never hidden: a process that is killed could not show it again."""
        return False


def console(stream: TextIO, *, colored: bool) -> Console:
    """A terminal as rich writes to it, with nothing taken from the environment and no text changed."""
    return _Console(
        file=stream,
        width=FALLBACK[0],
        height=FALLBACK[1],
        force_terminal=True,
        force_interactive=True,
        color_system="standard" if colored else None,
        no_color=not colored,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def size_of(stream: TextIO) -> Size:
    """Columns and lines; 80x24 if unknown."""
    with suppress(OSError, ValueError):
        columns, lines = os.get_terminal_size(stream.fileno())
        if columns > 0 and lines > 0:
            return columns, lines
    return FALLBACK


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True

"""A deployment while it runs, as a table on a terminal that is drawn anew whenever something has changed, and each
second while something goes on. Lines that stay (logs, warnings) scroll above it.

One thread hears everything, keeps the board and writes; whoever tells it something, a signal handler too, only puts it
into a queue.
"""

from __future__ import annotations

import io
import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ecsplan.core import events
from ecsplan.render.table import Board, Row, State
from ecsplan.render.words import continued_text, lines_of, one_line, paced_text, seconds_text

TICK = 0.5  # seconds between two looks at the clock and at the terminal's size
FRAME = 0.05  # seconds that a drawing stays at least, however much is told
ROOM = 3  # lines left for what scrolls above a table that is too long
FALLBACK = (80, 24)

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
    lines, the newest of each row goes first, then what is done; how many rows that are is said."""
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
        line.truncate(width, overflow="ellipsis" if signs else "crop")
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
        self._stream, self._now, self._colored = stream, now, colored
        self._size = size or (lambda: size_of(stream))
        self._signs = _can_show(stream, "".join(sign for sign, _, _ in LOOKS.values()))
        self._told: queue.SimpleQueue[events.Event | str | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._board = Board(now)
        self._drawn: list[str] = []
        self._widths: list[int] = []
        self._gone = False
        self._thread = threading.Thread(target=self._work, name="table", daemon=True)

    def __call__(self, event: events.Event) -> None:
        self._told.put(event)

    def say(self, text: str) -> None:
        """A line above the table; also out of a signal handler."""
        self._told.put(text)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """The table stays as it is now, and the cursor stands below it."""
        if not self._closing.is_set():
            self._closing.set()
            self._told.put(None)
            self._thread.join()

    def _work(self) -> None:
        ended = False
        while not ended:
            above: list[Text] = []
            for told in self._heard():
                if told is None:
                    ended = True
                elif isinstance(told, str):
                    above.append(Text(told, "bold"))
                else:
                    self._board(told)
                    above += lasting(told)
            self._draw(above)
            if ended and self._drawn:
                self._write("\n")
            self._closing.wait(FRAME)

    def _heard(self) -> list[events.Event | str | None]:
        """All that was told since the last time, or nothing after a while."""
        heard: list[events.Event | str | None] = []
        with suppress(queue.Empty):
            heard.append(self._told.get(timeout=TICK))
            while True:
                heard.append(self._told.get_nowait())
        return heard

    def _draw(self, above: Sequence[Text]) -> None:
        if not self._board.title:
            return
        columns, lines = self._size()
        made = table(self._board, (columns, lines), self._now(), signs=self._signs)
        drawn = printed(made, colored=self._colored)
        # A terminal that has become narrower has broken the lines that were too long for it.
        rows = [-(-width // columns) or 1 for width in self._widths]
        if drawn == self._drawn and not above and sum(rows) == len(rows):
            return
        up = min(sum(rows), lines - 1)
        lines_now, texts = [*above, *made], [*printed(above, colored=self._colored), *drawn]
        # Each line takes the place of an old one: to clear all at once would flicker, and fill the history of tmux.
        text = f"\033[{up}A\r" if up else ""
        text += "".join(f"{one}{_rest(line, columns)}\n" for one, line in zip(texts, lines_now, strict=True))
        self._drawn, self._widths = drawn, [line.cell_len for line in made]
        self._write(f"{text}\033[J")

    def _write(self, text: str) -> None:
        try:
            if not self._gone:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            self._gone = True  # nobody is looking any more; the deployment goes on


def _rest(line: Text, columns: int) -> str:
    """Clears what follows on the line; after one that fills it, that would be its own last letter."""
    return "" if line.cell_len and line.cell_len % columns == 0 else "\033[K"


def printed(lines: Sequence[Text], *, colored: bool) -> list[str]:
    """Lines as a terminal takes them; none is broken, however long it is."""
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=colored,
        color_system="standard" if colored else None,
        no_color=not colored,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return file.getvalue().splitlines()


def size_of(stream: TextIO) -> Size:
    """Columns and lines; those of old where the terminal does not know."""
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

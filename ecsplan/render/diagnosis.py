"""Why a deployment failed, on one screen: the cause, what to do, and the evidence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ecsplan.core.diagnosis import ContainerEnd, Diagnosis, LogTail, ServiceEvent, StoppedTasks, together
from ecsplan.core.model import Address
from ecsplan.render.paint import WIDTH, Paint, plain, printable

WHOLE = 4  # failures that are shown whole; further ones get a line each
LINES = 10  # at most for the further ones
LABEL = 9  # columns of a label such as `events   `, after two blanks
ADDRESSES = 3  # named of those that failed in the same way


@dataclass(frozen=True, kw_only=True)
class Most:
    """How many events, tasks and lines are shown, and how many rows each text may take."""

    events: int
    tasks: int
    lines: int
    rows: int = 99


# The first one that fits the screen is used.
SHORTER = (
    Most(events=8, tasks=5, lines=20),
    Most(events=8, tasks=5, lines=12),
    Most(events=5, tasks=3, lines=10, rows=4),
    Most(events=3, tasks=2, lines=8, rows=3),
    Most(events=2, tasks=2, lines=5, rows=2),
    Most(events=2, tasks=1, lines=3, rows=2),
    Most(events=1, tasks=1, lines=2, rows=1),
)


def diagnoses_text(
    diagnoses: Mapping[Address, Diagnosis],
    paint: Paint = plain,
    *,
    already: str = "",
    columns: int = WIDTH,
    rows: int | None = None,
    more: str = "",
) -> str:
    """A block per failure; what failed in the same way shares one. "" if there is nothing to show.

    Texts that stand in `already` are not repeated. `more` is the command that shows everything; without one, everything
    is shown here. With `rows` the text is shortened to that many; without, lines of logs stay whole, however long.
    """
    groups = together(diagnoses)
    first = WHOLE if more else len(groups)
    whole, rest = groups[:first], groups[first:]
    # Beside the blocks: blank lines between them, a line for each of the rest, and one that names `more`.
    besides = len(whole) + min(len(rest), LINES) + 1
    share = None if rows is None else max(rows - besides, 0) // max(len(whole), 1)
    blocks = [
        _fitting(_Block(addresses, found, paint, already, columns, share is None), share) for addresses, found in whole
    ]
    shown = rest if len(rest) <= LINES else rest[: LINES - 1]
    lines = [_line(addresses, found, columns) for addresses, found in shown]
    if len(shown) < len(rest):
        lines.append(f"and {len(rest) - len(shown)} more failures")
    if more and (rest or any(most is not SHORTER[0] for _, most in blocks)):
        lines.append(f"All of it: {more}")
    return "\n\n".join("\n".join(block) for block in (*(block for block, _ in blocks), lines) if block)


def _line(addresses: Sequence[Address], found: Diagnosis, columns: int) -> str:
    text = printable(f"{_names(addresses)}  {found.meaning or found.reason}")
    return text if len(text) <= columns else f"{text[: columns - 1]}…"


def _names(addresses: Sequence[Address]) -> str:
    named = list(addresses if len(addresses) <= ADDRESSES + 1 else addresses[:ADDRESSES])
    return ", ".join([*named, *([f"{len(addresses) - len(named)} others"] if len(addresses) > len(named) else [])])


def _fitting(block: _Block, rows: int | None) -> tuple[list[str], Most]:
    """The fullest form that fits; the shortest if none does."""
    for most in SHORTER:
        lines = block.lines(most)
        if rows is None or sum(block.rows(line) for line in lines) <= rows:
            break
    return lines, most


@dataclass(frozen=True)
class _Block:
    addresses: Sequence[Address]
    found: Diagnosis
    paint: Paint
    already: str
    columns: int
    unwrapped: bool
    """lines of logs are not broken"""

    def lines(self, most: Most) -> list[str]:
        body = list(self._body(most))
        head = self._wrapped(_names(self.addresses), "")
        return [*(self.paint(line, "bold") for line in head), *body] if body else []

    def rows(self, line: str) -> int:
        """How many rows of the screen a line takes; a long word, such as an ARN, stays whole."""
        return -(-max(len(printable(line)), 1) // self.columns)

    def _body(self, most: Most) -> Iterator[str]:
        found = self.found
        if found.meaning:
            yield from (self.paint(line, "red") for line in self._wrapped(found.meaning, "  "))
            yield from self._wrapped(found.advice, "  ")
        if found.reason not in self.already:
            yield from self._labelled("reason", [found.reason], most)
        if found.threshold:
            yield from self._labelled("breaker", [f"{found.failures} of {found.threshold} failures"], most)
        if found.alarms:
            yield from self._labelled("alarms", [", ".join(found.alarms)], most)
        yield from self._labelled("tasks", _cut(self._tasks(most), found.tasks, most.tasks), most)
        events = [event for event in found.events if event.text not in self.already]
        yield from self._labelled("events", _cut(map(_event, events[: most.events]), events, most.events), most)
        for log in found.logs:
            yield from self._log(log, most)
        yield from self._labelled("unseen", list(found.unseen), most)

    def _tasks(self, most: Most) -> Iterator[str]:
        for number, task in enumerate(self.found.tasks[: most.tasks]):
            yield _task(task, again=number > 0)
            yield from (f"  {_container(end, task)}" for end in task.containers)

    def _log(self, log: LogTail, most: Most) -> Iterator[str]:
        lines = [printable(line) for line in log.lines[-most.lines :]]
        nothing = "" if lines else ": no lines were found"
        yield from self._labelled("log", [f"{log.container} in task {log.task} ({log.group}){nothing}"], most)
        bar = self.paint("|", "dim")
        room = max(self.columns - 4, 20)
        for line in lines:
            parts = [line] if self.unwrapped else [line[i : i + room] for i in range(0, len(line), room)] or [""]
            yield from (f"  {bar} {part}".rstrip() for part in self._first(parts, most))

    def _first(self, rows: list[str], most: Most) -> list[str]:
        return (
            rows if len(rows) <= most.rows else [*rows[: most.rows - 1], f"{rows[most.rows - 1][: self.columns - 6]} …"]
        )

    def _labelled(self, label: str, texts: Sequence[str], most: Most) -> Iterator[str]:
        """The texts below each other, with the label before the first; texts that begin with blanks stay indented."""
        for number, text in enumerate(texts):
            pad = " " * (2 + LABEL + len(text) - len(text.lstrip()))
            for i, line in enumerate(self._first(self._wrapped(text.lstrip(), pad), most)):
                first = number == 0 and i == 0
                yield f"  {self.paint(label, 'dim')}{line[2 + len(label) :]}" if first else line

    def _wrapped(self, text: str, pad: str) -> list[str]:
        return textwrap.wrap(
            printable(text),
            self.columns,
            initial_indent=pad,
            subsequent_indent=pad,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _cut(lines: Iterator[str], all_of_them: Sequence[object], most: int) -> list[str]:
    left = len(all_of_them) - most
    return [*lines, *([f"and {left} more"] if left > 0 else [])]


def _task(task: StoppedTasks, *, again: bool) -> str:
    """How tasks stopped; the meaning only of those after the first, whose meaning heads the block."""
    words = f" ({task.meaning})" if again and task.meaning else ""
    return f"{_times(task.count)}{task.reason}{words}"


def _container(end: ContainerEnd, task: StoppedTasks) -> str:
    name = end.name if end.essential else f"{end.name} (not essential)"
    how = "never started" if end.exit_code is None else f"exit code {end.exit_code}"
    why = end.reason if end.reason and end.reason not in task.reason else ""
    return ": ".join(filter(None, (name, how, why)))


def _event(event: ServiceEvent) -> str:
    return f"{_times(event.count)}{event.text}"


def _times(count: int) -> str:
    return f"{count} x " if count > 1 else ""

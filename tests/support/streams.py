"""A log stream as CloudWatch Logs answers it: pages, tokens, lines that become visible late, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Answer
from tests.support.clock import Clock


@dataclass
class Streams:
    """The `Reader` port with nothing but streams behind it. `written` holds, by stream, lines with the time from which
    on each can be read, in order; a stream without lines is there once it is named."""

    clock: Clock
    written: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    page: int = 10_000
    """events on a page"""
    empty: int = 0
    """pages without an event before each that has some"""
    refusals: list[AwsError | None] = field(default_factory=list)
    """of the requests to come, in order; then none"""
    asked: list[Call] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)

    def write(self, stream: str, *lines: str, seen: float | None = None) -> None:
        at = self.clock.time if seen is None else seen
        self.written.setdefault(stream, []).extend((at, line) for line in lines)

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        self.rounds.append(len(calls))
        return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Call) -> Answer:
        self.asked.append(call)
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is None and call.params["logStreamName"] not in self.written:
            refusal = AwsError("The specified log stream does not exist.", code="ResourceNotFoundException")
        if refusal is not None:
            return Answer(call=call, error=refusal)
        assert call.operation == "get_log_events"
        assert call.params["startFromHead"] is True
        return Answer(call=call, data=self._page(call.params))

    def _page(self, params: Doc) -> Doc:
        """A token is a place and how many empty pages were given there; the last one comes back as it was sent."""
        lines = self.written[params["logStreamName"]]
        visible = next((n for n, (at, _) in enumerate(lines) if at > self.clock.time), len(lines))
        given = params.get("nextToken")
        start, blank = (int(part) for part in (given or "0/0").split("/"))
        if start >= visible:
            return {"events": [], "nextForwardToken": given or "0/0"}
        if blank < self.empty:
            return {"events": [], "nextForwardToken": f"{start}/{blank + 1}"}
        end = min(start + self.page, visible)
        page = [{"timestamp": int(at * 1000), "message": f"{line}\n"} for at, line in lines[start:end]]
        return {"events": page, "nextForwardToken": f"{end}/0"}

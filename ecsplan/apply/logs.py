"""Log lines of containers while their tasks are awaited: each once, in the order of its stream.

They come from CloudWatch Logs, after each poll and never instead of one. Nothing that goes wrong here fails the
deployment.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ecsplan.apply.wait import Observation
from ecsplan.core import events
from ecsplan.core.clock import StoppableClock
from ecsplan.core.errors import AwsError, EcsplanError
from ecsplan.core.model import Address, Call, Doc
from ecsplan.core.ports import Answer, Reader
from ecsplan.kinds.contract import Stream, Tracked

# GetLogEvents has 25 requests a second for all users of an account and region (CloudWatch Logs quotas).
PER_SECOND, BURST = 10.0, 20.0
# A page holds 10,000 events or 1 MB at most; an event of 256 KB may not have fitted.
FULL_EVENTS, FULL_BYTES = 10_000, 700_000
# The awslogs driver sends in batches, so the last lines come when the container is gone.
SETTLING = 3.0
PAUSE, LONGEST = 1.0, 30.0  # seconds between the last requests for a stream, and for as long as lines still come
# After so many refusals in a row, once the wait is over, a stream is given up. A refusal that does not mean "later"
# counts for several.
REFUSALS, FINAL = 15, 3
LATER = ("ThrottlingException", "ServiceUnavailableException")
MAX_EMPTY = 10  # pages without a line in a row; after them the stream has ended, although its token still changes


@dataclass(kw_only=True, eq=False)
class TailedStream:
    """A stream and how far it was read. `shown` is how many lines of the page at `token` were reported already, `asked`
    when the last request was made, `came` when one last brought a line."""

    address: Address
    step: int
    stream: Stream
    token: str = ""
    shown: int = 0
    empty: int = 0
    asked: float = 0.0
    came: float = 0.0
    more: bool = False
    """the last page was not the last"""
    full: bool = False
    """and it was full"""
    error: AwsError | None = None
    """why the last request was not answered"""
    refusals: int = 0
    """how many requests were not answered, one after the other"""
    running: float = -math.inf
    """until when it was certainly still running, by this machine's clock"""
    over: float = math.inf
    """when it had ended, by this machine's clock"""


class Tailer:
    """Tails the streams of all that one deployment waits for."""

    def __init__(self, reader: Reader, clock: StoppableClock, emit: events.Listener, region: str) -> None:
        self._reader, self._clock, self._emit, self._region = reader, clock, emit, region
        self._open: dict[tuple[str, str], TailedStream] = {}
        self._warned: set[str] = set()
        self._allowed, self._at = BURST, clock.now()
        self._began = clock.now()

    def observe(self, seen: Observation) -> None:
        """After a poll of one tracked step: report what is new in its streams, with one request each, more where pages
        are full."""
        track = seen.one.kind.track
        for stream in track.streams(seen.one, seen.documents) if track else ():
            self._open_stream(seen.one, stream)
        mine = [one for one in self._open.values() if one.step == seen.one.step.index]
        while mine:
            self._read(mine)
            mine = [one for one in mine if one.full]

    def finish(self) -> None:
        """Report the rest when the wait is over: of containers that have ended until nothing new comes, of the others
        what is there now."""
        began = self._clock.now()
        for one in self._open.values():
            one.asked, one.refusals = 0.0, 0
        while pending := [one for one in self._open.values() if not self._is_over(one, began)]:
            at_once = [one for one in pending if one.more or not one.asked]
            if not at_once:
                self._clock.sleep(PAUSE)
            if not self._read(at_once or pending):
                self._clock.sleep(PAUSE)
            if self._clock.stopped:
                break
        for one in self._open.values():
            if one.error is not None:
                self._warn(f"the log lines of {one.address} may not be complete: {one.error.message}")
        self._open.clear()

    # --- which streams ---

    def _open_stream(self, tracked: Tracked, stream: Stream) -> None:
        address = tracked.address
        known = self._open.get((stream.group, stream.name))
        if known is not None:
            self._update(known, stream)
        elif not stream.name:
            self._warn(
                f"the log lines of {address} are not shown: container {stream.container} has no "
                "awslogs-stream-prefix, without which the name of its stream is unknown"
            )
        elif stream.region not in ("", self._region):
            self._warn(
                f"the log lines of {address} are not shown: container {stream.container} logs to {stream.region}"
            )
        elif self._denied(stream.group) not in self._warned:
            since = -math.inf if tracked.old else self._began
            new = TailedStream(address=address, step=tracked.step.index, stream=stream, running=since)
            self._open[stream.group, stream.name] = new
            self._update(new, stream)

    def _update(self, one: TailedStream, stream: Stream) -> None:
        """AWS's time of its end counts only if it is possible by this machine's clock: they may be hours apart."""
        one.stream, now = stream, self._clock.now()
        if stream.ended is None:
            one.running = now
        elif one.over > now:
            one.over = stream.ended if one.running <= stream.ended <= now else now

    def _warn(self, message: str) -> None:
        """Once."""
        if message not in self._warned:
            self._warned.add(message)
            self._emit(events.Warned(message=message))

    # --- reading ---

    def _is_over(self, one: TailedStream, began: float) -> bool:
        """It was read to its last page since the wait was over, and the last request, made when the driver had
        delivered all, brought no line; or it was asked for too long. What has ended has a last page."""
        ended, late = one.stream.ended, self._clock.now() - began >= LONGEST
        if not one.asked or (one.more and not (late and ended is None)):
            return False
        if ended is None or late or one.refusals >= REFUSALS or (one.error is not None and one.error.locked_out):
            return True
        quiet = one.came < began + PAUSE or one.asked > one.came
        return quiet and one.error is None and one.asked >= one.over + SETTLING

    def _read(self, some: Sequence[TailedStream]) -> int:
        """Read a page of each, as far as the rate allows, those first that have waited longest; returns how many."""
        now = self._clock.now()
        self._allowed = min(BURST, self._allowed + max(0.0, now - self._at) * PER_SECOND)
        self._at = now
        chosen = sorted(some, key=lambda one: one.asked)[: int(self._allowed)]
        for one in some:
            one.full = False
        self._allowed -= len(chosen)
        for one, answer in zip(chosen, self._answers(chosen), strict=True):
            one.asked, one.error, one.more = now, answer.error, False
            one.refusals = one.refusals + _weight(answer.error) if answer.error else 0
            if answer.error is None:
                self._report(one, answer.value())
            elif "AccessDenied" in answer.error.code:
                self._give_up(one.stream.group)
            elif answer.error.code == "ResourceNotFoundException":
                one.error = None  # not there yet; the driver makes it with the first container that starts
        return len(chosen)

    def _answers(self, chosen: Sequence[TailedStream]) -> Iterable[Answer]:
        calls = [_call(one) for one in chosen]
        try:
            return self._reader.fetch(calls) if calls else ()
        except EcsplanError as error:
            failure = error if isinstance(error, AwsError) else AwsError(error.message)
            return [Answer(call=call, error=failure) for call in calls]

    def _report(self, one: TailedStream, page: Doc) -> None:
        found = page.get("events") or ()
        new = found[one.shown :]
        for event in new:
            self._emit(_logged(one, event))
        token = str(page.get("nextForwardToken") or one.token)
        repeated = token == one.token  # at the end of the stream the token that was sent comes back
        one.token, one.shown = token, len(found) if repeated else 0
        one.empty = 0 if new or repeated else one.empty + 1
        one.came = one.asked if new else one.came
        one.more = not repeated and one.empty < MAX_EMPTY
        size = sum(len(str(event.get("message", ""))) for event in found)
        one.full = one.more and (len(found) >= FULL_EVENTS or size >= FULL_BYTES)

    def _denied(self, group: str) -> str:
        return f"log lines in {group} are not shown, because the role in use has no logs:GetLogEvents for it"

    def _give_up(self, group: str) -> None:
        self._warn(self._denied(group))
        self._open = {key: other for key, other in self._open.items() if key[0] != group}


def _weight(error: AwsError) -> int:
    return 1 if error.unclear or error.code in LATER else FINAL


def _call(one: TailedStream) -> Call:
    params = {"logGroupName": one.stream.group, "logStreamName": one.stream.name, "startFromHead": True}
    if one.token:
        params["nextToken"] = one.token
    return Call(service="logs", operation="get_log_events", params=params)


def _logged(one: TailedStream, event: Doc) -> events.Logged:
    stream = one.stream
    at = datetime.fromtimestamp(int(event.get("timestamp") or 0) / 1000, UTC)
    return events.Logged(
        address=one.address,
        source=stream.source,
        task=stream.task,
        container=stream.container,
        at=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        text=str(event.get("message", "")).rstrip("\r\n"),
    )

"""CloudWatch Logs for the containers of tasks: GetLogEvents, FilterLogEvents, DescribeLogStreams.

A stream exists as soon as its container starts, and each line can be read once its time has come. moto serves
everything else in CloudWatch Logs, including groups that no task logs to.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from .common import AwsError
from .inputs import Inputs

Doc = dict[str, Any]
MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 1_048_576
#: What CloudWatch Logs counts for each event beside its message. Source: quotas of CloudWatch Logs.
EVENT_BYTES: Final = 26
_DIGITS: Final = 56


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line of a container, ``seconds`` after its start. None: the lines are spread over the time that it runs."""

    text: str
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """A written line. ``written`` and ``seen``, from when on it can be read, are epoch seconds."""

    written: float
    seen: float
    message: str

    @property
    def timestamp(self) -> int:
        return int(self.written * 1000)


@dataclass
class Stream:
    """What one container writes, in order of time."""

    name: str
    created_at: float
    events: list[Event] = field(default_factory=list)

    def write(self, lines: Iterable[LogLine], until: float, delay: float) -> None:
        """Lines without a time are spread evenly over the time to ``until``, the last one at its end."""
        given = tuple(lines)
        span = max(0.0, until - self.created_at)
        for number, line in enumerate(given, start=1):
            offset = span * number / len(given) if line.seconds is None else line.seconds
            written = self.created_at + offset
            if written <= until:
                self.events.append(Event(written=written, seen=written + delay, message=line.text))
        self.events.sort(key=lambda event: event.written)

    def cut(self, at: float) -> None:
        """The container stops: drop what it would have written later, and a stream that has not begun."""
        self.events = [event for event in self.events if event.written <= at]
        if self.created_at > at:
            self.discard()

    def discard(self) -> None:
        """The container never starts."""
        self.created_at, self.events = math.inf, []

    def read(self, now: float) -> list[Event]:
        return [event for event in self.events if event.seen <= now]


class Logs:
    """The streams of all tasks of an account, by region and group."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], dict[str, Stream]] = {}
        self._inputs = Inputs("logs")

    def open(self, region: str, options: Mapping[str, Any], container: str, task: str, at: float) -> Stream:
        """The stream of a container that starts ``at``, named by its awslogs options: prefix/container/task id."""
        prefix = options.get("awslogs-stream-prefix", "ecs")
        stream = Stream(f"{prefix}/{container}/{task}", at)
        place = (str(options.get("awslogs-region", region)), str(options["awslogs-group"]))
        self._groups.setdefault(place, {})[stream.name] = stream
        return stream

    def holds(self, region: str, operation: str, params: Mapping[str, Any]) -> bool:
        """Is it a simulated operation on a group that a task logs to?"""
        return operation in OPERATIONS and (region, _group(params)) in self._groups

    def call(self, region: str, operation: str, params: object, now: float) -> Doc:
        """The answer at ``now``. Raises AwsError."""
        try:
            checked = self._inputs.check(operation, params)
        except AwsError as error:  # CloudWatch Logs has another code for it than EventBridge
            code = "InvalidParameterException" if error.code == "ValidationException" else error.code
            raise AwsError(code, error.message, error.status) from None
        group = self._groups.get((region, _group(checked)))
        if group is None:
            raise absent("group")
        shown = {name: stream for name, stream in group.items() if stream.created_at <= now}
        return OPERATIONS[operation](shown, checked, now)


def absent(what: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def _group(params: Mapping[str, Any]) -> str:
    """The group's name, from its name or its ARN."""
    given = str(params.get("logGroupName") or params.get("logGroupIdentifier") or "")
    return given.partition(":log-group:")[2].removesuffix(":*") if given.startswith("arn:") else given


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def get(streams: dict[str, Stream], params: Doc, now: float) -> Doc:
    """A page of one stream. At its end the answer has the token of the request, which later continues from there."""
    stream = streams.get(params["logStreamName"])
    if stream is None:
        raise absent("stream")
    events = stream.read(now)
    direction, place = _direction(params, len(events))
    limit = params.get("limit", MOST_EVENTS)
    indexes = range(place, len(events)) if direction == "f" else range(place - 1, -1, -1)
    taken, reached = _page(events, indexes, limit, lambda event: _within(event, params, whole=False))
    low, high = (place, reached) if direction == "f" else (reached, place)
    return {
        "events": [_event(events[index]) for index in sorted(taken)],
        "nextForwardToken": _token("f", high),
        "nextBackwardToken": _token("b", low),
    }


def _direction(params: Doc, count: int) -> tuple[str, int]:
    """The direction to read in, and the start: the number of events before it."""
    token = params.get("nextToken")
    if token is None:
        return ("f", 0) if params.get("startFromHead") else ("b", count)
    direction, _, digits = str(token).partition("/")
    if direction not in ("f", "b") or not digits.isdecimal():
        raise _invalid("The specified nextToken is invalid.")
    return direction, min(int(digits), count)


def _token(direction: str, place: int) -> str:
    return f"{direction}/{place:0{_DIGITS}d}"


def _page(events: list[Event], indexes: range, limit: int, fits: Callable[[Event], bool]) -> tuple[list[int], int]:
    """The indexes of the fitting events of one answer, and the place where the next answer continues."""
    taken: list[int] = []
    size = 0
    for index in indexes:
        if not fits(events[index]):
            continue
        size += len(events[index].message.encode()) + EVENT_BYTES
        if len(taken) == limit or size > MOST_BYTES:
            return taken, index if indexes.step > 0 else index + 1
        taken.append(index)
    return taken, len(events) if indexes.step > 0 else 0


def _within(event: Event, params: Doc, *, whole: bool) -> bool:
    """``startTime`` is inclusive. ``endTime`` is inclusive for FilterLogEvents (``whole``) only."""
    start, end = params.get("startTime", 0), params.get("endTime")
    return event.timestamp >= start and (end is None or event.timestamp < end + whole)


def _event(event: Event) -> Doc:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": int(event.seen * 1000)}


def filtered(streams: dict[str, Stream], params: Doc, now: float) -> Doc:
    """The events of several streams in order of time."""
    chosen = list(_chosen(streams, params))
    found = [(e, s.name, n) for s in chosen for n, e in enumerate(s.read(now)) if _within(e, params, whole=True)]
    fits = _pattern(params.get("filterPattern", ""))
    found = sorted((one for one in found if fits(one[0].message)), key=lambda one: one[0].timestamp)
    if not params.get("startFromHead", True):
        found.reverse()
    events = [event for event, _, _ in found]
    start = min(_start(params.get("nextToken")), len(events))
    taken, reached = _page(events, range(start, len(events)), params.get("limit", MOST_EVENTS), lambda event: True)
    page = [
        {**_event(events[i]), "logStreamName": found[i][1], "eventId": f"{events[i].timestamp:020d}{found[i][2]:036d}"}
        for i in taken
    ]
    more = {"nextToken": f"sandbox-{reached}"} if reached < len(events) else {}
    return {"events": page, "searchedLogStreams": [], **more}


def _chosen(streams: dict[str, Stream], params: Doc) -> Iterator[Stream]:
    wanted, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
    if wanted and prefix:
        raise _invalid("logStreamNames and logStreamNamePrefix exclude each other.")
    for name in wanted or ():
        if name not in streams:
            raise absent("stream")
    for name, stream in streams.items():
        if (not wanted or name in wanted) and name.startswith(prefix or ""):
            yield stream


def _start(token: str | None) -> int:
    digits = (token or "sandbox-0").removeprefix("sandbox-")
    if not digits.isdecimal():
        raise _invalid("The specified nextToken is invalid.")
    return int(digits)


def _pattern(pattern: str) -> Callable[[str], bool]:
    """All plain terms must occur, one of those with ``?``, and none of those with ``-``."""
    if pattern.strip().startswith(("{", "[")):
        raise AwsError("InvalidParameterException", "The sandbox knows filter patterns of terms only.")
    try:
        terms = shlex.split(pattern)
    except ValueError:
        raise _invalid("Invalid filter pattern") from None
    needed = [term for term in terms if term[0] not in "?-"]
    either = [term[1:] for term in terms if term[0] == "?"]
    never = [term[1:] for term in terms if term[0] == "-"]
    return lambda message: (
        all(term in message for term in needed)
        and (not either or any(term in message for term in either))
        and not any(term in message for term in never)
    )


def describe_streams(streams: dict[str, Stream], params: Doc, now: float) -> Doc:
    """By name, or by the last event with ``orderBy`` LastEventTime. ``descending`` reverses the order."""
    prefix = params.get("logStreamNamePrefix", "")
    found = [_described(stream, now) for _, stream in sorted(streams.items()) if stream.name.startswith(prefix)]
    if params.get("orderBy") == "LastEventTime":
        found.sort(key=lambda doc: doc.get("lastEventTimestamp", 0))
    if params.get("descending"):
        found.reverse()
    start = _start(params.get("nextToken"))
    end = start + params.get("limit", 50)
    return {"logStreams": found[start:end], **({"nextToken": f"sandbox-{end}"} if end < len(found) else {})}


def _described(stream: Stream, now: float) -> Doc:
    events = stream.read(now)
    doc: Doc = {"logStreamName": stream.name, "creationTime": int(stream.created_at * 1000), "storedBytes": 0}
    if events:
        doc |= {
            "firstEventTimestamp": events[0].timestamp,
            "lastEventTimestamp": events[-1].timestamp,
            "lastIngestionTime": int(events[-1].seen * 1000),
        }
    return doc


OPERATIONS: Final[Mapping[str, Callable[[dict[str, Stream], Doc, float], Doc]]] = MappingProxyType({
    "GetLogEvents": get,
    "FilterLogEvents": filtered,
    "DescribeLogStreams": describe_streams,
})  # fmt: skip

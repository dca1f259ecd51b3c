"""Lookups for a diagnosis: requests that AWS may refuse, and the last lines of containers that log to CloudWatch Logs
with the awslogs driver."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ecsplan.core.diagnosis import LogTail
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn

LINES = 20
TASKS = 3  # whose lines of one container are fetched: those of the newest one may not have arrived yet
ABSENT = "ResourceNotFoundException"


class Lookup:
    """Fetches, and collects in `missing` what was not answered: a sentence each, none twice."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.missing: list[str] = []

    def fetch(self, *asked: tuple[str, Call], quietly: Collection[str] = ()) -> list[Doc]:
        """All at once, each with a name for what it shows; {} for what AWS refuses. A refusal is noted in `missing`
        unless its code is in `quietly`. Raises only errors that concern all calls."""
        answers = self._reader.fetch([call for _, call in asked]) if asked else ()
        for (what, call), answer in zip(asked, answers, strict=True):
            if answer.error is not None and answer.error.code not in quietly:
                self.note(refused(what, call, answer.error))
        return [answer.data or {} for answer in answers]

    def note(self, sentence: str) -> None:
        if sentence not in self.missing:
            self.missing.append(sentence)


def refused(what: str, call: Call, error: AwsError) -> str:
    """`the last log lines: the role in use needs permission for logs:GetLogEvents`."""
    if "AccessDenied" in error.code:
        return f"{what}: the role in use needs permission for {call.action}"
    return f"{what}: {error.message}"


# --- log lines ---


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a container of these tasks (newest first) writes, by the options of its log configuration."""

    container: str
    tasks: tuple[Doc, ...]
    options: Doc


def sources(
    lookup: Lookup, definition: Doc, wanted: Iterable[tuple[str, Sequence[Doc]]], most: int
) -> tuple[Source, ...]:
    """The containers, each with its tasks, whose lines can be fetched. For the others, `lookup` notes why not."""
    containers = {str(one.get("name")): one for one in definition.get("containerDefinitions", ())}
    found: dict[str, Source] = {}
    for name, tasks in wanted:
        if name in found or len(found) == most or name not in containers:
            continue
        logging = containers[name].get("logConfiguration") or {}
        options = logging.get("options") or {}
        if logging.get("logDriver") != "awslogs" or not options.get("awslogs-group"):
            driver = f"logs with {logging['logDriver']}" if logging.get("logDriver") else "has no logConfiguration"
            lookup.note(f"the last log lines of container {name}: it {driver}; only awslogs can be read")
        elif (region := options.get("awslogs-region")) and tasks and region not in _regions(tasks):
            lookup.note(f"the last log lines of container {name}: they are in {region}")
        else:
            found[name] = Source(container=name, tasks=tuple(tasks[:TASKS]), options=options)
    return tuple(found.values())


def _regions(tasks: Sequence[Doc]) -> set[str]:
    return {str(task.get("taskArn", "")).split(":")[3] for task in tasks if str(task.get("taskArn")).count(":") > 3}


def tails(lookup: Lookup, wanted: Sequence[Source]) -> tuple[LogTail, ...]:
    """All at once; for each container the lines of its newest task that has any."""
    places = [(source, task, stream) for source in wanted for task in source.tasks if (stream := _stream(source, task))]
    asked = [("the last log lines", _call(source, stream)) for source, _, stream in places]
    before = len(lookup.missing)
    answers = lookup.fetch(*asked, quietly=(ABSENT,))
    refused = len(lookup.missing) > before
    found: dict[str, LogTail] = {}
    for (source, task, stream), answer in zip(places, answers, strict=True):
        if answer and (source.container not in found or not found[source.container].lines):
            tail = _tail(source, task, stream, answer)
            found[source.container] = tail if tail.lines else found.get(source.container, tail)
    for source in wanted:
        if source.container not in found and not refused:
            streams = [stream for one, _, stream in places if one is source]
            why = f"there is no log stream {streams[0]}" if streams else "it has no awslogs-stream-prefix"
            lookup.note(f"the last log lines of container {source.container}: {why}")
    return tuple(found.values())


def _tail(source: Source, task: Doc, stream: str, answer: Doc) -> LogTail:
    lines = [line for event in answer.get("events", ()) for line in str(event.get("message", "")).splitlines()]
    return LogTail(
        container=source.container,
        task=short_arn(task.get("taskArn", "")),
        group=str(source.options["awslogs-group"]),
        stream=stream,
        lines=tuple(lines[-LINES:]),
    )


def _stream(source: Source, task: Doc) -> str:
    """`<prefix>/<container>/<task id>`; without a prefix the name is the container's id at its host (awslogs in the ECS
    developer guide)."""
    if prefix := source.options.get("awslogs-stream-prefix"):
        return f"{prefix}/{source.container}/{short_arn(task.get('taskArn', ''))}"
    ids = [c.get("runtimeId") for c in task.get("containers", ()) if c.get("name") == source.container]
    return str(ids[0]) if ids and ids[0] else ""


def _call(source: Source, stream: str) -> Call:
    place = {"logGroupName": source.options["awslogs-group"], "logStreamName": stream}
    return Call(service="logs", operation="get_log_events", params={**place, "startFromHead": False, "limit": LINES})

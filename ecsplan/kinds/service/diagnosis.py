"""Why a rollout has failed: ECS's reason, circuit breaker, alarms, events, stopped tasks and their last log lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ecsplan.core.clock import epoch, iso
from ecsplan.core.diagnosis import Diagnosis, LogTail, ServiceEvent, Status, alike
from ecsplan.core.errors import EcsplanError
from ecsplan.core.model import Doc
from ecsplan.core.ports import Reader
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Progress, Tracked
from ecsplan.kinds.ecs.lookup import Lookup, sources, tails
from ecsplan.kinds.ecs.reasons import Reason, reason_for
from ecsplan.kinds.ecs.stopped_tasks import Group, failed_containers, grouped, summary_of
from ecsplan.kinds.ecs.task_diagnosis import essentials
from ecsplan.kinds.service.facts import Facts, facts_of, service_of, service_request
from ecsplan.kinds.service.read import primary_of

MAX_GROUPS = 5  # groups of tasks that are reported
MAX_CONTAINERS = 2  # containers whose log lines are fetched
BY_SCALING = "Scaling activity initiated by"  # no failure: ECS stops what a deployment no longer needs

MAX_EVENTS = 8  # events that are reported

# Events of every rollout: not reported beside others.
ROUTINE = re.compile(
    r"has (started|stopped) \d+ (running )?tasks|(de)?registered \d+ (targets|instances) in"
    r"|has begun draining connections|has reached a steady state|deployment completed|^rolling back to"
)
_NAME = re.compile(r"^\(service [^)]*\) (?:\(instance [^)]*\) )?")


def diagnose(reader: Reader, tracked: Tracked, progress: Progress) -> Diagnosis:
    """Three round trips at most, whatever AWS refuses. Raises nothing."""
    lookup = Lookup(reader)
    try:
        if progress.superseded or progress.status is Status.SUPERSEDED:
            return _superseded(lookup, tracked, progress)
        return _failed(lookup, tracked, progress)
    except EcsplanError as error:  # it concerns all requests
        return Diagnosis(reason=progress.note, unseen=(f"nothing could be looked up: {error.message}",))


def _superseded(lookup: Lookup, tracked: Tracked, progress: Progress) -> Diagnosis:
    """Which deployment replaced ours; how that one fares is not looked up."""
    service = service_of(tracked, lookup.fetch(service_request(tracked))[0])
    primary = primary_of(service)
    if not primary.get("id") or primary["id"] == tracked.outputs.get("deployment"):
        return Diagnosis(reason=progress.note, unseen=tuple(lookup.missing))
    on = short_arn(primary.get("taskDefinition", "an unknown revision"))
    return Diagnosis(
        reason=progress.note,
        meaning=f"deployment {primary['id']} has put the service on {on}",
        advice="Find out who else deploys this service; deploy again if your version should run.",
        unseen=tuple(lookup.missing),
    )


def _failed(lookup: Lookup, tracked: Tracked, progress: Progress) -> Diagnosis:
    facts = facts_of(lookup, tracked, late=progress.status is Status.TIMED_OUT)
    groups = grouped([task for task in facts.stopped if not _by_scaling(task)], essentials(facts.definition))
    began = epoch(facts.deployment.get("createdAt")) or epoch(facts.rollout.get("createdAt"))
    events = events_since(facts.service.get("events", ()), began)
    breaker = facts.rollout.get("deploymentCircuitBreaker") or {}
    on = breaker.get("status", "DISABLED") != "DISABLED"
    alarms = tuple(str(name) for name in (facts.rollout.get("alarms") or {}).get("triggeredAlarmNames") or ())
    logs = _logs(lookup, groups, facts)
    meaning, advice = _summary_of(groups, logs, alarms, explained(facts.service.get("events", ()), began))
    return Diagnosis(
        reason=_reason(progress, facts),
        meaning=meaning,
        advice=advice,
        failures=int(breaker.get("failureCount") or 0) if on else 0,
        threshold=int(breaker.get("threshold") or 0) if on else 0,
        alarms=alarms,
        events=events,
        tasks=tuple(group.summary for group in groups[:MAX_GROUPS]),
        logs=logs,
        unseen=tuple(lookup.missing),
    )


# --- what it means ---


def _by_scaling(task: Doc) -> bool:
    return str(task.get("stoppedReason", "")).startswith(BY_SCALING)


def _reason(progress: Progress, facts: Facts) -> str:
    """ECS's reason; if it gives none, the note. For a rollout that timed out, ECS has no reason yet."""
    if progress.status is Status.TIMED_OUT:
        return progress.note
    failed = facts.deployment.get("rolloutState") == "FAILED"
    given = (
        facts.rollout.get("statusReason"),
        (facts.rollout.get("rollback") or {}).get("reason"),
        facts.deployment.get("rolloutStateReason") if failed else None,
    )
    return next((str(reason).rstrip(".") for reason in given if reason), progress.note)


def _summary_of(
    groups: Sequence[Group], logs: Sequence[LogTail], alarms: Sequence[str], words: Reason | None
) -> tuple[str, str]:
    if alarms:
        which = f"alarm {alarms[0]}" if len(alarms) == 1 else f"alarms {', '.join(alarms)}"
        return f"{which} went off", "See its metric for what the new revision does differently."
    if groups:
        meaning, advice = summary_of(groups[0], logs)
        return meaning, advice or ("The containers of a service have to go on running." if _ended(groups[0]) else "")
    return (words.meaning, words.advice) if words else ("", "")


def _ended(group: Group) -> bool:
    return any(end.exit_code == 0 for end in failed_containers(group))


def _logs(lookup: Lookup, groups: Sequence[Group], facts: Facts) -> tuple[LogTail, ...]:
    wanted: list[tuple[str, Sequence[Doc]]] = [
        (end.name, group.tasks) for group in groups for end in failed_containers(group)
    ]
    if not groups and facts.running:
        wanted = [(name, facts.running) for name in sorted(essentials(facts.definition) or ())]
    if not wanted or not facts.definition:
        return ()
    return tails(lookup, sources(lookup, facts.definition, wanted, MAX_CONTAINERS))


# --- events of one rollout, those with the same text grouped ---


def events_since(events: Sequence[Doc], began: float | None) -> tuple[ServiceEvent, ...]:
    """Newest first, `MAX_EVENTS` at most; all of them if the beginning is not known."""
    since = list(_since(events, began))
    telling = [event for event in since if not ROUTINE.search(_text(event))] or since
    groups: dict[str, list[Doc]] = {}
    for event in telling:
        groups.setdefault(alike(_text(event)), []).append(event)
    return tuple(
        ServiceEvent(text=_text(some[0]), count=len(some), at=iso(some[0].get("createdAt")))
        for some in list(groups.values())[:MAX_EVENTS]
    )


def explained(events: Sequence[Doc], began: float | None) -> Reason | None:
    """The meaning of the newest event for which there is one."""
    return next((words for event in _since(events, began) if (words := reason_for(_text(event)))), None)


def _since(events: Sequence[Doc], began: float | None) -> Iterator[Doc]:
    """ECS answers the newest event first."""
    return (event for event in events if began is None or (epoch(event.get("createdAt")) or began) >= began)


def _text(event: Doc) -> str:
    return _NAME.sub("", str(event.get("message", ""))).rstrip(".")

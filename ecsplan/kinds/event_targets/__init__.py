"""EventBridge targets: moved to a revision; everything else about them keeps its live values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecsplan.core.checks import Request
from ecsplan.core.documents import copied, is_empty, layered, overlay, replaced
from ecsplan.core.model import Address, Doc, Ref
from ecsplan.core.normalize import Normalized
from ecsplan.core.rates import Rate
from ecsplan.core.spec import Task
from ecsplan.kinds.contract import Calls, Change, Compare, CompileScope, Declare, Document, Kind, Live, Resource, Table
from ecsplan.kinds.ecs.request_fields import map_fields
from ecsplan.kinds.event_targets import lint
from ecsplan.kinds.event_targets.change import ABSENT, accept, recover, refused, steps
from ecsplan.kinds.event_targets.read import by_id, names_of, read
from ecsplan.kinds.event_targets.rules import RULES
from ecsplan.kinds.task_definition import arn_of

NAME = "event_targets"
RULE_IS_CHANGING = "ConcurrentModificationException"  # EventBridge takes one change of a rule at a time
_RULE = frozenset({"Rule", "Targets", "Targets[].Id"})
TABLE = Table(
    key=lint.KEY,
    request=Request(
        service="events",
        operation="put_targets",
        partial=True,
        merged=frozenset({"Targets"}),
        required=_RULE,
        filled=_RULE,
    ),
)


def compile_(task: Task, scope: CompileScope) -> tuple[Resource, ...]:
    """One resource per rule: the declared part of its targets, on the task's revision unless they declare another."""
    return tuple(
        Resource(
            kind=KIND,
            address=Address.of(NAME, rule_name(entry.params)),
            task=task.name,
            doc=_pinned(entry.params, arn_of(task)),
        )
        for entry in task.entries[NAME]
    )


def combine(first: Doc, second: Doc) -> Doc:
    """A rule whose targets two tasks declare is set with one call, since EventBridge rejects two changes at once."""
    return {**first, "Targets": [*first["Targets"], *second["Targets"]]}


def _pinned(params: Doc, arn: Ref) -> Doc:
    doc: Doc = copied(params)
    for target in doc["Targets"]:
        target.setdefault("EcsParameters", {}).setdefault("TaskDefinitionArn", arn)
    return doc


def rule_name(params: Mapping[str, Any]) -> str:
    """The rule's name, after its bus unless that is the default one."""
    bus = bus_name(params)
    return str(params["Rule"]) if bus == "default" else f"{bus}/{params['Rule']}"


def bus_name(params: Mapping[str, Any]) -> str:
    """The name of its bus, whether a name or an ARN is declared."""
    given = str(params.get("EventBusName") or "default")
    return given.partition(":event-bus/")[2] or given


# --- comparing and changing ---

# EventBridge takes at most one of each group (EventBridge API reference, Target and EcsParameters).
CAPACITY = frozenset({"LaunchType", "CapacityProviderStrategy"})


def merge(live: Doc, declared: Doc) -> Doc:
    """PutTargets replaces a target whole: the declared members over the live ones, without those that they exclude.
    Other targets stay as they are."""
    gone = set(declared.get(ABSENT, ()))
    targets = {target["Id"]: target for target in live.get("Targets", ()) if target["Id"] not in gone}
    for target in declared["Targets"]:
        targets[target["Id"]] = overlay(targets.get(target["Id"], {}), with_exclusions(target), _map_members())
    return {**names_of(declared), "Targets": list(targets.values())}


def with_exclusions(declared: Doc) -> Doc:
    """A declared target, with None for every member that it excludes."""
    result = keep_one(declared, frozenset(lint.INPUTS))
    if isinstance(parameters := result.get("EcsParameters"), Mapping):
        result["EcsParameters"] = keep_one(parameters, CAPACITY)
    return result


def keep_one(declared: Mapping[str, Any], group: frozenset[str]) -> Doc:
    given = {name for name in group if not is_empty(declared.get(name))}
    return {**dict.fromkeys(group if given else ()), **declared}


def _map_members() -> frozenset[str]:
    return map_fields("events", "put_targets")


def before(found: Normalized, wanted: Normalized, declared: Doc) -> Doc:
    """The declared members of changed targets at their live values, and the Ids of targets that do not exist yet."""
    old, new, raw = by_id(found.normal), by_id(wanted.normal), by_id(found.doc)
    targets = []
    for target in declared["Targets"]:
        name = target["Id"]
        if name in old and (
            values := replaced(old[name], new[name], with_exclusions(target), raw[name], _map_members())
        ):
            targets.append({"Id": name, **values})
    targets += [raw[name] for name in declared.get(ABSENT, ()) if name in raw]
    created = [target["Id"] for target in declared["Targets"] if target["Id"] not in old]
    return {**names_of(declared), "Targets": targets, **({ABSENT: created} if created else {})}


def merge_before(newer: Doc, older: Doc) -> Doc:
    """Two documents that restore targets, as one: the older one wins, also on whether a target existed."""
    targets = by_id(newer)
    for target in older["Targets"]:
        targets[target["Id"]] = layered(targets.get(target["Id"], {}), target, _map_members())
    gone = set(older.get(ABSENT, ()))
    gone |= {name for name in newer.get(ABSENT, ()) if name not in by_id(older)}
    kept = [target for name, target in targets.items() if name not in gone]
    return {**names_of(newer), "Targets": kept, **({ABSENT: sorted(gone)} if gone else {})}


def revision_only(doc: Doc, addresses: frozenset[Address]) -> Doc:
    revisions = {target["Id"]: target["EcsParameters"]["TaskDefinitionArn"] for target in doc["Targets"]}
    targets = [
        {"Id": name, "EcsParameters": {"TaskDefinitionArn": ref}}
        for name, ref in revisions.items()
        if isinstance(ref, Ref) and ref.address in addresses
    ]
    return {**names_of(doc), "Targets": targets}


def blockers(resource: Resource, live: Live) -> tuple[str, ...]:
    if not live.candidates:
        rule, bus = resource.doc["Rule"], bus_name(resource.doc)
        if live.facts.get("missing") == "bus":
            return (f"{resource.address}: there is no event bus {bus}; ecsplan only sets the targets of its rules",)
        return (
            f"{resource.address}: there is no rule {rule} on the event bus {bus}; rules are created elsewhere, ecsplan "
            "only sets their targets",
        )
    found = by_id(live.candidates[0].doc)
    return tuple(fault for target in resource.doc["Targets"] if (fault := _fault(resource.address, target, found)))


def _fault(address: Address, target: Doc, found: Mapping[str, Doc]) -> str:
    name = target["Id"]
    if name in found and "EcsParameters" not in found[name] and "Arn" not in target:
        return f"{address}: target {name} does not run an ECS task, it is {found[name].get('Arn')}"
    missing = [field for field in ("Arn", "RoleArn") if field not in target]
    if name not in found and missing:
        return f"{address}: there is no target {name} yet; to make one, declare its {' and '.join(missing)} too"
    return ""


KIND = Kind(
    name=NAME,
    order=3,
    document=Document(rules=RULES, required=frozenset({"Rule", "Targets[].Id"})),
    declare=Declare(table=TABLE, compile=compile_, lint=lint.problems, clashes=lint.clashes, combine=combine),
    compare=Compare(
        read=read,
        merge=merge,
        before=before,
        merge_before=merge_before,
        identity=lambda doc: {**names_of(doc), "Targets": []},
        revision_only=revision_only,
    ),
    change=Change(
        writes=frozenset({"events:put_targets", "events:remove_targets"}),
        steps=steps,
        blockers=blockers,
        conflicts=refused,
        subject=lambda call: rule_name(call.params),
    ),
    calls=Calls(accept=accept, recover=recover, retryable=lambda error: error.code == RULE_IS_CHANGING),
    # The quota names no burst, so a second's worth is taken.
    rates=(
        Rate(
            operations=frozenset({"events:*"}),
            burst=50,
            per_second=50,
            source="EventBridge, quotas: everything but PutEvents",
        ),
    ),
)

"""EventBridge: rules and their targets (aws-semantics section 5). They never trigger anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from ecsplan.sandbox import common
from ecsplan.sandbox.common import Rate, hash_order, page
from ecsplan.sandbox.further import Seeding, Service, ecs_parameters
from ecsplan.sandbox.inputs import Inputs

Doc = dict[str, Any]
TARGETS_PER_RULE: Final = 5
ENTRIES_PER_CALL: Final = 10
_TARGET_SALT: Final = 1


@dataclass
class Rule:
    doc: Doc
    targets: dict[str, Doc] = field(default_factory=dict)


@dataclass
class Buses:
    """One region's event buses: rules by bus name and rule name."""

    region: str
    rules: dict[str, dict[str, Rule]] = field(default_factory=lambda: {"default": {}})

    def bus(self, params: Doc) -> str:
        """The name of the bus in ``params``, which may be an ARN. Raises ResourceNotFoundException."""
        name = common.short(params.get("EventBusName", "default"))
        if name not in self.rules:
            raise common.AwsError("ResourceNotFoundException", f"Event bus {name} does not exist.")
        return name

    def rule(self, params: Doc, key: str) -> Rule:
        bus = self.bus(params)
        rule = self.rules[bus].get(params[key])
        if rule is None:
            text = f"Rule {params[key]} does not exist on EventBus {bus}."
            raise common.AwsError("ResourceNotFoundException", text)
        return rule


class Events:
    """The EventBridge of one region. Not thread-safe: the sandbox calls it under its lock."""

    def __init__(self, region: str, inputs: Inputs) -> None:
        self._buses = Buses(region)
        self._inputs = inputs

    def has_rule(self, bus: str, name: str) -> bool:
        return name in self._buses.rules.get(bus, {})

    def add_bus(self, name: str) -> None:
        self._buses.rules.setdefault(name, {})

    def call(self, operation: str, params: object, failed: Doc | None = None) -> Doc:
        """The answer of ``operation``. Raises AwsError. ``failed`` is an ordered failure of the first entry of
        PutTargets or RemoveTargets."""
        handler = _OPERATIONS.get(operation)
        if handler is None:
            raise common.AwsError("UnknownOperationException", f"The sandbox does not simulate events:{operation}.")
        checked = self._inputs.check(operation, params)
        if failed and operation == "PutTargets":
            return put_targets(self._buses, checked, failed)
        if failed and operation == "RemoveTargets":
            return remove_targets(self._buses, checked, failed)
        return handler(self._buses, checked)


def put_rule(buses: Buses, params: Doc) -> Doc:
    """Replaces an existing rule as a whole, but keeps its targets."""
    if not params.get("ScheduleExpression") and not params.get("EventPattern"):
        raise common.validation("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    bus, name = buses.bus(params), params["Name"]
    if params.get("ScheduleExpression") and bus != "default":
        raise common.validation("ScheduleExpression is supported only on the default event bus.")
    path = name if bus == "default" else f"{bus}/{name}"
    arn = common.arn("events", buses.region, f"rule/{path}")
    kept = ("EventPattern", "ScheduleExpression", "Description", "RoleArn")
    doc = {"Name": name, "Arn": arn, "State": params.get("State", "ENABLED"), "EventBusName": bus}
    doc |= {key: params[key] for key in kept if params.get(key)}
    present = buses.rules[bus].get(name)
    buses.rules[bus][name] = Rule(doc, present.targets if present else {})
    return {"RuleArn": arn}


def describe_rule(buses: Buses, params: Doc) -> Doc:
    return buses.rule(params, "Name").doc | {"CreatedBy": common.ACCOUNT}


def list_rules(buses: Buses, params: Doc) -> Doc:
    prefix = params.get("NamePrefix", "")
    found = [rule.doc for name, rule in sorted(buses.rules[buses.bus(params)].items()) if name.startswith(prefix)]
    return _paged("Rules", found, params)


def delete_rule(buses: Buses, params: Doc) -> Doc:
    """Succeeds for a rule that does not exist. Refuses a rule that has targets."""
    rules = buses.rules[buses.bus(params)]
    rule = rules.get(params["Name"])
    if rule is not None and rule.targets:
        raise common.validation("Rule can't be deleted since it has targets.")
    rules.pop(params["Name"], None)
    return {}


def put_targets(buses: Buses, params: Doc, failed: Doc | None = None) -> Doc:
    """Each target replaces the one with its Id as a whole."""
    rule, entries = buses.rule(params, "Rule"), params["Targets"]
    if len(entries) > ENTRIES_PER_CALL:
        raise common.validation(
            f"1 validation error detected: Value '{len(entries)} targets' at 'targets' failed to satisfy constraint: "
            f"Member must have length less than or equal to {ENTRIES_PER_CALL}"
        )
    ids = [entry["Id"] for entry in entries]
    if len(set(ids)) < len(ids):
        raise common.validation("Duplicate target Ids in one request.")
    for entry in entries:
        _check(entry)
    if len(rule.targets.keys() | set(ids)) > TARGETS_PER_RULE:
        raise common.AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    failures = [failed | {"TargetId": ids[0]}] if failed else []
    for entry in entries[len(failures) :]:
        rule.targets[entry["Id"]] = _stored(entry)
    return {"FailedEntryCount": len(failures), "FailedEntries": failures}


def _check(target: Doc) -> None:
    name = target["Id"]
    if "EcsParameters" in target and ":cluster/" not in target["Arn"]:
        raise common.validation(f"Parameter EcsParameters not valid for the target {name}.")
    if ":cluster/" in target["Arn"]:
        if "EcsParameters" not in target:
            raise common.validation(f"Parameter EcsParameters is required for the ECS target {name}.")
        if not target.get("RoleArn"):
            raise common.validation(f"RoleArn is required for target {target['Arn']}.")
        if target["EcsParameters"].get("LaunchType") and target["EcsParameters"].get("CapacityProviderStrategy"):
            raise common.validation(f"LaunchType and CapacityProviderStrategy exclude each other in target {name}.")
    given = [key for key in ("Input", "InputPath", "InputTransformer") if key in target]
    if len(given) > 1:
        raise common.validation(f"Only one of Input, InputPath and InputTransformer can be given for target {name}.")


def _stored(target: Doc) -> Doc:
    """TaskCount defaults to 1, the two booleans default to false. Nothing else is filled in."""
    if "EcsParameters" not in target:
        return target
    defaults = {"TaskCount": 1, "EnableECSManagedTags": False, "EnableExecuteCommand": False}
    return target | {"EcsParameters": defaults | target["EcsParameters"]}


def remove_targets(buses: Buses, params: Doc, failed: Doc | None = None) -> Doc:
    rule, ids = buses.rule(params, "Rule"), params["Ids"]
    failures = [failed | {"TargetId": ids[0]}] if failed else []
    for name in ids[len(failures) :]:
        if rule.targets.pop(name, None) is None:
            text = f"Rule {params['Rule']} has no target {name}."
            failures.append({"TargetId": name, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": text})
    return {"FailedEntryCount": len(failures), "FailedEntries": failures}


def list_targets(buses: Buses, params: Doc) -> Doc:
    rule = buses.rule(params, "Rule")
    return _paged("Targets", hash_order(list(rule.targets.values()), _TARGET_SALT, lambda target: target["Id"]), params)


def rule_names(buses: Buses, params: Doc) -> Doc:
    rules = sorted(buses.rules[buses.bus(params)].items())
    wanted = params["TargetArn"]
    found = [name for name, rule in rules if any(target["Arn"] == wanted for target in rule.targets.values())]
    return _paged("RuleNames", found, params)


def _paged(key: str, found: list[Any], params: Doc) -> Doc:
    items, following = page(found, params.get("Limit"), params.get("NextToken"), default=100, limit=100)
    return {key: items} | ({"NextToken": following} if following else {})


_OPERATIONS: Final[Mapping[str, Callable[[Buses, Doc], Doc]]] = MappingProxyType({
    "PutRule": put_rule,
    "DescribeRule": describe_rule,
    "ListRules": list_rules,
    "DeleteRule": delete_rule,
    "PutTargets": put_targets,
    "RemoveTargets": remove_targets,
    "ListTargetsByRule": list_targets,
    "ListRuleNamesByTarget": rule_names,
})  # fmt: skip


# --- before a spec's first deployment ---

_SCHEDULE: Final = "cron(0 3 * * ? *)"


def _puts(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(task.get("events__put_targets", ()))


def _seed(events: Events, seeding: Seeding, task: Mapping[str, Any], placeholder: str) -> Mapping[str, Iterable[str]]:
    return {"rules": {_seed_rule(events, seeding, put, task["task_definition"], placeholder) for put in _puts(task)}}


def _seed_rule(
    events: Events, seeding: Seeding, put: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str
) -> str:
    bus = common.short(put.get("EventBusName", "default"))
    events.add_bus(bus)
    name: Doc = {"Name": put["Rule"], "EventBusName": bus}
    pattern = {"EventPattern": '{"source": ["sandbox"]}'}
    if not events.has_rule(bus, put["Rule"]):
        events.call("PutRule", name | ({"ScheduleExpression": _SCHEDULE} if bus == "default" else pattern))
    targets = [_target(seeding, target, definition, placeholder) for target in put.get("Targets", ())]
    for start in range(0, len(targets), TARGETS_PER_RULE):
        entries = targets[start : start + TARGETS_PER_RULE]
        events.call("PutTargets", {"Rule": put["Rule"], "EventBusName": bus, "Targets": entries})
    return f"{bus}/{put['Rule']}"


def _target(seeding: Seeding, declared: Mapping[str, Any], definition: Mapping[str, Any], placeholder: str) -> Doc:
    """A whole target, overlaid with the declared members. Its Input shows that undeclared members are kept."""
    parameters = ecs_parameters(definition, placeholder)
    over = dict(declared.get("EcsParameters", {}))
    over.pop("TaskDefinitionArn", None)
    if "CapacityProviderStrategy" in over:
        parameters.pop("LaunchType", None)
    target: Doc = {
        "Arn": seeding.cluster_arn(declared.get("Arn")),
        "RoleArn": f"arn:aws:iam::{common.ACCOUNT}:role/events",
        "Input": '{"seeded": "kept"}',
    }
    if "InputPath" in declared or "InputTransformer" in declared:
        del target["Input"]
    return target | dict(declared) | {"EcsParameters": parameters | over}


SERVICE = Service(
    name="events",
    make=lambda region, _clock: Events(region, Inputs("events")),
    rates=(Rate(service="events", operations=frozenset({"*"}), burst=50, per_second=50),),
    seed=_seed,
    uses_revisions=lambda task: bool(_puts(task)),
)

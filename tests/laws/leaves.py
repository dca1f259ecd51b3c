"""The leaves of a declared document, another value for each, and where a difference there is named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from ecsplan.core.documents import copied
from ecsplan.core.model import Doc
from ecsplan.core.normalize import Keyed, Rule
from tests.laws.shaped import pattern_of

Keys: TypeAlias = tuple[str | int, ...]
D = "deploymentConfiguration"


class Leaf(NamedTuple):
    pattern: str
    keys: Keys
    value: Any
    shape: Shape


def leaves(value: Any, shape: Shape, at: str = "", keys: Keys = ()) -> Iterator[Leaf]:
    """Every scalar of a document."""
    match shape.type_name:
        case "structure" if getattr(shape, "is_document_type", False):
            for name, item in value.items():
                yield Leaf(at, (*keys, name), item, shape)
        case "structure":
            for name, item in value.items():
                place = f"{at}.{name}" if at else name
                yield from leaves(item, cast("StructureShape", shape).members[name], place, (*keys, name))
        case "list":
            for index, item in enumerate(value):
                yield from leaves(item, cast("ListShape", shape).member, f"{at}[]", (*keys, index))
        case "map":
            for name, item in value.items():
                yield from leaves(item, cast("MapShape", shape).value, f"{at}{{}}", (*keys, name))
        case _:
            yield Leaf(at, keys, value, shape)


def item_at(doc: Any, keys: Keys) -> Any:
    for key in keys:
        doc = doc[key]
    return doc


def changed(doc: Doc, leaf: Leaf, value: Any) -> Doc:
    result: Doc = copied(doc)
    item_at(result, leaf.keys[:-1])[leaf.keys[-1]] = value
    return result


def switched_on(doc: Doc) -> Doc:
    """With everything on that can be off and then has no settings."""
    result: Doc = copied(doc)
    for block, switch in ((result.get("serviceConnectConfiguration"), "enabled"), (early_success(result), "enable")):
        if block:
            block[switch] = True
    return result


def early_success(doc: Doc) -> Any:
    return doc.get(D, {}).get("earlySuccessCriteria")


# --- another value ---

UNITS = {"cpu": "vcpu", "memory": "gb"}


def meaning(pattern: str, value: Any) -> Any:
    """What AWS takes a value for, where two spellings are one (aws-semantics 1.1, 2.2 and 5)."""
    if pattern in UNITS:
        number, unit, _ = value.lower().partition(UNITS[pattern])
        return float(number) * (1024 if unit else 1)
    if pattern in ("taskRoleArn", "executionRoleArn"):
        return value.rpartition("/")[2]
    if pattern == "placementStrategy[].field":
        return {"host": "instanceid"}.get(value.lower(), value.lower())
    if pattern == "StartDate":
        return datetime.fromisoformat(value).timestamp()
    if pattern in ("Targets[].Input", "Target.Input"):
        return json.dumps(json.loads(value), sort_keys=True)
    return value


INPUTS = ['{"b":[1,2],"a":1}', '{"a": 1, "b": [1, 2]}', '{"b": [2, 1], "a": 1}', "5", '"5"', "{}"]
VALUES: Mapping[str, Sequence[Any]] = {
    "cpu": ["256", "1 vCPU", "0.5 vcpu", "2048"],
    "memory": ["512", "1 GB", "0.5gb", "4096"],
    "taskRoleArn": ["web", "arn:aws:iam::123456789012:role/web", "arn:aws:iam::123456789012:role/x/other"],
    "executionRoleArn": ["arn:aws:iam::123456789012:role/web", "web", "arn:aws:iam::123456789012:role/x/other"],
    "placementStrategy[].field": ["host", "instanceId", "HOST", "cpu", "CPU", "memory"],
    "Targets[].Input": INPUTS,
    "Target.Input": INPUTS,
    "StartDate": [
        "2099-01-01T00:00:00+00:00",
        "2099-01-01T01:00:00+01:00",
        "2099-01-01T00:00:00Z",
        "2099-01-02T00:00:00Z",
    ],
}


def others(leaf: Leaf) -> list[Any]:
    """Other values for a leaf, each of which means something else to AWS."""
    if leaf.pattern in VALUES:
        mine = meaning(leaf.pattern, leaf.value)
        return [value for value in VALUES[leaf.pattern] if meaning(leaf.pattern, value) != mine]
    if isinstance(leaf.value, bool):
        return [not leaf.value]
    if isinstance(leaf.value, int | float):
        return [leaf.value + 1000]
    if leaf.pattern.endswith("].ulimits[].name"):  # any other known one may be another limit's
        return [f"{leaf.value}-x"]
    known = [value for value in getattr(leaf.shape, "enum", None) or () if value != leaf.value]
    # A value that AWS has added to an enumeration, or any other text; "" is a value too where it is not none at all.
    return [*known[:2], f"{leaf.value}-x"]


# Lists of scalars and of entries whose order means something (aws-semantics, order column: list).
ORDERED: Mapping[str, Sequence[str]] = {
    "task_definition": [
        f"containerDefinitions[].{name}"
        for name in ("command", "entryPoint", "environmentFiles", "dnsServers", "dnsSearchDomains")
    ]
    + ["containerDefinitions[].healthCheck.command"],
    "service": ["placementStrategy"],
    "event_targets": ["Targets[].EcsParameters.PlacementStrategy"],
    "schedule": ["Target.EcsParameters.PlacementStrategy"],
}


# --- what never differs ---

EXCEPTED: Mapping[str, str] = {
    "cluster": "which service it is",
    "service": "which service it is",
    "Rule": "which rule it is",
    "EventBusName": "which rule it is",
    "forceNewDeployment": "an action, not a state",
    "gatewayConnectors": "never answered",
    "monitoring": "never answered",
}


def never_differs(doc: Doc, leaf: Leaf, value: Any) -> str:
    """Why the difference of a leaf is none, although its value means something else; "" where it has to show."""
    inside, name = leaf.keys[:-1], leaf.keys[-1]
    if reason := EXCEPTED.get(str(leaf.keys[0])):
        return reason
    if leaf.pattern.endswith("].environment[].name") and "value" not in item_at(doc, inside):
        return "an entry without a value is dropped"
    if "earlySuccessCriteria" in leaf.keys and name != "enable" and not early_success(doc)["enable"]:
        return "settings of what is off"
    if leaf.pattern.startswith("serviceConnectConfiguration.") and name != "enabled":
        return "" if doc["serviceConnectConfiguration"]["enabled"] else "settings of what is off"
    if leaf.pattern == "platformVersion" and value == "LATEST":
        return "LATEST was resolved when it was deployed"
    if leaf.pattern.endswith("tmpfs[].mountOptions[]"):
        before = item_at(doc, inside)
        after = [*before[: int(name)], value, *before[int(name) + 1 :]]
        return '"defaults" says nothing' if {*before} - {"defaults"} == {*after} - {"defaults"} else ""
    return ""


# --- its name ---

FILLED = {"protocol": "tcp"}  # a part of a port's identity that AWS fills in


def named(doc: Doc, keys: Keys, rules: Sequence[Rule]) -> tuple[str, bool]:
    """The path that a difference at these keys has, and whether what differs there is a part of an item's identity, so
    that all of the item does."""
    keyed = {pattern_of(rule.path): rule for rule in rules if isinstance(rule, Keyed)}
    parts: list[str] = []
    at, value = "", cast("Any", doc)
    rule: Keyed | None = None
    for number, key in enumerate(keys):
        value = value[key]
        if isinstance(key, int):
            rule = keyed.get(at)
            at = f"{at}[]"
            if rule is None:
                return ".".join(parts), False  # a list that is one leaf
            parts[-1] = rule.label or parts[-1]
            item = {**({} if "protocol" not in rule.by else FILLED), **value}
            parts.append("/".join(str(item[name]) for name in rule.by if name in item))
            continue
        if rule and number and isinstance(keys[number - 1], int):
            if key in rule.by:
                return ".".join(parts), True
            if key == rule.value:
                return ".".join(parts), False
        at = f"{at}.{key}" if at else key
        parts.append(key)
    return ".".join(parts), False

"""The target of a schedule that runs ECS tasks, of which there are two sorts.

An ECS target has a cluster's ARN and `EcsParameters`. A universal target (`aws-sdk:ecs:runTask`) has the request of
RunTask as JSON text in its `Input` instead; in documents of this kind its revision stands in
`EcsParameters.TaskDefinitionArn` as well, so that both sorts are compared, moved and restored alike. In requests it
stands in `Input` alone, whose other characters stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ecsplan.core.documents import is_empty
from ecsplan.core.model import Doc, JsonText, Ref
from ecsplan.core.text import canonical_json, json_object, member_span

REVISION = "TaskDefinition"  # of a RunTask request in a universal target, which is spelled as in the API
CLUSTER = re.compile(r"arn:[^:]+:ecs:[^:]*:\d*:cluster/.+")
UNIVERSAL = re.compile(r"arn:[^:]+:scheduler:::aws-sdk:ecs:runTask")
# AWS takes at most one of each group (EventBridge Scheduler API reference, EcsParameters and Target).
CAPACITY = ("LaunchType", "CapacityProviderStrategy")
OF_OTHERS = (
    "EventBridgeParameters",
    "EventBridgePutEventsV2Parameters",
    "EventBridgePutRawEventsParameters",
    "KinesisParameters",
    "SageMakerPipelineParameters",
    "SqsParameters",
)


def is_universal(target: Mapping[str, Any]) -> bool:
    return UNIVERSAL.fullmatch(str(target.get("Arn", ""))) is not None


def document(request: Doc) -> Doc:
    """A request, or a part of one, as documents have it."""
    target = request.get("Target")
    if not isinstance(target, Mapping) or not is_universal(target):
        return request
    text = target.get("Input")
    if isinstance(text, JsonText):  # of a plan whose revision is not registered yet
        return _with_revision(request, text.ref)
    run = json_object(text)
    return _with_revision(request, run[REVISION]) if run and run.get(REVISION) else request


def _with_revision(request: Doc, revision: Any) -> Doc:
    target = request["Target"]
    return {**request, "Target": {**target, "EcsParameters": {"TaskDefinitionArn": revision}}}


def request(doc: Doc) -> Doc:
    """A document as AWS takes it."""
    target = doc.get("Target")
    if not isinstance(target, Mapping):
        return doc
    if not is_universal(target):
        return {**doc, "Target": _without_empty_choices(target)}
    rest = {name: value for name, value in target.items() if name != "EcsParameters"}
    revision = (target.get("EcsParameters") or {}).get("TaskDefinitionArn")
    if revision is not None and json_object(rest.get("Input")) is not None:
        rest["Input"] = _moved(rest["Input"], revision)
    return {**doc, "Target": rest}


def _without_empty_choices(target: Mapping[str, Any]) -> Doc:
    """Other implementations answer "" where nothing is chosen; AWS does not take it."""
    parameters = target.get("EcsParameters")
    if not isinstance(parameters, Mapping):
        return dict(target)
    chosen = {k: v for k, v in parameters.items() if v != "" or k not in ("LaunchType", "PropagateTags")}
    return {**target, "EcsParameters": chosen}


def _moved(text: str, revision: Any) -> str | JsonText:
    """The text of a RunTask request with its revision replaced."""
    span = member_span(text, REVISION)
    if span is None:
        opened = text.index("{") + 1
        comma = ", " if json_object(text) else ""
        head, tail = f'{text[:opened]}"{REVISION}": ', f"{comma}{text[opened:]}"
    else:
        head, tail = text[: span[0]], text[span[1] :]
    if isinstance(revision, Ref):
        return JsonText(head=head, ref=revision, tail=tail)
    return f"{head}{json.dumps(revision, ensure_ascii=False)}{tail}"


def comparable_input(_doc: Doc, target: Doc) -> Any:
    """JSON in one form. Of a universal target it is compared without the revision, which stands beside it too."""
    text = target.get("Input")
    run = json_object(text)
    if run is not None and is_universal(target):
        return canonical_json(json.dumps({name: value for name, value in run.items() if name != REVISION}))
    return None if is_empty(text) else canonical_json(text)


def excluding(declared: Doc) -> Doc:
    """A declared target with None for what goes without it."""
    result = dict(declared)
    if CLUSTER.fullmatch(str(result.get("Arn", ""))) or is_universal(result):
        result = {**dict.fromkeys(OF_OTHERS), **result}
    parameters = result.get("EcsParameters")
    if isinstance(parameters, Mapping):
        given = any(not is_empty(parameters.get(name)) for name in CAPACITY)
        result["EcsParameters"] = {**dict.fromkeys(CAPACITY if given else ()), **parameters}
    return result


def unfit(doc: Doc) -> str:
    """Why a schedule, as it will be, runs no task definition; "" if it does."""
    target = doc.get("Target") or {}
    if CLUSTER.fullmatch(str(target.get("Arn", ""))):
        return ""
    if not is_universal(target):
        return f"it does not run an ECS task, its target is {target.get('Arn')}"
    if json_object(target.get("Input")) is None:
        return "its target is ecs:runTask, and its Input is no JSON object, so no revision can be put into it"
    return ""

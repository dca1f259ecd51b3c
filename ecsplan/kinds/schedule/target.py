"""The target of a schedule that runs ECS tasks, of which there are two sorts.

An ECS target has a cluster's ARN and `EcsParameters`. A universal target (`aws-sdk:ecs:runTask`) has the request of
RunTask as JSON text in its `Input` instead; in documents of this kind its revision stands in
`EcsParameters.TaskDefinitionArn` as well, and nothing else does there, so that both sorts are compared, moved and
restored alike. In requests it stands in `Input` alone, whose other characters stay as they are. A revision in short
form (`web:2`), of which AWS takes the account and region from the schedule, is a full ARN in documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ecsplan.core.documents import is_empty
from ecsplan.core.model import Doc, JsonText, Ref
from ecsplan.core.text import canonical_json, is_utf8, json_object, json_text, member_span, without_member

REVISION = "TaskDefinition"  # of a RunTask request in a universal target, which is spelled as in the API
CLUSTER = re.compile(r"arn:[^:]+:ecs:[^:]*:\d*:cluster/.+")
SHORT = re.compile(r"[A-Za-z0-9_-]{1,255}:[0-9]+")
PLACE = re.compile(r"arn:(?P<partition>[^:]+):(ecs|scheduler):(?P<where>[^:]+:[0-9]+):")
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


def as_document(sent: Doc, arn: str) -> Doc:
    """A request, or a part of one, as documents have it. `arn` is that of the schedule, "" where it is not known."""
    target = sent.get("Target")
    if not isinstance(target, Mapping):
        return sent
    if not is_universal(target):
        return {**sent, "Target": _in_full(target, arn)}
    text = target.get("Input")
    if isinstance(text, JsonText):  # of a plan whose revision is not registered yet
        return _beside_input(sent, text.ref)
    revision = _revision_in(text)
    return _beside_input(sent, full_arn(revision, arn)) if revision else sent


def _beside_input(sent: Doc, revision: Any) -> Doc:
    return {**sent, "Target": {**sent["Target"], "EcsParameters": {"TaskDefinitionArn": revision}}}


def _revision_in(text: object) -> str:
    """The revision that a RunTask request names; "" for none."""
    named = (json_object(text) or {}).get(REVISION)
    return named if isinstance(named, str) and is_utf8(named) else ""


def full_arn(revision: Any, beside: str) -> Any:
    """The ARN of a revision in short form, in the account and region of the ARN `beside`. All else as it is."""
    if not isinstance(revision, str) or not SHORT.fullmatch(revision) or (place := PLACE.match(beside)) is None:
        return revision
    return f"arn:{place['partition']}:ecs:{place['where']}:task-definition/{revision}"


def _in_full(target: Mapping[str, Any], arn: str) -> Doc:
    parameters = target.get("EcsParameters")
    if not isinstance(parameters, Mapping) or "TaskDefinitionArn" not in parameters:
        return dict(target)
    revision = full_arn(parameters["TaskDefinitionArn"], arn)
    return {**target, "EcsParameters": {**parameters, "TaskDefinitionArn": revision}}


def complete(declared: Doc, live: Doc) -> Doc:
    """A declared document whose revision in short form is one of the live schedule's account and region."""
    target, there = declared.get("Target"), live.get("Target")
    if not isinstance(target, Mapping) or not isinstance(there, Mapping):
        return declared
    known = ((there.get("EcsParameters") or {}).get("TaskDefinitionArn"), there.get("Arn"))
    arn = next((arn for arn in known if isinstance(arn, str) and PLACE.match(arn)), "")
    return {**declared, "Target": _in_full(target, arn)}


def as_request(doc: Doc) -> Doc:
    """A document as AWS takes it."""
    target = doc.get("Target")
    if not isinstance(target, Mapping) or not is_universal(target):
        return doc
    rest = {name: value for name, value in target.items() if name != "EcsParameters"}
    text, revision = rest.get("Input"), (target.get("EcsParameters") or {}).get("TaskDefinitionArn")
    if json_object(text) is not None:
        rest["Input"] = _with_revision(text, revision)
    return {**doc, "Target": rest}


def _with_revision(text: Any, revision: Any) -> str | JsonText:
    """The text of a RunTask request with this revision, None for none; unchanged where it names the same one."""
    there = _revision_in(text)
    if revision is None:
        return without_member(text, REVISION) if there else str(text)
    same = isinstance(revision, str) and there and full_arn(there, revision) == revision
    return str(text) if same else _moved(text, revision)


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


def comparable_input(text: Any, target: Doc) -> Any:
    """JSON in one form. Of a universal target it is compared without the revision, which stands beside it too."""
    run = json_object(text) if is_universal(target) else None
    if run is None:
        return canonical_json(text)
    try:
        return json_text({name: value for name, value in run.items() if name != REVISION})
    except RecursionError:
        return text


def revision_alone(parameters: Any, target: Doc) -> Any:
    """A universal target has no EcsParameters, so no defaults of them either."""
    if not is_universal(target) or not isinstance(parameters, dict):
        return parameters
    return {name: value for name, value in parameters.items() if name == "TaskDefinitionArn"}


def excluding(declared: Doc, live: Doc) -> Doc:
    """A declared target with None for what the live one has and what goes without what is declared: one of launch type
    and capacity providers beside the other; and where the sort of target changes, the Input, which means something
    else, and all EcsParameters but the revision."""
    result = dict(declared)
    there = live.get("EcsParameters") or {}
    if "Arn" in result and is_universal(result) is not is_universal(live):
        result = {"Input": None, **result}
        parameters = result.get("EcsParameters", {})
        if is_universal(result) and parameters is not None:
            others = dict.fromkeys(name for name in there if name != "TaskDefinitionArn")
            result["EcsParameters"] = {**others, **parameters}
    parameters = result.get("EcsParameters")
    if isinstance(parameters, Mapping):
        given = any(not is_empty(parameters.get(name)) for name in CAPACITY)
        result["EcsParameters"] = {**dict.fromkeys(CAPACITY if given else ()), **parameters}
    return result


def unfit(merged: Doc, live: Doc) -> str:
    """Why a target that is declared over a live one, and together with it is `merged`, runs no task definition; "" if
    it does."""
    for target in (live, merged):
        if not is_universal(target) and not CLUSTER.fullmatch(str(target.get("Arn", ""))):
            return f"it does not run an ECS task, its target is {target.get('Arn')}"
    if not is_universal(merged):
        return ""
    if json_object(merged.get("Input")) is None:
        what = "has to be declared with it" if not is_universal(live) else "is no JSON object"
        return f"its target is ecs:runTask, and its Input {what}, so no revision can be put into it"
    others = sorted(name for name in merged.get("EcsParameters") or {} if name != "TaskDefinitionArn")
    if others:
        return (
            f"its target is ecs:runTask, which has no EcsParameters.{others[0]}: write it into the request in its Input"
        )
    return ""

"""Services: moved to a revision with one UpdateService each, and judged by the deployment that it started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ecsplan.core.checks import Request, boolean, duration
from ecsplan.core.documents import copied, layered, overlay, replaced, without_none
from ecsplan.core.model import Address, Doc
from ecsplan.core.normalize import Normalized
from ecsplan.core.spec import Task
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import (
    Calls,
    Change,
    Compare,
    CompileScope,
    Declare,
    Document,
    Kind,
    Resource,
    Revert,
    Table,
    Track,
)
from ecsplan.kinds.ecs.calls import is_revision_unknown_yet
from ecsplan.kinds.service import lint
from ecsplan.kinds.service.change import blockers, conflicts, map_members, replaced_by, steps
from ecsplan.kinds.service.diagnosis import diagnose
from ecsplan.kinds.service.observe import is_reverting
from ecsplan.kinds.service.past import past
from ecsplan.kinds.service.read import Expect, names, users
from ecsplan.kinds.service.revert import revert, started_by
from ecsplan.kinds.service.rollout import accept, again, expect_again, polls, recover
from ecsplan.kinds.service.rules import RESET, RESET_MEMBERS, RULES, other_form_of_namespace
from ecsplan.kinds.service.service_deployment import resolve_pause
from ecsplan.kinds.service.unsettled import read, remarks
from ecsplan.kinds.service.waiting import awaited, judge
from ecsplan.kinds.task_definition import BY_ECSPLAN, arn_of

NAME = "service"
CHOSEN = ("encrypted", "iops", "kmsKeyId", "throughput", "volumeType")  # chosen by AWS for a volume, if left out
TABLE = Table(
    key=lint.KEY,
    request=Request(
        service="ecs",
        operation="update_service",
        partial=True,
        required=frozenset({"service"}),
        supplied={
            "taskDefinition": BY_ECSPLAN,
            # In CreateService, and not in UpdateService.
            "launchType": "a live service keeps its launch type; leave it out, or declare capacityProviderStrategy",
            "role": "a live service keeps its role; leave it out",
            "schedulingStrategy": "a live service keeps its scheduling strategy; leave it out",
        },
        filled=frozenset({"cluster", "service"}),
    ),
    own={"timeout": duration, "wait": boolean},
    inherits=("cluster",),
)


def compile_(task: Task, scope: CompileScope) -> tuple[Resource, ...]:
    """One service per entry: UpdateService's parameters as declared, and the revision. forceNewDeployment is an action,
    not part of the state: in the document, it would be a difference in every plan."""
    resources = []
    for entry in task.entries[NAME]:
        doc = {**copied(entry.params), "taskDefinition": arn_of(task)}
        force = doc.pop("forceNewDeployment", False) or scope.redeploy
        settings = msgspec.structs.replace(entry.settings, force=force, redeploy=scope.redeploy)
        resources.append(Resource(kind=KIND, address=address(entry.params), task=task.name, doc=doc, settings=settings))
    return tuple(resources)


def address(params: Mapping[str, Any]) -> Address:
    """`service.CLUSTER/SERVICE`: names, whether names or ARNs are declared."""
    return Address.of(NAME, f"{short_arn(params.get('cluster') or 'default')}/{short_arn(params['service'])}")


# --- comparing and changing ---


def merge(live: Doc, declared: Doc) -> Doc:
    """UpdateService merges: what is not declared stays."""
    merged: Doc = overlay(live, declared, map_members())
    if volumes := declared.get("volumeConfigurations"):
        old = {volume["name"]: volume for volume in live.get("volumeConfigurations", ())}
        merged["volumeConfigurations"] = [_volume(volume, old.get(volume["name"], {})) for volume in volumes]
    if live.get("schedulingStrategy") == "DAEMON" and "desiredCount" in live:
        merged["desiredCount"] = live["desiredCount"]  # one for each instance, whatever is declared
    if declared.get("platformVersion") == "LATEST" and live.get("platformVersion"):
        merged["platformVersion"] = live["platformVersion"]  # LATEST was resolved when it was deployed
    if connect := declared.get("serviceConnectConfiguration"):
        _with_names(merged["serviceConnectConfiguration"], connect, live.get("serviceConnectConfiguration") or {})
    return merged


def _with_names(merged: Doc, declared: Doc, live: Doc) -> None:
    """Fills in the DNS names that ECS gives to aliases without one, in place. They do not follow from a namespace's
    ARN."""
    if not str(merged.get("namespace", "")).startswith("arn:") or "services" not in declared:
        return
    known = {
        (service.get("portName"), alias.get("port")): alias.get("dnsName")
        for service in live.get("services") or ()
        for alias in service.get("clientAliases") or ()
    }
    merged["services"] = copied(declared["services"])
    for service in merged["services"]:
        for alias in service.get("clientAliases") or ():
            if not alias.get("dnsName") and (name := known.get((service.get("portName"), alias.get("port")))):
                alias["dnsName"] = name


def merge_before(newer: Doc, older: Doc) -> Doc:
    """Two documents that restore a service, as one: the older one wins."""
    merged: Doc = layered(newer, older, map_members())
    return merged


def _volume(declared: Doc, live: Doc) -> Doc:
    """A volume with what AWS chose for it: its type, speed, encryption and key. Values that no longer fit are left out:
    another type has other speeds, and an unencrypted volume has no key."""
    wanted, existing = declared.get("managedEBSVolume"), live.get("managedEBSVolume", {})
    if not wanted:
        return declared
    chosen = {field: existing[field] for field in CHOSEN if field in existing}
    if wanted.get("volumeType", existing.get("volumeType")) != existing.get("volumeType"):
        chosen = {field: value for field, value in chosen.items() if field not in ("iops", "throughput")}
    if wanted.get("encrypted") is False:
        chosen.pop("kmsKeyId", None)
    volume: Doc = without_none({**declared, "managedEBSVolume": {**chosen, **wanted}})
    return volume


def before(found: Normalized, wanted: Normalized, declared: Doc) -> Doc:
    """UpdateService's parameters that restore what differs; fields that were absent get their reset value."""
    old = replaced(found.normal, wanted.normal, _without_names(declared), found.doc, map_members())
    pinned = found.doc.get("platformVersion")
    if declared.get("platformVersion") == "LATEST" and pinned and pinned != "LATEST":
        old["platformVersion"] = pinned  # an update with LATEST may move it
    if old.get("volumeConfigurations"):
        old["volumeConfigurations"] = [_volume_before(volume) for volume in old["volumeConfigurations"]]
    return {**names(declared), **with_resets(old)}


def _volume_before(volume: Doc) -> Doc:
    """A volume as it was, with None for what it did not have: left out, that would be taken from the live one."""
    if "managedEBSVolume" not in volume:
        return volume
    return {**volume, "managedEBSVolume": {**dict.fromkeys(CHOSEN), **volume["managedEBSVolume"]}}


def with_resets(values: Doc) -> Doc:
    """Fields that were absent get the value that resets them; fields that AWS cannot reset are left out."""
    result: Doc = {}
    for field, value in values.items():
        if isinstance(value, Mapping) and field in RESET_MEMBERS:
            resets = RESET_MEMBERS[field]
            result[field] = {k: resets.get(k) if v is None else v for k, v in value.items()}
        else:
            result[field] = RESET.get(field) if value is None else value
    return {field: value for field, value in result.items() if value is not None}


def _without_names(doc: Doc) -> Doc:
    return {k: v for k, v in doc.items() if k not in ("cluster", "service")}


KIND = Kind(
    name=NAME,
    order=2,
    document=Document(rules=RULES, required=frozenset({"service"})),
    declare=Declare(table=TABLE, compile=compile_, lint=lint.problems, clashes=lint.clashes),
    compare=Compare(
        read=read,
        merge=merge,
        before=before,
        merge_before=merge_before,
        tolerate=other_form_of_namespace,
        identity=names,
        revision_only=lambda doc, _addresses: {**names(doc), "taskDefinition": doc["taskDefinition"]},
        past=past,
    ),
    change=Change(
        writes=frozenset({"ecs:update_service"}),
        steps=steps,
        blockers=blockers,
        conflicts=conflicts,
        remarks=remarks,
        replaced=replaced_by,
        expect=Expect,
        subject=lambda call: address(call.params).name,
    ),
    calls=Calls(accept=accept, recover=recover, retryable=is_revision_unknown_yet, again=again),
    track=Track(polls=polls, judge=judge, awaited=awaited, diagnose=diagnose, expect_again=expect_again),
    revert=Revert(plan=revert, is_reverting=is_reverting, started_by=started_by, resolve_pause=resolve_pause),
    users=users,
)

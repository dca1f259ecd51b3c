"""The operations on schedules and groups, and the state of a region.

GetSchedule answers what was put, with AWS's defaults for what was not. Members that the model calls boxed (TaskCount,
the booleans of EcsParameters) are absent if they were not sent: AWS does not document it, this is one reading.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from ecsplan.sandbox import common
from ecsplan.sandbox.common import AwsError, Clock, hash_order, page
from ecsplan.sandbox.inputs import Inputs

from .refusals import check

Doc = dict[str, Any]
DEFAULT: Final = "default"
#: What a schedule has if the request does not say otherwise (aws-facts-2 section 1.2).
_DEFAULTS: Final = MappingProxyType(
    {"State": "ENABLED", "ScheduleExpressionTimezone": "UTC", "ActionAfterCompletion": "NONE"}
)
_RETRIES: Final = MappingProxyType({"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185})
_SALT: Final = 2


@dataclass
class Group:
    doc: Doc
    schedules: dict[str, Doc] = field(default_factory=dict)


@dataclass
class State:
    """One region: groups by name, and the answers to requests that carried a token."""

    region: str
    now: float
    groups: dict[str, Group] = field(default_factory=dict)
    answers: dict[str, Doc] = field(default_factory=dict)

    def group(self, params: Doc, key: str = "GroupName") -> Group:
        name = params.get(key, DEFAULT)
        if name not in self.groups:
            raise _not_found(f"Schedule group {name} does not exist.")
        return self.groups[name]

    def add_group(self, name: str) -> Group:
        arn = common.arn("scheduler", self.region, f"schedule-group/{name}")
        dates = {"CreationDate": self.now, "LastModificationDate": self.now}
        self.groups[name] = Group({"Arn": arn, "Name": name, "State": "ACTIVE"} | dates)
        return self.groups[name]

    def schedule(self, params: Doc) -> Doc:
        found = self.group(params).schedules.get(params["Name"])
        if found is None:
            raise _not_found(f"Schedule {params['Name']} does not exist.")
        return found


class Scheduler:
    """The Scheduler of one region. Not thread-safe: the sandbox calls it under its lock."""

    def __init__(self, region: str, clock: Clock, inputs: Inputs) -> None:
        self._clock, self._inputs = clock, inputs
        self._state = State(region, clock.now())
        self._state.add_group(DEFAULT)

    @property
    def region(self) -> str:
        return self._state.region

    def has(self, group: str, name: str) -> bool:
        return group in self._state.groups and name in self._state.groups[group].schedules

    def add(self, params: Doc) -> None:
        """Create a schedule, and its group if there is none. If its StartDate is past, it was created at that date.
        Raises AwsError."""
        checked = self._inputs.check("CreateSchedule", params)
        checked.pop("ClientToken", None)
        now = self._clock.now()
        self._state.now = min(now, checked.get("StartDate", now))
        if checked.get("GroupName", DEFAULT) not in self._state.groups:
            self._state.add_group(checked["GroupName"])
        create_schedule(self._state, checked)

    def call(self, operation: str, params: object, failed: Doc | None = None) -> Doc:
        """The answer of ``operation``. Raises AwsError. ``failed`` is ignored: no request has several entries.

        A request with the token and the parameters of an earlier one gets the same answer and changes nothing. A known
        token with other parameters is a new request: what AWS makes of it is not documented.
        """
        handler = _OPERATIONS.get(operation)
        if handler is None:
            raise AwsError("UnknownOperationException", f"The sandbox does not simulate scheduler:{operation}.")
        checked = self._inputs.check(operation, params)
        token = checked.pop("ClientToken", None)
        sent = json.dumps([operation, token, checked], sort_keys=True)
        key = hashlib.sha256(sent.encode()).hexdigest()
        if token and key in self._state.answers:
            return self._state.answers[key]
        self._state.now = self._clock.now()
        answer = handler(self._state, checked)
        if token:
            self._state.answers[key] = answer
        return answer


# --- schedules ---


def create_schedule(state: State, params: Doc) -> Doc:
    group = state.group(params)
    check(params, state.now)
    if params["Name"] in group.schedules:
        raise _conflict(f"Schedule {params['Name']} already exists.")
    return _put(state, group, params, created=state.now)


def update_schedule(state: State, params: Doc) -> Doc:
    """Replaces the whole schedule: what is absent gets its default. Nothing of the earlier one is kept but its date of
    creation.

    A StartDate in the past is refused here too, also if it is the live one. This is the harsh reading: the refusal is
    known of creation only.
    """
    group, present = state.group(params), state.schedule(params)
    check(params, state.now)
    return _put(state, group, params, created=present["CreationDate"])


def _put(state: State, group: Group, params: Doc, *, created: float) -> Doc:
    group_name, name = group.doc["Name"], params["Name"]
    arn = common.arn("scheduler", state.region, f"schedule/{group_name}/{name}")
    given = {"Arn": arn, "GroupName": group_name, "CreationDate": created, "LastModificationDate": state.now}
    group.schedules[name] = {**_DEFAULTS, **params, **given, "Target": _target(params["Target"])}
    return {"ScheduleArn": arn}


def _target(target: Doc) -> Doc:
    """RetryPolicy is filled in, unlike by EventBridge; a part of one is completed."""
    filled = target | {"RetryPolicy": {**_RETRIES, **target.get("RetryPolicy", {})}}
    return filled | {"EcsParameters": _reordered(target["EcsParameters"])} if "EcsParameters" in target else filled


def _reordered(parameters: Doc) -> Doc:
    """Sets come back in an order of their own. The list of placement strategies is ordered and stays as it is."""
    made = dict(parameters)
    if "CapacityProviderStrategy" in made:
        made["CapacityProviderStrategy"] = hash_order(
            made["CapacityProviderStrategy"], _SALT, lambda item: item["capacityProvider"]
        )
    network = made.get("NetworkConfiguration", {}).get("awsvpcConfiguration")
    if network:
        sets = {key: hash_order(network[key], _SALT, str) for key in ("Subnets", "SecurityGroups") if key in network}
        made["NetworkConfiguration"] = {"awsvpcConfiguration": network | sets}
    return made


def get_schedule(state: State, params: Doc) -> Doc:
    return state.schedule(params)


def delete_schedule(state: State, params: Doc) -> Doc:
    state.schedule(params)
    del state.group(params).schedules[params["Name"]]
    return {}


def list_schedules(state: State, params: Doc) -> Doc:
    groups = [state.group(params)] if "GroupName" in params else _by_name(state.groups)
    kept = ("Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State")
    found = [
        {key: one[key] for key in kept} | {"Target": {"Arn": one["Target"]["Arn"]}}
        for group in groups
        for one in _by_name(group.schedules)
        if one["Name"].startswith(params.get("NamePrefix", "")) and params.get("State", one["State"]) == one["State"]
    ]
    return _paged("Schedules", found, params)


# --- groups ---


def create_group(state: State, params: Doc) -> Doc:
    if params["Name"] in state.groups:
        raise _conflict(f"Schedule group {params['Name']} already exists.")
    return {"ScheduleGroupArn": state.add_group(params["Name"]).doc["Arn"]}


def get_group(state: State, params: Doc) -> Doc:
    return state.group(params, "Name").doc


def delete_group(state: State, params: Doc) -> Doc:
    """With its schedules, and at once: no group is ever DELETING."""
    state.group(params, "Name")
    if params["Name"] == DEFAULT:
        raise common.validation("The default schedule group cannot be deleted.")
    del state.groups[params["Name"]]
    return {}


def list_groups(state: State, params: Doc) -> Doc:
    found = [group.doc for group in _by_name(state.groups)]
    return _paged(
        "ScheduleGroups", [doc for doc in found if doc["Name"].startswith(params.get("NamePrefix", ""))], params
    )


def _by_name(named: Mapping[str, Any]) -> Iterable[Any]:
    return (named[name] for name in sorted(named))


def _paged(key: str, found: list[Doc], params: Doc) -> Doc:
    try:
        items, following = page(found, params.get("MaxResults"), params.get("NextToken"), default=100, limit=100)
    except AwsError as error:
        raise common.validation(error.message) from None
    return {key: items} | ({"NextToken": following} if following else {})


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def _conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, 409)


_OPERATIONS: Final[Mapping[str, Callable[[State, Doc], Doc]]] = MappingProxyType({
    "CreateSchedule": create_schedule,
    "UpdateSchedule": update_schedule,
    "GetSchedule": get_schedule,
    "DeleteSchedule": delete_schedule,
    "ListSchedules": list_schedules,
    "CreateScheduleGroup": create_group,
    "GetScheduleGroup": get_group,
    "DeleteScheduleGroup": delete_group,
    "ListScheduleGroups": list_groups,
})  # fmt: skip

"""The embedded AWS without HTTP, as a value that can be copied, and a way to it that breaks at a request of choice.

For tests that run the same deployment thousands of times. Everything but botocore and the network is what a user runs.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import pickle
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ecsplan.aws.errors import NO_CONNECTION
from ecsplan.aws.gateway import ONCE, READS
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Identity
from ecsplan.core.spec import Spec
from ecsplan.plan.compile import requests
from ecsplan.sandbox import common
from ecsplan.sandbox.account import Account
from ecsplan.sandbox.seed import seed
from tests.support.direct import Ports, answered, failed
from tests.support.world import ACCOUNT, REGION, Clock, short

#: A float as pickle writes it, of seconds since the epoch between 2004 and 2038.
TIME = re.compile(rb"G\x41[\xd0-\xdf].{6}", re.DOTALL)
SETTLED = 600.0  # seconds after which nothing is on its way any more
VOLATILE = ("deployments", "events", "runningCount", "pendingCount", "currentServiceDeployment",
            "currentServiceRevisions")  # fmt: skip


def all_placed(_call: Call) -> bool:
    return False


class Cloud:
    """One account: ECS, EventBridge, and the messages that were published. Not thread-safe.

    `pickle` copies it at any moment, but for `unplaced`: does one of the tasks of a RunTask find no place?
    """

    def __init__(self, clock: Clock) -> None:
        self.clock, self.account = clock, Account(clock)
        self.outcomes, self.ecs, self.events = (
            self.account.outcomes,
            self.account.ecs(REGION),
            self.account.further("events", REGION),
        )
        self.published: list[str] = []
        self.unplaced: Callable[[Call], bool] = all_placed
        self._settled = 0.0

    def __getstate__(self) -> Doc:
        return self.__dict__ | {"unplaced": all_placed}

    def seed(self, spec: Spec) -> None:
        seed(self.ecs, {"events": self.events}, requests(spec, "sandbox"), spec.cluster or "default")

    def copied(self) -> Cloud:
        """The same account, some minutes later, with a clock of its own. What was on its way has ended by then."""
        if self.clock.time != self._settled:  # not once more for each copy
            self.clock.sleep(SETTLED)
            self.ecs.settle()
            self._settled = self.clock.time
        copied: Cloud = pickle.loads(pickle.dumps(self, pickle.HIGHEST_PROTOCOL))
        copied.unplaced = self.unplaced
        return copied

    def call(self, call: Call) -> Doc:
        operation = "".join(word.title() for word in call.operation.split("_"))
        try:
            if call.service == "ecs":
                crowded = {"reason": "RESOURCE:CPU"} if self.unplaced(call) else None
                return copy.deepcopy(self.ecs.call(operation, call.params, crowded))
            if call.service == "events":
                return copy.deepcopy(self.events.call(operation, call.params))
            if call.service == "logs":
                return self.ecs.region.logs.call(REGION, operation, call.params, self.clock.now())
        except common.AwsError as error:
            raise AwsError(f"{call}: {error.code}: {error.message}", code=error.code) from error
        if call.service == "sns":
            self.published.append(_about(call.params))
            return {"MessageId": "1"}
        assert str(call) == "sts:get_caller_identity"
        return {"Account": ACCOUNT}

    def state(self) -> Doc:
        """Everything that a deployment changes, and how often: revisions, one-off tasks, services, targets."""
        self.clock.sleep(SETTLED)
        self.ecs.settle()
        region = self.ecs.region
        return {
            "revisions": {
                short(revision.arn): revision.status for family in region.families.values() for revision in family
            },
            "ran": sorted(short(task.revision.arn) for task in region.tasks.values() if task.service is None),
            "ended": sorted(
                (short(task.revision.arn), task.status(self.clock.now()), str(task.stop.get("stopCode")))
                for task in region.tasks.values()
                if task.service is None
            ),
            "services": {
                service.name: self._service(service.cluster, service.name) for service in region.services.values()
            },
            "targets": {
                rule["Name"]: sorted(
                    self.events.call("ListTargetsByRule", {"Rule": rule["Name"]})["Targets"], key=lambda one: one["Id"]
                )
                for rule in self.events.call("ListRules", {})["Rules"]
            },
        }

    def content(self) -> bytes:
        """All that is in the account, for comparison: whole, but for the times, and for the clock."""
        written = io.BytesIO()
        _Content(written, pickle.HIGHEST_PROTOCOL).dump((self.account, self.published))
        return TIME.sub(b"", written.getvalue())

    def _service(self, cluster: str, name: str) -> Doc:
        """A whole service, and how often it was moved: by a rollout, or by ECS taking one back."""
        (found,) = self.ecs.call("DescribeServices", {"cluster": cluster, "services": [name]})["services"]
        rollouts = self.ecs.region.services[cluster, name].rollouts
        kept = {field: value for field, value in found.items() if field not in VOLATILE}
        (primary,) = [one for one in found["deployments"] if one["status"] == "PRIMARY"]
        return {
            **copy.deepcopy(kept),
            "primary": {field: primary.get(field) for field in ("taskDefinition", "rolloutState", "runningCount")},
            "moves": len(rollouts) + sum(rollout.rollback is not None for rollout in rollouts),
        }

    def primary(self, cluster: str, name: str) -> str:
        """The id of a service's PRIMARY deployment."""
        found = self.ecs.region.services[cluster, name].primary
        assert found is not None
        return found.id


class _Content(pickle.Pickler):
    def persistent_id(self, value: object) -> str | None:
        return "clock" if isinstance(value, Clock) else None


class Killed(BaseException):
    """The process is gone."""


@dataclass(frozen=True, kw_only=True, order=True)
class Point:
    """One request of a command, told from the others by what it asks for, and by how often that was asked before:
    requests that are sent at once arrive in no particular order."""

    request: str
    number: int

    def __str__(self) -> str:
        return f"{self.request} #{self.number}"

    @property
    def operation(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def reads(self) -> bool:
        return self.operation.partition(":")[2].startswith(READS)

    @property
    def repeatable(self) -> bool:
        """Does botocore send it again by itself?"""
        return self.operation not in ONCE


#: What happens at a point. `repeated`: carried out, the answer lost, and sent again by botocore itself.
TROUBLES = ("killed before", "killed after", "lost before", "lost after", "repeated")


class Wire(Ports):
    """The way to a cloud, for one command. At `point` there is `trouble`; `points` lists every request in order."""

    def __init__(
        self,
        cloud: Cloud,
        point: Point | None = None,
        trouble: str = "",
        refused: Callable[[Call], bool] = lambda _call: False,
    ) -> None:
        self.cloud, self.point, self.trouble, self.refused = cloud, point, trouble, refused
        self.points: list[Point] = []
        self.met = False
        self._seen: Counter[str] = Counter()
        self._one, self._dead = threading.Lock(), False
        self._identity: Future[Identity] | None = None

    def identity(self) -> Future[Identity]:
        """Asked for once, as every other request."""
        if self._identity is None:
            try:
                answer = self.do(Call(service="sts", operation="get_caller_identity", params={}))
                self._identity = answered(Identity(account=answer["Account"], region=REGION))
            except BaseException as error:
                self._identity = failed(error)
        return self._identity

    def do(self, call: Call) -> Doc:
        with self._one:
            if self._dead:
                raise Killed
            name = named(call)
            self._seen[name] += 1
            point = Point(request=name, number=self._seen[name])
            self.points.append(point)
            if point != self.point:
                return self._carried_out(call)
            self.met = True
            if self.trouble.endswith("before"):
                raise self._broken(call)
            self._try(call)
            if self.trouble == "repeated":
                return self._carried_out(call)
            raise self._broken(call)

    def _try(self, call: Call) -> None:
        with contextlib.suppress(AwsError):  # nobody sees that answer either
            self._carried_out(call)

    def _carried_out(self, call: Call) -> Doc:
        if self.refused(call):
            raise AwsError(f"{call}: AccessDeniedException: not allowed", code="AccessDeniedException")
        return self.cloud.call(call)

    def _broken(self, call: Call) -> BaseException:
        if self.trouble.startswith("killed"):
            self._dead = True
            return Killed()
        return AwsError(f"{call}: the connection broke before an answer came", code=NO_CONNECTION, unclear=True)


def _about(params: Mapping[str, Any]) -> str:
    """What a message is about: a call's method, or `deployment`."""
    message = json.loads(params["Message"])
    return str(message.get("method") or message["event"])


def named(call: Call) -> str:
    """What a request asks for, without what differs from run to run."""
    params: Mapping[str, Any] = call.params
    if call.service == "sns":
        params = {"method": _about(params)}
    kept = {
        k: v
        for k, v in params.items()
        if k not in ("clientToken", "startedBy", "tasks", "nextToken", "task", "logStreamName")
    }
    return f"{call} {json.dumps(kept, sort_keys=True)}"

"""The embedded AWS, a folder with a spec, and the command line in between: what an end-to-end test acts on."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecsplan import cli, pipeline, rehearsal
from ecsplan.core.clock import Clock as AnyClock
from ecsplan.core.spec import Spec
from ecsplan.sandbox import Sandbox
from tests.support import toml
from tests.support.toml import Doc

EPOCH = 1_700_000_000.0
ACCOUNT, REGION = "123456789012", "eu-west-1"
READS = ("Describe", "List", "Get")
#: Members of a described service that change by themselves, or with every deployment.
VOLATILE = frozenset({
    "taskDefinition", "deployments", "events", "runningCount", "pendingCount",
    "currentServiceDeployment", "currentServiceRevisions",
})  # fmt: skip


class Clock:
    """Shared by the embedded AWS and the executor: time passes when somebody sleeps, and only then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.time = EPOCH
        self.slept: list[float] = []

    def __getstate__(self) -> float:
        return self.time

    def __setstate__(self, time: float) -> None:
        """A copy starts at the same moment and has not slept."""
        self.__init__()  # type: ignore[misc]
        self.time = time

    def now(self) -> float:
        with self._lock:
            return self.time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.time += seconds

    def random(self) -> float:
        return 0.5


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        return self.out + self.err


class World:
    """One test's world; the current folder is `folder`, and the environment leads to `aws` and nowhere else."""

    def __init__(self, aws: Sandbox, clock: Clock, folder: Path, client: Callable[[str], Any]) -> None:
        self.aws, self.clock, self.folder, self.client = aws, clock, folder, client
        self.file = folder / "ecsplan.toml"

    # --- the spec ---

    def write(self, spec: Mapping[str, Any] | str, *, seed: bool = True) -> Spec | None:
        """Make it `ecsplan.toml`, and the account what it is before the spec's first deployment."""
        self.file.write_text(spec if isinstance(spec, str) else toml.dumps(spec), encoding="utf-8")
        if not seed:
            return None
        loaded = pipeline.load(self.file)
        rehearsal.seed(self.aws, loaded)
        return loaded

    # --- commands ---

    def run(self, *arguments: str, clock: AnyClock | None = None) -> Ran:
        """`ecsplan ARGUMENTS` in this process, without a terminal. No command may ever end in a traceback. It goes by
        this world's clock, so that waiting takes no time, unless another clock is handed in."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.run(arguments, clock=clock or self.clock)
        ran = Ran(code=int(code), out=out.getvalue(), err=err.getvalue())
        assert "Traceback" not in ran.err, ran.err
        return ran

    def ok(self, *arguments: str, clock: AnyClock | None = None) -> Ran:
        """A command that has to end well."""
        ran = self.run(*arguments, clock=clock)
        assert ran.code == 0, ran.said
        return ran

    def deploy(self, tag: str) -> Ran:
        return self.ok("deploy", tag, "--yes")

    def plan(self, tag: str, *options: str) -> Any:
        """The plan as JSON."""
        return self.ok("plan", tag, "--format", "json", *options).data

    def history(self) -> list[Doc]:
        deployments: list[Doc] = self.ok("history", "--format", "json").data["deployments"]
        return deployments

    def site(self, spec: Spec) -> pipeline.Site:
        """The Python API on this world's clock, so that waiting takes no time."""
        return pipeline.connect(spec, clock=self.clock)

    # --- what was sent ---

    def sent(self) -> list[str]:
        """The operations that change something, in order of arrival, since the last `forget`."""
        return [request.operation for request in self.aws.requests if not request.operation.startswith(READS)]

    def asked(self) -> list[str]:
        """Those that only read."""
        return [request.operation for request in self.aws.requests if request.operation.startswith(READS)]

    def params(self, operation: str) -> list[Doc]:
        """What each request of this operation asked for."""
        return [dict(request.params) for request in self.aws.requests if request.operation == operation]

    def forget(self) -> None:
        self.aws.clear_requests()

    def messages(self) -> list[Doc]:
        """What was published to SNS of calls."""
        return [message for message in self.published() if "method" in message]

    def endings(self) -> list[Doc]:
        """What was published to SNS of whole deployments."""
        return [message for message in self.published() if message.get("event") == "deployment"]

    def published(self) -> list[Doc]:
        """All that was published to SNS."""
        return [json.loads(params["Message"]) for params in self.params("Publish")]

    # --- what is live ---

    def ecs(self, operation: str, **params: Any) -> Doc:
        """ECS without HTTP, and not in the log of requests."""
        return self.aws.ecs().call(operation, params)

    def service(self, name: str, cluster: str = "prod") -> Doc:
        (found,) = self.ecs("DescribeServices", cluster=cluster, services=[name])["services"]
        return dict(found)

    def on(self, name: str, cluster: str = "prod") -> str:
        """The revision that a service is on: `web:1`."""
        return short(self.service(name, cluster)["taskDefinition"])

    def active(self, family: str = "web") -> list[str]:
        """ACTIVE revisions, newest first."""
        found: list[str] = []
        more: Doc = {}
        while True:
            answer = self.ecs("ListTaskDefinitions", familyPrefix=family, status="ACTIVE", sort="DESC", **more)
            found += [short(arn) for arn in answer["taskDefinitionArns"]]
            if not answer.get("nextToken"):
                return [one for one in found if one.rpartition(":")[0] == family]
            more = {"nextToken": answer["nextToken"]}

    def statuses(self, family: str = "web") -> dict[str, str]:
        """By revision, whether it is ACTIVE or INACTIVE."""
        inactive = self.ecs("ListTaskDefinitions", familyPrefix=family, status="INACTIVE")["taskDefinitionArns"]
        return dict.fromkeys(self.active(family), "ACTIVE") | {short(arn): "INACTIVE" for arn in inactive}

    def image(self, revision: str) -> str:
        answer = self.ecs("DescribeTaskDefinition", taskDefinition=revision)
        return str(answer["taskDefinition"]["containerDefinitions"][0]["image"])

    def targets(self, rule: str, bus: str = "default") -> dict[str, Doc]:
        """A rule's targets by Id. EventBridge has no way past HTTP, so this one is in the log."""
        answer = self.client("events").list_targets_by_rule(Rule=rule, EventBusName=bus)
        return {target["Id"]: target for target in answer["Targets"]}

    def pointing(self, rule: str) -> dict[str, str]:
        """By target's Id, the revision that it is on."""
        return {name: short(one["EcsParameters"]["TaskDefinitionArn"]) for name, one in self.targets(rule).items()}

    def register(self, family: str = "web", times: int = 1, **members: Any) -> list[str]:
        """Revisions made by somebody else, each a little different; oldest first."""
        made = []
        for _ in range(times):
            number = len(self.statuses(family))
            one = {"name": "web", "image": f"elsewhere:{number}", "memory": 128} | members
            answer = self.ecs("RegisterTaskDefinition", family=family, containerDefinitions=[one])
            made.append(short(answer["taskDefinition"]["taskDefinitionArn"]))
        return made

    # --- whole states, to compare ---

    def lasting(self, names: Iterable[str], cluster: str = "prod") -> dict[str, Doc]:
        """Whole described services, without what changes by itself or with every deployment."""
        return {name: {k: v for k, v in self.service(name, cluster).items() if k not in VOLATILE} for name in names}

    def kept(self, rule: str) -> dict[str, Doc]:
        """Whole targets, without the revision that they are on."""
        found = copy.deepcopy(self.targets(rule))
        for target in found.values():
            target["EcsParameters"].pop("TaskDefinitionArn")
        return found


def short(arn: object) -> str:
    """The last part of an ARN."""
    return str(arn).rpartition("/")[2]

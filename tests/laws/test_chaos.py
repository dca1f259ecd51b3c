"""Whatever is deployed, whatever AWS answers, whatever others do meanwhile: what ecsplan says is so."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ecsplan import pipeline, rehearsal
from ecsplan.apply.deploy import Options
from ecsplan.cli.deploy import exit_code
from ecsplan.core.errors import EcsplanError
from ecsplan.core.model import Call
from ecsplan.core.spec import Spec
from ecsplan.journal import Closed, Deployment, Outcome
from ecsplan.sandbox.common import AwsError as Refused
from tests.support import toml
from tests.support.amounts import amount, figure
from tests.support.aws import Aws, site
from tests.support.clock import EPOCH
from tests.support.live import short
from tests.support.specs import BREAKER, shop
from tests.support.toml import Doc

EXAMPLES = amount("CHAOS", 100)
SERVICES, RULE = ("web", "admin"), "nightly"
PLACEHOLDER = "sandbox-placeholder:1"
OPERATIONS = (
    "RegisterTaskDefinition", "RunTask", "DescribeTasks", "UpdateService", "DescribeServices", "PutTargets",
    "DeregisterTaskDefinition", "ListTaskDefinitions", "DescribeTaskDefinition", "ListTargetsByRule", "*",
)  # fmt: skip
FAULTS = ("throttle", "500", "denied", "expired", "drop_before", "drop_after", "failures", "failed_entries")
#: What others do, and the address that it changes; "" for what means nothing to a deployment.
OUTSIDE = {
    "another revision": "service.prod/web",
    "a setting": "service.prod/admin",
    "a count": "",
    "a restart": "",
    "a revision in the family": "",
    "a target": "event_targets.nightly",
    "deregistered": "",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    operation: str
    kind: str
    times: int
    skip: int


@dataclass(frozen=True, kw_only=True)
class Chaos:
    """One example: the change of the spec, what goes wrong, and what others do before which request."""

    spec: Doc
    options: Options
    faults: list[Fault]
    outside: dict[int, str]
    rollout: str
    task: int
    early: bool
    """they begin while the plan is made, and not only when it is applied"""


@st.composite
def specs(draw: st.DrawFn) -> Doc:
    made = shop(active_task_count=draw(st.sampled_from([1, 10])))
    task = made["tasks"]["web"]
    task["task_definition"]["containerDefinitions"][0]["memory"] = draw(st.sampled_from([128, 256]))
    if draw(st.booleans()):
        task["update_services"][0] |= {"deploymentConfiguration": BREAKER, "healthCheckGracePeriodSeconds": 30}
    if draw(st.booleans()):
        task["run_tasks"].append({"name": "second"})
    if draw(st.booleans()):
        task["events__put_targets"][0]["Targets"][0]["Input"] = '{"draw": 1}'
    return made


chaos = st.builds(
    Chaos,
    spec=specs(),
    options=st.builds(Options, on_failure=st.sampled_from(["rollback", "rollback", "stop"]), wait=st.just(True)),
    faults=st.lists(
        st.builds(
            Fault,
            operation=st.sampled_from(OPERATIONS),
            kind=st.sampled_from(FAULTS),
            times=st.sampled_from([1, 2, 3, 6, 40]),
            skip=st.integers(0, 4),
        ),
        max_size=3,
    ),
    outside=st.dictionaries(st.integers(0, 40), st.sampled_from(sorted(OUTSIDE)), max_size=2),
    rollout=st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "ROLLED_BACK"]),
    task=st.sampled_from([0, 0, 0, 1]),
    early=st.sampled_from([False, False, False, True]),
)


@dataclass(kw_only=True)
class Stage:
    """The embedded AWS, and what others have done to it."""

    aws: Aws
    root: Path
    outside: dict[int, str]
    asked: int = 0
    touched: list[str] = field(default_factory=list)
    meddling: bool = False
    begins: list[list[Fault]] = field(default_factory=list)

    def step(self) -> None:
        """The next part of a deployment: what was drawn for it begins."""
        if self.begins:
            faults = self.begins.pop(0)
            self.meddling = not self.begins
            for fault in faults:
                self.order(fault)

    def site(self) -> pipeline.Site:
        return site(self.root, self.aws.in_process(fault=self.before), self.aws.clock)

    def before(self, call: Call) -> None:
        """Somebody else may be faster than this request, unless it is the first of all, for who is asking."""
        if call.service == "sts":
            return
        if self.meddling and (what := self.outside.get(self.asked)):
            with contextlib.suppress(Refused):  # it cannot be done any more, or not yet
                self.meddle(what)
                self.touched.append(what)
        self.asked += self.meddling

    def meddle(self, what: str) -> None:
        ecs = self.aws.call
        match what:
            case "another revision":
                ecs("UpdateService", cluster="prod", service="web", taskDefinition=PLACEHOLDER)
            case "a setting":
                ecs("UpdateService", cluster="prod", service="admin", healthCheckGracePeriodSeconds=77)
            case "a count":
                ecs("UpdateService", cluster="prod", service="web", desiredCount=5)
            case "a restart":
                ecs("UpdateService", cluster="prod", service="admin", forceNewDeployment=True)
            case "a revision in the family":
                container = {"name": "web", "image": "elsewhere:1", "memory": 64}
                ecs("RegisterTaskDefinition", family="web", containerDefinitions=[container])
            case "deregistered":
                ecs("DeregisterTaskDefinition", taskDefinition="web:1")
            case "a target":
                target = self.aws.targets(RULE)["clean"] | {"Input": '{"by": "hand"}'}
                self.aws.events("PutTargets", Rule=RULE, Targets=[target])

    def order(self, fault: Fault) -> None:
        kinds: dict[str, tuple[str, dict[str, Any]]] = {
            "500": ("error", {"code": "ServerException", "status": 500}),
            "denied": ("error", {"code": "AccessDeniedException"}),
            "expired": ("error", {"code": "ExpiredTokenException"}),
        }
        kind, more = kinds.get(fault.kind, (fault.kind, {}))
        operation = {"failures": "RunTask", "failed_entries": "PutTargets"}.get(fault.kind, fault.operation)
        self.aws.fault(operation, kind, times=fault.times, skip=fault.skip, **more)

    # --- what is live ---

    def on(self) -> dict[str, str]:
        """By service and target, the revision that it is on."""
        return {name: self.aws.on(name) for name in SERVICES} | self.aws.pointing(RULE)

    def state(self) -> Doc:
        lasting = ("healthCheckGracePeriodSeconds", "deploymentConfiguration", "desiredCount", "enableExecuteCommand")
        settings_ = {name: {k: self.aws.service(name).get(k) for k in lasting} for name in SERVICES}
        return {
            "on": self.on(),
            "settings": settings_,
            "targets": {n: t.get("Input") for n, t in self.aws.targets(RULE).items()},
        }

    def newest(self) -> Deployment:
        journal = self.site().journal(self.site().identity())
        return journal.read(journal.numbers()[-1])


AWS = Aws()


def test_what_is_said_is_so() -> None:
    ended: Counter[int] = Counter()

    @settings(
        deadline=None,
        max_examples=EXAMPLES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=(Phase.generate, Phase.shrink),
        derandomize=EXAMPLES <= 1000,
    )
    @given(chaos)
    def played(drawn: Chaos) -> None:
        AWS.clock.time = EPOCH
        AWS.reset()
        AWS.rollout_seconds = AWS.task_seconds = 1.0
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / ".ecsplan"
            ended[play(drawn, Stage(aws=AWS, root=root, outside=drawn.outside), Path(folder))] += 1

    played()
    codes = ", ".join(f"{count} exit {code}" for code, count in sorted(ended.items()))
    figure(f"chaos: {ended.total()} examples: {codes}")
    assert {0, 6, 7} <= ended.keys()


def play(drawn: Chaos, stage: Stage, folder: Path) -> int:
    """Plays it all, and looks; the exit code of the deployment that met it."""
    first = deploy(stage, loaded(folder, shop()), "v1", Options())
    assert first == 0
    before = stage.state()
    stage.aws.clear_requests()
    stage.aws.rollout(drawn.rollout, image="*:v2", service="web")
    stage.aws.task(exit_code=drawn.task, image="*:v2", seconds=1.0)
    stage.begins = [drawn.faults] if drawn.early else [[], drawn.faults]
    code = deploy(stage, loaded(folder, drawn.spec), "v2", drawn.options)
    stage.meddling = False
    first_code = code
    told_truly(stage, code, before)
    stage.aws.clear_faults()
    stage.aws.rollout("COMPLETED")
    stage.aws.task(seconds=1.0)
    if code in (7, 8) and not stage.newest().outcome.ended:  # what was overtaken has ended: there is nothing to resume
        code = resumed(stage)
        told_truly(stage, code, before)
        if code in (7, 8):
            code = gone_back(stage)
        assert code in (0, 6)
    assert deploy(stage, loaded(folder, drawn.spec), "v3", Options()) == 0  # there is a way on from everywhere
    told_truly(stage, 0, before)
    return first_code


def loaded(folder: Path, made: Doc) -> Spec:
    path = folder / "ecsplan.toml"
    fresh = not path.exists()
    path.write_text(toml.dumps(made), encoding="utf-8")
    spec = pipeline.load(path)
    if fresh:
        rehearsal.seed(AWS, spec)
    return spec


def deploy(stage: Stage, spec: Spec, tag: str, options: Options) -> int:
    try:
        stage.step()
        made = pipeline.make_plan(stage.site(), spec, tag)
        stage.step()
        result = pipeline.run_plan(stage.site(), made, options=options)
    except EcsplanError as error:
        return int(error.exit_code)
    return int(exit_code(result)) if result else 0


def resumed(stage: Stage) -> int:
    result = pipeline.resume(stage.site())
    return int(exit_code(result)) if result else 0


def gone_back(stage: Stage) -> int:
    result = pipeline.run_plan(stage.site(), pipeline.undo(stage.site()))
    return int(exit_code(result)) if result else 0


def told_truly(stage: Stage, code: int, before: Doc) -> None:
    planned = {PLACEHOLDER, "web:1"} | registered(stage)
    on = stage.on()
    assert set(on.values()) <= planned, f"on a revision that was never planned: {on}"
    newest, touched = stage.newest(), {OUTSIDE[what] for what in stage.touched}
    if code == 0:
        moved = {name: revision for name, revision in on.items() if address_of(name) not in touched}
        assert len(set(moved.values())) <= 1, f"services and targets apart: {on}"
        assert newest.outcome is Outcome.SUCCEEDED
        replayed(stage, newest, touched)
    elif code == 6:
        assert newest.outcome is Outcome.PUT_BACK
        assert unmeddled(stage.state(), touched) == unmeddled(before, touched)
    elif code in (7, 8):
        overtaken = (Outcome.SUPERSEDED, Outcome.FAILED) if code == 7 else ()
        assert not newest.outcome.ended or newest.outcome in overtaken
        assert newest.begun()
    else:
        assert code in (1, 4, 5)
        assert stage.aws.sent() == []
        assert newest.plan.tag == "v1"


def registered(stage: Stage) -> set[str]:
    """The revisions that deployments have registered, as the journal tells."""
    journal = stage.site().journal(stage.site().identity())
    return {
        short(outputs["arn"])
        for deployment in journal.deployments()
        for step in deployment.plan.steps
        if step.call.operation == "register_task_definition"
        and (outputs := deployment.outputs().get(step.index)) is not None
    }


def address_of(name: str) -> str:
    return f"service.prod/{name}" if name in SERVICES else f"event_targets.{RULE}"


def unmeddled(state: Doc, touched: Sequence[str] | set[str]) -> Doc:
    """What nobody else has changed; counts are nobody's business here."""
    on = {name: revision for name, revision in state["on"].items() if address_of(name) not in touched}
    settings_ = {
        name: {k: v for k, v in one.items() if k != "desiredCount"}
        for name, one in state["settings"].items()
        if address_of(name) not in touched
    }
    return {
        "on": on,
        "settings": settings_,
        "targets": state["targets"] if f"event_targets.{RULE}" not in touched else {},
    }


def replayed(stage: Stage, deployment: Deployment, touched: set[str]) -> None:
    """What the journal says was done is what AWS has."""
    assert isinstance(deployment.entries[-1], Closed)
    states, outputs, on = deployment.states(), deployment.outputs(), stage.on()
    made = [outputs[step.index]["arn"] for step in deployment.plan.steps if step.phase.value == "register"]
    kept = [change.outputs["arn"] for change in deployment.plan.changes if change.address == "task_definition.web"]
    wanted = short((made or kept)[0])
    for step in deployment.plan.steps:
        if step.phase.value in ("register", "run", "update", "targets"):
            assert states[step.index] == "done", states
        if step.address in touched:
            continue
        if step.phase.value == "update" and "taskDefinition" in step.call.params:
            assert on[step.call.params["service"]] == wanted
        if step.phase.value == "targets":
            for target in step.call.params["Targets"]:
                assert on[target["Id"]] == wanted
    ran = [step for step in deployment.plan.steps if step.phase.value == "run"]
    tokens = {
        one.params["clientToken"] for one in AWS.requests if one.operation == "RunTask" and one.status in (0, 200)
    }
    answered = {one.params["clientToken"] for one in AWS.requests if one.operation == "RunTask" and one.status == 200}
    # One whose answer was dropped counts if its task is there, by its marker.
    markers = {task.doc.get("startedBy") for task in AWS.region.tasks.values()}
    started = answered | {token for token in tokens if f"ecsplan-{token[:28]}" in markers}
    assert len(started) >= (len(ran) if deployment.plan.tag == "v2" else 0)

"""Many families, services and rules at AWS's request rates, on a clock on which time passes when somebody waits."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from ecsplan import pipeline, rehearsal
from ecsplan.apply.deploy import Options
from ecsplan.aws.gateway import Gateway
from ecsplan.core import events
from ecsplan.core.model import Plan
from ecsplan.core.normalize import normal
from ecsplan.core.spec import Spec
from ecsplan.journal import Outcome
from ecsplan.sandbox.rates import rate_of
from ecsplan.sandbox.wire import Incoming
from tests.support import toml
from tests.support.aws import REGION, Aws, pausing, site
from tests.support.clock import EPOCH
from tests.support.fleet import CLUSTERS, SERVICES, fleet
from tests.support.world import World

FAMILIES = 24  # more than AWS registers at once
LOOK = sum(-(-SERVICES * len(range(cluster, FAMILIES, CLUSTERS)) // 10) for cluster in range(CLUSTERS))  # requests


class Fleet:
    """A fleet and its AWS, which throttles; ecsplan's own gateway and botocore's clients lead there."""

    def __init__(self, folder: Path, aws: Aws, families: int = FAMILIES) -> None:
        self.folder, self.aws, self.clock = folder, aws, aws.clock
        self.aws.rollout_seconds = 0.0
        (folder / "ecsplan.toml").write_text(toml.dumps(fleet(families)), encoding="utf-8")
        self.spec: Spec = pipeline.load(folder / "ecsplan.toml")
        rehearsal.seed(self.aws, self.spec)
        self.stop = threading.Event()
        self.gateway = Gateway(region=REGION, clock=self.clock, stop=self.stop)
        self.told: list[events.Event] = []

    def plan(self, tag: str) -> Plan:
        return pipeline.make_plan(self._site(), self.spec, tag, emit=self.told.append)

    def apply(self, plan: Plan, *, wait: bool = False) -> Outcome:
        result = pipeline.run_plan(self._site(), plan, options=Options(wait=wait), emit=self.told.append)
        assert result is not None
        return result.outcome

    def _site(self) -> pipeline.Site:
        return site(self.folder, self.gateway, self.clock, "fleet")

    @property
    def throttled(self) -> int:
        return sum(request.error == "ThrottlingException" for request in self.aws.requests)

    def asked(self) -> Counter[str]:
        return Counter(request.operation for request in self.aws.requests)

    def rest(self) -> None:
        """Long enough for every bucket to be full again."""
        self.clock.time += 1_000
        self.aws.clear_requests()


@pytest.fixture
def ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    with Aws(rates=True).http() as aws, pausing(lambda _seconds: None):
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        made = Fleet(tmp_path, aws)
        yield made
        made.gateway.close()


def test_a_fleet_alone_is_never_throttled_and_asks_for_nothing_twice(ships: Fleet) -> None:
    plan = ships.plan("v1")
    services = SERVICES * FAMILIES
    assert len(plan.steps) == FAMILIES + services + FAMILIES
    assert ships.asked() == {
        "GetCallerIdentity": 1,
        "DescribeTaskDefinition": FAMILIES,
        "ListTaskDefinitions": FAMILIES,
        "DescribeServices": LOOK,
        "ListTargetsByRule": FAMILIES,
    }
    assert ships.apply(plan) is Outcome.SUCCEEDED
    assert ships.throttled == 0
    # 20 registrations at once, then one a second; 50 updates at once, then five a second.
    assert ships.clock.now() - EPOCH >= (FAMILIES - 20) + (services - 50) / 5
    paced = {event.call for event in ships.told if isinstance(event, events.Paced)}
    assert paced >= {"ecs:register_task_definition", "ecs:update_service"}
    the_next_tag(ships)


def the_next_tag(ships: Fleet) -> None:
    """With rollouts that are waited for, and a clean-up."""
    ships.rest()
    plan = ships.plan("v2")
    ships.aws.rollout_seconds = 20.0
    ships.aws.clear_requests()
    assert ships.apply(plan, wait=True) is Outcome.SUCCEEDED
    assert ships.asked()["DeregisterTaskDefinition"] == FAMILIES
    assert ships.throttled == 0
    # Looks take half of the rate at most: they are 1.4 s apart at least, not 0.5 s.
    assert ships.asked()["DescribeServices"] <= LOOK * (1 + 20 / (LOOK / 10) + 1)


def test_somebody_else_takes_what_there_is(ships: Fleet) -> None:
    """Again and again the buckets are empty although nothing was asked for; everything is done all the same."""
    arrived = Counter[str]()

    def take(incoming: Incoming) -> None:
        operation = incoming.read()[0]
        arrived[operation] += 1
        if arrived[operation] % 4 == 0 and rate_of(incoming.service, operation):
            while ships.aws._throttled(incoming, operation) is None:
                pass

    ships.aws.arrives = take
    assert ships.apply(ships.plan("v1")) is Outcome.SUCCEEDED
    assert ships.throttled > 20
    registered = [f"app-{number:03d}" for number in range(FAMILIES)]
    assert all(ships.aws.active(family) == [f"{family}:1"] for family in registered)


def test_a_stop_ends_a_deployment_that_waits_for_its_turn(ships: Fleet) -> None:
    plan = ships.plan("v1")
    stop = ships.stop

    def heard(event: events.Event) -> None:
        if isinstance(event, events.Paced) and event.call == "ecs:register_task_definition":
            stop.set()

    made = site(ships.folder, ships.gateway, ships.clock, "fleet")
    made = pipeline.Site(
        app=made.app, store=made.store, gateway=made.gateway, origin=made.origin, clock=made.clock, stop=stop
    )
    result = pipeline.run_plan(made, plan, emit=heard)
    assert result is not None
    assert result.outcome is Outcome.INTERRUPTED
    assert 20 <= ships.asked()["RegisterTaskDefinition"] < FAMILIES
    stop.clear()
    resumed = pipeline.resume(made)
    assert resumed is not None
    assert resumed.outcome is Outcome.SUCCEEDED
    assert ships.asked()["RegisterTaskDefinition"] == FAMILIES
    assert ships.throttled == 0


def test_a_plan_that_waits_says_so_on_stderr(world: World) -> None:
    """AWS throttles for a while: what is read goes on more slowly, and who waits is told why."""
    world.write(fleet(2))
    world.aws.fault("DescribeTaskDefinition", "throttle", times=8)
    ran = world.run("plan", "v1")
    assert ran.code == 0
    assert "ecs:describe_task_definition at AWS's pace: " in ran.err
    assert "at AWS's pace" not in ran.out


# --- growth ---


def planned(folder: Path, families: int, around: Callable[[Callable[[], object]], float]) -> float:
    """What `around` measures of making a plan in which everything changes."""
    folder.mkdir()
    aws = Aws()
    (folder / "ecsplan.toml").write_text(toml.dumps(fleet(families)), encoding="utf-8")
    spec = pipeline.load(folder / "ecsplan.toml")
    rehearsal.seed(aws, spec)
    with site(folder, aws.in_process(), aws.clock, "fleet") as where:
        return around(lambda: made_and_shown(pipeline.make_plan(where, spec, "v1")))


def made_and_shown(plan: Plan) -> tuple[Plan, str]:
    return plan, pipeline.text(plan)


def calls_of(work: Callable[[], object]) -> float:
    """How many functions were called, in all threads."""
    count = [0]

    def hear(_frame: object, event: str, _argument: object) -> None:
        if event == "call":
            count[0] += 1

    threading.setprofile(hear)
    sys.setprofile(hear)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return count[0]


def memory_of(work: Callable[[], object]) -> float:
    """What is kept of it: the plan and its text."""
    tracemalloc.start()
    try:
        kept = work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] if kept else 0.0
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("measure", [calls_of, memory_of])
def test_twice_the_fleet_takes_twice_the_work(tmp_path: Path, measure: Callable[..., float]) -> None:
    planned(tmp_path / "warm", 1, measure)  # models and imports are loaded once
    small, large = (planned(tmp_path / str(families), families, measure) for families in (4, 8))
    assert large <= 2.1 * small


def normalised(work: Callable[[], object]) -> float:
    """How often a document was brought to its normal form, in all threads."""
    count = [0]

    def hear(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code is normal.__code__:
            count[0] += 1

    threading.setprofile(hear)
    sys.setprofile(hear)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return count[0]


def test_a_document_is_normalised_once(tmp_path: Path) -> None:
    """What is live and what would be, of each address; and of a service the block that may have to be sent whole, to
    see that it goes with its revision and for the call."""
    families = 4
    services = SERVICES * families
    assert 0 < planned(tmp_path / "fleet", families, normalised) <= 2 * (families + services + families) + 2 * services

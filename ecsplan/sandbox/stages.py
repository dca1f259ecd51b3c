"""The stages that a rollout goes through, for each strategy: in which order, how long, and what happens at each.

Of a deployment's seconds, ``LAUNCH_AT`` pass before its tasks are started; they run at ``SCALED_AT``, and the old ones
are stopped at ``DRAIN_AT``. Bake times come on top of that, and so does the time that hooks hold it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from . import alarms, hooks, outcomes, service_tasks
from .state import Deployment, Doc, Region, Service

LAUNCH_AT: Final = 0.2
SCALED_AT: Final = 0.6
DRAIN_AT: Final = 0.8
Action = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A stage, or a part of one: ``enter(when)`` first, then it goes on until ``share`` of the deployment's seconds
    and ``minutes`` of bake times have passed since the beginning, then its hooks are asked. The ``last`` one is left by
    what it has set going only."""

    stage: str
    share: float
    minutes: float = 0.0
    enter: Action | None = None
    last: bool = False


def run(region: Region, service: Service, deployment: Deployment, at: float, finish: Action, failing: Action) -> None:
    """Go through all stages from ``at``, then ``finish(when)``; nothing happens once the rollout has ended otherwise.

    Where tasks are going to fail, ``failing(when)`` takes over when they are to be started.
    """
    steps = list(_steps(region, service, deployment, failing))

    def enter(index: int, began: float, when: float) -> None:
        if not deployment.rolling:
            return
        if index == len(steps):
            finish(when)
            return
        step = steps[index]
        deployment.rollout.stage, deployment.rollout.updated_at = step.stage, when
        if step.enter is not None:
            step.enter(when)
        alarms.at_stage(deployment, step.stage, when)
        if not step.last:
            due = began + step.share * deployment.seconds + step.minutes * region.outcomes.minute_seconds
            region.agenda.at(max(due, when), lambda late: leave(index, began, late))

    def leave(index: int, began: float, when: float) -> None:
        def follow(late: float) -> None:
            deployment.rollout.go_on(late)
            enter(index + 1, began + (late - when), late)

        hooks.through(region, service, deployment, steps[index].stage, when, follow)

    enter(0, at, at)


def _steps(region: Region, service: Service, deployment: Deployment, failing: Action) -> Iterator[Step]:
    rollout = deployment.rollout
    if rollout.rollback is not None:
        yield Step(stage="SCALE_UP", share=LAUNCH_AT)
        yield Step(stage="SCALE_UP", share=DRAIN_AT, enter=_launch(region, service, deployment))
        yield Step(stage="CLEAN_UP", share=1.0, enter=_drain(region, service, deployment))
        return
    begin = LAUNCH_AT if deployment.ends == outcomes.COMPLETED else 0.0  # those that fail do so from the beginning
    if len(rollout.sources) > 1:
        yield Step(stage="RECONCILE_SERVICE", share=begin / 2)
    yield Step(stage="PRE_SCALE_UP", share=begin)
    if deployment.ends != outcomes.COMPLETED:
        yield Step(stage="SCALE_UP", share=begin, enter=failing, last=True)
        return
    strategy = rollout.configuration["strategy"]
    yield Step(stage="SCALE_UP", share=SCALED_AT, enter=_launch(region, service, deployment))
    if strategy == "ROLLING":
        yield Step(stage="POST_SCALE_UP", share=DRAIN_AT, enter=_recovered(deployment))
        yield Step(stage="CLEAN_UP", share=1.0, enter=_drain(region, service, deployment))
        if rollout.configuration.get("bakeTimeInMinutes"):
            yield Step(stage="BAKE_TIME", share=1.0, minutes=rollout.configuration["bakeTimeInMinutes"])
        return
    yield Step(stage="POST_SCALE_UP", share=0.64, enter=_recovered(deployment))
    yield from _shifts(deployment, rollout.configuration)
    minutes = _shifting_minutes(rollout.configuration) + rollout.configuration.get("bakeTimeInMinutes", 0)
    yield Step(stage="BAKE_TIME", share=DRAIN_AT, minutes=minutes)
    yield Step(stage="CLEAN_UP", share=1.0, minutes=minutes, enter=_drain(region, service, deployment))


def _shifts(deployment: Deployment, configuration: Doc) -> Iterator[Step]:
    """The traffic, from the old service revision to the new one."""
    yield Step(stage="TEST_TRAFFIC_SHIFT", share=0.68, enter=_shift_test(deployment))
    yield Step(stage="POST_TEST_TRAFFIC_SHIFT", share=0.72)
    percents, pause = steps_of(configuration)
    for number, percent in enumerate(percents):
        before, after = 0.72 + 0.04 * number / len(percents), 0.72 + 0.04 * (number + 1) / len(percents)
        yield Step(stage="PRE_PRODUCTION_TRAFFIC_SHIFT", share=before, minutes=pause * number)
        waits = pause * min(number + 1, len(percents) - 1)
        yield Step(stage="PRODUCTION_TRAFFIC_SHIFT", share=after, minutes=waits, enter=_shift(deployment, percent))
    minutes = _shifting_minutes(configuration)
    yield Step(stage="POST_PRODUCTION_TRAFFIC_SHIFT", share=DRAIN_AT, minutes=minutes)


def steps_of(configuration: Doc) -> tuple[list[float], float]:
    """The shares of production traffic in percent, one after the other, and the minutes between them (BC)."""
    if configuration["strategy"] == "CANARY":
        canary = configuration.get("canaryConfiguration", {})
        first = float(canary.get("canaryPercent", 5.0))
        return [first, 100.0] if first < 100 else [100.0], canary.get("canaryBakeTimeInMinutes", 10)
    if configuration["strategy"] != "LINEAR":
        return [100.0], 0
    linear = configuration.get("linearConfiguration", {})
    step = float(linear.get("stepPercent", 10.0))
    count = max(1, -(-1000 // round(step * 10)))
    percents = [min(100.0, round(step * number, 1)) for number in range(1, count + 1)]
    return percents, linear.get("stepBakeTimeInMinutes", 6)


def _shifting_minutes(configuration: Doc) -> float:
    percents, pause = steps_of(configuration)
    return pause * (len(percents) - 1)


def _launch(region: Region, service: Service, deployment: Deployment) -> Action:
    """Start the tasks; those ordered to fail before them take the first half of the time until the others run."""
    seconds = deployment.seconds * (1 - LAUNCH_AT)

    def rest(at: float, began: float) -> None:
        service_tasks.launch(region, service, deployment, at, seconds - 2 * (at - began))

    def launch(at: float) -> None:
        deployment.rollout.go_on(at)
        if deployment.failures:
            service_tasks.fail(
                region, service, deployment, at, seconds / 4, deployment.failures, lambda when: rest(when, at)
            )
        else:
            rest(at, at)

    return launch


def _recovered(deployment: Deployment) -> Action:
    return lambda at: service_tasks.recovered(deployment)


def _drain(region: Region, service: Service, deployment: Deployment) -> Action:
    return lambda at: service_tasks.drain(region, service, deployment, at)


def _shift(deployment: Deployment, percent: float) -> Action:
    def shift(at: float) -> None:
        _divide(deployment, deployment.rollout.production, percent)

    return shift


def _shift_test(deployment: Deployment) -> Action:
    def shift(at: float) -> None:
        deployment.rollout.test[deployment.rollout.target.arn] = 100.0

    return shift


def _divide(deployment: Deployment, weights: dict[str, float], percent: float) -> None:
    """So much for the new service revision, the rest for the one that has it all."""
    target = deployment.rollout.target.arn
    weights[target] = percent
    for arn, weight in weights.items():
        if arn != target and weight:
            weights[arn] = round(100.0 - percent, 1)

"""The stages of a rollout, for each strategy: their order, how long they take, and what happens when one is entered.

Of a deployment's seconds, ``LAUNCH_AT`` pass before its tasks start; they run at ``SCALED_AT``, and the old ones
stop at ``DRAIN_AT``. Bake times and the time at hooks come on top of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from . import outcomes
from .state import Deployment, Doc

LAUNCH_AT: Final = 0.2
SCALED_AT: Final = 0.6
DRAIN_AT: Final = 0.8
Action = Literal["", "launch", "fail tasks", "recover", "drain", "shift test traffic", "shift traffic"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A stage, or a part of one. ``enter`` happens first. The step is over when ``share`` of the deployment's seconds
    and ``minutes`` of bake times have passed since the beginning; then its hooks are asked. The ``last`` one ends only
    by what ``enter`` has started. ``percent`` is the share of the traffic that it shifts.
    """

    stage: str
    share: float
    minutes: float = 0.0
    enter: Action = ""
    percent: float = 0.0
    last: bool = False


def steps(deployment: Deployment) -> list[Step]:
    """The way of a deployment; always the same for the same one."""
    if deployment.rollout.rollback is not None:
        return [
            Step(stage="SCALE_UP", share=LAUNCH_AT),
            Step(stage="SCALE_UP", share=DRAIN_AT, enter="launch"),
            Step(stage="CLEAN_UP", share=1.0, enter="drain"),
        ]
    return list(_forward(deployment))


def _forward(deployment: Deployment) -> Iterator[Step]:
    rollout = deployment.rollout
    begin = LAUNCH_AT if deployment.ends == outcomes.COMPLETED else 0.0  # those that fail do so from the beginning
    if len(rollout.sources) > 1:
        yield Step(stage="RECONCILE_SERVICE", share=begin / 2)
    yield Step(stage="PRE_SCALE_UP", share=begin)
    if deployment.ends != outcomes.COMPLETED:
        yield Step(stage="SCALE_UP", share=begin, enter="fail tasks", last=True)
        return
    yield Step(stage="SCALE_UP", share=SCALED_AT, enter="launch")
    bake = rollout.configuration.get("bakeTimeInMinutes", 0)
    if rollout.configuration["strategy"] == "ROLLING":
        yield Step(stage="POST_SCALE_UP", share=DRAIN_AT, enter="recover")
        yield Step(stage="CLEAN_UP", share=1.0, enter="drain")
        if bake:
            yield Step(stage="BAKE_TIME", share=1.0, minutes=bake)
        return
    yield Step(stage="POST_SCALE_UP", share=0.64, enter="recover")
    yield from _shifts(rollout.configuration)
    minutes = _shifting_minutes(rollout.configuration) + bake
    yield Step(stage="BAKE_TIME", share=DRAIN_AT, minutes=minutes)
    yield Step(stage="CLEAN_UP", share=1.0, minutes=minutes, enter="drain")


def _shifts(configuration: Doc) -> Iterator[Step]:
    """The traffic, from the old service revision to the new one."""
    yield Step(stage="TEST_TRAFFIC_SHIFT", share=0.68, enter="shift test traffic", percent=100.0)
    yield Step(stage="POST_TEST_TRAFFIC_SHIFT", share=0.72)
    percents, pause = shares_of(configuration)
    for number, percent in enumerate(percents):
        before, after = 0.72 + 0.04 * number / len(percents), 0.72 + 0.04 * (number + 1) / len(percents)
        yield Step(stage="PRE_PRODUCTION_TRAFFIC_SHIFT", share=before, minutes=pause * number)
        minutes = pause * min(number + 1, len(percents) - 1)
        yield Step(
            stage="PRODUCTION_TRAFFIC_SHIFT", share=after, minutes=minutes, enter="shift traffic", percent=percent
        )
    yield Step(stage="POST_PRODUCTION_TRAFFIC_SHIFT", share=DRAIN_AT, minutes=_shifting_minutes(configuration))


def shares_of(configuration: Doc) -> tuple[list[float], float]:
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
    percents, pause = shares_of(configuration)
    return pause * (len(percents) - 1)


def shift(deployment: Deployment, percent: float) -> None:
    """So much production traffic for the new service revision, the rest for the one that has it now."""
    weights, target = deployment.rollout.production, deployment.rollout.target.arn
    weights[target] = percent
    for arn, weight in weights.items():
        if arn != target and weight:
            weights[arn] = round(100.0 - percent, 1)

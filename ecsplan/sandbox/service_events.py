"""The events of a service, in ECS's wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .state import Region, Service, Task

KEPT: Final = 100


def add(region: Region, service: Service, text: str, at: float) -> None:
    """``(service NAME) TEXT``; newest first, and ECS keeps the last hundred."""
    event = {"id": region.ids.uuid(), "createdAt": at, "message": f"(service {service.name}) {text}"}
    service.events.insert(0, event)
    del service.events[KEPT:]


def started(region: Region, service: Service, tasks: Sequence[Task], at: float) -> None:
    if tasks:
        add(region, service, f"has started {len(tasks)} tasks: {_listed(tasks)}.", at)


def stopped(region: Region, service: Service, tasks: Sequence[Task], at: float) -> None:
    if tasks:
        add(region, service, f"has stopped {len(tasks)} running tasks: {_listed(tasks)}.", at)


def registered(region: Region, service: Service, verb: str, count: int, at: float) -> None:
    """``registered`` or ``deregistered`` so many targets, in each of the service's target groups."""
    for balancer in service.doc["loadBalancers"] if count else ():
        if "targetGroupArn" in balancer:
            add(region, service, f"{verb} {count} targets in (target-group {balancer['targetGroupArn']})", at)


def _listed(tasks: Sequence[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)

"""Two diagnoses of one address become one."""

from __future__ import annotations

from ecsplan.core.diagnosis import ContainerEnd, Diagnosis, LogTail, StoppedTasks, joined


def tasks(count: int, reason: str) -> StoppedTasks:
    return StoppedTasks(count=count, reason=reason, containers=(ContainerEnd(name="web", exit_code=1),))


def test_tasks_of_two_requests_are_counted_together() -> None:
    one = Diagnosis(
        reason="first",
        tasks=(tasks(2, "no room for arn:aws:ecs:eu-west-1:123456789012:task/prod/0123456789abcdef0123456789abcdef"),),
        unseen=("a", "b"),
    )
    more = (
        tasks(3, "no room for arn:aws:ecs:eu-west-1:123456789012:task/prod/0f23456789abcdef0123456789abcdef"),
        tasks(1, "another"),
    )
    both = joined(one, Diagnosis(reason="second", tasks=more, unseen=("b", "c")))
    assert (both.reason, both.unseen) == ("first", ("a", "b", "c"))
    assert [(end.count, end.reason) for end in both.tasks] == [(5, one.tasks[0].reason), (1, "another")]


def test_the_log_lines_are_those_of_one_request() -> None:
    first, second = (
        Diagnosis(reason="", logs=(LogTail(container="web", task="a", group="g", stream=stream, lines=()),))
        for stream in "ab"
    )
    none = Diagnosis(reason="")
    assert joined(first, second).logs == joined(first, none).logs == first.logs
    assert joined(none, second).logs == second.logs

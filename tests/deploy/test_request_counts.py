"""How much is asked, and how much of it at once: the promise of docs/architecture.md, counted on the embedded AWS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Options
from ecsplan.sandbox.wire import Request
from tests.support.processes import until
from tests.support.specs import shop, spec, task
from tests.support.world import World


def repeated(requests: Sequence[Request]) -> list[str]:
    """Requests that asked the same as another one."""
    asked = Counter(f"{one.operation} {json.dumps(one.params, sort_keys=True)}" for one in requests)
    return [text for text, count in asked.items() if count > 1]


@pytest.fixture
def large(world: World) -> World:
    """One family, 50 services in one cluster, 10 rules of two targets each; v1 is live."""
    services = [f"web-{number:02d}" for number in range(50)]
    rules = [(f"rule-{number}", ("first", "second")) for number in range(10)]
    world.write(spec(task(services=services, rules=rules)))
    world.deploy("v1")
    world.forget()
    return world


def test_a_plan_of_50_services_and_10_rules(large: World) -> None:
    plan = large.plan("v2")
    assert plan["summary"] == {"register": 1, "run": 0, "update": 50, "targets": 10, "deregister": 0}
    operations = Counter(request.operation for request in large.aws.requests)
    assert operations["GetCallerIdentity"] == 1
    assert operations["DescribeServices"] == 5
    assert operations["ListTargetsByRule"] == 10
    assert operations["DescribeTaskDefinition"] + operations["ListTaskDefinitions"] == 2
    assert len(large.aws.requests) == 1 + 2 + 5 + 10
    assert repeated(large.aws.requests) == []


@contextmanager
def while_held(world: World, do: Callable[[], object]) -> Iterator[Callable[[int], None]]:
    """Every request is held; `let(n)` waits until n are on their way at the same time, and lets those go on."""
    world.aws.fault("*", "hold", times=1000)
    referenced_values = 0

    def let(number: int) -> None:
        nonlocal referenced_values
        referenced_values += number
        until(lambda: world.aws.holding == number or doing.done(), f"{number} requests at once")
        assert world.aws.holding == number
        world.aws.release()
        until(lambda: len(world.aws.requests) == referenced_values, f"{referenced_values} requests are answered")

    with ThreadPoolExecutor(1) as pool:
        world.forget()
        doing = pool.submit(do)
        try:
            yield let
            doing.result()
            assert len(world.aws.requests) == referenced_values
        finally:
            world.aws.clear_faults()
            world.aws.release()
    assert repeated(world.aws.requests) == []


def planned(world: World) -> Callable[[], object]:
    """A plan that is still to be made."""
    loaded = pipeline.load(world.file)

    def plan() -> None:
        with world.site(loaded) as site:
            pipeline.make_plan(site, loaded, "v2")

    return plan


def test_a_plan_of_50_services_is_two_round_trips(large: World) -> None:
    """One for the first look, and one more for the second, since a service is elsewhere."""
    large.register()
    with while_held(large, planned(large)) as let:
        let(1 + 2 + 5 + 10)
        let(1)
    assert str(large.aws.requests[-1].params["taskDefinition"]).endswith(":task-definition/web:1")


def test_the_first_look_is_one_round_trip(world: World) -> None:
    """Who is asking is asked at the same time as everything else."""
    world.write(shop())
    world.deploy("v1")
    with while_held(world, planned(world)) as let:
        let(1 + 2 + 1 + 1)


def test_the_second_look_is_the_last(world: World) -> None:
    """Where the newest revision is not the one in use, that one is asked for once everything else is known."""
    world.write(shop())
    world.deploy("v1")
    world.register()
    with while_held(world, planned(world)) as let:
        let(1 + 2 + 1 + 1)
        let(1)


def test_an_apply_is_two_looks_and_three_turns(world: World) -> None:
    """Who is asking, then what was planned from; the revision, all services at once, all rules at once."""
    names = [f"web-{number}" for number in range(9)]
    loaded = world.write(spec(task(services=names, rules=[(f"rule-{number}", ("x",)) for number in range(8)])))
    world.deploy("v1")
    assert loaded is not None
    with world.site(loaded) as site:
        plan = pipeline.make_plan(site, loaded, "v2")

    def apply() -> None:
        with world.site(loaded) as site:
            pipeline.run_plan(site, plan, options=Options(wait=False))

    with while_held(world, apply) as let:
        for number in (1, 2 + 1 + 8, 1, 9, 8):
            let(number)


def test_what_took_long_is_looked_at_again_in_one_round_trip_a_phase(large: World) -> None:
    """After a migration: the services, ten at a time, then, when they are rolled out, the rules; nothing else."""
    made = task(services=[f"web-{number:02d}" for number in range(50)], runs=("migrate",),
                rules=[(f"rule-{number}", ("first", "second")) for number in range(10)])  # fmt: skip
    large.write(spec(made), seed=False)
    large.forget()
    large.ok("deploy", "v2", "--yes", "--no-wait")
    asked = [request.operation for request in large.aws.requests]
    migrated = len(asked) - 1 - asked[::-1].index("RunTask")
    first, last = asked.index("UpdateService"), asked.index("PutTargets")
    assert Counter(asked[migrated:first])["DescribeServices"] == 5
    assert Counter(asked[first:last]) == {"UpdateService": 50, "ListTargetsByRule": 10}
    assert Counter(asked[last:]) == {"PutTargets": 10}


def test_what_was_just_read_is_not_looked_at_again(large: World) -> None:
    """A plan, the look before the first call, and the calls."""
    large.ok("deploy", "v2", "--yes", "--no-wait")
    asked = Counter(request.operation for request in large.aws.requests)
    assert (asked["DescribeServices"], asked["ListTargetsByRule"]) == (2 * 5, 2 * 10)


def test_a_clean_up_looks_once_for_what_uses_the_revisions(large: World) -> None:
    """The services and tasks of the cluster, and the declared rules, whatever the number of revisions."""
    made = task(services=[f"web-{number:02d}" for number in range(50)],
                rules=[(f"rule-{number}", ("first", "second")) for number in range(10)])  # fmt: skip
    large.register(times=3)
    large.write(spec(made, active_task_count=1), seed=False)
    large.forget()
    large.ok("deploy", "v2", "--yes")
    asked = [request.operation for request in large.aws.requests]
    assert asked.count("DeregisterTaskDefinition") == 4
    last = max(at for at, name in enumerate(asked) if name == "PutTargets")
    looked = Counter(asked[last + 1 : asked.index("DeregisterTaskDefinition")])
    assert looked == {
        "ListServices": 1,
        "DescribeServices": 5,
        "ListTasks": 1,
        "DescribeTasks": 1,
        "ListTargetsByRule": 10,
    }


@pytest.mark.parametrize("families", [1, 4])
def test_requests_grow_with_families(world: World, families: int) -> None:
    """1 + 2F + one per ten services of a cluster + R."""
    tasks = [
        task(f"f{number}", services=(f"a{number}", f"b{number}"), rules=((f"r{number}", ("x",)),))
        for number in range(families)
    ]
    world.write(spec(*tasks))
    world.plan("v1")
    services = -(-2 * families // 10)
    assert len(world.aws.requests) == 1 + 2 * families + services + families
    assert repeated(world.aws.requests) == []


def test_a_rule_of_two_tasks_is_asked_for_once(world: World) -> None:
    world.write(
        spec(
            task("a", services=("a",), rules=(("both", ("x",)),)), task("b", services=("b",), rules=(("both", ("y",)),))
        )
    )
    world.forget()
    world.plan("v1")
    assert world.asked().count("ListTargetsByRule") == 1
    world.deploy("v1")
    assert world.pointing("both") == {"x": "a:1", "y": "b:1"}


def test_apply_looks_again_once(large: World) -> None:
    large.ok("plan", "v2")
    planned = len(large.aws.requests)
    large.forget()
    large.ok("apply")
    requests = large.aws.requests
    first = next(number for number, one in enumerate(requests) if one.operation == "RegisterTaskDefinition")
    assert first == planned
    assert Counter(large.sent()) == {"RegisterTaskDefinition": 1, "UpdateService": 50, "PutTargets": 10}
    assert [one.operation for one in requests[first:]].count("DescribeServices") == 5


def test_looking_at_the_journal_asks_nothing(large: World) -> None:
    large.ok("history")
    large.ok("history", "--format", "json")
    large.ok("show", "1")
    large.ok("render", "v1")
    large.ok("validate")
    assert not large.aws.requests

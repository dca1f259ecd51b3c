"""Each operation that ecsplan sends, each way in which it can go wrong: the outcome that docs/reliability.md promises.

The table is read from there. AWS and the journal are looked at after each cell, and after 7 the way out is taken too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import pytest

from ecsplan import pipeline
from ecsplan.apply import send as sending
from ecsplan.apply import wait as waiting
from ecsplan.aws import gateway as aws
from ecsplan.aws import pacing
from ecsplan.journal import Closed, Deployment, Done, Failed, Outcome, lock
from ecsplan.kinds import kinds
from tests.faults.stories import STORIES, Applying, Story
from tests.support.amounts import figure
from tests.support.paths import DOCS
from tests.support.toml import Doc
from tests.support.world import World

TABLE = DOCS / "reliability.md"
FAULTS = ("throttled", "500", "denied", "expired", "lost", "lost 5", "failures")
FOR_EVER = 10_000


@functools.cache
def rows() -> dict[tuple[str, str], list[str]]:
    """By command and request: what is promised for each fault."""
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        row = [part.strip() for part in line.strip("|").split("|")]
        if len(row) == len(FAULTS) + 2 and row[0] in ("plan", "apply", "rollback", "resume"):
            found[row[0], row[1]] = row[2:]
    return found


#: How many requests of the operation the command sends before the one that the row is about.
EARLIER = {
    ("apply", "DescribeServices, looking again"): 1,
    ("apply", "ListTargetsByRule, looking again"): 1,
    ("apply", "GetSchedule, looking again"): 1,
    ("apply", "DescribeServices, waiting"): 2,
    ("apply", "UpdateService, putting back"): 2,
    ("rollback", "DescribeServices, waiting"): 2,
    ("resume", "DescribeServices, waiting"): 2,
}


def order(story: Story, fault: str, undisturbed: list[str]) -> None:
    operation, skip = story.operation, EARLIER.get((story.name, story.request), 0)
    have = story.world.aws.fault
    match fault:
        case "throttled":
            have(operation, "throttle", times=3, skip=skip)
        case "500":
            have(operation, "error", times=2, skip=skip, code="ServerException", status=500)
        case "denied":
            have(operation, "error", times=FOR_EVER, skip=skip, code="AccessDeniedException", message="No.")
        case "expired":
            before = [at for at, name in enumerate(undisturbed) if name == operation][skip]
            have("*", "error", times=FOR_EVER, skip=before, code="ExpiredTokenException", message="Too late.")
        case "lost":
            have(operation, "drop_after", skip=skip)
        case "lost 5":
            # Several looks may be under way at once, each of which is sent five times.
            times = 20 if operation.startswith(("Describe", "List", "Get")) else 5
            have(operation, "drop_after", times=times, skip=skip)
        case "failures":
            have(operation, "failed_entries" if "Targets" in operation else "failures", skip=skip)


def state(world: World) -> Doc:
    """All that a deployment changes."""
    arns = [one["Target"]["EcsParameters"]["TaskDefinitionArn"] for one in world.aws.schedules().values()]
    return {
        "services": {name: world.on(name) for name in ("web", "admin")},
        "targets": world.pointing("nightly"),
        "schedules": [arn.rpartition("/")[2] for arn in arns],
        "active": world.active(),
    }


def play(story: Story, fault: str, expected: str, undisturbed: list[str]) -> list[str]:
    """One cell; the operations that its command asked for."""
    world, code = story.world, int(expected[0])
    story.number += 1
    first = state(world)
    story.prepare()
    before, newest = state(world), story.newest()
    world.forget()
    order(story, fault, undisturbed)
    heard = story.run()
    sent = [request.operation for request in world.aws.requests]
    world.aws.clear_faults()
    assert heard.code == code, heard.said
    assert bool(heard.warnings) >= ("!" in expected)
    if code in (1, 4):
        assert (world.sent(), state(world), story.newest()) == ([], before, newest)
    if code == 7:
        assert story.newest().outcome in (Outcome.STOPPED, Outcome.INTERRUPTED)
        heard = story.run(story.resume)
        assert heard.code == int(expected[-1]), heard.said
    code = int(expected.strip(" !")[-1])
    if code == 6:
        assert state(world) == before
        assert story.newest().outcome is Outcome.PUT_BACK
    if code == 0 and story.name != "plan":
        assert story.newest().outcome is Outcome.SUCCEEDED
        succeeded(story, fault, first)
    story.afterwards(code)
    return sent


def succeeded(story: Story, fault: str, first: Doc) -> None:
    world, now = story.world, state(story.world)
    revision = now["services"]["admin"]
    if story.name == "rollback":
        assert world.image(revision) == world.image(first["services"]["admin"])
    else:
        assert world.image(revision) == f"web:{story.tag}"
        if fault in ("lost", "lost 5", "failures"):
            with story.site() as site:
                assert not pipeline.make_plan(site, story.spec, story.tag).changed
    assert now["targets"] == dict.fromkeys(("report", "clean"), revision)
    assert set(now["schedules"]) == ({revision} if story.operation != "Publish" else set())
    seen = (story.name, story.request, fault) != ("rollback", "DescribeServices", "failures")
    assert (now["services"]["web"] == revision) is seen  # a service that is not there is left out, with a warning
    if story.operation not in ("DeregisterTaskDefinition", "ListServices") and fault != "expired":
        assert now["active"] == sorted({revision, now["services"]["web"]}, reverse=True)  # what is in use is kept


@pytest.mark.parametrize(("command", "request_"), list(rows()), ids=lambda name: name.replace(" ", "-"))
def test_the_promised_outcomes(world: World, command: str, request_: str, paused: list[float]) -> None:
    story = STORIES[command](world, command, request_)
    usual = "6" if story.stage in ("putting back", "of a task that is late") else "0"
    try:
        undisturbed = play(story, "", usual, [])
        for fault, expected in zip(FAULTS, rows()[command, request_], strict=True):
            if expected != "-":
                try:
                    play(story, fault, expected, undisturbed)
                except AssertionError as error:
                    raise AssertionError(f"{command}: {request_}: {fault}: not {expected}: {error}") from error
        truthful(world, story.journal().deployments())
    finally:
        story.close()


def truthful(world: World, deployments: Sequence[Deployment]) -> None:
    """What the journal says was done is what AWS has: registered revisions exist once, tasks ran once, and whoever was
    moved last is where it was moved to."""
    registered = [
        outputs["arn"].rpartition("/")[2]
        for deployment in deployments
        for step in deployment.plan.steps
        if step.call.operation == "register_task_definition"
        and (outputs := deployment.outputs().get(step.index)) is not None
    ]
    assert sorted(registered) == sorted(world.statuses())
    for deployment in deployments:
        assert isinstance(deployment.entries[-1], Closed)
        assert all(re.fullmatch(r"done|failed|planned|undone|undo failed", one) for one in deployment.states().values())
    started = {
        arn
        for deployment in deployments
        for entry in deployment.entries
        if isinstance(entry, Done | Failed) and not entry.undo
        for arn in entry.outputs.get("tasks", "").split()
    }
    found = {
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in world.ecs("ListTasks", cluster="prod", family="web", desiredStatus=status)["taskArns"]
    }
    one_off = [
        task["taskArn"]
        for task in (world.ecs("DescribeTasks", cluster="prod", tasks=sorted(found))["tasks"] if found else ())
        if task["group"] == "family:web"
    ]
    assert sorted(one_off) == sorted(started)


def operations() -> set[str]:
    return {request.partition(",")[0] for _, request in rows()}


def test_the_table_has_every_operation_that_is_sent() -> None:
    """What kinds may write, and what they read."""
    cells = [cell for row in rows().values() for cell in row if cell != "-"]
    figure(f"fault matrix: {len(rows())} rows, {len(cells)} cells")
    assert operations() == {
        "GetCallerIdentity", "DescribeTaskDefinition", "ListTaskDefinitions", "RegisterTaskDefinition", "RunTask",
        "DescribeTasks", "ListTasks", "StopTask", "UpdateService", "DescribeServices", "ListServices",
        "ListTargetsByRule",
        "PutTargets", "RemoveTargets", "DeregisterTaskDefinition", "Publish", "GetSchedule", "UpdateSchedule",
    }  # fmt: skip


def test_the_operations_that_kinds_write_are_in_the_table() -> None:
    writes = {call for kind in kinds() for call in kind.change.writes}
    listed = {re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower() for operation in operations()}
    assert {call.partition(":")[2] for call in writes} <= listed


def test_the_numbers_of_the_documents() -> None:
    """The budget of retries that is promised is the one that is kept."""
    text = " ".join(TABLE.read_text(encoding="utf-8").split())
    assert f"{aws.ATTEMPTS} attempts of every request that may be repeated" in text
    assert f"always throttled gets {aws.ROUNDS * aws.ATTEMPTS} attempts" in text
    assert f"Waits of more than {pacing.NOTICE:.0f} s are reported" in text
    assert f"Connecting takes at most {aws.CONNECT_TIMEOUT} s, an answer {aws.READ_TIMEOUT} s" in text
    assert f"{sending.MAX_ATTEMPTS} attempts in all" in text
    assert f"After a lost answer, at most {sending.MAX_RESENDS} times more" in text
    assert f"Polls are {waiting.FIRST_PAUSE} s apart at first and {waiting.LONGEST_PAUSE:.0f} s at most" in text
    assert f"waits {lock.GRACE} s" in text
    assert {"ecs:register_task_definition", "sns:publish", "logs:get_log_events"} == aws.ONCE


def test_the_pauses_between_attempts_grow(world: World, paused: list[float]) -> None:
    """botocore's within a call, ours between calls; each with jitter, none longer than 20 s."""
    story = Applying(world, "apply", "UpdateService")
    try:
        story.number += 1
        world.aws.fault("UpdateService", "throttle", times=11, match={"service": "web"})
        world.clock.slept.clear()
        story.made()
    finally:
        story.close()
    assert len(paused) == 2 * (aws.ATTEMPTS - 1) + 1
    assert all(0 <= pause <= 2**at for at, pause in enumerate(paused[: aws.ATTEMPTS - 1]))
    # Without looks at the rollout, and without waits for AWS's pace, which are slept in slices.
    ours = [pause for pause in world.clock.slept if pause > waiting.FIRST_PAUSE]
    assert ours[:2] == [0.75, 1.5]

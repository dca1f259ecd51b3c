"""Processes that are killed with SIGKILL at any time, not only at a request, and perhaps once more while they finish.

Each round draws the moments of the kills within the time that the undisturbed command takes, and the way on. In the end
the account, the journal and the exit code are those of the undisturbed command. What is drawn follows from a seed,
which is printed, and which `ECSPLAN_SOAK_SEED` sets; how far a process has come by then is chance.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Options
from ecsplan.core.model import Call, Doc, Identity
from ecsplan.journal import Deployment, Journal, Outcome, open_store, unfinished
from tests.faults.test_kill_matrix import differences, told
from tests.support import specs, toml
from tests.support.amounts import amount, figure
from tests.support.aws import ACCOUNT, REGION, Killed, site
from tests.support.forking import Forking, forking
from tests.support.paths import EXAMPLES
from tests.support.returning import Returning

ROUNDS = amount("KILLS", 11)
SEED = amount("SEED", 0) or random.SystemRandom().randrange(1, 1_000_000)
COMMANDS = 6  # until a round has to be over
FAST, SLOW = 0.02, 0.3  # seconds that rollouts and tasks take: as good as none, and longer than some commands
Command = tuple[str, ...]
RESUME: Command = ("resume",)
#: What `resume` says where the command has not begun.
NOT_BEGUN = ("Nothing is under way", "give the same command again", "What it was to undo is as it was")


class Stage:
    """An account and the journal of one machine; both can be again what they were before the command."""

    def __init__(self, aws: Returning, processes: Forking, folder: Path) -> None:
        self.aws, self.processes, self.folder = aws, processes, folder
        self.root, self.before = folder / ".ecsplan", folder / "before"
        self.file = folder / "ecsplan.toml"
        self.history: list[str] = []
        """what this round has done, for people"""
        self.lasted = 0.0
        """seconds that the newest command has taken"""

    def write(self, text: str) -> None:
        """The spec; and an account in which nothing was deployed from it."""
        self.file.write_text(text, encoding="utf-8")
        self.spec = pipeline.load(self.file)
        self.aws.past()
        self.aws.rollout_seconds = self.aws.task_seconds = FAST
        self.aws.seed_with(self.spec)

    # --- what is there before the command ---

    def deploy(self, tag: str, ends: Outcome = Outcome.SUCCEEDED, *, on_failure: str = "") -> None:
        with site(self.root, self.aws.in_process(), self.aws.clock, self.spec.app) as here:
            plan = pipeline.make_plan(here, self.spec, tag)
            result = pipeline.run_plan(here, plan, options=Options(on_failure=on_failure))
        assert result is not None
        assert result.outcome is ends, result

    def killed_after(self, tag: str, operation: str) -> None:
        """A deployment whose process is killed at the request behind this one."""
        seen = []

        def fault(call: Call) -> None:
            if operation in seen:
                raise Killed
            seen.append(str(call))

        wire = self.aws.in_process(fault=fault)
        with pytest.raises(Killed), site(self.root, wire, self.aws.clock, self.spec.app) as here:
            pipeline.run_plan(here, pipeline.make_plan(here, self.spec, tag))

    def keep(self) -> None:
        """This is what each round begins with."""
        self.aws.present()
        self.packed = self.aws.packed()
        self.root.mkdir(exist_ok=True)
        shutil.copytree(self.root, self.before)
        self.deployed = len(self.deployments())
        self.open = unfinished(self.deployments()) is not None

    def back(self, seconds: float = FAST) -> None:
        """As it was; from now on, rollouts and tasks take so many seconds."""
        shutil.rmtree(self.root)
        shutil.copytree(self.before, self.root)
        self.aws.unpack(self.packed)
        self.aws.rollout_seconds = self.aws.task_seconds = seconds
        self.history.clear()

    # --- commands ---

    def run(self, command: Command, kill_after: float | None = None) -> int:
        """Its exit code, or minus the signal; killed after so many seconds, unless it has ended by then."""
        arguments = ("-f", os.fspath(self.file), *command)
        process = self.processes.start(*arguments, env=self.aws.environment, hasty=True)
        began = time.monotonic()
        if kill_after is None:
            code = self.processes.ended()
        else:
            code = self.processes.killed_after(kill_after, process)
            self.aws.hear_out()
        self.lasted = time.monotonic() - began
        limit = "" if kill_after is None else f" (after {kill_after:.3f} s, {len(self.aws.requests)} requests)"
        self.history.append(f"{' '.join(command)}{limit}: {code}\n{self.said}")
        assert "Traceback" not in self.said, self.told
        return code

    @property
    def said(self) -> str:
        """By the newest command."""
        return self.processes.said.read_text(encoding="utf-8")

    @property
    def told(self) -> str:
        """The whole round."""
        return "\n".join(self.history)

    # --- what is there afterwards ---

    @property
    def journal(self) -> Journal:
        return Journal(open_store(self.root), self.spec.app, Identity(account=ACCOUNT, region=REGION))

    def deployments(self) -> list[Deployment]:
        return self.journal.deployments()

    @property
    def spent(self) -> list[int]:
        """Numbers of files that were made and not written: nothing was sent for them, and they are ignored."""
        return sorted(set(self.journal.numbers()) - {one.number for one in self.deployments()})

    def found(self) -> tuple[Doc, list[Doc]]:
        """The account and the journal; what comes behind a number that was spent counts as if it had that one."""
        spent, journal = self.spent, [told(deployment) for deployment in self.deployments()]
        for one in journal:
            one["number"] -= sum(number < one["number"] for number in spent)
            one["undoes"] = tuple(undone - sum(number < undone for number in spent) for undone in one["undoes"])
        return self.aws.state(), journal


# --- stories ---


def small() -> str:
    """One of everything."""
    web = specs.task(services=("web", "admin"), runs=("migrate",), rules=(("nightly", ("report",)),))
    return toml.dumps(specs.spec(web))


def django() -> str:
    """The example, without its topic and its log: what is published and printed is not compared."""
    text = (EXAMPLES / "django" / "ecsplan.toml").read_text(encoding="utf-8")
    for left_out in ("sns_notification_topic_arn", "[tasks.web.task_definition.containerDefinitions.log", "logDriver",
                     "options = {"):  # fmt: skip
        assert text.count(f"\n{left_out}") == 1
        text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(left_out))
    return text


def nothing(_stage: Stage) -> None:
    """Nothing was deployed."""


def deployed(*tags: str) -> Callable[[Stage], None]:
    def before(stage: Stage) -> None:
        for tag in tags:
            stage.deploy(tag)

    return before


def a_rollout_that_will_fail(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.rollout("FAILED", service="web", image="*:v2")


def a_migration_that_will_fail(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.task(exit_code=1, image="*:v2")


def a_migration_that_failed(stage: Stage) -> None:
    a_migration_that_will_fail(stage)
    stage.deploy("v2", Outcome.STOPPED, on_failure="stop")
    stage.aws.task(exit_code=0, image="*:v2")


def a_rollout_that_failed(stage: Stage) -> None:
    a_rollout_that_will_fail(stage)
    stage.deploy("v2", Outcome.STOPPED, on_failure="stop")


def a_migration_that_runs_on(stage: Stage) -> None:
    stage.deploy("v1")
    stage.aws.task(stays="RUNNING", image="*:v2")
    stage.killed_after("v2", "ecs:run_task")


@dataclass(frozen=True, kw_only=True)
class Story:
    """A command, and the code and outcome that it ends with undisturbed."""

    name: str
    before: Callable[[Stage], None]
    command: Command
    code: int = 0
    ends: Outcome = Outcome.SUCCEEDED
    spec: Callable[[], str] = small


ROLLBACK: Command = ("rollback", "--yes")
STORIES = (
    Story(name="first deployment", before=nothing, command=("deploy", "v1", "--yes")),
    Story(name="second tag", before=deployed("v1"), command=("deploy", "v2", "--yes")),
    Story(name="rollback", before=deployed("v1", "v2"), command=ROLLBACK),
    Story(name="rollback to 1", before=deployed("v1", "v2", "v3"), command=(*ROLLBACK, "--to", "1")),
    Story(name="rollback to 0", before=deployed("v1", "v2"), command=(*ROLLBACK, "--to", "0")),
    Story(name="failing rollout", before=a_rollout_that_will_fail, command=("deploy", "v2", "--yes"), code=6,
          ends=Outcome.PUT_BACK),
    Story(name="failing migration", before=a_migration_that_will_fail, command=("deploy", "v2", "--yes"), code=6,
          ends=Outcome.PUT_BACK),
    Story(name="resume", before=a_migration_that_failed, command=RESUME),
    Story(name="replace", before=a_rollout_that_failed, command=("deploy", "v3", "--replace", "--yes")),
    Story(name="running task", before=a_migration_that_runs_on, command=ROLLBACK),
    Story(name="schedule and targets", before=deployed("v1"), command=("deploy", "v2", "--yes"), spec=django),
)  # fmt: skip


# --- rounds ---


@pytest.fixture(scope="module")
def aws() -> Iterator[Returning]:
    served = Returning()
    with served:
        yield served


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    with forking(tmp_path_factory.mktemp("said") / "said") as started:
        yield started


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_killed_at_any_time(
    story: Story,
    aws: Returning,
    processes: Forking,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    stage = Stage(aws, processes, tmp_path)
    stage.write(story.spec())
    story.before(stage)
    stage.keep()

    stage.back()
    assert stage.run(story.command) == story.code, stage.told
    lasts = stage.lasted
    expected = stage.found()
    assert stage.deployments()[-1].outcome is story.ends

    wrong, kills, spent = [], 0, 0
    numbers = range(STORIES.index(story), ROUNDS, len(STORIES))
    for number in numbers:
        chance = random.Random(f"{SEED} {number}")
        stage.back(SLOW if chance.random() < 0.25 else FAST)
        code = finished(story, stage, lasts, chance, len(expected[1]))
        kills += stage.told.count(f": {-signal.SIGKILL}\n")
        spent += bool(stage.spent)
        found = stage.found()
        if found != expected:
            wrong.append(f"round {number}: {differences(found, expected)}\n{stage.told}")
        elif code not in (story.code, -signal.SIGKILL):
            wrong.append(f"round {number}: exit code {code} instead of {story.code}\n{stage.told}")
    record_property("random kills: rounds", len(numbers))
    record_property("random kills: processes killed", kills)
    record_property("random kills: rounds that leave a file without a line", spent)
    record_property("random kills: rounds that end elsewhere", len(wrong))
    figure(f"random kills: {story.name}: seed {SEED}, {len(numbers)} rounds, {kills} processes killed")
    assert not wrong, f"with ECSPLAN_SOAK_SEED={SEED}, of {len(numbers)} rounds {len(wrong)} end elsewhere:\n" + (
        "\n".join(wrong)
    )


def finished(story: Story, stage: Stage, lasts: float, chance: random.Random, deployments: int) -> int:
    """Kill the command at some time, and perhaps what comes after it; then do what the messages name until it has
    ended. The exit code of the last command, which was killed if the journal had its end already."""
    moments = [chance.random() * lasts, *([chance.random() * lasts] if chance.random() < 0.5 else [])]
    tries_again = chance.random() < 0.3
    command = story.command
    for _ in range(COMMANDS):
        code = stage.run(command, moments.pop(0) if moments else None)
        made = stage.deployments()
        if len(made) == deployments and made[-1].outcome.ended:
            return code
        command = way_on(story, stage, code, tries_again=tries_again, begun=len(made) > stage.deployed)
    return code


def way_on(story: Story, stage: Stage, code: int, *, tries_again: bool, begun: bool) -> Command:
    """What messages name; and after a command that could say nothing, `resume`, or the same command again, which says
    what to do if there is something to finish. But while another deployment is unfinished, `resume` and `rollback` are
    about that one, as `history` shows."""
    said = stage.said if code != -signal.SIGKILL else ""
    if any(text in said for text in NOT_BEGUN):
        return story.command
    if stage.open:
        return RESUME if begun else story.command
    asked_again = tries_again and story.command[0] == "deploy" and "ecsplan resume" not in said
    return story.command if asked_again else RESUME

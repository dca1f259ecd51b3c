"""What is played for each row of the fault matrix: one command again and again, with another fault each time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ecsplan import pipeline
from ecsplan.apply.deploy import Options, Result
from ecsplan.aws.gateway import Gateway
from ecsplan.cli.deploy import exit_code
from ecsplan.core import events
from ecsplan.core.errors import EcsplanError
from ecsplan.core.model import Plan
from ecsplan.journal import Deployment, Journal
from tests.support.specs import TOPIC, shop
from tests.support.toml import Doc
from tests.support.world import World


@dataclass(frozen=True, kw_only=True)
class Heard:
    """How a command ended, and what it warned of."""

    code: int
    said: str
    warnings: list[str]


def scheduled(**members: Any) -> Doc:
    """One of everything, a schedule too; one revision stays."""
    made = shop(active_task_count=1, **members)
    made["tasks"]["web"]["scheduler__update_schedules"] = [{"Name": "hourly"}]
    return made


class Kept:
    """A gateway that outlives its site: making clients takes longer than most cells of the table."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def close(self) -> None:
        """Not yet."""


class Story:
    """One row of the table: the same command again and again, each time with the next tag and another fault."""

    def __init__(self, world: World, command: str, request: str) -> None:
        self.world, self.name, self.request = world, command, request
        self.operation, _, self.stage = request.partition(", ")
        self.options = Options()
        self.warnings: list[str] = []
        self.number = 1
        self.gateway: Gateway | None = None
        self.begin()

    def begin(self) -> None:
        """What is there before the first cell."""
        self.write(scheduled())
        self.made()

    def prepare(self) -> None:
        """What is done before the command of each cell."""

    def command(self, site: pipeline.Site) -> Result | None:
        raise NotImplementedError

    def afterwards(self, code: int) -> None:
        """The cause is gone: the next command works, whatever happened."""

    # --- means ---

    @property
    def tag(self) -> str:
        return f"v{self.number}"

    def write(self, made: Doc, *, seed: bool = True) -> None:
        self.world.write(made, seed=seed)
        self.spec = pipeline.load(self.world.file)

    def site(self) -> pipeline.Site:
        site = self.world.site(self.spec)
        if self.operation == "GetCallerIdentity":  # asked for once by each gateway
            return site
        if self.gateway is None:
            self.gateway = site.gateway
        return dataclasses.replace(site, gateway=Kept(self.gateway))  # type: ignore[arg-type]

    def close(self) -> None:
        if self.gateway is not None:
            self.gateway.close()

    def hear(self, event: events.Event) -> None:
        if isinstance(event, events.Warned) and "trying again" not in event.message:
            self.warnings.append(event.message)

    def run(self, command: Callable[[pipeline.Site], Result | None] | None = None) -> Heard:
        """Only a known error may come out of a command: everything else is a traceback to whoever runs it."""
        self.warnings.clear()
        try:
            with self.site() as site:
                result = (command or self.command)(site)
        except EcsplanError as error:
            return Heard(code=int(error.exit_code), said=str(error), warnings=list(self.warnings))
        code, said = (int(exit_code(result)), f"{result.reason} {result.state}") if result else (0, "")
        return Heard(code=code, said=said, warnings=list(self.warnings))

    def resume(self, site: pipeline.Site) -> Result | None:
        return pipeline.resume(site, options=self.options, emit=self.hear)

    def deploy(self, site: pipeline.Site) -> Result | None:
        return self.apply(site, pipeline.make_plan(site, self.spec, self.tag))

    def apply(self, site: pipeline.Site, plan: Plan) -> Result | None:
        return pipeline.run_plan(site, plan, options=self.options, emit=self.hear)

    def made(self) -> None:
        heard = self.run(self.deploy)
        assert heard.code == 0, heard.said

    def journal(self) -> Journal:
        with self.site() as site:
            return site.journal(site.identity())

    def newest(self) -> Deployment:
        journal = self.journal()
        return journal.read(journal.numbers()[-1])


class Planning(Story):
    def command(self, site: pipeline.Site) -> Result | None:
        assert pipeline.make_plan(site, self.spec, self.tag).changed
        return None


class Applying(Story):
    def begin(self) -> None:
        topic = {"sns_notification_topic_arn": TOPIC, "notification_method_blacklist_regex": "(?!put_targets)"}
        # The call that is published is the last one that has to succeed.
        self.write(shop(active_task_count=1, **topic) if self.operation == "Publish" else scheduled())
        self.made()
        if self.stage == "putting back":
            if self.operation == "UpdateService":
                self.world.aws.rollout("FAILED", image="*-bad")
            else:
                self.world.aws.task(exit_code=1, image="*-bad")
        if self.operation == "StopTask":
            self.world.aws.task_seconds = 3600.0
            self.options = Options(timeout=60)

    @property
    def tag(self) -> str:
        return f"v{self.number}-bad" if self.stage == "putting back" and self.number > 1 else f"v{self.number}"

    def prepare(self) -> None:
        with self.site() as site:
            self.plan = pipeline.make_plan(site, self.spec, self.tag)

    def command(self, site: pipeline.Site) -> Result | None:
        return self.apply(site, self.plan)


class RollingBack(Story):
    """What is rolled back has made a target, and its clean-up has deregistered the revision to go back to."""

    def begin(self) -> None:
        super().begin()
        report = self.world.targets("nightly")["report"]
        made = scheduled()
        extra = {"Id": "extra", "Arn": report["Arn"], "RoleArn": report["RoleArn"]}
        made["tasks"]["web"]["events__put_targets"][0]["Targets"].append(extra)
        self.write(made, seed=False)

    def prepare(self) -> None:
        self.to = self.newest().number
        self.made()

    def command(self, site: pipeline.Site) -> Result | None:
        plan = pipeline.undo(site, self.spec, to=str(self.to))
        self.warnings += [one for one in plan.warnings if "there is no service" in one]
        return self.apply(site, plan)

    def afterwards(self, code: int) -> None:
        if code or self.warnings:
            heard = self.run()
            assert heard.code == 0, heard.said


class Resuming(Story):
    """The deployment was refused at its first call, and stopped there; or what it has begun had failed, and is tried
    again."""

    def prepare(self) -> None:
        if self.stage == "tried again":
            self._has_failed()
            return
        self.world.aws.fault("RegisterTaskDefinition", "error", code="AccessDeniedException")
        self.options = Options(on_failure="stop")
        assert self.run(self.deploy).code == 7
        self.options = Options(on_failure="rollback")

    def _has_failed(self) -> None:
        self._ends(well=False)
        self.options = Options(on_failure="stop")
        assert self.run(self.deploy).code == 7
        self._ends(well=True)
        self.options = Options()

    def _ends(self, *, well: bool) -> None:
        """How the migration of this tag will end, or its rollouts."""
        if self.operation == "RunTask":
            self.world.aws.task(exit_code=int(not well), image=f"*:{self.tag}")
        else:
            self.world.aws.rollout("COMPLETED" if well else "FAILED", image=f"*:{self.tag}")

    def command(self, site: pipeline.Site) -> Result | None:
        return self.resume(site)

    def afterwards(self, code: int) -> None:
        if code in (1, 4):
            assert self.run().code == 0


STORIES = {"plan": Planning, "apply": Applying, "rollback": RollingBack, "resume": Resuming}

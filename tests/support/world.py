"""A stand-in for AWS, a folder with a spec, and the command line in between: what an end-to-end test acts on."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecsplan import cli, pipeline, rehearsal
from ecsplan.core.clock import Clock as AnyClock
from ecsplan.core.spec import Spec
from tests.support import toml
from tests.support.aws import ACCOUNT, Aws
from tests.support.clock import EPOCH, Clock
from tests.support.live import READS, REGION, short
from tests.support.toml import Doc

__all__ = ["ACCOUNT", "EPOCH", "READS", "REGION", "Clock", "Ran", "World", "short"]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        return self.out + self.err


class World:
    """One test's world; the current folder is `folder`, and the environment leads to `aws` and nowhere else."""

    def __init__(self, aws: Aws, folder: Path, client: Callable[[str], Any]) -> None:
        self.aws, self.clock, self.folder, self.client = aws, aws.clock, folder, client
        self.file = folder / "ecsplan.toml"
        # What was sent, and what is live.
        self.sent, self.asked, self.params, self.forget = aws.sent, aws.asked, aws.params, aws.clear_requests
        self.ecs, self.service, self.on, self.active, self.statuses = (
            aws.call, aws.service, aws.on, aws.active, aws.statuses,
        )  # fmt: skip
        self.image, self.register, self.lasting = aws.image, aws.register, aws.lasting
        self.targets, self.pointing, self.kept = aws.targets, aws.pointing, aws.kept

    # --- the spec ---

    def write(self, spec: Mapping[str, Any] | str, *, seed: bool = True) -> Spec | None:
        """Make it `ecsplan.toml`, and the account what it is before the spec's first deployment."""
        self.file.write_text(spec if isinstance(spec, str) else toml.dumps(spec), encoding="utf-8")
        if not seed:
            return None
        loaded = pipeline.load(self.file)
        rehearsal.seed(self.aws, loaded)
        return loaded

    # --- commands ---

    def run(self, *arguments: str, clock: AnyClock | None = None) -> Ran:
        """`ecsplan ARGUMENTS` in this process, without a terminal. No command may ever end in a traceback. It goes by
        this world's clock, so that waiting takes no time, unless another clock is handed in."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.run(arguments, clock=clock or self.clock)
        ran = Ran(code=int(code), out=out.getvalue(), err=err.getvalue())
        assert "Traceback" not in ran.err, ran.err
        return ran

    def ok(self, *arguments: str, clock: AnyClock | None = None) -> Ran:
        """A command that has to end well."""
        ran = self.run(*arguments, clock=clock)
        assert ran.code == 0, ran.said
        return ran

    def deploy(self, tag: str) -> Ran:
        return self.ok("deploy", tag, "--yes")

    def plan(self, tag: str, *options: str) -> Any:
        """The plan as JSON."""
        return self.ok("plan", tag, "--format", "json", *options).data

    def history(self) -> list[Doc]:
        deployments: list[Doc] = self.ok("history", "--format", "json").data["deployments"]
        return deployments

    def site(self, spec: Spec) -> pipeline.Site:
        """The Python API on this world's clock, so that waiting takes no time."""
        return pipeline.connect(spec, clock=self.clock)

    # --- messages ---

    def messages(self) -> list[Doc]:
        """What was published to SNS of calls."""
        return [message for message in self.published() if "method" in message]

    def endings(self) -> list[Doc]:
        """What was published to SNS of whole deployments."""
        return [message for message in self.published() if message.get("event") == "deployment"]

    def published(self) -> list[Doc]:
        """All that was published to SNS."""
        return [json.loads(params["Message"]) for params in self.params("Publish")]

"""`ecsplan` as real processes that start at once: a process that has imported everything forks one for each command.

Run as a program it is that process: a line of JSON on stdin is a command; it answers with the process's number, and
with how it ended (as `os.waitpid` says it).
"""

from __future__ import annotations

import functools
import gc
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.clock import HastyClock
from tests.support.processes import PATIENCE, environment


class Forking:
    """Starts commands, one at a time. What a command says is in the file `said`."""

    def __init__(self, server: subprocess.Popen[bytes], said: Path) -> None:
        self._server, self.said = server, said

    def start(self, *arguments: str, env: Mapping[str, str], hasty: bool = False) -> int:
        """The number of the new process. `hasty`: its pauses between polls are short."""
        assert self._server.stdin is not None
        order = {"arguments": arguments, "env": dict(env), "said": os.fspath(self.said), "hasty": hasty}
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        return self._answer()

    def ended(self) -> int:
        """The exit code of the command; negative is the signal that killed it."""
        return os.waitstatus_to_exitcode(self._answer())

    def has_ended(self) -> bool:
        """Has it ended by itself?"""
        assert self._server.stdout is not None
        return bool(select.select([self._server.stdout], [], [], 0)[0])

    def run(self, *arguments: str, env: Mapping[str, str]) -> int:
        self.start(*arguments, env=env)
        return self.ended()

    def killed_after(self, seconds: float, process: int) -> int:
        """Its exit code, once it is dead: it had so many seconds, if it did not end before."""
        assert self._server.stdout is not None
        if not select.select([self._server.stdout], [], [], seconds)[0]:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, signal.SIGKILL)
        return self.ended()

    def _answer(self) -> int:
        assert self._server.stdout is not None
        ready, _, _ = select.select([self._server.stdout], [], [], PATIENCE)
        assert ready, f"nothing heard for {PATIENCE} s"
        return int(self._server.stdout.readline())


@contextmanager
def forking(said: Path) -> Iterator[Forking]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # so that nothing that was answered waits in a buffer unseen
        env=environment(),
    )
    try:
        yield Forking(server, said)
    finally:
        server.kill()
        server.communicate()


def serve() -> None:
    """Until stdin ends."""
    prepare()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            command(order["arguments"], order["env"], order["said"], hasty=order["hasty"])
        os.write(1, f"{child}\n".encode())
        os.write(1, f"{os.waitpid(child, 0)[1]}\n".encode())


def prepare() -> None:
    """Everything that a command imports and reads, without a thread that a fork would lose."""
    import botocore.loaders
    import botocore.session

    loader: Any = functools.cache(botocore.loaders.create_loader)
    botocore.session.create_loader = loader  # AWS's models are read once, here, and not by each process
    from ecsplan import pipeline  # noqa: F401
    from ecsplan.apply import engine  # noqa: F401
    from ecsplan.cli import deploy, inspect, resume  # noqa: F401
    from ecsplan.plan import steps as planner  # noqa: F401
    from ecsplan.plan.diff import field_changes

    field_changes({"a": 1}, {"a": 2})
    import boto3

    make: Any = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-west-1").client
    for service in ("sts", "ecs", "events", "scheduler", "sns"):
        make(service).close()
    gc.collect()
    gc.freeze()  # otherwise each process would copy all of this, to look through it
    gc.disable()


def command(arguments: Sequence[str], env: Mapping[str, str], said: str, *, hasty: bool) -> None:
    """What `ecsplan ARGUMENTS` does, and never returns."""
    from ecsplan import cli
    from ecsplan.cli.exit import leave

    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, nowhere), (1, out), (2, out)):
        os.dup2(file, number)
    os.environ.update(env)
    sys.argv = ["ecsplan", *arguments]
    if hasty:
        leave(cli.run(arguments, clock=HastyClock()))
    cli.main()


if __name__ == "__main__":
    serve()

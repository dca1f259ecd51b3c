"""`ecsplan` as processes that begin at the same moment: forked from one that has imported everything already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import PATIENCE, environment

PARENT = """
import json, os, sys, time
from ecsplan import cli
from tests.support.forking import prepare
prepare()

def begin(order):
    time.sleep(order["after"])
    for number, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["ecsplan", *order["arguments"]]
    code = cli.run(order["arguments"])
    sys.stdout.flush(); sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    children = []
    for order in json.loads(line):
        child = os.fork()
        if not child:
            begin(order)
        children.append(child)
    print(json.dumps([[child, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] for child in children]), flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Raced:
    """A command that has ended, in a process of its own."""

    pid: int
    code: int
    out: str
    err: str


class Starter:
    """Starts commands together. Its children are real processes; only the imports are done already."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder

    def race(self, *commands: Sequence[str], apart: float = 0.0) -> list[Raced]:
        """All at once, each `apart` seconds after the one before; returns when all have ended."""
        orders = [
            {
                "arguments": list(command),
                "after": apart * at,
                "out": os.fspath(self._folder / f"{at}.out"),
                "err": os.fspath(self._folder / f"{at}.err"),
            }
            for at, command in enumerate(commands)
        ]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()
        ended = json.loads(self._process.stdout.readline())
        return [
            Raced(pid=pid, code=code, out=Path(str(order["out"])).read_text(), err=Path(str(order["err"])).read_text())
            for (pid, code), order in zip(ended, orders, strict=True)
        ]


@contextmanager
def starter(folder: Path) -> Iterator[Starter]:
    """In the current folder and environment."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Starter(process, folder)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=PATIENCE)

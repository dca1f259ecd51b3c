"""A fleet on the embedded AWS as a process of its own, at AWS's rates: how long a plan and a deployment take, and how
long they have to take.

    script/fleet                      plan 50 and 200 families
    script/fleet --apply              carry the plan out too, with clean-up; 10 minutes for 200 families
    script/fleet --families 20 80 --latency 0.1
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from ecsplan.plan.compile import requests
from ecsplan.sandbox.rates import rate_of
from ecsplan.spec.load import load
from tests.support import toml
from tests.support.fleet import fleet

ROUND_TRIPS = 2


@dataclass(frozen=True, kw_only=True)
class Run:
    """One command, as the system and the embedded AWS saw it. Times in seconds, memory in MB."""

    families: int
    command: str
    wall: float
    asking: float
    cpu: float
    memory: float
    requests: int
    throttled: int
    bound: float
    because: str

    @property
    def ratio(self) -> float:
        return self.wall / self.bound


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="script/fleet", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--families", type=int, nargs="+", default=[50, 200], help="sizes  [default: 50 200]")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of each request  [default: 0.05]")
    parser.add_argument("--apply", action="store_true", help="carry out the plan as well")
    given = parser.parse_args()
    runs = [run for families in given.families for run in measured(families, given.latency, apply=given.apply)]
    table(runs)
    growth(runs)
    # Of a small fleet, the start of the program is the larger part.
    largest = [run for run in runs if run.command == "plan" and run.families == max(given.families)]
    return 1 if any(run.throttled for run in runs) or any(run.ratio > 1.3 for run in largest) else 0


def measured(families: int, latency: float, *, apply: bool = False, python: str = sys.executable) -> list[Run]:
    """The commands one after the other, by the ecsplan of that Python."""
    with tempfile.TemporaryDirectory(prefix="ecsplan-fleet-") as name:
        folder = Path(name)
        (folder / "ecsplan.toml").write_text(toml.dumps(fleet(families)), encoding="utf-8")
        with embedded(folder) as aws:
            aws.ask("POST", "/settings", {"rates": False, "rollout_seconds": 0})
            before(aws, folder / "ecsplan.toml")
            aws.ask("POST", "/settings", {"rates": True, "latency": latency})
            commands = [("plan", "v2"), ("apply",)] if apply else [("plan", "v2")]
            return [timed(aws, folder, families, latency, python, *arguments) for arguments in commands]


class Aws:
    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.environment["AWS_ENDPOINT_URL"]).netloc, timeout=60)
        connection.request(method, f"/_sandbox{path}", json.dumps(body or {}))
        return json.loads(connection.getresponse().read())


@contextmanager
def embedded(folder: Path) -> Any:
    """`ecsplan sandbox` with what the spec names in it."""
    started = subprocess.Popen(
        [sys.executable, "-m", "ecsplan", "sandbox"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert started.stdout is not None
        settings = {}
        while "AWS_DEFAULT_REGION" not in settings:
            line = started.stdout.readline()
            if not line:
                raise SystemExit("the embedded AWS did not start")
            if line.startswith("export "):
                key, _, value = line.removeprefix("export ").strip().partition("=")
                settings[key] = value
        yield Aws(settings)
    finally:
        started.terminate()
        started.wait()


def before(aws: Aws, file: Path) -> None:
    """v1 is live. Without ecsplan, which would keep to AWS's rates here as well."""
    url, region = aws.environment["AWS_ENDPOINT_URL"], aws.environment["AWS_DEFAULT_REGION"]
    session = boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=region)
    ecs, events = (session.client(name, endpoint_url=url) for name in ("ecs", "events"))
    spec = load(file)
    for one in requests(spec, "v1").values():
        answer = ecs.register_task_definition(**one["task_definition"])
        arn = answer["taskDefinition"]["taskDefinitionArn"]
        for update in one["update_services"]:
            ecs.update_service(**update | {"taskDefinition": arn})
        for put in one["events__put_targets"]:
            targets = events.list_targets_by_rule(Rule=put["Rule"])["Targets"]
            for target in targets:
                target["EcsParameters"]["TaskDefinitionArn"] = arn
            events.put_targets(Rule=put["Rule"], Targets=targets)


def command(aws: Aws, folder: Path, python: str, *arguments: str) -> tuple[float, Any]:
    """Wall time, and what the system counted."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ECSPLAN_", "PYTHON"))}
    with (folder / "output").open("w", encoding="utf-8") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [python, "-m", "ecsplan", *arguments],
            cwd=folder, env=kept | aws.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
    if process.returncode:
        raise SystemExit(
            f"{' '.join(arguments)} exited {process.returncode}:\n{(folder / 'output').read_text()[-4000:]}"
        )
    return wall, usage


def timed(aws: Aws, folder: Path, families: int, latency: float, python: str, *arguments: str) -> Run:
    aws.ask("DELETE", "/requests")
    wall, usage = command(aws, folder, python, *arguments)
    asked = aws.ask("GET", "/requests")["requests"]
    bound, because = bound_of(asked, latency, arguments[0])
    asking = max(one["ended"] for one in asked) - min(one["began"] for one in asked)
    return Run(
        families=families, command=arguments[0], wall=wall, asking=asking, cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss / 1024, requests=len(asked),
        throttled=sum(one["error"] == "ThrottlingException" for one in asked), bound=bound, because=because,
    )  # fmt: skip


def bound_of(asked: Sequence[dict[str, Any]], latency: float, command: str) -> tuple[float, str]:
    """The least that AWS allows: of a plan the slowest bucket, of a deployment the phases one after the other."""
    counts = Counter(
        (rate, _phase(one["operation"]) if command == "apply" else "")
        for one in asked
        if (rate := rate_of(one["service"], one["operation"]))
    )
    times: dict[str, dict[str, float]] = {}
    for (rate, phase), count in counts.items():
        what = "/".join(sorted(rate.operations)).replace("*", rate.service)
        times.setdefault(phase, {})[what] = max(0.0, count - rate.burst) / rate.per_second
    slowest = {phase: max(found.items(), key=lambda item: item[1]) for phase, found in times.items()}
    because = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in slowest.values() if seconds)
    bound = sum(seconds for _, seconds in slowest.values())
    trips = ROUND_TRIPS * latency
    return (bound, because) if bound > trips else (trips, f"{ROUND_TRIPS} round trips")


def _phase(operation: str) -> str:
    reads = operation.startswith(("Describe", "List"))
    return "reading" if reads else operation


HEADS = (
    "families", "command", "wall s", "of it asking s", "bound s", "ratio", "CPU s", "peak MB", "requests", "throttled",
    "the bound is",
)  # fmt: skip


def cells(run: Run) -> list[object]:
    """A row under `HEADS`."""
    times = [f"{seconds:.1f}" for seconds in (run.wall, run.asking, run.bound)]
    used = [f"{run.ratio:.2f}", f"{run.cpu:.1f}", f"{run.memory:.0f}"]
    return [run.families, run.command, *times, *used, run.requests, run.throttled, run.because]


def table(runs: Sequence[Run]) -> None:
    print(row(HEADS))
    print(row(["---"] * len(HEADS)))
    for run in runs:
        print(row(cells(run)))


def row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def growth(runs: Sequence[Run]) -> None:
    """From the smallest to the largest fleet, by how much CPU and memory grow when families do."""
    plans = sorted((run for run in runs if run.command == "plan"), key=lambda run: run.families)
    if len(plans) < 2:
        return
    small, large = plans[0], plans[-1]
    print(
        f"\nplan, {small.families} to {large.families} families ({large.families / small.families:.1f} times): "
        f"CPU {large.cpu / small.cpu:.1f} times, peak memory {large.memory / small.memory:.1f} times, "
        f"requests {large.requests / small.requests:.1f} times"
    )


if __name__ == "__main__":
    sys.exit(main())

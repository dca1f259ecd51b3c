"""All measurements, in order; the embedded AWS runs beside them as a process of its own."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import ablations, certificate, fleet, tools, venvs
from benchmarks.aws import Aws, Server
from benchmarks.cases import Case, write
from benchmarks.measure import Row, Run, row, timed
from benchmarks.tools import Tools

LARGE = Case(services=50, rules=10)
PAIRS = (Case(services=1, rules=0), Case(services=10, rules=10), LARGE)
OTHERS = (Case(services=1, rules=10), Case(services=10, rules=0), Case(services=50, rules=0))
MAIN = 0.05  # the latency of the comparisons
LATENCIES = (0.0, 0.02, MAIN)
PROBE = 0.4  # a latency beside which everything else is small, to see what really waits for what
CONNECTION = 0.1  # seconds for a new connection, over https
CHEAP = 20  # runs of what takes milliseconds
FLEETS = (50, 200)  # families


@dataclass(kw_only=True)
class Results:
    rows: list[Row] = field(default_factory=list)
    starts: dict[str, list[float]] = field(default_factory=dict)
    without: dict[str, list[Run]] = field(default_factory=dict)
    fleets: list[fleet.Run] = field(default_factory=list)
    """plans, by number of families"""
    per_request: float = 0.0
    """seconds of processor time that the embedded AWS takes for one request"""

    def get(self, tool: str, case: Case = LARGE, latency: float = MAIN, setting: str = "http") -> Row:
        found = [r for r in self.rows if (r.tool, r.case, r.latency, r.setting) == (tool, case.name, latency, setting)]
        return found[0]


class Bench:
    def __init__(self, runs: int, quick: bool, folder: Path) -> None:
        self.runs, self.quick, self.folder = runs, quick, folder
        names = ["ecsplan", "ecs-task"] if quick else list(venvs.TOOLS)
        self.bins = venvs.make(names)
        self.tools = Tools(bins=self.bins)
        self.results = Results()
        self._tag = 0

    def all(self) -> Results:
        self.start_up()
        nowhere = self.folder / "aws"
        nowhere.mkdir()
        with Aws(nowhere) as aws:
            for latency in (MAIN,) if self.quick else LATENCIES:
                for case in PAIRS if latency != MAIN or self.quick else (*PAIRS, *OTHERS):
                    self.compare(aws, case, latency)
            self.ablations(aws)
            self.https(aws)
        for families in () if self.quick else FLEETS:
            self.fleet(families)
        return self.results

    def fleet(self, families: int) -> None:
        """The better of two, since nothing but other work on the machine makes one slower."""
        python = os.fspath(self.bins["ecsplan"] / "python")
        runs = [run for _ in range(2) for run in fleet.measured(families, MAIN, python=python)]
        self.results.fleets.append(min(runs, key=lambda run: run.wall))
        print(f"fleet of {families} families: {self.results.fleets[-1].wall:.1f} s", file=sys.stderr, flush=True)

    def compare(self, aws: Aws, case: Case, latency: float) -> None:
        environment = self.tools.environment(aws.environment())
        write(case, self.folder)
        runs = self.runs if (case, latency) == (LARGE, MAIN) else max(2, self.runs - 2)
        found: dict[str, list[Run]] = {}
        before, requests = aws.cpu(), 0
        for _ in range(runs):
            for line in tools.CONCURRENT:
                self._line(aws, case, latency, line, environment, found)
            if len(found.get(tools.ECS_TASK, ())) < 3:
                self._line(aws, case, latency, (tools.ECS_TASK,), environment, found)
        requests = sum(run.requests for every in found.values() for run in every)
        if (case, latency) == (LARGE, MAIN):
            self.results.per_request = (aws.cpu() - before) / requests
        for tool in tools.SLOW if not self.quick and self._worth(case, latency) else ():
            self._line(aws, case, latency, (tool,), environment, found)
        waits = self._waits(aws, case, environment) if latency == MAIN and not self.quick else {}
        for tool, every in found.items():
            self._add(every, case, latency, tool, waits.get(tool))

    def _worth(self, case: Case, latency: float) -> bool:
        """A process per call takes as long at every latency: the largest case is looked at once."""
        return case in PAIRS and (case != LARGE or latency == MAIN)

    def _waits(self, aws: Aws, case: Case, environment: Mapping[str, str]) -> dict[str, int]:
        """Dependent round trips of what asks concurrently, at a latency at which nothing else makes one wait."""
        found: dict[str, list[Run]] = {}
        for line in tools.CONCURRENT:
            self._line(aws, case, PROBE, line, environment, found)
        return {tool: every[0].round_trips for tool, every in found.items()}

    def _line(
        self,
        aws: Aws,
        case: Case,
        latency: float,
        line: tuple[str, ...],
        environment: Mapping[str, str],
        found: dict[str, list[Run]],
    ) -> None:
        aws.prepare(case, latency)
        tools.fresh(self.folder)
        self._tag += 1
        for tool in line:
            aws.forget()
            made = timed(self.tools.command(tool, case, f"t{self._tag}"), self.folder, environment)
            seen = aws.seen()
            if seen.failed:
                raise RuntimeError(f"{tool}: {seen.failed} requests were refused")
            found.setdefault(tool, []).append(replace(made, requests=seen.requests, round_trips=seen.round_trips))

    def _add(
        self, every: list[Run], case: Case, latency: float, tool: str, waits: int | None, setting: str = "http"
    ) -> None:
        made = row(every, setting=setting, case=case.name, latency=latency, tool=tool, round_trips=waits)
        self.results.rows.append(made)
        print(f"{setting} {case.name} {latency * 1000:.0f} ms  {tool}: {made.wall:.2f} s", file=sys.stderr, flush=True)

    def https(self, aws: Aws) -> None:
        """The largest case again, through a front at which every new connection takes longer."""
        trusted, served = certificate.make(self.folder)
        front = os.fspath(Path(__file__).with_name("front.py"))
        port = aws.url.rpartition(":")[2]
        command = [sys.executable, "-u", front, port, str(CONNECTION), os.fspath(served)]
        write(LARGE, self.folder)
        with Server(command, "listening at ", self.folder) as tls:
            more = {"AWS_ENDPOINT_URL": tls.url, "AWS_CA_BUNDLE": os.fspath(trusted)}
            environment = self.tools.environment(aws.environment() | more)
            found: dict[str, list[Run]] = {}
            for number in range(max(2, self.runs - 2)):
                for line in (*tools.CONCURRENT, *([(tools.ECS_TASK,)] if number < 2 else [])):
                    self._line(aws, LARGE, MAIN, line, environment, found)
        for tool, every in found.items():
            self._add(every, LARGE, MAIN, tool, None, setting="https")

    def start_up(self) -> None:
        own = self.bins["ecsplan"]
        python, ecsplan = os.fspath(own / "python"), os.fspath(own / "ecsplan")
        environment = self.tools.environment({})
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "ecsplan --help": [ecsplan, "--help"],
            "ecsplan --version": [ecsplan, "--version"],
            "ecsplan plan --help": [ecsplan, "plan", "--help"],
            "ecsplan history": [ecsplan, "history"],
            "python -c 'import boto3'": [python, "-c", "import boto3"],
        }
        write(LARGE, self.folder)
        for _ in range(CHEAP):
            for name, command in commands.items():
                self.results.starts.setdefault(name, []).append(timed(command, self.folder, environment).wall)
        for name, walls in self.results.starts.items():
            print(f"{name}: {statistics.median(walls) * 1000:.0f} ms", file=sys.stderr, flush=True)

    def ablations(self, aws: Aws) -> None:
        environment = self.tools.environment(aws.environment())
        python = os.fspath(self.bins["ecsplan"] / "python")
        write(LARGE, self.folder)
        aws.prepare(LARGE, MAIN)
        for _ in range(self.runs):
            for one in ablations.ablations(self.folder / "no-models"):
                tools.fresh(self.folder)
                command = [python, "-c", one.program, "plan", "another"]
                made = timed(command, self.folder, {**environment, **one.environment})
                self.results.without.setdefault(one.means, []).append(made)


def measured(runs: int, quick: bool) -> tuple[Results, dict[str, str]]:
    """The results, and the versions of what was measured."""
    with tempfile.TemporaryDirectory(prefix="ecsplan-bench-") as name:
        bench = Bench(runs, quick, Path(name))
        return bench.all(), venvs.versions(bench.bins)

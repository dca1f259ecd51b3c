"""`script/bench`: see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.machine import load, machine
from benchmarks.run import measured
from benchmarks.venvs import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="Measure ecsplan beside ecs-task, ecs-deploy, the AWS CLI and a script of boto3 alone, on the "
        "embedded AWS. The results go to docs/benchmarks.md and docs/benchmarks.json.",
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of the main case (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="few runs of the main comparison; writes nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="the folder to write to (default: docs)")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error("--runs must be at least 1")
    busy = load()
    results, versions = measured(min(given.runs, 3) if given.quick else given.runs, given.quick)
    facts = {**machine(), "load before": f"{busy:.1f}", **versions}
    text = report.text(results, facts, command="script/bench" + (f" --runs {given.runs}" if given.runs != 5 else ""))
    if given.quick:
        print(text)
    else:
        (given.out / "benchmarks.md").write_text(text, encoding="utf-8")
        data = json.dumps(report.data(results, facts), indent=1)
        (given.out / "benchmarks.json").write_text(data + "\n", encoding="utf-8")
        print(f"written: {given.out / 'benchmarks.md'} and benchmarks.json", file=sys.stderr)
    return 0 if all(limit.referenced_values for limit in report.limits(results)) else 1


if __name__ == "__main__":
    sys.exit(main())

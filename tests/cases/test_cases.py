"""Every folder beside this file is a case."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecsplan.core.codec import from_data, to_data
from ecsplan.core.errors import AwsError, PlanningError
from ecsplan.core.model import Call, Identity, Plan
from ecsplan.core.ports import Answer
from ecsplan.plan.compile import compile_spec, notifications, warnings_of
from ecsplan.plan.diff import diff, without_impossible
from ecsplan.plan.read import fingerprints, read
from ecsplan.plan.steps import cautions, plan_of
from ecsplan.redact import mask_plan
from ecsplan.render.json import plan_json
from ecsplan.render.text import plan_text
from ecsplan.spec.load import loads
from tests.conftest import Golden

HERE = Path(__file__).parent
NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
CASES = sorted(path.parent for path in HERE.glob("*/spec.toml"))


class Recorded:
    """AWS as `live.json` has it. An answer that is never requested is a fault of the case."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        self._asked: set[int] = set()

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Call) -> Answer:
        for number, entry in enumerate(self._entries):
            known = entry["call"]
            if (known["service"], known["operation"]) == (call.service, call.operation) and (
                call.params | known.get("params", {}) == call.params
            ):
                self._asked.add(number)
                if "error" in entry:
                    return Answer(call=call, error=AwsError(entry["error"]["message"], code=entry["error"]["code"]))
                return Answer(call=call, data=entry["answer"])
        raise AssertionError(f"{self._path} has no answer to {call} {call.params}")

    def unasked(self) -> list[Any]:
        return [entry["call"] for number, entry in enumerate(self._entries) if number not in self._asked]


def planned(folder: Path) -> tuple[Plan, Recorded]:
    tag_file = folder / "tag.txt"
    tag = tag_file.read_text(encoding="utf-8").strip() if tag_file.exists() else "v42"
    spec = loads((folder / "spec.toml").read_text(encoding="utf-8"), "ecsplan.toml")
    resources, ask = compile_spec(spec, tag, now=NOW), Recorded(folder / "live.json")
    lives = read(ask, resources)
    resources, left_out = without_impossible(resources, lives)
    deltas = diff(resources, lives)
    plan = plan_of(
        deltas,
        app=spec.app,
        tag=tag,
        identity=Identity(account="123456789012", region="eu-west-1"),
        observed=fingerprints(resources, lives),
        warnings=(*warnings_of(spec, tag, now=NOW), *left_out, *cautions(deltas)),
        notify=notifications(spec),
    )
    return plan, ask


def shown(folder: Path) -> tuple[str, Plan | None, Recorded]:
    try:
        plan, ask = planned(folder)
    except PlanningError as error:
        return str(error), None, Recorded(folder / "live.json")
    return plan_text(mask_plan(plan)), plan, ask


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_a_plan_as_people_see_it(folder: Path, golden: Golden) -> None:
    text, plan, ask = shown(folder)
    golden(folder / "plan.txt", text + "\n")
    if plan is not None:
        assert ask.unasked() == []
        assert from_data(json.loads(json.dumps(to_data(plan))), Plan) == plan
        assert planned(folder)[0].digest == plan.digest


@pytest.mark.parametrize(
    "folder", [case for case in CASES if (case / "plan.json").exists()], ids=lambda path: path.name
)
def test_a_plan_as_programs_get_it(folder: Path, golden: Golden) -> None:
    data = json.loads(plan_json(mask_plan(planned(folder)[0])))
    # Digests follow from the rest, and would only make every difference two.
    data |= {"digest": data["digest"].partition(":")[0], "observed": sorted(data["observed"])}
    golden(folder / "plan.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def test_there_are_cases() -> None:
    assert len(CASES) >= 12
    assert any((folder / "plan.json").exists() for folder in CASES)

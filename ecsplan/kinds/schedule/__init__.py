"""EventBridge Scheduler schedules: moved to a revision; everything else about them keeps its live values.

UpdateSchedule replaces the whole schedule, so the live one is sent back with the declared members over it. It has no
version and no condition; a plan that was made before another change is stale by its fingerprint.
"""

from __future__ import annotations

from datetime import date, datetime, time

from ecsplan.core.checks import Request
from ecsplan.core.documents import is_empty
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Phase, Step
from ecsplan.core.rates import Rate
from ecsplan.kinds.contract import CompileScope, Table
from ecsplan.kinds.form import Form
from ecsplan.kinds.put import put_kind
from ecsplan.kinds.schedule import lint, target
from ecsplan.kinds.schedule.rules import RULES

# A schedule right after it was created (reports on UpdateSchedule); AWS did nothing.
CONFLICT = "ConflictException"
PAST_START = "StartDate you specify cannot be earlier"
DATES = (datetime, date, time)  # those without an offset are a problem of the lint


def acceptable(table: Doc, scope: CompileScope) -> Doc:
    """Without a StartDate that is past: AWS no longer accepts it, and the schedule keeps the one that it has."""
    return {k: v for k, v in table.items() if k != "StartDate" or not lint.is_past(v, scope.now)}


def excluding(declared: Doc, live: Doc) -> Doc:
    """The declared schedule with None for what AWS refuses beside it: a window's length beside OFF, and what its target
    goes without."""
    result = dict(declared)
    window = result.get("FlexibleTimeWindow")
    if isinstance(window, dict) and window.get("Mode") == "OFF":
        result["FlexibleTimeWindow"] = {"MaximumWindowInMinutes": None, **window}
    if isinstance(result.get("Target"), dict):
        result["Target"] = target.excluding(result["Target"], live.get("Target") or {})
    return result


def unfit(merged: Doc, live: Doc) -> str:
    """Why AWS would refuse the schedule as a whole, or it would run no task definition; "" if it is sound."""
    return target.unfit(merged.get("Target") or {}, live.get("Target") or {}) or lint.unsound(merged)


def note(doc: Doc) -> str:
    """What people should know before a schedule is put: the rhythm of `rate()` may begin anew (its documentation does
    not say)."""
    expression = str(doc.get("ScheduleExpression", ""))
    if expression.startswith("rate(") and is_empty(doc.get("StartDate")):
        return f"{expression} may be counted from this update"
    return ""


def instead(step: Step, call: Call, error: AwsError) -> tuple[Call, str] | None:
    """AWS may refuse a StartDate that is past. A declared one gives way to the live one, which the undo has; if that is
    refused too, or is the one that was sent, there is none."""
    start = call.params.get("StartDate")
    if PAST_START not in error.message or start is None:
        return None
    params = {name: value for name, value in call.params.items() if name != "StartDate"}
    live = step.undo.params.get("StartDate") if isinstance(step.undo, Call) else None
    if start == step.call.params.get("StartDate") and live not in (None, start):
        params["StartDate"] = live
        said = f"its StartDate {start} is past, and AWS does not accept it: the live one stays, {live}"
    else:
        said = (
            f"its StartDate {start} is past, and AWS does not accept it again: it is left out; "
            "the runs of a rate() expression may move"
        )
    return Call(service=call.service, operation=call.operation, params=params), said


KIND = put_kind(
    name="schedule",
    order=4,
    phase=Phase.TARGETS,
    table=Table(
        key=lint.KEY,
        request=Request(
            service="scheduler",
            operation="update_schedule",
            partial=True,
            required=frozenset({"Name"}),
            filled=frozenset({"Name", "GroupName"}),
            supplied={"ClientToken": "ecsplan sends each update once; leave it out"},
            lenient={"StartDate": DATES, "EndDate": DATES},
        ),
    ),
    identity=("GroupName", "Name"),
    get="get_schedule",
    not_found={"ResourceNotFoundException"},
    revision="Target.EcsParameters.TaskDefinitionArn",
    rules=RULES,
    # Regions have quotas of 250 to 5,000 requests a second for CreateSchedule; for GetSchedule and UpdateSchedule none
    # is documented, so the least is taken.
    rates=(
        Rate(operations=frozenset({"scheduler:*"}), burst=250, per_second=250, source="EventBridge Scheduler, quotas"),
    ),
    retryable=lambda error: error.code == CONFLICT,
    lint=lint.problems,
    cautions=lint.cautions,
    acceptable=acceptable,
    form=Form(document=target.as_document, request=target.as_request, complete=target.complete),
    excluding=excluding,
    unfit=unfit,
    note=note,
    instead=instead,
)

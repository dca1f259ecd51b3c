"""No secret of a plan leaves a deployment: not in what is published, and not in half."""

from __future__ import annotations

from ecsplan.core import events
from ecsplan.core.diagnosis import LONGEST_LINE, Diagnosis, LogTail
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Address
from ecsplan.journal import Closed, Outcome
from tests.unit.builders import AT, plan, register, update
from tests.unit.rig import Rig

SECRET = "hunter2-very-secret"


def test_the_end_that_is_published_has_no_secret() -> None:
    rig = Rig()
    rig.hide(SECRET)
    rig.aws.fail("update_service", AwsError(f"{SECRET} is too short"))
    result = rig.apply(plan(register(), update()))
    assert result.reason == "(sensitive) is too short"
    assert [event.reason for event in rig.closed] == [result.reason]


def test_a_secret_at_the_end_of_a_long_line_is_taken_out_before_the_line_is_cut() -> None:
    rig = Rig()
    rig.hide(SECRET)
    line = "x" * (LONGEST_LINE - 8) + SECRET + "y" * 20
    log = LogTail(container="web", task="1", group="/web", stream="web/web/1", lines=(line,))
    found = Diagnosis(reason="it crashed", logs=(log,))
    ports = rig.ports
    ports.emit(events.Diagnosed(address=Address("service.prod/web"), diagnosis=found))
    ports.journal.append(Closed(at=AT, outcome=Outcome.PUT_BACK, diagnoses={Address("service.prod/web"): found}))
    assert SECRET[:4] not in repr(rig.said)
    assert SECRET[:4] not in repr(rig.log.entries)
    (seen,) = rig.happened(events.Diagnosed)
    assert seen.diagnosis.logs[0].lines[0] == f"{'x' * (LONGEST_LINE - 8)}(sensiti …"

"""One table: what each phase of a deployment is called in every format for people, planned, done, failed, undone."""

from __future__ import annotations

from dataclasses import dataclass

from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Phase


@dataclass(frozen=True, kw_only=True)
class PhaseWords:
    """The words of one phase."""

    planned: str
    """in a plan's summary, after the number of steps"""
    accepted: str
    """of a step whose call was accepted"""
    starting: str
    """of a row of the table whose call is under way"""
    finished: str = ""
    """of a row that is all done"""
    together: str = ""
    """the name of the one row for all steps of a phase whose effect takes no time; "" where each step has a row"""
    reverting: str = "putting back"
    """of a step whose undo was accepted"""
    reverted: str = "put back"
    """of a row whose undo is done"""


WORDS = {
    Phase.STOP: PhaseWords(planned="to stop", accepted="stopping", starting="stopping", finished="stopped"),
    Phase.REGISTER: PhaseWords(
        planned="to register",
        accepted="registered",
        starting="registering",
        finished="registered",
        together="task definitions",
        reverting="deregistered again",
        reverted="deregistered again",
    ),
    Phase.RUN: PhaseWords(planned="to run", accepted="started", starting="starting", reverting="stopped"),
    Phase.UPDATE: PhaseWords(planned="to update", accepted="updating", starting="starting"),
    Phase.TARGETS: PhaseWords(
        planned="to retarget", accepted="targets set", starting="setting", finished="set", together="targets"
    ),
    Phase.RETIRE: PhaseWords(
        planned="to deregister",
        accepted="deregistered",
        starting="deregistering",
        finished="deregistered",
        together="old revisions",
    ),
}

# Of a step that sends nothing: what it waits for was begun before.
WAITS, WAITS_PLANNED, WAITED = "already under way", "to wait for", "waited for"

# How a row of the table has failed, by its status in events; any other reads "failed".
FAILURES = {
    Status.ROLLED_BACK.value: "rolled back by ECS",
    Status.SUPERSEDED.value: "superseded",
    Status.TIMED_OUT.value: "timed out",
    Status.FORGOTTEN.value: "end unknown",
}

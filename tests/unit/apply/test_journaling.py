"""A journal that cannot be written stops the deployment: nothing is sent that could not be journaled."""

from __future__ import annotations

import pytest

from ecsplan.core.errors import JournalError
from ecsplan.journal import Began, Closed, Done, Entry, Failed, Outcome
from tests.unit.builders import plan, register, targets, update, whole
from tests.unit.fakes import refusal
from tests.unit.rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def refuse(rig: Rig, kind: type[Entry], *, step: int | None = None, undo: bool = False, once: bool = False) -> None:
    """Make the journal fail from the first entry of this kind on; or only at that one."""
    broken = False

    def on_append(entry: Entry) -> None:
        nonlocal broken
        fits = isinstance(entry, kind) and (
            step is None or (getattr(entry, "step", None) == step and getattr(entry, "undo", False) is undo)
        )
        if broken or fits:
            broken = not once
            raise JournalError("the journal cannot be written: no space left")

    rig.log.on_append = on_append


@pytest.mark.parametrize("policy", ["rollback", "stop"])
@pytest.mark.parametrize(
    ("kind", "step", "sent"), [(Began, 1, 0), (Done, 1, 1), (Began, 2, 1), (Done, 2, 2), (Began, 3, 2), (Began, 5, 4)]
)
def test_nothing_is_sent_after_the_journal_failed(
    rig: Rig, kind: type[Entry], step: int, sent: int, policy: str
) -> None:
    refuse(rig, kind, step=step)
    result = rig.apply(plan(*whole()), on_failure=policy)
    assert (result.outcome, result.reason) == (Outcome.STOPPED, "the journal cannot be written: no space left")
    assert len(rig.aws.sent) == sent


def test_nothing_is_sent_after_the_journal_failed_for_one(rig: Rig) -> None:
    """Also not the undos for another step's failure, and even though the journal could be written again."""
    rig.aws.fail("update_service", refusal(message="a said no"), about="'a'")
    refuse(rig, Done, step=3, once=True)
    result = rig.apply(plan(register(), update("a"), update("b")))
    assert result.outcome is Outcome.STOPPED
    assert "no space left" in result.reason
    assert rig.aws.operations == ["register_task_definition", "update_service", "update_service"]


def test_a_journal_that_fails_while_undoing_stops_it(rig: Rig) -> None:
    rig.aws.fail("put_targets", refusal(message="the targets were refused"))
    refuse(rig, Began, step=2, undo=True)
    result = rig.apply(plan(register(), update(), targets()))
    assert result.outcome is Outcome.STOPPED
    assert result.reason == (
        "the targets were refused; and putting things back failed: the journal cannot be written: no space left"
    )
    assert rig.aws.operations[-1] == "put_targets"


def test_a_failure_that_cannot_be_journaled_is_told_all_the_same(rig: Rig) -> None:
    rig.aws.fail("update_service", refusal(message="the update was refused"))
    refuse(rig, Failed)
    result = rig.apply(plan(register(), update()))
    assert result.outcome is Outcome.STOPPED
    assert "no space left" in result.reason
    assert "the update was refused" in result.reason
    assert rig.aws.operations == ["register_task_definition", "update_service"]


def test_a_last_word_that_cannot_be_written_changes_nothing(rig: Rig) -> None:
    refuse(rig, Closed)
    assert rig.apply(plan(register())).outcome is Outcome.SUCCEEDED
    assert not rig.log.of(Closed)

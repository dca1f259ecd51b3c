"""What the journal keeps of deployments that are tried again, ended by others, or cut off before their first call."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecsplan.core.errors import JournalError
from ecsplan.journal import (
    Began,
    Chosen,
    Closed,
    Deployment,
    Done,
    Failed,
    Journal,
    Opened,
    Outcome,
    all_unfinished,
    open_store,
    unfinished,
)
from ecsplan.journal.folder import FolderPlace
from tests.unit.builders import AT, IDENTITY, ORIGIN, deployment, only_planned, plan, register, run, update, whole

BEGAN, CLOSED = Began(at=AT, step=1), Closed(at=AT, outcome=Outcome.INTERRUPTED)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(open_store(tmp_path / ".ecsplan"), "shop", IDENTITY)


def left(*entries: Began | Done | Failed | Closed, options: Chosen | None = None) -> Deployment:
    made = plan(register(), run(), update())
    given = {"options": options} if options else {}
    return Deployment(opened=Opened(number=1, at=AT, origin=ORIGIN, plan=made, **given), entries=entries)  # type: ignore[arg-type]


# --- a deployment that sent nothing leaves nothing ---


def test_it_is_written_with_its_first_call(journal: Journal) -> None:
    writer = journal.open(plan(*whole()), ORIGIN, AT)
    assert journal.numbers() == []
    writer.append(BEGAN)
    assert journal.read(1).entries == (BEGAN,)
    writer.append(CLOSED)
    writer.close()
    assert journal.read(1).entries == (BEGAN, CLOSED)


@pytest.mark.parametrize("outcome", [Outcome.INTERRUPTED, Outcome.STOPPED, Outcome.UNFINISHED])
def test_cut_off_before_that_it_has_no_number(journal: Journal, outcome: Outcome) -> None:
    writer = journal.open(plan(*whole()), ORIGIN, AT)
    writer.append(Closed(at=AT, outcome=outcome))
    writer.close()
    assert journal.numbers() == []
    assert journal.open(plan(*whole()), ORIGIN, AT).number == 1


def test_one_that_has_ended_without_a_call_is_there(journal: Journal) -> None:
    """A rollback that finds all as it is to be marks what it undoes."""
    writer = journal.open(plan(undoes=(1,)), ORIGIN, AT)
    writer.append(Closed(at=AT, outcome=Outcome.SUCCEEDED))
    writer.close()
    assert [one.outcome for one in journal.deployments()] == [Outcome.SUCCEEDED]


def test_one_of_format_1_0_that_sent_nothing_is_no_deployment(journal: Journal) -> None:
    """That format wrote the plan first. Its number stays given."""
    only_planned(journal)
    assert (journal.deployments(), journal.numbers()) == ([], [1])
    assert journal.open(plan(*whole()), ORIGIN, AT).number == 2


def test_plan_and_first_entry_are_written_whole_or_not_at_all(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / ".ecsplan" / "shop" / str(IDENTITY) / "000001.jsonl").mkdir(parents=True)
    writer = journal.open(plan(*whole()), ORIGIN, AT)
    FolderPlace(tmp_path / ".ecsplan", "shop", IDENTITY).path(writer.number).mkdir()
    with pytest.raises(JournalError, match="cannot be written"):
        writer.append(BEGAN)


def test_what_is_done_before_it_is_written_knows_its_number(journal: Journal) -> None:
    asked: list[int] = []
    writer = journal.open(plan(*whole()), ORIGIN, AT, before=asked.append)
    assert asked == []
    writer.append(BEGAN)
    writer.append(CLOSED)
    assert asked == [1]


# --- ended by another command ---


def test_who_ended_it_is_kept(journal: Journal) -> None:
    writer = journal.open(plan(*whole()), ORIGIN, AT)
    writer.append(BEGAN)
    writer.close()
    journal.end(1, Outcome.ABANDONED, "abandoned by ada@ci-7", ORIGIN, AT)
    found = journal.read(1)
    assert (found.outcome, found.reason, found.ended_by) == (Outcome.ABANDONED, "abandoned by ada@ci-7", ORIGIN)
    assert left(BEGAN, CLOSED).ended_by is None


@pytest.mark.parametrize("outcome", [Outcome.SUPERSEDED, Outcome.ABANDONED])
def test_it_is_in_the_way_of_none(outcome: Outcome) -> None:
    assert unfinished([deployment(1, plan(*whole()), outcome=outcome)]) is None


def test_behind_a_rollback_that_was_abandoned_stands_what_it_was_to_undo() -> None:
    first = deployment(1, plan(*whole()), outcome=Outcome.STOPPED)
    back = deployment(2, plan(*whole(), undoes=(1,)), outcome=Outcome.STOPPED)
    assert [one.number for one in all_unfinished([first, back])] == [2, 1]
    assert unfinished([first, deployment(2, back.plan, outcome=Outcome.ABANDONED)]) is first


def test_what_was_overtaken_put_no_revision_in_use() -> None:
    arns = {1: {"arn": "x/web:42"}}
    assert deployment(1, plan(register()), outputs=arns, outcome=Outcome.SUPERSEDED).revisions() == {}
    assert deployment(1, plan(register()), outputs=arns, outcome=Outcome.ABANDONED).revisions() == {"web": "web:42"}


# --- tried again ---

FAILED = Failed(at=AT, step=2, error="no")


@pytest.mark.parametrize(
    ("entries", "options", "again"),
    [
        ((BEGAN, FAILED), Chosen(on_failure="stop"), True),
        ((BEGAN, FAILED), Chosen(on_failure="rollback"), False),
        # Format 1.0 keeps no options: one that stopped after a failure, and put nothing back, was to stop.
        ((BEGAN, FAILED, Closed(at=AT, outcome=Outcome.STOPPED)), None, True),
        ((BEGAN, FAILED), None, False),
        ((BEGAN, Closed(at=AT, outcome=Outcome.STOPPED)), None, False),
        ((BEGAN, FAILED, Began(at=AT, step=1, undo=True), Closed(at=AT, outcome=Outcome.STOPPED)), None, False),
    ],
)
def test_whether_what_failed_is_tried_again(
    entries: tuple[Began | Failed | Closed, ...], options: Chosen | None, again: bool
) -> None:
    assert left(*entries, options=options).tries_again is again


def test_an_attempt_that_made_nothing_leaves_what_the_one_before_it_made() -> None:
    """So that it can be undone."""
    first = (BEGAN, Done(at=AT, step=1, outputs={"arn": "1"}), Failed(at=AT, step=1, error="lost"))
    state = left(*first).step_states()[1]
    assert (state.made, state.failed, state.outdated, state.open) == ({"arn": "1"}, "lost", False, False)
    begun = (*first, Began(at=AT, step=1, attempt=1))
    state = left(*begun).step_states()[1]
    assert (state.made, state.outdated, state.open) == ({"arn": "1"}, True, True)
    state = left(*begun, Failed(at=AT, step=1, error="refused")).step_states()[1]
    assert (state.made, state.outdated, state.open, state.failed) == ({"arn": "1"}, True, False, "refused")
    state = left(*begun, Done(at=AT, step=1, outputs={"arn": "2"})).step_states()[1]
    assert (state.made, state.outdated, state.failed) == ({"arn": "2"}, False, "")


def test_an_undo_whose_effect_failed_is_to_be_sent_again() -> None:
    undo = (Began(at=AT, step=1, undo=True), Done(at=AT, step=1, outputs={"deployment": "u"}, undo=True))
    state = left(BEGAN, Done(at=AT, step=1, outputs={"arn": "1"}), *undo).step_states()[1]
    assert (state.undone, state.made) == (True, None)
    failed = Failed(at=AT, step=1, error="no", undo=True)
    state = left(BEGAN, Done(at=AT, step=1, outputs={"arn": "1"}), *undo, failed).step_states()[1]
    assert (state.undone, state.made, state.undo_tried) == (False, {"arn": "1"}, {"deployment": "u"})


def test_one_that_joined_a_task_has_begun() -> None:
    """It is done without a call of its own."""
    assert left(Done(at=AT, step=2, outputs={"tasks": "a", "joined": "m"})).begun() == {2}

"""The states that a journal knows: which is in effect, and where a rollback goes."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from ecsplan.core.errors import UsageError
from ecsplan.core.model import Action, Doc, Irreversible, Plan, Rollback
from ecsplan.journal import Closed, Deployment, Outcome
from ecsplan.plan.rollback import State, default_state, is_revision, numbered_state, state_of, tagged_state
from tests.unit.builders import AT, deployment, kept, moved, plan, register, run, targets, update
from tests.unit.plan.rollback.test_restore import THREE, arn, one, registered, to

START = State(number=0)


def left(number: int) -> State:
    return State(number=number)


def back(number: int, *, undoes: tuple[int, ...], to_: str = "", outcome: Outcome = Outcome.SUCCEEDED) -> Deployment:
    """A rollback; without `to_` of an ecsplan that did not write down where it went."""
    made = plan(
        update(), changes=(kept(), moved(old=40)), undoes=undoes, rollback=Rollback(back_to=to_) if to_ else UNSET
    )
    return deployment(number, made, outcome=outcome)


# --- where none is named ---


def test_it_is_before_the_newest() -> None:
    assert default_state(THREE) == left(2)
    assert default_state(THREE[:1]) == START


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.INTERRUPTED, Outcome.UNFINISHED, None])
def test_one_that_was_left_part_way_counts(outcome: Outcome | None) -> None:
    assert default_state([THREE[0], one(2, to(42, old=41), outcome=outcome)]) == left(1)


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.SUPERSEDED, Outcome.ABANDONED])
def test_one_that_was_left_part_way_is_no_target(outcome: Outcome) -> None:
    """It ended some other way since, and the next was deployed over it."""
    partly = one(2, to(42, old=41), outcome=outcome)
    assert default_state([THREE[0], partly]) == left(1)
    assert default_state([THREE[0], partly, one(3, to(43, old=42))]) == left(1)


@pytest.mark.parametrize("to_", ["", "2"])
def test_two_rollbacks_go_two_back(to_: str) -> None:
    assert default_state([*THREE, back(4, undoes=(3,), to_=to_)]) == left(1)


def test_three_go_before_all_and_then_there_is_nothing_left() -> None:
    deployments = [*THREE, back(4, undoes=(3,), to_="2"), back(5, undoes=(2, 3, 4), to_="1")]
    assert default_state(deployments) == START
    with pytest.raises(UsageError, match=r"^there is nothing to roll back") as caught:
        default_state([*deployments, back(6, undoes=(1, 2, 3, 4, 5), to_="0")])
    assert caught.value.hint == "To go to what a deployment left, name it: ecsplan rollback --to 3"


def test_forward_again_and_back_again() -> None:
    """1, 2, back to 1, forward to 2: before that is 1."""
    forward = [*THREE[:2], back(3, undoes=(2,), to_="1"), back(4, undoes=(3,), to_="2")]
    assert default_state(forward) == left(1)
    assert default_state([*forward, one(5, to(45, old=41))]) == left(2)


def test_a_deployment_behind_a_rollback_has_before_it_what_was_gone_back_to() -> None:
    assert default_state([*THREE[:2], back(3, undoes=(2,), to_="1"), one(4, to(44, old=41))]) == left(1)


def test_an_unfinished_rollback_is_continued() -> None:
    """To undo it would bring back what it was undoing."""
    assert default_state([*THREE[:2], back(3, undoes=(2,), to_="1", outcome=Outcome.STOPPED)]) == left(1)
    assert default_state([*THREE[:2], back(3, undoes=(2,), outcome=Outcome.STOPPED)]) == left(1)


def test_a_rollback_that_was_put_back_has_changed_nothing() -> None:
    assert default_state([*THREE, back(4, undoes=(3,), to_="2", outcome=Outcome.PUT_BACK)]) == left(2)


def test_by_a_revision_it_is_gone_back_to_the_deployment_of_that() -> None:
    assert default_state([*THREE, back(4, undoes=(), to_="web:42")]) == left(1)


def test_a_revision_that_no_deployment_knows_stands_in_the_place_of_the_newest() -> None:
    assert default_state([*THREE, back(4, undoes=(), to_="web:7")]) == left(2)


def test_irreversible_changes_do_not_count() -> None:
    """A one-off task ran, or a service was deployed anew without a difference."""
    only_ran = deployment(2, plan(run(), changes=(kept(),)))
    anew = replace(update(), changes=())
    redeployed = deployment(3, plan(anew, changes=(moved(),)))
    assert default_state([THREE[0], only_ran, redeployed]) == START


def test_deployments_without_effect_do_not_count() -> None:
    put_back = one(2, to(42, old=41), outcome=Outcome.PUT_BACK)
    nothing = deployment(3, to(43, old=41), begun=[], outcome=Outcome.INTERRUPTED)
    assert default_state([THREE[0], put_back, nothing]) == START


def test_without_deployments_or_behind_a_rollback_to_a_revision_only_aws_knows() -> None:
    assert default_state([]) is None
    assert default_state([back(1, undoes=(), to_="web:7")]) is None
    assert default_state([back(1, undoes=(), to_="web:7", outcome=Outcome.STOPPED)]) == START


def test_nothing_to_roll_back() -> None:
    with pytest.raises(UsageError, match=r"^there is nothing to roll back") as caught:
        default_state([one(1, to(41, old=40), outcome=Outcome.PUT_BACK)])
    assert caught.value.hint == ""


def test_the_last_outcome_counts() -> None:
    resumed = one(2, to(42, old=41), outcome=Outcome.STOPPED)
    settled = Deployment(opened=resumed.opened, entries=(*resumed.entries, Closed(at=AT, outcome=Outcome.PUT_BACK)))
    assert default_state([THREE[0], settled]) == START


# --- what others had deployed ---


def test_what_a_deployment_found_of_others_is_a_state() -> None:
    """Between 1 and 2 another journal deployed web:50."""
    second = one(2, to(51, old=50))
    assert default_state([THREE[0], second]) == State(number=2, found=True)
    assert default_state([THREE[0], second, back(3, undoes=(2,), to_="before 2")]) == left(1)


def test_what_a_deployment_found_after_a_failed_one_is_no_such_state() -> None:
    put_back = one(2, to(42, old=41), outcome=Outcome.PUT_BACK)
    assert default_state([THREE[0], put_back, one(3, to(43, old=41))]) == left(1)


@pytest.mark.parametrize("old", [41, 42])
def test_one_that_was_left_part_way_may_have_left_either(old: int) -> None:
    partly = one(2, to(42, old=41), outcome=Outcome.STOPPED)
    assert default_state([THREE[0], partly, one(3, to(43, old=old))]) == left(1)


def nightly(number: int) -> Doc:
    return {"Rule": "nightly", "Targets": [{"Id": "a", "EcsParameters": {"TaskDefinitionArn": arn(number)}}]}


def test_targets_count_as_services_do() -> None:
    def pointed(number: int, old: int) -> Deployment:
        change = replace(
            moved(old=old),
            address=targets().address,
            before=nightly(old),
            after=nightly(40 + number),
        )
        return one(number, plan(register(), targets(), changes=(registered(old), change)))

    assert default_state([pointed(1, 40), pointed(2, 41)]) == left(1)
    assert default_state([pointed(1, 40), pointed(2, 50)]) == State(number=2, found=True)


def waited(number: int, on: int) -> Deployment:
    """It waited for a rollout that others had begun."""
    change = replace(moved(), action=Action.WAIT, before=None, after={**names(), "taskDefinition": arn(on)})
    wait = replace(update(), action=Action.WAIT, changes=(), undo=Irreversible(reason="nothing was sent"))
    return deployment(number, plan(wait, changes=(change,)), begun=[])


def names() -> Doc:
    return {"cluster": "prod", "service": "web"}


def test_what_was_waited_for_is_a_state_where_others_had_deployed_it() -> None:
    assert default_state([*THREE[:2], waited(3, on=42)]) == left(1)
    assert default_state([*THREE[:2], waited(3, on=50)]) == left(2)
    assert default_state([*THREE[:2], waited(3, on=50), one(4, to(51, old=50))]) == left(3)


def test_what_only_waited_knows_no_state_before() -> None:
    assert default_state([waited(1, on=50)]) is None
    assert default_state([waited(1, on=50), one(2, to(51, old=50))]) == START


# --- by a number ---


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_number_is_what_that_deployment_left(number: int) -> None:
    assert numbered_state(THREE, number) == left(number)
    assert numbered_state(THREE, 0) == START


@pytest.mark.parametrize("outcome", [Outcome.PUT_BACK, Outcome.FAILED])
def test_one_that_was_put_back_left_what_was_in_effect_before_it(outcome: Outcome) -> None:
    assert numbered_state([*THREE[:2], one(3, to(43, old=42), outcome=outcome)], 3) == left(2)


def test_a_rollback_left_what_it_went_to() -> None:
    assert numbered_state([*THREE, back(4, undoes=(2, 3), to_="1")], 4) == left(1)
    assert numbered_state([*THREE, back(4, undoes=(1, 2, 3), to_="0")], 4) == START


@pytest.mark.parametrize(
    "outcome", [Outcome.STOPPED, Outcome.INTERRUPTED, Outcome.UNFINISHED, Outcome.SUPERSEDED, Outcome.ABANDONED, None]
)
def test_one_that_did_not_end_well_left_no_state(outcome: Outcome | None) -> None:
    with pytest.raises(UsageError, match=r"^deployment 2 did not end well \(\w+\)") as caught:
        numbered_state([THREE[0], one(2, to(42, old=41), outcome=outcome), THREE[2]], 2)
    assert caught.value.hint == "Those that did: 1, 3. Before all of them is 0."


def test_a_number_that_there_is_not_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"^there is no deployment 4 in the journal: it has 1 to 3$"):
        numbered_state(THREE, 4)
    with pytest.raises(UsageError, match=r"^there is no deployment 1 in the journal: it is empty$"):
        numbered_state([], 1)


# --- by a tag ---


def tagged(number: int, tag: str, **more: object) -> Deployment:
    made: Plan = to(40 + number, old=39 + number, tag=tag)
    return one(number, made, **more)


def test_a_tag_is_the_newest_deployment_of_it_that_succeeded() -> None:
    failed = tagged(5, "a", outcome=Outcome.PUT_BACK)
    deployments = [tagged(1, "a"), tagged(2, "b"), tagged(3, "a"), tagged(4, "c"), failed]
    assert tagged_state(deployments, "a") == left(3)
    assert state_of(deployments, "b") == left(2)


def test_a_tag_that_none_has() -> None:
    failed = tagged(2, "b", outcome=Outcome.PUT_BACK)
    with pytest.raises(UsageError, match=r"^no deployment of b in the journal has succeeded\b") as caught:
        state_of([tagged(1, "a"), failed], "b")
    assert caught.value.hint.startswith("It has such deployments of a.")


def test_a_number_wins_over_a_tag_of_the_same_name() -> None:
    deployments = [tagged(1, "2"), tagged(2, "3"), tagged(3, "777")]
    assert state_of(deployments, "2") == left(2)
    assert state_of(deployments, "777") == left(3)
    with pytest.raises(UsageError, match=r"^there is no deployment 9 in the journal"):
        state_of(deployments, "9")


@pytest.mark.parametrize("to_", ["-1", "web:x", "", ":3", "a b", "web:1234567890", "v1/2"])
def test_what_is_no_place_to_go_to(to_: str) -> None:
    with pytest.raises(UsageError, match=r"^--to takes a deployment's number, a tag or FAMILY:REV, not "):
        is_revision(to_)


def test_what_is_a_revision() -> None:
    assert [is_revision(one) for one in ("web:40", "v1", "12", "sha256:" + "0" * 64, None)] == [
        True, False, False, False, False,
    ]  # fmt: skip

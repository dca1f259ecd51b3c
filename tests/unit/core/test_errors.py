"""Every known error ends in its exit code, and says what happened, what state that leaves, and what to do."""

from __future__ import annotations

import pytest

from ecsplan.core import errors
from ecsplan.core.errors import (
    AwsError,
    EcsplanError,
    EmptyJournalFile,
    Exit,
    Fault,
    JournalError,
    LockedError,
    PlanFileError,
    PlanningError,
    RefusedError,
    SpecError,
    StaleError,
    SupersededError,
    UnfinishedError,
    UsageError,
)


def test_the_exit_codes_are_the_contract() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "ERROR": 1,
        "CHANGES": 2,
        "USAGE": 3,
        "STALE": 4,
        "LOCKED": 5,
        "PUT_BACK": 6,
        "STOPPED": 7,
        "UNFINISHED": 8,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EcsplanError("x"), 1),
        (UsageError("x"), 3),
        (SpecError([Fault(file="a", path="b", message="c")]), 3),
        (PlanFileError("x"), 3),
        (StaleError("x"), 4),
        (LockedError("x"), 5),
        (UnfinishedError("x"), 7),
        (JournalError("x"), 1),
        (EmptyJournalFile("x"), 1),
        (AwsError("x"), 1),
        (RefusedError("x"), 1),
        (SupersededError("x"), 1),
        (PlanningError(["x"]), 1),
    ],
)
def test_each_error_has_its_exit_code(error: EcsplanError, code: int) -> None:
    assert error.exit_code == code


def test_no_error_is_without_a_test_of_its_exit_code() -> None:
    known = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, EcsplanError)
    }
    assert known == {
        "EcsplanError", "UsageError", "SpecError", "PlanFileError", "StaleError", "LockedError", "UnfinishedError",
        "JournalError", "EmptyJournalFile", "AwsError", "RefusedError", "SupersededError", "PlanningError",
    }  # fmt: skip


def test_the_text_has_what_is_known_in_order() -> None:
    assert str(EcsplanError("it failed", state="Nothing was changed.", hint="Try again.")) == (
        "it failed\nNothing was changed.\nTry again."
    )
    assert str(EcsplanError("it failed", hint="Try again.")) == "it failed\nTry again."
    assert str(EcsplanError("it failed")) == "it failed"


def test_a_fault_names_file_path_and_what() -> None:
    assert str(Fault(file="a.toml", path="tasks.web", message="is missing")) == "a.toml: tasks.web: is missing"
    assert str(Fault(file="a.toml", path="", message="is empty")) == "a.toml: is empty"


def test_faults_sort_by_file_then_path_then_message() -> None:
    faults = [
        Fault(file="b", path="a", message="a"),
        Fault(file="a", path="b", message="b"),
        Fault(file="a", path="b", message="a"),
        Fault(file="a", path="a", message="z"),
    ]
    assert sorted(faults) == [faults[3], faults[2], faults[1], faults[0]]


def test_a_spec_error_has_all_faults() -> None:
    one, two = Fault(file="a", path="b", message="c"), Fault(file="d", path="", message="e")
    assert str(SpecError([one])) == "a fault in the spec; nothing was sent:\n  a: b: c"
    both = SpecError([one, two])
    assert both.faults == (one, two)
    assert str(both) == "2 faults in the spec; nothing was sent:\n  a: b: c\n  d: e"


def test_a_planning_error_has_all_reasons() -> None:
    error = PlanningError(["no service", "no rule"])
    assert error.faults == ("no service", "no rule")
    assert str(error) == "this cannot be planned:\n  no service\n  no rule\nNothing was changed."
    assert str(PlanningError(["x"], where="here")).startswith("this cannot be planned in here:\n")


def test_an_error_of_aws_says_what_was_tried() -> None:
    error = AwsError("no", service="ecs", operation="run_task", code="X", unclear=True, state="s", hint="h")
    assert (error.service, error.operation, error.code, error.unclear) == ("ecs", "run_task", "X", True)
    assert str(error) == "no\ns\nh"
    assert AwsError("no").unclear is False
    assert AwsError("no").locked_out is False


def test_a_refusal_may_hold_what_to_send_again() -> None:
    rest = object()
    assert RefusedError("no", again=rest, state="s", hint="h").again is rest
    assert RefusedError("no").again is None

"""Saved plans: written whole, readable by their owner only, and checked as untrusted input when they are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ecsplan.core.checks import plain_name
from ecsplan.core.codec import digest_of, from_data, to_json
from ecsplan.core.errors import EcsplanError, JournalError, PlanFileError
from ecsplan.core.model import Action, Call, Plan, Step
from ecsplan.journal import Store, check_version, write_file
from ecsplan.kinds import kinds_of
from ecsplan.kinds.contract import Change, Kind
from ecsplan.plan.file_checks import misshapen

MAX_BYTES = 64 * 1024 * 1024


def save(plan: Plan, path: Path) -> None:
    """Writes the plan with its secrets, readable by its owner only."""
    try:
        write_file(path, _encoded(plan))
    except OSError as error:
        raise EcsplanError(f"the plan cannot be saved to {path}: {error.strerror or error}") from error


def save_in_store(plan: Plan, store: Store) -> None:
    """Writes the plan with its secrets beside the journal, where it replaces the one that was saved last for its
    spec."""
    store.save_plan(plan.app, _encoded(plan), plan.spec)


def _encoded(plan: Plan) -> bytes:
    return msgspec.json.format(to_json(plan), indent=1) + b"\n"


def load(path: Path) -> Plan:
    """A saved plan. Raises PlanFileError for one that is missing, damaged, of another version, changed by hand, or that
    names an operation that no kind makes."""
    try:
        with path.open("rb") as file:  # the size of a pipe or a device is not known before
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _no_plan(str(path)) from None
    except OSError as error:
        raise PlanFileError(f"the plan {path} cannot be read: {error.strerror or error}") from error
    return _read(text, str(path))


def load_from_store(store: Store, app: str, spec: str | None = None) -> tuple[str, Plan]:
    """Where it is, and the plan that was saved last for this spec, which is named as by `Store.spec_name`; without one,
    the only saved plan of the app. It is checked as `load` does. Raises PlanFileError where there is none, or more than
    one to choose from."""
    try:
        where, text = _only(store, app) if spec is None else _of_spec(store, app, spec)
    except JournalError as error:
        raise PlanFileError(error.message) from error
    return where, _read(text, where)


def _only(store: Store, app: str) -> tuple[str, bytes]:
    saved = store.saved_plans(app, MAX_BYTES + 1)
    if not saved:
        raise _no_plan(store.plan_name(app))
    if len(saved) > 1:
        raise PlanFileError(
            f"{app} has several saved plans: {', '.join(where for where, _ in saved)}",
            state="Nothing was sent.",
            hint="Name the spec of one with -f FILE, or the plan itself: ecsplan apply PLAN",
        )
    return saved[0]


def _of_spec(store: Store, app: str, spec: str) -> tuple[str, bytes]:
    where, text = store.plan_name(app, spec), store.load_plan(app, MAX_BYTES + 1, spec)
    if text is not None:
        return where, text
    # An older ecsplan had one plan for all specs, and wrote into none which it was of.
    older = store.load_plan(app, MAX_BYTES + 1)
    if older is None or not _is_of_no_spec(older, store.plan_name(app)):
        raise _no_plan(where, [other for other, _ in store.saved_plans(app, 1)])
    return store.plan_name(app), older


def _is_of_no_spec(text: bytes, where: str) -> bool:
    return not _read(text, where).spec


def _no_plan(where: str, others: Sequence[str] = ()) -> PlanFileError:
    """`others` are the saved plans of other specs."""
    return PlanFileError(
        f"there is no plan at {where}" + (f"; other specs of this app have {', '.join(others)}" if others else ""),
        hint="Make one with: ecsplan plan TAG",
    )


def _read(text: bytes, where: str) -> Plan:
    if len(text) > MAX_BYTES:
        raise PlanFileError(f"{where} is larger than any plan", state="Nothing was sent.")
    try:
        data = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _not_a_plan(where, str(error)) from error
    return decode(data, where)


def decode(data: object, where: str) -> Plan:
    """A plan from JSON data, checked as `load` does. `where` is how messages name it."""
    if not isinstance(data, dict) or "format_version" not in data:
        raise _not_a_plan(where, "it has no format_version")
    try:
        check_version(data["format_version"], where)
        plan: Plan = from_data(data, Plan)
    except JournalError as error:
        raise PlanFileError(error.message, state="Nothing was sent.", hint="Make the plan again.") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _not_a_plan(where, str(error)) from error
    _check_values(plan, where)
    _check_operations(plan, where)
    if fault := misshapen(plan):
        raise _not_a_plan(where, fault)
    if _digest(data, where) != plan.digest:
        raise PlanFileError(
            f"{where}: the plan was changed after it was made: its digest does not fit",
            state="Nothing was sent.",
            hint="Make the plan again; what it should do differently belongs in the spec.",
        )
    return plan


def _digest(data: Mapping[str, object], where: str) -> str:
    try:
        return digest_of({field: value for field, value in data.items() if field != "digest"})
    except RecursionError as error:
        raise _not_a_plan(where, "it is nested too deeply") from error


def _check_values(plan: Plan, where: str) -> None:
    """The values that become the name of a place, a pattern, or the identity of a step."""
    if fault := plain_name(plan.app):
        raise _not_a_plan(where, f"its app {fault}")
    if not re.fullmatch(r"\d{12}", plan.identity.account) or not re.fullmatch(r"[a-z0-9-]{1,64}", plan.identity.region):
        raise _not_a_plan(where, f"{str(plan.identity)!r} is no account and region")
    if [step.index for step in plan.steps] != list(range(1, len(plan.steps) + 1)):
        raise _not_a_plan(where, "its steps are not numbered in order")
    for notify in plan.notify.values():
        try:
            re.compile(notify.blacklist_regex)
        except (re.error, OverflowError, RecursionError) as error:
            raise _not_a_plan(where, f"{notify.blacklist_regex!r} is no regular expression: {error}") from error


def _check_operations(plan: Plan, where: str) -> None:
    """Only operations that a kind makes are allowed."""
    try:
        kinds = kinds_of(plan)
    except PlanFileError as error:
        raise _not_a_plan(where, error.message) from error
    for step in plan.steps:
        change = kinds[step.address].change
        if step.action is Action.WAIT:
            _check_wait(step, kinds[step.address], where)
            continue
        for call in (step.call, step.undo):
            if not isinstance(call, Call):
                continue
            if str(call) not in change.writes:
                raise PlanFileError(
                    f"{where}: step {step.index} ({step.address}) asks for {call}, which ecsplan never does",
                    state="Nothing was sent.",
                )
            _check_subject(step, call, change, where)


def _check_wait(step: Step, kind: Kind, where: str) -> None:
    """A step that waits sends nothing: its call only reads, and there is nothing to undo."""
    awaited = kind.track.awaited if kind.track is not None else None
    if awaited is None or isinstance(step.undo, Call) or not step.call.operation.startswith("describe_"):
        raise _not_a_plan(where, f"step {step.index} ({step.address}) waits for nothing that ecsplan waits for")
    try:
        call = awaited(step).call
    except (KeyError, IndexError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise _not_a_plan(where, f"step {step.index} lacks the name of what it waits for: {error}") from error
    _check_subject(step, call, kind.change, where)


def _check_subject(step: Step, call: Call, change: Change, where: str) -> None:
    """A call must change the address of its step."""
    try:
        name = change.subject(call)
    except (KeyError, TypeError, AttributeError) as error:
        raise _not_a_plan(where, f"step {step.index} lacks the name of what it changes: {error}") from error
    if name and step.address.name not in (name, f"{name}:{step.address.name.rpartition(':')[2]}"):
        raise _not_a_plan(where, f"step {step.index} says {step.address} and would change {name}")


def _not_a_plan(where: object, why: str) -> PlanFileError:
    return PlanFileError(f"{where} is not a plan of ecsplan: {why}", state="Nothing was sent.")

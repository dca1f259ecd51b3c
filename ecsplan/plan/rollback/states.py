"""The states that a journal knows, and which of them is in effect: what there is to go back to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile

from ecsplan.core.errors import UsageError
from ecsplan.core.model import Action, Address, Call, Irreversible, Step, Value
from ecsplan.journal import Deployment, Outcome
from ecsplan.kinds.contract import Kind
from ecsplan.plan.compile import TAG
from ecsplan.plan.rollback.left import declares_nothing, kinds_in, left_by, reversible, revisions_in


class State(Value, frozen=True, kw_only=True):
    """What deployment `number` left, or what it found (`found`). 0 is before all deployments."""

    number: int
    found: bool = False

    @property
    def key(self) -> str:
        """As `Plan.back_to` has it."""
        return f"before {self.number}" if self.found else str(self.number)

    @property
    def newest_kept(self) -> int:
        """The number of the newest deployment that going back to this state does not undo."""
        return self.number - 1 if self.found else self.number


START = State(number=0)
Trail = tuple[State, ...]
"""States that followed each other, the one in effect last, without those that were undone or put back"""


NUMBER = re.compile(r"[0-9]{1,9}")
REVISION = re.compile(r"[A-Za-z0-9_-]+:[0-9]{1,9}")


def is_revision(to: str | None) -> bool:
    """Is it `FAMILY:REV`? Raises UsageError for what is neither that, nor a number, nor a tag."""
    if to is None or REVISION.fullmatch(to):
        return to is not None
    if not TAG.fullmatch(to):
        raise UsageError(f"--to takes a deployment's number, a tag or FAMILY:REV, not {to!r}")
    return False


def state_of(deployments: Sequence[Deployment], to: str | None) -> State | None:
    """The state that a deployment's number or a tag names, or where a rollback goes if nothing is named: None where
    only AWS knows it. What is both names the deployment."""
    if to is None:
        return default_state(deployments)
    tags = {deployment.plan.tag for deployment in deployments}
    if NUMBER.fullmatch(to) and (int(to) in {0, *_by_number(deployments)} or to not in tags):
        state = numbered_state(deployments, int(to))
    else:
        state = tagged_state(deployments, to)
    if unknown := not_known_before(deployments, state):
        raise UsageError(
            f"what was before in {', '.join(unknown)} is not in the journal: others had begun the rollout, and the "
            "deployment only waited for it, or deployed it again",
            hint="To go to what ECS had before: ecsplan rollback\nTo a revision: ecsplan rollback --to FAMILY:REV",
        )
    return state


def default_state(deployments: Sequence[Deployment]) -> State | None:
    """The first of `default_states`."""
    states = default_states(deployments)
    return states[0] if states else None


def default_states(deployments: Sequence[Deployment]) -> tuple[State, ...]:
    """Where a rollback goes if nothing is named: to the newest state before the one in effect, or if that is no good to
    the next. So two rollbacks go two back. One that was left part-way is continued: undoing it would restore what it
    was rolling back from. Empty where only AWS knows what was before: if a rollback to a revision is in effect, or
    deployments that waited for what others had begun."""
    if all(deployment.plan.only_waits for deployment in deployments):
        return ()
    trail, known = _trails(deployments)[-1], _by_number(deployments)
    if len(trail) < 2:
        undone = {n for d in deployments if d.outcome is Outcome.SUCCEEDED for n in d.plan.undoes}
        if not_known_before([d for d in deployments if d.number not in undone], START, failed=True):
            return ()
        why = "no deployment in the journal has changed anything that is still in effect"
        raise UsageError(f"there is nothing to roll back: {why}", hint=_to_go_forward(deployments))
    newest = known[trail[-1].number]
    if is_rollback(newest) and newest.outcome is Outcome.SUCCEEDED and trail[:-1] == (START,):
        return ()
    states = [state for state in reversed(trail[:-1]) if _is_target(state, known)]
    return tuple(takewhile(lambda state: not not_known_before(deployments, state), states))


def not_known_before(deployments: Sequence[Deployment], state: State, *, failed: bool = False) -> tuple[Address, ...]:
    """What deployments after this state touched without a record of what was there before: they waited for a rollout
    that others had begun, or deployed again what had failed. With `failed`, those that failed count too."""
    kinds, known = kinds_in(deployments), _by_number(deployments)
    target = known.get(state.number) if not state.found else None
    recorded = set(left_by(target, kinds)) if target is not None else set()
    adopted: list[Address] = []
    for deployment in deployments:
        if deployment.number <= state.newest_kept or is_rollback(deployment):
            continue
        if not deployment.outcome.left_nothing:
            recorded |= {change.address for change in reversible(deployment, kinds) if change.before}
        if not deployment.outcome.left_nothing or (failed and deployment.outcome is Outcome.FAILED):
            adopted += [step.address for step in deployment.plan.steps if _is_adopted(step, kinds)]
    return tuple(dict.fromkeys(address for address in adopted if address not in recorded))


def _is_adopted(step: Step, kinds: Mapping[Address, Kind]) -> bool:
    """Is what the step deploys, or waits for, live already?"""
    again = step.action is Action.UPDATE and not step.changes and isinstance(step.undo, Irreversible)
    return step.action is Action.WAIT or (again and kinds[step.address].compare is not None)


def undone_by_history(deployments: Sequence[Deployment]) -> tuple[int, ...]:
    """The numbers of the deployments that a rollback by what AWS remembers undoes: those of the state in effect."""
    trail = _trails(deployments)[-1]
    kept = trail[-2].newest_kept if len(trail) > 1 else 0
    later = [one for one in deployments if one.number > kept and not one.outcome.left_nothing]
    return tuple(one.number for one in later if one.begun() and not is_rollback(one))


def _to_go_forward(deployments: Sequence[Deployment]) -> str:
    ended = [d.number for d in deployments if d.outcome is Outcome.SUCCEEDED and not is_rollback(d)]
    return f"To go to what a deployment left, name it: ecsplan rollback --to {ended[-1]}" if ended else ""


def numbered_state(deployments: Sequence[Deployment], number: int) -> State:
    """What deployment `number` left. If it was put back, or was a rollback, that is what was in effect after it."""
    known = _by_number(deployments)
    if number == 0:
        return START
    if number not in known:
        have = f"it has {min(known)} to {max(known)}" if known else "it is empty"
        raise UsageError(f"there is no deployment {number} in the journal: {have}")
    deployment = known[number]
    if deployment.outcome is not Outcome.SUCCEEDED and not deployment.outcome.left_nothing:
        ended = [n for n, one in known.items() if one.outcome is Outcome.SUCCEEDED and n != number]
        raise UsageError(
            f"deployment {number} did not end well ({deployment.outcome.value}): it left no state to go back to",
            hint=f"Those that did: {_listed(ended)}. Before all of them is 0." if ended else "Before it is 0.",
        )
    if deployment.outcome is Outcome.SUCCEEDED and not is_rollback(deployment):
        return State(number=number)
    trails = dict(zip((0, *known), _trails(deployments), strict=True))
    return [state for state in trails[number] if _is_target(state, known)][-1]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[-5:]))


def tagged_state(deployments: Sequence[Deployment], tag: str) -> State:
    """What the newest deployment of this tag left that succeeded."""
    ended = [d for d in deployments if d.outcome is Outcome.SUCCEEDED and not is_rollback(d)]
    found = [deployment.number for deployment in ended if deployment.plan.tag == tag]
    if not found:
        tags = list(dict.fromkeys(deployment.plan.tag for deployment in ended))
        have = f"of {', '.join(tags[-5:])}" if tags else "of none"
        raise UsageError(
            f"no deployment of {tag} in the journal has succeeded",
            hint=f"It has such deployments {have}. A deployment is named by its number, a revision as FAMILY:REV.",
        )
    return State(number=found[-1])


def is_rollback(deployment: Deployment) -> bool:
    return bool(deployment.plan.undoes or deployment.plan.back_to)


# --- the trail ---


def _trails(deployments: Sequence[Deployment]) -> list[Trail]:
    """The trail before all, and after each deployment."""
    kinds, left, known = kinds_in(deployments), _Left(), _by_number(deployments)
    result: dict[int, Trail] = {0: (START,)}
    trail: Trail = (START,)
    for deployment in deployments:
        trail = _after(deployment, trail, result, left, kinds, known)
        left.take(deployment, kinds)
        result[deployment.number] = trail
    return list(result.values())


def _after(
    deployment: Deployment,
    trail: Trail,
    before: Mapping[int, Trail],
    left: _Left,
    kinds: Mapping[Address, Kind],
    known: Mapping[int, Deployment],
) -> Trail:
    own = State(number=deployment.number)
    if deployment.outcome.left_nothing:
        return (*trail, own) if left.has_moved(deployment, kinds) else trail
    if is_rollback(deployment):
        target = _gone_back(deployment, trail, before, known)
        if deployment.outcome is Outcome.SUCCEEDED and not _left_out(deployment, target, kinds, known):
            return target or (*trail[: max(1, len(trail) - 1)], own)
        return (*(target or trail), own) if deployment.begun() else trail
    if not (_changed(deployment) or _is_open(deployment)):
        return (*trail, own) if left.has_moved(deployment, kinds) else trail
    if left.differs(deployment, kinds):
        return (*trail, State(number=deployment.number, found=True), own)
    return (*trail, own)


def _left_out(
    deployment: Deployment, target: Trail | None, kinds: Mapping[Address, Kind], known: Mapping[int, Deployment]
) -> bool:
    """Has this rollback left anything as it was, of what it was to put back? Then it has not arrived."""
    of_target = [known[target[-1].number]] if target and target[-1].number in known else []
    wanted = {address for one in of_target for address in left_by(one, kinds)}
    undone = [known[number] for number in deployment.plan.undoes if number in known]
    wanted |= {change.address for one in undone for change in reversible(one, kinds)}
    return any(
        change.address in wanted and change.after is not None and declares_nothing(kinds[change.address], change.after)
        for change in deployment.plan.changes
    )


def _gone_back(
    deployment: Deployment, trail: Trail, before: Mapping[int, Trail], known: Mapping[int, Deployment]
) -> Trail | None:
    """The trail that a rollback goes back to; None if it went to a revision that no state of the trail has."""
    named = deployment.plan.back_to
    if not named:  # of an ecsplan that did not write it down
        return _at(before, deployment.rollback_target)
    if re.fullmatch(r"\d{1,9}", named):
        return _at(before, int(named))
    if match := re.fullmatch(r"before (\d{1,9})", named):
        return _at(before, int(match[1]))[:-1] or (START,)
    wanted = set(named.split(", "))
    for end in range(len(trail), 0, -1):
        state = trail[end - 1]
        named_one = _is_target(state, known) and not state.found and state != START
        if named_one and wanted <= set(known[state.number].revisions().values()):
            return trail[:end]
    return None


def _at(trails: Mapping[int, Trail], number: int) -> Trail:
    """After this deployment, or after the newest one before it that the journal has."""
    return trails[max(one for one in trails if one <= max(0, number))]


def _is_target(state: State, known: Mapping[int, Deployment]) -> bool:
    """A deployment that did not end well has left no state to go back to, nor is what a rollback left a new one."""
    if state.found or state == START:
        return True
    deployment = known[state.number]
    return deployment.outcome is Outcome.SUCCEEDED and not is_rollback(deployment)


def _by_number(deployments: Sequence[Deployment]) -> dict[int, Deployment]:
    return {deployment.number: deployment for deployment in deployments}


def _changed(deployment: Deployment) -> bool:
    """Has it begun a change that can be rolled back? A one-off task or a redeployment is not such a change."""
    begun = [step for step in deployment.plan.steps if step.index in deployment.begun()]
    return any(isinstance(step.undo, Call) and (step.changes or step.action is not Action.UPDATE) for step in begun)


def _is_open(deployment: Deployment) -> bool:
    """Is it unfinished, with something begun? A rollback must not skip it: that would undo more than was asked for."""
    return not deployment.outcome.ended and bool(deployment.begun())


class _Left:
    """By address, the revisions on which the deployments so far may have left it."""

    def __init__(self) -> None:
        self._revisions: dict[Address, frozenset[str]] = {}

    def take(self, deployment: Deployment, kinds: Mapping[Address, Kind]) -> None:
        if deployment.outcome.left_nothing:
            return
        for address, (_, doc) in left_by(deployment, kinds).items():
            partly = deployment.outcome is not Outcome.SUCCEEDED
            earlier = self._revisions.get(address, frozenset()) if partly else frozenset()
            self._revisions[address] = earlier | revisions_in(doc)

    def has_moved(self, deployment: Deployment, kinds: Mapping[Address, Kind]) -> bool:
        """Did a deployment that changed nothing itself, but only waited or ran tasks, leave something on a revision
        that others had deployed?"""
        ended_so = deployment.outcome in (Outcome.SUCCEEDED, Outcome.FAILED) or (
            deployment.plan.only_waits and not deployment.outcome.ended
        )
        return ended_so and any(
            not revisions_in(doc) <= self._revisions[address]
            for address, (_, doc) in left_by(deployment, kinds).items()
            if address in self._revisions
        )

    def differs(self, deployment: Deployment, kinds: Mapping[Address, Kind]) -> bool:
        """Did this deployment find something on another revision? Then others had deployed, whom this journal does not
        know."""
        return any(
            not revisions_in(change.before) <= self._revisions[change.address]
            for change in reversible(deployment, kinds)
            if change.address in self._revisions
        )

"""Rollback: makes desired resources of the journal, or of ECS's own history.

They go through `diff` and `steps` like any other desired state. So only what differs from the live state is changed,
it is shown and journaled, and it can itself be rolled back.
"""

from ecsplan.plan.rollback.asked import by_others, failed_there, pasts, taken_back
from ecsplan.plan.rollback.history import to_revision
from ecsplan.plan.rollback.left import known_definitions, own_of_new
from ecsplan.plan.rollback.moved import gone, moved_since
from ecsplan.plan.rollback.restore import RollbackState, to_state
from ecsplan.plan.rollback.states import (
    State,
    default_state,
    default_states,
    is_revision,
    numbered_state,
    state_of,
    tagged_state,
    undone_by_history,
)

__all__ = [
    "RollbackState", "State", "by_others", "default_state", "default_states", "failed_there", "gone",
    "is_revision", "known_definitions", "moved_since", "numbered_state", "own_of_new", "pasts", "state_of",
    "tagged_state", "taken_back", "to_revision", "to_state", "undone_by_history",
]  # fmt: skip

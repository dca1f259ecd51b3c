"""How rollouts and one-off tasks end: rules given by the user, newest first, then the built-in rehearsal tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
ROLLED_BACK: Final = "ROLLED_BACK"
NEVER: Final = "NEVER"
ENDS: Final = (COMPLETED, FAILED, ROLLED_BACK, NEVER)

FAIL_ROLLOUT: Final = "fail-rollout"
FAIL_TASK: Final = "fail-task"


@dataclass(frozen=True, kw_only=True)
class RolloutRule:
    """``ends`` None is the rehearsal tag: what becomes of failing tasks is up to the service's circuit breaker."""

    ends: str | None
    seconds: float | None = None
    service: str | None = None
    image: str | None = None
    reason: str | None = None

    def fits(self, service: str, images: Sequence[str]) -> bool:
        named = self.service is None or fnmatchcase(service, self.service)
        return named and (self.image is None or any(fnmatchcase(image, self.image) for image in images))


@dataclass(frozen=True, kw_only=True)
class TaskRule:
    """The end of a one-off task; ``exit_codes`` wins over ``exit_code`` for the containers that it names."""

    exit_codes: Mapping[str, int] = field(default_factory=dict)
    exit_code: int = 0
    seconds: float | None = None
    image: str | None = None
    family: str | None = None
    command: str | None = None
    started: bool = True
    reason: str | None = None
    stopped_reason: str | None = None
    log_lines: tuple[str, ...] = ()

    def fits(self, family: str, images: Sequence[str], commands: Sequence[str]) -> bool:
        wanted = ((self.family, (family,)), (self.image, images), (self.command, commands))
        return all(glob is None or any(fnmatchcase(value, glob) for value in values) for glob, values in wanted)

    def exit_of(self, container: str) -> int:
        return self.exit_codes.get(container, self.exit_code)

    @property
    def fails(self) -> bool:
        return not self.started or bool(self.exit_code) or any(self.exit_codes.values())


class Outcomes:
    """The rules of one sandbox; ``rollout_seconds`` and ``task_seconds`` apply where a rule says nothing.

    ``container_instances`` is how many EC2 instances each cluster has; any number of tasks of any size fits on them.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.rollout_seconds = 1.0
        self.task_seconds = 1.0
        self.container_instances = 2
        self._rollouts: list[RolloutRule] = []
        self._tasks: list[TaskRule] = []

    def add_rollout(self, rule: RolloutRule) -> None:
        if rule.ends not in ENDS:
            raise ValueError(f"unknown end of a rollout {rule.ends!r}: it must be one of {', '.join(ENDS)}")
        _not_negative(rule.seconds)
        self._rollouts.append(rule)

    def add_task(self, rule: TaskRule) -> None:
        _not_negative(rule.seconds)
        self._tasks.append(rule)

    def rollout(self, service: str, images: Sequence[str]) -> RolloutRule:
        for rule in reversed(self._rollouts):
            if rule.fits(service, images):
                return rule
        return RolloutRule(ends=None if _tagged(images, FAIL_ROLLOUT) else COMPLETED)

    def task(self, family: str, images: Sequence[str], commands: Sequence[str]) -> TaskRule:
        rule = self.ordered_task(family, images, commands)
        return rule or TaskRule(exit_code=1 if _tagged(images, FAIL_TASK) else 0)

    def ordered_task(self, family: str, images: Sequence[str], commands: Sequence[str]) -> TaskRule | None:
        """The newest fitting rule that somebody gave, if any."""
        return next((rule for rule in reversed(self._tasks) if rule.fits(family, images, commands)), None)


def _tagged(images: Sequence[str], text: str) -> bool:
    """Whether an image's tag contains ``text``; a registry's port and a repository's name are not its tag."""
    names = (image.rsplit("/", 1)[-1].split("@", 1)[0] for image in images)
    return any(text in name.partition(":")[2] for name in names)


def _not_negative(seconds: float | None) -> None:
    if seconds is not None and seconds < 0:
        raise ValueError("seconds must not be negative")

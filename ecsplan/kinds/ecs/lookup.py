"""Looking up what went wrong: what AWS refuses to tell is said, and hinders nothing."""

from __future__ import annotations

from collections.abc import Collection

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Reader


class Lookup:
    """Asks, and remembers in `missing` what was not answered: a sentence each, none twice."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.missing: list[str] = []

    def fetch(self, *asked: tuple[str, Call], quietly: Collection[str] = ()) -> list[Doc]:
        """All at once, each with what it is to tell; {} for what AWS refuses, which is told unless its code is one of
        `quietly`. Raises only what concerns all calls alike."""
        answers = self._reader.fetch([call for _, call in asked]) if asked else ()
        for (what, call), answer in zip(asked, answers, strict=True):
            if answer.error is not None and answer.error.code not in quietly:
                self.note(refused(what, call, answer.error))
        return [answer.data or {} for answer in answers]

    def note(self, sentence: str) -> None:
        if sentence not in self.missing:
            self.missing.append(sentence)


def refused(what: str, call: Call, error: AwsError) -> str:
    """`the last log lines: the role in use needs permission for logs:GetLogEvents`."""
    if "AccessDenied" in error.code:
        return f"{what}: the role in use needs permission for {action(call)}"
    return f"{what}: {error.message}"


def action(call: Call) -> str:
    """A call as IAM policies name it: `logs:GetLogEvents`."""
    return f"{call.service}:{''.join(part.title() for part in call.operation.split('_'))}"

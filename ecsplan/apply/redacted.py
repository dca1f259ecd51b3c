"""Taking secrets out of what leaves a deployment beside its events: the entries of its journal, and its result."""

from __future__ import annotations

import dataclasses

import msgspec

from ecsplan.apply.deploy import Result
from ecsplan.apply.send import Log, Ports
from ecsplan.journal import Closed, Entry, Failed
from ecsplan.redact import Redactor


def redacted_ports(ports: Ports, redactor: Redactor) -> Ports:
    """The same ports, with the messages of entries cleaned. Secrets in AWS's answers are learned. `emit` is cleaned by
    `Redactor.listener`."""
    return dataclasses.replace(
        ports,
        read=redactor.collecting(ports.read),
        journal=_RedactedLog(ports.journal, redactor),
    )


def redacted_result(result: Result, redactor: Redactor) -> Result:
    return dataclasses.replace(
        result,
        reason=redactor.clean(result.reason),
        state=redactor.clean(result.state),
        hint=redactor.clean(result.hint),
        diagnoses={address: redactor.clean_all(found) for address, found in result.diagnoses.items()},
    )


class _RedactedLog:
    def __init__(self, log: Log, redactor: Redactor) -> None:
        self._log, self._redactor = log, redactor

    def append(self, entry: Entry) -> None:
        clean = self._redactor
        match entry:
            case Failed():
                entry = msgspec.structs.replace(entry, error=clean.clean(entry.error))
            case Closed():
                found = {address: clean.clean_all(diagnosis) for address, diagnosis in entry.diagnoses.items()}
                entry = msgspec.structs.replace(entry, reason=clean.clean(entry.reason), diagnoses=found)
        self._log.append(entry)

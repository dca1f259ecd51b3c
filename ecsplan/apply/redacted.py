"""Taking secrets out of all that leaves a deployment: events and notices, the entries of its journal, its result."""

from __future__ import annotations

import dataclasses

import msgspec

from ecsplan.apply.deploy import Result
from ecsplan.apply.send import Log, Ports
from ecsplan.core import events
from ecsplan.core.diagnosis import Diagnosis, shortened
from ecsplan.journal import Closed, Entry, Failed
from ecsplan.redact import Redactor


def redacted_ports(ports: Ports, redactor: Redactor) -> Ports:
    """The same ports, with texts in events, notices and entries cleaned. Secrets in AWS's answers are learned."""
    listener = redactor.listener(ports.emit)

    def emit(event: events.Event | events.Notice) -> None:
        match event:
            case events.CallAnswered():  # its publisher masks its documents by their kind
                ports.emit(event)
            case events.DeploymentClosed():
                ports.emit(msgspec.structs.replace(event, reason=redactor.clean(event.reason)))
            case events.Diagnosed():
                listener(msgspec.structs.replace(event, diagnosis=_clean(event.diagnosis, redactor)))
            case events.Event():
                listener(event)

    return dataclasses.replace(
        ports, read=redactor.collecting(ports.read), journal=_RedactedLog(ports.journal, redactor), emit=emit
    )


def redacted_result(result: Result, redactor: Redactor) -> Result:
    return dataclasses.replace(
        result,
        reason=redactor.clean(result.reason),
        state=redactor.clean(result.state),
        hint=redactor.clean(result.hint),
        diagnoses={address: _clean(found, redactor) for address, found in result.diagnoses.items()},
    )


def _clean(found: Diagnosis, redactor: Redactor) -> Diagnosis:
    """Cut only when it is clean: half a secret is not recognized."""
    clean: Diagnosis = redactor.clean_all(found)
    return shortened(clean)


class _RedactedLog:
    def __init__(self, log: Log, redactor: Redactor) -> None:
        self._log, self._redactor = log, redactor

    def append(self, entry: Entry) -> None:
        redactor = self._redactor
        match entry:
            case Failed():
                entry = msgspec.structs.replace(entry, error=redactor.clean(entry.error))
            case Closed():
                found = {address: _clean(diagnosis, redactor) for address, diagnosis in entry.diagnoses.items()}
                entry = msgspec.structs.replace(entry, reason=redactor.clean(entry.reason), diagnoses=found)
        self._log.append(entry)

"""SNS after each call, `{"client","method","input","result"}`, the message format of the ecs-task module; and once at
the end of a deployment, `{"event":"deployment", …}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from ecsplan.core import events
from ecsplan.core.clock import Clock
from ecsplan.core.codec import to_data
from ecsplan.core.errors import EcsplanError
from ecsplan.core.model import Call, Doc, Notify, Step
from ecsplan.journal import Deployment, Outcome
from ecsplan.redact import mask_doc

MAX_BYTES = 256 * 1024  # of one message (SNS quotas)
LEFT_OUT = "(left out: the message would be larger than 256 KiB)"


def message(step: Step, call: Call, answer: Doc) -> str:
    """The message for a call that was carried out; secrets masked, dates as ISO 8601, at most 256 KiB."""
    content = {
        "client": call.service,
        "method": call.operation,
        "input": mask_doc(step.address, call.params),
        "result": mask_doc(step.address, answer),
    }
    return _fitting(content, ("result", "input"))


def deployment_message(deployment: Deployment, outcome: Outcome, reason: str, now: float) -> str:
    """The message for the end of a deployment. How it ended is handed in, all else comes from the journal. Times are in
    UTC, `seconds` since it began, `revisions` those in use because of it, by family. At most 256 KiB."""
    began = datetime.fromisoformat(deployment.opened.at).timestamp()
    content: Doc = {
        "event": "deployment",
        "number": deployment.number,
        "app": deployment.plan.app,
        "tag": deployment.plan.tag,
        "outcome": outcome.value,
        "reason": reason,
        "identity": to_data(deployment.plan.identity),
        "revisions": {} if outcome.left_nothing else deployment.revisions(),
        "undoes": list(deployment.plan.undoes),
        "who": deployment.user,
        "began": deployment.started.replace(" ", "T"),
        "seconds": round(now - began, 3),
    }
    return _fitting(content, ("reason", "revisions"))


def _fitting(content: Doc, dispensable: Sequence[str]) -> str:
    """As JSON, without as many of the dispensable members, the first one first, as it takes to be small enough."""
    text = msgspec.json.encode(content, enc_hook=str)
    for field in dispensable:
        if len(text) <= MAX_BYTES:
            break
        content = content | {field: LEFT_OUT}
        text = msgspec.json.encode(content, enc_hook=str)
    return text.decode()


def notifier(
    topics: Mapping[str, Notify], do: Callable[[Call], Doc], emit: events.Listener
) -> Callable[[Step, Call, Doc], None]:
    """Publishes calls that were carried out. A message that cannot be published is a warning, nothing more."""

    def notify_of(step: Step, call: Call, answer: Doc) -> None:
        notify = topics.get(step.task)
        if notify is None or re.match(notify.blacklist_regex or r"(?!)", call.operation):
            return
        try:
            do(_publish(notify.topic_arn, message(step, call, answer)))
        except EcsplanError as error:
            emit(events.Warned(message=f"could not publish {call} to SNS: {error.message}"))

    return notify_of


def announcer(
    topics: Mapping[str, Notify],
    read_deployment: Callable[[], Deployment],
    clock: Clock,
    do: Callable[[Call], Doc],
    emit: events.Listener,
) -> Callable[[Outcome, str], None]:
    """Publishes the end of a deployment, which `read_deployment` reads from the journal: once to each topic, however
    many tasks name it. What cannot be published, or read, is a warning, nothing more."""

    def announce(outcome: Outcome, reason: str) -> None:
        for arn in sorted({notify.topic_arn for notify in topics.values() if notify.deployment_message}):
            try:
                do(_publish(arn, deployment_message(read_deployment(), outcome, reason, clock.now())))
            except EcsplanError as error:
                emit(events.Warned(message=f"could not publish the deployment's end to SNS: {error.message}"))

    return announce


def notifying(
    emit: events.Listener,
    notify: Callable[[Step, Call, Doc], None],
    announce: Callable[[Outcome, str], None],
) -> events.Emit:
    """Sends each notice to its notifier, and every event to the listener."""

    def pass_on(event: events.Event | events.Notice) -> None:
        match event:
            case events.CallAnswered():
                notify(event.step, event.call, event.answer)
            case events.DeploymentClosed():
                if event.changed:
                    announce(Outcome(event.outcome), event.reason)
            case events.Event():
                emit(event)

    return pass_on


def _publish(topic: str, text: str) -> Call:
    return Call(service="sns", operation="publish", params={"TargetArn": topic, "Message": text})

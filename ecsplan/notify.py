"""SNS after each call: `{"client","method","input","result"}`, the message format of the ecs-task module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from ecsplan import events
from ecsplan.errors import EcsplanError
from ecsplan.model import Call, Doc, Notify, Step
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
    for field in ("", "result", "input"):
        if field:
            content[field] = LEFT_OUT
        text = msgspec.json.encode(content, enc_hook=str)
        if len(text) <= MAX_BYTES:
            break
    return text.decode()


def notifier(
    topics: Mapping[str, Notify], do: Callable[[Call], Doc], emit: events.Listener
) -> Callable[[Step, Call, Doc], None]:
    """A listener for calls that were carried out. A message that cannot be published is a warning, nothing more."""

    def told(step: Step, call: Call, answer: Doc) -> None:
        notify = topics.get(step.task)
        if notify is None or re.match(notify.blacklist_regex or r"(?!)", call.operation):
            return
        params = {"TargetArn": notify.topic_arn, "Message": message(step, call, answer)}
        try:
            do(Call(service="sns", operation="publish", params=params))
        except EcsplanError as error:
            emit(events.Warned(message=f"SNS was not told of {call}: {error.message}"))

    return told

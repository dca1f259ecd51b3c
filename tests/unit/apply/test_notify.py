"""SNS after each call, without secrets, and never in the way."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ecsplan.apply.notify import LEFT_OUT, MAX_BYTES, announcer, deployment_message, message, notifier
from ecsplan.core import events
from ecsplan.core.errors import AwsError, JournalError
from ecsplan.core.model import Action, Call, Doc, Notify, Step
from ecsplan.journal import Deployment, Done, Opened, Origin, Outcome
from tests.support.specs import TOPIC
from tests.support.world import EPOCH, Clock
from tests.unit.builders import plan, register, task_definition_arn, update
from tests.unit.fakes_kinds import call, step_of

REGISTER = call("register_task_definition", family="web")
UPDATE = call("update_service", service="web", cluster="prod")


def step(task: str = "web") -> Step:
    return step_of("task_definition.web", REGISTER, action=Action.CREATE, task=task)


def test_a_message_says_what_was_sent_and_what_was_answered() -> None:
    answer = {
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "more": [{"odd": complex(1)}],
    }
    assert json.loads(message(step(), REGISTER, answer)) == {
        "client": "ecs",
        "method": "register_task_definition",
        "input": {"family": "web"},
        "result": {"at": "2026-01-02T03:04:05Z", "day": "2026-01-02", "more": [{"odd": "(1+0j)"}]},
    }


def test_secrets_are_masked_on_both_sides() -> None:
    containers = [{"name": "web", "environment": [{"name": "TOKEN", "value": "hunter2"}]}]
    sent = call("register_task_definition", containerDefinitions=containers)
    text = message(step(), sent, {"taskDefinition": {"containerDefinitions": containers}})
    assert "hunter2" not in text
    assert text.count("(sensitive)") == 2


@pytest.mark.parametrize(
    ("sent", "answered", "left_out"),
    [
        (10, 10, set()),
        (10, MAX_BYTES, {"result"}),
        (MAX_BYTES, 10, {"result", "input"}),
        (MAX_BYTES // 2, MAX_BYTES, {"result"}),
        # letters outside ASCII are counted as bytes
        (10, MAX_BYTES // 2, {"result"}),
    ],
)
def test_a_message_is_never_too_large(sent: int, answered: int, left_out: set[str]) -> None:
    letter = "ü" if (sent, answered) == (10, MAX_BYTES // 2) else "x"
    text = message(step(), call("x", a="y" * sent), {"b": letter * answered})
    assert len(text.encode()) <= MAX_BYTES
    content = json.loads(text)
    assert {name for name, value in content.items() if value == LEFT_OUT} == left_out
    assert (content["client"], content["method"]) == ("ecs", "x")


class Publishing:
    """Keeps what was published, and what was said about it."""

    def __init__(self, error: AwsError | None = None) -> None:
        self.error = error
        self.sent: list[Call] = []
        self.said: list[events.Event] = []

    def do(self, sent: Call) -> Doc:
        self.sent.append(sent)
        if self.error:
            raise self.error
        return {"MessageId": "1"}

    def tell(self, asked: Call = UPDATE, task: str = "web", **topics: Notify) -> None:
        notifier(topics, self.do, self.said.append)(step(task), asked, {"ok": True})


def test_calls_of_a_task_with_a_topic_are_published() -> None:
    sns = Publishing()
    sns.tell(web=Notify(topic_arn=TOPIC))
    (sent,) = sns.sent
    assert (sent.service, sent.operation, sent.params["TargetArn"]) == ("sns", "publish", TOPIC)
    assert json.loads(sent.params["Message"])["method"] == "update_service"
    assert sns.said == []


@pytest.mark.parametrize(
    ("regex", "asked", "published"),
    [
        ("", UPDATE, True),
        ("^$", UPDATE, True),
        ("update", UPDATE, False),
        ("service", UPDATE, True),
        (".*service", UPDATE, False),
        ("^describe_|get_|list_|.*register_task", UPDATE, True),
        ("^describe_|get_|list_|.*register_task", REGISTER, False),
        ("^describe_|get_|list_|.*register_task", call("deregister_task_definition"), False),
    ],
)
def test_methods_on_the_blacklist_are_not(regex: str, asked: Call, published: bool) -> None:
    sns = Publishing()
    sns.tell(asked, web=Notify(topic_arn=TOPIC, blacklist_regex=regex))
    assert bool(sns.sent) is published


def test_each_task_has_its_own_topic_or_none() -> None:
    sns = Publishing()
    topics: dict[str, Any] = {"web": Notify(topic_arn=TOPIC), "log": Notify(topic_arn=f"{TOPIC}2")}
    for task in ("web", "log", "other"):
        sns.tell(task=task, **topics)
    assert [sent.params["TargetArn"] for sent in sns.sent] == [TOPIC, f"{TOPIC}2"]


def test_a_message_that_cannot_be_published_is_a_warning_and_nothing_more() -> None:
    sns = Publishing(AwsError("no such topic", code="NotFound"))
    sns.tell(web=Notify(topic_arn=TOPIC))
    assert sns.said == [events.Warned(message="could not publish ecs:update_service to SNS: no such topic")]


# --- the end of a deployment ---

AT = datetime.fromtimestamp(EPOCH, UTC).isoformat().replace("+00:00", "Z")


def deployment(**more: Any) -> Deployment:
    opened = Opened(
        number=7,
        at=AT,
        origin=Origin(user="ci", host="runner", pid=1, command="deploy v42"),
        plan=plan(register(), update(), **more),
    )
    return Deployment(opened=opened, entries=(Done(at=AT, step=1, outputs={"arn": task_definition_arn("web", 42)}),))


def test_the_message_of_a_deployment_says_how_it_ended() -> None:
    assert json.loads(deployment_message(deployment(undoes=(5, 6)), Outcome.SUCCEEDED, "", EPOCH + 12.3456)) == {
        "event": "deployment",
        "number": 7,
        "app": "shop",
        "tag": "v42",
        "outcome": "succeeded",
        "reason": "",
        "identity": {"account": "123456789012", "region": "eu-west-1"},
        "revisions": {"web": "web:42"},
        "undoes": [5, 6],
        "who": "ci@runner",
        "began": "2023-11-14T22:13:20Z",
        "seconds": 12.346,
    }


@pytest.mark.parametrize("outcome", [Outcome.PUT_BACK, Outcome.STOPPED, Outcome.INTERRUPTED, Outcome.UNFINISHED])
def test_the_message_of_a_deployment_that_failed(outcome: Outcome) -> None:
    """What was put back put no revision in use."""
    content = json.loads(deployment_message(deployment(), outcome, "it crashed", EPOCH))
    assert (content["outcome"], content["reason"]) == (outcome.value, "it crashed")
    assert content["revisions"] == ({} if outcome is Outcome.PUT_BACK else {"web": "web:42"})


def test_the_message_of_a_deployment_is_never_too_large() -> None:
    text = deployment_message(deployment(), Outcome.STOPPED, "ü" * MAX_BYTES, EPOCH)
    assert len(text.encode()) <= MAX_BYTES
    content = json.loads(text)
    assert (content["reason"], content["revisions"]) == (LEFT_OUT, {"web": "web:42"})


def announced(sns: Publishing, **topics: Notify) -> None:
    clock = Clock()
    announcer(topics, deployment, clock, sns.do, sns.said.append)(Outcome.SUCCEEDED, "")


def test_each_topic_hears_once_of_the_end() -> None:
    sns = Publishing()
    announced(
        sns,
        web=Notify(topic_arn=TOPIC),
        worker=Notify(topic_arn=TOPIC),
        log=Notify(topic_arn=f"{TOPIC}2"),
        quiet=Notify(topic_arn=f"{TOPIC}3", deployment_message=False),
    )
    assert [sent.params["TargetArn"] for sent in sns.sent] == [TOPIC, f"{TOPIC}2"]


def test_an_end_that_cannot_be_published_is_a_warning_and_nothing_more() -> None:
    sns = Publishing(AwsError("no such topic", code="NotFound"))
    announced(sns, web=Notify(topic_arn=TOPIC), log=Notify(topic_arn=f"{TOPIC}2"))
    assert sns.said == [events.Warned(message="could not publish the deployment's end to SNS: no such topic")] * 2


def test_a_journal_that_cannot_be_read_is_a_warning_too() -> None:
    sns = Publishing()

    def damaged() -> Deployment:
        raise JournalError("line 3 is damaged")

    announcer({"web": Notify(topic_arn=TOPIC)}, damaged, Clock(), sns.do, sns.said.append)(Outcome.SUCCEEDED, "")
    assert sns.said == [events.Warned(message="could not publish the deployment's end to SNS: line 3 is damaged")]

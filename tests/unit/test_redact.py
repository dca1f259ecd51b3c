"""Secrets are masked in the data, before anything shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from ecsplan.core import events
from ecsplan.core.codec import to_json
from ecsplan.core.model import (
    Action,
    Address,
    Call,
    Change,
    Doc,
    FieldChange,
    Identity,
    Irreversible,
    JsonText,
    Plan,
    Ref,
    Step,
)
from ecsplan.core.ports import Answer, Reader
from ecsplan.core.text import CHANGED, SENSITIVE
from ecsplan.redact import (
    Redactor,
    mask_doc,
    mask_field,
    mask_plan,
    mask_requests,
    mask_step,
    says_secret,
)
from tests.unit.fakes_kinds import call, step_of

TASK, SERVICE, RULE, RUN = (
    Address("task_definition.web"),
    Address("service.prod/web"),
    Address("event_targets.nightly"),
    Address("run_task.web/migrate"),
)
URL = "postgres://ada:hunter2@db/shop"


def pairs(**values: Any) -> list[Doc]:
    return [{"name": name, "value": value} for name, value in values.items()]


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "password", "dbPassword", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "API_KEY", "apiKey", "APIKEY",
     "CREDENTIALS", "SENTRY_DSN", "DB_PASS", "REDIS_PWD", "my.auth", "splunk-token", "SECRET_KEY_BASE", "PRIVATE_PEM",
     "SSH_KEYS", "Passphrase", "DB_PW", "basicAuth"],
)  # fmt: skip
def test_names_that_say_secret(name: str) -> None:
    assert says_secret(name)


@pytest.mark.parametrize(
    "name",
    ["DEBUG", "KEYBOARD", "PASSENGERS", "AUTHOR", "DB_HOST", "COMPASS", "KEYWORDS_FILE", "", "BYPASS_CACHE", "PWDIR"],
)
def test_names_that_do_not(name: str) -> None:
    assert not says_secret(name)


def pascal(**values: Any) -> list[Doc]:
    """Name/value pairs as the request of RunTask spells them in the API."""
    return [{"Name": name, "Value": value} for name, value in values.items()]


# JSON of which Python cannot walk the structure.
DEEP = "[" * 20_000 + '{"%s": "x"}' + "]" * 20_000


def waiting(head: str) -> JsonText:
    """A text of JSON in which a revision is not known yet."""
    return JsonText(head=head, ref=Ref(address=TASK, output="arn"), tail="}")


def test_a_secret_beside_a_reference_is_learned() -> None:
    redactor = Redactor()
    redactor.learn_documents([(RULE, {"Targets": [{"Input": waiting('{"TOKEN": "hunter2", "T": ')}]})])
    assert redactor.clean("it said hunter2") == f"it said {SENSITIVE}"


@pytest.mark.parametrize(
    ("address", "doc", "expected"),
    [
        (TASK, {"containerDefinitions": [{"environment": pairs(DB_PASSWORD="x", DEBUG="1", N=3, PIN_KEY=4)}]},
         {"containerDefinitions": [{"environment": pairs(DB_PASSWORD=SENSITIVE, DEBUG="1", N=3, PIN_KEY=SENSITIVE)}]}),
        (TASK, {"containerDefinitions": [{"logConfiguration": {"options": {"splunk-token": "x", "mode": "y"}}}]},
         {"containerDefinitions": [{"logConfiguration": {"options": {"splunk-token": SENSITIVE, "mode": "y"}}}]}),
        (TASK, {"containerDefinitions": [{"firelensConfiguration": {"options": {"api_key": "x"}}}]},
         {"containerDefinitions": [{"firelensConfiguration": {"options": {"api_key": SENSITIVE}}}]}),
        (TASK, {"containerDefinitions": [{"dockerLabels": {"datadog.token": "x", "a": URL}}]},
         {"containerDefinitions": [{"dockerLabels": {"datadog.token": SENSITIVE, "a": SENSITIVE}}]}),
        (TASK, {"containerDefinitions": [{"secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:x"}]}]},
         {"containerDefinitions": [{"secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:x"}]}]}),
        (TASK, {"containerDefinitions": [{"environment": pairs(DATABASE_URL=URL, HOME_URL="https://a/b")}]},
         {"containerDefinitions": [{"environment": pairs(DATABASE_URL=SENSITIVE, HOME_URL="https://a/b")}]}),
        (TASK, {"containerDefinitions": [{"command": ["psql", URL, "a:b@c"]}]},
         {"containerDefinitions": [{"command": ["psql", SENSITIVE, "a:b@c"]}]}),
        (TASK, {"tags": [{"key": "token", "value": "x"}]}, {"tags": [{"key": "token", "value": "x"}]}),
        (RUN, {"overrides": {"containerOverrides": [{"name": "web", "environment": pairs(TOKEN="x")}]}},
         {"overrides": {"containerOverrides": [{"name": "web", "environment": pairs(TOKEN=SENSITIVE)}]}}),
        (SERVICE, {"serviceConnectConfiguration": {"logConfiguration": {"options": {"token": "x"}}}},
         {"serviceConnectConfiguration": {"logConfiguration": {"options": {"token": SENSITIVE}}}}),
        (SERVICE, {"taskDefinition": Ref(address=TASK, output="arn")},
         {"taskDefinition": Ref(address=TASK, output="arn")}),
        (RULE, {"Targets": [{"Input": json.dumps({"environment": pairs(TOKEN="x", A="1")})}]},
         {"Targets": [{"Input": json.dumps({"environment": pairs(TOKEN=SENSITIVE, A="1")})}]}),
        (RULE, {"Targets": [{"Input": json.dumps({"Environment": pascal(TOKEN="x", A="1")})}]},
         {"Targets": [{"Input": json.dumps({"Environment": pascal(TOKEN=SENSITIVE, A="1")})}]}),
        (RULE, {"Targets": [{"Parameters": [*pascal(TOKEN="x"), {"NAME": "TOKEN", "value": 5}, {"Value": "y"}]}]},
         {"Targets": [{"Parameters": [*pascal(TOKEN=SENSITIVE), {"NAME": "TOKEN", "value": SENSITIVE},
                                      {"Value": "y"}]}]}),
        (RULE, {"Targets": [{"Input": DEEP % "TOKEN"}, {"Input": DEEP % "A"}]},
         {"Targets": [{"Input": SENSITIVE}, {"Input": DEEP % "A"}]}),
        (RULE, {"Targets": [{"Input": f'  [{{"a": "{URL}"}}]'}]}, {"Targets": [{"Input": '[{"a": "(sensitive)"}]'}]}),
        (RULE, {"Targets": [{"Input": '{ "a": 1 }'}, {"Input": "{no json"}, {"Input": "{" + URL}]},
         {"Targets": [{"Input": '{ "a": 1 }'}, {"Input": "{no json"}, {"Input": SENSITIVE}]}),
        (RULE, {"Targets": [{"Input": waiting('{"TOKEN": "x", "T": ')}]},
         {"Targets": [{"Input": json.dumps({"TOKEN": SENSITIVE, "T": "(known after apply)"})}]}),
        (RULE, {"Targets": [{"Input": waiting('{"T": ')}]}, {"Targets": [{"Input": waiting('{"T": ')}]}),
        (TASK, None, None),
    ],
)  # fmt: skip
def test_documents(address: Address, doc: Any, expected: Any) -> None:
    before = json.dumps(doc, default=repr)
    assert mask_doc(address, doc) == expected
    assert json.dumps(doc, default=repr) == before


def test_the_values_of_options_of_a_command() -> None:
    command = ["run", "--password", "x", "--token=y", "--port", "80", "-v", "--secret", "--debug", "--key"]
    assert mask_doc(TASK, {"command": command})["command"] == [
        "run", "--password", SENSITIVE, f"--token={SENSITIVE}", "--port", "80", "-v", "--secret", "--debug", "--key",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "masked", "secrets"),
    [
        ("DB_PASSWORD=hunter2 ./migrate", "DB_PASSWORD=(sensitive) ./migrate", {"hunter2"}),
        ("run --token abcd --port 80", "run --token (sensitive) --port 80", {"abcd"}),
        ("run --token --debug x", "run --token --debug x", set()),
        ("run --api-key=abcd", "run --api-key=(sensitive)", {"abcd"}),
        ("env -c SECRET='a b c' run", "env -c SECRET='(sensitive)' run", {"a b c"}),
        ('env SECRET="" run', 'env SECRET="" run', set()),
        ("curl https://x/?token=abcd&page=2", "curl https://x/?token=(sensitive)&page=2", {"abcd"}),
        ("curl -H 'Authorization: Bearer abcd' y", "curl -H 'Authorization: (sensitive)' y", {"Bearer abcd"}),
        ("A=1;TOKEN=abcd;MODE=plain", "A=1;TOKEN=(sensitive);MODE=plain", {"abcd"}),
        ("arn:aws:secretsmanager:eu-west-1:1:secret:db", "arn:aws:secretsmanager:eu-west-1:1:secret:db", set()),
        ("the token is in the password store", "the token is in the password store", set()),
        ("key: value, a=b", "key: value, a=b", set()),
    ],
)
def test_the_secrets_of_a_line(line: str, masked: str, secrets: set[str]) -> None:
    doc = {"command": ["sh", "-c", line]}
    assert mask_doc(TASK, doc)["command"][2] == masked
    redactor = knowing(doc)
    for secret in secrets:
        assert redactor.clean(f"it said {secret}.") == f"it said {SENSITIVE}."
    assert redactor.clean(line) == (SENSITIVE if secrets else line)


def test_the_value_of_an_option_is_a_secret() -> None:
    assert knowing({"command": ["run", "--password=hunter2"]}).clean("no hunter2") == f"no {SENSITIVE}"


def test_a_text_nested_without_end_does_not_overflow() -> None:
    assert mask_doc(TASK, {"a": "[" * 100_000}) == {"a": "[" * 100_000}


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("containers.web.environment.DB_PASSWORD", "a", "b", (SENSITIVE, CHANGED)),
        ("containers.web.environment.DB_PASSWORD", None, "b", (None, SENSITIVE)),
        ("containers.web.environment.DB_PASSWORD", "a", None, (SENSITIVE, None)),
        ("containers.web.environment.DB_PASSWORD#2", "a", "b", (SENSITIVE, CHANGED)),
        ("containers.web.environment.my.token", "a", "b", (SENSITIVE, CHANGED)),
        ("containers.web.environment.DEBUG", "0", "1", ("0", "1")),
        ("containers.web.environment.DEBUG", URL, "1", (SENSITIVE, "1")),
        ("containers.web.environment.DEBUG", URL, URL + "2", (SENSITIVE, CHANGED)),
        ("containers.web.logConfiguration.options.splunk-token", "a", "b", (SENSITIVE, CHANGED)),
        ("containers.web.dockerLabels.token", "a", "b", (SENSITIVE, CHANGED)),
        ("containers.web.image", "web:1", "web:2", ("web:1", "web:2")),
        ("containers.token.image", "web:1", "web:2", ("web:1", "web:2")),
        ("containers.web.secrets.DB_PASSWORD", "arn:a", "arn:b", ("arn:a", "arn:b")),
        ("tags.token", "a", "b", ("a", "b")),
    ],
)
def test_differences(path: str, before: Any, after: Any, expected: tuple[Any, Any]) -> None:
    found = mask_field(TASK, FieldChange(path=path, before=before, after=after))
    assert (found.path, found.before, found.after) == (path, *expected)


def test_differences_of_other_kinds() -> None:
    one, two = (json.dumps({"environment": pairs(TOKEN=value)}) for value in ("a", "b"))
    found = mask_field(RULE, FieldChange(path="targets.report.Input", before=one, after=two))
    assert (json.loads(found.before)["environment"], found.after) == (pairs(TOKEN=SENSITIVE), CHANGED)
    path = "serviceConnectConfiguration.logConfiguration.options.token"
    assert mask_field(SERVICE, FieldChange(path=path, before="a", after="b")).after == CHANGED


# --- plans ---

SECRET = "hunter2!"


def definition(value: str = SECRET) -> Doc:
    return {
        "family": "web",
        "containerDefinitions": [{"name": "web", "environment": pairs(TOKEN=value, SHORT_KEY="abc")}],
    }


def plan() -> Plan:
    register = call("register_task_definition", **definition())
    undo = call("deregister_task_definition", taskDefinition=Ref(address=TASK, output="arn"), x=definition("old one"))
    fields = (FieldChange(path="containers.web.environment.TOKEN", before="old one", after=SECRET),)
    command = ["psql", URL, "-c", "select 1"]
    run = call("run_task", overrides={"containerOverrides": [{"name": "web", "command": command}]})
    return Plan(
        app="shop",
        tag="v42",
        identity=Identity(account="1", region="x"),
        changed=True,
        observed={},
        changes=(
            Change(address=TASK, task="web", action=Action.CREATE, before=definition("old one"), after=definition(),
                   fields=fields),
        ),
        steps=(
            step_of(TASK, register, undo, action=Action.CREATE, changes=fields),
            Step(index=2, phase=step_of(RUN, run, action=Action.RUN).phase, kind="run_task", address=RUN,
                 action=Action.RUN, call=run, undo=Irreversible(reason="it has run"),
                 note=f"web: {' '.join(command)}"),
        ),
        summary={},
    )  # fmt: skip


def test_a_masked_plan_shows_no_secret() -> None:
    shown = mask_plan(plan())
    text = to_json(shown).decode()
    for secret in (SECRET, "old one", "hunter2", "abc"):
        assert secret not in text
    assert shown.changes[0].fields[0].after == CHANGED
    assert shown.steps[1].note == f"web: psql postgres://{SENSITIVE}@db/shop -c select 1"
    assert shown.steps[1].undo == Irreversible(reason="it has run")


def test_a_plan_is_masked_in_its_values_only() -> None:
    first, shown = plan(), mask_plan(plan())
    assert [step.call.operation for step in shown.steps] == [step.call.operation for step in first.steps]
    assert [field.path for field in shown.changes[0].fields] == [field.path for field in first.changes[0].fields]
    assert isinstance(shown.steps[0].undo, Call)
    assert shown.steps[0].undo.params["taskDefinition"] == Ref(address=TASK, output="arn")
    assert plan() == first
    assert mask_step(first.steps[0]) == shown.steps[0]


@pytest.mark.parametrize("secret", [SECRET, "old one", URL, "hunter2"])
def test_the_secrets_of_a_plan(secret: str) -> None:
    redactor = Redactor()
    redactor.learn(plan())
    assert redactor.clean(f"no: {secret}, {secret}") == f"no: {SENSITIVE}, {SENSITIVE}"


def test_short_values_are_no_secrets() -> None:
    redactor = Redactor()
    redactor.learn(plan())
    assert redactor.clean("abc") == "abc"


def test_secrets_inside_json_are_known_too() -> None:
    named = {"Environment": [{"Name": "DB_PASSWORD", "Value": "swordfish 2"}]}
    text = json.dumps(
        {"environment": pairs(TOKEN=SECRET, A="1"), "password": "swordfish", "other": [URL, 5, True], **named}
    )
    masked = mask_doc(RULE, {"Input": text})
    assert json.loads(masked["Input"]) == {
        "environment": pairs(TOKEN=SENSITIVE, A="1"), "password": SENSITIVE, "other": [SENSITIVE, 5, True],
        "Environment": [{"Name": "DB_PASSWORD", "Value": SENSITIVE}],
    }  # fmt: skip
    put = call("put_targets", "events", Rule="r", Targets=[{"Id": "a", "Input": text}])
    redactor = Redactor()
    redactor.learn(msgspec.structs.replace(plan(), steps=(step_of(RULE, put, action=Action.UPDATE),)))
    for secret in (SECRET, "swordfish", "swordfish 2", URL, "hunter2"):
        assert redactor.clean(f"<{secret}>") == f"<{SENSITIVE}>"


# --- the redactor ---


def knowing(*docs: Doc) -> Redactor:
    """One that has learned these task definitions."""
    redactor = Redactor()
    redactor.learn_documents((TASK, doc) for doc in docs)
    return redactor


def test_an_empty_redactor_changes_nothing() -> None:
    assert Redactor().clean("it said hunter2") == "it said hunter2"


def test_the_longer_secret_is_masked_first() -> None:
    redactor = knowing({"environment": pairs(TOKEN="hunter2", KEY="hunter2!")})
    assert redactor.clean("no: hunter2! and hunter2") == f"no: {SENSITIVE} and {SENSITIVE}"
    assert redactor.clean("no") == "no"


def test_what_is_learned_later_is_masked_from_then_on() -> None:
    redactor = knowing({"environment": pairs(TOKEN="hunter2")})
    assert redactor.clean("hunter2 swordfish") == f"{SENSITIVE} swordfish"
    redactor.learn_documents([(TASK, {"environment": pairs(TOKEN="swordfish")})])
    assert redactor.clean("hunter2 swordfish") == f"{SENSITIVE} {SENSITIVE}"


def test_a_password_in_a_url_needs_not_be_known() -> None:
    assert Redactor().clean("no http://u:p@host") == f"no http://{SENSITIVE}@host"


def test_quoted_secrets_are_masked() -> None:
    redactor = knowing({"environment": pairs(TOKEN='one "two" \\ three')})
    for quoted in (repr('one "two" \\ three'), json.dumps('one "two" \\ three')):
        assert "three" not in redactor.clean(f"no: {quoted}")


def test_lines_of_a_secret_are_masked_one_by_one() -> None:
    """As logs hold them; not lines that are too short to be a secret."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nab\n-----END KEY-----\n"
    redactor = knowing({"environment": pairs(KEY=key, TOKEN="the first line\nthe second line")})
    assert redactor.clean("it said MIIEvQIBADANBgkq") == f"it said {SENSITIVE}"
    assert redactor.clean("ab") == "ab"
    assert redactor.clean("the second line") == SENSITIVE


class Answering:
    """A reader that answers every call with one document."""

    def __init__(self, data: Doc) -> None:
        self._data = data

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        return tuple(Answer(call=call, data=self._data) for call in calls)


@pytest.mark.parametrize("operation", ["describe_task_definition", "describe_tasks", "describe_services"])
def test_a_collecting_reader_learns_from_answers(operation: str) -> None:
    redactor, data = Redactor(), {"containerDefinitions": [{"environment": pairs(TOKEN="hunter2")}]}
    reader: Reader = redactor.collecting(Answering(data))
    assert [answer.data for answer in reader.fetch([call(operation)])] == [data]
    known = operation != "describe_services"
    assert redactor.clean("it said hunter2") == f"it said {SENSITIVE if known else 'hunter2'}"


def test_threads_may_learn_while_others_clean() -> None:
    """Diagnoses are made at the same time."""
    redactor = Redactor()

    def work(number: int) -> str:
        redactor.learn_documents([(TASK, {"environment": pairs(TOKEN=f"secret-{number:03}")})])
        return redactor.clean(f"secret-{number:03}")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(200))) == {SENSITIVE}
    assert redactor.clean("secret-000 secret-199") == f"{SENSITIVE} {SENSITIVE}"


def test_secrets_of_unchanged_resources_are_known_too() -> None:
    """A container may log its environment, also where the deployment changes nothing about it."""
    doc = {
        "family": "web",
        "containerDefinitions": [{"name": "web", "environment": pairs(DB_PASSWORD="kept-as-it-is")}],
    }
    change = Change(address=TASK, task="web", action=Action.KEEP, before=doc, after=doc)
    redactor = Redactor()
    redactor.learn(msgspec.structs.replace(plan(), steps=(), changes=(change,)))
    assert redactor.clean("kept-as-it-is") == SENSITIVE


def test_a_listener_gets_cleaned_events() -> None:
    heard: list[events.Event] = []
    emit = knowing({"environment": pairs(TOKEN="hunter2")}).listener(heard.append)
    started = events.DeploymentStarted(number=1, app="hunter2", tag="x", steps=1)
    emit(started)
    emit(events.Warned(message="a hunter2"))
    emit(events.Progressed(address=SERVICE, note="b hunter2", done=False, ok=True, elapsed=1.0))
    emit(events.UndoStarted(reason="c hunter2"))
    step = plan().steps[0]
    emit(events.StepFailed(step=step, error="d hunter2 http://u:p@host"))
    assert heard == [
        started,
        events.Warned(message="a (sensitive)"),
        events.Progressed(address=SERVICE, note="b (sensitive)", done=False, ok=True, elapsed=1.0),
        events.UndoStarted(reason="c (sensitive)"),
        events.StepFailed(step=step, error="d (sensitive) http://(sensitive)@host"),
    ]


def test_compiled_requests_are_masked_by_their_kind() -> None:
    requests: dict[str, Doc] = {
        "web": {
            "task_definition": definition(),
            "run_tasks": [{"overrides": {"containerOverrides": [{"environment": pairs(TOKEN=SECRET)}]}}],
            "update_services": [{"service": "web", "serviceConnectConfiguration":
                                 {"logConfiguration": {"options": {"token": SECRET}}}}],
            "events__put_targets": [{"Rule": "r", "Targets": [{"Id": "a", "Input": f'{{"u": "{URL}"}}'}]}],
        }
    }  # fmt: skip
    shown = mask_requests(requests)
    assert list(shown["web"]) == list(requests["web"])
    assert SECRET not in json.dumps(shown)
    assert "hunter2" not in json.dumps(shown)
    assert shown["web"]["update_services"][0]["service"] == "web"

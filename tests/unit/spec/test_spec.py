from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.aws import api
from ecsplan.core.checks import parse_duration, quoted
from ecsplan.core.errors import Exit, SpecError, UsageError
from ecsplan.core.model import Notify, Settings
from ecsplan.core.spec import Entry, Spec
from ecsplan.kinds import kinds
from ecsplan.spec import checks as spec
from ecsplan.spec.load import load, loads
from tests.support.paths import DOCS
from tests.unit.spec_texts import FULL, HEAD, OTHER, TOPIC

# --- sound specs -----------------------------------------------------------------------------------------------------


def test_a_full_spec() -> None:
    full = loads(FULL, "deploy/ecsplan.toml")
    assert (full.file, full.app, full.region, full.account) == (
        "deploy/ecsplan.toml",
        "shop",
        "eu-west-1",
        "123456789012",
    )
    assert (full.profile, full.assume_role, full.cluster) == ("ops", "arn:aws:iam::123456789012:role/deploy", "prod")
    web, worker = full.tasks
    assert (web.name, web.path, web.family, web.active_task_count) == ("web", "tasks.web", "web", 5)
    assert web.notify == Notify(topic_arn=TOPIC, blacklist_regex=r"^describe_|get_|list_|.*register_task")
    assert web.task_definition["cpu"] == 256
    assert web.task_definition["containerDefinitions"][0]["image"] == "my_image:{image_tag}"
    assert [it["value"] for it in web.task_definition["containerDefinitions"][0]["environment"]] == [True, 0.5, 3]
    assert (worker.name, worker.family, worker.active_task_count, worker.notify) == ("worker", "worker", 2, None)
    assert [worker.entries[kind] for kind in ("run_task", "service", "event_targets")] == [(), (), ()]


def test_entries_hold_awss_parameters_and_the_settings_apart() -> None:
    web = loads(FULL, "ecsplan.toml").tasks[0]
    assert web.entries["run_task"] == (
        Entry(
            params={
                "launchType": "FARGATE",
                "overrides": {"containerOverrides": [{"name": "web", "environment": [{"name": "A", "value": 1}]}]},
                "cluster": "prod",
            },
            path="tasks.web.run_tasks[0]",
            own={"name": "migrate"},
            settings=Settings(wait=False, timeout=5400, when="always"),
        ),
        Entry(params={"cluster": "batch", "count": 10}, path="tasks.web.run_tasks[1]"),
    )
    assert web.entries["service"] == (
        Entry(
            params={
                "service": "web",
                "forceNewDeployment": True,
                "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True}},
                "cluster": "prod",
            },
            path="tasks.web.update_services[0]",
            settings=Settings(timeout=90),
        ),
        Entry(params={"service": "worker", "cluster": "prod"}, path="tasks.web.update_services[1]"),
    )
    assert web.entries["event_targets"] == (
        Entry(
            params={
                "Rule": "nightly-report",
                "Targets": [
                    {"Id": "report"},
                    {"Id": "other", "Arn": "arn:x", "EcsParameters": {"TaskDefinitionArn": "arn:y"}},
                ],
            },
            path="tasks.web.events__put_targets[0]",
        ),
    )


def test_the_least_spec_and_its_defaults() -> None:
    least = loads(HEAD + '[[tasks.web.update_services]]\nservice = "web"', "shop.v2.toml")
    assert least.app == "shop.v2"
    assert (least.region, least.profile, least.assume_role, least.account, least.cluster) == (None,) * 5
    (web,) = least.tasks
    assert (web.active_task_count, web.notify) == (10, None)
    assert web.entries["service"] == (Entry(params={"service": "web"}, path="tasks.web.update_services[0]"),)


@pytest.mark.parametrize(
    ("top", "task", "expected"),
    [
        ("", "", None),
        (f'sns_notification_topic_arn = "{TOPIC}"', "", Notify(topic_arn=TOPIC, blacklist_regex=spec.BLACKLIST_REGEX)),
        (f'sns_notification_topic_arn = "{TOPIC}"', 'sns_notification_topic_arn = ""', None),
        (
            f'sns_notification_topic_arn = "{TOPIC}2"\nnotification_method_blacklist_regex = "a"',
            f'sns_notification_topic_arn = "{TOPIC}"\nnotification_method_blacklist_regex = "^$"',
            Notify(topic_arn=TOPIC, blacklist_regex="^$"),
        ),
        (
            'sns_notification_topic_arn = ""\nnotification_method_blacklist_regex = "a"',
            f'sns_notification_topic_arn = "{TOPIC}.fifo"',
            Notify(topic_arn=f"{TOPIC}.fifo", blacklist_regex="a"),
        ),
    ],
)
def test_a_tasks_own_notification_keys_win(top: str, task: str, expected: Notify | None) -> None:
    assert loads(f"{top}\n[tasks.web]\n{task}\n{HEAD}", "ecsplan.toml").tasks[0].notify == expected


def test_a_name_that_toml_quotes_is_quoted_in_paths() -> None:
    text = HEAD.replace("tasks.web", 'tasks."web.v2"') + "[[tasks.'web.v2'.run_tasks]]"
    (task,) = loads(text, "ecsplan.toml").tasks
    assert (task.name, task.path) == ("web.v2", 'tasks."web.v2"')
    assert task.entries["run_task"][0].path == 'tasks."web.v2".run_tasks[0]'


@pytest.mark.parametrize(
    "text",
    [
        # one rule, two tasks, each with a target of its own
        HEAD
        + OTHER
        + '[[tasks.web.events__put_targets]]\nRule = "r"\nTargets = [{ Id = "a" }]\n'
        + '[[tasks.other.events__put_targets]]\nRule = "r"\nTargets = [{ Id = "b" }]\n',
        # the same rule and Id on another bus
        HEAD
        + '[[tasks.web.events__put_targets]]\nRule = "r"\nTargets = [{ Id = "a" }]\n'
        + '[[tasks.web.events__put_targets]]\nRule = "r"\nEventBusName = "bus"\nTargets = [{ Id = "a" }]\n',
        # the same name in another cluster
        HEAD
        + '[[tasks.web.update_services]]\nservice = "web"\n'
        + '[[tasks.web.update_services]]\nservice = "web"\ncluster = "blue"\n',
        # the same name of a one-off task in another task
        HEAD + OTHER + '[[tasks.web.run_tasks]]\nname = "m"\n[[tasks.other.run_tasks]]\nname = "m"\n',
        # as many targets as a rule can have, and one of another bus
        HEAD
        + '[[tasks.web.events__put_targets]]\nRule = "r"\nTargets = [{ Id = "a" }, { Id = "b" }, { Id = "c" }]\n'
        + OTHER
        + '[[tasks.other.events__put_targets]]\nRule = "r"\nTargets = [{ Id = "d" }, { Id = "e" }]\n'
        + '[[tasks.other.events__put_targets]]\nRule = "r"\nEventBusName = "bus"\nTargets = [{ Id = "f" }]\n',
        # partial: nested members that the model demands of a whole request
        HEAD + '[[tasks.web.update_services]]\nservice = "web"\nnetworkConfiguration.awsvpcConfiguration = {}\n',
        "[tasks.web]\nrun_tasks = []\n" + HEAD,
    ],
)
def test_what_only_looks_like_a_clash_is_sound(text: str) -> None:
    assert isinstance(loads(text, "ecsplan.toml"), Spec)


# --- files -----------------------------------------------------------------------------------------------------------


def test_load_reads_a_file_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        path = tmp_path / "shop.toml"
        path.write_bytes(mark + HEAD.encode())
        assert load(path) == loads(HEAD, str(path))
        assert load(path).app == "shop"


HINT = "Name another with -f FILE, or set ECSPLAN_FILE."


def test_load_says_what_it_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    for name, message in [
        ("ecsplan.toml", "there is no spec at ecsplan.toml"),
        ("folder", "folder is a folder, not a spec"),
        ("file/x", "file/x cannot be read: Not a directory"),
        ("a\0b", "a\0b cannot be read: embedded null byte"),
    ]:
        with pytest.raises(UsageError) as caught:
            load(Path(name))
        assert (caught.value.message, caught.value.hint) == (message, HINT)
        assert caught.value.exit_code == Exit.USAGE


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "ecsplan.toml"
    path.write_bytes(b"# one\napp = '\xe9'\n")
    with pytest.raises(SpecError) as caught:
        load(path)
    assert [str(it) for it in caught.value.faults] == [
        f"{path}: line 2: byte 0xe9 is not UTF-8; save the file as UTF-8"
    ]


# --- durations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h1m1s", 3661),
        ("720h", 2592000),
    ],
)
def test_durations(text: str | int, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1h30", "30m1h", "1d", "-5", "1.5h", " 5", "5 ", "5\n", "٥", "9" * 5000])
def test_what_is_no_duration(text: str) -> None:
    said = f'not a duration: {quoted(text[:40])}; write seconds or units, 90, "90s", "15m" or "1h30m"'
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_duration(text)


@pytest.mark.parametrize("text", [0, -1, "0", "0h0m", 30 * 86400 + 1, "721h", 10**30])
def test_durations_out_of_range(text: str | int) -> None:
    with pytest.raises(ValueError, match=r"^a duration must be from 1 second to 30 days$"):
        parse_duration(text)


TABLES = [kind.declare.table for kind in kinds()]

# --- laws ------------------------------------------------------------------------------------------------------------


def test_own_keys_are_no_parameter_of_aws_and_no_part_of_one_another() -> None:
    for table in TABLES:
        assert not table.own.keys() & api.members(table.request.service, table.request.operation)
        assert set(table.inherits) <= api.members(table.request.service, table.request.operation)
        assert table.key not in spec.TOP_KEYS.keys() | spec.TASK_KEYS.keys()


def test_every_place_with_a_leeway_is_a_field_of_the_model() -> None:
    for table in TABLES:
        request = table.request
        fields = {field.pattern for field in api.walk(request.service, request.operation)}
        assert {*request.required, *request.filled, *request.lenient} <= fields
        # What only CreateService knows is told from a slip too.
        created = api.members("ecs", "create_service") if request.operation == "update_service" else frozenset()
        assert request.supplied.keys() <= fields | created
        assert not table.own.keys() & fields


def test_the_reference_has_a_sound_example_and_names_every_own_key() -> None:
    reference = (DOCS / "spec.md").read_text(encoding="utf-8")
    example = re.findall(r"```toml\n(.*?)```", reference, re.DOTALL)[0]
    assert loads(example, "ecsplan.toml").app == "shop"
    for key in (*spec.TOP_KEYS, *spec.TASK_KEYS, *(key for table in TABLES for key in (table.key, *table.own))):
        assert f"`{key}`" in reference


def outcome(text: str) -> Any:
    try:
        return loads(text, "ecsplan.toml")
    except SpecError as error:
        return error.faults


VALUES = ["true", "1", "-1", "1.5", "nan", "''", "'x'", "[]", "{}", "[1]", "[[{}]]", "1979-05-27", "{a.b = 1}", "[{}]"]


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_value_anywhere_is_a_spec_or_faults(rng: random.Random, times: int) -> None:
    text = FULL
    for _ in range(times):
        places = list(re.finditer(r"(?<== )[^\n,\[\]{}]+|(?<== )[\[{].*", text))
        place = rng.choice(places)
        text = text[: place.start()] + rng.choice(VALUES) + text[place.end() :]
    assert outcome(text) == outcome(text) != ()


@settings(deadline=None)
@given(
    st.integers(0, len(FULL)),
    st.integers(0, 60),
    st.text(max_size=8) | st.sampled_from(["[", "]]", "\n", "= 1\n", '"']),
)
def test_any_damage_is_a_spec_or_faults(start: int, length: int, instead: str) -> None:
    assert outcome(FULL[:start] + instead + FULL[start + length :]) != ()


@settings(deadline=None)
@given(st.integers(1, 30 * 86400))
def test_a_duration_is_the_same_in_every_spelling(seconds: int) -> None:
    hours, minutes = seconds // 3600, seconds // 60
    for text in (str(seconds), f"{seconds}s", f"{minutes}m{seconds % 60}s", f"{hours}h{minutes % 60}m{seconds % 60}s"):
        assert parse_duration(text) == seconds

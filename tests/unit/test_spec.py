from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import botocore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan import shapes, spec
from ecsplan.errors import Exit, SpecError, UsageError
from ecsplan.model import Notify, Settings
from ecsplan.spec import Entry, Spec, load, loads, parse_duration

TOPIC = "arn:aws:sns:eu-west-1:123456789012:deploys"

FULL = f"""
app = "shop"
region = "eu-west-1"
account = "123456789012"
profile = "ops"
assume_role = "arn:aws:iam::123456789012:role/deploy"
cluster = "prod"
active_task_count = 5
sns_notification_topic_arn = "{TOPIC}"

[tasks.web.task_definition]
family = "web"
cpu = 256
memory = "512"
executionRoleArn = "arn:aws:iam::123456789012:role/web-exec"
[[tasks.web.task_definition.containerDefinitions]]
name = "web"
image = "my_image:{{image_tag}}"
cpu = 1024
portMappings = [{{ containerPort = 8080 }}]
environment = [{{ name = "DEBUG", value = true }}, {{ name = "RATE", value = 0.5 }}, {{ name = "N", value = 3 }}]

[[tasks.web.run_tasks]]
name = "migrate"
launchType = "FARGATE"
timeout = "1h30m"
wait = false
when = "always"
overrides.containerOverrides = [{{ name = "web", environment = [{{ name = "A", value = 1 }}] }}]
[[tasks.web.run_tasks]]
cluster = "batch"
count = 10

[[tasks.web.update_services]]
service = "web"
forceNewDeployment = true
timeout = 90
deploymentConfiguration.deploymentCircuitBreaker.enable = true
[[tasks.web.update_services]]
service = "worker"

[[tasks.web.events__put_targets]]
Rule = "nightly-report"
Targets = [
  {{ Id = "report" }},
  {{ Id = "other", Arn = "arn:x", EcsParameters = {{ TaskDefinitionArn = "arn:y" }} }},
]

[tasks.worker]
active_task_count = 2
sns_notification_topic_arn = ""
task_definition = {{ family = "worker", containerDefinitions = [{{ name = "w", image = "w:1" }}] }}
"""

HEAD = """\
[tasks.web.task_definition]
family = "web"
containerDefinitions = [{ name = "web", image = "web:1" }]
"""
OTHER = """\
[tasks.other.task_definition]
family = "other"
containerDefinitions = [{ name = "web", image = "web:1" }]
"""


def faults(text: str, file: str = "ecsplan.toml") -> list[str]:
    """The faults of a text, without the name of the file in front, which is asserted to be there."""
    with pytest.raises(SpecError) as caught:
        loads(text, file)
    assert caught.value.exit_code == Exit.USAGE
    lines = [str(fault) for fault in caught.value.faults]
    assert all(line.startswith(f"{file}: ") for line in lines)
    assert all(line in str(caught.value) for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


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
    assert (worker.run_tasks, worker.update_services, worker.put_targets) == ((), (), ())


def test_entries_hold_awss_parameters_and_the_settings_apart() -> None:
    web = loads(FULL, "ecsplan.toml").tasks[0]
    assert web.run_tasks == (
        Entry(
            params={
                "launchType": "FARGATE",
                "overrides": {"containerOverrides": [{"name": "web", "environment": [{"name": "A", "value": 1}]}]},
                "cluster": "prod",
            },
            path="tasks.web.run_tasks[0]",
            name="migrate",
            settings=Settings(wait=False, timeout=5400, when="always"),
        ),
        Entry(params={"cluster": "batch", "count": 10}, path="tasks.web.run_tasks[1]", name="task-2"),
    )
    assert web.update_services == (
        Entry(
            params={
                "service": "web",
                "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True}},
                "cluster": "prod",
            },
            path="tasks.web.update_services[0]",
            settings=Settings(timeout=90, force=True),
        ),
        Entry(params={"service": "worker", "cluster": "prod"}, path="tasks.web.update_services[1]"),
    )
    assert web.put_targets == (
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
    assert web.update_services == (Entry(params={"service": "web"}, path="tasks.web.update_services[0]"),)


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
    assert task.run_tasks[0].path == 'tasks."web.v2".run_tasks[0]'


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
        # partial: nested members that the model demands of a whole request
        HEAD + '[[tasks.web.update_services]]\nservice = "web"\nnetworkConfiguration.awsvpcConfiguration = {}\n',
        "[tasks.web]\nrun_tasks = []\n" + HEAD,
    ],
)
def test_what_only_looks_like_a_clash_is_sound(text: str) -> None:
    assert isinstance(loads(text, "ecsplan.toml"), Spec)


# --- faults ----------------------------------------------------------------------------------------------------------

RUNS, SERVICES, RULES = (
    "[[tasks.web.run_tasks]]\n",
    "[[tasks.web.update_services]]\n",
    "[[tasks.web.events__put_targets]]\n",
)
NAME_RULE = "must be 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit, not"
TOPIC_RULE = "must be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:deploys, not"
TOP_NAMES = (
    "account, active_task_count, app, assume_role, cluster, notification_method_blacklist_regex, profile, region, "
    "sns_notification_topic_arn, tasks"
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('app = "../x"', f'app: {NAME_RULE} "../x"'),
        ('app = ".x"', f'app: {NAME_RULE} ".x"'),
        ('app = "a/b"', f'app: {NAME_RULE} "a/b"'),
        ('app = "a\\n"', f'app: {NAME_RULE} "a\\n"'),
        (f'app = "{"a" * 65}"', f'app: {NAME_RULE} "{"a" * 65}"'),
        ('app = ""', "app: must not be empty"),
        ("app = 1", "app: must be a string, not an integer"),
        ("region = 1", "region: must be a string, not an integer"),
        ('region = "../.."', 'region: must be the name of a region, such as eu-west-1, not "../.."'),
        ("account = 123456789012", "account: must be a string, not an integer"),
        ('account = "1234-5678-9012"', 'account: must be 12 digits in quotes, not "1234-5678-9012"'),
        ("profile = []", "profile: must be a string, not a list"),
        ('assume_role = "deploy"', 'assume_role: must be the ARN of an IAM role, not "deploy"'),
        ('cluster = ""', "cluster: must not be empty"),
        ("cluster = 2026-01-01", "cluster: must be a string, not a date or time; write it as a string"),
        ("active_task_count = true", "active_task_count: must be an integer, not a boolean"),
        (
            "active_task_count = 0",
            "active_task_count: must be at least 1, because the revision that was just deployed has to stay",
        ),
        (
            "active_task_count = -1",
            "active_task_count: must be at least 1, because the revision that was just deployed has to stay",
        ),
        ("active_task_count = 9999999999", "active_task_count: must fit in 32 bits"),
        ('sns_notification_topic_arn = "deploys"', f'sns_notification_topic_arn: {TOPIC_RULE} "deploys"'),
        ("sns_notification_topic_arn = 0", "sns_notification_topic_arn: must be a string, not an integer"),
        (
            'notification_method_blacklist_regex = "("',
            "notification_method_blacklist_regex: is no regular expression: "
            "missing ), unterminated subpattern at position 0",
        ),
        (
            'notification_method_blacklist_regex = "a{99999999999}"',
            "notification_method_blacklist_regex: is no regular expression: the repetition number is too large",
        ),
        (
            'notification_method_blacklist_regex = ""',
            'notification_method_blacklist_regex: must not be empty; write "^$" to publish every call',
        ),
        (
            "notification_method_blacklist_regex = 1",
            "notification_method_blacklist_regex: must be a string, not an integer",
        ),
        ('clsuter = "x"', 'clsuter: unknown key; did you mean "cluster"?'),
        ('include = "x"', f"include: unknown key; the keys here are {TOP_NAMES}"),
        ("[vars]", f"vars: unknown key; the keys here are {TOP_NAMES}"),
    ],
)
def test_faults_at_the_top(line: str, expected: str) -> None:
    assert faults(f"{line}\n{HEAD}") == [expected]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("[tasks.web]\nevents_put_targets = []",
         'tasks.web.events_put_targets: unknown key; did you mean "events__put_targets"?'),
        (
            "[tasks.web]\nactive_task_count = 0",
            "tasks.web.active_task_count: must be at least 1, because the revision that was just deployed has to stay",
        ),
        (
            "[tasks.web.run_tasks]\ncount = 1",
            "tasks.web.run_tasks: must be a list of tables, not a table; write [[tasks.web.run_tasks]]",
        ),
        (
            '[tasks.web.update_services]\nservice = "web"',
            "tasks.web.update_services: must be a list of tables, not a table; write [[tasks.web.update_services]]",
        ),
        ('[tasks.web]\nupdate_services = "web"', "tasks.web.update_services: must be a list of tables, not a string"),
        ('[tasks.web]\nupdate_services = ["web"]', "tasks.web.update_services[0]: must be a table, not a string"),
        ('[tasks.web]\nextends = "x"', "tasks.web.extends: unknown key; the keys here are active_task_count, "
         "events__put_targets, notification_method_blacklist_regex, run_tasks, sns_notification_topic_arn, "
         "task_definition, update_services"),
        ("[tasks.a]", "tasks.a.task_definition: required, but missing"),
        ("[[tasks.a]]", "tasks.a: must be a table, not a list; write [tasks.a]"),
        ("[[tasks.a.task_definition]]",
         "tasks.a.task_definition: must be a table, not a list; write [tasks.a.task_definition]"),
        (OTHER.replace("other", "-x", 1), f'tasks.-x: the name of a task {NAME_RULE} "-x"'),
        (OTHER.replace('"other"', '"a b"'), "tasks.other.task_definition.family: "
         'must be 1 to 255 letters, digits, \'_\' and \'-\', not "a b"'),
        (OTHER.replace('"other"', '""'), "tasks.other.task_definition.family: must not be empty"),
        (OTHER.replace('"other"', "1"), "tasks.other.task_definition.family: must be a string, not an integer"),
        (OTHER.replace('[{ name = "web", image = "web:1" }]', "[]"),
         "tasks.other.task_definition.containerDefinitions: must not be empty"),
        (OTHER.replace("image =", "imge = 'x', image ="),
         'tasks.other.task_definition.containerDefinitions[0].imge: unknown key; did you mean "image"?'),
        (OTHER.replace(', image = "web:1"', ""),
         "tasks.other.task_definition.containerDefinitions[0].image: required, but missing"),
        (OTHER.replace("web:1", ""), "tasks.other.task_definition.containerDefinitions[0].image: must not be empty"),
        (OTHER.replace("}]", '}, { name = "web", image = "x" }]'),
         'tasks.other.task_definition.containerDefinitions[1].name: "web" is the name of '
         "tasks.other.task_definition.containerDefinitions[0] too"),
        (OTHER + "cpu = 0.5", "tasks.other.task_definition.cpu: must be a string, not a float"),
        (OTHER.replace('"other"', '"web"'),
         'tasks.other.task_definition.family: "web" is the family of tasks.web too; a family belongs to one task'),
        (RUNS + 'taskDefinition = "web"',
         "tasks.web.run_tasks[0].taskDefinition: set by ecsplan to the task's own revision; leave it out"),
        (RUNS + 'clientToken = "x"',
         "tasks.web.run_tasks[0].clientToken: set by ecsplan, so that a retry never runs the task twice; leave it out"),
        (RUNS + "count = 11",
         "tasks.web.run_tasks[0].count: must be from 1 to 10, which is what one RunTask can start"),
        (RUNS + "count = 0", "tasks.web.run_tasks[0].count: must be from 1 to 10, which is what one RunTask can start"),
        (RUNS + "count = true", "tasks.web.run_tasks[0].count: must be an integer, not a boolean"),
        (RUNS + 'cluster = ""', "tasks.web.run_tasks[0].cluster: must not be empty"),
        (RUNS + 'when = "never"', 'tasks.web.run_tasks[0].when: must be "changed" or "always"'),
        (RUNS + 'wait = "no"', "tasks.web.run_tasks[0].wait: must be true or false, not a string"),
        (RUNS + 'name = "a/b"', f'tasks.web.run_tasks[0].name: {NAME_RULE} "a/b"'),
        (RUNS + 'name = "m"\n' + RUNS + 'name = "m"',
         'tasks.web.run_tasks[1].name: "m" is the name of tasks.web.run_tasks[0] too'),
        (RUNS + 'name = "task-2"\n' + RUNS,
         'tasks.web.run_tasks[1].name: "task-2" is the name of tasks.web.run_tasks[0] too'),
        (RUNS + "timeuot = 1", 'tasks.web.run_tasks[0].timeuot: unknown key; did you mean "timeout"?'),
        (RUNS + "launch_type = 'EC2'", 'tasks.web.run_tasks[0].launch_type: unknown key; did you mean "launchType"?'),
        (RUNS + "zzz = 1", "tasks.web.run_tasks[0].zzz: unknown key; "
         f"boto3's ecs.run_task has none of that name (botocore {botocore.__version__})"),
        (RUNS + "networkConfiguration.awsvpcConfiguration = {}",
         "tasks.web.run_tasks[0].networkConfiguration.awsvpcConfiguration.subnets: required, but missing"),
        (RUNS + 'timeout = "soon"', 'tasks.web.run_tasks[0].timeout: not a duration: "soon"; '
         'write seconds or units, 90, "90s", "15m" or "1h30m"'),
        (RUNS + "timeout = 0", "tasks.web.run_tasks[0].timeout: a duration must be from 1 second to 30 days"),
        (RUNS + "timeout = 1.5", 'tasks.web.run_tasks[0].timeout: must be seconds or text such as "15m", not a float'),
        (RUNS + "timeout = true",
         'tasks.web.run_tasks[0].timeout: must be seconds or text such as "15m", not a boolean'),
        (SERVICES, "tasks.web.update_services[0].service: required, but missing"),
        (SERVICES + 'service = ""', "tasks.web.update_services[0].service: must not be empty"),
        (SERVICES + 'service = "web"\ntaskDefinition = "web"',
         "tasks.web.update_services[0].taskDefinition: set by ecsplan to the task's own revision; leave it out"),
        (SERVICES + 'service = "web"\nforceNewDeployment = 1',
         "tasks.web.update_services[0].forceNewDeployment: must be true or false, not an integer"),
        (SERVICES + 'service = "web"\n' + SERVICES + 'service = "web"',
         'tasks.web.update_services[1].service: "web" in cluster "default" is updated by '
         "tasks.web.update_services[0] too; declare it once"),
        (RULES + "Targets = [{ Id = 'a' }]", "tasks.web.events__put_targets[0].Rule: required, but missing"),
        (RULES + "Rule = 'r'", "tasks.web.events__put_targets[0].Targets: required, but missing"),
        (RULES + "Rule = 'r'\nTargets = []", "tasks.web.events__put_targets[0].Targets: must not be empty"),
        (RULES + "Rule = 'r'\nTargets = [{ Arn = 'x' }]",
         "tasks.web.events__put_targets[0].Targets[0].Id: required, but missing"),
        (RULES + "Rule = 'r'\nTargets = [{ Id = 'a' }]\ntimeout = 5",
         "tasks.web.events__put_targets[0].timeout: unknown key; the keys here are EventBusName, Rule, Targets"),
        (RULES + "Rule = 'r'\n[tasks.web.events__put_targets.Targets]\nId = 'a'",
         "tasks.web.events__put_targets[0].Targets: must be a list of tables, not a table; "
         "write [[tasks.web.events__put_targets.Targets]]"),
        (RULES + "Rule = 'r'\nTargets = [{ Id = 'a' }, { Id = 'a' }]",
         'tasks.web.events__put_targets[0].Targets[1].Id: "a" is the Id of '
         'tasks.web.events__put_targets[0].Targets[0] too; "r" can have it once'),
        (RULES + "Rule = 'r'\nTargets = [{ Id = 'a' }]\n" + RULES + "Rule = 'r'\nTargets = [{ Id = 'b' }]",
         'tasks.web.events__put_targets[1].Rule: "r" is the rule of tasks.web.events__put_targets[0] too; '
         "put both targets in one entry"),
        (RULES + "Rule = 'r'\nTargets = [{ Id = 'a' }]\n" + OTHER
         + "[[tasks.other.events__put_targets]]\nRule = 'r'\nEventBusName = 'default'\nTargets = [{ Id = 'a' }]",
         'tasks.other.events__put_targets[0].Targets[0].Id: "a" is the Id of '
         'tasks.web.events__put_targets[0].Targets[0] too; "r" can have it once'),
    ],
)  # fmt: skip
def test_faults_in_tasks(more: str, expected: str) -> None:
    assert faults(f"{HEAD}\n{more}\n") == [expected]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('service = "web"\ncluster = "prod"', 'service = "web"'),
        ('service = "web"', 'service = "arn:aws:ecs:eu-west-1:123456789012:service/prod/web"'),
        ('service = "web"\ncluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"', 'service = "web"'),
    ],
)
def test_a_service_is_one_however_it_is_written(first: str, second: str) -> None:
    text = f'cluster = "prod"\n{HEAD}{OTHER}{SERVICES}{first}\n{SERVICES.replace("web", "other")}{second}\n'
    (fault,) = faults(text)
    assert fault == (
        'tasks.other.update_services[0].service: "web" in cluster "prod" is updated by '
        "tasks.web.update_services[0] too; declare it once"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["empty; a spec needs at least one task, [tasks.NAME.task_definition]"]),
        (" \n\t\r\n", ["empty; a spec needs at least one task, [tasks.NAME.task_definition]"]),
        ("# later", ["tasks: a spec needs at least one task, [tasks.NAME.task_definition]"]),
        ("[tasks]", ["tasks: a spec needs at least one task, [tasks.NAME.task_definition]"]),
        ("[[tasks]]", ["tasks: must be a table, not a list; write [tasks.NAME]"]),
        ("tasks = 1", ["tasks: must be a table, not an integer; write [tasks.NAME]"]),
        ("a = 1\nb == 2", ["line 2, column 4: Invalid value"]),
        ("a = 1\r\nb = 'x", ['line 2, column 7, the end of the file: Expected "\'"']),
        ("a = " + "[" * 5000, ["nested too deeply, or an integer has too many digits"]),
        ("a = " + "9" * 5000, ["nested too deeply, or an integer has too many digits"]),
    ],
)
def test_a_text_that_is_no_spec(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


def test_all_faults_at_once_in_the_order_of_the_file() -> None:
    text = f'{RUNS}count = 11\n{SERVICES}service = 1\n{HEAD}user = "x"\n[tasks.a]\n{OTHER}cpu = 1.5\n'
    assert faults(f"clusetr = 1\n{text}", "a b.toml") == [
        'app: "a b", from the name of the file, cannot be an app name; write app = "NAME" at the top',
        'clusetr: unknown key; did you mean "cluster"?',
        "tasks.web.run_tasks[0].count: must be from 1 to 10, which is what one RunTask can start",
        "tasks.web.update_services[0].service: must be a string, not an integer",
        "tasks.web.task_definition.user: unknown key; boto3's ecs.register_task_definition has none of that name "
        f"(botocore {botocore.__version__})",
        "tasks.a.task_definition: required, but missing",
        "tasks.other.task_definition.cpu: must be a string, not a float",
    ]


def test_a_default_app_name_that_is_not_valid_may_be_replaced() -> None:
    assert loads(f'app = "ok"\n{HEAD}', "a b.toml").app == "ok"


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
    said = f'not a duration: {shapes.quoted(text[:40])}; write seconds or units, 90, "90s", "15m" or "1h30m"'
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_duration(text)


@pytest.mark.parametrize("text", [0, -1, "0", "0h0m", 30 * 86400 + 1, "721h", 10**30])
def test_durations_out_of_range(text: str | int) -> None:
    with pytest.raises(ValueError, match=r"^a duration must be from 1 second to 30 days$"):
        parse_duration(text)


# --- laws ------------------------------------------------------------------------------------------------------------


def test_own_keys_are_no_parameter_of_aws_and_no_part_of_one_another() -> None:
    for key, own in spec.OWN_KEYS.items():
        request = spec.REQUESTS[key]
        assert not own.keys() & shapes.members(request.service, request.operation)
    assert not spec.TOP_KEYS.keys() & spec.REQUESTS.keys()
    assert not spec.TASK_KEYS.keys() & spec.REQUESTS.keys()


def test_every_place_with_a_leeway_is_a_field_of_the_model() -> None:
    for request in spec.REQUESTS.values():
        fields = {field.pattern for field in shapes.walk(request.service, request.operation)}
        places = {*request.required, *request.filled, *request.supplied, *request.lenient}
        assert places <= fields
        assert not set(request.own) & fields


def test_the_reference_has_a_sound_example_and_names_every_own_key() -> None:
    reference = (Path(__file__).parents[2] / "docs" / "spec.md").read_text(encoding="utf-8")
    example = re.findall(r"```toml\n(.*?)```", reference, re.DOTALL)[0]
    assert loads(example, "ecsplan.toml").app == "shop"
    for key in (*spec.TOP_KEYS, *spec.TASK_KEYS, *spec.REQUESTS, *spec.RUN_KEYS, *spec.UPDATE_KEYS):
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

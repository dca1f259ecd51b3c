"""Every fault of a spec is named with its path."""

from __future__ import annotations

import botocore
import pytest

from ecsplan.spec.load import loads
from tests.unit.spec_texts import HEAD, OTHER, RULES, RUNS, SERVICES, faults

NAME_RULE = "must be 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit, not"
TOPIC_RULE = "must be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:123456789012:deploys, not"
TOP_NAMES = (
    "account, active_task_count, app, assume_role, cluster, notification_method_blacklist_regex, profile, region, "
    "sns_deployment_message, sns_notification_topic_arn, tasks"
)


def targets(first: int, last: int) -> str:
    return ", ".join(f"{{ Id = 't{number}' }}" for number in range(first, last + 1))


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
         "events__put_targets, notification_method_blacklist_regex, run_tasks, scheduler__update_schedules, "
         "sns_deployment_message, sns_notification_topic_arn, task_definition, update_services"),
        ("[tasks.a]", "tasks.a.task_definition: required, but missing"),
        ("[[tasks.a]]", "tasks.a: must be a table, not a list; write [tasks.a]"),
        ("[[tasks.a.task_definition]]",
         "tasks.a.task_definition: must be a table, not a list; write [tasks.a.task_definition]"),
        (OTHER.replace("other", "-x", 1), f'tasks.-x: the name of a task {NAME_RULE} "-x"'),
        (OTHER.replace('"other"', '"a b"'), "tasks.other.task_definition.family: "
         'must be 1 to 255 letters, digits, \'_\' and \'-\', not "a b"'),
        (OTHER.replace('"other"', '""'), "tasks.other.task_definition.family: must not be empty"),
        (OTHER.replace('"other"', "1"), "tasks.other.task_definition.family: must be a string, not an integer"),
        (OTHER.replace('[{ name = "web", image = "web:1", memory = 64 }]', "[]"),
         "tasks.other.task_definition.containerDefinitions: must not be empty"),
        (OTHER.replace("image =", "imge = 'x', image ="),
         'tasks.other.task_definition.containerDefinitions[0].imge: unknown key; did you mean "image"?'),
        (OTHER.replace(', image = "web:1"', ""),
         "tasks.other.task_definition.containerDefinitions[0].image: required, but missing"),
        (OTHER.replace("web:1", ""), "tasks.other.task_definition.containerDefinitions[0].image: must not be empty"),
        (OTHER.replace("}]", '}, { name = "web", image = "x", memory = 64 }]'),
         'tasks.other.task_definition.containerDefinitions[1].name: "web" is the name of '
         "tasks.other.task_definition.containerDefinitions[0] too"),
        (OTHER + "cpu = 0.5", "tasks.other.task_definition.cpu: must be a string, not a float"),
        (OTHER.replace('"other"', '"web"'),
         'tasks.other.task_definition.family: "web" is the family of tasks.web too; a family belongs to one task'),
        (RUNS + 'taskDefinition = "web"',
         "tasks.web.run_tasks[0].taskDefinition: set by ecsplan to the task's own revision; leave it out"),
        (RUNS + 'clientToken = "x"',
         "tasks.web.run_tasks[0].clientToken: set by ecsplan, so that a retry never runs the task twice; leave it out"),
        (RUNS + "count = 10001", "tasks.web.run_tasks[0].count: must be from 1 to 10,000"),
        (RUNS + "count = 0", "tasks.web.run_tasks[0].count: must be from 1 to 10,000"),
        (RUNS + "count = -1", "tasks.web.run_tasks[0].count: must be from 1 to 10,000"),
        (RUNS + 'count = "2"', "tasks.web.run_tasks[0].count: must be an integer, not a string"),
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
        (SERVICES + 'service = "web"\nlaunchType = "FARGATE"', "tasks.web.update_services[0].launchType: "
         "a live service keeps its launch type; leave it out, or declare capacityProviderStrategy"),
        (SERVICES + 'service = "web"\nschedulingStrategy = "DAEMON"', "tasks.web.update_services[0]."
         "schedulingStrategy: a live service keeps its scheduling strategy; leave it out"),
        (SERVICES + 'service = "web"\nrole = "x"',
         "tasks.web.update_services[0].role: a live service keeps its role; leave it out"),
        (SERVICES + 'service = "web"\nlaunch = "x"', "tasks.web.update_services[0].launch: unknown key; "
         f"boto3's ecs.update_service has none of that name (botocore {botocore.__version__})"),
        (RULES + f"Rule = 'r'\nTargets = [{targets(1, 6)}]", "tasks.web.events__put_targets[0].Targets: "
         'more than 5 targets of "r", which is the most that a rule can have'),
        (RULES + f"Rule = 'r'\nTargets = [{targets(1, 5)}]\n" + OTHER
         + f"[[tasks.other.events__put_targets]]\nRule = 'r'\nTargets = [{targets(6, 7)}]",
         'tasks.other.events__put_targets[0].Targets: more than 5 targets of "r", which is the most that a rule can '
         "have"),
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
    text = f'{RUNS}count = 0\n{SERVICES}service = 1\n{HEAD}user = "x"\n[tasks.a]\n{OTHER}cpu = 1.5\n'
    assert faults(f"clusetr = 1\n{text}", "a b.toml") == [
        'app: "a b", from the name of the file, cannot be an app name; write app = "NAME" at the top',
        'clusetr: unknown key; did you mean "cluster"?',
        "tasks.web.run_tasks[0].count: must be from 1 to 10,000",
        "tasks.web.update_services[0].service: must be a string, not an integer",
        "tasks.web.task_definition.user: unknown key; boto3's ecs.register_task_definition has none of that name "
        f"(botocore {botocore.__version__})",
        "tasks.a.task_definition: required, but missing",
        "tasks.other.task_definition.cpu: must be a string, not a float",
    ]


def test_a_default_app_name_that_is_not_valid_may_be_replaced() -> None:
    assert loads(f'app = "ok"\n{HEAD}', "a b.toml").app == "ok"

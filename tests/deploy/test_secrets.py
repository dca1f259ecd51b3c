"""Secrets are in nothing that is shown, told or published; and where they have to be, only their owner can read."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.specs import ROLE, TOPIC, container, definition, migration, spec, task
from tests.support.toml import Doc
from tests.support.world import World

OLD, NEW = "hunter2", "correct-horse"
NAMES = ("DB_PASSWORD", "API_TOKEN", "SECRET_KEY", "AWS_CREDENTIALS", "privateKey", "smtp_pass")


def whole(secret: str) -> list[str]:
    """Values that are secret as a whole."""
    names = (*NAMES, "option", "override")
    return [f"{name}-{secret}-value" for name in names]


def inner(secret: str) -> list[str]:
    """Those within a URL, a JSON text or a command line."""
    return [f"{name}-{secret}-value" for name in ("url", "json", "input", "shell", "flag", "header", "word")]


def secrets(secret: str) -> list[str]:
    """Every secret value of the spec; each is found wherever it stands."""
    return [*whole(secret), *inner(secret)]


def with_secrets(secret: str) -> Doc:
    environment = [{"name": name, "value": f"{name}-{secret}-value"} for name in NAMES]
    environment += [
        {"name": "DATABASE_URL", "value": f"postgres://shop:url-{secret}-value@db.internal/shop"},
        {
            "name": "SETTINGS",
            "value": json.dumps({"environment": [{"name": "TOKEN", "value": f"json-{secret}-value"}]}),
        },
        {"name": "MODE", "value": "plain-value"},
    ]
    log = {"logDriver": "splunk", "options": {"splunk-token": f"option-{secret}-value", "splunk-url": "https://splunk"}}
    line = f"export PGPASSWORD=shell-{secret}-value; curl -H 'X-Api-Key: header-{secret}-value' https://db.internal"
    command = ["sh", "-c", line, f"--auth-token=flag-{secret}-value"]
    one = container(environment=environment, logConfiguration=log, command=command)
    made = task(task_definition=definition("web", one))
    override = {
        "name": "web",
        "command": ["./migrate", "--password", f"word-{secret}-value"],
        "environment": [{"name": "ROOT_PASSWORD", "value": f"override-{secret}-value"}],
    }
    made["run_tasks"] = [migration(overrides={"containerOverrides": [override]})]
    text = json.dumps({"containerOverrides": [{"name": "web", "environment": [
        {"name": "JOB_TOKEN", "value": f"input-{secret}-value"},
    ]}]})  # fmt: skip
    made["events__put_targets"] = [{"Rule": "nightly", "Targets": [{"Id": "report", "Input": text}]}]
    return spec(made, sns_notification_topic_arn=TOPIC)


def leaked(*texts: str) -> list[str]:
    return [value for secret in (OLD, NEW) for value in secrets(secret) if any(value in text for text in texts)]


@pytest.fixture
def deployed(world: World) -> World:
    """Deployed with the old secrets; the spec has the new ones now."""
    world.write(with_secrets(OLD))
    world.deploy("v1")
    world.write(with_secrets(NEW), seed=False)
    world.forget()
    return world


def test_the_values_arrive(deployed: World) -> None:
    """The masks are for people: AWS gets what the spec says."""
    deployed.deploy("v1")
    sent = json.dumps([dict(request.params) for request in deployed.aws.requests if request.operation != "Publish"])
    for value in secrets(NEW):
        assert value in sent, value


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "v2"),
        ("plan", "v2", "--format", "json"),
        ("--color", "always", "plan", "v2"),
        ("-v", "plan", "v2"),
        ("deploy", "v2", "--yes"),
        ("deploy", "v2", "--yes", "--format", "jsonl"),
        ("render", "v2"),
        ("validate",),
        ("rollback", "--plan"),
        ("rollback", "--yes"),
        ("show", "1"),
        ("show", "1", "--format", "json"),
        ("history", "--format", "json"),
    ],
)
def test_nothing_is_printed(deployed: World, command: Sequence[str]) -> None:
    ran = deployed.ok(*command)
    assert leaked(ran.out, ran.err) == []


def test_that_they_changed_is_told(deployed: World) -> None:
    text = deployed.ok("plan", "v1").out
    assert "containers.web.environment.DB_PASSWORD  (sensitive, changed)" in text
    assert "plain-value" not in text
    changed = {change["path"]: change for change in deployed.plan("v1")["steps"][0]["changes"]}
    assert changed["containers.web.environment.DB_PASSWORD"]["before"] == "(sensitive)"
    assert changed["containers.web.environment.DB_PASSWORD"]["after"] == "(sensitive, changed)"


def test_what_is_no_secret_is_shown(world: World) -> None:
    """A plan without use is no plan."""
    world.write(with_secrets(OLD))
    text = world.ok("plan", "v1").out
    assert 'containers.web.environment.MODE = "plain-value"' in text
    assert "https://splunk" in text


def test_apply_prints_nothing(deployed: World) -> None:
    for tag, form in (("v2", "text"), ("v3", "jsonl")):
        deployed.ok("plan", tag)
        ran = deployed.ok("apply", "--format", form)
        assert leaked(ran.out, ran.err) == []
    found = deployed.ok("show", "3", "--format", "json")
    assert leaked(found.out, deployed.ok("show", "2").out) == []


def test_messages_are_masked(deployed: World) -> None:
    deployed.deploy("v2")
    deployed.ok("rollback", "--yes")
    texts = [params["Message"] for params in deployed.params("Publish")]
    assert {message["method"] for message in deployed.messages()} >= {"run_task", "update_service", "put_targets"}
    assert leaked(*texts) == []
    assert any("(sensitive)" in text for text in texts)


@pytest.mark.parametrize("form", ["text", "jsonl"])
@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "RunTask", "PutTargets"])
def test_what_aws_says_is_scrubbed(deployed: World, operation: str, form: str) -> None:
    """AWS quotes what it does not like."""
    message = f"Invalid value: {' '.join(whole(NEW))}"
    deployed.aws.fault(operation, "error", code="InvalidParameterException", message=message)
    ran = deployed.run("deploy", "v2", "--yes", "--format", form)
    assert ran.code == 6
    assert "Invalid value: (sensitive)" in ran.said
    assert leaked(ran.out, ran.err) == []
    shown = deployed.ok("show", "2").out + deployed.ok("history", "--format", "json").out
    assert leaked(shown) == []


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_why_a_task_ended_is_scrubbed(deployed: World, form: str) -> None:
    deployed.aws.task(exit_code=1, reason=f"cannot connect with {' '.join(whole(NEW))}")
    ran = deployed.run("deploy", "v2", "--yes", "--format", form)
    assert ran.code == 6
    assert "cannot connect with (sensitive)" in ran.said
    assert leaked(ran.out, ran.err, deployed.ok("show", "2").out) == []


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_why_a_rollout_failed_is_scrubbed(deployed: World, form: str) -> None:
    deployed.aws.rollout("FAILED", reason=f"not healthy: {' '.join(whole(NEW))}", image="*:v2")
    ran = deployed.run("deploy", "v2", "--yes", "--format", form)
    assert ran.code == 6
    assert "not healthy: (sensitive)" in ran.said
    assert leaked(ran.out, ran.err) == []


def test_secrets_within_values_are_scrubbed_where_aws_quotes_them(deployed: World) -> None:
    """The password of a URL, and values within JSON or a line: what is quoted may be the inner value alone."""
    message = f"Invalid value: {' '.join(inner(NEW))}"
    deployed.aws.fault("PutTargets", "error", code="InvalidParameterException", message=message)
    ran = deployed.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert leaked(ran.out, ran.err) == []


def test_secrets_within_values_are_scrubbed_where_a_task_tells_them(deployed: World) -> None:
    deployed.aws.task(exit_code=1, reason=f"password authentication failed for {inner(NEW)[0]}")
    ran = deployed.run("deploy", "v2", "--yes")
    assert ran.code == 6
    assert leaked(ran.out, ran.err) == []


@pytest.mark.parametrize("form", ["text", "jsonl"])
@pytest.mark.parametrize("operation", ["DeregisterTaskDefinition", "Publish", "DescribeServices"])
def test_warnings_are_scrubbed(world: World, operation: str, form: str) -> None:
    world.write(with_secrets(OLD) | {"active_task_count": 1})
    world.deploy("v1")
    message = f"Not now: {' '.join(whole(OLD))}"
    skip = 2 if operation == "DescribeServices" else 0  # those of the plan, and of the check that it is fresh
    world.aws.fault(operation, "error", skip=skip, times=1, code="InternalFailure", message=message)
    ran = world.run("deploy", "v2", "--yes", "--format", form)
    assert ran.code == 0
    assert "Not now: (sensitive)" in ran.said
    assert leaked(ran.out, ran.err) == []


def test_files_are_for_their_owner_only(deployed: World) -> None:
    """The saved plan and the journal have to hold secrets, to be applied and to go back to."""
    deployed.ok("plan", "v2")
    deployed.ok("apply")
    root = Path(".ecsplan")
    assert leaked((root / "shop" / "plan.json").read_text()) != []
    for path in [root, *root.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_render_shows_them_when_asked_to(deployed: World) -> None:
    assert leaked(deployed.ok("render", "v2", "--unmask").out) != []


def test_secrets_of_aws_are_no_secrets(world: World) -> None:
    """`valueFrom` names a secret, it does not hold one."""
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
    one = container(secrets=[{"name": "DB_PASSWORD", "valueFrom": arn}])
    world.write(spec(task(task_definition=definition("web", one, executionRoleArn=ROLE))))
    assert arn in world.ok("plan", "v1").out


def test_faults_of_a_spec_do_not_quote_them(world: World) -> None:
    made = with_secrets(OLD)
    one = made["tasks"]["web"]["task_definition"]["containerDefinitions"][0]
    one["environment"][0]["vlaue"] = one["environment"][0].pop("value")
    one["environment"][1]["value"] = [one["environment"][1]["value"]]
    one["secretOptions"] = secrets(OLD)
    world.write(made, seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 3
    assert leaked(ran.out, ran.err) == []

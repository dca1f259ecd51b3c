"""`ecsplan demo`: a whole story on the embedded AWS, with the same commands that a person would type."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecsplan import rehearsal
from ecsplan.core.clock import Clock
from ecsplan.core.errors import Exit
from ecsplan.pipeline import load

SPEC = """\
app = "shop"
cluster = "prod"

[tasks.web.task_definition]
family = "shop-web"

[[tasks.web.task_definition.containerDefinitions]]
name = "web"
image = "shop:{image_tag}"
memory = 512
portMappings = [{ containerPort = 8000 }]
environment = [
    { name = "DJANGO_SETTINGS_MODULE", value = "shop.settings" },
    { name = "SECRET_KEY", value = "only-for-this-demo" },
]
logConfiguration.logDriver = "awslogs"
logConfiguration.options.awslogs-group = "/shop/web"
logConfiguration.options.awslogs-region = "eu-west-1"
logConfiguration.options.awslogs-stream-prefix = "web"

[[tasks.web.run_tasks]]
name = "migrate"
overrides.containerOverrides = [{ name = "web", command = ["./manage.py", "migrate"] }]

[[tasks.web.update_services]]
service = "shop-web"
deploymentConfiguration.deploymentCircuitBreaker = { enable = true, rollback = true }

[[tasks.web.events__put_targets]]
Rule = "shop-nightly"
Targets = [{ Id = "report" }]
"""

# What the containers write, by command and tag; the newest that fits holds.
ORDERS: tuple[Mapping[str, Any], ...] = (
    {"image": "*fail-rollout", "exit_code": 1, "log_lines": ["Starting gunicorn", "ImportError: no module named shop"]},
    {
        "command": "*migrate*",
        "log_lines": ["Operations to perform:", "  Apply all migrations: auth, shop", "  Applying shop.0002... OK"],
    },
    {
        "image": "*fail-task",
        "exit_code": 1,
        "log_lines": ["Operations to perform:", 'ProgrammingError: relation "shop_order" does not exist'],
    },
)
STORY: tuple[tuple[str, Sequence[str], Exit], ...] = (
    ("The first deployment: look at it, then carry it out.", ("plan", "v1"), Exit.OK),
    ("", ("apply",), Exit.OK),
    ("Nothing has changed, so there is nothing to do.", ("plan", "v1"), Exit.OK),
    ("The next tag, in one go. The migration ends before anything is switched.", ("deploy", "v2", "--yes"), Exit.OK),
    (
        "A tag whose migration fails: nothing was switched, and the revision is gone again.",
        ("deploy", "v3-fail-task", "--yes"),
        Exit.PUT_BACK,
    ),
    (
        "A tag whose containers never become healthy: ECS gives up, and everything is put back.",
        ("deploy", "v4-fail-rollout", "--yes"),
        Exit.PUT_BACK,
    ),
    ("What happened so far.", ("history",), Exit.OK),
    ("Back to where deployment 1 was.", ("rollback", "--to", "1", "--yes"), Exit.OK),
    ("And that is what is live.", ("plan", "v1"), Exit.OK),
)


def play(run: Callable[[Sequence[str]], int], say: Callable[[str], None], clock: Clock | None = None) -> int:
    """Run the story's commands against an embedded AWS, which goes by `clock`, or by the machine's own. 0 if each ended
    as the story says. Nothing outside a temporary folder and this process is touched; no real AWS can be reached."""
    with tempfile.TemporaryDirectory(prefix="ecsplan-demo-") as folder:
        spec = Path(folder) / "ecsplan.toml"
        spec.write_text(SPEC, encoding="utf-8")
        with rehearsal.open_sandbox(None, clock=clock) as aws, only_environment(aws.environment):
            rehearsal.seed(aws, load(spec))
            for order in ORDERS:
                aws.task(**order)
            say(f"An embedded AWS is running, with the cluster, service and rule of this spec ({spec.name}):\n\n{SPEC}")
            for text, command, expected in STORY:
                say(f"{text}\n\n$ ecsplan {' '.join(command)}" if text else f"$ ecsplan {' '.join(command)}")
                code = run(("--file", str(spec), *command))
                say(f"(exit {int(code)})\n" if code else "")
                if code != expected:
                    say(f"This should have ended with exit code {int(expected)}.")
                    return Exit.ERROR
    say("That was all of it. Rehearse your own spec with: ecsplan sandbox")
    return Exit.OK


@contextmanager
def only_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """These AWS settings and no others, so that neither a profile nor a variable leads to a real account."""
    before = dict(os.environ)
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_PROXY": "127.0.0.1"}
    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO_"))]:
        del os.environ[name]
    os.environ.update({**nowhere, **settings})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

"""What a terminal shows of a deployment that succeeds, one that fails and one that is interrupted: docs/screens.md."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecsplan import pipeline, rehearsal
from ecsplan.rehearsal.demo import only_environment
from ecsplan.sandbox import Sandbox
from tests.support.processes import environment
from tests.support.screens import without_changing
from tests.support.terminal import Terminal, terminal

ROOT = Path(__file__).parents[1]
EXAMPLE = (ROOT / "examples" / "django" / "ecsplan.toml").read_text(encoding="utf-8")
UPDATE = "[[tasks.web.update_services]]\n"
BREAKER = "deploymentConfiguration.deploymentCircuitBreaker = { enable = true, rollback = true }\n"
SIZES = ((80, 24), (120, 30))
MIGRATION = [  # seconds after the container's start, and what it writes then
    (0.1, "Operations to perform:"),
    (0.1, "  Apply all migrations: admin, auth, orders, sessions"),
    (0.2, "Running migrations:"),
    (1.0, "  Applying orders.0012_order_reference... OK"),
    (5.0, "  Applying orders.0013_backfill_reference... OK"),
]


@dataclass(frozen=True, kw_only=True)
class Story:
    """`looks` are what a picture is taken of, each with a word that says so on the screen."""

    title: str
    told: str
    tag: str
    looks: tuple[tuple[str, Callable[[str], bool]], ...]
    code: int
    spec: str = EXAMPLE
    interrupt: bool = False


def rolling(text: str) -> bool:
    """One service is through, the other under way."""
    return "✓ shop-web " in text and "→ shop-worker" in text and "✓ targets" not in text


STORIES = (
    Story(
        title="A deployment that succeeds",
        told="`ecsplan apply` of examples/django: first the migration, whose log lines scroll above the table, then\n"
        "both services at once, then the targets.",
        tag="v2",
        looks=(
            ("While the migration runs", lambda text: "orders.0012" in text and "→ shop-web/migrate" in text),
            ("While the services are rolled out", rolling),
        ),
        code=0,
    ),
    Story(
        title="A deployment that fails",
        told="The same, with a circuit breaker added to the web service\n"
        "(`deploymentConfiguration.deploymentCircuitBreaker = { enable = true, rollback = true }`) and an image whose\n"
        "containers stop at once. ECS rolls the web service back; ecsplan says so, and puts back the rest.",
        tag="v2-fail-rollout",
        spec=EXAMPLE.replace(UPDATE, UPDATE + BREAKER),
        looks=(
            ("While it fails", lambda text: "1 failed" in text or "2 failed" in text),
            ("While it is put back", lambda text: "← shop-worker" in text),
        ),
        code=6,
    ),
    Story(
        title="A deployment that is interrupted",
        told="Ctrl-C while the services are rolled out.",
        tag="v3",
        looks=(),
        code=130,
        interrupt=True,
    ),
)


def main() -> None:
    parts = [
        "# What a terminal shows",
        "",
        "Made by `script/screens` from real runs against the embedded AWS, where a rollout takes seconds.",
        "Ids are replaced.",
        "Colours are not shown here: signs and failures have one, the rest has the terminal's own.",
    ]
    for story in STORIES:
        parts += ["", f"## {story.title}", "", story.told]
        for columns, lines in SIZES:
            for name, text in captured(story, columns, lines):
                parts += ["", f"{name}, {columns} columns:", "", "```text", text, "```"]
    (ROOT / "docs" / "screens.md").write_text("\n".join(parts) + "\n", encoding="utf-8")


def captured(story: Story, columns: int, lines: int) -> Iterator[tuple[str, str]]:
    """Each picture with its name, in order."""
    sys.stderr.write(f"{story.title}, {columns} columns\n")
    with account(story.spec) as aws:
        quietly("deploy", "v1", "--yes")
        quietly("plan", story.tag)
        aws.rollout_seconds, aws.task_seconds = 9.0, 10.0
        aws.rollout("COMPLETED", service="shop-worker", seconds=15.0)
        if story.code == 6:
            aws.rollout("ROLLED_BACK", service="shop-web", seconds=9.0)
        aws.task(log_lines=MIGRATION)
        with terminal("apply", columns=columns, lines=lines) as screen:
            for name, true in story.looks:
                yield name, picture(screen, true, name)
            if story.interrupt:
                picture(screen, rolling, story.title)
                screen.send(signal.SIGINT)
            code = screen.ended()
            assert code == story.code, "\n".join(screen.everything)
            yield "At its end", cleaned(screen.everything[-(lines - 1) :])


def picture(screen: Terminal, true: Callable[[str], bool], name: str) -> str:
    return cleaned(screen.until(lambda shown: true("\n".join(shown)), name))


def cleaned(shown: list[str]) -> str:
    return "\n".join(without_changing(line) for line in shown).strip("\n")


@contextmanager
def account(spec: str) -> Iterator[Sandbox]:
    """An account with what the spec names, and the current folder with the spec in it."""
    with tempfile.TemporaryDirectory(prefix="ecsplan-screens-") as folder:
        file = Path(folder) / "ecsplan.toml"
        file.write_text(spec, encoding="utf-8")
        loaded = pipeline.load(file)
        before = Path.cwd()
        with rehearsal.open_sandbox(loaded) as aws, only_environment(aws.environment):
            rehearsal.seed(aws, loaded)
            aws.rollout_seconds = aws.task_seconds = 0.0
            os.chdir(folder)
            yield aws
            os.chdir(before)


def quietly(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "ecsplan", *arguments], check=True, env=environment(), stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()

"""What is answered without click is what click would answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ecsplan import __version__, pages
from ecsplan.__main__ import ready
from ecsplan.cli import cli
from tests.conftest import Golden
from tests.unit.fakes import child_environment

MODULE = '''"""Pages that are ready to be shown. Made from the commands, by pytest with --update-golden."""

HELP = """\\
{}
"""
'''


def test_the_page_is_that_of_the_commands(golden: Golden) -> None:
    context = click.Context(cli, info_name="ecsplan", terminal_width=78, **cli.context_settings)
    golden(Path(pages.__file__), MODULE.format(context.get_help()))


@pytest.mark.parametrize("environment", [{}, {"COLUMNS": "80"}, {"COLUMNS": "200"}, {"COLUMNS": ""}])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_ready(option: str, environment: dict[str, str]) -> None:
    assert ready([option], environment) == pages.HELP


def test_the_version_is_ready() -> None:
    assert ready(["--version"], {}) == f"ecsplan, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], {}),
        (["plan", "--help"], {}),
        (["--help", "plan"], {}),
        (["--region", "--help"], {}),
        (["--help"], {"COLUMNS": "60"}),
        (["--help"], {"_ECSPLAN_COMPLETE": "bash_complete"}),
        (["--version"], {"_ECSPLAN_COMPLETE": "bash_complete"}),
    ],
)
def test_everything_else_is_for_click(arguments: list[str], environment: dict[str, str]) -> None:
    assert not ready(arguments, environment)


def test_click_breaks_the_lines_where_there_are_fewer_columns() -> None:
    command = [sys.executable, "-m", "ecsplan", "--help"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**child_environment(), "COLUMNS": "60"}
    )
    assert done.stdout != pages.HELP
    assert max(map(len, done.stdout.splitlines())) <= 60


def test_whoever_asked_may_have_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "ecsplan", "--help"]
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False, env=child_environment()
        )
    assert (done.returncode, done.stderr) == (1, "")

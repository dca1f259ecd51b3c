"""The command line: the only package that prints, asks and exits. Commands hold no logic; `pipeline` does the work.

Results go to stdout; progress, warnings and questions to stderr. Imports stand inside functions, so that `--help` and
`history` do not wait for what only a deployment needs.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ecsplan import __version__
from ecsplan.cli import deploy as deploying
from ecsplan.cli import inspect as looking
from ecsplan.cli import sandbox as rehearsing
from ecsplan.cli.options import DEFAULT_FILE, Given, fit, new_redactor, quiet
from ecsplan.core.errors import EcsplanError, Exit, Interrupted

if TYPE_CHECKING:
    from ecsplan.core.clock import Clock
    from ecsplan.redact import Redactor


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-f", "--file", envvar="ECSPLAN_FILE", help=f"The spec.  [default: {DEFAULT_FILE}]")
@click.option("--journal", envvar="ECSPLAN_JOURNAL", help="The journal's folder.  [default: .ecsplan beside the spec]")
@click.option("--region", help="The AWS region; wins over the spec and the environment.")
@click.option("--profile", help="The AWS profile; wins over the spec and the environment.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Show a traceback with every error.")
@click.version_option(__version__, prog_name="ecsplan")
@click.pass_context
def cli(context: click.Context, /, **given: Any) -> None:
    """Deploy to Amazon ECS: plan, apply, roll back."""
    context.obj = Given(**given, **(context.obj or {}))
    # Otherwise click would take the colours out again where the output is no terminal.
    context.color = {"always": True, "never": False}.get(given["color"])


for command in (
    deploying.plan,
    deploying.apply,
    deploying.deploy,
    deploying.resume,
    deploying.continue_,
    deploying.rollback,
    looking.history,
    looking.show,
    looking.render,
    looking.validate,
    rehearsing.sandbox,
    rehearsing.demo,
):
    cli.add_command(command)


# --- the one error boundary ---


def run(arguments: Sequence[str] | None = None, *, clock: Clock | None = None) -> int:
    """Run a command; its exit code. Known errors are one message on stderr; only a surprise shows a traceback. `clock`
    stands for the machine's own time while a deployment is waited for."""
    redactor = cache(new_redactor)  # one for the command and for what is printed of its errors
    shared = {"clock": clock, "redactor": redactor}
    try:
        return int(cli.main(args=arguments, prog_name="ecsplan", standalone_mode=False, obj=shared) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt, Interrupted):
        # Behind the ^C that a terminal shows, or behind a question.
        click.echo(("\n" if sys.stderr.isatty() else "") + "interrupted; nothing was changed", err=True)
        return Exit.INTERRUPTED
    except EcsplanError as error:
        if is_verbose(arguments):
            click.echo(traced(error, redactor()), err=True)
        tell_error(error, redactor())
        return error.exit_code
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            return surprise(error, redactor())
        # Whoever read our output has gone, or there is no room for it; what is still buffered must not fail again.
        quiet(sys.stdout)
        if error.errno == errno.ENOSPC:
            click.echo("error: the output cannot be written: no space is left; nothing was changed", err=True)
        return Exit.ERROR
    except Exception as error:
        return surprise(error, redactor())


def traced(error: Exception, redactor: Redactor) -> str:
    """Its traceback, without the secrets of the command."""
    import traceback

    return redactor.clean("".join(traceback.format_exception(error)))


def surprise(error: Exception, redactor: Redactor) -> int:
    """An unexpected error: the one case that shows a traceback."""
    click.echo(traced(error, redactor), err=True)
    click.echo(f"\nThis is a fault of ecsplan {__version__}. Please report it with the lines above.", err=True)
    return Exit.ERROR


def is_verbose(arguments: Sequence[str] | None) -> bool:
    given = sys.argv[1:] if arguments is None else arguments
    return any(argument in ("-v", "--verbose") for argument in given)


def tell_error(error: EcsplanError, redactor: Redactor) -> None:
    for line in filter(None, (f"error: {error.message}", error.state, error.hint)):
        click.echo(fit(redactor.clean(line), sys.stderr), err=True)


def main() -> NoReturn:
    """The `ecsplan` command."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # as Ctrl-C; while something is changed, `stopping` listens
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that a terminal does not have must not end a deployment
            stream.reconfigure(errors="backslashreplace")
    code = run()
    # Freeing botocore's models takes longer than some commands; everything that matters is flushed and closed by now.
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)

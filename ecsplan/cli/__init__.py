"""The command line: the only package that prints, asks and exits. Commands hold no logic; `pipeline` does the work.

Results go to stdout; progress, warnings and questions to stderr. A command's module, and with it all that it uses, is
imported when the command runs.
"""

from __future__ import annotations

import errno
import io
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ecsplan import __version__
from ecsplan.cli.common import common_options
from ecsplan.cli.exit import discard, leave
from ecsplan.cli.lazy import LazyGroup, Place
from ecsplan.cli.shared import Shared
from ecsplan.cli.streams import fit
from ecsplan.core.errors import EcsplanError, Exit, Interrupted

if TYPE_CHECKING:
    from ecsplan.core.clock import Clock

ABANDON, DEPLOY, RESUME, INSPECT, SANDBOX = (
    f"ecsplan.cli.{name}" for name in ("abandon", "deploy", "resume", "inspect", "sandbox")
)
COMMANDS = {
    "plan": Place(DEPLOY, "plan", "Show what would change for TAG."),
    "apply": Place(DEPLOY, "apply", "Apply the saved plan, exactly."),
    "deploy": Place(DEPLOY, "deploy", "Plan TAG, ask for confirmation, and apply."),
    "resume": Place(RESUME, "resume", "Resume an interrupted or unfinished deployment."),
    "continue": Place(RESUME, "continue_", "Continue a deployment that is paused at a hook."),
    "rollback": Place(DEPLOY, "rollback", "Go back to an earlier deployment."),
    "abandon": Place(ABANDON, "abandon", "End an unfinished deployment as it is."),
    "history": Place(INSPECT, "history", "List the deployments in the journal."),
    "show": Place(INSPECT, "show", "Show deployment NUMBER with its steps."),
    "render": Place(INSPECT, "render", "Print the compiled requests as JSON, offline."),
    "validate": Place(INSPECT, "validate", "Check the spec, offline."),
    "sandbox": Place(SANDBOX, "sandbox", "Serve an embedded AWS to rehearse on."),
    "demo": Place(SANDBOX, "demo", "Watch a complete example on an embedded AWS."),
}


@click.group(cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@common_options(before=True)
@click.version_option(__version__, prog_name="ecsplan")
def cli(**_options: Any) -> None:
    """Deploy to Amazon ECS: plan, apply, roll back."""
    # The commands read the options with `pass_options`.


# --- the one error boundary ---


def run(arguments: Sequence[str] | None = None, *, clock: Clock | None = None) -> int:
    """Run a command; its exit code. A known error is one message on stderr; only a bug shows a traceback. `clock`
    replaces the machine's clock while a deployment is waited for."""
    shared = Shared(clock=clock)
    try:
        return int(cli.main(args=arguments, prog_name="ecsplan", standalone_mode=False, obj=shared) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt, Interrupted):
        # After the ^C that a terminal shows, or after a question.
        click.echo(("\n" if sys.stderr.isatty() else "") + "interrupted; nothing was changed", err=True)
        return Exit.INTERRUPTED
    except EcsplanError as error:
        if shared.verbose or is_verbose(arguments):
            click.echo(redacted_traceback(error, shared.clean), err=True)
        print_error(error, shared)
        return error.exit_code
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            return report_bug(error, shared.clean)
        # The reader of our output has gone, or there is no room for it; what is still buffered must not fail again.
        discard(sys.stdout)
        if error.errno == errno.ENOSPC:
            click.echo("error: the output cannot be written: no space is left; nothing was changed", err=True)
        return Exit.ERROR
    except Exception as error:
        return report_bug(error, shared.clean)


def redacted_traceback(error: Exception, clean: Callable[[str], str]) -> str:
    """Its traceback, cleaned of secrets."""
    return clean("".join(traceback.format_exception(error)))


def report_bug(error: Exception, clean: Callable[[str], str]) -> int:
    """Print an unexpected error with its traceback, and ask to report it; the exit code."""
    click.echo(redacted_traceback(error, clean), err=True)
    click.echo(f"\nThis is a bug in ecsplan {__version__}. Please report it with the lines above.", err=True)
    return Exit.ERROR


def is_verbose(arguments: Sequence[str] | None) -> bool:
    """For errors before a command has begun."""
    given = sys.argv[1:] if arguments is None else arguments
    return any(argument in ("-v", "--verbose") for argument in given)


def print_error(error: EcsplanError, shared: Shared) -> None:
    """What happened, what state that leaves, and what to do next; a line each."""
    click.echo(fit(shared.clean(f"error: {error.message}"), sys.stderr), err=True)
    for line in filter(None, (error.state, error.hint)):
        click.echo(shared.hints.fitted(shared.clean(line), sys.stderr), err=True)


def main() -> NoReturn:
    """The `ecsplan` command."""
    # SIGTERM is handled as Ctrl-C; while a deployment runs, `cli.deploy.stopping` handles both.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that a terminal does not have must not end a deployment
            stream.reconfigure(errors="backslashreplace")
    leave(run())

"""Commands that plan and apply."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from ecsplan import pipeline
from ecsplan.apply.deploy import Next, Options, Result
from ecsplan.cli.common import NO_HINTS, Hints
from ecsplan.cli.exit import leave_at_once
from ecsplan.cli.listeners import listener, planning_listener
from ecsplan.cli.options import (
    ASKS,
    JSON_OR_TEXT,
    NEVER_ASKS,
    CliOptions,
    app_name,
    apply_options,
    pass_options,
    plan_or_apply_options,
)
from ecsplan.cli.streams import LineWriter, fit, screen
from ecsplan.core.errors import Exit, UsageError
from ecsplan.core.model import Plan
from ecsplan.journal import Outcome
from ecsplan.pipeline import Site
from ecsplan.plan import file as planfile
from ecsplan.plan.explain import Explanation
from ecsplan.redact import mask_plan
from ecsplan.render.diagnosis import diagnoses_text
from ecsplan.render.explain import explained_text
from ecsplan.render.json import plan_json
from ecsplan.render.lines import outcome_text
from ecsplan.render.rollback import question
from ecsplan.render.text import no_changes, plan_heading, plan_text

REDEPLOY = click.option("--redeploy", is_flag=True, help="Start a new deployment of every service, changed or not.")
WAYS_ON = "Continue with `ecsplan resume`, go back with `ecsplan rollback`, or end it as it is with `ecsplan abandon`."
AGAIN = "There is no such deployment now; give the same command again."
BACK_AGAIN = "What it was to undo is as it was; go back with `ecsplan rollback`."


@click.command()
@click.argument("tag")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan here instead.")
@JSON_OR_TEXT
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@REDEPLOY
@click.option("--explain", is_flag=True, help="Show for each field which rule compared it, and why.")
@NEVER_ASKS
@pass_options
def plan(
    options: CliOptions, tag: str, out: Path | None, form: str, detailed_exitcode: bool, redeploy: bool, explain: bool
) -> int:
    """Show what would change for TAG.

    The plan is saved for `apply`.
    """
    spec = options.spec()
    explanations = None
    with options.site(spec) as site:
        if explain:
            made, explanations = pipeline.explained_plan(
                site, spec, tag, redeploy=redeploy, emit=planning_listener(options)
            )
        else:
            made = pipeline.make_plan(site, spec, tag, redeploy=redeploy, emit=planning_listener(options))
        blocked = pipeline.obstacle(site, made) if form == "text" and made.changed else None
    print_plan(options, made, form, explanations=explanations)
    if out:
        planfile.save(made, out)
    else:
        planfile.save_in_store(made, site.store)
    if blocked is not None:
        click.echo(fit(f"\nSaved. It cannot be applied yet: {blocked.message.rstrip('.')}.", sys.stdout))
        click.echo(options.hints.fitted(blocked.hint, sys.stdout))
    elif form == "text" and made.changed:
        # The default place needs no naming: plain `apply` looks there.
        click.echo(options.hints(f"\nSaved. To apply it: ecsplan apply{f' {shlex.quote(str(out))}' if out else ''}"))
    return Exit.CHANGES if detailed_exitcode and made.changed else Exit.OK


@click.command()
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
@NEVER_ASKS
@apply_options
@pass_options
def apply(options: CliOptions, /, plan_file: Path | None, **how: Any) -> int:
    """Apply the saved plan, exactly.

    It does not ask: the plan has been read. Without PLAN it is the one that `plan` saved last.
    """
    spec = options.spec_if_there()
    if plan_file is None:
        store = options.store(spec)
        name = None if spec is None else store.spec_name(spec.file)
        where, made = planfile.load_from_store(store, app_name(options, spec), name)
    else:
        where, made = str(plan_file), planfile.load(plan_file)
    if spec is not None and spec.app != made.app:
        raise UsageError(f"{where} is a plan of {made.app}, and the spec {spec.file} is of {spec.app}")
    with options.site(spec, made.app) as site:
        site.check_scope(f"the plan {where}", made)
        return apply_and_print(options, site, made, **how)


@click.command()
@click.argument("tag")
@ASKS
@REDEPLOY
@click.option("--replace", is_flag=True, help="Also over a deployment that is unfinished: it ends as superseded.")
@apply_options
@pass_options
def deploy(options: CliOptions, /, tag: str, yes: bool, redeploy: bool, replace: bool, **how: Any) -> int:
    """Plan TAG, ask for confirmation, and apply."""
    spec = options.spec()
    can_ask(yes)
    with options.site(spec) as site:
        listen = planning_listener(options)
        made = pipeline.make_plan(site, spec, tag, redeploy=redeploy, replace=replace, emit=listen)
        planfile.save_in_store(made, site.store)
        return show_ask_apply(options, site, made, yes, **how)


@click.command()
@click.option("--to", metavar="N|TAG|FAMILY:REV", help="The deployment, its tag, or the revision, to go back to.")
@ASKS
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be done.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Only save the plan here, for `apply`.")
@click.option("--over", is_flag=True, help="Take back what others have deployed since, too.")
@click.option("--leave", is_flag=True, help="Leave what others have changed since as it is.")
@click.option("--keep", is_flag=True, help="Do not deregister the revisions that are rolled back from.")
@click.option("--keep-running", is_flag=True, help="Only name one-off tasks that still run, instead of stopping them.")
@plan_or_apply_options
@pass_options
def rollback(
    options: CliOptions,
    /,
    to: str | None,
    yes: bool,
    only_plan: bool,
    out: Path | None,
    over: bool,
    leave: bool,
    keep: bool,
    keep_running: bool,
    form: str,
    **how: Any,
) -> int:
    """Go back to an earlier deployment.

    To what deployment N left, or the newest of a tag that succeeded; to a revision of a family; or, without --to, to
    the newest state before the one in effect. It is a deployment of its own, so it can be undone too.
    """
    if over and leave:
        raise UsageError("--over takes back what others have changed, and --leave leaves it: give one of them")
    only_plan = only_plan or out is not None
    if form == "json" and not only_plan:
        raise UsageError("--format json shows a plan: add --plan or --out FILE", hint="To apply it: --format jsonl")
    spec = options.spec_if_there()
    if not only_plan:
        can_ask(yes)
    with options.site(spec, app_name(options, spec)) as site:
        listen = planning_listener(options)
        made = pipeline.undo(site, spec, to=to, keep=keep, leave=leave, keep_running=keep_running, emit=listen)
        if yes and not over and not only_plan:
            pipeline.check_agreed(made)
        if not only_plan:
            return show_ask_apply(options, site, made, yes, form=form, **how)
    print_plan(options, made, "json" if form == "json" else "text")
    if out is not None:
        planfile.save(made, out)
        if form == "text" and made.changed:
            click.echo(options.hints(f"\nSaved. To apply it: ecsplan apply {shlex.quote(str(out))}"))
    return Exit.OK


def show_ask_apply(options: CliOptions, site: Site, made: Plan, yes: bool, *, form: str, **how: Any) -> int:
    """Show a plan, ask unless `yes`, apply it; the exit code."""
    asks = made.changed and not yes
    if form == "text" or asks:
        print_plan(options, made, "text", err=form != "text")
    if asks:
        pipeline.check_free(site, made)
        click.echo(err=True)
        if not click.confirm(question(made), err=True):
            click.echo("Nothing was changed.", err=True)
            return Exit.ERROR
    return apply_and_print(options, site, made, form=form, quiet=True, **how)


def apply_and_print(
    options: CliOptions, site: Site, made: Plan, *, form: str, quiet: bool = False, onwards: bool = False, **how: Any
) -> int:
    """Apply a plan, print how it ended, and return the exit code. `quiet`: the plan was shown, so that neither what it
    is for is printed nor that there are no changes."""
    # Signals are handled until the outcome is printed: "nothing was changed" would no longer be true.
    with listener(options, form) as output, stopping(site, output.say, options.hints):
        if form == "text" and not quiet:
            output.say(fit(plan_heading(made, options.paint(sys.stderr)), sys.stderr))
        result = pipeline.run_plan(site, made, options=options_of(**how), onwards=onwards, emit=output.emit)
        output.close()
        if result is not None:
            if not made.steps:
                LineWriter(err=True)("Nothing to change; the unfinished deployment is now marked as rolled back.")
            print_outcome(options, result, form)
            return exit_code(result)
    if form == "text" and not quiet:
        click.echo(no_changes(made))
    return Exit.OK


def options_of(
    *,
    on_failure: str | None,
    wait: bool | None,
    timeout: int | None,
    beside: bool,
    anyway: bool = False,
    unclear: str = "",
) -> Options:
    return Options(
        on_failure=on_failure or "", wait=wait, timeout=timeout, beside=beside, anyway=anyway, unclear=unclear
    )


def print_outcome(options: CliOptions, result: Result, form: str) -> None:
    """Print how it ended. A reader that has gone does not change how it ended."""
    text = outcome_text(result.number, result.outcome, result.reason)
    if result.untouched:
        text = f"Cut off before the first call: {result.reason}"
    if result.outcome is Outcome.SUCCEEDED:
        LineWriter(err=form == "jsonl")(options.paint(sys.stdout)(text, "green"))
        return
    say = LineWriter(err=True)
    say(options.paint(sys.stderr)(fit(text, sys.stderr), "red"))
    columns, rows = screen(sys.stderr)
    wrong = diagnoses_text(
        result.diagnoses,
        options.paint(sys.stderr),
        already=result.reason,
        columns=columns,
        rows=rows,
        more=options.hints(f"ecsplan show {result.number}"),
    )
    if wrong and form == "text":  # the stream has it already
        say(f"\n{wrong}\n")
    hints = [result.state, result.hint]
    if Next.RESUME in result.next:
        hints.append(WAYS_ON)
    elif result.untouched:
        hints.append(AGAIN if Next.AGAIN in result.next else BACK_AGAIN)
    for hint in filter(None, hints):
        say(options.hints.fitted(hint, sys.stderr))


def exit_code(result: Result) -> Exit:
    if result.untouched and result.outcome is Outcome.STOPPED:
        return Exit.ERROR  # as of any command that could not begin
    return {
        Outcome.SUCCEEDED: Exit.OK,
        Outcome.PUT_BACK: Exit.PUT_BACK,
        Outcome.FAILED: Exit.STOPPED,
        Outcome.STOPPED: Exit.STOPPED,
        Outcome.SUPERSEDED: Exit.STOPPED,
        Outcome.UNFINISHED: Exit.UNFINISHED,
        Outcome.INTERRUPTED: Exit.INTERRUPTED,
    }[result.outcome]


def print_plan(
    options: CliOptions, made: Plan, form: str, *, err: bool = False, explanations: Sequence[Explanation] | None = None
) -> None:
    masked = mask_plan(made)
    paint = options.paint(sys.stderr if err else sys.stdout)
    if form == "json":
        click.echo(plan_json(masked, explanations), err=err)
        return
    text = plan_text(masked, paint)
    if explanations is not None:
        text += f"\n\n{explained_text(explanations, paint)}"
    click.echo(fit(text, sys.stderr if err else sys.stdout), err=err)


def can_ask(yes: bool) -> None:
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "there is no terminal to ask on; nothing was sent", hint="Add --yes to go ahead without a question."
        )


@contextmanager
def stopping(site: Site, say: Callable[[str], None], hints: Hints = NO_HINTS) -> Iterator[None]:
    """The first SIGINT or SIGTERM lets the current call end and starts nothing new; the second stops immediately."""

    def on_signal(number: int, frame: object) -> None:
        if site.stop.is_set():
            leave_at_once(Exit.INTERRUPTED, hints("\nstopped; see `ecsplan history` for how far it got\n"))
        site.stop.set()
        with suppress(RuntimeError):  # the signal interrupted another write to the same stream
            say("stopping after the current call; press Ctrl-C again to stop immediately")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

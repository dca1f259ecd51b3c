"""Commands that plan and apply."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecsplan.cli.listeners import Saying, listener, planning
from ecsplan.cli.options import JSON_OR_TEXT, Given, app_name, applying, fit, screen
from ecsplan.core.errors import Exit, UsageError

if TYPE_CHECKING:
    from ecsplan.apply.deploy import Options, Result
    from ecsplan.core.model import Plan
    from ecsplan.pipeline import Site
    from ecsplan.plan.explain import Explanation


@click.command()
@click.argument("tag")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan here instead.")
@JSON_OR_TEXT
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@click.option("--redeploy", is_flag=True, help="Start a new deployment of every service, changed or not.")
@click.option("--explain", is_flag=True, help="Tell for each field which rule compared it, and why.")
@click.pass_obj
def plan(
    given: Given, tag: str, out: Path | None, form: str, detailed_exitcode: bool, redeploy: bool, explain: bool
) -> int:
    """Show what would change for TAG.

    The plan is saved, for `apply` to carry out.
    """
    from ecsplan.pipeline import explained_plan, make_plan
    from ecsplan.plan import file as planfile

    spec = given.spec()
    explanations = None
    with given.site(spec) as site:
        if explain:
            made, explanations = explained_plan(site, spec, tag, redeploy=redeploy, emit=planning(given))
        else:
            made = make_plan(site, spec, tag, redeploy=redeploy, emit=planning(given))
    print_plan(given, made, form, explanations=explanations)
    if out:
        planfile.save(made, out)
    else:
        planfile.save_in_store(made, site.store)
    if form == "text" and made.changed:
        # The default place needs no naming: plain `apply` looks there.
        click.echo(f"\nSaved. To carry it out: ecsplan apply{f' {out}' if out else ''}")
    return Exit.CHANGES if detailed_exitcode and made.changed else Exit.OK


@click.command()
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
@applying
@click.pass_obj
def apply(given: Given, /, plan_file: Path | None, **how: Any) -> int:
    """Carry out the saved plan, exactly.

    There is no question: the plan has been read. Without PLAN it is the one that `plan` saved last.
    """
    from ecsplan.plan import file as planfile

    spec = given.spec_if_there()
    if plan_file is None:
        store, app = given.store(spec), app_name(given, spec)
        where, made = store.plan_name(app), planfile.load_from_store(store, app)
    else:
        where, made = str(plan_file), planfile.load(plan_file)
    if spec is not None and spec.app != made.app:
        raise UsageError(f"{where} is a plan of {made.app}, and the spec {spec.file} is of {spec.app}")
    with given.site(spec, made.app) as site:
        return carry_out(given, site, made, **how)


@click.command()
@click.argument("tag")
@click.option("--yes", is_flag=True, help="Do not ask.")
@applying
@click.pass_obj
def deploy(given: Given, /, tag: str, yes: bool, **how: Any) -> int:
    """Plan TAG, ask, apply."""
    from ecsplan.pipeline import make_plan
    from ecsplan.plan import file as planfile

    spec = given.spec()
    can_ask(yes)
    with given.site(spec) as site:
        made = make_plan(site, spec, tag, emit=planning(given))
        planfile.save_in_store(made, site.store)
        return show_ask_apply(given, site, made, yes, **how)


@click.command()
@click.option(
    "--unclear",
    type=click.Choice(["done", "run"]),
    help="What to do about a one-off task of which AWS no longer tells whether it ran: take it for done, or run it.",
)
@applying
@click.pass_obj
def resume(given: Given, /, form: str, unclear: str | None, **how: Any) -> int:
    """Finish a deployment that was cut off, or is not finished.

    Steps that were done are not done again. Without a deployment that was left part-way there is nothing to do.
    """
    from ecsplan import pipeline

    spec = given.spec_if_there()
    with (
        given.site(spec, None if spec else app_name(given, spec)) as site,
        listener(given, form) as told,
        stopping(site, told.say),
    ):
        result = pipeline.resume(site, options=options_of(unclear=unclear or "", **how), emit=told.emit)
        told.close()
        if result is not None:
            tell_outcome(given, result, form)
            return exit_code(result)
    click.echo("Nothing to resume: no deployment was left part-way.")
    return Exit.OK


@click.command("continue")
@click.option("--yes", is_flag=True, hidden=True, help="There is no question.")
@applying
@click.pass_obj
def continue_(given: Given, /, form: str, yes: bool, **how: Any) -> int:
    """Let a deployment go on that is paused at a hook.

    Every PAUSE hook that its rollouts wait at is told to continue; then it goes on as with `resume`.
    """
    from ecsplan import pipeline

    spec = given.spec_if_there()
    with (
        given.site(spec, None if spec else app_name(given, spec)) as site,
        listener(given, form) as told,
        stopping(site, told.say),
    ):
        result = pipeline.go_on(site, options=options_of(**how), emit=told.emit)
        told.close()
    if result is None:
        click.echo("Nothing to continue: no deployment was left part-way, so none is paused.")
        return Exit.OK
    tell_outcome(given, result, form)
    return exit_code(result)


@click.command()
@click.option("--to", metavar="N|FAMILY:REV", help="The deployment, or the revision, to go back to.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be done.")
@click.option("--keep", is_flag=True, help="Do not deregister the revisions that are rolled back from.")
@applying
@click.pass_obj
def rollback(given: Given, /, to: str | None, yes: bool, only_plan: bool, keep: bool, **how: Any) -> int:
    """Go back to an earlier deployment.

    To where deployment N was, to a revision of a family, or, without --to, to before the newest deployment that
    changed something. It is a deployment of its own, so it can be undone too.
    """
    from ecsplan.pipeline import undo

    spec = given.spec_if_there()
    if not only_plan:
        can_ask(yes)
    with given.site(spec, None if spec else app_name(given, spec)) as site:
        made = undo(site, spec, to=to, keep=keep, emit=planning(given))
        if only_plan:
            print_plan(given, made, "text")
            return Exit.OK
        return show_ask_apply(given, site, made, yes, **how)


def show_ask_apply(given: Given, site: Site, made: Plan, yes: bool, *, form: str, **how: Any) -> int:
    from ecsplan.pipeline import check_free

    asks = made.changed and not yes
    if form == "text" or asks:
        print_plan(given, made, "text", err=form != "text")
    if asks:
        check_free(site, made)
        click.echo(err=True)
        if not click.confirm("Carry this out?", err=True):
            click.echo("Nothing was changed.", err=True)
            return Exit.ERROR
    return carry_out(given, site, made, form=form, quiet=True, **how)


def carry_out(given: Given, site: Site, made: Plan, *, form: str, quiet: bool = False, **how: Any) -> int:
    from ecsplan.pipeline import run_plan
    from ecsplan.render.text import NO_CHANGES

    # Stopping also while the outcome is told: by then it is no longer true that nothing was changed.
    with listener(given, form) as told, stopping(site, told.say):
        result = run_plan(site, made, options=options_of(**how), emit=told.emit)
        told.close()
        if result is not None:
            if not made.steps:
                Saying(err=True)("Nothing had to be changed; this only settles what was left part-way.")
            tell_outcome(given, result, form)
            return exit_code(result)
    if form == "text" and not quiet:
        click.echo(NO_CHANGES)
    return Exit.OK


def options_of(*, on_failure: str, no_wait: bool, timeout: int | None, unclear: str = "") -> Options:
    from ecsplan.apply.deploy import Options

    return Options(on_failure=on_failure, wait=not no_wait, timeout=timeout, unclear=unclear)


def tell_outcome(given: Given, result: Result, form: str) -> None:
    """How it ended; that nobody reads it does not change how it ended."""
    from ecsplan.apply.deploy import Next
    from ecsplan.journal import Outcome
    from ecsplan.render.diagnosis import diagnoses_text
    from ecsplan.render.lines import outcome_text

    text = outcome_text(result.number, result.outcome, result.reason)
    if result.outcome is Outcome.SUCCEEDED:
        Saying(err=form == "jsonl")(given.paint(sys.stdout)(text, "green"))
        return
    say = Saying(err=True)
    say(given.paint(sys.stderr)(fit(text, sys.stderr), "red"))
    columns, rows = screen(sys.stderr)
    wrong = diagnoses_text(
        result.diagnoses,
        given.paint(sys.stderr),
        said=result.reason,
        columns=columns,
        rows=rows,
        more=f"ecsplan show {result.number}",
    )
    if wrong and form == "text":  # the stream has told it already
        say(f"\n{wrong}\n")
    hints = [result.state, result.hint]
    if Next.RESUME in result.next:
        hints.append("Go on with `ecsplan resume`, or back with `ecsplan rollback`.")
    for hint in filter(None, hints):
        say(fit(hint, sys.stderr))


def exit_code(result: Result) -> Exit:
    from ecsplan.journal import Outcome

    return {
        Outcome.SUCCEEDED: Exit.OK,
        Outcome.PUT_BACK: Exit.PUT_BACK,
        Outcome.STOPPED: Exit.STOPPED,
        Outcome.UNFINISHED: Exit.UNFINISHED,
        Outcome.INTERRUPTED: Exit.INTERRUPTED,
    }[result.outcome]


def print_plan(
    given: Given, made: Plan, form: str, *, err: bool = False, explanations: Sequence[Explanation] | None = None
) -> None:
    from ecsplan.redact import mask_plan
    from ecsplan.render.explain import explained_text
    from ecsplan.render.json import plan_json
    from ecsplan.render.text import plan_text

    masked = mask_plan(made)
    paint = given.paint(sys.stderr if err else sys.stdout)
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
def stopping(site: Site, say: Callable[[str], None]) -> Iterator[None]:
    """The first SIGINT or SIGTERM lets the running call end and starts nothing new; the second stops at once."""

    def on_signal(number: int, frame: object) -> None:
        if site.stop.is_set():
            with suppress(OSError):
                os.write(2, b"\nstopped at once; `ecsplan show` tells how far it came\n")
            os._exit(Exit.INTERRUPTED)
        site.stop.set()
        with suppress(RuntimeError):  # it came while something else was being written to the same stream
            say("stopping after the running call; once more to stop at once")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Commands that finish what is under way: of the journal's unfinished deployment, or else of what AWS shows."""

from __future__ import annotations

import sys
from typing import Any

import click

from ecsplan import pipeline
from ecsplan.cli.deploy import (
    apply_and_print,
    can_ask,
    exit_code,
    options_of,
    print_outcome,
    print_plan,
    stopping,
)
from ecsplan.cli.listeners import listener, planning_listener
from ecsplan.cli.options import ASKS, CliOptions, app_name, pass_options, resume_options
from ecsplan.cli.streams import fit
from ecsplan.core.errors import Exit
from ecsplan.core.spec import Spec
from ecsplan.pipeline import Site, UnderWay


@click.command()
@click.option(
    "--unclear",
    type=click.Choice(["done", "run"]),
    help="A one-off task whose result AWS no longer shows: assume it succeeded (done) or run it again (run).",
)
@ASKS
@resume_options
@pass_options
def resume(options: CliOptions, /, yes: bool, form: str, unclear: str | None, **how: Any) -> int:
    """Resume an interrupted or unfinished deployment.

    Steps that were done are not repeated. What failed is tried again where the deployment was begun with --on-failure
    stop. If the journal has no unfinished deployment, it waits for the rollouts of the
    spec's services that are under way; if one is paused at a hook, it asks whether to let it go on.
    """
    spec = options.spec_if_there()
    with (
        options.site(spec, app_name(options, spec)) as site,
        listener(options, form, heads=True) as output,
        stopping(site, output.say, options.hints),
    ):
        result = pipeline.resume(site, options=options_of(unclear=unclear or "", **how), emit=output.emit)
        output.close()
        if result is not None:
            print_outcome(options, result, form)
            return exit_code(result)
    return look(options, spec, yes, form=form, **how)


@click.command("continue")
@ASKS
@resume_options
@pass_options
def continue_(options: CliOptions, /, yes: bool, form: str, **how: Any) -> int:
    """Continue a deployment that is paused at a hook.

    Every PAUSE hook at which its rollouts wait is continued; the rest is as with `resume`. It asks only about rollouts
    that the journal does not know.
    """
    spec = options.spec_if_there()
    with (
        options.site(spec, app_name(options, spec)) as site,
        listener(options, form, heads=True) as output,
        stopping(site, output.say, options.hints),
    ):
        result = pipeline.go_on(site, options=options_of(**how), emit=output.emit)
        output.close()
    if result is None:
        return look(options, spec, yes, form=form, **how)
    print_outcome(options, result, form)
    return exit_code(result)


def look(options: CliOptions, spec: Spec | None, yes: bool, *, form: str, **how: Any) -> int:
    """Wait for the rollouts that are under way; those that are paused are shown, and continued if that is agreed to."""
    with options.site(spec, app_name(options, spec)) as site:
        found = pipeline.under_way(site, spec, emit=planning_listener(options))
        if found.plan is None:
            click.echo(fit(options.hints(_nothing(site, found)), sys.stdout), err=form != "text")
            return Exit.OK
        if form == "text" or found.paused:
            print_plan(options, found.plan, "text", err=form != "text")
        if found.paused and not yes:
            can_ask(yes)
            click.echo(err=True)
            if not click.confirm(f"Let {', '.join(found.paused)} go on?", err=True):
                click.echo("Nothing was changed.", err=True)
                return Exit.ERROR
        return apply_and_print(options, site, found.plan, form=form, quiet=True, onwards=bool(found.paused), **how)


def _nothing(site: Site, found: UnderWay) -> str:
    """Where was looked, and that nothing was found."""
    where = site.identity()
    here = f"Nothing is under way in account {where.account}, region {where.region}"
    looked = ", ".join(found.looked_at) or "there are no services to look at"
    lines = [f"{here}: no deployment is unfinished in {site.store.name}, and no rollout in AWS ({looked})."]
    lines += [
        f"{address}: its last rollout has failed; `ecsplan deploy TAG` makes it again." for address in found.failed
    ]
    return "\n".join(lines)

"""The journals of an app, and the deployments in them."""

from __future__ import annotations

from pathlib import Path

from ecsplan.core.errors import UsageError
from ecsplan.journal import Damaged, Deployment, Journal, Store, open_store


def journals(
    where: Store | str | Path, app: str, *, account: str | None = None, region: str | None = None
) -> list[Journal]:
    """The journals of an app, one for each account and region with a deployment; `where` is a store, or the place of
    one. Nothing is sent to AWS."""
    store = open_store(where) if isinstance(where, str | Path) else where
    found = [
        Journal(store, app, identity)
        for identity in store.identities(app)
        if account in (None, identity.account) and region in (None, identity.region)
    ]
    return [journal for journal in found if journal.numbers()]


def not_known(store: Store, app: str) -> tuple[str, str]:
    """Where nothing of an app was found: that it was looked for there, and where else it may be known."""
    said = f"no deployment of {app} is known in {store.name}"
    if others := [journal.identity.text for journal in journals(store, app)]:
        return f"{said} for this account and region", f"It has deployments to {', and to '.join(others)}."
    return said, "It may be known on the machine that deployed it; --journal reads a journal that is kept elsewhere."


def history(journal: Journal) -> list[Deployment | Damaged]:
    """Every deployment, oldest first. One that cannot be read stands as Damaged in its place."""
    return journal.all()


def show(journal: Journal, number: int) -> Deployment:
    """One deployment; raises UsageError if there is none of that number."""
    if number not in journal.numbers():
        raise UsageError(f"there is no deployment {number} in {journal.name}")
    return journal.read(number)

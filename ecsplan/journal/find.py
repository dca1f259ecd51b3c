"""The journals of an app, and the deployments in them."""

from __future__ import annotations

from pathlib import Path

from ecsplan.core.errors import UsageError
from ecsplan.core.model import Identity
from ecsplan.journal import Damaged, Deployment, Journal, Store, open_store


def journals(
    where: Store | str | Path, app: str, *, account: str | None = None, region: str | None = None
) -> list[Journal]:
    """The journals of an app, one for each account and region; `where` is a store, or the place of one. Nothing is sent
    to AWS."""
    store = open_store(where) if isinstance(where, str | Path) else where
    return [
        Journal(store, app, identity)
        for identity in store.identities(app)
        if account in (None, identity.account) and region in (None, identity.region)
    ]


def elsewhere(store: Store, app: str, here: Identity | None) -> list[str]:
    """The other accounts and regions that the app was deployed to, in words, with how often; of all where `here` is
    None."""
    found = [(identity, Journal(store, app, identity).numbers()) for identity in store.identities(app)]
    return [
        f"account {identity.account}, region {identity.region} ({_count(len(numbers))})"
        for identity, numbers in found
        if numbers and identity != here
    ]


def not_known(store: Store, app: str) -> tuple[str, str]:
    """Where nothing of an app was found: that it was looked for there, and where else it may be known."""
    said = f"no deployment of {app} is known in {store.name}"
    if others := elsewhere(store, app, None):
        return f"{said} for this account and region", f"It has deployments to {' and '.join(others)}."
    return said, "It may be known on the machine that deployed it; --journal reads a journal that is kept elsewhere."


def _count(deployments: int) -> str:
    return f"{deployments} deployments" if deployments > 1 else "1 deployment"


def history(journal: Journal) -> list[Deployment | Damaged]:
    """Every deployment, oldest first. One that cannot be read stands as Damaged in its place."""
    return journal.all()


def show(journal: Journal, number: int) -> Deployment:
    """One deployment; raises UsageError if there is none of that number."""
    if number not in journal.numbers():
        raise UsageError(f"there is no deployment {number} in {journal.name}")
    return journal.read(number)

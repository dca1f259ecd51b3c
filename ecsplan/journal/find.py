"""The journals of an app, and the deployments in them."""

from __future__ import annotations

from pathlib import Path

from ecsplan.core.errors import JournalError, UsageError
from ecsplan.core.model import Identity
from ecsplan.journal import Damaged, Deployment, Journal


def journals(root: Path, app: str, *, account: str | None = None, region: str | None = None) -> list[Journal]:
    """The journals of an app, a folder per account and region; nothing is sent to find them."""
    try:
        names = sorted(path.name for path in (root / app).iterdir() if path.is_dir())
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise JournalError(f"the journal {root / app} cannot be read: {error.strerror}") from error
    found = [name.partition("-") for name in names if name.partition("-")[2]]
    return [
        Journal(root, app, Identity(account=number, region=place))
        for number, _, place in found
        if account in (None, number) and region in (None, place)
    ]


def history(journal: Journal) -> list[Deployment | Damaged]:
    """Every deployment, oldest first; one that cannot be read takes its place and hides no other."""
    return journal.all()


def show(journal: Journal, number: int) -> Deployment:
    """One deployment; raises UsageError if there is none of that number."""
    if number not in journal.numbers():
        raise UsageError(f"there is no deployment {number} in {journal.folder}")
    return journal.read(number)

"""Files that hold what a spec holds: written whole, for their owner only; and what goes wrong with them, as one
error."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ecsplan.core.errors import JournalError


def make_folders(root: Path, folder: Path) -> None:
    """The folders, for their owner alone, and a .gitignore: plans and journals hold what the spec holds."""
    missing = [path for path in (folder, *folder.parents) if path == root or root in path.parents]
    for path in reversed(missing):
        path.mkdir(mode=0o700, parents=path == root, exist_ok=True)
    ignore = root / ".gitignore"
    if not ignore.exists():
        write_file(ignore, b"*\n")


def write_file(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by its owner only."""
    # A name that nobody can guess, and a file that nobody had open before: in a shared folder others may write too.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """What is in the folder, and not only what is in its files, is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """An OSError within is a JournalError that begins with `what`."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"{what}: {error.strerror or error}") from error

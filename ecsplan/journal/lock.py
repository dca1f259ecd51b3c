"""One deployment at a time on this machine: a lock of the operating system, which ends with its process, and a file
that names the holder.

FOLDER/lock          locked (flock) while a deployment runs
FOLDER/holder.json   the holder; the name of a dead one stays until the next process takes the lock
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ecsplan.core.codec import from_json
from ecsplan.core.errors import JournalError, LockedError
from ecsplan.journal.entries import Holder

# Seconds a new holder has to write its name; until then the file may name the previous one.
GRACE = 0.5


def holder_file(folder: Path) -> Path:
    return folder / "holder.json"


@contextlib.contextmanager
def flocked(folder: Path, app: str, grace: float) -> Iterator[None]:
    """Holds the lock of a folder; raises LockedError that names the holder. The caller writes its own name."""
    from filelock import FileLock, Timeout  # it imports much, and only a deployment needs it

    lock = FileLock(folder / "lock", mode=0o600)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if _may_live(read_holder(folder)):
                raise
            lock.acquire(timeout=grace, poll_interval=grace / 20)
    except Timeout:
        raise _locked(app, read_holder(folder)) from None
    except OSError as error:
        raise JournalError(f"the lock {lock.lock_file} cannot be taken: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            holder_file(folder).unlink()
        lock.release()


def read_holder(folder: Path) -> Holder | None:
    """The holder as it is written down. None where there is none, or where the file cannot be read."""
    try:
        holder: Holder = from_json(holder_file(folder).read_bytes(), Holder)
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return holder


def runs_elsewhere(holder: Holder | None) -> bool:
    """Is the holder another process of this machine, and alive? Processes of other machines cannot be seen."""
    if holder is None or holder.origin.host != socket.gethostname() or holder.origin.pid == os.getpid():
        return False
    return _is_alive(holder.origin.pid)


def _may_live(holder: Holder | None) -> bool:
    """Could the recorded holder still be alive?"""
    return holder is not None and (holder.origin.host != socket.gethostname() or _is_alive(holder.origin.pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it exists, and belongs to another user
    except OverflowError:
        return False
    return True


def _locked(app: str, holder: Holder | None) -> LockedError:
    return LockedError(
        f"another deployment of {app} is running{f': {holder}' if holder else ''}",
        state="Nothing was changed.",
        hint="Wait for it to end, or look at it with `ecsplan history`.",
    )

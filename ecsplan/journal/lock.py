"""One deployment at a time: a lock of the OS, which lets go when a process dies, and beside it who holds it.

FOLDER/lock          held (flock) while a deployment runs
FOLDER/holder.json   by whom; a dead holder's stays until the next one takes the lock
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ecsplan.core.codec import from_data, to_json
from ecsplan.core.errors import JournalError, LockedError
from ecsplan.core.model import Value
from ecsplan.journal.files import told, write_file

# Seconds for whoever has just taken the lock to write down who it is; until then the last holder's name may be there.
GRACE = 0.5


class Origin(Value, frozen=True, kw_only=True):
    """Who does this, from where, with which command."""

    user: str
    host: str
    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}, {self.command!r}"


@contextlib.contextmanager
def hold(folder: Path, app: str, origin: Origin, at: str) -> Iterator[None]:
    """Hold the lock of a folder; raises LockedError naming the holder, and JournalError where it cannot be written."""
    from filelock import FileLock, Timeout  # which imports asyncio's neighbourhood, and only who deploys needs it

    holder = folder / "holder.json"
    lock = FileLock(folder / "lock", mode=0o600)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if _named(holder):
                raise
            lock.acquire(timeout=GRACE, poll_interval=GRACE / 20)
    except Timeout:
        raise LockedError(
            f"another deployment of {app} is running{_held_by(holder)}",
            state="Nothing was changed.",
            hint="Wait for it to end, or look at it with `ecsplan history`.",
        ) from None
    except OSError as error:
        raise JournalError(f"the lock {lock.lock_file} cannot be taken: {error.strerror}") from error
    try:
        with told(f"the journal {folder} cannot be written"):
            write_file(holder, to_json({"since": at, "holder": origin}))
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def _holder(path: Path) -> tuple[Origin, str] | None:
    """Who took the lock last and has not let it go, as it was written down, and since when."""
    try:
        data = msgspec.json.decode(path.read_bytes())
        return from_data(data["holder"], Origin), str(data["since"])
    except (OSError, msgspec.MsgspecError, KeyError, TypeError, RecursionError):
        return None


def _held_by(path: Path) -> str:
    found = _holder(path)
    return f": {found[0]}, since {found[1]}" if found else ""


def _named(path: Path) -> bool:
    """Is whoever is written down as the holder one who may hold the lock?"""
    found = _holder(path)
    return found is not None and (found[0].host != socket.gethostname() or _lives(found[0].pid))


def works(path: Path) -> bool:
    """Does another process of this machine hold the lock? Of other machines nobody can tell; a dead one leaves its
    name."""
    found = _holder(path)
    if found is None or found[0].host != socket.gethostname() or found[0].pid == os.getpid():
        return False
    return _lives(found[0].pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is there, and somebody else's
    except OverflowError:
        return False
    return True

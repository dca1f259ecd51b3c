"""The journal in a local folder.

ROOT/.gitignore                         ignores everything here: plans and journals hold what the spec holds
ROOT/APP/ACCOUNT-REGION/000012.jsonl    deployment 12, a line for each entry
ROOT/APP/ACCOUNT-REGION/lock            see journal/lock.py, as for holder.json
ROOT/APP/plan.json                      the plan that was saved last for ecsplan.toml
ROOT/APP/plan.staging.toml.json         the same for staging.toml, which lies beside ROOT

Files and folders are readable by their owner only. An entry is durable when fsync has returned for its file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from ecsplan.core.codec import to_json
from ecsplan.core.errors import JournalError
from ecsplan.core.model import Identity
from ecsplan.core.spec import DEFAULT_FILE
from ecsplan.journal.entries import Holder
from ecsplan.journal.lock import GRACE, flocked, holder_file, read_holder, runs_elsewhere


class Folder:
    """`store.Store` in the folder `root`. `grace` is `lock.GRACE`."""

    def __init__(self, root: Path, *, grace: float = GRACE) -> None:
        self.root, self._grace = root, grace

    @property
    def name(self) -> str:
        return str(self.root)

    def apps(self) -> list[str]:
        with journal_errors(f"the journal {self.root} cannot be read"):
            return sorted(path.name for path in self.root.iterdir() if path.is_dir()) if self.root.is_dir() else []

    def identities(self, app: str) -> list[Identity]:
        folder = self.root / app
        with journal_errors(f"the journal {folder} cannot be read"):
            try:
                names = sorted(path.name for path in folder.iterdir() if path.is_dir())
            except FileNotFoundError:
                return []
        parts = [name.partition("-") for name in names]
        return [Identity(account=account, region=region) for account, _, region in parts if region]

    def place(self, app: str, identity: Identity) -> FolderPlace:
        return FolderPlace(self.root, app, identity, grace=self._grace)

    def spec_name(self, file: str) -> str:
        """Its path seen from the folder around `root`: the same on every machine where both lie alike."""
        return os.path.relpath(file, self._around)

    def spec_file(self, name: str) -> str:
        return os.path.relpath(self._around / name)

    @property
    def _around(self) -> Path:
        return Path(os.path.abspath(self.root)).parent  # noqa: PTH100  a link to another disk stays where it is

    def plan_path(self, app: str, spec: str = "") -> Path:
        if spec in ("", DEFAULT_FILE):
            return self.root / app / "plan.json"
        key = spec if re.fullmatch(r"[\w.-]{1,100}", spec) else hashlib.sha256(spec.encode()).hexdigest()[:16]
        return self.root / app / f"plan.{key}.json"

    def plan_name(self, app: str, spec: str = "") -> str:
        return str(self.plan_path(app, spec))

    def save_plan(self, app: str, content: bytes, spec: str = "") -> None:
        path = self.plan_path(app, spec)
        with journal_errors(f"the plan cannot be saved to {path}"):
            make_folders(self.root, path.parent)
            write_file(path, content)

    def load_plan(self, app: str, limit: int, spec: str = "") -> bytes | None:
        path = self.plan_path(app, spec)
        with journal_errors(f"the plan {path} cannot be read"):
            try:
                with path.open("rb") as file:
                    return file.read(limit)
            except FileNotFoundError:
                return None

    def saved_plans(self, app: str, limit: int) -> list[tuple[str, bytes]]:
        with journal_errors(f"the plans in {self.root / app} cannot be read"):
            found = []
            for path in sorted((self.root / app).glob("plan*.json")):
                with path.open("rb") as file:
                    found.append((str(path), file.read(limit)))
            return found


class FolderPlace:
    """`store.Place` in the folder `root`/APP/ACCOUNT-REGION."""

    def __init__(self, root: Path, app: str, identity: Identity, *, grace: float = GRACE) -> None:
        self.root, self.app, self._grace = root, app, grace
        self.folder = root / app / str(identity)

    @property
    def name(self) -> str:
        return str(self.folder)

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.jsonl"

    def where(self, number: int) -> str:
        return str(self.path(number))

    def numbers(self) -> list[int]:
        with journal_errors(f"the journal {self.folder} cannot be read"):
            try:
                names = [path.name for path in self.folder.iterdir()]
            except FileNotFoundError:
                return []
        return sorted(int(match[1]) for name in names if (match := re.fullmatch(r"(\d{6,})\.jsonl", name)))

    def read(self, number: int) -> list[tuple[str, bytes]]:
        path = self.path(number)
        with journal_errors(f"the journal {path} cannot be read"):
            lines = path.read_bytes().split(b"\n")[:-1]  # behind the last line feed: what was not written to its end
        return [(f"{path}: line {count}", line) for count, line in enumerate(lines, 1)]

    def create(self, number: int, first: bytes, *more: bytes) -> EntryFile:
        path = self.path(number)
        with self._written():
            make_folders(self.root, self.folder)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        file = EntryFile(path, handle)
        try:
            file.append(b"\n".join([first, *more]))
        except JournalError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        with self._written():
            sync_folder(self.folder)
        return file

    def reopen(self, number: int) -> EntryFile:
        path = self.path(number)
        with journal_errors(f"the journal {path} cannot be written"):
            handle = os.open(path, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(handle, path.read_bytes().rfind(b"\n") + 1)
        return EntryFile(path, handle)

    @contextlib.contextmanager
    def lock(self, holder: Holder) -> Iterator[None]:
        with self._written():
            make_folders(self.root, self.folder)
        with flocked(self.folder, self.app, self._grace):
            with self._written():
                write_file(holder_file(self.folder), to_json(holder))
            yield

    def is_held(self) -> bool:
        return runs_elsewhere(read_holder(self.folder))

    def _written(self) -> contextlib.AbstractContextManager[None]:
        return journal_errors(f"the journal {self.folder} cannot be written")


class EntryFile:
    """`store.Appender` for one file, open for appending.

    Entries of several threads that come at the same time share one fsync: 50 services would otherwise wait for a
    hundred of them, one after the other.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle, self._broken = handle, False
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        self._written = self._safe = os.fstat(handle).st_size  # bytes, in whole entries; the second are on disk

    def append(self, entry: bytes) -> None:
        with journal_errors(f"the journal {self.path} cannot be written"):
            self._sync(self._write(entry + b"\n"))

    def _write(self, line: bytes) -> int:
        """Where the line ends in the file."""
        with self._lock:
            if self._broken:
                raise OSError(0, "an earlier entry could not be written")
            rest = line
            try:
                while rest:
                    rest = rest[os.write(self._handle, rest) :]
            except OSError:
                self._break_off(self._written)
                raise
            self._written += len(line)
            return self._written

    def _sync(self, end: int) -> None:
        """Returns when everything before `end` is on disk, by the fsync of this thread or by one that began after it
        was written."""
        with self._syncing:
            if self._safe >= end:
                return
            with self._lock:
                if self._broken and self._written < end:
                    raise OSError(0, "an earlier entry could not be written")
                reached = self._written
            try:
                os.fsync(self._handle)
            except OSError:
                with self._lock:
                    self._break_off(self._safe)
                raise
            self._safe = reached

    def _break_off(self, size: int) -> None:
        """Cuts the file and ends all writing: half a line is damage in the middle of a file, but not at its end."""
        self._broken, self._written = True, size
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, size)

    def close(self) -> None:
        os.close(self._handle)


# --- files ---


def make_folders(root: Path, folder: Path) -> None:
    """The folders from `root` to `folder`, and a .gitignore in `root`."""
    missing = [path for path in (folder, *folder.parents) if path == root or root in path.parents]
    for path in reversed(missing):
        path.mkdir(mode=0o700, parents=path == root, exist_ok=True)
    ignore = root / ".gitignore"
    if not ignore.exists():
        write_file(ignore, b"*\n")


def write_file(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by its owner only. Raises OSError."""
    # The temporary file has a random name and did not exist before: others may be able to write to the folder, too.
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
    """The names of the files in the folder are on disk when this returns."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def journal_errors(what: str) -> Iterator[None]:
    """Makes an OSError a JournalError whose message begins with `what`."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"{what}: {error.strerror or error}") from error

"""Files and folders of the journal: who may read them, and what happens where they do not let us."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from ecsplan.core.codec import to_json
from ecsplan.core.errors import JournalError
from ecsplan.core.model import Plan
from ecsplan.journal import Began, Damaged, Done, Entry, Journal, open_store
from ecsplan.journal.folder import EntryFile, FolderPlace
from tests.unit.builders import AT, IDENTITY, ORIGIN, only_planned, plan, whole

FULL = Path("/dev/full")  # a device on which every write fails for want of space
BEGAN = Began(at=AT, step=1)
DONE = Done(at=AT, step=1, outputs={"arn": "web:1"})


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(open_store(tmp_path / ".ecsplan"), "shop", IDENTITY)


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    """The files of `journal`."""
    return FolderPlace(tmp_path / ".ecsplan", "shop", IDENTITY)


def written(journal: Journal, *entries: Entry, made: Plan | None = None) -> int:
    if not entries:
        return only_planned(journal, made)
    writer = journal.open(made or plan(*whole()), ORIGIN, AT)
    for entry in entries:
        writer.append(entry)
    writer.close()
    return writer.number


def test_only_the_owner_may_read_and_git_ignores_it(journal: Journal, place: FolderPlace) -> None:
    old = os.umask(0)
    try:
        written(journal, BEGAN)
    finally:
        os.umask(old)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in place.root.rglob("*")}
    assert stat.S_IMODE(place.root.stat().st_mode) == 0o700
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert (place.root / ".gitignore").read_text() == "*\n"


def test_a_gitignore_of_ones_own_is_left_alone(journal: Journal, place: FolderPlace) -> None:
    place.root.mkdir()
    (place.root / ".gitignore").write_text("!shop\n")
    written(journal)
    assert (place.root / ".gitignore").read_text() == "!shop\n"


def test_folders_above_the_journal_are_made(tmp_path: Path) -> None:
    deep = Journal(open_store(tmp_path / "a" / "b" / ".ecsplan"), "shop", IDENTITY)
    assert written(deep) == 1


@pytest.mark.parametrize("obstacle", ["root", "folder"])
def test_a_journal_that_cannot_be_made_is_named(journal: Journal, place: FolderPlace, obstacle: str) -> None:
    path = place.root if obstacle == "root" else place.folder
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file where a folder should be")
    with pytest.raises(JournalError, match=r"^the journal .*eu-west-1 cannot be read: Not a directory$"):
        journal.open(plan(), ORIGIN, AT)
    with pytest.raises(JournalError, match=r"^the journal .*eu-west-1 cannot be read: Not a directory$"):
        journal.numbers()


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is permitted to root")
def test_a_read_only_folder_is_named(journal: Journal, place: FolderPlace) -> None:
    written(journal)
    place.folder.chmod(0o500)
    try:
        with pytest.raises(JournalError, match="cannot be written: Permission denied"):
            journal.open(plan(*whole()), ORIGIN, AT).append(BEGAN)
    finally:
        place.folder.chmod(0o700)


@pytest.mark.skipif(not FULL.exists(), reason="there is no such device here")
def test_a_write_that_fails_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    file = EntryFile(tmp_path / "000001.jsonl", os.open(FULL, os.O_WRONLY))
    with pytest.raises(JournalError, match=r"^the journal .*000001\.jsonl cannot be written: No space left on device$"):
        file.append(to_json(BEGAN))
    file.close()


def test_after_a_write_that_failed_nothing_more_is_written(journal: Journal, place: FolderPlace) -> None:
    """Half a line in the middle of the file would be damage."""
    writer = journal.open(plan(*whole()), ORIGIN, AT)
    writer.append(BEGAN)
    size = place.path(1).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, before[1]))
    try:
        with pytest.raises(JournalError, match="File too large"):
            writer.append(DONE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert place.path(1).stat().st_size == size
    with pytest.raises(JournalError, match="cannot be written: an earlier entry could not be written"):
        writer.append(DONE)
    writer.close()
    assert journal.read(1).entries == (BEGAN,)


def test_a_deployment_whose_plan_cannot_be_written_leaves_nothing(journal: Journal) -> None:
    """As on a full disk: no file may grow."""
    written(journal)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(JournalError, match=r"000002\.jsonl cannot be written: File too large$"):
            journal.open(plan(*whole()), ORIGIN, AT).append(BEGAN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert journal.numbers() == [1]
    assert written(journal) == 2


def test_a_file_that_cannot_be_read_is_named(journal: Journal, place: FolderPlace) -> None:
    place.path(1).mkdir(parents=True)
    with pytest.raises(JournalError, match=r"^the journal .*000001\.jsonl cannot be read: Is a directory$"):
        journal.read(1)
    (found,) = journal.all()
    assert isinstance(found, Damaged)


def test_a_deployment_that_is_not_there_is_named(journal: Journal) -> None:
    with pytest.raises(JournalError, match=r"000009\.jsonl cannot be read: No such file"):
        journal.read(9)

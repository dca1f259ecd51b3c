"""Entries that are on disk when `append` returns, however many threads append, and whatever the disk says."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from ecsplan.core.codec import to_json
from ecsplan.core.errors import JournalError
from ecsplan.journal import Began
from ecsplan.journal.folder import EntryFile
from tests.support.processes import until

OTHERS = 9
LINE = len(msgspec.json.encode(Began(at="t", step=1))) + 1


def entry(step: int) -> bytes:
    return to_json(Began(at="t", step=step))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "000001.jsonl"


def opened(path: Path) -> EntryFile:
    return EntryFile(path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))


def steps(path: Path) -> list[int]:
    return [int(msgspec.json.decode(line)["step"]) for line in path.read_bytes().splitlines()]


class Disk:
    """Holds the first fsync until all others have written; `later` is what every other fsync does."""

    def __init__(self, path: Path, later: Callable[[], None] = lambda: None) -> None:
        self.path, self.later = path, later
        self.calls = 0
        self.written = threading.Event()

    def __call__(self, handle: int) -> None:
        self.calls += 1
        if self.calls == 1:
            assert self.written.wait(30)
        else:
            self.later()


def together(one: EntryFile, disk: Disk, path: Path) -> list[BaseException | None]:
    """One entry whose fsync takes long, and all others meanwhile; how each of them ended."""
    with ThreadPoolExecutor(OTHERS + 1) as pool:
        futures = [pool.submit(one.append, entry(0))]
        until(lambda: path.stat().st_size == LINE, "one line")
        futures += [pool.submit(one.append, entry(number)) for number in range(1, OTHERS + 1)]
        until(lambda: path.stat().st_size == LINE * (OTHERS + 1), "all lines")
        disk.written.set()
    return [future.exception() for future in futures]


def test_entries_of_several_threads_share_one_fsync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(path)
    monkeypatch.setattr(os, "fsync", disk)
    assert together(opened(path), disk, path) == [None] * (OTHERS + 1)
    assert disk.calls == 2
    assert steps(path)[0] == 0
    assert sorted(steps(path)) == list(range(OTHERS + 1))


def test_what_did_not_reach_the_disk_is_reported_to_every_thread_and_removed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    disk = Disk(path, full)
    monkeypatch.setattr(os, "fsync", disk)
    one = opened(path)
    ended = together(one, disk, path)
    assert ended[0] is None
    assert [type(error) for error in ended[1:]] == [JournalError] * OTHERS
    assert steps(path) == [0]
    with pytest.raises(JournalError, match="an earlier entry could not be written"):
        one.append(entry(99))
    assert steps(path) == [0]


def test_each_entry_of_one_thread_is_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: sizes.append(os.fstat(handle).st_size))
    one = opened(path)
    for number in range(3):
        one.append(entry(number))
    assert sizes == [LINE, 2 * LINE, 3 * LINE]


def test_half_a_line_is_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = opened(path)
    one.append(entry(0))
    write = os.write

    def half(handle: int, data: bytes) -> int:
        if len(data) < LINE:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(JournalError, match="No space left"):
        one.append(entry(1))
    assert steps(path) == [0]
    with pytest.raises(JournalError, match="an earlier entry could not be written"):
        one.append(entry(2))


def test_a_file_that_goes_on_is_appended_to(path: Path) -> None:
    opened(path).append(entry(0))
    opened(path).append(entry(1))
    assert steps(path) == [0, 1]

"""One deployment at a time: the lock, who holds it, and that a dead process holds nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from ecsplan.core.codec import to_json
from ecsplan.core.errors import JournalError, LockedError
from ecsplan.journal import Journal, Origin, Outcome, open_store
from ecsplan.journal.folder import Folder, FolderPlace
from tests.unit.builders import AT, IDENTITY, ORIGIN, only_planned
from tests.unit.fakes import child_environment

OTHER = Origin(user="bob", host="laptop", pid=1, command="ecsplan apply")

HOLD = """
import sys
from ecsplan.journal import Journal, Origin, open_store
from ecsplan.core.model import Identity
root, account, region = sys.argv[1:]
origin = Origin(user="eve", host="ci-9", pid=99, command="ecsplan deploy v9")
with Journal(open_store(root), "shop", Identity(account=account, region=region)).locked(origin, "yesterday"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(Folder(tmp_path / ".ecsplan", grace=0.02), "shop", IDENTITY)


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    """The files of `journal`."""
    return FolderPlace(tmp_path / ".ecsplan", "shop", IDENTITY)


@contextmanager
def held_elsewhere(place: FolderPlace) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed."""
    command = [sys.executable, "-c", HOLD, str(place.root), IDENTITY.account, IDENTITY.region]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_taker_is_told_who_holds_it(journal: Journal) -> None:
    with journal.locked(ORIGIN, AT):
        with pytest.raises(LockedError) as caught, journal.locked(OTHER, "later"):
            pass
        assert caught.value.message == (
            f"another deployment of shop is running: ada@ci-7, process 4711, 'ecsplan deploy v42', since {AT}"
        )
        assert caught.value.state == "Nothing was changed."
        assert caught.value.hint


def test_it_is_free_again_afterwards(journal: Journal, place: FolderPlace) -> None:
    for _ in range(2):
        with journal.locked(ORIGIN, AT):
            pass
    assert not (place.folder / "holder.json").exists()


def test_it_is_free_again_after_a_failure(journal: Journal) -> None:
    with pytest.raises(RuntimeError, match="a fault"), journal.locked(ORIGIN, AT):
        raise RuntimeError("a fault")
    with journal.locked(OTHER, AT):
        pass


def test_another_app_or_region_has_a_lock_of_its_own(journal: Journal, place: FolderPlace) -> None:
    elsewhere = msgspec.structs.replace(IDENTITY, region="us-east-1")
    with (
        journal.locked(ORIGIN, AT),
        Journal(open_store(place.root), "blog", IDENTITY).locked(OTHER, AT),
        Journal(open_store(place.root), "shop", elsewhere).locked(OTHER, AT),
    ):
        pass


def test_another_thread_is_kept_out_too(journal: Journal, place: FolderPlace) -> None:
    refused: list[LockedError] = []

    def take() -> None:
        try:
            with Journal(open_store(place.root), "shop", IDENTITY).locked(OTHER, AT):
                pass
        except LockedError as error:
            refused.append(error)

    with journal.locked(ORIGIN, AT):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_another_process_is_kept_out_and_named(journal: Journal, place: FolderPlace) -> None:
    with held_elsewhere(place), pytest.raises(LockedError) as caught, journal.locked(ORIGIN, AT):
        pass
    assert "eve@ci-9, process 99, 'ecsplan deploy v9', since yesterday" in caught.value.message


def test_a_dead_holder_blocks_nobody(journal: Journal, place: FolderPlace) -> None:
    with held_elsewhere(place) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (place.folder / "holder.json").exists()  # it could not tidy up
        with journal.locked(ORIGIN, AT):
            holder = msgspec.json.decode((place.folder / "holder.json").read_bytes())
    assert holder["holder"]["user"] == "ada"


@pytest.mark.parametrize(
    "content",
    [None, b"", b"[]", b"nonsense", b'{"holder":{}}', b'{"since":"x","holder":{"user":1}}', b"[" * 100_000],
    ids=range(7),
)
def test_a_holder_that_cannot_be_read_is_not_named(journal: Journal, place: FolderPlace, content: bytes | None) -> None:
    with journal.locked(ORIGIN, AT):
        holder = place.folder / "holder.json"
        if content is None:
            holder.unlink()
        else:
            holder.write_bytes(content)
        with pytest.raises(LockedError) as caught, journal.locked(OTHER, AT):
            pass
    assert caught.value.message == "another deployment of shop is running"


def test_a_lock_that_cannot_be_taken_is_an_error_of_the_journal(journal: Journal, place: FolderPlace) -> None:
    (place.folder / "lock").mkdir(parents=True)
    with pytest.raises(JournalError, match=r"^the lock .*lock cannot be taken: "), journal.locked(ORIGIN, AT):
        pass


def test_a_folder_that_cannot_be_made_is_an_error_of_the_journal(journal: Journal, place: FolderPlace) -> None:
    place.root.write_text("a file where a folder should be")
    with pytest.raises(JournalError, match="cannot be written"), journal.locked(ORIGIN, AT):
        pass


def test_a_holder_that_cannot_be_written_is_an_error_of_the_journal(journal: Journal, place: FolderPlace) -> None:
    """As on a full disk: known, and no deployment begins."""
    (place.folder / "holder.json" / "in the way").mkdir(parents=True)
    with pytest.raises(JournalError, match="cannot be written"), journal.locked(ORIGIN, AT):
        pytest.fail("the deployment began")


def test_the_newest_deployment_runs_while_another_process_holds_the_lock(
    journal: Journal, place: FolderPlace, tmp_path: Path
) -> None:
    """Meanwhile it is not shown as cut off. A dead holder runs nothing, and neither do we ourselves."""
    only_planned(journal)
    assert journal.read(1).outcome is Outcome.UNFINISHED
    script = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        holder = msgspec.structs.replace(ORIGIN, host=socket.gethostname(), pid=other.pid)
        (place.folder / "holder.json").write_bytes(to_json({"since": AT, "holder": holder}))
        assert (journal.read(1).outcome, journal.read(1).reason) == (Outcome.RUNNING, "")
        assert other.stdin is not None
        other.stdin.close()
        other.wait()
        assert journal.read(1).outcome is Outcome.UNFINISHED
    ours = msgspec.structs.replace(holder, pid=os.getpid())
    (place.folder / "holder.json").write_bytes(to_json({"since": AT, "holder": ours}))
    assert journal.read(1).outcome is Outcome.UNFINISHED


def test_a_process_that_cannot_exist_runs_nothing(journal: Journal, place: FolderPlace) -> None:
    only_planned(journal)
    holder = msgspec.structs.replace(ORIGIN, host=socket.gethostname(), pid=2**62)
    (place.folder / "holder.json").write_bytes(to_json({"since": AT, "holder": holder}))
    assert journal.read(1).outcome is Outcome.UNFINISHED


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is permitted to root")
def test_a_process_of_another_user_may_run_it(journal: Journal, place: FolderPlace) -> None:
    only_planned(journal)
    holder = msgspec.structs.replace(ORIGIN, host=socket.gethostname(), pid=1)
    (place.folder / "holder.json").write_bytes(to_json({"since": AT, "holder": holder}))
    assert journal.read(1).outcome is Outcome.RUNNING

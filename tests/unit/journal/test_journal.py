"""What is written to the journal is what is read, and damage is named by file and line."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from ecsplan.core.errors import JournalError
from ecsplan.core.model import FORMAT_VERSION, Plan
from ecsplan.journal import Began, Closed, Damaged, Done, Entry, Failed, Journal, Opened, Origin, Outcome, open_store
from ecsplan.journal.folder import FolderPlace
from tests.unit.builders import AT, IDENTITY, ORIGIN, only_planned, plan, register, update, whole

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


def damaged(journal: Journal, place: FolderPlace, content: bytes) -> Path:
    """The file of a deployment with its first line, and this behind it."""
    path = place.path(written(journal))
    with path.open("ab") as file:
        file.write(content)
    return path


# --- what is written is what is read ---


@pytest.mark.parametrize(
    "entry",
    [
        Began(at=AT, step=3),
        Began(at=AT, step=3, undo=True),
        Done(at=AT, step=3, outputs={"arn": "web:42", "deployment": "ecs-svc/1"}),
        Done(at=AT, step=3, outputs={}, undo=True),
        Done(at=AT, step=3, outputs={"state": "opened"}),
        Failed(at=AT, step=3, error='it said "no"\nand more – ü'),
        Failed(at=AT, step=3, error="", undo=True, unclear=True),
        *(Closed(at=AT, outcome=outcome, reason="because") for outcome in Outcome),
    ],
    ids=lambda entry: f"{type(entry).__name__}",
)
def test_every_entry_is_read_as_it_was_written(journal: Journal, entry: Entry) -> None:
    number = written(journal, BEGAN, entry)
    assert journal.read(number).entries == (BEGAN, entry)


def test_the_first_line_holds_the_whole_plan_with_every_undo(journal: Journal) -> None:
    made = plan(*whole(), warnings=("mind",), undoes=(3, 4), base=5)
    found = journal.read(written(journal, made=made))
    assert found.opened == Opened(number=1, at=AT, origin=ORIGIN, plan=made)
    assert found.plan == made
    assert found.plan.steps[0].undo == register().undo


def test_a_line_is_one_entry(journal: Journal, place: FolderPlace) -> None:
    path = place.path(written(journal, BEGAN, Failed(at=AT, step=1, error="a\nb\r\nc\u2028d")))
    lines = path.read_bytes().splitlines()
    assert [msgspec.json.decode(line)["entry"] for line in path.read_bytes().split(b"\n")[:-1]] == [
        "opened",
        "began",
        "failed",
    ]
    assert msgspec.json.decode(lines[0])["format_version"] == FORMAT_VERSION


def test_an_entry_is_on_disk_when_append_returns(journal: Journal) -> None:
    writer = journal.open(plan(*whole()), ORIGIN, AT)
    writer.append(BEGAN)
    assert journal.read(1).entries == (BEGAN,)
    writer.append(DONE)
    assert journal.read(1).entries == (BEGAN, DONE)
    writer.close()


def test_entries_of_several_threads_do_not_mix(journal: Journal) -> None:
    writer = journal.open(plan(*whole()), ORIGIN, AT)
    together = threading.Barrier(4, timeout=10)

    def append(step: int) -> None:
        together.wait()
        for _ in range(5):
            writer.append(Failed(at=AT, step=step, error="x" * 5000))

    threads = [threading.Thread(target=append, args=(step,)) for step in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    steps = [entry.step for entry in journal.read(1).entries if isinstance(entry, Failed)]
    assert sorted(steps) == sorted([*range(1, 5)] * 5)


# --- numbers ---


def test_deployments_are_numbered_from_one(journal: Journal, place: FolderPlace) -> None:
    assert journal.numbers() == []
    assert [written(journal, BEGAN) for _ in range(3)] == [1, 2, 3]
    assert journal.numbers() == [1, 2, 3]
    assert [found.number for found in journal.deployments()] == [1, 2, 3]
    assert place.path(1).name == "000001.jsonl"


def test_a_number_is_not_used_again(journal: Journal, place: FolderPlace) -> None:
    written(journal), written(journal)
    place.path(1).unlink()
    assert written(journal) == 3


def test_numbers_grow_beyond_six_digits_in_order(journal: Journal, place: FolderPlace) -> None:
    written(journal)
    place.path(1).rename(place.path(999_999))
    assert written(journal) == 1_000_000
    assert written(journal) == 1_000_001
    assert journal.numbers() == [999_999, 1_000_000, 1_000_001]


def test_other_files_of_the_folder_are_no_deployments(journal: Journal, place: FolderPlace) -> None:
    written(journal)
    for name in ("lock", "holder.json", "000002.jsonl.bak", "2.jsonl", ".000003.jsonl.77", "x000004.jsonl"):
        (place.folder / name).write_text("x")
    assert journal.numbers() == [1]


def test_two_that_begin_at_once_never_share_a_file(journal: Journal) -> None:
    written(journal)
    together, lock = threading.Barrier(8, timeout=10), threading.Lock()
    numbers: list[int] = []
    refused: list[str] = []

    def begin() -> None:
        together.wait()
        try:
            number = written(journal)
        except JournalError as error:
            with lock:
                refused.append(error.message)
        else:
            with lock:
                numbers.append(number)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) + len(refused) == 8
    assert [1, *sorted(numbers)] == journal.numbers() == sorted({1, *numbers})
    assert all(message.endswith("cannot be written: File exists") for message in refused)


def test_each_app_account_and_region_has_its_own(tmp_path: Path) -> None:
    here = Journal(open_store(tmp_path), "shop", IDENTITY)
    assert Path(here.name) == tmp_path / "shop" / "123456789012-eu-west-1"
    written(here)
    for other in (
        Journal(open_store(tmp_path), "blog", IDENTITY),
        Journal(open_store(tmp_path), "shop", msgspec.structs.replace(IDENTITY, region="us-east-1")),
        Journal(open_store(tmp_path), "shop", msgspec.structs.replace(IDENTITY, account="210987654321")),
    ):
        assert other.numbers() == []


# --- damage ---


@pytest.mark.parametrize("torn", [b'{"entry":"beg', b'{"entry":"began","at":"x","step":1}', b"\0\0\0\0", b"\xff"])
def test_a_torn_last_line_is_as_if_it_had_never_been_begun(journal: Journal, place: FolderPlace, torn: bytes) -> None:
    """Even one that could be read: what follows a line feed is what was written to its end."""
    damaged(journal, place, msgspec.json.encode(BEGAN) + b"\n" + torn)
    assert journal.read(1).entries == (BEGAN,)


@pytest.mark.parametrize(
    "line",
    [
        b'{"entry":"beg',
        b"\0\0\0\0",
        b"\xff\xfe",
        b"",
        b"[]",
        b"null",
        b'"began"',
        b'{"entry":"unheard-of","at":"x"}',
        b'{"at":"x","step":1}',
        b'{"entry":"began","at":"x","step":"1"}',
        b'{"entry":"began","at":"x","step":true}',
        b'{"entry":"began","at":"x"}',
        b'{"entry":"done","at":"x","step":1,"outputs":{"arn":1}}',
        b'{"entry":"closed","at":"x","outcome":"splendid"}',
        b'{"entry":' + b"[" * 100_000,
    ],
    ids=lambda line: line[:40].decode(errors="replace"),
)
def test_damage_elsewhere_names_file_and_line(journal: Journal, place: FolderPlace, line: bytes) -> None:
    began = msgspec.json.encode(BEGAN) + b"\n"
    path = damaged(journal, place, began + line + b"\n" + began)
    with pytest.raises(JournalError) as caught:
        journal.read(1)
    assert caught.value.message.startswith(f"{path}: line 3")


def test_a_second_deployment_within_a_file_is_damage_by_file_and_line(journal: Journal, place: FolderPlace) -> None:
    path = place.path(written(journal))
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(JournalError) as caught:
        journal.read(1)
    assert str(path) in caught.value.message
    assert "line 2" in caught.value.message


@pytest.mark.parametrize("content", [b"", b'{"entry":"opened","form'])
def test_a_file_without_a_first_line_says_that_nothing_was_sent(
    journal: Journal, place: FolderPlace, content: bytes
) -> None:
    path = place.path(written(journal))
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"000001\.jsonl: line 1: .*nothing was sent for it"):
        journal.read(1)


@pytest.mark.parametrize("content", [b"", b'{"entry":"opened","form'])
def test_a_deployment_that_was_never_written_to_its_end_is_in_nobodys_way(
    journal: Journal, place: FolderPlace, content: bytes
) -> None:
    """Killed, or out of space, before the first line was whole: nothing was sent, and the next one can begin."""
    written(journal, BEGAN)
    place.path(written(journal)).write_bytes(content)
    assert [found.number for found in journal.deployments()] == [1]
    assert written(journal, BEGAN) == 3
    assert [found.number for found in journal.deployments()] == [1, 3]


def test_a_file_that_does_not_begin_with_a_plan_is_damaged(journal: Journal, place: FolderPlace) -> None:
    path = place.path(written(journal))
    path.write_bytes(msgspec.json.encode(BEGAN) + b"\n")
    with pytest.raises(JournalError, match="line 1: the plan of the deployment should stand here"):
        journal.read(1)


def test_one_damaged_file_hides_no_other_in_the_history(journal: Journal, place: FolderPlace) -> None:
    for _ in range(3):
        written(journal)
    place.path(2).write_bytes(b"nonsense\n")
    first, second, third = journal.all()
    assert not isinstance(first, Damaged)
    assert not isinstance(third, Damaged)
    assert (first.number, third.number) == (1, 3)
    assert isinstance(second, Damaged)
    assert second.number == 2
    assert "000002.jsonl: line 1 is damaged" in second.error
    with pytest.raises(JournalError, match="000002"):
        journal.deployments()


# --- versions ---


def with_version(journal: Journal, place: FolderPlace, version: object) -> None:
    path = place.path(written(journal, BEGAN))
    first, rest = path.read_bytes().split(b"\n", 1)
    line = msgspec.json.encode({**msgspec.json.decode(first), "format_version": version, "novel": [1]})
    path.write_bytes(line + b"\n" + rest)


@pytest.mark.parametrize("version", ["2.0", "0.9", "10.0", "", "x"])
def test_another_major_version_is_refused(journal: Journal, place: FolderPlace, version: str) -> None:
    with_version(journal, place, version)
    with pytest.raises(
        JournalError, match=rf"line 1: written in format {version}, and this ecsplan reads 1\.1"
    ) as caught:
        journal.read(1)
    assert caught.value.hint == "Use the version of ecsplan that wrote it, or a newer one."


def test_a_newer_minor_version_and_what_it_adds_is_read(journal: Journal, place: FolderPlace) -> None:
    with_version(journal, place, "1.7")
    with place.path(1).open("ab") as file:
        file.write(b'{"entry":"began","at":"x","step":2,"novel":{"a":1}}\n')
    assert journal.read(1).entries == (BEGAN, Began(at="x", step=2))


def test_an_entry_of_a_newer_minor_version_is_not_called_damage_alone(journal: Journal, place: FolderPlace) -> None:
    with_version(journal, place, "1.7")
    with place.path(1).open("ab") as file:
        file.write(b'{"entry":"closed","at":"x","outcome":"splendid"}\n')
    with pytest.raises(
        JournalError, match=r"line 3 .* the deployment is in format 1\.7, and this ecsplan reads 1\.1"
    ) as one:
        journal.read(1)
    assert one.value.hint == "Use the version of ecsplan that wrote it, or a newer one."


def test_an_origin_reads_as_people_say_it() -> None:
    assert str(Origin(user="ada", host="ci-7", pid=4711, command="ecsplan deploy v42")) == (
        "ada@ci-7, process 4711, 'ecsplan deploy v42'"
    )


def test_a_plan_with_an_update_and_references_survives(journal: Journal) -> None:
    made = plan(register(), update())
    assert journal.read(written(journal, made=made)).plan.steps[1].call == made.steps[1].call


def test_a_plan_that_is_not_the_one_that_was_written_is_damage(journal: Journal, place: FolderPlace) -> None:
    """A rollback and a resumption go by it."""
    path = place.path(written(journal))
    path.write_bytes(path.read_bytes().replace(b'"base":', b'"base":7', 1))
    with pytest.raises(JournalError, match="line 1 is damaged: the plan was changed after it was written"):
        journal.read(1)


@pytest.mark.parametrize("step", [0, 6, -1])
def test_an_entry_for_a_step_that_the_plan_does_not_have_is_damage(journal: Journal, step: int) -> None:
    written(journal, BEGAN, Began(at=AT, step=step))
    with pytest.raises(JournalError, match=f"line 3: the plan has no step {step}") as caught:
        journal.read(1)
    assert "move it away" in caught.value.hint

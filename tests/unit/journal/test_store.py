"""The port: what every store must do, and that a journal needs nothing else. Another store is one more row here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecsplan.core.errors import EmptyJournalFile, JournalError, LockedError, UsageError
from ecsplan.core.model import Identity
from ecsplan.journal import Began, Closed, Damaged, Holder, Journal, Origin, Outcome, Place, Store, open_store
from tests.unit.builders import AT, IDENTITY, ORIGIN, only_planned, plan, whole

OTHER = Identity(account=IDENTITY.account, region="us-east-1")
HOLDER = Holder(since=AT, origin=ORIGIN)


class Rows:
    """One deployment in memory."""

    def __init__(self, rows: list[bytes]) -> None:
        self.rows = rows

    def append(self, entry: bytes) -> None:
        self.rows.append(entry)

    def close(self) -> None:
        """There is nothing to close."""


class MemoryPlace:
    """`Place` in memory."""

    def __init__(self, app: str, identity: Identity) -> None:
        self.app, self.name = app, f"memory://{app}/{identity}"
        self.deployments: dict[int, list[bytes]] = {}
        self.holder: Holder | None = None
        self._lock = threading.Lock()

    def where(self, number: int) -> str:
        return f"{self.name}/{number}"

    def numbers(self) -> Sequence[int]:
        return sorted(self.deployments)

    def read(self, number: int) -> Sequence[tuple[str, bytes]]:
        if number not in self.deployments:
            raise JournalError(f"{self.where(number)} is missing")
        return [(f"{self.where(number)}/{count}", row) for count, row in enumerate(self.deployments[number], 1)]

    def create(self, number: int, first: bytes, *more: bytes) -> Rows:
        with self._lock:
            if number in self.deployments:
                raise JournalError(f"{self.where(number)} is there already")
            self.deployments[number] = [first, *more]
        return Rows(self.deployments[number])

    def reopen(self, number: int) -> Rows:
        return Rows(self.deployments[number])

    @contextmanager
    def lock(self, holder: Holder) -> Iterator[None]:
        if self.holder:
            raise LockedError(f"another deployment of {self.app} is running: {self.holder}")
        self.holder = holder
        yield
        self.holder = None

    def is_held(self) -> bool:
        return self.holder is not None


class Memory:
    """`Store` in memory."""

    name = "memory://"

    def __init__(self) -> None:
        self.places: dict[tuple[str, Identity], MemoryPlace] = {}
        self.plans: dict[tuple[str, str], bytes] = {}

    def apps(self) -> Sequence[str]:
        return sorted(
            {app for app, identity in self.places if self.places[app, identity].deployments}
            | {app for app, _ in self.plans}
        )

    def identities(self, app: str) -> Sequence[Identity]:
        found = [key[1] for key, place in self.places.items() if key[0] == app and place.deployments]
        return sorted(found, key=str)

    def place(self, app: str, identity: Identity) -> MemoryPlace:
        return self.places.setdefault((app, identity), MemoryPlace(app, identity))

    def spec_name(self, file: str) -> str:
        return str(Path(file).resolve())

    def spec_file(self, name: str) -> str:
        return os.path.relpath(name)

    def plan_name(self, app: str, spec: str = "") -> str:
        return f"memory://{app}/plan/{spec}"

    def save_plan(self, app: str, content: bytes, spec: str = "") -> None:
        self.plans[app, spec] = content

    def load_plan(self, app: str, limit: int, spec: str = "") -> bytes | None:
        return self.plans[app, spec][:limit] if (app, spec) in self.plans else None

    def saved_plans(self, app: str, limit: int) -> Sequence[tuple[str, bytes]]:
        return [(self.plan_name(*key), content[:limit]) for key, content in sorted(self.plans.items()) if key[0] == app]


STORES: dict[str, Callable[[Path], Store]] = {
    "folder": lambda path: open_store(path / ".ecsplan"),
    "memory": lambda _path: Memory(),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


def contents(place: Place, number: int) -> list[bytes]:
    return [content for _, content in place.read(number)]


# --- the port ---


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert (list(store.apps()), list(store.identities("shop"))) == ([], [])
    assert list(store.place("shop", IDENTITY).numbers()) == []
    assert store.load_plan("shop", 100) is None


def test_apps_and_their_places_are_listed(store: Store) -> None:
    for app, identity in (("shop", OTHER), ("shop", IDENTITY), ("blog", IDENTITY)):
        store.place(app, identity).create(1, b"{}").close()
    store.save_plan("news", b"{}")
    assert list(store.apps()) == ["blog", "news", "shop"]
    assert list(store.identities("shop")) == [IDENTITY, OTHER]
    assert list(store.identities("news")) == []


def test_entries_are_read_in_order(store: Store) -> None:
    place = store.place("shop", IDENTITY)
    appender = place.create(3, b'{"n":1}')
    appender.append(b'{"n":2}')
    assert contents(place, 3) == [b'{"n":1}', b'{"n":2}']
    appender.close()
    again = place.reopen(3)
    again.append(b'{"n":3}')
    again.close()
    assert contents(place, 3) == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    assert list(place.numbers()) == [3]


def test_a_number_is_given_once(store: Store) -> None:
    place = store.place("shop", IDENTITY)
    place.create(1, b"{}").close()
    with pytest.raises(JournalError):
        place.create(1, b"[]")
    assert contents(place, 1) == [b"{}"]


def test_of_many_that_create_a_number_one_succeeds(store: Store) -> None:
    together = threading.Barrier(8, timeout=10)
    given: list[bytes] = []

    def create(content: bytes) -> None:
        together.wait()
        try:
            store.place("shop", IDENTITY).create(1, content).close()
        except JournalError:
            return
        given.append(content)

    threads = [threading.Thread(target=create, args=(b'{"n":%d}' % number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(store.place("shop", IDENTITY), 1) == given
    assert len(given) == 1


def test_a_deployment_that_is_not_there_is_an_error(store: Store) -> None:
    with pytest.raises(JournalError):
        store.place("shop", IDENTITY).read(7)


def test_the_lock_is_held_by_one_and_names_it(store: Store) -> None:
    with store.place("shop", IDENTITY).lock(HOLDER):
        with pytest.raises(LockedError, match=r"shop is running: ada@ci-7, process 4711, .*, since 2023"):
            store.place("shop", IDENTITY).lock(HOLDER).__enter__()
        with store.place("shop", OTHER).lock(HOLDER):
            pass
    with store.place("shop", IDENTITY).lock(HOLDER):
        pass


def test_the_plan_that_was_saved_last_is_loaded(store: Store) -> None:
    store.save_plan("shop", b"old")
    store.save_plan("shop", b"new plan")
    assert store.load_plan("shop", 100) == b"new plan"
    assert store.load_plan("shop", 3) == b"new"
    assert store.load_plan("blog", 100) is None
    assert "shop" in store.plan_name("shop")


def test_every_spec_has_its_own_plan(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["staging.toml", "a/staging.toml", "b/staging.toml", "../staging.toml", "straße 1.toml", "x" * 200]
    names = [store.spec_name(str(tmp_path / file)) for file in files]
    assert len(set(names)) == len(files)
    for name in names:
        store.save_plan("shop", name.encode(), name)
    assert [store.load_plan("shop", 1000, name) for name in names] == [name.encode() for name in names]
    assert store.load_plan("shop", 3, names[0]) == names[0].encode()[:3]
    assert store.load_plan("shop", 100) is None
    saved = store.saved_plans("shop", 5)
    assert sorted(saved) == sorted((store.plan_name("shop", name), name.encode()[:5]) for name in names)
    assert list(store.saved_plans("blog", 5)) == []
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert store.spec_name("../staging.toml") == names[0]
    assert [store.spec_file(name) for name in names[:3]] == ["../staging.toml", "staging.toml", "../b/staging.toml"]


def test_a_deployment_and_an_entry_are_named_apart(store: Store) -> None:
    place = store.place("shop", IDENTITY)
    for number in (1, 2):
        appender = place.create(number, b"{}")
        appender.append(b"{}")
        appender.close()
    assert place.where(1).startswith(place.name)
    assert all(where.startswith(place.where(number)) for number in (1, 2) for where, _ in place.read(number))
    assert len({place.where(number) for number in (1, 2)} | {w for n in (1, 2) for w, _ in place.read(n)}) == 6


# --- a journal on any store ---


def test_a_journal_needs_nothing_but_the_port(store: Store) -> None:
    journal = Journal(store, "shop", IDENTITY)
    with journal.locked(ORIGIN, AT):
        writer = journal.open(plan(*whole()), ORIGIN, AT)
        writer.append(Began(at=AT, step=1))
        writer.close()
        writer = journal.reopen(1)
        writer.append(Closed(at=AT, outcome=Outcome.STOPPED))
        writer.close()
    (found,) = journal.deployments()
    assert found.entries == (Began(at=AT, step=1), Closed(at=AT, outcome=Outcome.STOPPED))
    assert (writer.number, journal.numbers(), found.plan) == (1, [1], plan(*whole()))


def test_damage_is_named_as_the_store_names_it(store: Store) -> None:
    journal, place = Journal(store, "shop", IDENTITY), store.place("shop", IDENTITY)
    only_planned(journal)
    appender = place.reopen(1)
    appender.append(b"nonsense")
    appender.close()
    only_planned(journal)
    place.create(4, b'{"entry":"began","at":"x","step":1}').close()
    first, second, third, fourth = journal.all()
    assert isinstance(first, Damaged)
    assert first.error.startswith(f"{place.read(1)[1][0]} is damaged: ")
    assert not isinstance(second, Damaged)
    assert third == Damaged(number=3, error=f"{place.where(3)} is missing")
    assert fourth == Damaged(number=4, error=f"{place.read(4)[0][0]}: the plan of the deployment should stand here")


def test_the_newest_one_runs_while_the_lock_is_held_elsewhere() -> None:
    """By a store that sees every holder."""
    store = Memory()
    journal = Journal(store, "shop", IDENTITY)
    for _ in range(2):
        journal.open(plan(*whole()), ORIGIN, AT).append(Began(at=AT, step=1))
    with store.place("shop", IDENTITY).lock(HOLDER):
        assert [one.outcome for one in journal.deployments()] == [Outcome.UNFINISHED, Outcome.RUNNING]
    assert journal.read(2).outcome is Outcome.UNFINISHED


def test_without_an_entry_nothing_was_sent() -> None:
    store = Memory()
    store.place("shop", IDENTITY).deployments[1] = []
    journal = Journal(store, "shop", IDENTITY)
    with pytest.raises(
        EmptyJournalFile, match=r"^memory://shop/123456789012-eu-west-1/1: line 1: .*nothing was sent for it"
    ):
        journal.read(1)
    assert journal.deployments() == []


# --- which store ---


@pytest.mark.parametrize("place", ["s3://bucket/prefix", "file:///tmp"])
def test_a_url_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match=rf"^the journal is a folder for now, and {place} is none$"):
        open_store(place)


def test_a_folder_is_named_as_it_was_given(tmp_path: Path) -> None:
    assert open_store("some/where").name == "some/where"
    assert open_store(tmp_path).name == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_holder_is_written_as_before(tmp_path: Path) -> None:
    origin = Origin(user="ana", host="build-7", pid=4711, command="ecsplan deploy v2")
    with open_store(tmp_path).place("shop", IDENTITY).lock(Holder(since=AT, origin=origin)):
        content = (tmp_path / "shop" / str(IDENTITY) / "holder.json").read_bytes()
    assert content == (
        b'{"since":"2023-11-14T22:13:20.000Z",'
        b'"holder":{"user":"ana","host":"build-7","pid":4711,"command":"ecsplan deploy v2"}}'
    )

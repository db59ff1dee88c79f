"""Data keys: how long they are kept, who waits for a provider, and what happens when it is away or says no."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from configsvc.crypto import datakeys
from configsvc.crypto.datakeys import FRESH_S, KEPT_S, RETRY_S, DataKey, DataKeys
from configsvc.crypto.envelope import Place
from configsvc.crypto.providers import local
from configsvc.crypto.providers.local import LocalKeys
from configsvc.crypto.providers.provider import Context, Wrapped
from configsvc.errors import CannotOpen, Unavailable

LONG_S = 10.0
PLACE = Place("payments", "production", "db.password", uuid4())
TEXT = '"hunter2"'


class Counted(LocalKeys):
    """A local provider that counts, and that can be down, refuse, or be slow."""

    unwraps = 0
    error: Exception | None = None
    #: Set: answers at once.
    let: threading.Event

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.let = threading.Event()
        self.let.set()
        self.asked = threading.Semaphore(0)

    def unwrap(self, wrapped: Wrapped, context: Context) -> bytes:
        """Unwrap, or not."""
        self.unwraps += 1
        self.asked.release()
        assert self.let.wait(LONG_S)
        if self.error is not None:
            raise self.error
        return super().unwrap(wrapped, context)


class Clock:
    """Moves when it is told."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def provider(tmp_path: Path) -> Counted:
    """Up, and without a call so far."""
    local.create(tmp_path / "keys.json")
    return Counted(tmp_path / "keys.json")


@pytest.fixture
def clock() -> Clock:
    """The clock of ``keys``."""
    return Clock()


@pytest.fixture
def keys(provider: Counted, clock: Clock) -> DataKeys:
    """Over ``provider``."""
    return DataKeys(provider, clock)


@pytest.fixture
def row(keys: DataKeys) -> DataKey:
    """A data key for secrets of PLACE's scope."""
    return keys.make(PLACE.namespace, PLACE.env, "secret")


def test_a_secret_comes_back(keys: DataKeys, row: DataKey) -> None:
    """What one process seals another one opens, with the same provider and the stored rows."""
    sealed = keys.seal(row, PLACE, TEXT)
    assert sealed.data_key_id == row.id
    assert keys.open(row, PLACE, sealed) == TEXT


def test_a_read_costs_no_call(keys: DataKeys, row: DataKey, provider: Counted) -> None:
    """A data key is unwrapped once, however often it is used."""
    sealed = keys.seal(row, PLACE, TEXT)
    for _ in range(100):
        keys.open(row, PLACE, sealed)
    assert provider.unwraps == 1


def test_all_who_ask_at_once_share_one_call(keys: DataKeys, row: DataKey, provider: Counted) -> None:
    """Twenty first readers wait for the same unwrapping."""
    provider.let.clear()
    with ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(keys.seal, row, PLACE, TEXT) for _ in range(20)]
        assert provider.asked.acquire(timeout=LONG_S)
        provider.let.set()
        assert {each.result(LONG_S).data_key_id for each in asked} == {row.id}
    assert provider.unwraps == 1


def test_a_key_is_asked_for_again_after_a_while(keys: DataKeys, row: DataKey, provider: Counted, clock: Clock) -> None:
    """After FRESH_S the provider has a say again."""
    keys.seal(row, PLACE, TEXT)
    clock.now += FRESH_S
    keys.seal(row, PLACE, TEXT)
    keys.seal(row, PLACE, TEXT)
    assert provider.unwraps == 2


def test_a_provider_that_is_down_stops_only_what_is_not_kept(
    keys: DataKeys, row: DataKey, provider: Counted, clock: Clock
) -> None:
    """A kept key goes on, tried again every RETRY_S, until KEPT_S are over; another one is Unavailable at once."""
    sealed = keys.seal(row, PLACE, TEXT)
    other = keys.make("search", "production", "secret")
    provider.error = Unavailable("down")
    with pytest.raises(Unavailable, match="down"):
        keys.seal(other, replace(PLACE, namespace="search"), TEXT)
    provider.unwraps = 0
    clock.now += FRESH_S
    for _ in range(10):
        assert keys.open(row, PLACE, sealed) == TEXT
    assert provider.unwraps == 1
    clock.now += RETRY_S
    assert keys.open(row, PLACE, sealed) == TEXT
    assert provider.unwraps == 2
    clock.now += KEPT_S
    with pytest.raises(Unavailable, match="down"):
        keys.open(row, PLACE, sealed)
    provider.error = None
    assert keys.open(row, PLACE, sealed) == TEXT


def test_nobody_waits_for_a_provider_when_the_key_is_kept(
    keys: DataKeys, row: DataKey, provider: Counted, clock: Clock
) -> None:
    """While one asker tries a frozen provider again, the others go on."""
    sealed = keys.seal(row, PLACE, TEXT)
    assert provider.asked.acquire(timeout=LONG_S)
    clock.now += FRESH_S
    provider.let.clear()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(keys.open, row, PLACE, sealed)
        assert provider.asked.acquire(timeout=LONG_S)
        assert keys.open(row, PLACE, sealed) == TEXT
        provider.let.set()
        assert waiting.result(LONG_S) == TEXT


def test_a_refusal_is_final(keys: DataKeys, row: DataKey, provider: Counted, clock: Clock) -> None:
    """A provider that takes away the right to a key ends its use in memory, too."""
    sealed = keys.seal(row, PLACE, TEXT)
    provider.error = CannotOpen("disabled")
    clock.now += FRESH_S
    for _ in range(2):
        with pytest.raises(CannotOpen, match="disabled"):
            keys.open(row, PLACE, sealed)


def test_memory_is_bounded(keys: DataKeys, provider: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more scopes than are kept, those that were not used for longest are unwrapped again."""
    monkeypatch.setattr(datakeys, "KEPT_MAX", 2)
    few = DataKeys(provider)
    rows = [few.make(PLACE.namespace, PLACE.env, "secret") for _ in range(3)]
    for each in [*rows, rows[2], rows[0]]:
        few.seal(each, PLACE, TEXT)
    assert provider.unwraps == 4


def test_a_new_kek_leaves_values_alone(keys: DataKeys, row: DataKey, provider: Counted, tmp_path: Path) -> None:
    """A data key is rewrapped, and what it has encrypted still opens, with the old row as well as with the new one."""
    sealed = keys.seal(row, PLACE, TEXT)
    kek_id = local.add_generation(tmp_path / "keys.json")
    rewrapped = keys.rewrap(row)
    assert rewrapped.kek_id == kek_id == keys.current_kek() != row.kek_id
    assert replace(rewrapped, kek_id=row.kek_id, wrapped=row.wrapped) == row
    for each in (row, rewrapped):
        assert DataKeys(provider).open(each, PLACE, sealed) == TEXT


@pytest.mark.parametrize(
    "changed",
    [{"id": uuid4()}, {"namespace": "search"}, {"env": "staging"}, {"purpose": "fingerprint"}, {"wrapped": b"short"}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_row_of_a_data_key_does_not_open(keys: DataKeys, row: DataKey, changed: dict[str, object]) -> None:
    """Neither unwrapped for another scope, id or purpose, nor taken from memory."""
    keys.seal(row, PLACE, TEXT)
    moved = replace(row, **changed)  # type: ignore[arg-type]
    with pytest.raises(CannotOpen):
        keys.seal(moved, PLACE, TEXT)
    place = replace(PLACE, namespace=moved.namespace, env=moved.env)
    with pytest.raises(CannotOpen):
        (keys.seal if moved.purpose == "secret" else lambda *_: keys.fingerprint(moved, place, "int", "1"))(
            moved, place, TEXT
        )


def test_what_does_not_open_is_named(keys: DataKeys, row: DataKey) -> None:
    """The operator reads which secret, which data key and which KEK it is, and nothing of a value."""
    sealed = keys.seal(row, PLACE, TEXT)
    with pytest.raises(CannotOpen) as caught:
        keys.open(row, replace(PLACE, value_id=uuid4()), sealed)
    for name in ("payments/db.password in production", str(row.id), row.kek_id):
        assert name in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_lost_kek_is_named(tmp_path: Path, row: DataKey) -> None:
    """With another key file the error says which KEK is missing."""
    local.create(tmp_path / "other.json")
    with pytest.raises(CannotOpen, match=row.kek_id):
        DataKeys(LocalKeys(tmp_path / "other.json")).seal(row, PLACE, TEXT)


def test_fingerprints_compare_values_of_one_place_alone(keys: DataKeys) -> None:
    """The same for the same value of a key in a scope, whichever version; another one in another scope."""
    row = keys.make(PLACE.namespace, PLACE.env, "fingerprint")
    staging = replace(PLACE, env="staging", value_id=uuid4())
    other = keys.make(staging.namespace, staging.env, "fingerprint")
    stored = keys.fingerprint(other, staging, "string", TEXT)
    assert stored != keys.fingerprint(row, PLACE, "string", TEXT), "two scopes show nothing in common"
    assert stored == keys.fingerprint(other, replace(staging, value_id=uuid4()), "string", TEXT)
    assert stored != keys.fingerprint(other, staging, "string", '"hunter3"')


def test_rows_and_keys_show_nothing_in_text(keys: DataKeys, row: DataKey) -> None:
    """What is stored is not secret, and still stays out of logs."""
    assert "wrapped" not in repr(row)
    assert repr(keys).startswith("DataKeys(LocalKeys(")

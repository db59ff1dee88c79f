"""The disk cache: a start while the service is down, and everything that may be wrong with a file."""

import hashlib
import logging
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configclient import (
    AccessDenied,
    Change,
    ConfigClient,
    ConfigRejected,
    ConfigUnavailable,
    MissingKey,
    SecretUnavailable,
    Snapshot,
    _cache,
)
from configclient._table import Table
from tests.unit.client.double import ENV, Canned, ServiceDouble, problem
from tests.unit.client.test_client import wait_for_transport

Start = Callable[..., ConfigClient]
WAIT_S = 10
DOWN = [problem(503, "unavailable")] * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the cache goes; not there yet."""
    return tmp_path / "state" / "cache"


@pytest.fixture
def left(service: ServiceDouble, start: Start, folder: Path) -> Path:
    """The file that a first client left behind; the service has been down since."""
    start(cache_dir=folder).close()
    service.canned.extend(DOWN)
    (path,) = folder.iterdir()
    return path


def start_down(start: Start, folder: Path, **options: Any) -> ConfigClient:
    """A client that will not wait long for an answer."""
    return start(cache_dir=folder, start_timeout_s=0.2, **options)


def wait_until_shown(client: ConfigClient, revision: int) -> None:
    """Also a lower revision than the one before."""
    board = client._board
    with board.changed:
        assert board.changed.wait_for(lambda: client.snapshot().revision == revision, WAIT_S)


def test_a_start_without_the_service(start: Start, left: Path, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The last values are there, all types; status says offline and why; the log says where they are from."""
    client = start_down(start, folder)
    assert client.get_int("payments", "rate_limit") == 100
    assert client.get_str("payments", "name") == "shop"
    assert client.get_bool("payments", "on") is True
    assert client.get_float("payments", "ratio") == 0.5
    assert client.get_json("payments", "tree") == {"a": [1]}
    status = client.status()
    assert (status.state, status.transport, status.revision) == ("offline", "none", 1)
    assert status.last_error is not None
    assert "503 unavailable" in status.last_error
    assert (status.last_sync_at, status.staleness_s) == (None, None)
    assert any("started from" in record.getMessage() for record in caplog.records)


def test_a_hanging_service_is_offline_too(service: ServiceDouble, start: Start, left: Path, folder: Path) -> None:
    """Though nothing has failed yet when the time is up."""
    service.canned.clear()
    service.canned.extend([Canned(hang=True)] * 1000)
    client = start_down(start, folder)
    assert client.get("payments", "rate_limit") == 100
    assert client.status().state == "offline"
    assert "no answer" in (client.status().last_error or "")


def test_what_is_from_disk_is_replaced_whole(service: ServiceDouble, start: Start, left: Path, folder: Path) -> None:
    """The client asks as one that has nothing, and goes live with the answer; listeners hear of what differs."""
    client = start_down(start, folder)
    heard: list[Any] = []
    done = threading.Event()

    def note(change: Change) -> None:
        heard.append((change.key, change.old, change.new))
        done.set()

    client.on_change(note)
    service.commit({"payments": {"rate_limit": 200}})
    service.canned.clear()
    assert client.wait_for(2, WAIT_S)
    assert {request["have"] for request in service.requests if request["client"]["id"] == client_id(client)} <= {
        None,
        service.history[-1]["cursor"],
    }
    wait_for_transport(client, "redis")
    assert client.status().state == "live"
    assert done.wait(WAIT_S)
    # The double names version 1 in every full answer, and so does the cache: only what differs is told.
    assert heard == [("rate_limit", 100, 200)]


def client_id(client: ConfigClient) -> str:
    """What it calls itself."""
    return client._refresher._client_id  # type: ignore[attr-defined,no-any-return]


def test_an_older_history_is_followed_loudly(
    service: ServiceDouble, start: Start, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the database was restored while the client was away, it follows to the lower revision."""
    service.commit({"payments": {"rate_limit": 200}})
    start(cache_dir=folder).close()
    service.canned.extend(DOWN)
    client = start_down(start, folder)
    assert client.get("payments", "rate_limit") == 200
    service.restore(1)
    service.canned.clear()
    wait_until_shown(client, 1)
    assert client.get("payments", "rate_limit") == 100
    assert any("was replaced" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_no_access_is_not_hidden(service: ServiceDouble, start: Start, left: Path, folder: Path, status: int) -> None:
    """Whoever lost their rights starts with nothing, whatever is on disk."""
    service.canned.clear()
    service.canned.append(problem(status, "some_code"))
    with pytest.raises(AccessDenied):
        start(cache_dir=folder, start_timeout_s=60)


def test_without_a_file_a_start_fails(service: ServiceDouble, start: Start, folder: Path) -> None:
    """A folder that isn't there is as good as none."""
    service.canned.extend(DOWN)
    with pytest.raises(ConfigUnavailable, match="503 unavailable"):
        start_down(start, folder)


def reseal(path: Path, old: bytes, new: bytes) -> None:
    """Change a file's content under a seal that fits."""
    first, _, rest = path.read_bytes().partition(b"\n")
    assert old in rest
    rest = rest.replace(old, new)
    path.write_bytes(first.rpartition(b" ")[0] + b" " + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)


def make_fifo(path: Path) -> None:
    """Something that blocks whoever opens it."""
    path.unlink()
    os.mkfifo(path, 0o600)


def link_elsewhere(path: Path) -> None:
    """The right content, but somewhere else."""
    path.symlink_to(path.rename(path.with_suffix(".elsewhere")))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(b""), "no cache of configclient"),
        (lambda path: path.write_bytes(b"\x00" * 4096), "no cache of configclient"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"100", b"900")), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes() + b"{}\n"), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"cache 1", b"cache 2", 1)), "does not know"),
        (lambda path: reseal(path, b'"production"', b'"staging"'), "another client"),
        (lambda path: reseal(path, b'"value": 100', b'"value": "100"'), "no int"),
        (lambda path: reseal(path, b'"revision"', b'"other"'), "holds something else"),
        (lambda path: reseal(path, path.read_bytes().partition(b"\n")[2], b"[]\n"), "holds something else"),
        (lambda path: path.chmod(0o622), "others"),
        (make_fifo, "no plain file"),
        (link_elsewhere, "symbolic links"),
    ],
    ids=[
        *(
            "empty",
            "zeros",
            "truncated",
            "flipped",
            "longer",
            "newer",
            "foreign",
            "mistyped",
            "no-revision",
            "no-object",
        ),
        *("writable", "fifo", "symlink"),
    ],
)
def test_a_bad_file_is_refused(
    start: Start,
    left: Path,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    """The start fails as without a cache, after one line in the log that says why."""
    spoil(left)
    with pytest.raises(ConfigUnavailable):
        start_down(start, folder)
    lines = [record.getMessage() for record in caplog.records if "is not used" in record.getMessage()]
    assert len(lines) == 1
    assert reason in lines[0]


def test_any_single_flipped_byte_is_refused(start: Start, left: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever it is; never an exception, never a table."""
    with start(cache_dir=left.parent, start_timeout_s=0.2) as client:
        cache = _cache.Cache(left.parent, client._refresher._settings)  # type: ignore[attr-defined]
    caplog.set_level(logging.ERROR)
    whole = left.read_bytes()
    assert cache.load() is not None
    for place in range(len(whole)):
        left.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cache.load() is None, place
    for length in range(len(whole)):
        left.write_bytes(whole[:length])
        assert cache.load() is None, length


def test_a_file_that_is_too_long_is_not_read(
    start: Start, left: Path, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a bound, the same as for an answer."""
    monkeypatch.setattr(_cache, "BYTES_PER_NAMESPACE_MAX", 50)
    with pytest.raises(ConfigUnavailable):
        start_down(start, folder)
    assert any("more than 100 bytes" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("other", ["service", "env", "namespaces", "url"])
def test_another_client_has_another_file(service: ServiceDouble, start: Start, folder: Path, other: str) -> None:
    """Nobody starts from what belongs to another service, environment, installation or set of namespaces."""
    options: dict[str, Any] = {"service": "checkout", "env": ENV, "namespaces": ["payments", "global"]}
    options |= {"url": service.url, "token": "cfg_test_hush-hush", "cache_dir": folder}
    start(cache_dir=folder).close()
    service.canned.extend(DOWN)
    foreign = {
        "service": "search",
        "env": "staging",
        "namespaces": ["payments"],
        "url": service.url.replace("127.0.0.1", "localhost"),
    }
    ConfigClient(**{**options, "namespaces": ["global", "payments"], "start_timeout_s": 0.2}).close()
    with pytest.raises(ConfigUnavailable):
        ConfigClient(**{**options, other: foreign[other], "start_timeout_s": 0.2})


def test_nobody_else_can_read_it(left: Path) -> None:
    """The file is 0600, the folder that was made for it 0700, and nothing else is left in there."""
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    assert stat.S_IMODE(left.parent.stat().st_mode) == 0o700
    assert list(left.parent.iterdir()) == [left]


def full_with_secrets(*, readable: bool) -> Canned:
    """A service's answer with a secret, and one that this token may not read."""
    value = b'"value": "hush-hush", ' if readable else b""
    return Canned(
        200,
        b'{"kind": "full", "revision": 7, "cursor": "7.a", "view": "v", "next_sync_s": 30, "report_within_s": 2,'
        b' "push": null, "values": {"payments": {"plain": {"value": 1, "type": "int", "version": 1, "secret": false},'
        b' "password": {' + value + b'"type": "string", "version": 2, "secret": true}}, "global": {}}}',
    )


def test_secrets_stay_out(service: ServiceDouble, start: Start, folder: Path) -> None:
    """They are read while the service is up, never written, and missing after a start from disk."""
    service.canned.extend([full_with_secrets(readable=True), *DOWN])
    with start(cache_dir=folder, push=False) as client:
        assert client.get_str("payments", "password") == "hush-hush"
    (path,) = folder.iterdir()
    assert b"hush" not in path.read_bytes()
    client = start_down(start, folder, push=False)
    assert client.get_int("payments", "plain") == 1
    assert client.get_str("payments", "password", "") == ""
    assert client.get("payments", "password", None) is None
    with client.pinned() as pinned:
        for reading in (client, pinned, client.snapshot()):
            for getter in (reading.get, reading.get_str, reading.get_int, reading.get_json):
                with pytest.raises(SecretUnavailable, match="payments/password is a secret"):
                    getter("payments", "password")
    strict = start_down(start, folder, push=False, strict=True)
    for getter in (strict.get_str, strict.get_int, strict.get, strict.live):
        with pytest.raises(SecretUnavailable, match="payments/password is a secret"):
            getter("payments", "password")
    assert strict.get("payments", "password", "default") == "default"
    with pytest.raises(MissingKey) as raised:
        strict.get("payments", "nope")
    assert not isinstance(raised.value, SecretUnavailable)


def test_a_rejection_quotes_no_secret(service: ServiceDouble, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """What `accept` raises goes to the log and to the service, and validators quote what they refuse."""

    def refuse(snapshot: Snapshot) -> None:
        raise ValueError(f"bad: {snapshot.get_str('payments', 'password')!r}, {snapshot.get_int('payments', 'plain')}")

    service.canned.extend([full_with_secrets(readable=True), *DOWN])
    with pytest.raises(ConfigRejected, match=r"ValueError: bad: '\(secret\)', 1"):
        start(push=False, accept=refuse)
    assert "hush" not in caplog.text


def test_a_secret_that_may_not_be_read_is_unavailable(service: ServiceDouble, start: Start) -> None:
    """The same error, without any disk."""
    service.canned.extend([full_with_secrets(readable=False), *DOWN])
    client = start(push=False, strict=True)
    with pytest.raises(SecretUnavailable):
        client.get_str("payments", "password")


def test_what_is_shown_is_what_is_kept(service: ServiceDouble, start: Start, folder: Path) -> None:
    """A snapshot that `accept` refuses never gets to disk; the start from disk asks `accept` as well."""

    def accept(snapshot: Snapshot) -> None:
        if snapshot.get_int("payments", "rate_limit") > 1000:
            raise ValueError("too high")

    client = start(cache_dir=folder, accept=accept)
    service.commit({"payments": {"rate_limit": 2000}})
    service.wait_for_request(lambda request: "rejected" in request["client"])
    client.close()
    service.canned.extend(DOWN)
    assert start_down(start, folder, accept=accept).get("payments", "rate_limit") == 100
    with pytest.raises(ConfigRejected, match="never"):
        start_down(start, folder, accept=_refuse)


def _refuse(_: Snapshot) -> None:
    raise ValueError("never")


def test_a_storm_of_releases_is_written_once(
    service: ServiceDouble, start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once when loaded, then not again within SAVE_EVERY_S; what is left over is written at close."""
    syncs: list[int] = []
    first = threading.Event()
    fsync = os.fsync
    monkeypatch.setattr(
        _cache.os, "fsync", lambda descriptor: (syncs.append(descriptor), fsync(descriptor), first.set())
    )
    monkeypatch.setattr(_cache, "SAVE_EVERY_S", 3600.0)
    client = start(cache_dir=folder)
    assert first.wait(WAIT_S)
    told = threading.Event()
    # On the thread that writes, which looks whether to do so after each call.
    client.on_change(lambda change: told.set() if change.new == 49 else None)
    for value in range(50):
        assert client.wait_for(service.commit({"payments": {"rate_limit": value}}), WAIT_S)
    assert told.wait(WAIT_S)
    assert len(syncs) == 1
    client.close()
    assert len(syncs) == 2
    service.canned.extend(DOWN)
    assert start_down(start, folder).get("payments", "rate_limit") == 49
    assert len(syncs) == 2


def test_a_change_is_written_while_the_client_runs(
    service: ServiceDouble, start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to close it: killed without warning, it leaves what it had shown."""
    monkeypatch.setattr(_cache, "SAVE_EVERY_S", 0.0)
    saved = threading.Event()
    save = _cache.Cache.save

    def save_and_tell(cache: _cache.Cache, table: Table, now: float) -> None:
        save(cache, table, now)
        if table.entries["payments", "name"].value == "new":
            saved.set()

    monkeypatch.setattr(_cache.Cache, "save", save_and_tell)
    start(cache_dir=folder)
    service.commit({"payments": {"name": "new"}})
    assert saved.wait(WAIT_S)
    (path,) = folder.iterdir()
    assert b'"value": "new"' in path.read_bytes()


def test_a_release_of_others_is_not_written(
    service: ServiceDouble, start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision that changes nothing for this client is no reason to write."""
    monkeypatch.setattr(_cache, "SAVE_EVERY_S", 0.0)
    client = start(cache_dir=folder)
    wait_for_transport(client, "redis")
    client.close()
    (path,) = folder.iterdir()
    before = path.stat()
    client = start(cache_dir=folder)
    wait_for_transport(client, "redis")
    assert client.wait_for(service.commit({"search": {"theirs": 1}}), WAIT_S)
    client.close()
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_folder_that_cannot_be_written_harms_nobody(
    service: ServiceDouble, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log however often it is tried; the client lives on."""
    (tmp_path / "file").write_text("in the way")
    client = start(cache_dir=tmp_path / "file" / "cache")
    for value in range(3):
        assert client.wait_for(service.commit({"payments": {"rate_limit": value}}), WAIT_S)
    client.close()
    lines = [record.getMessage() for record in caplog.records if "can't be written" in record.getMessage()]
    assert len(lines) == 1
    assert "Not a directory" in lines[0]


def test_a_write_that_fails_keeps_the_old_file(
    service: ServiceDouble, start: Start, left: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves the last good file, and nothing half written."""

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    service.canned.clear()
    before = left.read_bytes()
    service.commit({"payments": {"rate_limit": 200}})
    monkeypatch.setattr(_cache.os, "fsync", no_space)
    start(cache_dir=folder).close()
    assert left.read_bytes() == before
    assert list(folder.iterdir()) == [left]


def test_left_overs_are_swept_up(service: ServiceDouble, start: Start, left: Path, folder: Path) -> None:
    """What a killed process had half written goes, once it is old; another's present work stays."""
    old, new, other = (folder / f"{name}.tmp" for name in (f"{left.name}.old", f"{left.name}.new", "other.old"))
    for path in (old, new, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (0, 0))
    service.canned.clear()
    service.commit({"payments": {"rate_limit": 200}})
    start(cache_dir=folder).close()
    assert {path.name for path in folder.iterdir()} == {left.name, new.name, other.name}


def test_several_clients_share_a_folder(service: ServiceDouble, start: Start, folder: Path) -> None:
    """Whoever writes when, the file is always a whole one."""
    clients = [start(cache_dir=folder, push=False) for _ in range(4)]
    for value in range(20):
        revision = service.commit({"payments": {"rate_limit": value, "name": str(value)}})
    for client in clients:
        assert client.wait_for(revision, WAIT_S)
        client.close()
    service.canned.extend(DOWN)
    snapshot = start_down(start, folder).snapshot()
    assert (snapshot.get("payments", "rate_limit"), snapshot.get("payments", "name")) == (19, "19")
    assert len(list(folder.iterdir())) == 1

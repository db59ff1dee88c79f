"""The file of KEKs: made once, added to, refused when it isn't right."""

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from configsvc.crypto import private_file
from configsvc.crypto.providers import local, open_provider
from configsvc.crypto.providers.local import LocalKeys
from configsvc.errors import SetupError, Unavailable

CONTEXT = {"namespace": "payments", "env": "production"}
MATERIAL = bytes(32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new key file."""
    path = tmp_path / "keys.json"
    local.create(path)
    return path


def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    """Nobody else may read it, whatever the umask is, and no scratch file stays behind."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]


def test_a_file_is_never_overwritten(path: Path) -> None:
    """A second one in its place would make all secrets unreadable."""
    before = path.read_bytes()
    with pytest.raises(SetupError, match="is there already, and a key is never overwritten"):
        local.create(path)
    assert path.read_bytes() == before


def test_a_running_provider_notices_a_new_generation(path: Path) -> None:
    """The next use wraps with it, and what the older one wrapped still opens."""
    provider = open_provider(f"file:{path}")
    first = provider.wrap(MATERIAL, CONTEXT)
    kek_id = local.add_generation(path)
    assert provider.current_kek() == kek_id == provider.wrap(MATERIAL, CONTEXT).kek_id != first.kek_id
    assert provider.unwrap(first, CONTEXT) == MATERIAL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_generations_that_are_added_at_once_are_all_there(path: Path) -> None:
    """Two operators lose neither one's: it may have wrapped something already."""
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        made = processes.map(local.add_generation, [path] * 12)
    entries = json.loads(path.read_bytes())["keys"]
    assert sorted(entry["id"] for entry in entries[1:]) == sorted(made)


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """A generation is added to the file that a link leads to."""
    link = tmp_path / "link.json"
    link.symlink_to(path)
    kek_id = local.add_generation(link)
    assert link.is_symlink()
    assert LocalKeys(path).current_kek() == kek_id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    """At the start with the command that mends it; in a running process it is as if the file were not there."""
    running = LocalKeys(path)
    path.chmod(mode)
    for attempt in (LocalKeys, local.add_generation):
        with pytest.raises(SetupError, match=f"mode {mode:04o}.*chmod 600 "):
            attempt(path)
    with pytest.raises(Unavailable, match=r"local key file can't be used.*chmod 600"):
        running.wrap(MATERIAL, CONTEXT)


def test_somebody_elses_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could change it. Root's is as good as ours."""
    monkeypatch.setattr(private_file.os, "geteuid", lambda: os.getuid() + 1)
    if os.getuid() == 0:
        LocalKeys(path)
        os.chown(path, 4711, -1)
    with pytest.raises(SetupError, match=r"belongs to user \d+, and this process runs as user \d+"):
        LocalKeys(path)


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"format": "configsvc keys v1", "keys": []}', "changed", "format"])
def test_a_damaged_file_is_refused(path: Path, damage: str) -> None:
    """In one line that says how one is made, without a word of what is in it."""
    document = json.loads(path.read_bytes())
    key = document["keys"][0]["key"]
    if damage == "changed":
        document["keys"][0]["key"] = key.swapcase()
    if damage == "format":
        document["format"] = "configsvc keys v2"
    path.write_text(json.dumps(document) if damage in ("changed", "format") else damage)
    for attempt in (LocalKeys, local.add_generation):
        with pytest.raises(SetupError, match=r"keys\.json is damaged.*`configsvc keys init FILE` makes one$") as caught:
            attempt(path)
        assert key not in str(caught.value)
        assert key.swapcase() not in str(caught.value)


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    """One line each."""
    missing = tmp_path / "missing" / "keys.json"
    with pytest.raises(SetupError, match=r"keys\.json can't be read: No such file"):
        LocalKeys(missing)
    with pytest.raises(SetupError, match=r"keys\.json can't be written: No such file"):
        local.create(missing)
    with pytest.raises(SetupError, match=r"missing can't be opened: No such file"):
        local.add_generation(missing)


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    """What is no regular file is refused, not read."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SetupError, match="is no file"):
        LocalKeys(tmp_path / "pipe")

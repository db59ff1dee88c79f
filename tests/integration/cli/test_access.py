"""login, logout and profiles: who I am to which service, and where that is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Configctl, Terminal, ended

KEYRING = '''
import json, pathlib, keyring.backend, keyring.errors

class Keyring(keyring.backend.KeyringBackend):
    """A file of the test."""
    priority = 1
    file = pathlib.Path(__file__).with_name("kept.json")
    def _all(self): return json.loads(self.file.read_text()) if self.file.exists() else {}
    def get_password(self, service, name): return self._all().get(service + "/" + name)
    def set_password(self, service, name, value):
        self.file.write_text(json.dumps(self._all() | {service + "/" + name: value}))
    def delete_password(self, service, name):
        kept = self._all(); del kept[service + "/" + name]; self.file.write_text(json.dumps(kept))

class Locked(Keyring):
    def set_password(self, service, name, value): raise keyring.errors.KeyringLocked("it is locked")
'''


@pytest.fixture
def profiles_file(environ: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where profiles are kept; nothing says who and where, and there is no keyring."""
    monkeypatch.delenv("CONFIGSVC_URL")
    monkeypatch.delenv("CONFIGSVC_TOKEN")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return tmp_path / "xdg" / "configctl" / "profiles.json"


def test_who_has_logged_in_needs_no_variables(configctl: Configctl, stack: Any, profiles_file: Path) -> None:
    """The token comes from standard input, is tried, and kept where its owner alone can read it."""
    assert configctl("list", "payments").code == 2
    login = configctl("login", "--url", stack.url + "/", stdin=stack.tokens["viewer"] + "\n")
    assert (login.code, login.out) == (0, "")
    assert stack.tokens["viewer"] not in login.err
    assert profiles_file.stat().st_mode & 0o777 == 0o600
    assert configctl("list", "payments").code == 0
    assert configctl("set", "payments", "limit", "1", "--type", "int").code == 4
    assert configctl("logout").code == 0
    assert stack.tokens["viewer"] not in profiles_file.read_text()
    assert configctl("list", "payments").code == 2


def test_a_token_that_is_not_valid_is_not_kept(configctl: Configctl, stack: Any, profiles_file: Path) -> None:
    """Nor one that is missing, nor one for a service that is not there."""
    assert configctl("login", "--url", stack.url, stdin="cfg_nobody_nothing").code == 4
    assert configctl("login", "--url", stack.url, stdin="\n").code == 2
    assert configctl("login", stdin="cfg_a_b").code == 2
    assert configctl("login", "--url", "nonsense", stdin="cfg_a_b").code == 2
    assert not profiles_file.exists()


def test_a_person_is_asked(terminal: Terminal, stack: Any, profiles_file: Path) -> None:
    """For the address and the token, which is not shown."""
    session = terminal("login", "--profile", "test")
    session.expect("Address of the service: ")
    session.sendline(stack.url)
    session.expect("Token for .*: ")
    session.sendline(stack.tokens["developer"])
    code, rest = ended(session)
    assert (code, "profile test" in rest, stack.tokens["developer"] in rest) == (0, True, False)


def test_several_services_by_name(configctl: Configctl, stack: Any, profiles_file: Path) -> None:
    """The first is the default; --profile and CONFIGSVC_PROFILE choose another; the environment's token wins."""
    for profile in ("viewer", "developer"):
        login = ("login", "--url", stack.url, "--profile", profile)
        assert configctl(*login, stdin=stack.tokens[profile]).code == 0
    write = ("set", "payments", "profile.limit", "1", "--type", "int")
    assert configctl(*write).code == 4
    assert configctl(*write, "--profile", "developer").code == 0
    assert configctl(*write, CONFIGSVC_PROFILE="developer").code == 0
    assert configctl(*write, CONFIGSVC_TOKEN=stack.tokens["developer"]).code == 0
    assert [line.split()[:2] for line in configctl.lines("profiles")[1:]] == [["developer", stack.url], ["*", "viewer"]]
    assert configctl("profiles", "--default", "developer").code == 0
    assert configctl(*write).code == 0
    unknown = configctl(*write, "--profile", "nobody")
    assert (unknown.code, "developer, viewer" in unknown.err) == (3, True)


def test_a_token_goes_to_its_own_service_only(configctl: Configctl, stack: Any, profiles_file: Path) -> None:
    """Another address takes another token, and a profile that contradicts the address is refused."""
    assert configctl("login", "--url", stack.url, stdin=stack.tokens["viewer"]).code == 0
    other = "http://127.0.0.1:1"
    assert "who are you?" in configctl("list", "payments", CONFIGSVC_URL=other).err
    both = configctl("list", "payments", "--profile", "default", CONFIGSVC_URL=other)
    assert (both.code, "name only one" in both.err) == (2, True)
    assert configctl("list", "payments", CONFIGSVC_URL=stack.url).code == 0


def test_a_file_that_others_can_read_is_refused(configctl: Configctl, stack: Any, profiles_file: Path) -> None:
    """And one that is damaged; each in one line."""
    assert configctl("login", "--url", stack.url, stdin=stack.tokens["viewer"]).code == 0
    profiles_file.chmod(0o640)
    refused = configctl("list", "payments")
    assert (refused.code, "others can read" in refused.err) == (2, True)
    profiles_file.chmod(0o600)
    profiles_file.write_text("[]")
    damaged = configctl("list", "payments")
    assert (damaged.code, "is damaged" in damaged.err, damaged.err.count("\n")) == (2, True, 1)


def test_a_keyring_keeps_the_token(terminal: Terminal, stack: Any, profiles_file: Path, tmp_path: Path) -> None:
    """Where there is one, the file has no token; a locked one is one line; logout takes it from there."""
    (tmp_path / "test_keyring.py").write_text(KEYRING)
    environ = {"PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "test_keyring.Keyring"}
    session = terminal("login", "--url", stack.url, **environ)
    session.expect("Token for .*: ")
    session.sendline(stack.tokens["viewer"])
    code, rest = ended(session)
    assert (code, "in the keyring" in rest) == (0, True), rest
    kept = tmp_path / "kept.json"
    assert json.loads(kept.read_text()) == {"configctl/default": stack.tokens["viewer"]}
    assert stack.tokens["viewer"] not in profiles_file.read_text()
    assert ended(terminal("list", "payments", **environ))[0] == 0
    assert ended(terminal("logout", **environ))[0] == 0
    assert json.loads(kept.read_text()) == {}
    session = terminal("login", "--url", stack.url, **environ | {"PYTHON_KEYRING_BACKEND": "test_keyring.Locked"})
    session.expect("Token for .*: ")
    session.sendline(stack.tokens["viewer"])
    code, rest = ended(session)
    assert (code, "log in with --no-keyring" in rest) == (2, True), rest

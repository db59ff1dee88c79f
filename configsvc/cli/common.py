"""What several commands take or say alike."""

import getpass
from pathlib import Path

import click

FILE = click.Path(path_type=Path, dir_okay=False)


def operator() -> str:
    """Return whom the audit names: whoever may run commands on this machine."""
    return f"operator:{getpass.getuser()}"

"""A text in somebody's editor, in a file of their own that stays until it is not needed any more."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from configclient.cli._errors import CliError, Exit
from configclient.cli._terminal import agrees, somebody


class Draft:
    """A text on its way: in a folder that only its owner can read."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="configctl-")) / name

    def edit(self, text: str) -> str:
        """What ``text`` was made into. Raises :class:`CliError` where the editor fails."""
        self.path.write_text(text, encoding="utf-8", newline="")
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
        try:
            code = subprocess.run([*command, str(self.path)], check=False).returncode
        except OSError as error:
            raise CliError(f"can't start {command[0]} ({error.strerror}); set EDITOR", Exit.USAGE) from None
        if code != 0:
            raise CliError(f"{command[0]} ended with {code}: nothing was written; {self.kept()}", Exit.USAGE)
        return self.path.read_bytes().decode("utf-8")

    def keep(self) -> Path:
        """Puts the text of now aside, where the next one does not touch it."""
        number = len(list(self.path.parent.iterdir()))
        return Path(shutil.copy(self.path, self.path.with_suffix(f".{number}.yaml")))

    def kept(self) -> str:
        """Where the text is."""
        return f"your text is in {self.path}"

    def look_again(self, failure: CliError) -> None:
        """Returns where a person wants to look at their text again; otherwise the failure says where it is."""
        if not somebody() or failure.exit_code not in (Exit.CONFLICT, Exit.INVALID):
            raise CliError(f"{failure}; {self.kept()}", failure.exit_code) from None
        click.echo(f"{failure}; {self.kept()}", err=True)
        if not agrees("Edit it again?"):
            raise click.Abort from None

    def discard(self) -> None:
        """Removes all of it."""
        shutil.rmtree(self.path.parent, ignore_errors=True)

"""What a command prints: lines for people, or one document for programs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from configclient.cli._environment import Entries

HELP = {
    "json": "json: the service's answer, for programs.",
    "yaml": "yaml: the same as YAML.",
    "env": "env: NAME='value' for a shell.",
}


def outputs(*kinds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds ``-o``, for text and these kinds; the command gets it as ``output``."""
    words = " ".join(HELP[kind] for kind in kinds)
    return click.option("-o", "--output", type=click.Choice(["text", *kinds]), default="text", help=words)


as_output = outputs("json", "yaml")


def emit(
    output: str, answer: Any, lines: Callable[[], Iterable[str]], entries: Callable[[], Entries] | None = None
) -> None:
    """Prints ``answer`` as ``output`` wants it: ``lines`` for people, ``entries`` as variables of a shell."""
    if output == "json":
        click.echo(json.dumps(answer, ensure_ascii=False))
    elif output == "yaml":
        from configclient.cli import _yaml

        click.echo(_yaml.dump(answer), nl=False)
    elif output == "env" and entries is not None:
        from configclient.cli._environment import variables

        for name, value in sorted(variables(entries()).items()):
            click.echo(f"{name}={shlex.quote(value)}")
    else:
        for line in lines():
            click.echo(line)

"""The person at the terminal, where there is one: is anybody there, and what do they say."""

import sys

import click


def somebody() -> bool:
    """Tells whether a question would be read and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agrees(question: str) -> bool:
    """Tells whether the answer was yes."""
    return click.confirm(question, err=True)


def ask(question: str) -> None:
    """Goes on after a yes. Raises :class:`click.Abort` after anything else."""
    click.confirm(question, abort=True, err=True)

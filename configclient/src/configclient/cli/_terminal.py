"""The person at the terminal, where there is one: is anybody there, and what do they say."""

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click


def somebody() -> bool:
    """Tells whether a question would be read and answered."""
    return sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()


def prompt(question: str, *, hidden: bool = False) -> str:
    """What a person types. Raises :class:`click.Abort` after Ctrl-C."""
    return str(_asked(click.prompt, question, hide_input=hidden))


def agrees(question: str) -> bool:
    """Tells whether the answer was yes."""
    return bool(_asked(click.confirm, question))


def ask(question: str) -> None:
    """Goes on after a yes. Raises :class:`click.Abort` after anything else."""
    if not agrees(question):
        decline()


def choose(question: str, answers: Sequence[str], default: str) -> str:
    """One of these answers, which may be abbreviated to its first letter."""
    shown = f"{question} ({', '.join(answers)})"
    return str(_asked(click.prompt, shown, default=default, value_proc=lambda typed: _one_of(typed, answers)))


def decline() -> NoReturn:
    """Ends the command as a person wanted who said no. Raises :class:`click.Abort`."""
    raise click.Abort("nothing was written")


def _one_of(typed: str, answers: Sequence[str]) -> str:
    found = [answer for answer in answers if typed and answer.startswith(typed.strip().lower())]
    if len(found) != 1:
        raise click.UsageError(f"answer {', '.join(answers)}")
    return found[0]


def _asked(how: Any, question: str, **more: Any) -> Any:
    try:
        return how(question, err=True, **more)
    except click.Abort:
        if not more.get("hide_input"):  # there click does it
            click.echo(err=True)  # what comes next does not belong to the question's line
        raise

"""Arguments that name something, checked here so that no name can bend the path of a request."""

import re

import click


class Name(click.ParamType[str]):
    """The name of a namespace, a key or an environment (docs/protocol.md, "Names and values")."""

    def __init__(self, what: str, pattern: str) -> None:
        self.name = what
        self._what = what
        self._rule = re.compile(pattern)

    def fits(self, value: str) -> bool:
        """Tells whether ``value`` is such a name."""
        return self._rule.fullmatch(value) is not None

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value`` itself. Raises :class:`click.BadParameter`."""
        if not self.fits(value):
            self.fail(f"{value!r} is no name for {self._what}", param, ctx)
        return value


NAMESPACE = Name("a namespace", r"[a-z0-9][a-z0-9._-]{0,99}")
KEY = Name("a key", r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
ENVIRONMENT = Name("an environment", r"[a-z0-9][a-z0-9_-]{0,19}")

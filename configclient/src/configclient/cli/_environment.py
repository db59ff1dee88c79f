"""Settings → environment variables. PURE: no I/O.

The name is the key in capitals, with ``_`` for all that is no letter or digit: ``db.pool-size`` → ``DB_POOL_SIZE``.
One that would begin with a digit gets a ``_`` before it. Strings are passed as they are, everything else as JSON.
"""

import re
from collections.abc import Mapping
from typing import Any

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit

OTHER = re.compile(r"[^A-Z0-9]")
# Who may change settings shall not thereby choose which code runs: these decide what a program loads and starts.
RESERVED = re.compile(
    r"PATH|HOME|SHELL|IFS|ENV|BASH_ENV|BASH_FUNC.*|LD_.*|DYLD_.*|PYTHON(?:PATH|HOME|STARTUP)|PERL5LIB|PERL5OPT"
    r"|RUBYLIB|RUBYOPT|NODE_OPTIONS|NODE_PATH|JAVA_TOOL_OPTIONS|GCONV_PATH|CONFIGSVC_.*"
)

# By (namespace, key), as `S/config` answers them.
Entries = Mapping[tuple[str, str], Mapping[str, Any]]


def variable(key: str, namespace: str | None = None) -> str:
    """The name of a key's variable; with ``namespace``, that is its beginning."""
    name = OTHER.sub("_", (key if namespace is None else f"{namespace}_{key}").upper())
    return f"_{name}" if name[0].isdigit() else name


def variables(entries: Entries, *, prefixed: bool = False) -> dict[str, str]:
    """The variables of settings; ``prefixed``: each begins with its namespace.

    Raises :class:`CliError` where two keys would have one name, a name is reserved, or a value may not be read.
    """
    owners: dict[str, str] = {}
    result: dict[str, str] = {}
    for (namespace, key), entry in entries.items():
        place = f"{namespace}/{key}"
        name = variable(key, namespace if prefixed else None)
        if name in owners:
            raise CliError(f"{owners[name]} and {place} would both be {name}{_advice(prefixed)}", Exit.INVALID)
        if RESERVED.fullmatch(name):
            raise CliError(
                f"{place} would be {name}, which is never set from settings{_advice(prefixed)}", Exit.INVALID
            )
        if "value" not in entry:
            raise CliError(f"{place} is a secret, and this token may not read it", Exit.FORBIDDEN)
        owners[name] = place
        result[name] = render.bare(entry["value"])
    return result


def _advice(prefixed: bool) -> str:
    return "" if prefixed else "; `run --prefix` puts the namespace before each name"

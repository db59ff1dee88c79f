"""configctl: settings from the command line, over the same HTTP API that everybody uses.

    _commands   the command, and the door where every failure becomes one line and an exit code
    _reads      what is there: get, list, watch
    _past       what was: history, show, diff
    _writes     set, unset, and the ways back: rollback, restore, undo
    _options    what several commands share
    _http       requests with timeouts, retries and an Idempotency-Key
    _paths      PURE: names → paths of the API
    _moments    PURE: times as they are typed and shown
    _values     PURE: text from the command line or a file → a value of the key's type, strictly
    _render     PURE: answers → lines for people
    _errors     PURE: what went wrong → one line that says what to do next, and the exit code

The service is the judge of every rule. What is checked here too (names, strict values) is checked to answer at once and
in the words of the command line.
"""

import sys


def main() -> None:
    """The console script ``configctl``: runs the command line, and exits with its code."""
    try:
        import click  # noqa: F401  The extra may be missing: the script is installed with the client alone, too.
    except ImportError:
        sys.exit("configctl: this command needs its extra: pip install 'configclient[cli]'")
    from configclient.cli._commands import run

    sys.exit(run(sys.argv[1:]))

"""configctl: settings from the command line, over the same HTTP API that everybody uses.

    _app        the command, and the door where every failure becomes one line and an exit code
    commands/   one module per noun or group of verbs, imported when one of its commands is called
    _options    what several commands share; _names  names, checked
    _target     which service, environment and person are meant; _profiles  services and tokens that are kept
    _http       requests with timeouts, retries and an Idempotency-Key
    _states     reading: a scope as it was, lists page by page, what a release changed
    _writes     one write: send it, then say what changed
    _output     what is printed: lines for people, one document for programs
    _terminal   is a person there, and what do they say
    _following  the SDK, for what follows changes; _supervise  a program that restarts with them
    _convergence  waiting until every instance has a release
    _apply      a plan: shown, confirmed, written; _enact  a drift: keys, values, schemas, in their order
    _requests   change requests: opened, approved, applied
    _plan       PURE: what a scope is, and what it shall be → the steps between them
    _tree       PURE: settings as code → what shall be; _drift  what is different from what is
    _editor     a text in somebody's editor
    formats/    PURE: one module per file format
    _paths      PURE: names → paths of the API
    _moments    PURE: times as they are typed and shown
    _values     PURE: text from the command line or a file → a value of the key's type, strictly
    _environment  PURE: settings → environment variables
    _yaml       PURE: YAML to values, with lines, and back
    _render     PURE: answers → lines for people; _render_requests, _render_access: those about reviews and rights
    _errors     PURE: what went wrong → one line that says what to do next, and the exit code

Imports run that way: commands know the modules above them, never each other.
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
    from configclient.cli._app import run

    sys.exit(run(sys.argv[1:]))

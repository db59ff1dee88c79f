"""`configsvc serve`: the web workers and one relay, against databases that others run."""

import contextlib
from collections.abc import Callable

from configsvc.dev import programs
from configsvc.dev.supervisor import Supervisor
from configsvc.settings import Settings
from configsvc.store.migrate import check


class Serve:
    """The service without its databases; it keeps nothing itself. ``report`` gets a line when a part dies."""

    def __init__(self, settings: Settings, report: Callable[[str], None]) -> None:
        self._settings = settings
        self._report = report
        self._cleanup = contextlib.ExitStack()

    def start(self) -> None:
        """Return when the service answers.

        Raises:
            SetupError: the database is not there or not of this version, or a part can't start.
        """
        check(self._settings.database_url)
        with contextlib.ExitStack() as cleanup:
            supervisor = cleanup.enter_context(Supervisor(None, self._report))
            supervisor.start(programs.web(self._settings), programs.relay(self._settings))
            self._cleanup = cleanup.pop_all()

    def stop(self) -> None:
        """Finish the requests in work and end."""
        self._cleanup.close()

"""`configsvc serve`: the web workers and one relay, against databases that others run."""

import contextlib
from collections.abc import Callable

from configsvc.crypto import private_file
from configsvc.crypto.providers import open_provider
from configsvc.crypto.signing import Signer
from configsvc.dev import ports, programs
from configsvc.dev.supervisor import Supervisor
from configsvc.errors import SetupError
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
            SetupError: the key, the address or the database is not usable, or a part can't start.
        """
        self._check()
        with contextlib.ExitStack() as cleanup:
            supervisor = cleanup.enter_context(Supervisor(None, self._report))
            metrics = programs.metrics_dir()
            supervisor.remove_at_end(metrics)
            supervisor.start(programs.web(self._settings, metrics), programs.relay(self._settings, metrics=metrics))
            self._cleanup = cleanup.pop_all()

    def _check(self) -> None:
        # What the parts would find out each for itself, over and over, is said once.
        Signer.load(self._settings.signing_key_file)
        if self._settings.keys is not None:
            open_provider(self._settings.keys)
        if self._settings.oidc_client_secret_file is not None:
            private_file.read(self._settings.oidc_client_secret_file)
        host, port = self._settings.host, self._settings.port
        try:
            ports.try_to_bind(host, port)
        except OSError as error:
            raise SetupError(
                f"CONFIGSVC_HOST, CONFIGSVC_PORT: can't listen on {host}:{port}: {error.strerror}"
            ) from error
        check(self._settings.database_url)

    def stop(self) -> None:
        """Finish the requests in work and end."""
        self._cleanup.close()

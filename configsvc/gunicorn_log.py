"""gunicorn's log, written as all our others are. Read before gevent has patched the standard library."""

import os
from datetime import timedelta
from typing import Any

from gunicorn import glogging

from configsvc import logs

_FORMAT = "CONFIGSVC_LOG_FORMAT"


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn carries no types
    """Hands what gunicorn says to the root logger, whose handler bounds and formats it."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's settings; the format is ours."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
        logs.configure(cfg.loglevel, "text" if os.environ.get(_FORMAT) == "text" else "json")

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:  # noqa: ARG002
        """Write a line for a request that was answered: by its route, because an address may hold a sign-in link."""
        if self.cfg.accesslog is None:
            return
        route = environ.get(logs.ROUTE, "")
        fields = {
            "method": environ["REQUEST_METHOD"] if route else "",
            "route": route,
            "status": resp.status_code,
            "bytes": resp.sent,
            "duration_ms": round(request_time.total_seconds() * 1_000, 1),
            "address": environ.get("REMOTE_ADDR", ""),
        }
        self.access_log.info("answered", extra={"fields": fields})

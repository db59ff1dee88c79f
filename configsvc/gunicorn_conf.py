"""How gunicorn runs the API. Address, number of workers and what is logged come as arguments (``dev/programs.py``).

Imports nothing of ours but what needs the standard library and gunicorn alone: gunicorn reads this file before gevent
has patched the standard library, and psycopg decides at its import whether it waits in gevent's way.
"""

import gc
import logging
import os
import re
import resource
from pathlib import Path
from typing import Any

from configsvc import logs
from configsvc.gunicorn_log import Logger

# A held request is a greenlet of 22-25 KiB, not a thread; and twice gthread's rate with a look-up.
# What it waits for has deadlines (gunicorn_worker.py).
worker_class = "configsvc.gunicorn_worker.Worker"

# Held requests of clients that poll while Redis is down: 5,000 per worker are measured (benchmarks/bench_held.py).
# One token may hold 10,000 (CONFIGSVC_TOKEN_HELD_MAX), and not all there is.
worker_connections = 12_000

# Each of those is a file descriptor, and the usual soft limit is 1,024.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

# Clients sync about every 30 s, and proxies keep connections for 60 s: ours should still be there then.
keepalive = 75

# Longer than any write takes. Held requests are answered at once (gunicorn_worker.py): a worker ends after about 1 s.
graceful_timeout = 2

# A worker that is stuck for this long is replaced. The longest computation, checking values by schemas, takes far less.
timeout = 15

# Workers say every second that they live, by touching a file. On a disk, a slow sync would look like a death.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # gunicorn makes a private file

# The line holds a path with names of 100 and 200 characters; a header the token. Bodies are limited in the app, which
# knows the route.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# One line per request would be most of the log, and proxies write it better; CONFIGSVC_ACCESS_LOG asks for it. The
# audit says who changed what.
accesslog = None
errorlog = "-"

# JSON or text (CONFIGSVC_LOG_FORMAT), with ids of requests, and bounded when something fails.
logger_class = Logger

# Nobody's word about addresses, schemes and paths: the app takes an address from as many proxies as it is told
# (CONFIGSVC_TRUSTED_PROXIES), and needs nothing else. By default gunicorn would believe whoever is on this machine.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# What was sent stands in quotes there, and may be a header with a token that a slip has made no header.
_QUOTING = ("Invalid request from ", "Ignored premature client disconnection")

# A socket to control gunicorn by is one more door, and nothing here uses it.
control_socket_disable = True


def post_worker_init(worker: Any) -> None:  # noqa: ARG001  # gunicorn's signature
    """Let the garbage collector come seldom: its walk over what thousands of held requests hold stops the worker."""
    gc.freeze()
    gc.set_threshold(100_000, 10, 100)


def on_starting(server: Any) -> None:
    """Keep out of the log what is no request: it is the sender's, and may be secret."""
    server.log.error_log.addFilter(_cut_quotations)


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:  # noqa: ARG001  # gunicorn's signature
    """Let what the connection says between two requests be of neither."""
    logs.about("")


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001  # gunicorn's signature
    """Forget what a worker that is gone measured as its present state."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _cut_quotations(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    if message.startswith(_QUOTING):
        record.msg, record.args = re.split("['\"]", message, maxsplit=1)[0] + "…", ()
    return True

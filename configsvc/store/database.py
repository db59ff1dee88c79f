"""Postgres: the pool, transactions, and the one place where driver errors become ours."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import conninfo
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from configsvc import meters
from configsvc.errors import (
    Conflict,
    NotApproved,
    PayloadTooLarge,
    ReviewRequired,
    RevisionMismatch,
    StalePlan,
    Unavailable,
)

log = logging.getLogger(__name__)

Row = DictRow
Connection = psycopg.Connection[Row]
Params = Mapping[str, object]

#: Connections of one process. A request holds one for a millisecond, so few serve many.
POOL_SIZE_MAX = 10
#: How long a request waits for a connection before it answers 503.
POOL_WAIT_S = 3.0
#: A connection that is free is there in microseconds. To count each of those would cost more than it tells.
_WAIT_S_MIN = 0.001
#: The pool gives up a connection attempt after this time and begins anew at the next request. Left alone it would
#: back off for minutes and come back long after Postgres did.
RECONNECT_S = 1.0

#: How long a statement may go unanswered. ``statement_timeout`` ends slow ones before; this is for a server that is
#: frozen while its kernel keeps the connection alive.
ANSWER_S_MAX = 10.0

#: Bounds for a Postgres that hangs: a request must answer in seconds, with 503 if need be.
DEFAULTS = {
    "connect_timeout": "2",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "application_name": "configsvc",
    # A standby lags behind and would pull clients back. With several hosts this finds the primary.
    "target_session_attrs": "read-write",
}

#: Of every session; what the URL's own ``options`` say comes after it, and wins.
SESSION = {
    "statement_timeout": "8s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    # Every moment that the API takes can be shown in UTC, and not in every zone.
    "timezone": "UTC",
    # All statements are look-ups by index, whatever the tables' sizes: planning anew for each array that comes in would
    # take longer than the rest, and a plan cached while the tables were small would scan them later.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Before Postgres 18, a plan that can't do without one of these is said to cost so much that it would be compiled:
    # half a second for a look-up of a millisecond.
    "jit": "off",
}

#: Said by the commit function and by the look-up before it.
OTHER_BODY = "this Idempotency-Key was used with another body: send a new key with a new request"

_UNAVAILABLE = "the database does not answer now; try again in a moment"

#: By constraint of the table scope.
_TOO_LARGE = {
    "scope_keys_max": "a namespace may have values for 10,000 keys in one environment: unset some, or begin another",
    "scope_bytes_max": "a namespace may hold 16 MiB in one environment: unset something, or begin another",
}


def with_defaults(database_url: str, settings: Mapping[str, str] = SESSION) -> str:
    """Return the connection string with our bounds, where it does not set its own; ``settings``: of the session."""
    given = conninfo.conninfo_to_dict(database_url)
    missing = {name: value for name, value in DEFAULTS.items() if name not in given}
    session = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return conninfo.make_conninfo(database_url, **missing, options=f"{session} {given.get('options') or ''}".strip())


class BoundedConnection(psycopg.Connection[Row]):
    """A connection that gives up on a server that does not answer, and is closed then."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the server, at most ``ANSWER_S_MAX`` unless the caller sets its own bound."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, ANSWER_S_MAX)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # whatever it may still answer belongs to no statement any more
            raise


class Database:
    """The service's connections. Opens at first use, because a pool does not survive a fork."""

    def __init__(self, database_url: str) -> None:
        """``database_url``: a libpq URL or DSN, of the service's role."""
        self._conninfo = with_defaults(database_url)
        self._pool: ConnectionPool[BoundedConnection] | None = None
        self._opening = threading.Lock()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in autocommit: each statement is its own transaction.

        Raises:
            Unavailable: Postgres does not answer, or took too long.
            Conflict, RevisionMismatch, ReviewRequired, PayloadTooLarge, StalePlan: as ``commit_release`` decided.
        """
        began = time.perf_counter()
        try:
            with self._opened().connection() as connection:
                _count_wait(time.perf_counter() - began)
                yield connection
        except PoolTimeout as error:
            _count_wait(time.perf_counter() - began)
            meters.database_errors.inc()
            raise Unavailable(_UNAVAILABLE) from error
        except psycopg.Error as error:
            if (ours := _translated(error)) is None:
                raise
            raise ours from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose statements are committed together, or not at all."""
        with self.connection() as connection, connection.transaction():
            yield connection

    def all(self, query: LiteralString, params: Params | None = None) -> Sequence[Row]:
        """Return all rows of one query."""
        with self.connection() as connection:
            return connection.execute(query, params).fetchall()

    def one(self, query: LiteralString, params: Params | None = None) -> Row | None:
        """Return the first row of one query."""
        with self.connection() as connection:
            return connection.execute(query, params).fetchone()

    def heal(self) -> None:
        """Replace connections that broke while they were idle; call it after Postgres was away."""
        if self._pool is not None:
            self._pool.check()

    def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            self._pool.close(timeout=1)
            self._pool = None

    def _opened(self) -> ConnectionPool[BoundedConnection]:
        with self._opening:  # the first requests come together
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._conninfo,
                    connection_class=BoundedConnection,
                    kwargs={"autocommit": True, "row_factory": dict_row},
                    min_size=1,
                    max_size=POOL_SIZE_MAX,
                    timeout=POOL_WAIT_S,
                    reconnect_timeout=RECONNECT_S,
                    open=True,
                )
            return self._pool


def connect(database_url: str, **options: Any) -> Connection:
    """Open one connection of our own, outside the pool, with our bounds, in autocommit."""
    return BoundedConnection.connect(
        conninfo.make_conninfo(with_defaults(database_url), **options), autocommit=True, row_factory=dict_row
    )


def _count_wait(seconds: float) -> None:
    if seconds > _WAIT_S_MIN:
        meters.pool_waits.inc()
        meters.pool_wait_seconds.inc(seconds)


def one_line(error: psycopg.Error) -> str:
    """Return the driver's message for an operator, who gets one line."""
    return " ".join(str(error).split())


def _translated(error: psycopg.Error) -> Exception | None:
    message = error.diag.message_primary or ""
    match error.sqlstate:
        case "CSIFM":
            return RevisionMismatch(f"{message} since you read it: read it again, and send the new ETag in If-Match")
        case "CSIDM":
            return Conflict(OTHER_BODY)
        case "23514" if error.diag.table_name == "scope":
            return PayloadTooLarge(_TOO_LARGE[str(error.diag.constraint_name)])
        case "CSENV":
            return Conflict(f"{message}: look again, then repeat the request")
        case "CSREV":
            return ReviewRequired(str(error.diag.message_detail))
        case "CSREQ":
            return NotApproved(f"{message}: look at it again")
        case "CSSTL" | "CSKEY":
            return StalePlan(message)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError):
        meters.database_errors.inc()
        # Not the whole text: what Postgres adds to its message may quote a row.
        log.warning("database: %s", error.diag.message_primary or one_line(error))
        return Unavailable(_UNAVAILABLE)
    return None

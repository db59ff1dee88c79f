"""What an auditor reads: whole chains, streamed from one snapshot that writers never wait for."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import LiteralString, TypeVar

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import BaseRowFactory, args_row, dict_row, scalar_row

from configsvc.domain.chains import Change, Event, Release
from configsvc.errors import SetupError
from configsvc.store.database import Params, Row, one_line, with_defaults
from configsvc.store.migrate import check
from configsvc.store.queries import load

_SQL = load("verification")
_T = TypeVar("_T")

#: Rows fetched at a time. A value has 256 KiB at most, so this bounds the memory at some 50 MB.
_FETCHED_ROWS = 200
#: An auditor reads for as long as it takes, all of it, and in no schema but ours.
_SESSION = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "cursor_tuple_fraction": "1",
    "search_path": "pg_catalog,public,pg_temp",
}
#: 2000-01-01, where Postgres counts from, in microseconds since 1970.
_POSTGRES_EPOCH_US = 946_684_800_000_000


class _Microseconds(Loader):
    """A timestamptz as an integer, exactly: also one that no datetime can hold, because somebody forged it."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return int.from_bytes(bytes(data), "big", signed=True) + _POSTGRES_EPOCH_US


class Snapshot:
    """The database at one moment."""

    def __init__(self, connection: "Connection[Row]") -> None:
        """``connection``: in a transaction that sees one state of the database."""
        connection.adapters.register_loader("timestamptz", _Microseconds)
        self._connection = connection
        self._numbers = itertools.count()

    def environments(self) -> Sequence[Row]:
        """Every environment: ``id``, ``name``, ``revision``."""
        return self._all(_SQL["environments"])

    def strays(self) -> Sequence[Row]:
        """The environments that are not there, and rows of theirs are: ``env_id``, ``what``."""
        return self._all(_SQL["strays"])

    def releases(self, env_id: int) -> Iterator[Release]:
        """An environment's releases, oldest first."""
        return self._stream(_SQL["releases"], {"env_id": env_id}, args_row(Release))

    def changes(self, env_id: int) -> Iterator[Change]:
        """All versions of an environment, by release."""
        return self._stream(_SQL["changes"], {"env_id": env_id}, args_row(Change))

    def events(self, chain: int) -> Iterator[Event]:
        """A chain's audit events, oldest first."""
        return self._stream(_SQL["chain"], {"chain": chain}, args_row(Event))

    def wrong_key(self, env_id: int) -> Row | None:
        """The first key of which not exactly the newest version is active: ``name`` and how many are ``active``."""
        return next(iter(self._all(_SQL["wrong_key"], {"env_id": env_id})), None)

    def wrong_scope(self, env_id: int) -> Row | None:
        """The first scope that is not what its versions add up to: ``name``."""
        return next(iter(self._all(_SQL["wrong_scope"], {"env_id": env_id})), None)

    def moment(self) -> str:
        """When this was, as RFC 3339."""
        return str(self._all(_SQL["moment"])[0]["at"])

    def release_tails(self) -> Sequence[Row]:
        """The last release of each environment: its ``name``, ``number`` and ``hash`` in hex."""
        return self._all(_SQL["release_tails"])

    def event_tails(self) -> Sequence[Row]:
        """The last audit event of each chain: its ``name``, "" for that of all else, ``number`` and ``hash`` in hex."""
        return self._all(_SQL["event_tails"])

    def release_hash(self, env_id: int, number: int) -> str | None:
        """The hash of one release in hex, None if it is not there."""
        return self._hash(_SQL["release_hash"], env_id, number)

    def event_hash(self, chain: int, number: int) -> str | None:
        """The hash of one audit event in hex, None if it is not there."""
        return self._hash(_SQL["event_hash"], chain, number)

    def archive(self, envs: Sequence[str] | None, since: datetime | None, until: datetime | None) -> Iterator[str]:
        """Audit events as JSON texts, oldest first; None is no bound."""
        params = {"envs": None if envs is None else list(envs), "since": since, "until": until}
        return self._stream(_SQL["archive"], params, scalar_row)

    def _hash(self, query: LiteralString, chain: int, number: int) -> str | None:
        return next((row["hash"] for row in self._all(query, {"chain": chain, "number": number})), None)

    def _all(self, query: LiteralString, params: Params | None = None) -> Sequence[Row]:
        return self._connection.execute(query, params).fetchall()

    def _stream(self, query: LiteralString, params: Params, rows: BaseRowFactory[_T]) -> Iterator[_T]:
        with self._connection.cursor(f"stream_{next(self._numbers)}", row_factory=rows) as cursor:
            cursor.itersize = _FETCHED_ROWS
            cursor.execute(query, params, binary=True)
            yield from cursor


@contextmanager
def snapshot(database_url: str) -> Iterator[Snapshot]:
    """One REPEATABLE READ, read-only transaction on a connection of its own.

    Raises:
        SetupError: the database can't be reached, or has another schema than this code's.
    """
    check(database_url)
    try:
        with psycopg.connect(with_defaults(database_url, _SESSION), row_factory=dict_row) as connection:
            connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
            yield Snapshot(connection)
    except psycopg.Error as error:
        raise SetupError(f"CONFIGSVC_DATABASE_URL: {one_line(error)}") from error

"""The outbox relay: the only publisher (DESIGN.md §4, §6).

Reads the outbox, publishes each release to Redis (its parts, then its header), marks it. Any number of relays may run;
one leads, by a lease in the database. Every second the leader repeats the header of each environment's newest release.
When there is nothing to publish it sweeps a little now and then (`sweeper.py`).

States:

    disconnected   no Postgres connection: connects again every half second
    following      another relay holds the lease: asks for it every half second
    leading        holds the lease. A turn = renew and read (one statement) → publish → mark; then it waits for NOTIFY,
                   for the next heartbeat, or for stop. Every reason to wake leads to the same turn
    ceding         leads, but can't reach Redis: gives the lease back and pauses, so that another relay can try

Postgres alone decides who leads (by its clock) and what is to be published. NOTIFY is a hint, Redis holds nothing, and
nothing in this process outlives a turn but the time of the next heartbeat.

    what happens                  what follows
    relay dies before the mark    the next leader publishes the release again: at least once, in order
    leader frozen, then resumed   publishes only within 1 s of its last renewal; so it renews first, and learns that
                                  another one leads
    two leaders for a moment      the same releases in the same order; clients drop the lower beats
    NOTIFY lost                   the next turn is at most a second away
    Redis down or slow            fails within a second, marks nothing, cedes; publishes everything when Redis is back
    Redis restarted while idle    the connection is found closed and replaced before it is used
    Postgres connection lost      connects again; the lease is still its own if that takes less than 2.5 s
    Postgres crashed              synchronous_commit is off here: lost marks publish again, a lost renewal makes the
                                  lease end sooner, and the database's clock keeps beats growing
    Postgres hangs                statement_timeout and tcp_user_timeout end the wait
    asked to stop                 finishes the turn, gives the lease back
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from uuid import uuid4

import psycopg
import redis

from configsvc import meters
from configsvc.crypto.signing import Signer
from configsvc.delivery.accounts import PushAccounts
from configsvc.delivery.bell import Bell
from configsvc.delivery.faults import FaultLog
from configsvc.delivery.keeper import AccountKeeper
from configsvc.delivery.publisher import Message, Publisher
from configsvc.delivery.sweeper import Sweeper
from configsvc.domain import cursors, messages
from configsvc.settings import Settings
from configsvc.store import outbox
from configsvc.store.database import Connection, Row, connect

log = logging.getLogger(__name__)

#: Heartbeats; clients take 3.5 s of silence as "push is down".
_HEARTBEAT_S = 1.0
#: How long after it asked for the renewal a leader may publish. The rest of the lease is for what is on its way.
_PUBLISH_WITHIN_S = 1.0
#: Turns begin this far apart, so that many writers share one; whoever changes something now and then waits for none.
_TURN_S = 0.01
#: How often a follower asks for the lease: with the 2.5 s of the lease, clients don't notice that a leader died.
_FOLLOW_S = 0.5
_RECONNECT_S = 0.5
#: After Redis failed. Longer than a follower's pause, so that a relay with a better connection gets its chance.
_CEDE_S = 1.0
#: Sent in one round trip, unless one release alone is larger: far below what any network takes in Redis' timeout.
_PUBLISH_BYTES_MAX = 256 * 1024

#: A network that swallows packets for longer than this has cost the lease anyway.
_CONNECTION = {"application_name": "configsvc relay", "tcp_user_timeout": "2000"}


def run(settings: Settings, stop: threading.Event) -> None:
    """Relay until ``stop`` is set, whatever fails meanwhile.

    Raises:
        SetupError: the signing key can't be used.
    """
    _Relay(settings, stop).run()


class _LeaseTooOldError(Exception):
    """The lease was renewed too long ago to publish on it."""


class _Relay:
    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._database_url = settings.database_url
        self._signer = Signer.load(settings.signing_key_file)
        self._publisher = Publisher(settings.redis_url)
        self._keeper = _keeper(settings, self._signer)
        self._stop = stop
        self._bell = Bell()
        self._bell.ring_on(stop)
        self._holder = uuid4()
        self._sweeper = Sweeper()
        self._leads = False
        self._renewed_at = 0.0
        self._heartbeat_at = 0.0
        self._postgres_faults = FaultLog(log, "relay: Postgres")
        self._redis_faults = FaultLog(log, "relay: Redis")
        self._lease_faults = FaultLog(log, "relay: publishing in time")

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._database_url, **_CONNECTION) as connection:
                    outbox.set_up_session(connection)
                    self._bell.hear(connection)
                    outbox.listen(connection)
                    self._take_turns(connection)
                    outbox.give_back(connection, self._holder)
            except psycopg.Error as error:
                self._postgres_faults.failed(error)
                self._bell.pause(_RECONNECT_S)
        if self._keeper is not None:
            self._keeper.close()
        self._publisher.close()
        self._bell.close()

    def _take_turns(self, connection: Connection) -> None:
        while not self._stop.is_set():
            self._renewed_at = time.monotonic()
            rows = outbox.renew(connection, self._holder)
            self._postgres_faults.worked()
            self._note_leadership(bool(rows))
            if not rows:
                self._bell.pause(_FOLLOW_S)
                continue
            if self._keeper is not None:
                self._keeper.keep({row["env"] for row in rows})
            try:
                more = self._publish(connection, rows)
                self._redis_faults.worked()
                self._lease_faults.worked()
            except _LeaseTooOldError as error:
                self._lease_faults.failed(error)
                continue
            except redis.RedisError as error:
                self._redis_faults.failed(error)
                outbox.give_back(connection, self._holder)
                self._bell.pause(_CEDE_S)
                continue
            if not more:
                self._sweeper.sweep(connection)
                self._bell.pause(self._renewed_at + _TURN_S - time.monotonic())
                self._bell.wait_for_hints(connection, until=self._heartbeat_at)

    def _publish(self, connection: Connection, rows: Sequence[Row]) -> bool:
        """Publish what the turn has read; whether more is waiting."""
        by_env = [list(env_rows) for _, env_rows in groupby(rows, itemgetter("env_id"))]
        # An environment with releases to publish needs no heartbeat, and its newest release may not be among them.
        self._publish_heartbeats([env_rows[0] for env_rows in by_env if not env_rows[0]["unpublished"]])
        for *waiting, _newest in by_env:
            if waiting:
                self._publish_releases(connection, waiting)
        return any(waiting and waiting[-1]["revision"] < newest["revision"] for *waiting, newest in by_env)

    def _publish_heartbeats(self, newest: Sequence[Row]) -> None:
        now = time.monotonic()
        if now >= self._heartbeat_at:
            self._send([self._header(release) for release in newest])
            self._heartbeat_at = now + _HEARTBEAT_S

    def _publish_releases(self, connection: Connection, releases: Sequence[Row]) -> None:
        env_id = releases[0]["env_id"]
        revisions = [release["revision"] for release in releases]
        changes = outbox.changes(connection, env_id, revisions, messages.CHANGES_BYTES_MAX)
        by_revision = {revision: list(rows) for revision, rows in groupby(changes, itemgetter("revision"))}
        rendered = ((release, self._messages(release, by_revision[release["revision"]])) for release in releases)
        for batch in _batches(rendered):
            self._send([message for _, release_messages in batch for message in release_messages])
            outbox.mark(connection, env_id, [release["revision"] for release, _ in batch])
            meters.published.inc(len(batch))

    def _send(self, outgoing: Sequence[Message]) -> None:
        # The last look before the network: we may have been frozen at any point since the renewal.
        if time.monotonic() - self._renewed_at >= _PUBLISH_WITHIN_S:
            raise _LeaseTooOldError("a turn took more than a second; is Postgres or Redis slow?")
        self._publisher.publish(outgoing)

    def _messages(self, release: Row, changes: Iterable[Row]) -> list[Message]:
        """The parts of one release, then its header."""
        cursor = cursors.render(release["revision"], release["hash"])
        parts = []
        for namespace, rows in groupby(changes, itemgetter("namespace")):
            part = messages.part(release["env"], namespace, release["revision"], cursor, _entries(rows))
            parts.append((messages.part_channel(namespace, release["env"]), self._signer.sign_frame(part)))
        return [*parts, self._header(release)]

    def _header(self, release: Row) -> Message:
        env, revision, previous_hash = release["env"], release["revision"], release["previous_hash"]
        cursor = cursors.render(revision, release["hash"])
        previous = None if previous_hash is None else cursors.render(revision - 1, previous_hash)
        header = messages.header(env, revision, cursor, previous, release["namespaces"], release["beat"])
        return messages.header_channel(env), self._signer.sign_frame(header)

    def _note_leadership(self, leads: bool) -> None:
        # While Redis fails, relays pass the lease round and round.
        if leads != self._leads and not self._redis_faults.failing:
            log.info("relay: leads now" if leads else "relay: another relay leads")
            self._leads = leads


def _keeper(settings: Settings, signer: Signer) -> AccountKeeper | None:
    if settings.redis_admin_url is None or settings.push_redis_url is None:
        return None
    return AccountKeeper(settings.redis_admin_url, PushAccounts(settings.push_redis_url, signer))


def _entries(changes: Iterable[Row]) -> list[str] | None:
    entries = []
    for change in changes:
        if not change["fits"]:
            return None
        named = change["key"], change["type"], change["version"]
        if change["secret"]:
            entries.append(messages.secret_change_entry(*named))
        else:
            entries.append(messages.change_entry(*named, change["value"]))
    return entries


def _batches(releases: Iterable[tuple[Row, list[Message]]]) -> Iterator[list[tuple[Row, list[Message]]]]:
    """Whole releases, in order, together up to the limit of one round trip."""
    batch: list[tuple[Row, list[Message]]] = []
    size = 0
    for release, release_messages in releases:
        release_size = sum(len(frame) for _, frame in release_messages)
        if batch and size + release_size > _PUBLISH_BYTES_MAX:
            yield batch
            batch, size = [], 0
        batch.append((release, release_messages))
        size += release_size
    yield batch

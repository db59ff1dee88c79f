"""Sets up the clients' accounts in Redis, for the relay that leads, and beside it: publishing never waits for this.

Nothing is remembered of what Redis has: every account is set anew with each second's turn of the leader. So an account
is there a second after its environment, or after the restart of a Redis that keeps nothing; and what somebody else has
changed about it is put right. It costs Redis less than 0.1 ms per account, and subscribers notice nothing.

    what happens                     what follows
    an environment appears           its account is set with the next turn, without waiting for the second
    Redis restarted, or lost them    all are set within a second of the leader reaching it
    the admin account is refused     a warning now and every 10 s; who has an account listens, the others poll
    Redis slow or unreachable        this thread waits, the relay does not; the next turn's word is the one that counts
    another relay leads              this one is told of no environments, and rests
"""

import logging
import threading
import time
from collections.abc import Set

import redis

from configsvc.delivery.accounts import PushAccounts
from configsvc.delivery.connection import TIMEOUT_S, connect
from configsvc.delivery.faults import FaultLog
from configsvc.domain import redis_addresses

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_HINT = "CONFIGSVC_REDIS_ADMIN_URL has to name an account that may ACL SETUSER; clients without their account poll"


class AccountKeeper:
    """Its thread starts with the first environments, and ends with ``close``."""

    def __init__(self, admin_url: str, accounts: PushAccounts) -> None:
        # Accounts are each server's own: no cluster shares them.
        self._servers = [connect(url) for url in redis_addresses.nodes(admin_url)]
        self._accounts = accounts
        self._envs: Set[str] = frozenset()
        self._due_at = 0.0
        self._closed = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._faults = FaultLog(log, "relay: accounts in Redis")

    def keep(self, envs: Set[str]) -> None:
        """Have an account for each of these environments now. For every turn of a leader: it does not wait."""
        now = time.monotonic()
        if envs == self._envs and now < self._due_at:
            return
        self._envs, self._due_at = envs, now + _EVERY_S
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="configsvc-accounts", daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """End the thread; waits for what it has begun, as long as its timeouts allow."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2 * TIMEOUT_S)
        for server in self._servers:
            server.close()

    def _run(self) -> None:
        while self._wake.wait() and not self._closed:
            self._wake.clear()
            faults = [fault for server in self._servers if (fault := self._set_up(server, self._envs)) is not None]
            if faults:
                self._faults.failed(redis.RedisError(f"{faults[0]} ({_HINT})"))
            else:
                self._faults.worked()

    def _set_up(self, server: redis.Redis, envs: Set[str]) -> redis.RedisError | None:
        """Set the accounts on one server; returns what went wrong there, which must not stop the other ones."""
        pipeline = server.pipeline(transaction=False)
        for env in sorted(envs):
            pipeline.execute_command("ACL SETUSER", *self._accounts.acl(env))  # type: ignore[no-untyped-call]
        try:
            # What pipelines raise repeats the command.
            answers = pipeline.execute(raise_on_error=False)
        except redis.RedisError as error:
            return error
        return next((answer for answer in answers if isinstance(answer, redis.RedisError)), None)

"""Clients' accounts in Redis. Their passwords derive from the signing key, so that nothing more has to be kept."""

import hashlib

from configsvc.crypto.signing import Signer
from configsvc.domain import push_accounts
from configsvc.errors import RequestError, SetupError
from configsvc.settings import Settings
from configsvc.store import catalog
from configsvc.store.database import Database


class PushAccounts:
    """One account per environment, at the addresses of a template (``domain/push_accounts.py``).

    Clients get the password that comes from the first key of the key file. The account takes those of all keys, so the
    key is replaced without cutting anybody off.
    """

    def __init__(self, template: str, signer: Signer) -> None:
        self._template = template
        self._signer = signer

    def url(self, env: str) -> str:
        """Return the address for clients of this environment."""
        return push_accounts.url(self._template, env, self._passwords(env)[0])

    def acl(self, env: str) -> list[str]:
        """Return the account's name and rules: the words after ACL SETUSER, or after ``user`` in a file."""
        hashes = [hashlib.sha256(password.encode()).hexdigest() for password in self._passwords(env)]
        return [push_accounts.account(self._template, env), *push_accounts.rules(env, hashes)]

    def _passwords(self, env: str) -> list[str]:
        return [derived.hex() for derived in self._signer.derive_from_each(f"redis account {env}")]


def acl_file(settings: Settings) -> list[str]:
    """Return the accounts of today's environments as lines of Redis' file of accounts; they hold no password.

    Raises:
        SetupError: there is no account per environment, or the key file or the database can't be used.
    """
    template = settings.push_redis_url
    if template is None or not push_accounts.is_template(template):
        raise SetupError(
            "CONFIGSVC_PUSH_REDIS_URL names no account per environment: "
            "set it to an address such as redis://client-{env}:{password}@host:6379/0"
        )
    accounts = PushAccounts(template, Signer.load(settings.signing_key_file))
    database = Database(settings.database_url)
    try:
        envs = [row["name"] for row in catalog.environments(database)]
    except RequestError as error:
        raise SetupError(error.detail) from error
    finally:
        database.close()
    return [" ".join(["user", *accounts.acl(env)]) for env in envs]

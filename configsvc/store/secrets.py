"""Secrets as they are stored: ciphertexts by value id, and the wrapped data keys that they are under."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from configsvc.crypto.datakeys import DataKey
from configsvc.crypto.envelope import Sealed
from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("secrets")


@dataclass(frozen=True)
class Kept:
    """What a change says of a secret. ``sealed``: its ciphertext; None points to a value that is there already."""

    value_id: UUID
    fingerprint: str
    sealed: Sealed | None = None


def columns(secrets: Sequence[Kept | None]) -> dict[str, object]:
    """Return the arrays that functions of the database take, each element beside its change."""
    sealed = [secret.sealed if secret else None for secret in secrets]
    return {
        "value_ids": [secret.value_id if secret else None for secret in secrets],
        "fingerprints": [secret.fingerprint if secret else None for secret in secrets],
        "data_key_ids": [each.data_key_id if each else None for each in sealed],
        "nonces": [each.nonce if each else None for each in sealed],
        "ciphertexts": [each.ciphertext if each else None for each in sealed],
    }


def present_keys(connection: Connection, env_id: int, namespace_ids: Sequence[int]) -> dict[tuple[int, str], DataKey]:
    """Return the data keys that encrypt now, by namespace id and purpose."""
    params = {"env_id": env_id, "namespace_ids": list(namespace_ids)}
    rows = connection.execute(_SQL["present_keys"], params).fetchall()
    return {(row["namespace_id"], row["purpose"]): data_key(row) for row in rows}


def add_key(connection: Connection, env_id: int, namespace_id: int, key: DataKey) -> None:
    """Store a scope's first data key; where there is one by now, that one stays."""
    connection.execute(_SQL["add_key"], vars(key) | {"env_id": env_id, "namespace_id": namespace_id})


def keep(connection: Connection, key_ids: Sequence[int], secrets: Sequence[Kept]) -> None:
    """Store sealed values that no version points to yet."""
    connection.execute(_SQL["keep"], columns(secrets) | {"key_ids": list(key_ids)})


def sealed(database: Database, value_ids: Sequence[UUID]) -> dict[UUID, tuple[DataKey, Sealed]]:
    """Return ciphertexts with their data keys, of one moment; what is not there is left out."""
    rows = database.all(_SQL["sealed"], {"value_ids": list(value_ids)})
    keys = {row["id"]: data_key(row) for row in rows}
    return {row["value_id"]: (keys[row["id"]], Sealed(row["id"], row["nonce"], row["ciphertext"])) for row in rows}


def keys_in_use(database: Database, namespace: str | None, env: str | None) -> Sequence[Row]:
    """Return the data keys that encrypt now or have something under them, with how much; ``retired`` ones too."""
    return database.all(_SQL["all_keys"], {"namespace": namespace, "env": env})


def keys_not_under(database: Database, kek_id: str) -> Sequence[DataKey]:
    """Return every data key that another KEK wraps."""
    return [data_key(row) for row in database.all(_SQL["every_key"], {"kek_id": kek_id})]


def replace_key(connection: Connection, old: UUID, new: DataKey) -> bool:
    """Let another data key encrypt from now on; False where somebody else has replaced this one."""
    return _done(connection, "replace_key", vars(new) | {"old": old})


def rewrap_key(connection: Connection, old_kek_id: str, key: DataKey) -> bool:
    """Store a data key as it is wrapped now; False where somebody else has rewrapped it."""
    return _done(connection, "rewrap_key", vars(key) | {"old_kek_id": old_kek_id})


def under_key(database: Database, data_key_id: UUID, after: UUID, limit: int) -> Sequence[Row]:
    """Return the next values under a data key, in order: value_id, key, nonce, ciphertext."""
    return database.all(_SQL["under_key"], {"data_key_id": data_key_id, "after": after, "limit": limit})


def rewrite(database: Database, old: UUID, new: UUID, values: Sequence[tuple[UUID, Sealed]]) -> int:
    """Store values under another data key, as far as they are still under the old one; return how many were."""
    params = {
        "old": old,
        "new": new,
        "value_ids": [value_id for value_id, _ in values],
        "nonces": [each.nonce for _, each in values],
        "ciphertexts": [each.ciphertext for _, each in values],
    }
    row = database.one(_SQL["rewrite"], params)
    assert row is not None
    return int(row["rewritten"])


def data_key(row: Row) -> DataKey:
    """Return the data key of a row that has one."""
    return DataKey(row["id"], row["namespace"], row["env"], row["purpose"], row["kek_id"], row["wrapped"])


def _done(connection: Connection, query: str, params: dict[str, object]) -> bool:
    row = connection.execute(_SQL[query], params).fetchone()
    assert row is not None
    return bool(row["done"])

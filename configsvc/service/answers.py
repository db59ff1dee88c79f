"""What writes answer, as plain data."""

import json
from collections.abc import Mapping

from configsvc.domain import cursors
from configsvc.store.database import Row


def written(env: str, revision: int, chain_hash: bytes, changes: list[dict[str, object]]) -> dict[str, object]:
    """Return the answer of a write: where the environment stands, and what changed, by namespace and key."""
    changes.sort(key=lambda change: (str(change["namespace"]), str(change["key"])))
    return {
        "env": env,
        "revision": revision,
        "cursor": cursors.render(revision, chain_hash),
        "changed": bool(changes),
        "changes": changes,
    }


def change(
    namespace: str, key: str, type_: str, version: int, text: str | None, shown: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return one change; a text of None is a delete, unless it is a secret: ``shown`` is what shows of that."""
    named: dict[str, object] = {"namespace": namespace, "key": key, "version": version, "type": type_}
    if shown is not None:
        return {**named, **shown}
    return named | ({"deleted": True} if text is None else {"value": value(text)})


def stored_change(row: Row) -> dict[str, object]:
    """Return one change as history has it: namespace, name, type, version, value text, fingerprint."""
    shown = None if row["fingerprint"] is None else secret(row["fingerprint"])
    return change(row["namespace"], row["name"], row["type"], row["version"], row["value"], shown)


def secret(fingerprint: str | None) -> dict[str, object]:
    """Return what shows of a secret. None: not even a fingerprint, where it would tell whether a guess is right."""
    return {"secret": True} | ({} if fingerprint is None else {"fingerprint": fingerprint})


def state(version: int | None, text: str | None, fingerprint: str | None = None) -> dict[str, object] | None:
    """Return one side of a difference; None where the key had no value."""
    if fingerprint is not None:
        return {"version": version, **secret(fingerprint)}
    return None if text is None else {"version": version, "value": value(text)}


def value(text: str) -> object:
    """Return a stored value. A canonical text reads and writes back as the same text, so this loses nothing."""
    return json.loads(text)

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


def proposed_value(row: Row) -> dict[str, object]:
    """Return what a row of a request proposes."""
    # No fingerprint: proposing would be a cheap way to try guesses. What was proposed before its key was a secret is
    # one now.
    if row["value_id"] is not None or (row["value"] is not None and row["secret"]):
        return secret(None)
    return {"delete": True} if row["value"] is None else {"value": value(row["value"])}


def against_live(row: Row) -> dict[str, object] | None:
    """Return what would change of what is live now, None if nothing would."""
    named: dict[str, object] = {"namespace": row["namespace"], "key": row["name"], "type": row["type"]}
    if row["new_schema"] is not None:
        live = row["live_schema"] or "null"
        return None if live == row["new_schema"] else named | {"from": _schema(live), "to": _schema(row["new_schema"])}
    secret = row["value_id"] is not None or row["live_fingerprint"] is not None
    if not secret and row["live_value"] == row["value"]:
        return None
    to = proposed_value(row)
    return named | {
        "from": state(row["live_version"], row["live_value"], row["live_fingerprint"]),
        "to": None if "delete" in to else {"version": row["live_version"] + 1, **to},
    }


def _schema(text: str) -> dict[str, object]:
    return {"schema": json.loads(text)}

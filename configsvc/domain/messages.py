"""The JSON of what clients get: entries of answers, parts and headers of push (docs/protocol.md).

Pure text building. A value's canonical text comes from the database and is spliced in as it is: reading and writing it
again costs time and can change numbers. Names and types need no escaping: their rules (names.py) allow no character
that JSON escapes.
"""

from collections.abc import Sequence

#: A larger list is sent as null, and whoever follows the namespace syncs: Redis copies a message for every subscriber.
CHANGES_BYTES_MAX = 64 * 1024


def header_channel(env: str) -> str:
    """Return the Redis channel of an environment's headers."""
    return f"config:releases:{env}"


def part_channel(namespace: str, env: str) -> str:
    """Return the Redis channel of a scope's parts."""
    return f"config:changes:{namespace}:{env}"


def config_entry(type_: str, version: int, value_text: str) -> str:
    """Return what a key shows in ``S/config`` and in a full sync answer, as JSON text."""
    return f'{{"value":{value_text},"type":"{type_}","version":{version},"secret":false}}'


def secret_entry(type_: str, version: int) -> tuple[str, str]:
    """Return the same of a secret, before and after its value."""
    return '{"value":', f',"type":"{type_}","version":{version},"secret":true}}'


def masked_entry(type_: str, version: int, fingerprint: str) -> str:
    """Return the same of a secret, for those who may not read it."""
    return f'{{"type":"{type_}","version":{version},"secret":true,"fingerprint":"{fingerprint}"}}'


def change_entry(name: str, type_: str, version: int, value_text: str | None) -> str:
    """Return one change as JSON text; a ``value_text`` of None is a delete."""
    if value_text is None:
        return f'{{"key":"{name}","deleted":true,"version":{version}}}'
    return f'{{"key":"{name}","type":"{type_}","value":{value_text},"version":{version}}}'


def secret_change_entry(name: str, type_: str, version: int) -> str:
    """Return one change of a secret for push, where it never carries its value."""
    return f'{{"key":"{name}","type":"{type_}","secret":true,"version":{version}}}'


def secret_change(name: str, type_: str, version: int) -> tuple[str, str]:
    """Return one change of a secret, before and after its value."""
    return f'{{"key":"{name}","type":"{type_}","secret":true,"value":', f',"version":{version}}}'


def masked_change(name: str, type_: str, version: int, fingerprint: str) -> str:
    """Return the same for those who may not read it."""
    return f'{{"key":"{name}","type":"{type_}","secret":true,"version":{version},"fingerprint":"{fingerprint}"}}'


def part(env: str, namespace: str, revision: int, cursor: str, entries: Sequence[str] | None) -> bytes:
    """Return the part of one release for one namespace.

    ``entries`` are its changes as JSON texts; None where they are known to be over ``CHANGES_BYTES_MAX``.
    """
    changes = "null" if entries is None else f"[{','.join(entries)}]"
    if len(changes.encode()) > CHANGES_BYTES_MAX:
        changes = "null"
    return (
        f'{{"env":"{env}","namespace":"{namespace}","revision":{revision},"cursor":"{cursor}","changes":{changes}}}'
    ).encode()


def header(env: str, revision: int, cursor: str, previous: str | None, namespaces: Sequence[str], beat: int) -> bytes:
    """Return the header of one release; ``previous`` is None at revision 0, ``beat`` greater than in all before."""
    before = "null" if previous is None else f'"{previous}"'
    names = ",".join(f'"{namespace}"' for namespace in namespaces)
    return (
        f'{{"env":"{env}","revision":{revision},"cursor":"{cursor}","previous":{before},"namespaces":[{names}],"beat":{beat}}}'
    ).encode()

"""A history with everything that a chain can hold, for the tests of verification."""

import json
from collections.abc import Mapping, Sequence

from configsvc.service.verification import Head, examine
from configsvc.store import audit
from configsvc.store.audit import Origin
from configsvc.store.database import Connection
from configsvc.store.releases import Leave
from configsvc.store.verification import Snapshot
from tests.integration.store.world import World

#: Every character that a JSON writer treats in a way of its own, and some that it might.
ODD = "".join(map(chr, range(1, 0x300))) + '\u2028\u2029\ufeff\ufffd\uffff"\\/</script>日本🦊\U0010ffff'
ODD_ORIGIN = Origin(ODD, ODD, ODD)


def record(world: World, action: str, details: Mapping[str, object], env: str | None = None, **more: bool) -> None:
    """Record an event about nothing in particular."""
    with world.store.connection() as connection:
        audit.record(connection, ODD_ORIGIN, action, details, env=env, namespaces=["payments", "search"], **more)


def approved_request(world: World, key: int, value: str, approvers: Sequence[str] = ("bob",)) -> int:
    """Propose one value in production, and let others approve it."""
    (row,) = world.query(
        "INSERT INTO change_request (env_id, status, note, namespaces, base, digest, author, principal) VALUES"
        " (%s, 'approved', '', '{payments}', 0, sha256(''), 'alice', 'alice') RETURNING id",
        world.env_id("production"),
    )
    world.execute("INSERT INTO request_change VALUES (%s, 1, %s, %s, NULL, 0, 1)", row["id"], key, value)
    for name in approvers:
        world.execute(
            "INSERT INTO request_review (request_id, edition, decision, comment, reviewer, principal)"
            " VALUES (%s, 1, 'approve', '', %s, %s)",
            *(row["id"], name, name),
        )
    return int(row["id"])


def write(world: World) -> None:
    """Edits, deletes, a key declared again, a rollback, review and broken glass; in two environments and none."""
    world.namespace("payments")
    world.namespace("search")
    limit, text = world.key("payments", "rate_limit"), world.key("payments", "text", "json")
    size = world.key("search", "page_size")
    record(world, "token.create", {"token": "abc", "name": ODD, "times": 1, "nothing": None, "share": 0.25})
    world.commit({limit: "1"}, note=ODD)
    world.commit({size: "20", limit: "2"}, origin=ODD_ORIGIN)
    world.commit({limit: None, text: json.dumps(ODD, ensure_ascii=False)})
    assert world.delete_key("payments", "rate_limit")
    limit = world.key("payments", "rate_limit")
    record(world, "environment.update", {"description": ODD}, "development", in_order=True)
    world.commit({limit: "3"})
    world.commit({size: "200", text: "null"})
    world.commit({text: '"null"'}, kind="rollback", note="back")
    record(world, "write.refused", {"what": "PUT /", "times": 3}, "production")
    record(world, "write.refused", {"what": "PUT /", "times": 3}, "nowhere")
    world.commit({limit: "10"}, env="production", leave=Leave(break_glass=ODD))
    request = approved_request(world, limit, "11", ("bob", "çelik"))
    approved_request(world, limit, "12")  # is made void by the first
    world.commit({limit: "11"}, env="production", leave=Leave(change_request=request, edition=1))


def broken(connection: Connection, kept: Head | None = None) -> list[str]:
    """What verification finds in the state that a connection sees."""
    with connection.transaction():
        found = list(examine(Snapshot(connection), kept))
    return [line for findings in found if not findings.intact for line in findings.lines]

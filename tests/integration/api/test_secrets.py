"""Secrets over HTTP: written by people who may not read them, read by those who may, shown to nobody else."""

import gc
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from configsvc.app import close, create_app
from configsvc.crypto.datakeys import DataKeys
from configsvc.settings import Settings
from tests.fix_database import Database
from tests.integration.api.conftest import Caller

SCOPE = "/v1/namespaces/payments/envs/staging"
CONFIG = f"{SCOPE}/config"
KEYS = "/v1/namespaces/payments/keys"
RELEASES = "/v1/envs/staging/releases"
PASSWORD = "correct horse battery staple"
SYNC = {"client": {"id": "1", "service": "test"}, "env": "staging", "namespaces": ["payments"]}

Roles = Callable[[str | None], Caller]


@pytest.fixture
def service(caller: Roles) -> Caller:
    """A caller who reads secrets in bulk."""
    return caller("service")


def declare(ops: Caller, key: str = "db.password", type_: str = "string", schema: object = None) -> None:
    """Declare a secret."""
    answer = ops.post(KEYS, {"key": key, "type": type_, "secret": True, "schema": schema})
    assert (answer.status_code, answer.json["secret"]) == (201, True)


def put(ops: Caller, value: object = PASSWORD, key: str = "db.password", **options: Any) -> Any:
    """Give a secret a value, and return the one change."""
    answer = ops.put(f"{CONFIG}/{key}", {"value": value}, **options)
    assert answer.status_code == 200, answer.text
    (change,) = answer.json["changes"]
    return change


def clear(service: Caller, key: str = "db.password") -> object:
    """What the application reads."""
    return service.get(f"{CONFIG}/{key}").json["value"]


@pytest.mark.parametrize(
    ("type_", "value"),
    [("string", PASSWORD), ("int", 4711), ("float", 0.25), ("bool", True), ("json", {"user": "x", "parts": [1, None]})],
)
def test_a_secret_of_any_type_is_read_by_the_service_role_alone(
    caller: Roles, ops: Caller, service: Caller, type_: str, value: object
) -> None:
    """In a scope, by its key, in a past revision, in sync and watch; everybody else sees version and fingerprint."""
    declare(ops, "k", type_)
    put(ops, value, "k")
    cursor = ops.get(CONFIG).json["cursor"]
    shown = {"value": value, "type": type_, "version": 1, "secret": True}
    assert service.get(CONFIG).json["values"] == {"k": shown}
    assert service.get(f"{CONFIG}?revision=1").json["values"] == {"k": shown}
    assert shown.items() <= service.get(f"{CONFIG}/k").json.items()
    assert service.post("/v1/sync", SYNC).json["values"] == {"payments": {"k": shown}}
    assert service.get(f"{SCOPE}/watch?timeout=0").json["changes"] == [{"key": "k", **shown}]
    for role in ("viewer", "developer", "ops", "admin"):
        reader = caller(role)
        (masked,) = reader.get(CONFIG).json["values"].values()
        assert masked == {"type": type_, "version": 1, "secret": True, "fingerprint": masked["fingerprint"]}
        assert masked.items() <= reader.get(f"{CONFIG}/k").json.items()
        assert reader.get(f"{CONFIG}?revision=1").json["values"] == {"k": masked}
        assert reader.post("/v1/sync", SYNC).json["values"] == {"payments": {"k": masked}}
        assert reader.get(f"{SCOPE}/watch?timeout=0").json["changes"] == [{"key": "k", **masked}]
        assert reader.get(CONFIG).json["cursor"] == cursor


def test_a_masked_and_a_clear_reader_never_get_each_others_answer(ops: Caller, service: Caller) -> None:
    """Whoever asks first; and no ETag of the one is good for the other."""
    declare(ops)
    for turn in range(1, 5):
        put(ops, f"{PASSWORD} {turn}")
        for reader in (ops, service, ops, service) if turn % 2 else (service, ops, service, ops):
            for path in (CONFIG, f"{CONFIG}/db.password"):
                answer = reader.get(path)
                assert (f"{PASSWORD} {turn}" in answer.text) == (reader is service)
                assert answer.headers["ETag"].endswith('.m"') == (reader is ops)
                other = service if reader is ops else ops
                assert other.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200
                assert reader.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_sync_that_follows_gets_the_new_value(ops: Caller, service: Caller) -> None:
    """Changes carry it to those who may read it."""
    declare(ops)
    put(ops)
    first = service.post("/v1/sync", SYNC).json
    put(ops, "new")
    have = {"have": first["cursor"], "view": first["view"]}
    entry = {"key": "db.password", "type": "string", "secret": True, "value": "new", "version": 2}
    assert service.post("/v1/sync", SYNC | have).json["changes"] == {"payments": [entry]}
    masked = ops.post("/v1/sync", SYNC).json
    put(ops, "newer")
    have = {"have": masked["cursor"], "view": masked["view"]}
    (change,) = ops.post("/v1/sync", SYNC | have).json["changes"]["payments"]
    assert "value" not in change
    assert service.post("/v1/sync", SYNC | have).json["kind"] == "full", "another view"


def test_no_answer_to_a_writer_shows_a_value(ops: Caller, admin: Caller) -> None:
    """Not of a write, its repeat or its trial, of history, differences, releases, refusals, or the audit trail."""
    declare(ops, schema={"minLength": 4, "pattern": "^[a-z0-9 ]+$"})
    declare(ops, "json", "json", schema={"additionalProperties": False})
    once = {"headers": {"Idempotency-Key": "1"}}
    texts = []
    for path, body in (
        (f"{CONFIG}/db.password", {"value": PASSWORD}),
        (f"{CONFIG}/db.password?dry_run=true", {"value": PASSWORD}),
        (f"{CONFIG}/db.password", {"value": PASSWORD.upper()}),
        (f"{CONFIG}/db.password", {"value": [PASSWORD]}),
        (f"{CONFIG}/json", {"value": {PASSWORD: PASSWORD}}),
        (f"{CONFIG}/db.password", {"value": PASSWORD, "type": "int"}),
        (f"{CONFIG}/db.password", {"value": PASSWORD, "typo": PASSWORD}),
    ):
        texts += [ops.put(path, body, **once).text, ops.put(path, body, **once).text, ops.put(path, body).text]
    for path in (
        f"{CONFIG}/db.password/versions", f"{SCOPE}/diff?from=0", RELEASES, f"{RELEASES}/1", CONFIG, KEYS,
    ):  # fmt: skip
        texts.append(ops.get(path).text)
    texts.append(ops.post(f"{CONFIG}/db.password/rollback", {"version": 1}).text)
    texts.append(ops.post(f"{SCOPE}/restore?dry_run=true", {"revision": 1}).text)
    texts.append(ops.post(f"{RELEASES}/1/undo", {}).text)
    assert [text for text in texts if PASSWORD.lower() in text.lower()] == []
    assert admin.get(f"{CONFIG}/db.password").json["version"] == 3


def test_a_fingerprint_tells_same_from_different_and_a_trial_tells_nothing(ops: Caller) -> None:
    """The same value has the same one, in this scope and for this key; a dry run has none, so guessing is not free."""
    declare(ops)
    declare(ops, "other")
    first, second, third = put(ops), put(ops), put(ops, "else")
    assert first["fingerprint"] == second["fingerprint"] != third["fingerprint"]
    assert put(ops, key="other")["fingerprint"] != first["fingerprint"]
    staging = put(ops)["fingerprint"]
    development = ops.put(CONFIG.replace("staging", "development") + "/db.password", {"value": PASSWORD}).json
    assert development["changes"][0]["fingerprint"] != staging
    trial = ops.put(f"{CONFIG}/db.password?dry_run=true", {"value": PASSWORD}).json
    assert trial["changed"]
    assert "fingerprint" not in trial["changes"][0] | trial["diff"][0]["to"]


def test_setting_a_secret_to_what_it_is_makes_a_version(ops: Caller) -> None:
    """A "nothing changed" would tell a guesser that the guess was right."""
    declare(ops)
    assert [put(ops)["version"] for _ in range(3)] == [1, 2, 3]


def test_going_back_opens_nothing(
    ops: Caller, service: Caller, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    """Rollback, restore and undo point to the ciphertext that is there: no value is opened, and none is sealed."""
    declare(ops)
    put(ops, "one")
    put(ops, "two")
    ops.delete(f"{CONFIG}/db.password")
    opened: list[object] = []
    with monkeypatch.context() as patched:
        for name in ("open_all", "seal"):
            patched.setattr(DataKeys, name, lambda *_: opened.append("opened"))
        assert ops.post(f"{RELEASES}/3/undo", {}).status_code == 200
        assert ops.post(f"{CONFIG}/db.password/rollback", {"version": 1}).status_code == 200
        assert ops.post(f"{SCOPE}/restore", {"revision": 2}).status_code == 200
        assert ops.get(f"{SCOPE}/diff?from=0").status_code == 200
        assert opened == []
    assert clear(service) == "two"
    assert service.get(f"{CONFIG}?revision=5").json["values"]["db.password"]["value"] == "one"
    with psycopg.connect(database.superuser_url) as connection:
        assert connection.execute("SELECT count(*) FROM secret_value").fetchone() == (2,)


def test_a_secret_breaks_no_schema(ops: Caller, service: Caller) -> None:
    """It is checked before it is sealed; a change of the schema tells nothing of the secret that is there."""
    declare(ops, schema={"minLength": 4})
    assert ops.put(f"{CONFIG}/db.password", {"value": "abc"}).status_code == 422
    put(ops, "abcd")
    assert ops.patch(f"{KEYS}/db.password", {"schema": {"minLength": 5}}).status_code == 200
    assert clear(service) == "abcd"
    assert ops.put(f"{CONFIG}/db.password", {"value": "abcd"}).status_code == 422
    put(ops, "abcde")
    assert clear(service) == "abcde"


def test_plain_and_secret_changes_are_one_release(ops: Caller, service: Caller) -> None:
    """With If-Match and all."""
    declare(ops)
    ops.post(KEYS, {"key": "host", "type": "string"})
    changes = [{"key": "host", "value": "db"}, {"key": "db.password", "value": PASSWORD}]
    assert ops.patch(CONFIG, {"changes": changes}).json["revision"] == 1
    etag = ops.get(CONFIG).headers["ETag"]
    assert {key: entry["value"] for key, entry in service.get(CONFIG).json["values"].items()} == {
        "host": "db", "db.password": PASSWORD,
    }  # fmt: skip
    assert ops.patch(CONFIG, {"changes": changes}, headers={"If-Match": etag}).status_code == 200
    assert ops.patch(CONFIG, {"changes": changes}, headers={"If-Match": etag}).status_code == 412


def test_people_reveal_one_by_one_and_it_is_recorded_before(ops: Caller, admin: Caller, caller: Roles) -> None:
    """With a reason, in the environment's own chain; nothing keeps the answer; others may not."""
    declare(ops)
    put(ops)
    answer = ops.post(f"{CONFIG}/db.password/reveal", {"reason": "does it fit?"})
    assert (answer.json["value"], answer.headers["Cache-Control"]) == (PASSWORD, "no-store")
    event = admin.get("/v1/audit?action=secret.reveal").json["items"][0]
    assert (event["env"], event["actor"], event["namespaces"]) == ("staging", "ops", ["payments"])
    assert event["details"] == {"key": "db.password", "version": 1, "reason": "does it fit?"}
    for role in ("viewer", "developer", "service"):
        assert caller(role).post(f"{CONFIG}/db.password/reveal", {"reason": "x"}).status_code == 403
    assert ops.post(f"{CONFIG}/db.password/reveal", {}).status_code == 422
    ops.put(f"{CONFIG}/plain", {"value": 1, "type": "int"})
    assert ops.post(f"{CONFIG}/plain/reveal", {"reason": "x"}).status_code == 409


def test_what_was_moved_or_damaged_does_not_open(ops: Caller, service: Caller, database: Database) -> None:
    """A version that points to another key's secret, or to a ciphertext with a flipped bit, is 503."""
    declare(ops)
    declare(ops, "other")
    put(ops, "mine")
    put(ops, "theirs", "other")
    assert service.get(CONFIG).status_code == 200
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        swap = (
            "UPDATE config_version v SET value_id = o.value_id FROM config_version o"
            " WHERE o.env_id = v.env_id AND o.key_id <> v.key_id"
        )
        connection.execute(swap)
        answer = service.get(f"{CONFIG}/db.password")
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert "data key" in answer.json["detail"]
        assert ops.get(f"{CONFIG}/db.password").status_code == 200, "the masked reader opens nothing"
        connection.execute(swap)
        assert clear(service) == "mine"


@pytest.fixture
def without_keys(settings: Settings) -> Iterator[Flask]:
    """The same service, without a place for keys."""
    app = create_app(settings.model_copy(update={"keys": None}))
    yield app
    close(app)


def test_without_keys_nothing_secret_is_written_or_read(ops: Caller, service: Caller, without_keys: Flask) -> None:
    """The answer says what to set; masked readers and everything plain go on."""
    declare(ops)
    put(ops)
    writer, reader = Caller(without_keys, ops.token), Caller(without_keys, service.token)
    for answer in (
        writer.post(KEYS, {"key": "more", "type": "string", "secret": True}),
        writer.put(f"{CONFIG}/db.password", {"value": "x"}),
    ):
        assert answer.status_code == 422
        assert "CONFIGSVC_KEYS" in answer.json["detail"]
    assert reader.get(CONFIG).status_code == 503
    assert writer.get(CONFIG).status_code == 200
    assert writer.post(f"{CONFIG}/db.password/rollback", {"version": 1}).status_code == 200, "it opens nothing"


def test_a_lost_key_file_is_named(
    ops: Caller, service: Caller, settings: Settings, tmp_path: Path, role_tokens: Any
) -> None:
    """Another file with other keys: 503, and the id of the key that is missing."""
    from configsvc.crypto.providers import local

    declare(ops)
    put(ops)
    local.create(tmp_path / "other.json")
    app = create_app(settings.model_copy(update={"keys": f"file:{tmp_path / 'other.json'}"}))
    try:
        answer = Caller(app, service.token).get(CONFIG)
        assert answer.status_code == 503
        kek = json.loads(Path(str(settings.keys).removeprefix("file:")).read_text())["keys"][0]["id"]
        assert kek in answer.json["detail"]
    finally:
        close(app)


# Turning.


def turn(caller: Caller, secret: bool, key: str = "limit", **more: object) -> Any:
    """Make a key secret, or plain."""
    return caller.patch(f"{KEYS}/{key}", {"secret": secret, **more})


def test_a_plain_key_becomes_secret_everywhere_in_one_step(ops: Caller, service: Caller) -> None:
    """A release in every environment where it has a value; the old versions stay readable, and the answer says so."""
    for env, value in (("staging", 1), ("development", 2)):
        ops.put(f"/v1/namespaces/payments/envs/{env}/config/limit", {"value": value, "type": "int"})
    answer = turn(ops, True)
    assert (answer.status_code, answer.json["secret"]) == (200, True)
    assert {(made["env"], made["revision"]) for made in answer.json["releases"]} == {("staging", 2), ("development", 2)}
    assert "history" in answer.json["warning"]
    assert "value" not in ops.get(f"{CONFIG}/limit").json
    assert clear(service, "limit") == 1
    newest, oldest = ops.get(f"{CONFIG}/limit/versions").json["items"]
    assert ("value" in newest, oldest["value"], newest["kind"]) == (False, 1, "secret")
    assert put(ops, 3, "limit")["secret"] is True
    assert ops.post(f"{CONFIG}/limit/rollback", {"version": 1}).json["changes"][0]["secret"] is True
    assert clear(service, "limit") == 1
    assert turn(ops, True).json["releases"] == []


def test_a_secret_becomes_plain_by_a_right_of_its_own_and_old_versions_stay_covered(
    ops: Caller, limited: Callable[..., Caller]
) -> None:
    """Ops may, a developer may not; history shows nothing more than before, and an old version comes back covered."""
    declare(ops, "limit", "int")
    put(ops, 1, "limit")
    put(ops, 2, "limit")
    assert turn(limited("developer"), False).status_code == 403
    assert turn(ops, False).status_code == 200
    assert ops.get(f"{CONFIG}/limit").json["value"] == 2
    versions = ops.get(f"{CONFIG}/limit/versions").json["items"]
    assert [item.get("value") for item in versions] == [2, None, None]
    assert all("fingerprint" in item for item in versions[1:])
    back = ops.post(f"{CONFIG}/limit/rollback", {"version": 1}).json["changes"][0]
    assert (back.get("secret"), "value" in back) == (True, False)
    assert "value" not in ops.get(f"{CONFIG}/limit").json


def test_turning_takes_leave_in_a_protected_environment(ops: Caller, limited: Callable[..., Caller]) -> None:
    """Nothing is turned anywhere before; with a reason it is, and the release tells it."""
    path = "/v1/namespaces/payments/envs/production/config/limit"
    glass = {"break_glass": {"reason": "INC-4711"}}
    ops.put(path, {"value": 1, "type": "int", **glass})
    ops.put(f"{CONFIG}/limit", {"value": 1})
    answer = turn(ops, True)
    assert (answer.status_code, answer.json["code"]) == (409, "review_required")
    assert turn(limited("developer"), True).status_code == 403
    assert ops.get(f"{CONFIG}/limit").json["value"] == 1
    assert turn(ops, True, **glass).status_code == 200
    assert "value" not in ops.get(path).json
    assert ops.get("/v1/envs/production/releases/2").json["review"] == {"break_glass": "INC-4711"}
    assert turn(ops, False).json["code"] == "review_required"
    assert turn(ops, False, **glass).status_code == 200
    assert ops.get(path).json["value"] == 1


def held_in_memory(backwards: str) -> bool:
    """Whether anything in this process holds a text with this in it, which is known backwards alone meanwhile."""
    gc.collect()
    seen: dict[int, object] = {}
    wave = gc.get_objects()
    while wave:
        seen |= {id(each): each for each in wave}
        # What the collector does not track, such as a dict of texts, is reached through what holds it.
        wave = [each for each in gc.get_referents(*wave) if id(each) not in seen]
    texts = [each for each in seen.values() if isinstance(each, str | bytes)]
    return any((backwards if isinstance(each, str) else backwards.encode()) in each[::-1] for each in texts)


def test_no_value_stays_in_the_services_memory(ops: Caller, service: Caller, admin: Caller) -> None:
    """After it was written, read in every way, promoted, compared, revealed and proposed, nothing holds it."""
    declare(ops)
    backwards = secrets.token_hex(16)
    put(ops, backwards[::-1])
    for reader in (ops, service):
        assert reader.get(CONFIG).status_code == 200
        assert reader.get(f"{CONFIG}/db.password").status_code == 200
        assert reader.post("/v1/sync", SYNC).status_code == 200
        assert reader.get(f"{SCOPE}/watch?timeout=0").status_code == 200
    assert ops.post(f"{CONFIG}/db.password/reveal", {"reason": "a test"}).status_code == 200
    assert ops.post("/v1/namespaces/payments/envs/development/promote", {"from": "staging"}).status_code == 200
    assert ops.get("/v1/namespaces/payments/compare?envs=staging,development").status_code == 200
    change = {"namespace": "payments", "key": "db.password", "value": backwards[::-1]}
    assert ops.post("/v1/envs/production/requests", {"changes": [change]}).status_code == 201
    del change
    assert not held_in_memory(backwards)
    ops.app.extensions["a cache"] = {"db.password": f'"{backwards[::-1]}"'}
    assert held_in_memory(backwards), "it would be found"


def test_who_may_not_see_all_values_of_a_key_does_not_learn_where_they_are(
    ops: Caller, limited: Callable[..., Caller]
) -> None:
    """Turning it, and back, is refused in words that name no environment."""
    ops.put("/v1/namespaces/payments/envs/staging/config/limit", {"value": 1, "type": "int"})
    narrow = limited("ops", "payments", ["development"])
    for secret in (True, False):
        answer = turn(narrow, secret)
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
        assert "staging" not in answer.text
        assert turn(ops, secret).status_code == 200


def test_secret_is_turned_alone(ops: Caller) -> None:
    """With a schema or a description in the same request it is refused."""
    declare(ops, "limit", "int")
    assert turn(ops, False, description="x").status_code == 422
    assert turn(ops, False).json["secret"] is False


# Proposals.


def test_a_secret_is_proposed_reviewed_and_applied_unseen(
    ops: Caller, service: Caller, limited: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    """It is sealed at once; whoever reviews or applies it sees that it is a secret, and nothing is opened."""
    declare(ops)
    author, reviewer = limited("developer"), limited("ops")
    change = {"namespace": "payments", "key": "db.password", "value": PASSWORD}
    proposed = author.post("/v1/envs/production/requests", {"changes": [change], "note": "rotate"})
    assert proposed.status_code == 201, proposed.text
    url = proposed.headers["Location"]
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute("SELECT value, value_id IS NOT NULL FROM request_change").fetchall()
    assert rows == [(None, True)]
    opened: list[object] = []
    with monkeypatch.context() as patched:
        for name in ("open_all", "seal"):
            patched.setattr(DataKeys, name, lambda *_: opened.append("opened"))
        seen = [proposed, reviewer.get(url), author.patch(url, {"note": "rotate it"})]
        seen.append(reviewer.post(f"{url}/reviews", {"decision": "approve"}))
        seen.append(author.post(f"{url}/apply", {}))
        assert [answer.status_code for answer in seen] == [201, 200, 200, 200, 200], [each.text for each in seen]
        assert opened == []
    (shown,) = seen[1].json["changes"]
    assert (shown["secret"], "value" in shown, "fingerprint" in shown) == (True, False, False)
    assert all(PASSWORD not in answer.text for answer in seen)
    path = "/v1/namespaces/payments/envs/production/config/db.password"
    assert service.get(path).json["value"] == PASSWORD

"""Declaring keys in a page, and saying anew what they are."""

import json
from collections.abc import Callable

from tests.integration.admin.conftest import Browser
from tests.integration.api.conftest import Caller

NEW, BURST = "/ui/keys/payments/new", "/ui/keys/payments/of/burst"
KEYS = "/v1/namespaces/payments/keys"
CONFIG = "/v1/namespaces/payments/envs/staging/config"


def test_a_key_is_declared(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """With type, description, schema and secrecy; its namespace then shows it, unset."""
    ours = signed_in("developer")
    ours.get("/ui/namespaces/payments")
    assert f'href="{NEW}"' in ours.page
    ours.get(NEW)
    typed = {"key": "burst", "type": "int", "description": "At once", "schema": '{"minimum": 1}'}
    answer = ours.post(NEW, typed)
    assert answer.status_code == 303
    ours.get(answer.location)
    assert "burst" in ours.page
    key = ops.get(f"{KEYS}/burst").json
    assert (key["type"], key["description"], key["schema"], key["secret"]) == ("int", "At once", {"minimum": 1}, False)
    ours.get(NEW)
    ours.post(NEW, {"key": "password", "type": "string", "secret": "on"})
    assert ops.get(f"{KEYS}/password").json["secret"] is True


def test_what_cannot_be_is_said_at_its_field(signed_in: Callable[..., Browser]) -> None:
    """And what was typed is still there."""
    ours = signed_in("developer")
    for typed, field, status in (
        ({"key": "Not so", "type": "int"}, "key", 422),
        ({"key": "burst", "type": "number"}, "type", 422),
        ({"key": "burst", "type": "int", "schema": '{"minimum": '}, "schema", 422),
        ({"key": "burst", "type": "int", "schema": '{"type": "nothing"}'}, "schema", 422),
        ({"key": "burst", "type": "int", "description": "x" * 3_000}, "description", 422),
    ):
        ours.get(NEW)
        answer = ours.post(NEW, typed)
        assert answer.status_code == status, typed
        assert f'id="{field}-error"' in ours.page
        assert 'value="burst"' in ours.page or "Not so" in ours.page
    ours.get(NEW)
    ours.post(NEW, {"key": "burst", "type": "int"})
    ours.get(NEW)
    assert ours.post(NEW, {"key": "burst", "type": "int"}).status_code == 409
    assert "declared in payments already" in ours.page


def test_a_key_is_said_anew(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Description and schema change, unless a present value would break it."""
    ops.put(f"{CONFIG}/burst", {"value": 5, "type": "int"})
    ours = signed_in("ops")
    ours.get("/ui/namespaces/payments/staging/burst")
    assert f'href="{BURST}"' in ours.page
    ours.get(BURST)
    assert ours.post(BURST, {"description": "At once", "schema": '{"maximum": 9}'}).status_code == 303
    key = ops.get(f"{KEYS}/burst").json
    assert (key["description"], key["schema"]) == ("At once", {"maximum": 9})
    ours.get(BURST)
    assert json.dumps({"maximum": 9}, indent=2).replace('"', "&#34;") in ours.page
    assert ours.post(BURST, {"description": "", "schema": '{"maximum": 4}'}).status_code == 422
    assert "the present value in staging would break it" in ours.page
    assert ops.get(f"{KEYS}/burst").json["schema"] == {"maximum": 9}


def test_who_may_not_declare_sees_no_way_to(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """No link, and a page that says what it takes."""
    ops.put(f"{CONFIG}/burst", {"value": 5, "type": "int"})
    ours = signed_in("viewer")
    ours.get("/ui/namespaces/payments")
    assert NEW not in ours.page
    assert ours.get(NEW).status_code == 403
    assert ours.get(BURST).status_code == 403
    assert ours.get("/ui/keys/payments/of/nothing").status_code == 404

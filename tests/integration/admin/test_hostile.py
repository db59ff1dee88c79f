"""Several hundred hostile strings in every field that somebody may fill; every page shows them, and runs none."""

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.integration.admin.conftest import Browser
from tests.integration.admin.naughty import ALL
from tests.integration.admin.test_pages import Page
from tests.integration.api.conftest import Caller

#: As long as a note may be.
SHORT = [text[:2_000] for text in ALL]
CONFIG = "/v1/namespaces/payments/envs/development/config"
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def check(answer: TestResponse, *statuses: int) -> Page:
    """Return a page that is no error of ours, and has nothing in it that may run."""
    assert answer.status_code in statuses or (not statuses and answer.status_code < 500), answer.text[:500]
    page = Page(answer.text)
    assert not page.may_run_something()
    assert "something is wrong in the service" not in page.text
    return page


@pytest.fixture
def stored(ops: Caller) -> None:
    """Each string as a value, a description, a note, a proposal and a comment."""
    assert len(ALL) > 400
    keys = [{"key": f"k{number}", "type": "string", "description": text} for number, text in enumerate(SHORT)]
    assert ops.patch("/v1/namespaces/payments/keys", {"keys": keys}).status_code == 200
    for number, text in enumerate(SHORT):
        body = {"changes": [{"key": f"k{number}", "value": ALL[number]}], "note": text}
        assert ops.patch(CONFIG, body).status_code == 200, text
    changes = [{"namespace": "payments", "key": f"k{number}", "value": text} for number, text in enumerate(ALL)]
    for text in SHORT[:50]:
        request = ops.post("/v1/envs/production/requests", {"changes": changes, "note": text})
        assert request.status_code == 201, text
    for text in filter(None, SHORT):
        review = {"decision": "comment", "comment": text}
        assert ops.post("/v1/requests/1/reviews", review).status_code == 200, text


def test_pages_show_what_was_stored(stored: None, signed_in: Callable[..., Browser]) -> None:
    """As it was written, and nothing of it is markup."""
    ours = signed_in("admin")
    overview = ["/ui/", "/ui/namespaces/payments", "/ui/envs/development/history", "/ui/requests/1", "/ui/requests"]
    for path in (*overview, "/ui/audit", "/ui/audit?namespace=payments"):
        check(ours.get(path), 200)
    for number in range(len(ALL)):
        check(ours.get(f"/ui/namespaces/payments/development/k{number}"), 200)
        check(ours.get(f"/ui/namespaces/payments/development/k{number}/history"), 200)
        check(ours.get(f"/ui/envs/development/releases/{number + 1}"), 200)
    text = Page(ours.get("/ui/requests/1").text).text.replace("\r\n", "\n").replace("\r", "\n")
    for string in SHORT:
        assert string[:100].replace("\r\n", "\n").replace("\r", "\n") in text, string


def test_every_field_of_a_page_takes_them(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Searches, filters, forms and addresses: an answer, perhaps a refusal, never a crash and never markup."""
    declared = {"value": 1, "type": "json"}
    assert ops.put(f"{CONFIG}/limits", declared).status_code == 200
    ours = signed_in("admin")
    for text in SHORT:
        for path, name in (
            ("/ui/namespaces/payments", "q"),
            ("/ui/sign-in", "next"),
            ("/ui/envs/development/watchers", "namespace"),
            ("/ui/audit", "actor"),
            ("/ui/audit", "action"),
            ("/ui/audit", "since"),
            ("/ui/requests", "env"),
        ):
            check(ours.get(path, query_string={name: text}))


def test_every_form_takes_them(signed_in: Callable[..., Browser], browser: Callable[[], Browser], ops: Caller) -> None:
    """What is typed comes back as typed, or is refused with a word at its field."""
    assert ops.put(f"{CONFIG}/limits", {"value": 1, "type": "json"}).status_code == 200
    ours, door = signed_in("admin"), browser()
    ours.get("/ui/tokens")
    for text in SHORT:
        for path, fields in (
            ("/ui/namespaces/payments/development/limits", {"value": text, "note": text, "step": "preview"}),
            ("/ui/tokens/new", {"name": text, "role": text, "namespaces": text, "env": text}),
            ("/ui/envs", {"name": text, "description": text, "approvals": text}),
            ("/ui/envs/staging", {"description": text, "approvals": text}),
        ):
            check(ours.post(path, fields))
            ours.get("/ui/tokens")
    for text in SHORT[::40]:  # each failure makes the next one wait
        check(door.get("/ui/sign-in"))
        check(door.post("/ui/sign-in", {"token": text}), 422, 429)

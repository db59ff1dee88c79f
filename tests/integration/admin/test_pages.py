"""The pages: what they show, what they write, and to whom."""

import gzip
import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import psycopg
import pytest

from configsvc.admin import namespaces
from tests.fix_database import Database
from tests.integration.admin.conftest import Browser
from tests.integration.admin.naughty import STRINGS
from tests.integration.api.conftest import BREAK_GLASS, Caller

RATE_LIMIT = "/ui/namespaces/payments/development/rate_limit"
CONFIG = "/v1/namespaces/payments/envs/{}/config/{}"
POLICY = {"default-src 'self'", "img-src 'self' data:"}
KIB = 1024
THOUSAND_KEYS = """
INSERT INTO config_key (namespace_id, name, type, description, created_by)
SELECT n.id, 'service.' || number || '.limit', 'int', 'Of service ' || number, 'the tests'
FROM namespace n, generate_series(0, 999) AS number WHERE n.name = 'payments'
"""


class Page(HTMLParser):
    """A page as a browser reads it: its text, its tags, and the values of its form."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag with its attributes."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text += data

    def may_run_something(self) -> list[object]:
        """What a page of ours never has: scripts and styles of its own, handlers, addresses elsewhere."""
        return [
            (tag, attributes)
            for tag, attributes in self.tags
            if tag in ("style", "base", "svg", "iframe", "object")
            or (tag in ("script", "img") and not (attributes.get("src") or "").startswith("/ui/static/"))
            or any(name.startswith("on") or name == "style" for name in attributes)
            or any(not (attributes.get(name) or "/ui/").startswith(("/ui", "#", "?")) for name in ("href", "action"))
        ]


def put(ops: Caller, key: str, value: object, type_: str, env: str = "development", **more: object) -> None:
    """Set a value by the API."""
    answer = ops.put(CONFIG.format(env, key), {"value": value, "type": type_, **more})
    assert answer.status_code == 200, answer.json


def test_the_overview_says_where_things_stand(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """The latest release of each environment, with who, when and why; namespaces with theirs; requests that wait."""
    put(ops, "rate_limit", 100, "int", note="As agreed with the bank")
    change = {"namespace": "payments", "key": "rate_limit", "value": 120}
    assert ops.post("/v1/envs/production/requests", {"changes": [change]}).status_code == 201
    text = Page(signed_in("viewer").get("/ui/").text).text
    for part in ("Release 1", "As agreed with the bank", "ops", "1 open request", "0 live instances", "protected"):
        assert part in text
    assert "development 1" in text


def test_a_namespace_shows_environments_side_by_side(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Every key with type, description and values; what differs says so; a secret shows a fingerprint alone."""
    for env, limit in (("development", 100), ("staging", 250)):
        put(ops, "rate_limit", limit, "int", env)
        put(ops, "currency", "EUR", "string", env)
    declared = {"key": "password", "type": "string", "secret": True, "description": "Of the payments database"}
    assert ops.post("/v1/namespaces/payments/keys", declared).status_code == 201
    put(ops, "password", "hunter2", "string")
    ours = signed_in("viewer")
    page = ours.get("/ui/namespaces/payments?env=development&env=staging").text
    text = Page(page).text
    for part in ("rate_limit int differs", "100", "250", "EUR", "Of the payments database", "unset"):
        assert part in text
    assert "currency string differs" not in text
    assert "hunter2" not in page
    fingerprint = ops.get("/v1/namespaces/payments/envs/development/config/password").json["fingerprint"]
    assert fingerprint in text
    differing = Page(ours.get("/ui/namespaces/payments?env=development&env=staging&differs=on").text).text
    assert ("rate_limit" in differing, "currency" in differing) == (True, False)


def test_search_goes_over_names_values_and_descriptions(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Whatever the case, and without any script."""
    put(ops, "rate_limit", 100, "int")
    put(ops, "currency", "EUR", "string")
    ops.patch("/v1/namespaces/payments/keys/currency", {"description": "As ISO 4217 has it"})
    ours = signed_in("viewer")
    for query, found in (("LIMIT", "rate_limit"), ("eur", "currency"), ("iso 4217", "currency")):
        text = Page(ours.get("/ui/namespaces/payments", query_string={"q": query}).text).text
        assert [name for name in ("rate_limit", "currency") if name in text] == [found]
        assert "1 of 2 settings" in text


def test_a_setting_is_found_in_any_namespace(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """From the overview, by a part of name, value or description; what is empty finds nothing."""
    put(ops, "rate_limit", 100, "int")
    assert (
        ops.put("/v1/namespaces/search/envs/staging/config/ranking", {"value": "bm25", "type": "string"}).status_code
        == 200
    )
    ours = signed_in("viewer")
    assert 'action="/ui/find"' in ours.get("/ui/").text
    for query, found in (
        ("LIMIT", "/ui/namespaces/payments/development/rate_limit"),
        ("BM2", "/ui/namespaces/search/staging/ranking"),
    ):
        page = ours.get("/ui/find", query_string={"q": query}).text
        assert (f'href="{found}"' in page, "1 setting" in Page(page).text) == (True, True)
    assert "0 settings" in Page(ours.get("/ui/find?q=nowhere").text).text
    assert "settings" not in Page(ours.get("/ui/find?q=+").text).text


def test_nobody_finds_what_they_may_not_read(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Neither another namespace, nor the value in another environment; a grant for nowhere finds nothing."""
    put(ops, "rate_limit", 4711, "int")
    put(ops, "rate_limit", 100, "int", "staging")
    search = "/v1/namespaces/search/envs/development/config/limit"
    assert ops.put(search, {"value": 4711, "type": "int"}).status_code == 200
    ours = signed_in("viewer", "payments", ["staging"])
    assert "0 settings" in Page(ours.get("/ui/find?q=4711").text).text
    assert "1 setting" in Page(ours.get("/ui/find?q=limit").text).text


def test_a_search_that_finds_too_much_says_so(
    signed_in: Callable[..., Browser], ops: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends when enough was found, or looked at: settings, or namespaces with few of them."""
    for key in ("first", "second"):
        put(ops, key, 100, "int")
    ours = signed_in("viewer")
    assert "there may be more" not in ours.get("/ui/find?q=100").text
    monkeypatch.setattr(namespaces, "_FOUND_MAX", 1)
    text = Page(ours.get("/ui/find?q=100").text).text
    assert ("1 setting" in text, "there may be more" in text) == (True, True)
    monkeypatch.setattr(namespaces, "_KEYS_MAX", 100)  # what one namespace counts as, with two settings or none
    assert "there may be more" in ours.get("/ui/find?q=nowhere").text


def test_history_names_what_changed(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """The first settings of each release, and none that somebody may not read."""
    changes = [{"namespace": namespace, "key": "limit", "value": 1} for namespace in ("payments", "search")]
    for name in ("payments", "search"):
        assert ops.post(f"/v1/namespaces/{name}/keys", {"key": "limit", "type": "int"}).status_code == 201
    keys = [{"key": f"part_{number}", "type": "int"} for number in range(3)]
    assert ops.patch("/v1/namespaces/search/keys", {"keys": keys}).status_code == 200
    changes += [{"namespace": "search", "key": key["key"], "value": 1} for key in keys]
    assert ops.post("/v1/envs/development/releases", {"changes": changes}).status_code == 200
    assert "limit, limit, part_0 and more" in Page(signed_in("viewer").get("/ui/envs/development/history").text).text
    theirs = Page(signed_in("viewer", "payments", name="theirs").get("/ui/envs/development/history").text).text
    assert ("limit" in theirs, "limit, limit" in theirs, "more" in theirs) == (True, False, False)


def change(browser: Browser, path: str, step: str = "preview", **fields: object) -> Any:
    """Send the form of one setting, as its page has it."""
    if step == "preview":
        browser.get(path)
    return browser.post(path, {**browser.hidden(), **fields, "step": step})


def test_a_change_is_seen_before_and_after(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """The preview has both values and changes nothing; saving makes a release with the note, which can be undone."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("developer")
    seen = Page(change(ours, RATE_LIMIT, value="250", note="Black Friday").text).text
    assert ("100" in seen, "250" in seen, "No running instance" in seen) == (True, True, True)
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 100
    saved = change(ours, RATE_LIMIT, "save")
    assert (saved.status_code, saved.location) == (303, "/ui/envs/development/releases/2")
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 250
    release = Page(ours.get(saved.location).text).text
    assert ("Black Friday" in release, "some-developer" in release, "100" in release) == (True, True, True)
    undo = f"{saved.location}/undo"
    assert "250" in ours.post(undo, {}).text
    assert ours.post(undo, {"step": "save", "note": "too many"}).location == "/ui/envs/development/releases/3"
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 100
    again = ours.post(undo, {"step": "save"})
    assert (again.status_code, "later" in again.text or "undo" in again.text.lower()) == (409, True)


def test_a_setting_can_be_unset_and_put_back(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Unset has a preview, too, and every earlier version can return."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("developer")
    change(ours, RATE_LIMIT, unset="1")
    change(ours, RATE_LIMIT, "save")
    assert ops.get(CONFIG.format("development", "rate_limit")).status_code == 404
    assert "Version" in ours.get(f"{RATE_LIMIT}/history").text
    ours.post(f"{RATE_LIMIT}/rollback", {"version": 1})
    assert ours.post(f"{RATE_LIMIT}/rollback", {**ours.hidden(), "step": "save"}).status_code == 303
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 100


def test_what_cannot_be_a_value_is_said_at_its_field(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """With what was typed still there."""
    for type_, value in {"int": 1, "float": 1.5, "bool": True, "json": {}, "string": "a"}.items():
        put(ops, type_, value, type_)
    ours = signed_in("developer")
    for type_, typed, said in (
        ("int", "12x", "must be a number"),
        ("int", "1.5", "must be"),
        ("int", "", "is missing"),
        ("float", "NaN", "must be a number"),
        ("bool", "maybe", "is no JSON"),
        ("json", '{"a": 1,}', "line 1, column 9"),
        ("json", '{"a": 1, "a": 2}', "twice"),
        ("string", "a\0b", "NUL"),
    ):
        answer = change(ours, f"/ui/namespaces/payments/development/{type_}", value=typed, note="why")
        assert answer.status_code == 422
        assert said in Page(answer.text).text
        assert 'id="value-error"' in answer.text
        assert 'value="why"' in answer.text


def test_a_schema_is_held_to(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Its bounds are the input's, and what the browser lets through the service does not."""
    put(ops, "rate_limit", 100, "int")
    ops.patch("/v1/namespaces/payments/keys/rate_limit", {"schema": {"minimum": 1, "maximum": 500}})
    ours = signed_in("developer")
    assert 'min="1" max="500"' in ours.get(RATE_LIMIT).text
    answer = change(ours, RATE_LIMIT, value="501")
    assert (answer.status_code, "500" in answer.text, 'value="501"' in answer.text) == (422, True, True)


@pytest.mark.parametrize("step", ["preview", "save"])
def test_somebody_elses_change_in_between_is_shown(signed_in: Callable[..., Browser], ops: Caller, step: str) -> None:
    """Nothing is overwritten unseen: their value and name are there, and what was typed."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("developer")
    ours.get(RATE_LIMIT)
    form = ours.hidden()
    put(ops, "rate_limit", 175, "int")
    answer = ours.post(RATE_LIMIT, {**form, "value": "250", "step": step})
    text = Page(answer.text).text
    assert (answer.status_code, "Somebody else was faster" in text, "175" in text, "ops" in text) == (412, *[True] * 3)
    assert 'value="250"' in answer.text
    assert ours.post(RATE_LIMIT, {**ours.hidden(), "value": "250", "step": step}).status_code in (200, 303)


def test_a_secret_is_set_and_never_shown(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Not on its page, in the preview of another, in history, or in a release."""
    ops.post("/v1/namespaces/payments/keys", {"key": "password", "type": "string", "secret": True})
    put(ops, "password", "hunter2", "string")
    ours = signed_in("developer")
    path = "/ui/namespaces/payments/development/password"
    pages = [ours.get(path).text, change(ours, path, value="correct horse").text]
    location = change(ours, path, "save").location
    pages += [ours.get(address).text for address in (location, f"{path}/history", "/ui/namespaces/payments", path)]
    assert not [page for page in pages if "hunter2" in page]
    assert not [page for page in pages[2:] if "correct horse" in page]
    revealed = ops.post(f"{CONFIG.format('development', 'password')}/reveal", {"reason": "a test"})
    assert revealed.json["value"] == "correct horse"


def test_a_protected_environment_is_proposed_to(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Save becomes propose; somebody else approves what they see, and applies it."""
    put(ops, "rate_limit", 100, "int", "production", **BREAK_GLASS)
    path = "/ui/namespaces/payments/production/rate_limit"
    author, reviewer = signed_in("developer"), signed_in("ops")
    preview = change(author, path, value="250", note="Black Friday")
    assert ("Propose" in preview.text, "Save" in Page(preview.text).text) == (True, False)
    request = change(author, path, "save").location
    assert request == "/ui/requests/1"
    text = Page(author.get(request).text).text
    assert ("Approve" in text, "somebody else has to approve it" in text) == (False, True)
    shown = Page(reviewer.get(request).text).text
    assert ("100" in shown, "250" in shown, "Black Friday" in shown) == (True, True, True)
    assert "Request 1" in reviewer.get("/ui/requests?status=open").text
    reviewer.get(request)
    assert reviewer.post(request, {**reviewer.hidden(), "step": "approve", "comment": "fine"}).status_code == 303
    assert 'value="approve"' not in reviewer.get(request).text  # once is enough
    author.get(request)
    applied = author.post(request, {**author.hidden(), "step": "apply"})
    assert applied.location == "/ui/envs/production/releases/2"
    assert ops.get(CONFIG.format("production", "rate_limit")).json["value"] == 250


def test_an_approval_is_of_what_was_seen(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """A request that was edited since is shown again, and not approved; the comment is kept."""
    put(ops, "rate_limit", 100, "int", "production", **BREAK_GLASS)

    def body(value: int) -> dict[str, object]:
        return {"changes": [{"namespace": "payments", "key": "rate_limit", "value": value}]}

    ops.post("/v1/envs/production/requests", body(120))
    reviewer = signed_in("ops")
    reviewer.get("/ui/requests/1")
    seen = reviewer.hidden()
    assert ops.patch("/v1/requests/1", body(9_999)).status_code == 200
    answer = reviewer.post("/ui/requests/1", {**seen, "step": "approve", "comment": "fine by me"})
    assert (answer.status_code, "edited since" in answer.text, "fine by me" in answer.text) == (409, True, True)
    assert ops.get("/v1/requests/1").json["status"] == "open"


@pytest.mark.parametrize(("step", "status"), [("reject", "rejected"), ("withdraw", "open"), ("comment", "open")])
def test_a_request_goes_the_other_ways(signed_in: Callable[..., Browser], ops: Caller, step: str, status: str) -> None:
    """Reject and comment are anybody's who may; withdrawing is its author's, and refused to others."""
    put(ops, "rate_limit", 100, "int", "production", **BREAK_GLASS)
    edit = {"namespace": "payments", "key": "rate_limit", "value": 120}
    ops.post("/v1/envs/production/requests", {"changes": [edit]})
    ours = signed_in("ops")
    ours.get("/ui/requests/1")
    answer = ours.post("/ui/requests/1", {**ours.hidden(), "step": step, "comment": "why?"})
    assert answer.status_code == (403 if step == "withdraw" else 303)
    assert ops.get("/v1/requests/1").json["status"] == status


def test_a_viewer_may_look_and_no_more(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """No form to change things is shown, and sending one anyway is refused by the service."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("viewer")
    for path in (RATE_LIMIT, f"{RATE_LIMIT}/history", "/ui/envs/development/releases/1"):
        forms = [tag for tag, _ in Page(ours.get(path).text).tags if tag == "form"]
        assert len(forms) == 1, path  # signing out
    for path, fields in (
        (RATE_LIMIT, {"base": 1, "value": "1", "step": "save"}),
        (f"{RATE_LIMIT}/rollback", {"version": 1, "step": "save"}),
        ("/ui/envs/development/releases/1/undo", {"step": "save"}),
    ):
        ours.get("/ui/")
        assert ours.post(path, fields).status_code == 403, path
    assert ops.get(CONFIG.format("development", "rate_limit")).json["version"] == 1


def test_what_one_may_not_read_is_not_there(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Neither in lists nor by its address."""
    put(ops, "rate_limit", 100, "int")
    put(ops, "rate_limit", 100, "int", "staging")
    ours = signed_in("developer", "search", ["development"])
    text = Page(ours.get("/ui/").text).text
    assert ("search" in text, "payments" in text, "staging" in text) == (True, False, False)
    for path in (
        "/ui/namespaces/payments",
        RATE_LIMIT,
        f"{RATE_LIMIT}/history",
        "/ui/namespaces/search/staging/a",
        "/ui/envs/staging/history",
        "/ui/envs/development/releases/1",
        "/ui/requests/1",
        "/ui/nothing",
    ):
        assert ours.get(path).status_code == 404, path


def test_history_goes_in_pages(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Newest first, fifty at a time, to the very first."""
    for value in range(55):
        put(ops, "rate_limit", value, "int")
    ours = signed_in("viewer")
    for path, first, last in (
        ("/ui/envs/development/history", "releases/55", "releases/1"),
        (f"{RATE_LIMIT}/history", "releases/55", "releases/1"),
    ):
        page = Page(ours.get(path).text)
        links = [attributes["href"] or "" for tag, attributes in page.tags if tag == "a"]
        assert any(link.endswith(first) for link in links)
        (older,) = [link for link in links if "before=" in link]
        assert f'{last}"' in ours.get(older).text


def test_a_first_visit_finds_empty_pages_in_order(signed_in: Callable[..., Browser]) -> None:
    """Nothing has been released, declared or proposed: every list says so."""
    ours = signed_in("admin")
    for path in ("/ui/", "/ui/namespaces/payments", "/ui/history", "/ui/envs/production/history", "/ui/requests"):
        assert ours.get(path, follow_redirects=True).status_code == 200, path


def test_the_first_page_is_found_without_its_slash(signed_in: Callable[..., Browser]) -> None:
    """As people type it."""
    assert "Overview" in signed_in("viewer").get("/ui", follow_redirects=True).text


def test_errors_are_pages(signed_in: Callable[..., Browser]) -> None:
    """In the look of all others, with what to tell whoever runs the service."""
    ours = signed_in("admin")
    for path, status in (
        ("/ui/envs/development/history?before=x", 404),
        ("/ui/envs/development/releases/x", 404),
        ("/ui/envs/development/releases/0", 404),
        ("/ui/requests?status=x", 400),
        ("/ui/requests?env=nowhere", 404),
        ("/ui/namespaces/payments/nowhere/a", 404),
        ("/ui/namespaces/payments/development/undeclared", 404),
        ("/ui/namespaces/%00", 400),
        ("/ui/namespaces/payments?q=%00", 400),
    ):
        answer = ours.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html"), path
        assert "To the overview" in answer.text
        assert answer.headers["X-Request-Id"] in answer.text


def test_a_form_that_is_too_large_is_refused(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """With a page that says so."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("developer")
    answer = change(ours, RATE_LIMIT, value="x" * 2_000_000)
    assert (answer.status_code, "too large" in answer.text) == (413, True)


def test_every_page_has_the_strict_policy(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Nothing from elsewhere, nothing inline, not in a frame, not kept by caches; errors and the door, too."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("developer")
    for path in ("/ui/", "/ui/namespaces/payments", RATE_LIMIT, "/ui/nothing", "/ui/requests", "/ui/sign-in"):
        answer = ours.get(path)
        policy = set(answer.headers["Content-Security-Policy"].split("; "))
        assert policy >= POLICY | {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"}, path
        assert not [part for part in policy if "unsafe" in part or "http" in part]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not Page(answer.text).may_run_something()


def test_hostile_strings_stay_strings(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """As values, descriptions, notes, proposals and comments, in every page: shown as written, and nothing else."""
    edits = []
    for number, text in enumerate(STRINGS):
        declared = {"key": f"k{number}", "type": "string", "description": text[:2_000]}
        assert ops.post("/v1/namespaces/payments/keys", declared).status_code == 201
        put(ops, f"k{number}", text, "string", note=text[:2_000])
        edits.append({"namespace": "payments", "key": f"k{number}", "value": text + "!"})
    assert ops.post("/v1/envs/production/requests", {"changes": edits, "note": STRINGS[0]}).status_code == 201
    for text in filter(None, STRINGS):
        assert ops.post("/v1/requests/1/reviews", {"decision": "comment", "comment": text[:2_000]}).status_code == 200
    ours = signed_in("developer")
    paths = ["/ui/", "/ui/namespaces/payments", "/ui/envs/development/history", "/ui/requests/1", "/ui/requests"]
    paths += [f"/ui/namespaces/payments/development/k{number}" for number in range(len(STRINGS))]
    paths += [f"/ui/envs/development/releases/{number + 1}" for number in range(len(STRINGS))]
    for path in paths:
        answer = ours.get(path)
        assert answer.status_code == 200, path
        page = Page(answer.text)
        assert not page.may_run_something(), path
        assert "To the overview" not in page.text
    for path in ("/ui/namespaces/payments", "/ui/requests/1"):
        text = Page(ours.get(path).text).text.replace("\r\n", "\n").replace("\r", "\n")
        for string in STRINGS:
            assert string[:100].replace("\r\n", "\n").replace("\r", "\n") in text, string
    for string in STRINGS:
        page = Page(ours.get("/ui/namespaces/payments", query_string={"q": string.replace("\0", "")}).text)
        assert not page.may_run_something()
        assert not Page(ours.get("/ui/sign-in", query_string={"next": string}).text).may_run_something()


def test_forms_lose_nothing(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Every string that was stored goes through its form, and is the same: there is nothing to save."""
    ours = signed_in("developer")
    for number, text in enumerate(STRINGS):
        put(ops, f"k{number}", text, "string")
        path = f"/ui/namespaces/payments/development/k{number}"
        shown = ours.get(path).text
        area = shown.partition('name="value"')[2].partition(">\n")[2].partition("</textarea>")[0]
        typed = Page(area).text.replace("\n", "\r\n")  # as browsers send it
        preview = ours.post(path, {**ours.hidden(), "value": typed, "step": "preview"})
        assert "Nothing: it is like this already" in preview.text, text
        changed = json.dumps(json.loads(typed) + "!") if "quoted" in ours.hidden() else typed + "!"
        ours.post(path, {**ours.hidden(), "value": changed, "step": "preview"})
        assert ours.post(path, {**ours.hidden(), "step": "save"}).status_code == 303
        assert ops.get(CONFIG.format("development", f"k{number}")).json["value"] == text + "!"


def test_a_thousand_keys_are_a_small_page(signed_in: Callable[..., Browser], ops: Caller, database: Database) -> None:
    """In three environments, with all that comes with it (style, scripts): at most 200 KiB to transfer."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(THOUSAND_KEYS)
    for env in ("development", "staging"):
        edits = [
            {"key": f"service.{number}.limit", "value": number * 7_919 % 10_007 + (env == "staging" and number % 9)}
            for number in range(1_000)
        ]
        assert ops.patch(f"/v1/namespaces/payments/envs/{env}/config", {"changes": edits}).status_code == 200
    ours = signed_in("viewer")
    answer = ours.get("/ui/namespaces/payments", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.data).count(b"<tr ") == 1_000
    page = Page(gzip.decompress(answer.data).decode())
    parts = [attributes.get("src") or attributes.get("href") or "" for tag, attributes in page.tags
             if tag in ("script", "link")]  # fmt: skip
    assert len(parts) == 7
    parts.append("/ui/static/refresh.js")  # live.js asks for it
    sizes = [len(ours.get(part, headers={"Accept-Encoding": "gzip"}).data) for part in parts]
    assert len(answer.data) + sum(sizes) <= 200 * KIB

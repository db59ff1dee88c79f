"""Routes that are remembered: nothing about an answer changes, and no garbage is left."""

import gc

import pytest
from flask import request, url_for
from werkzeug.exceptions import MethodNotAllowed, NotFound

from configsvc.api import routing
from configsvc.api.routing import App


@pytest.fixture
def app() -> App:
    """An app with a fixed address, and one with a variable part."""
    app = App(__name__, static_folder=None)
    app.add_url_rule("/fixed", "fixed", lambda: "fixed", methods=["POST"])
    app.add_url_rule("/names/<name>", "named", lambda name: name)
    return app


def test_each_address_finds_its_route_again_and_again(app: App) -> None:
    """By address and method; what is not there, or not with this method, is refused each time."""
    client = app.test_client()
    for _ in range(2):
        assert client.post("/fixed").text == "fixed"
        assert client.get("/fixed").status_code == MethodNotAllowed.code
        assert client.get("/nowhere").status_code == NotFound.code
        assert [client.get(f"/names/{name}").text for name in ("a", "b")] == ["a", "b"]
    assert {place[:2] for place in app.routes_found} == {("/fixed", "POST"), ("/names/a", "GET"), ("/names/b", "GET")}


def test_a_redirect_goes_to_where_one_came_from(app: App) -> None:
    """It is of one request's host, and not remembered."""
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    for host in ("a.example", "b.example"):
        answer = app.test_client().get("/folder", base_url=f"http://{host}")
        assert answer.headers["Location"] == f"http://{host}/folder/"


def test_an_address_that_is_built_is_of_the_requests_host(app: App) -> None:
    """Whoever asked for the same path before, at another host, over another scheme or below another prefix."""
    app.add_url_rule("/where", "where", lambda: url_for("fixed", _external=True))
    for base in ("http://a.example", "https://a.example", "http://b.example", "http://b.example/below"):
        for _ in range(2):
            assert app.test_client().get("/where", base_url=base).text == f"{base}/fixed"


def test_only_so_many_are_remembered(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes up addresses fills no memory."""
    monkeypatch.setattr(routing, "REMEMBERED_MAX", 3)
    client = app.test_client()
    for number in range(10):
        assert client.get(f"/names/{number}").text == str(number)
        assert len(app.routes_found) <= 3


def test_a_remembered_route_leaves_no_garbage(app: App) -> None:
    """Thousands of held requests depend on it: the collector would walk over all of them."""

    def find() -> None:
        with app.test_request_context("/fixed", method="POST"):
            assert request.endpoint == "fixed"

    find()
    gc.collect()
    gc.disable()
    try:
        find()
        assert gc.collect() == 0
    finally:
        gc.enable()

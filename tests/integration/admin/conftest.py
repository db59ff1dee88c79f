"""The real application on a real database, as a browser without scripts sees it."""

import re
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from configsvc.app import close, create_app
from configsvc.service import accounts, samples
from configsvc.service.tokens import Wanted
from configsvc.settings import Settings
from configsvc.store.access import NewGrant
from tests.integration.api.conftest import Caller

PASSWORD = "correct horse battery staple"  # of test accounts
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_VALUE = re.compile(r'<textarea name="value" hidden aria-hidden="true">\n(.*?)</textarea>', re.DOTALL)


class Browser:
    """Keeps cookies, and sends the forms of the page that it shows."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()
        self.page = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self._shown(self.client.get(path, buffered=True, **options))

    def post(self, path: str, fields: Mapping[str, object], *, csrf: str | None = None, **options: Any) -> TestResponse:
        """Send a form, with the hidden field of the last page unless another one is given."""
        mark = _CSRF.search(self.page)
        data = {"csrf": csrf if csrf is not None else mark[1] if mark else "", **fields}
        return self._shown(self.client.post(path, data=data, **options))

    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page."""
        fields = {name: unescape(value) for name, value in _HIDDEN.findall(self.page) if name not in ("csrf", "step")}
        value = _VALUE.search(self.page)
        return fields | ({"value": unescape(value[1])} if value else {})

    @property
    def cookies(self) -> Mapping[str, str]:
        """Those that it would send to /ui."""
        cookie = self.client.get_cookie("configsvc_session", path="/ui")
        return {} if cookie is None else {"configsvc_session": cookie.value}

    def use(self, secret: str) -> None:
        """Put a session's cookie there."""
        self.client.set_cookie("configsvc_session", secret, path="/ui")

    def _shown(self, answer: TestResponse) -> TestResponse:
        if answer.mimetype == "text/html" and not answer.location and "Content-Encoding" not in answer.headers:
            self.page = answer.get_data(as_text=True)
        return answer


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The service, with the sample namespaces and nothing else."""
    samples.ensure(settings.database_url, None)
    app = create_app(settings)
    yield app
    close(app)


@pytest.fixture
def api(app: Flask, settings: Settings) -> Callable[[str], Caller]:
    """Makes a caller of the API with the sample token of a role."""
    tokens = samples.ensure(settings.database_url, None)
    return lambda role: Caller(app, tokens[role])


@pytest.fixture
def ops(api: Callable[[str], Caller]) -> Caller:
    """A caller of the API who may write everywhere."""
    return api("ops")


@pytest.fixture
def account(settings: Settings) -> Callable[..., str]:
    """Makes an account of a role and returns its name."""

    def make(role: str, namespaces: str = "*", envs: list[str] | None = None, name: str = "") -> str:
        name = name or f"some-{role}"
        wanted = Wanted(name, [NewGrant(role, namespaces, envs)])
        accounts.create(settings.database_url, wanted, PASSWORD, actor="the tests")
        return name

    return make


@pytest.fixture
def browser(app: Flask) -> Callable[[], Browser]:
    """Makes a browser that is not signed in."""
    return lambda: Browser(app)


@pytest.fixture
def signed_in(app: Flask, settings: Settings, account: Callable[..., str]) -> Callable[..., Browser]:
    """Makes an account and a browser that is signed in with a link to it."""

    def make(role: str, *where: Any, name: str = "") -> Browser:
        browser = Browser(app)
        path = accounts.link(settings.database_url, account(role, *where, name=name), actor="the tests")
        assert browser.post(path, {}).status_code == 303
        return browser

    return make

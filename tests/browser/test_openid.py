"""Signing in at an OpenID provider, in a browser that goes there and comes back."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from configsvc.app import close, create_app
from configsvc.dev.ports import free_port
from configsvc.service import samples
from configsvc.settings import Settings
from tests.integration.admin import openid_provider
from tests.integration.admin.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider

pytestmark = pytest.mark.browser


@pytest.fixture
def provider() -> Iterator[Provider]:
    """One that signs in Ada, a viewer."""
    with openid_provider.running() as running:
        yield running


@pytest.fixture
def url(settings: Settings, provider: Provider, tmp_path: Path) -> Iterator[str]:
    """A service with that provider."""
    secret = tmp_path / "client-secret"
    secret.touch(0o600)
    secret.write_text(CLIENT_SECRET)
    url = f"http://127.0.0.1:{free_port()}"
    app = create_app(
        settings.model_copy(
            update={
                "oidc_issuer": provider.url,
                "oidc_client_id": CLIENT_ID,
                "oidc_client_secret_file": secret,
                "oidc_redirect_url": f"{url}/ui/openid/back",
                "oidc_grants": json.dumps({"viewers": [{"role": "viewer"}]}),
                "oidc_provider_name": "Example Corp",
            }
        )
    )
    samples.ensure(settings.database_url, None)
    server = make_server("127.0.0.1", int(url.rpartition(":")[2]), app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    close(app)


def test_there_and_back(chromium: Browser, url: str) -> None:
    """One link leads over the provider to the page that one wanted, under the name that the provider gives."""
    context = chromium.new_context(base_url=url)
    page = context.new_page()
    page.goto("/ui/envs/staging/history")
    page.get_by_role("link", name="Sign in with Example Corp").click()
    expect(page.get_by_role("heading", name="History of staging")).to_be_visible()
    expect(page.get_by_role("banner")).to_contain_text("ada")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in with Example Corp")).to_be_visible()
    context.close()

"""The page of encryption keys."""

from collections.abc import Callable

from configsvc.app import close, create_app
from configsvc.service import accounts
from configsvc.settings import Settings
from tests.integration.admin.conftest import Browser
from tests.integration.admin.test_pages import Page, put
from tests.integration.api.conftest import Caller


def test_admins_see_which_keys_secrets_are_under(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """By scope, with how many values, and nothing of a value; others are refused."""
    ours = signed_in("admin")
    assert "No secret has been set yet" in ours.get("/ui/encryption").text
    ops.post("/v1/namespaces/payments/keys", {"key": "password", "type": "string", "secret": True})
    put(ops, "password", "hunter2", "string")
    page = Page(ours.get("/ui/encryption").text)
    words = page.text.partition("Wrapped by")[2].split()
    at = words.index("secret")
    assert words[at - 2 : at + 2] == ["payments", "development", "secret", "1"]
    assert ("hunter2" in page.text, page.may_run_something()) == (False, [])
    assert "/ui/encryption" in ours.get("/ui/envs").text
    assert signed_in("ops").get("/ui/encryption").status_code == 403


def test_a_service_without_keys_says_so(settings: Settings, account: Callable[..., str]) -> None:
    """It keeps no secrets, and the page is there all the same."""
    app = create_app(settings.model_copy(update={"keys": None}))
    ours = Browser(app)
    ours.post(accounts.link(settings.database_url, account("admin"), actor="the tests"), {})
    assert "keeps no secrets" in ours.get("/ui/encryption").text
    close(app)

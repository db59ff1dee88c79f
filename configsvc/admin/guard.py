"""Who is at the browser, and did they mean it? The cookie of a session, and what makes a form one of ours."""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, redirect, request, url_for

from configsvc.errors import Forbidden, Unauthenticated
from configsvc.service.access import Authenticate, Caller
from configsvc.service.rates import Rates
from configsvc.service.sessions import LASTS_S, Sessions, digest

COOKIE = "configsvc_session"
PATH = "/ui"
#: Endpoints for whoever is not signed in.
OPEN = frozenset(
    f"ui.{name}" for name in ("sign_in", "sign_in_form", "link", "use_link", "openid", "openid_back", "static", "style")
)
_NOT_OURS = "this form was not sent from a page of configsvc, or is of an earlier session: open the page again"
_SALT_CHARACTERS = 16


def register(routes: Blueprint, sessions: Sessions, rates: Rates) -> None:
    """Let nobody pass who is not signed in, and take no form that another site may have sent."""

    def begin() -> None:
        if request.method == "POST":
            _same_site()
        if request.endpoint in OPEN:
            return
        secret = request.cookies.get(COOKIE, "")
        g.caller = sessions.caller(secret, g.request_id, g.address)
        rates.take(g.caller.name)
        if request.method == "POST" and not _is_bound(request.form.get("csrf", ""), secret):
            raise Forbidden(_NOT_OURS)

    routes.before_request(begin)
    routes.app_context_processor(lambda: {"csrf": _bound_to_session})


def caller() -> Caller:
    """Return who asks."""
    who: Caller = g.caller
    return who


def session_id() -> bytes:
    """Return what the server knows this browser's session by."""
    return digest(request.cookies.get(COOKIE, ""))


def again(sessions: Sessions) -> Authenticate:
    """Return what looks up who asks once more, also when the view has returned."""
    secret, request_id, address = request.cookies.get(COOKIE, ""), g.request_id, g.address

    def authenticate(*, since: float) -> Caller:
        del since  # a session is looked up anew each time
        return sessions.caller(secret, request_id, address)

    return authenticate


def signed_in(secret: str, following: str) -> Response:
    """Return the answer that gives the browser its session."""
    response = see(following)
    response.set_cookie(
        COOKIE, secret, max_age=int(LASTS_S), path=PATH, httponly=True, samesite="Lax", secure=request.is_secure
    )
    return response


def signed_out() -> Response:
    """Return the answer that takes the cookie away."""
    response = see(url_for("ui.sign_in_form"))
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


def see(address: str) -> Response:
    """Return the answer to a form that was done: the browser goes on to another page."""
    response = redirect(address, 303)
    assert isinstance(response, Response)
    return response


def safe_next(address: str | None) -> str:
    """Return where to go after signing in: a page of ours, the first one where ``address`` is none."""
    parts = urlsplit(address or "")
    ours = parts.path == PATH or parts.path.startswith(f"{PATH}/")
    if address and ours and not parts.scheme and not parts.netloc and address.isprintable() and "\\" not in address:
        return address
    return url_for("ui.overview")


def is_signed_in(sessions: Sessions) -> bool:
    """Tell whether this browser has a session that lives."""
    try:
        sessions.caller(request.cookies.get(COOKIE, ""), g.request_id, g.address)
    except Unauthenticated:
        return False
    return True


def _same_site() -> None:
    """Refuse what a browser says another site has sent. Older ones say only from where."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        good = site in ("same-origin", "none")
    else:
        good = origin is None or urlsplit(origin).netloc == request.host
    if not good:
        raise Forbidden(_NOT_OURS)


def _bound_to_session() -> str:
    """Return what a form carries to show that it is of this session's pages; another one on each page.

    (A constant one in a compressed page could be guessed letter by letter from the page's length.)
    """
    return _sealed(secrets.token_hex(_SALT_CHARACTERS // 2), request.cookies.get(COOKIE, ""))


def _is_bound(given: str, secret: str) -> bool:
    return given.isascii() and hmac.compare_digest(given, _sealed(given[:_SALT_CHARACTERS], secret))


def _sealed(salt: str, secret: str) -> str:
    return salt + hmac.digest(secret.encode(), f"form {salt}".encode(), hashlib.sha256).hex()

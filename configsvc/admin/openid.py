"""Signing in at an OpenID provider: there, and back. Both are links, for a form may not lead to another site."""

import secrets
from collections.abc import Callable
from urllib.parse import quote, unquote

from flask import Blueprint, Response, redirect, request

from configsvc.admin.guard import PATH, safe_next, signed_in
from configsvc.admin.sign_in import door, visit
from configsvc.errors import RequestError, Unauthenticated, Unavailable
from configsvc.service.openid import Journey, Provider
from configsvc.service.people import People

#: Holds the journey's secret and where it leads, from leaving to coming back.
COOKIE = "configsvc_openid"
_COOKIE_PATH = f"{PATH}/openid"
#: As long as signing in there may take.
_LASTS_S = 900


def add(routes: Blueprint, provider: Provider, people: People, note: Callable[[RequestError], None]) -> None:
    """Add the way there and back; ``note`` sees every attempt that failed."""

    @routes.get("/openid", endpoint="openid")
    def leave() -> Response:
        following, journey = safe_next(request.args.get("next")), Journey(secrets.token_urlsafe(32))
        try:
            response = redirect(provider.address(journey), 303)
        except Unavailable as error:
            return door(following, {"openid": error.detail}, 503)
        assert isinstance(response, Response)
        response.set_cookie(
            COOKIE,
            f"{journey.secret}.{quote(following, safe='')}",
            max_age=_LASTS_S,
            path=_COOKIE_PATH,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure,
        )
        return response

    @routes.get("/openid/back", endpoint="openid_back")
    def back() -> Response:
        secret, _, kept = request.cookies.get(COOKIE, "").partition(".")
        following = safe_next(unquote(kept))
        try:
            response = signed_in(
                people.enter(provider.claims(Journey(secret), _code(Journey(secret))), visit()), following
            )
        except Unauthenticated as error:
            note(error)
            response = door(following, {"openid": error.detail}, 422)
        except Unavailable as error:
            response = door(following, {"openid": error.detail}, 503)
        # Good for one answer, whatever it was.
        response.delete_cookie(COOKIE, path=_COOKIE_PATH, httponly=True, samesite="Lax", secure=request.is_secure)
        return response


def _code(journey: Journey) -> str:
    if not journey.secret or not journey.is_of(request.args.get("state", "")):
        raise Unauthenticated(
            "this answer of the provider is not for a sign-in that began in this browser: begin again"
        )
    if "error" in request.args:
        raise Unauthenticated(f"the provider refused the sign-in: {request.args['error'][:100]}")
    return request.args.get("code", "")

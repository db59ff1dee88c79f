"""Signing in and out."""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, g, make_response, render_template, request

from configsvc.admin.guard import COOKIE, caller, is_signed_in, safe_next, see, signed_in, signed_out
from configsvc.errors import RequestError, Unauthenticated
from configsvc.service.sessions import Sessions
from configsvc.service.sign_in import SignIn, Visit


def add(
    routes: Blueprint,
    sign_in: SignIn,
    sessions: Sessions,
    note: Callable[[RequestError], None],
    *,
    only_openid: bool,
) -> None:
    """Add the pages; ``note`` sees every attempt that failed; ``only_openid``: passwords and tokens are refused."""
    routes.app_context_processor(lambda: {"only_openid": only_openid})

    @routes.get("/sign-in", endpoint="sign_in_form")
    def form() -> Response:
        following = safe_next(request.args.get("next"))
        if is_signed_in(sessions):
            return see(following)
        return door(following, {})

    @routes.post("/sign-in", endpoint="sign_in")
    def enter() -> Response:
        given, following = request.form, safe_next(request.form.get("next"))
        if only_openid:
            return door(following, {"openid": "passwords and tokens are not taken here"}, 403)
        try:
            if "token" in given:
                secret = sign_in.by_token(given["token"].strip(), visit())
            else:
                secret = sign_in.by_password(given.get("name", ""), given.get("password", ""), visit())
        except Unauthenticated as error:
            note(error)
            errors = {"token" if "token" in given else "password": error.detail}
            return door(following, errors, 422, given.get("name", ""))
        return signed_in(secret, following)

    @routes.get("/sign-in/<secret>", endpoint="link")
    def link(secret: str) -> str:
        return render_template("sign_in_link.html", name=sign_in.name_of_link(secret))

    @routes.post("/sign-in/<secret>", endpoint="use_link")
    def use_link(secret: str) -> Response:
        return signed_in(sign_in.by_link(secret, visit()), safe_next(None))

    @routes.post("/sign-out", endpoint="sign_out")
    def leave() -> Response:
        sessions.end(caller(), request.cookies.get(COOKIE, ""))
        return signed_out()


def door(following: str, errors: Mapping[str, str], status: int = 200, name: str = "") -> Response:
    """Return the page with all ways in; ``errors``: what went wrong, by the way that was tried."""
    return make_response(render_template("sign_in.html", following=following, errors=errors, name=name), status)


def visit() -> Visit:
    """Return where this attempt comes from."""
    return Visit(g.request_id, g.address)

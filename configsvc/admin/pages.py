"""The blueprint of the pages: what they share, and where each area adds its own."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from configsvc.admin import (
    audit,
    change_requests,
    comparison,
    drafts,
    edits,
    encryption,
    environments,
    errors,
    guard,
    history,
    keys,
    live,
    namespaces,
    overview,
    rendering,
    rollout,
    tokens,
    watchers,
)
from configsvc.admin import sign_in as sign_in_pages
from configsvc.errors import NotFound, RequestError
from configsvc.service.audit import Audit
from configsvc.service.catalog import Catalog
from configsvc.service.change_requests import ChangeRequests
from configsvc.service.comparisons import Comparisons
from configsvc.service.convergence import Convergence
from configsvc.service.drafts import Drafts
from configsvc.service.encryption import Encryption
from configsvc.service.history import History
from configsvc.service.keys import Keys
from configsvc.service.moves import Moves
from configsvc.service.people import People
from configsvc.service.plans import Plans
from configsvc.service.rates import Rates
from configsvc.service.releases import Releases
from configsvc.service.sessions import Sessions
from configsvc.service.sign_in import SignIn
from configsvc.service.tokens import Tokens
from configsvc.service.watchers import Watchers

NAME = "ui"
#: Nothing of anybody else's, and no script or style inside a page: what somebody wrote into a value can't run.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_TEXTS = ("text/html", "text/css", "text/javascript")
if TYPE_CHECKING:
    from configsvc.service.openid import Provider

#: Less is not worth compressing.
_COMPRESSED_BYTES_MIN = 1_000
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Services:
    """The use cases that the pages call."""

    catalog: Catalog
    comparisons: Comparisons
    keys: Keys
    history: History
    gate: Releases
    plans: Plans
    requests: ChangeRequests
    watchers: Watchers
    convergence: Convergence
    audit: Audit
    tokens: Tokens
    moves: Moves
    encryption: Encryption
    drafts: Drafts


@dataclass(frozen=True)
class OpenId:
    """Signing in at a provider; ``name``: what the sign-in page calls it; ``only``: beside it links alone sign in."""

    name: str
    only: bool
    provider: "Provider"
    people: People


def blueprint(
    services: Services,
    sessions: Sessions,
    sign_in: SignIn,
    rates: Rates,
    statuses: Mapping[str, int],
    note: Callable[[RequestError], None],
    stream: live.Stream,
    provider: OpenId | None,
) -> Blueprint:
    """Make the blueprint. ``statuses``: the HTTP status of each error's code; ``note`` sees every error of ours;
    ``stream`` makes an answer of server-sent events; ``provider`` None: nobody signs in at one.
    """
    routes = Blueprint(NAME, __name__, url_prefix="/ui", template_folder="templates", static_folder="static")
    guard.register(routes, sessions, rates)
    errors.register(routes, statuses, note)
    rendering.register(routes)
    sign_in_pages.add(routes, sign_in, sessions, note, only_openid=provider is not None and provider.only)
    if provider is not None:
        # Authlib and what it brings: a seventh of a worker's start, for those who have a provider.
        from configsvc.admin import openid

        openid.add(routes, provider.provider, provider.people, note)
        routes.app_context_processor(lambda: {"openid_name": provider.name})
    overview.add(routes, services.catalog, services.history, services.watchers, services.requests)
    namespaces.add(routes, services.catalog, services.comparisons, services.drafts)
    edits.add(
        routes,
        services.keys,
        services.catalog,
        services.history,
        services.gate,
        services.requests,
        services.drafts,
    )
    drafts.add(routes, services.catalog, services.drafts)
    history.add(routes, services.catalog, services.history, services.plans, services.requests)
    comparison.add(routes, services.catalog, services.history, services.comparisons, services.plans, services.requests)
    change_requests.add(routes, services.requests)
    audit.add(routes, services.audit, services.catalog)
    rollout.add(routes, services.convergence, sessions)
    tokens.add(routes, services.tokens, services.catalog)
    environments.add(routes, services.catalog)
    keys.add(routes, services.keys)
    encryption.add(routes, services.encryption)
    live.add(routes, services.moves, sessions, stream)
    watchers.add(routes, services.catalog, services.watchers)

    @routes.get("/bootstrap.css", endpoint="style")
    def style() -> Response:
        response = Response(_style(), mimetype="text/css")
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"  # its address names the version
        return response

    # What is not there is a page, too.
    @routes.route("/<path:rest>", methods=["GET", "POST"], endpoint="nothing")
    def nothing(rest: str) -> str:
        raise NotFound(f"there is no page {rest}")

    routes.after_request(_finish)
    return routes


def _finish(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    # Where a form is from is what its sending is checked by; other sites learn nothing.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype in _TEXTS and "Content-Encoding" not in response.headers:
        _compress(response)
    return response


def _compress(response: Response) -> None:
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] <= 0 or response.status_code == 304:
        return
    response.direct_passthrough = False
    data = response.get_data()
    if len(data) >= _COMPRESSED_BYTES_MIN:
        response.set_data(gzip.compress(data, compresslevel=6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"


@cache
def _style() -> bytes:
    return gzip.compress((files("flask_bootstrap") / "static/bootstrap5/css/bootstrap.min.css").read_bytes(), mtime=0)

"""The composition root: the only place where the service's objects are made and wired."""

import logging
from collections.abc import Callable

from flask import Flask

from configsvc.admin import pages
from configsvc.admin.pages import OpenId, Services
from configsvc.api import access as access_api
from configsvc.api import addresses, comparisons, health, keys, problems, requests, watchers, writes
from configsvc.api import audit as audit_api
from configsvc.api import catalog as catalog_api
from configsvc.api import change_requests as requests_api
from configsvc.api import history as history_api
from configsvc.api import metrics as metrics_api
from configsvc.api import settings as settings_api
from configsvc.api import sync as sync_api
from configsvc.api.door import BODY_BYTES_MAX
from configsvc.api.events import Events
from configsvc.api.held import stream
from configsvc.api.lane import Lane
from configsvc.api.openapi import route as openapi
from configsvc.api.routing import App
from configsvc.api.shortcut import Shortcut
from configsvc.api.sync import Syncs
from configsvc.api.times import Times
from configsvc.crypto import private_file
from configsvc.crypto.datakeys import DataKeys
from configsvc.crypto.providers import open_provider
from configsvc.crypto.signing import Signer
from configsvc.delivery.accounts import PushAccounts
from configsvc.delivery.hub import Hub
from configsvc.delivery.lookout import Lookout
from configsvc.delivery.pace import Pace
from configsvc.delivery.pulse import Pulse
from configsvc.delivery.reports import Reports
from configsvc.service.access import Authenticator, Permissions
from configsvc.service.audit import Audit, Refusals
from configsvc.service.bodies import Bodies
from configsvc.service.catalog import Catalog
from configsvc.service.change_requests import ChangeRequests
from configsvc.service.comparisons import Comparisons
from configsvc.service.convergence import Convergence
from configsvc.service.drafts import Drafts
from configsvc.service.encryption import Encryption
from configsvc.service.history import History
from configsvc.service.holds import Holds
from configsvc.service.keys import Keys
from configsvc.service.metrics import Metrics
from configsvc.service.moves import Moves
from configsvc.service.people import Claiming, People
from configsvc.service.plans import Plans
from configsvc.service.promotions import Promotions
from configsvc.service.rates import Rates
from configsvc.service.readiness import Probe
from configsvc.service.reading import Reading
from configsvc.service.releases import Releases
from configsvc.service.secrecy import Secrecy
from configsvc.service.secrets import Secrets
from configsvc.service.sessions import Sessions
from configsvc.service.sign_in import SignIn
from configsvc.service.sync import Sync
from configsvc.service.throttle import Throttle
from configsvc.service.tokens import Tokens
from configsvc.service.watchers import Watchers
from configsvc.settings import Settings
from configsvc.store.database import Database


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application.

    Nothing connects before the first request, so an application made before a fork serves after it.

    ``settings``: None reads the ``CONFIGSVC_*`` variables.
    """
    settings = settings or Settings.from_environ()
    logging.getLogger("configsvc").setLevel(settings.log_level.upper())
    database = Database(settings.database_url)
    signer = Signer.load(settings.signing_key_file)
    authenticator = Authenticator(database)
    refusals = Refusals(database)
    keeper = open_provider(settings.keys, settings.other_keys) if settings.keys else None
    data_keys = DataKeys(keeper) if keeper else None
    secrets = Secrets(database, data_keys)
    bodies = Bodies(database, secrets)
    history = History(database, bodies)
    gate = Releases(database, secrets, signer.derive("idempotency"))
    reading = Reading(database, bodies, secrets)
    beside = Comparisons(database, reading, history, secrets)
    promotions = Promotions(database, beside, gate)
    hub = Hub(settings.database_url, database)
    pace = Pace(settings.next_sync_s)
    reports = Reports(database, pace)
    holds, lookout = Holds(settings.token_held_max), Lookout(database)
    sync = Sync(database, bodies, hub, holds, reports)
    events = Events(sync, holds)
    convergence = Convergence(database, history, holds, lookout)
    catalog, declared = Catalog(database), Keys(database, secrets)
    plans, watching = Plans(database, history, gate), Watchers(database)
    change_requests = ChangeRequests(database, gate, promotions)
    rates, note = Rates(settings.token_requests_per_s), audit_api.refusals(refusals)
    pulse = Pulse(settings.redis_url)
    sessions, trail, tokens = Sessions(database), Audit(database), Tokens(database)

    app = App(__name__, static_folder=None)
    # One byte more than is taken: a body of untold length is cut there without an error, and the door has to see it.
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX + 1
    app.url_map.merge_slashes = False  # a redirect would hide a slip in a name
    problems.register(app, note)
    times, start = Times(), (hub.start, reports.start)  # at the first request, in the process that serves it
    requests.register(app, authenticator, rates, times, start, elsewhere=(pages.NAME,))
    app.register_blueprint(openapi.blueprint())
    app.register_blueprint(health.blueprint(Probe(database, pulse, lambda: hub.heard_at)))
    app.register_blueprint(metrics_api.blueprint(Metrics(database), times))
    app.register_blueprint(catalog_api.blueprint(catalog))
    app.register_blueprint(keys.blueprint(declared, Secrecy(database, secrets, gate)))
    app.register_blueprint(settings_api.blueprint(reading, history))
    app.register_blueprint(comparisons.blueprint(beside))
    app.register_blueprint(history_api.blueprint(history))
    app.register_blueprint(writes.blueprint(gate, plans, promotions))
    app.register_blueprint(requests_api.blueprint(change_requests, gate))
    app.register_blueprint(access_api.blueprint(tokens, Permissions(database)))
    app.register_blueprint(audit_api.blueprint(trail))
    app.register_blueprint(watchers.blueprint(authenticator, watching, convergence))
    syncs = Syncs(sync, _push(settings, signer), pace.next_sync_s)
    app.register_blueprint(sync_api.blueprint(authenticator, sync, syncs, events))
    services = Services(
        catalog,
        beside,
        declared,
        history,
        gate,
        plans,
        change_requests,
        watching,
        convergence,
        trail,
        tokens,
        Moves(hub, holds),
        Encryption(database, data_keys),
        Drafts(database, gate, change_requests),
    )
    sign_in = SignIn(database, authenticator, sessions, Throttle())
    app.register_blueprint(
        pages.blueprint(
            services, sessions, sign_in, rates, problems.STATUS, note, stream, _openid(settings, database, sessions)
        )
    )
    shortcut = Shortcut(app, authenticator, rates, syncs, times, start)
    app.wsgi_app = shortcut  # type: ignore[method-assign]  # Flask's own way
    addresses.trust(app, settings.trusted_proxies)
    app.wsgi_app = Lane(app.wsgi_app)  # type: ignore[method-assign]
    app.extensions["configsvc.end"] = (holds.end, events.end, hub.end, lookout.end)
    app.extensions["configsvc"] = (reports, refusals, hub, database, pulse)
    return app


def _openid(settings: Settings, database: Database, sessions: Sessions) -> OpenId | None:
    """What signs people in at the provider that the settings name."""
    oidc = settings.oidc
    if oidc is None:
        return None
    from configsvc.service.openid import Client, Provider

    file = oidc.client_secret_file
    secret = None if file is None else private_file.read(file).decode().strip()
    client = Client(oidc.issuer, oidc.client_id, secret, oidc.redirect_url, oidc.scopes)
    claims = Claiming(oidc.name_claim, oidc.roles_claim, oidc.may)
    return OpenId(oidc.provider_name, oidc.only, Provider(client), People(database, sessions, claims))


def _push(settings: Settings, signer: Signer) -> Callable[[str], object]:
    """What a client of an environment needs to subscribe."""
    template = settings.push_redis_url
    if template is None:
        return lambda _env: None
    accounts = PushAccounts(template, signer)
    return lambda env: {"url": accounts.url(env), "keys": signer.public_keys}


def close(app: Flask) -> None:
    """Stop what the requests have started: threads and connections. For whoever outlives the app."""
    reports, refusals, hub, database, pulse = app.extensions["configsvc"]
    for end in app.extensions["configsvc.end"]:
        end()
    reports.stop()
    refusals.flush()
    hub.stop()
    database.close()
    pulse.close()

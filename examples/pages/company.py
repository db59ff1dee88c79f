"""A small company with some weeks behind it: what its people did, through the API, and what runs there now."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from configsvc.dev.stack import Stack
from configsvc.service import tokens
from configsvc.service.tokens import Wanted
from configsvc.store.access import NewGrant
from configsvc.store.database import Database
from configsvc.store.watch import Report, report

_TIMEOUT_S = 10
#: Longer than the pictures take.
_LIVE_S = 3600.0
PEOPLE = {
    "ada": [NewGrant("admin", "*", None)],
    "grace": [NewGrant("ops", "*", None)],
    "linus": [NewGrant("developer", "*", None)],
    "margaret": [NewGrant("developer", "search*", None), NewGrant("viewer", "*", None)],
}
NAMESPACES = {"checkout": "Basket, delivery and the way to pay", "mail": "What customers are written, and by whom"}
#: namespace, key, type, what it is, schema or None, whether it is secret
KEYS: tuple[tuple[str, str, str, str, Mapping[str, object] | None, bool], ...] = (
    ("payments", "rate_limit", "int", "Payments a minute for one customer", {"minimum": 1, "maximum": 10_000}, False),
    ("payments", "currency", "string", "What prices are in", {"enum": ["EUR", "CHF", "GBP", "USD"]}, False),
    ("payments", "fee", "float", "Our share of a payment", {"minimum": 0, "maximum": 0.1}, False),
    ("payments", "three_d_secure", "bool", "Ask the bank before each payment", None, False),
    ("payments", "retries", "json", "When a payment is tried again", None, False),
    ("payments", "provider_url", "string", "Where payments go", None, False),
    ("payments", "provider_key", "string", "By which the provider knows us", None, True),
    ("checkout", "free_delivery_from", "int", "Sum of a basket, in cents", {"minimum": 0}, False),
    ("checkout", "express", "bool", "Offer delivery by tomorrow", None, False),
    ("checkout", "banner", "string", "What stands above the basket", None, False),
    ("search", "ranking", "json", "Weight of each part of a match", None, False),
    ("search", "suggestions", "bool", "Suggest while somebody types", None, False),
    ("search", "timeout_ms", "int", "How long a search may take", {"minimum": 10, "maximum": 5_000}, False),
    ("mail", "sender", "string", "Who letters are from", None, False),
    ("global", "log_level", "string", "How much is logged", {"enum": ["debug", "info", "warning"]}, False),
    ("global", "maintenance", "bool", "Show the page that says so", None, False),
)
_RETRIES = {"after_s": [1, 5, 30], "give_up_after_s": 900, "on": ["timeout", "busy"]}
_RANKING = {"title": 4, "brand": 2, "description": 1}
#: What each environment began with.
FIRST: dict[str, dict[str, dict[str, object]]] = {
    "development": {
        "payments": {"rate_limit": 600, "currency": "EUR", "fee": 0.02, "three_d_secure": False, "retries": _RETRIES,
                     "provider_url": "https://sandbox.pay.example/v2", "provider_key": "sandbox-1"},
        "checkout": {"free_delivery_from": 2_900, "express": True, "banner": "Two for one on all teapots"},
        "search": {"ranking": _RANKING, "suggestions": True, "timeout_ms": 400},
        "mail": {"sender": "shop@dev.example"},
        "global": {"log_level": "debug", "maintenance": False},
    },
    "staging": {
        "payments": {"rate_limit": 600, "currency": "EUR", "fee": 0.02, "three_d_secure": True, "retries": _RETRIES,
                     "provider_url": "https://sandbox.pay.example/v2", "provider_key": "sandbox-2"},
        "checkout": {"free_delivery_from": 4_900, "express": True, "banner": "Two for one on all teapots"},
        "search": {"ranking": _RANKING, "suggestions": True, "timeout_ms": 250},
        "global": {"log_level": "info", "maintenance": False},
    },
    "production": {
        "payments": {"rate_limit": 500, "currency": "EUR", "fee": 0.019, "three_d_secure": True, "retries": _RETRIES,
                     "provider_url": "https://pay.example/v2", "provider_key": "of production"},
        "checkout": {"free_delivery_from": 4_900, "express": False, "banner": ""},
        "search": {"ranking": _RANKING, "suggestions": True, "timeout_ms": 250},
        "mail": {"sender": "hello@shop.example"},
        "global": {"log_level": "warning", "maintenance": False},
    },
}  # fmt: skip
#: Then, one after the other: who, where, what, why.
LATER = (
    ("linus", "development", [("payments", "retries", {**_RETRIES, "after_s": [1, 2, 4, 8]})], "Try sooner"),
    ("margaret", "staging", [("search", "timeout_ms", 300), ("search", "suggestions", False)], "Rehearse a slow day"),
    ("grace", "staging", [("payments", "rate_limit", 900)], "As agreed with the bank"),
    ("linus", "development", [("checkout", "banner", "Black Friday: everything must go")], "Black Friday"),
    ("ada", "development", [("payments", "currency", "CHF"), ("payments", "fee", 0.021)], "Try the Swiss shop"),
)
#: Who runs: service, host, environment, what it follows, how it hears, releases behind, why it refuses newer ones.
INSTANCES = (
    *(("web-shop", f"web-{number}", "production", ("checkout", "payments", "global"), "redis", 0, None)
      for number in range(1, 5)),
    ("billing", "jobs-1", "production", ("payments", "global"), "redis", 0, None),
    ("billing", "jobs-2", "production", ("payments", "global"), "longpoll", 1, None),
    ("fraud-check", "jobs-3", "production", ("payments",), "redis", 1, "rate_limit 800: this was built for 600"),
    ("search", "search-1", "production", ("search", "global"), "redis", 0, None),
    ("web-shop", "stage-1", "staging", ("checkout", "payments", "global"), "redis", 0, None),
    ("search", "stage-2", "staging", ("search", "global"), "longpoll", 0, None),
    ("web-shop", "linus-laptop", "development", ("checkout", "payments", "global"), "redis", 0, None),
)  # fmt: skip


class Company:
    """Fills a stack that is new."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._tokens = dict(stack.tokens)

    def begin(self) -> None:
        """Let everything have happened."""
        for name, grants in PEOPLE.items():
            self._tokens[name] = tokens.create(self._stack.database_url, Wanted(name, grants), actor="the operator")
        for name, description in NAMESPACES.items():
            self.call("ada", "POST", "/v1/namespaces", {"name": name, "description": description})
        for namespace, key, type_, description, schema, secret in KEYS:
            declared = {"key": key, "type": type_, "description": description, "secret": secret}
            declared |= {} if schema is None else {"schema": schema}
            self.call("ada", "POST", f"/v1/namespaces/{namespace}/keys", declared)
        for env, namespaces in FIRST.items():
            changes = [(ns, key, value) for ns, values in namespaces.items() for key, value in values.items()]
            glass = {"break_glass": {"reason": "The shop opens"}} if env == "production" else {}
            self._release("grace", env, changes, "The first settings", **glass)
        for who, env, changes, note in LATER:
            self._release(who, env, changes, note)
        self._propose_and_review()
        self._run()

    def call(self, who: str, method: str, path: str, body: object = None) -> Any:
        """Call the API as somebody."""
        headers = {"Authorization": f"Bearer {self._tokens[who]}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._stack.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return json.load(answer)

    def _release(self, who: str, env: str, changes: Any, note: str, **more: object) -> None:
        self.call(who, "POST", f"/v1/envs/{env}/releases", {"changes": _changes(changes), "note": note, **more})

    def _propose(self, who: str, changes: Any, note: str) -> str:
        body = {"changes": _changes(changes), "note": note}
        return f"/v1/requests/{self.call(who, 'POST', '/v1/envs/production/requests', body)['id']}"

    def _propose_and_review(self) -> None:
        approve = {"decision": "approve", "comment": "The bank has confirmed it."}
        done = self._propose("linus", [("payments", "rate_limit", 800)], "More, for Black Friday")
        self.call("grace", "POST", f"{done}/reviews", approve)
        self.call("linus", "POST", f"{done}/apply")
        approved = self._propose("linus", [("checkout", "express", True)], "Offer express everywhere")
        self.call("grace", "POST", f"{approved}/reviews", {"decision": "approve", "comment": "Ship it on Monday."})
        banner = [("checkout", "banner", "Black Friday: everything must go"), ("checkout", "free_delivery_from", 2_900)]
        opened = self._propose("linus", banner, "Black Friday")
        comment = {"decision": "comment", "comment": "Does the warehouse know about free delivery from 29 €?"}
        self.call("grace", "POST", f"{opened}/reviews", comment)
        answer = {"decision": "comment", "comment": "It does, until Sunday evening."}
        self.call("linus", "POST", f"{opened}/reviews", answer)
        refused = self._propose("linus", [("payments", "fee", 0.03)], "A larger share")
        self.call("ada", "POST", f"{refused}/reviews", {"decision": "reject", "comment": "Not before the contract is."})

    def _run(self) -> None:
        """Let instances report. Invented hosts: a picture is no place for the name of this machine."""
        said = []
        for number, (service, host, env, namespaces, transport, behind, rejected) in enumerate(INSTANCES):
            releases = self.call("ada", "GET", f"/v1/envs/{env}/releases?limit={behind + 1}")["items"]
            shown = self.call("ada", "GET", f"/v1/envs/{env}/releases/{releases[-1]['revision']}")
            said.append(
                Report(
                    client_id=f"sample-{number}",
                    env=env,
                    namespaces=namespaces,
                    service=service,
                    host=host,
                    pid=4_000 + 17 * number,
                    sdk="python/0.1",
                    transport=transport,
                    revision=shown["revision"],
                    cursor=shown["cursor"],
                    rejected=rejected,
                )
            )
        database = Database(self._stack.database_url)
        report(database, [(one, 0.0) for one in said], _LIVE_S)
        database.close()


def _changes(changes: Any) -> list[dict[str, object]]:
    return [{"namespace": namespace, "key": key, "value": value} for namespace, key, value in changes]

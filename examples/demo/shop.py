"""The shop's settings and its day, and the requests that make them so."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import urllib3

FILES = Path(__file__).parent.parent / "shop"
ENVIRONMENT = "development"
REQUEST_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Release:
    """One atomic set of changes, and why somebody makes it."""

    note: str
    changes: list[dict[str, Any]]

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """From an entry of day.json."""
        return cls(data["note"], data["changes"])

    def __str__(self) -> str:
        if len(self.changes) > 1:
            return f"{self.note} ({len(self.changes)} keys)"
        (change,) = self.changes
        return f"{change['namespace']}/{change['key']} → {json.dumps(change['value'], ensure_ascii=False)}"


@dataclass(frozen=True)
class Committed:
    """What the service said about a release; when it was asked, and when it had answered."""

    release: Release
    revision: int
    sent_ns: int
    answered_ns: int


def read_settings() -> dict[str, dict[str, dict[str, Any]]]:
    """namespace → key → {"type", "value", maybe "description"}."""
    return dict(json.loads((FILES / "settings.json").read_text("utf-8")))


def read_day() -> dict[str, list[Release]]:
    """The releases of a day, by the part of the story that they belong to."""
    day = json.loads((FILES / "day.json").read_text("utf-8"))
    return {part: [Release.read(entry) for entry in entries] for part, entries in day.items()}


class Office:
    """Those who run the shop: they declare its keys and change its settings, over the HTTP API."""

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        self._url = url
        self._tokens = tokens
        self._http = urllib3.PoolManager(timeout=REQUEST_TIMEOUT_S)

    def open_shop(self, settings: dict[str, dict[str, dict[str, Any]]]) -> Committed:
        """Declares every key, then gives all of them their first value in one release."""
        changes = []
        for namespace, keys in settings.items():
            self._create_namespace(namespace)
            for key, entry in keys.items():
                declaration = {"key": key, "type": entry["type"], "description": entry.get("description", "")}
                self._call("developer", "POST", f"/v1/namespaces/{namespace}/keys", declaration)
                changes.append({"namespace": namespace, "key": key, "value": entry["value"]})
        return self.commit(Release("The shop opens", changes))

    def commit(self, release: Release) -> Committed:
        """One key by PUT, several by one release over their namespaces."""
        method, path, body = "POST", f"/v1/envs/{ENVIRONMENT}/releases", {"changes": release.changes}
        if len(release.changes) == 1:
            (change,) = release.changes
            path = f"/v1/namespaces/{change['namespace']}/envs/{ENVIRONMENT}/config/{change['key']}"
            method, body = "PUT", {"value": change["value"]}
        sent_ns = time.monotonic_ns()
        answer = self._call("developer", method, path, body | {"note": release.note})
        return Committed(release, answer["revision"], sent_ns, time.monotonic_ns())

    def _create_namespace(self, name: str) -> None:
        description = f"The shop's {name}"
        # 409: `configsvc dev` brings some namespaces along as samples.
        self._call("admin", "POST", "/v1/namespaces", {"name": name, "description": description}, also_fine=409)

    def _call(self, role: str, method: str, path: str, body: dict[str, Any], also_fine: int = 200) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._tokens[role]}"}
        response = self._http.request(method, self._url + path, json=body, headers=headers)
        answer: dict[str, Any] = response.json()
        if response.status not in (200, 201, also_fine):
            raise RuntimeError(f"{method} {path} was answered {response.status}: {answer.get('detail')}")
        return answer

"""Environments beside each other, for people and tools that promote."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.requests import caller
from configsvc.service import answers
from configsvc.service.comparisons import Compared, Comparison, Comparisons

#: Environments beside each other, each of them up to 16 MiB.
ENVS_MAX = 5


def blueprint(comparisons: Comparisons) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("comparisons", __name__)

    @routes.get("/v1/namespaces/<namespace>/compare")
    def compare(namespace: str) -> Response:
        envs = door.envs(door.parameters(request, ("envs",)), 2, ENVS_MAX)
        return render.json_response(_document(namespace, comparisons.compare(caller(), namespace, envs)))

    return routes


def _document(namespace: str, comparison: Comparison) -> dict[str, object]:
    return {
        "namespace": namespace,
        "envs": [{"env": label.env, "revision": label.revision, "cursor": label.cursor} for label in comparison.labels],
        "keys": [_key(compared, [label.env for label in comparison.labels]) for compared in comparison.keys],
    }


def _key(compared: Compared, envs: list[str]) -> dict[str, object]:
    return {
        "key": compared.key["name"],
        "type": compared.key["type"],
        "secret": compared.key["secret"],
        "same": compared.same,
        "envs": {env: row and _state(row) for env, row in zip(envs, compared.rows, strict=True)},
    }


def _state(row: Mapping[str, Any]) -> dict[str, object] | None:
    return answers.state(row["version"], row["value"], row["fingerprint"])

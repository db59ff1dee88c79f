"""What docs/*.md tells an operator to alert on is there, in an exposition that Prometheus' parser takes."""

import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from configclient import ConfigClient
from configclient.prometheus import StatusCollector
from configsvc import meters
from configsvc.dev.stack import Stack
from tests.delivery import wait_until

DOCS = Path(__file__).parents[3] / "docs"
_YAML = re.compile(r"```yaml\n(groups:\n.*?)```", re.DOTALL)
_SELECTOR = re.compile(r"\b(config(?:svc|client)_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)(?:=|!=|=~|!~)"')

Series = dict[str, set[str]]


def rules_of(page: str) -> list[dict[str, Any]]:
    """The alerts of a page."""
    blocks = [YAML(typ="safe").load(text) for text in _YAML.findall((DOCS / page).read_text("utf-8"))]
    return [rule for block in blocks for group in block["groups"] for rule in group["rules"]]


def series_of(text: str) -> Series:
    """The names of all samples, and the labels that each has."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def missing_from(series: Series, rules: list[dict[str, Any]]) -> list[str]:
    """Which alert asks for what nobody exposes: it would never fire."""
    missing = []
    for rule in rules:
        assert rule["annotations"]["summary"]
        for name, labels in _SELECTOR.findall(rule["expr"]):
            unknown = set(_LABEL.findall(labels)) - series.get(name, set())
            if name not in series or unknown:
                missing.append(f"{rule['alert']}: {name} {sorted(unknown)}")
    return missing


# Two stacks are started, and one loses its Redis.
pytestmark = [pytest.mark.long]


@pytest.fixture(scope="module")
def exposition(stack: Stack) -> str:
    """What a running service tells when it has been used and Redis was away: by more than one worker, and the relay."""
    token = stack.tokens["admin"]

    def send(path: str, method: str = "GET", body: bytes | None = None) -> str:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(stack.url + path, body, headers, method=method)) as answer:
            return str(answer.read().decode())

    send("/v1/namespaces/payments/envs/staging/config/limit", "PUT", b'{"value": 1, "type": "int"}')
    stack.part("valkey").stop()
    with ConfigClient("shop", "staging", ["payments"], url=stack.url, token=stack.tokens["service"]):
        wait_until(lambda: 'configsvc_faults_total{part="relay_redis"}' in send("/metrics"))
        wait_until(lambda: 'configsvc_watchers{env="staging"' in send("/metrics"))
        text = send("/metrics")
    stack.part("valkey").start()
    return text


def test_every_alert_of_the_service_can_fire(exposition: str) -> None:
    """Each metric and label in it is exposed; so is each that the tables name."""
    series = series_of(exposition)
    rules = rules_of("operations.md")
    assert len(rules) >= 10
    assert missing_from(series, rules) == []
    page = (DOCS / "operations.md").read_text("utf-8")
    named = set(re.findall(r"`(configsvc_[a-z0-9_]+)`", page[page.index("## Metrics") : page.index("## Many clients")]))
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in series}
    assert {name for name in named if name not in series and name not in families} - {"configsvc_service"} == set()


def test_an_alert_for_what_is_not_there_is_found(exposition: str) -> None:
    """This very test notices a wrong name, and a wrong label."""
    annotations = {"summary": "x"}
    wrong = [
        {"alert": "Name", "expr": "configsvc_nothing > 0", "annotations": annotations},
        {"alert": "Label", "expr": 'configsvc_watchers{region="a"} > 0', "annotations": annotations},
    ]
    assert [text.split(":")[0] for text in missing_from(series_of(exposition), wrong)] == ["Name", "Label"]


def test_every_alert_of_the_client_can_fire(stack: Stack) -> None:
    """The collector tells of a live client all that the page names; a second one with other labels fits beside it."""
    registry = CollectorRegistry()
    token = stack.tokens["service"]
    with (
        ConfigClient("shop", "staging", ["payments"], url=stack.url, token=token) as staging,
        ConfigClient("shop", "production", ["payments"], url=stack.url, token=token) as production,
    ):
        registry.register(StatusCollector(staging, {"env": "staging"}))
        registry.register(StatusCollector(production, {"env": "production"}))
        wait_until(lambda: staging.status().state == "live")
        text = generate_latest(registry).decode()
    rules = rules_of("client.md")
    assert len(rules) >= 3
    assert missing_from(series_of(text), rules) == []
    assert 'configclient_state{env="staging",state="live"} 1.0' in text
    assert 'configclient_state{env="production",state="offline"} 0.0' in text


def test_a_stopped_stack_leaves_no_counts(tmp_path: Path) -> None:
    """The folder where the processes count goes with them."""
    with Stack(tmp_path / "data") as stack:
        web = Path(f"/proc/{stack.part('web').pid}/environ").read_bytes().split(b"\0")
        [folder] = [
            Path(word.decode().partition("=")[2]) for word in web if word.startswith(meters.MULTIPROC_DIR.encode())
        ]
        assert list(folder.glob("*.db"))
    assert not folder.exists()

"""configctl looking back and going back, against a scripted service: what it asks for, and what it sends."""

from typing import Any

import pytest

from configclient.cli import _states
from configclient.cli._errors import Exit

from .conftest import Configctl, Service

SCOPE = "/v1/namespaces/payments/envs/development"
RELEASES = "/v1/envs/development/releases"
CURSOR = "46.9f3a5c0d1e2b4f60"


def release(revision: int) -> dict[str, Any]:
    """An item of a list of releases."""
    time = "2026-11-17T14:00:00.000000Z"
    origin = {"kind": "edit", "note": "", "changed_by": "ana", "created_at": time}
    return {"revision": revision, "cursor": f"{revision}.0", "namespaces": ["payments"]} | origin


def test_a_history_longer_than_a_page_is_read_page_by_page(
    service: Service, configctl: Configctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--limit is kept over pages, short ones included; the end of the list ends it."""
    monkeypatch.setattr(_states, "PAGE_ITEMS_MAX", 2)
    service.on("GET", f"{RELEASES}?limit=2", {"items": [release(9), release(8)], "next": "8"})
    service.on("GET", f"{RELEASES}?limit=2&cursor=8", {"items": [release(7)], "next": "6"})
    service.on("GET", f"{RELEASES}?limit=1&cursor=6", {"items": [release(5)], "next": "5"})
    service.on("GET", f"{RELEASES}?limit=2&cursor=6", {"items": [release(5)], "next": None})
    four, all_ = configctl("history", "--limit", "4"), configctl("history", "--limit", "9")
    for outcome, hint in ((four, "these are the newest 4; more with --limit\n"), (all_, "")):
        assert [line.split()[0] for line in outcome.out.splitlines()] == ["REVISION", "9", "8", "7", "5"]
        assert outcome.err == hint


def test_a_time_is_sent_whole(service: Service, configctl: Configctl) -> None:
    """Its + does not become a space on the way."""
    path = f"{SCOPE}/config?at=2026-11-17T14%3A00%3A00%2B00%3A00"
    service.on("GET", path, {"revision": 41, "values": {}})
    outcome = configctl("list", "payments", "--at", "2026-11-17T15:00+01:00")
    assert outcome.code == 0
    assert outcome.err.startswith("payments in development was of revision 41 at 2026-11-17T")


def test_restore_to_a_time_restores_its_revision(service: Service, configctl: Configctl) -> None:
    """The time is looked up once; what is sent, and sent again if it must be, is the revision."""
    service.on("GET", f"{SCOPE}/config?at=2026-11-17T14%3A00%3A00%2B00%3A00", {"revision": 41, "values": {}})
    service.on("POST", f"{SCOPE}/restore", {"env": "development", "revision": 46, "changed": False, "changes": []})
    outcome = configctl("restore", "payments", "--at", "2026-11-17T14:00Z", "--note", "as it was")
    assert outcome.out == "payments  unchanged, development revision 46\n"
    assert service.sent("POST")[0].body == {"revision": 41, "note": "as it was"}


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("v8", '"v8"'),
        ('"v8"', '"v8"'),
        (CURSOR, f'"r{CURSOR}"'),
        (f'"r{CURSOR}"', f'"r{CURSOR}"'),
        (f'W/"r{CURSOR}.m"', f'"r{CURSOR}"'),
    ],
)
def test_a_condition_goes_with_the_write(service: Service, configctl: Configctl, typed: str, sent: str) -> None:
    """A version, a cursor, or an ETag as the service gave it; the quotes that a shell eats are added."""
    answer = {"env": "development", "revision": 46, "changed": False, "changes": []}
    service.on("POST", f"{RELEASES}/45/undo?dry_run=true", answer | {"diff": []})
    assert configctl("undo", "45", "--dry-run", "--if-match", typed).code == 0
    assert service.sent("POST")[0].headers["If-Match"] == sent


@pytest.mark.parametrize("typed", ["8", "v", "v-1", "46.9f3a", "r46", "*", '"v8", "v9"', "v8\n"])
def test_what_is_no_state_is_no_condition(service: Service, configctl: Configctl, typed: str) -> None:
    """A condition that cannot be meant is refused before anything is sent."""
    assert configctl("undo", "45", "--if-match", typed).code == Exit.USAGE
    assert not service.requests

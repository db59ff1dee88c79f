"""Ways back: what each would change, and then going it, as a release, or as a request where a review is due."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, render_template, request, url_for

from configsvc.admin import values
from configsvc.admin.guard import see
from configsvc.domain.releases import Edit
from configsvc.errors import Conflict
from configsvc.service import answers
from configsvc.service.access import Caller
from configsvc.service.change_requests import ChangeRequests, Changes
from configsvc.service.writes import Outcome, Terms

Answer = Response | str | tuple[str, int]
_BACK_BY_HAND = "it puts back secrets, which a request takes only as new values: propose them on their own pages"


def go_back(requests: ChangeRequests, who: Caller, plan: Any, title: str, back: str, **fields: object) -> Answer:
    """Show what a way back would change; then go it, or propose it where a review is due."""
    note = values.note(request.form.get("note", ""))
    seen = plan(Terms(note, dry_run=True)).answer
    if request.form.get("step") != "save":
        return render_template(
            "back_preview.html", title=title, seen=seen, note=note, back=back, fields=fields, action=request.path
        )
    if seen["review_required"]:
        opened = requests.open(who, seen["env"], Changes(_edits(seen["changes"])), note or title)
        return see(url_for("ui.request", request_id=opened.request["id"]))
    done: Outcome = plan(Terms(note))
    if not done.answer["changed"]:
        return see(back)
    return see(url_for("ui.release", env=done.answer["env"], revision=done.answer["revision"]))


def _edits(changes: Sequence[Mapping[str, Any]]) -> list[Edit]:
    if any(change.get("secret") for change in changes):
        raise Conflict(_BACK_BY_HAND)
    return [
        Edit(change["namespace"], change["key"], change.get("value"), bool(change.get("deleted"))) for change in changes
    ]


def difference(namespace: str, row: Mapping[str, Any]) -> Mapping[str, object]:
    """Return a row of history as the table of differences shows it."""
    return {
        "namespace": namespace,
        "key": row["name"],
        "type": row["type"],
        "from": answers.state(row["from_version"], row["from_value"], row["from_fingerprint"]),
        "to": answers.state(row["to_version"], row["to_value"], row["to_fingerprint"]),
    }

"""Change requests: the list, and one of them with what it changes, what was said, and the next steps."""

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin import values
from configsvc.admin.guard import caller, see
from configsvc.admin.paging import ITEMS, number
from configsvc.domain.reviews import STATUSES
from configsvc.errors import Conflict, Malformed, RevisionMismatch, ValidationFailed
from configsvc.service import answers
from configsvc.service.change_requests import ChangeRequests
from configsvc.service.writes import Terms
from configsvc.store.change_requests import Filter

Answer = Response | str | tuple[str, int]
_REVIEWS = ("approve", "reject", "comment")


def add(routes: Blueprint, requests: ChangeRequests) -> None:
    """Add the pages."""

    @routes.get("/requests", endpoint="requests")
    def show_all() -> Answer:
        status, env = request.args.get("status"), request.args.get("env") or None
        if status is not None and status not in STATUSES:
            raise Malformed(f"there is no status {status}")
        before = number(request.args.get("before"))
        rows, following = requests.page(caller(), Filter(env=env, status=status), before, ITEMS)
        return render_template(
            "requests.html",
            rows=rows,
            following=following,
            start="before" in request.args,
            status=status,
            statuses=STATUSES,
            env=env,
        )

    @routes.get("/requests/<request_id>", endpoint="request")
    def show(request_id: str) -> Answer:
        return _page(requests, number(request_id))

    @routes.post("/requests/<request_id>", endpoint="step")
    def step(request_id: str) -> Answer:
        number_ = number(request_id)
        try:
            return see(_step(requests, number_, request.form.get("step", "")))
        except ValidationFailed as error:
            return _page(requests, number_, problem=error.errors[0][1]), 422
        except (Conflict, RevisionMismatch) as error:
            return _page(requests, number_, problem=error.detail), 409


def _step(requests: ChangeRequests, request_id: int, step: str) -> str:
    """Take a step and return where to go then."""
    comment = values.note(request.form.get("comment", ""))
    if step == "comment" and not comment:
        raise ValidationFailed([("comment", "a comment says something")])
    if step in _REVIEWS:
        requests.review(caller(), request_id, step, comment, request.form.get("digest", ""))
    elif step == "withdraw":
        requests.withdraw(caller(), request_id, comment)
    elif step == "apply":
        done = requests.apply(caller(), request_id, Terms()).answer
        return url_for("ui.release", env=done["env"], revision=done["revision"])
    return url_for("ui.request", request_id=request_id)


def _page(requests: ChangeRequests, request_id: int, problem: str = "") -> str:
    shown = requests.one(caller(), request_id)
    pending = shown.request["status"] not in ("applied", "withdrawn")
    rows = [answers.against_live(row) for row in shown.changes] if pending else []
    return render_template(
        "request.html",
        shown=shown,
        wanted=shown.request,
        diff=[row for row in rows if row],
        pending=pending,
        digest=shown.request["digest"].hex(),
        comment=request.form.get("comment", "") if problem else "",
        problem=problem,
        waits=shown.mine and shown.request["status"] == "open",
    )

"""Change requests: ``requests``, and ``approve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render_requests as render
from configclient.cli import _requests
from configclient.cli._editor import Draft
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import ENVIRONMENT, NAMESPACE, REQUEST
from configclient.cli._options import Terms, examples, on_service, on_terms_of_request
from configclient.cli._output import as_output, emit
from configclient.cli._paths import REQUESTS, request_path
from configclient.cli._states import first_items
from configclient.cli._target import Service

if TYPE_CHECKING:
    from configclient.cli._http import Api

STATUSES = ("open", "approved", "rejected", "withdrawn", "applied", "void")

HEAD = """\
# Request {id} for {env}, by {author}. Change what it proposes, then save and leave: it is open again then, and whoever
# approved it has to look again. A change has a value, "delete: true", or a schema.
# Leave without a change, and nothing is written.
"""

number_argument = click.argument("number", type=REQUEST, metavar="REQUEST")
comment_option = click.option("--comment", default="", help="What there is to say about it.")


@click.group("requests")
def requests_command() -> None:
    """List, look at, discuss and decide change requests: how protected environments change."""


@requests_command.command(
    "list",
    epilog=examples(
        "configctl requests list", "configctl requests list --env production --status applied --status void --limit 100"
    ),
)
@click.option("--env", type=ENVIRONMENT, metavar="ENV", help="Only those for this environment.")
@click.option("--namespace", type=NAMESPACE, help="Only those that touch this namespace.")
@click.option("--author", help="Only those by this token.")
@click.option(
    "--status",
    "statuses",
    type=click.Choice(STATUSES),
    multiple=True,
    help="Only those; may be repeated. Open, approved.",
)
@click.option("--all", "every", is_flag=True, help="Those that are done with, too.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@on_service
@as_output
def list_requests(
    service: Service,
    env: str | None,
    namespace: str | None,
    author: str | None,
    statuses: tuple[str, ...],
    every: bool,
    limit: int,
    output: str,
) -> None:
    """Print the change requests that wait for somebody, of all environments, newest first."""
    if every and statuses:
        raise click.UsageError("give --all or --status, not both", click.get_current_context())
    api = service.api()
    query = {"env": env, "namespace": namespace, "author": author}
    wanted = [None] if every else dict.fromkeys(statuses or _requests.WAITING)
    pages = [first_items(api, REQUESTS, {**query, "status": status}, limit) for status in wanted]
    found = sorted((each for page in pages for each in page["items"]), key=lambda each: -each["id"])
    items, more = found[:limit], len(found) > limit or any(page["next"] for page in pages)
    emit(output, {"items": items, "next": str(items[-1]["id"]) if more else None}, lambda: render.requests(items))
    if output == "text" and more:
        click.echo(f"these are the newest {limit}; more with --limit", err=True)


@requests_command.command("show", epilog=examples("configctl requests show 12", "configctl requests show 12 -o json"))
@number_argument
@on_service
@as_output
def show_request(service: Service, number: str, output: str) -> None:
    """Print all about one request: what it would change of what is live now, and what was said.

    No value is cut. The digest names what you see: `approve --digest` approves that and nothing else.
    """
    answer = service.api().get(request_path(number))
    emit(output, answer, lambda: render.request(answer))


@click.command(
    "approve",
    epilog=examples(
        "configctl approve 12 --comment 'as discussed'",
        "configctl requests approve 12   # the same",
        "configctl approve 12 --digest 9f3a…   # in a script: of what `requests show` showed",
    ),
)
@number_argument
@comment_option
@click.option("--digest", help="Of what you looked at; anything else is not approved.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask: whatever it is.")
@on_service
@as_output
def approve_command(service: Service, number: str, comment: str, digest: str | None, yes: bool, output: str) -> None:
    """Approve somebody else's change request.

    Shows all that it would change of what is live, and asks. What was shown is what is approved: if its author edited
    the request meanwhile, that is refused.
    """
    answer = _requests.approve(service.api(), number, comment, digest, yes=yes)
    emit(output, answer, lambda: [_approved(answer)])


requests_command.add_command(approve_command)


@requests_command.command("reject", epilog=examples("configctl requests reject 12 --comment 'too many at once'"))
@number_argument
@comment_option
@on_service
@as_output
def reject_request(service: Service, number: str, comment: str, output: str) -> None:
    """Reject a request. Its author can edit it, which opens it again."""
    body = {"decision": "reject", "comment": comment}
    answer = service.api().send("POST", request_path(number, "reviews"), body)
    emit(output, answer, lambda: [f"request {number} rejected"])


@requests_command.command("comment", epilog=examples("configctl requests comment 12 'why not 150?'"))
@number_argument
@click.argument("text")
@on_service
@as_output
def comment_request(service: Service, number: str, text: str, output: str) -> None:
    """Say something about a request."""
    body = {"decision": "comment", "comment": text}
    answer = service.api().send("POST", request_path(number, "reviews"), body)
    emit(output, answer, lambda: [f"request {number} commented"])


@requests_command.command("withdraw", epilog=examples("configctl requests withdraw 12"))
@number_argument
@comment_option
@on_service
@as_output
def withdraw_request(service: Service, number: str, comment: str, output: str) -> None:
    """End your own request."""
    answer = service.api().send("POST", request_path(number, "withdraw"), {"comment": comment})
    emit(output, answer, lambda: [f"request {number} withdrawn"])


@requests_command.command("apply", epilog=examples("configctl requests apply 12 --wait"))
@number_argument
@on_terms_of_request
@on_service
@as_output
def apply_request(service: Service, terms: Terms, number: str, output: str) -> None:
    """Make an approved request a release. `configctl apply 12` is the same."""
    _requests.apply_request(service.api(), number, terms, output)


@requests_command.command(
    "edit",
    epilog=examples(
        "configctl requests edit 12                            # in your editor",
        "configctl requests edit 12 --note 'Black Friday, 0:00'",
        "configctl requests edit 12 --again                    # a release of its keys made it void",
    ),
)
@number_argument
@click.option("--note", help="Only another note; no editor.")
@click.option("--again", is_flag=True, help="Only propose the same again, on what is there now; no editor.")
@on_service
@as_output
def edit_request(service: Service, number: str, note: str | None, again: bool, output: str) -> None:
    """Propose something else in place of your own request, in your editor ($VISUAL, $EDITOR).

    Whoever approved it has to look again. A request with a secret can't be edited so, because nobody is shown what it
    proposes: withdraw it, and propose it anew.
    """
    api = service.api()
    answer = _edited(api, number) if note is None and not again else _sent(api, number, {"note": note} if note else {})
    if answer is None:
        click.echo("nothing was changed", err=True)
        return
    for line in render.request(answer):
        click.echo(line, err=True)
    emit(output, answer, lambda: [f"request {number} edited, and {answer['status']}"])


def _approved(answer: dict[str, Any]) -> str:
    if answer["status"] == "approved":
        return f"request {answer['id']} approved: configctl apply {answer['id']}"
    return f"request {answer['id']} approved by {len(answer['approvals']['by'])} of {answer['approvals']['needed']}"


def _sent(api: Api, number: str, body: dict[str, Any]) -> dict[str, Any]:
    return api.send("PATCH", request_path(number), body)


def _edited(api: Api, number: str) -> dict[str, Any] | None:
    """The request as it was made in an editor, None where nothing was changed."""
    from configclient.cli import _yaml

    request = api.get(request_path(number))
    if any(each.get("secret") and "promoted_from" not in each for each in request["changes"]):
        raise CliError(
            f"request {number} proposes a secret, which nobody is shown: withdraw it, and propose it anew",
            Exit.CONFLICT,
        )
    before = {"note": request["note"], "changes": [_proposal(each) for each in request["changes"]]}
    draft = Draft(f"request-{number}.yaml")
    text = HEAD.format(**request) + _yaml.dump(before)
    while True:
        text = draft.edit(text)
        try:
            wanted = _read(text)
            changed = {name: value for name, value in wanted.items() if value != before.get(name)}
            answer = _sent(api, number, changed) if changed else None
        except CliError as failure:
            draft.look_again(failure)
            continue
        draft.discard()
        return answer


def _proposal(change: dict[str, Any]) -> dict[str, Any]:
    """A change as it is proposed; a promoted one by where it is from."""
    if source := change.get("promoted_from"):
        named = {"namespace": change["namespace"], "key": change["key"]}
        return named | {"promote_from": source["env"], "revision": source["revision"]}
    return {name: change[name] for name in ("namespace", "key", "value", "delete", "schema") if name in change}


def _read(text: str) -> dict[str, Any]:
    from configclient.cli import _yaml

    try:
        value, _ = _yaml.load(text)
    except _yaml.NotYaml as error:
        raise CliError(f"this is no YAML: {error}", Exit.INVALID) from None
    if not isinstance(value, dict) or not value.keys() <= {"note", "changes"}:
        raise CliError("this is no map of note and changes", Exit.INVALID)
    return value

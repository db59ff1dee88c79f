"""requests, approve and apply: a change of a protected environment, from its proposal to its release."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Configctl, Terminal, ended
from .test_writes import call

PRODUCTION = ("--env", "production")


@pytest.fixture
def number(configctl: Configctl, namespace: str) -> str:
    """A developer's request, to set a limit to 200."""
    configctl.lines("set", namespace, "limit", "200", "--type", "int", *PRODUCTION, "--yes", "--note", "Black Friday")
    [request] = configctl.json("requests", "list", "--namespace", namespace)["items"]
    return str(request["id"])


def digest(configctl: Configctl, number: str) -> str:
    """What names the content of a request."""
    return str(configctl.json("requests", "show", number)["digest"])


def test_a_change_is_proposed_looked_at_approved_and_applied(
    configctl: Configctl, namespace: str, number: str, ops: dict[str, str]
) -> None:
    """Each step says what comes next; the list is of those that wait."""
    assert any(line.startswith(f"{number} ") and "Black Friday" in line for line in configctl.lines("requests", "list"))
    shown = configctl.lines("requests", "show", number, **ops)
    assert shown[0].startswith(f"request {number} for production: open, by developer, ")
    assert f"{namespace}/limit  (unset) → 200" in shown
    assert (shown[-2], shown[-1]) == (f"digest: {digest(configctl, number)}", "you may: approve, reject, comment")
    early = configctl("apply", number)
    assert (early.code, "it waits for approval" in early.err) == (5, True)
    assert configctl.lines("requests", "comment", number, "why not 150?", **ops) == [f"request {number} commented"]
    approved = configctl("approve", number, "--digest", digest(configctl, number), "--comment", "fine", **ops)
    assert (approved.code, approved.out) == (0, f"request {number} approved: configctl apply {number}\n")
    assert f"{namespace}/limit  (unset) → 200" in approved.err
    tried = configctl("apply", number, "--dry-run")
    assert (tried.code, tried.out) == (0, f"{namespace}/limit  (unset) → 200\n")
    [line] = configctl.lines("apply", number, "--wait")
    assert line.startswith(f"{namespace}/limit  (unset) → 200  production revision ")
    assert configctl.values(namespace, *PRODUCTION) == {"limit": 200}
    assert configctl.json("requests", "list", "--namespace", namespace)["items"] == []
    done = configctl.lines("requests", "show", number)
    assert [line for line in done if line.startswith("ops ")] == ["ops says: why not 150?", "ops approved: fine"]
    assert f"{namespace}/limit  (unset) → 200" in done


def test_only_what_was_looked_at_is_approved(
    configctl: Configctl, namespace: str, number: str, ops: dict[str, str]
) -> None:
    """An edit in between is told, and what to do."""
    before = digest(configctl, number)
    body = {"changes": [{"namespace": namespace, "key": "limit", "value": 9000}]}
    edit(configctl, number, body)
    refused = configctl("approve", number, "--digest", before, **ops)
    assert (refused.code, f"look again: configctl approve {number}" in refused.err) == (5, True)
    assert configctl.json("requests", "show", number)["status"] == "open"


def edit(configctl: Configctl, number: str, body: dict[str, Any], **who: str) -> None:
    """Change a request in an editor that writes this into it."""
    script = f"import sys, pathlib; pathlib.Path(sys.argv[1]).write_text({json.dumps(json.dumps(body))})"
    configctl.lines("requests", "edit", number, VISUAL=f"python3 -c {json.dumps(script)}", **who)


def test_a_person_is_shown_and_asked(
    configctl: Configctl, terminal: Terminal, namespace: str, number: str, ops: dict[str, str]
) -> None:
    """A yes approves what was shown, and nothing that replaced it meanwhile; a no nothing."""
    session = terminal("approve", number, NO_COLOR="1", **ops)
    session.expect_exact(f"{namespace}/limit  (unset) → 200\r\n")
    session.expect_exact("Approve this for production? [y/N]: ")
    edit(configctl, number, {"changes": [{"namespace": namespace, "key": "limit", "value": 9000}]})
    session.sendline("y")
    code, rest = ended(session)
    assert (code, "is not what you looked at any more, and was not approved" in rest) == (5, True)
    session = terminal("approve", number, NO_COLOR="1", **ops)
    session.expect_exact(f"{namespace}/limit  (unset) → 9000\r\n")
    session.expect_exact("[y/N]: ")
    session.sendline("n")
    assert ended(session)[0] == 130
    assert configctl.json("requests", "show", number)["status"] == "open"


def test_a_script_says_what_it_approves(configctl: Configctl, number: str, ops: dict[str, str]) -> None:
    """Nobody looks there: it takes a digest, or --yes; nobody approves their own."""
    blind = configctl("approve", number, **ops)
    assert (blind.code, "--digest" in blind.err) == (2, True)
    own = configctl("approve", number, "--yes")
    assert own.code == 4
    assert configctl.json("approve", number, "--yes", **ops)["status"] == "approved"


def test_a_request_is_edited_rejected_and_withdrawn(
    configctl: Configctl, namespace: str, number: str, ops: dict[str, str]
) -> None:
    """Its author edits it, which opens it again; what nobody may any more is told."""
    assert configctl.lines("requests", "reject", number, "--comment", "too many", **ops) == [
        f"request {number} rejected"
    ]
    configctl.lines("requests", "edit", number, "--note", "less")
    assert configctl.json("requests", "show", number)["note"] == "less"
    edit(configctl, number, {"note": "less", "changes": [{"namespace": namespace, "key": "limit", "value": 150}]})
    shown = configctl.lines("requests", "show", number)
    assert "ops rejected, of what it was before an edit: too many" in shown
    assert f"{namespace}/limit  (unset) → 150" in shown
    assert configctl("requests", "edit", number, VISUAL="true").err == "nothing was changed\n"
    assert configctl.lines("requests", "withdraw", number) == [f"request {number} withdrawn"]
    late = configctl("requests", "edit", number, "--again")
    assert (late.code, "open a new one" in late.err) == (5, True)
    assert configctl("requests", "show", "999999999").code == 3


def test_a_release_of_its_keys_makes_it_void(
    configctl: Configctl, namespace: str, number: str, ops: dict[str, str]
) -> None:
    """The line says why and what to do; --again proposes the same on what is there now."""
    configctl.lines("set", namespace, "limit", "1", *PRODUCTION, "--break-glass", "INC-1", **ops)
    void = configctl("approve", number, "--yes", **ops)
    assert (void.code, "void" in void.err, "edit" in void.err) == (5, True, True)
    configctl.lines("requests", "edit", number, "--again")
    assert f"{namespace}/limit  1 → 200" in configctl.lines("requests", "show", number)


def test_nothing_that_is_approved_is_cut(
    configctl: Configctl, namespace: str, ops: dict[str, str], tmp_path: Path
) -> None:
    """A long text is compared line by line, and each line shown as the JSON string that it is."""
    lines = [f"line {number}\n" for number in range(100)]
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("".join(lines))
    new.write_text("".join([*lines[:50], "changed\t\u202e\n", *lines[51:]]))
    write = ("set", namespace, "text", "--type", "string", *PRODUCTION)
    configctl.lines(*write, "--value-file", old, "--break-glass", "INC-1", **ops)
    configctl.lines(*write, "--value-file", new, "--yes")
    [request] = configctl.json("requests", "list", "--namespace", namespace)["items"]
    shown = configctl.lines("requests", "show", str(request["id"]))
    assert f"{namespace}/text" in shown
    assert [line for line in shown if line.startswith(("  +", "  -"))] == [
        '  -"line 50\\n"',
        '  +"changed\\t\\u202e\\n"',
    ]


def test_what_is_proposed_already_is_not_proposed_again(configctl: Configctl, namespace: str, number: str) -> None:
    """A pipeline may run twice; another value is another request."""
    again = configctl("set", namespace, "limit", "200", *PRODUCTION, "--yes")
    assert (again.code, f"request {number} proposes this already" in again.err) == (0, True)
    configctl.lines("set", namespace, "limit", "300", *PRODUCTION, "--yes")
    assert len(configctl.json("requests", "list", "--namespace", namespace)["items"]) == 2


def test_what_goes_with_a_directory_does_not_go_with_a_request(configctl: Configctl, number: str) -> None:
    """apply takes both; a folder of a number's name is ./12."""
    refused = configctl("apply", number, "--prune")
    assert (refused.code, "go with a directory" in refused.err) == (2, True)
    assert configctl("apply", "nowhere").code == 2


def test_a_secret_of_a_request_is_shown_to_nobody(configctl: Configctl, namespace: str) -> None:
    """Nor can it be edited, because that would take to see it."""
    configctl.lines("keys", "create", namespace, "pin", "--type", "string", "--secret")
    proposed = configctl("set", namespace, "pin", "-", *PRODUCTION, "--yes", stdin="correct horse")
    assert (proposed.code, "correct horse" in proposed.out + proposed.err) == (0, False)
    [request] = configctl.json("requests", "list", "--namespace", namespace)["items"]
    shown = configctl.lines("requests", "show", str(request["id"]))
    assert f"{namespace}/pin  (unset) → (secret)" in shown
    refused = configctl("requests", "edit", str(request["id"]), VISUAL="true")
    assert (refused.code, "propose it anew" in refused.err) == (5, True)


def test_a_promoted_secret_says_where_it_is_from(
    configctl: Configctl, stack: Any, namespace: str, ops: dict[str, str]
) -> None:
    """That is all there is to see of it; an edit of something else leaves it as it is."""
    configctl.lines("keys", "create", namespace, "pin", "--type", "string", "--secret")
    configctl.lines("set", namespace, "pin", "-", "--env", "staging", stdin="correct horse")
    change = {"namespace": namespace, "key": "pin", "promote_from": "staging"}
    request = call(stack, "POST", "/v1/envs/production/requests", {"changes": [change]}, by="ops")
    number, revision = str(request["id"]), configctl.revision("staging")
    assert f"{namespace}/pin is what staging has at revision {revision}" in configctl.lines("requests", "show", number)
    assert configctl("requests", "edit", number, VISUAL="true", **ops).err == "nothing was changed\n"
    configctl.lines("requests", "edit", number, "--note", "as rehearsed", **ops)
    configctl.lines("set", namespace, "other", "1", "--type", "int")
    body = {"changes": [change, {"namespace": namespace, "key": "other", "value": 2}]}
    edit(configctl, number, body, **ops)
    assert f"{namespace}/pin  (unset) → (secret)" in configctl.lines("requests", "show", number)


def test_a_schema_of_what_production_uses_is_proposed(
    configctl: Configctl, namespace: str, number: str, ops: dict[str, str]
) -> None:
    """Without --yes the command says that the environment is protected; with it, it opens the request."""
    configctl.lines("approve", number, "--yes", **ops)
    configctl.lines("apply", number)
    update = ("keys", "update", namespace, "limit", "--schema-file", "-")
    refused = configctl(*update, stdin='{"minimum": 1}', **ops)
    assert (refused.code, "production is protected; --yes proposes it" in refused.err) == (5, True)
    proposed = configctl(*update, "--yes", stdin='{"minimum": 1}', **ops)
    [request] = configctl.json("requests", "list", "--namespace", namespace)["items"]
    assert (proposed.code, proposed.out) == (0, f"{namespace}/limit  schema  production request {request['id']}\n")

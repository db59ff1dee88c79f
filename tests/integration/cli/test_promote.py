"""From one environment to the next: looked at, chosen, written as one release or proposed as one request."""

from typing import Any

from .conftest import Configctl, Terminal, ended
from .test_writes import approve_all, call

STAGING = ("--env", "staging")
DEVELOPMENT = ("--from", "staging", "--to", "development")
PRODUCTION = ("--from", "staging", "--to", "production")


def test_an_environment_gets_the_values_of_another(configctl: Configctl, namespace: str) -> None:
    """All of a namespace in one release; once more, nothing is left to do."""
    configctl("set", namespace, "limit", "200", "--type", "int", *STAGING)
    configctl("set", namespace, "burst", "5", "--type", "int", *STAGING)
    configctl("set", namespace, "limit", "100")
    before = configctl.revision()
    lines = configctl.lines("promote", namespace, *DEVELOPMENT, "--note", "as tested")
    assert lines == [
        f"{namespace}/burst  {'(unset)'} → 5  development revision {before + 1}",
        f"{namespace}/limit  100 → 200  development revision {before + 1}",
    ]
    assert configctl.values(namespace) == {"limit": 200, "burst": 5}
    assert configctl.lines("promote", namespace, *DEVELOPMENT) == [
        f"{namespace} from staging  unchanged, development revision {before + 1}"
    ]


def test_some_keys_all_but_some_and_what_is_not_there(configctl: Configctl, namespace: str) -> None:
    """Named ones, --except, and --prune; a dry run writes nothing, and a slip is told."""
    for key in ("a", "b", "c"):
        configctl("set", namespace, key, "2", "--type", "int", *STAGING)
    configctl("set", namespace, "old", "1", "--type", "int")
    configctl("promote", namespace, "a", *DEVELOPMENT)
    assert configctl.values(namespace) == {"a": 2, "old": 1}
    tried = configctl("promote", namespace, *DEVELOPMENT, "--except", "b", "--prune", "--dry-run")
    assert [line.split("  ")[0] for line in tried.out.splitlines()] == [f"{namespace}/c", f"{namespace}/old"]
    assert "dry run, nothing was written" in tried.err
    assert configctl.values(namespace) == {"a": 2, "old": 1}
    configctl("promote", namespace, *DEVELOPMENT, "--except", "b", "--prune")
    assert configctl.values(namespace) == {"a": 2, "c": 2}
    rest = configctl("promote", namespace, *DEVELOPMENT, "--except", "b")
    assert (rest.code, rest.out) == (0, f"{namespace} from staging  nothing to promote to development\n")
    slips = {("--except", "bb"): 3, ("nothing",): 6}
    for more, code in slips.items():
        slip = configctl("promote", namespace, *more, *DEVELOPMENT)
        assert (slip.code, slip.err.count("\n")) == (code, 1), slip
    same = configctl("promote", namespace, "--from", "staging", "--to", "staging")
    assert (same.code, "the same environment" in same.err) == (2, True)


def test_a_person_chooses_key_by_key(configctl: Configctl, terminal: Terminal, namespace: str) -> None:
    """What is declined stays; a no to all of it writes nothing."""
    for key in ("a", "b"):
        configctl("set", namespace, key, "2", "--type", "int", *STAGING)
    session = terminal("promote", namespace, *DEVELOPMENT, NO_COLOR="1")
    session.expect_exact("Write this for development?")
    session.sendline("no")
    assert ended(session)[0] == 130
    session = terminal("promote", namespace, *DEVELOPMENT, NO_COLOR="1")
    session.expect_exact(f"{namespace}/b  (unset) → 2\r\n")
    session.expect_exact("Write this for development?")
    session.sendline("choose")
    session.expect_exact(f"{namespace}/a  (unset) → 2 [y/N]:")
    session.sendline("n")
    session.expect_exact(f"{namespace}/b  (unset) → 2 [y/N]:")
    session.sendline("y")
    code, said = ended(session)
    assert code == 0, said
    assert configctl.values(namespace) == {"b": 2}


def test_a_protected_environment_gets_one_request(configctl: Configctl, stack: Any, namespace: str) -> None:
    """Refused in a script without --yes; with it proposed, once; applied as it was when it was proposed."""
    for key in ("a", "b"):
        configctl("set", namespace, key, "2", "--type", "int", *STAGING)
    refused = configctl("promote", namespace, *PRODUCTION)
    assert (refused.code, refused.err.count("\n")) == (4, 1), "a developer may not"
    proposed = configctl("promote", namespace, *PRODUCTION, "--yes", "--note", "as tested")
    assert proposed.code == 0, proposed
    again = configctl("promote", namespace, *PRODUCTION, "--yes")
    assert "proposes this already" in again.err
    [request] = call(stack, "GET", f"/v1/requests?namespace={namespace}")["items"]
    document = call(stack, "GET", f"/v1/requests/{request['id']}")
    assert [(each["key"], each["promoted_from"]["env"]) for each in document["changes"]] == [
        ("a", "staging"),
        ("b", "staging"),
    ]
    configctl("set", namespace, "a", "3", *STAGING)
    approve_all(stack, namespace)
    assert configctl.values(namespace, "--env", "production") == {"a": 2, "b": 2}


def test_secrets_are_moved_unseen(configctl: Configctl, ops: dict[str, str], namespace: str) -> None:
    """Who may reveal them in the source may move them; nothing shows what they are."""
    told = configctl("set", namespace, "password", "-", "--secret", *STAGING, stdin="hush-4711", **ops)
    assert told.code == 0, told
    denied = configctl("promote", namespace, *DEVELOPMENT)
    assert (denied.code, denied.err.count("\n")) == (4, 1)
    moved = configctl("promote", namespace, *DEVELOPMENT, **ops)
    assert (moved.code, moved.out.split("  ")[:2]) == (0, [f"{namespace}/password", "(unset) → (secret)"]), moved
    assert "hush" not in moved.out + moved.err + denied.err
    revealed = configctl("reveal", namespace, "password", "--env", "development", "--reason", "a test", **ops)
    assert revealed.out == "hush-4711\n", revealed

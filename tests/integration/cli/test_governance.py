"""tokens, grants, whoami and audit: who may do what, and who did."""

import json
from pathlib import Path
from typing import Any

from .conftest import Configctl, Terminal, ended


def test_a_token_is_made_shown_once_and_revoked(
    configctl: Configctl, terminal: Terminal, fresh_name: str, namespace: str, admin: dict[str, str]
) -> None:
    """It alone is on standard output; it does what it was given, until it is revoked by its name."""
    grant = ("--role", "developer", "--namespaces", namespace, "--env", "development")
    made = configctl("tokens", "create", fresh_name, *grant, "--expires", "90d", **admin)
    token = made.out.strip()
    assert (made.code, token.startswith("cfg_"), token in made.err) == (0, True, False)
    assert f"developer on {namespace} in development; expires 20" in made.err
    hers = {"CONFIGSVC_TOKEN": token}
    assert configctl("set", namespace, "limit", "1", "--type", "int", **hers).code == 0
    assert configctl("set", namespace, "limit", "1", "--env", "staging", **hers).code == 3
    [listed] = [each for each in configctl.json("tokens", "list", **admin)["items"] if each["name"] == fresh_name]
    assert listed["id"] == token.split("_")[1]
    assert token not in json.dumps(listed)
    whole = configctl("tokens", "revoke", token, **admin)
    assert (whole.code, token in whole.err) == (2, False)
    session = terminal("tokens", "revoke", fresh_name, **admin)
    session.expect_exact(f"(developer on {namespace} in development)? [y/N]: ")
    session.sendline("y")
    assert ended(session)[0] == 0
    assert configctl("tokens", "revoke", fresh_name, **admin).code == 3
    assert configctl("set", namespace, "limit", "2", **hers).code == 4


def test_grants_are_added_and_removed(
    configctl: Configctl, fresh_name: str, namespace: str, admin: dict[str, str]
) -> None:
    """By the name of a token; each has a number."""
    token = configctl("tokens", "create", fresh_name, "--role", "viewer", "--namespaces", "no*", **admin).out.strip()
    configctl.lines("grants", "add", fresh_name, "--role", "developer", "--namespaces", namespace, **admin)
    grants = configctl.json("grants", "list", "--token", fresh_name, **admin)["items"]
    assert [(each["role"], each["namespaces"]) for each in grants] == [("developer", namespace), ("viewer", "no*")]
    may = configctl.json("whoami", namespace, "--env", "development", CONFIGSVC_TOKEN=token)["may"]
    assert "write" in may
    assert configctl.lines("grants", "remove", str(grants[0]["id"]), **admin) == [f"grant {grants[0]['id']} removed"]
    assert len(configctl.lines("grants", "list", "--token", fresh_name, **admin)) == 2
    assert configctl("grants", "list", "--token", "nobody-at-all", **admin).code == 3
    assert configctl("tokens", "create", fresh_name, "--role", "viewer", "--expires", "soon", **admin).code == 2
    assert configctl("tokens", "list").code == 4


def test_whoami_says_whose_token_it_is(configctl: Configctl, stack: Any) -> None:
    """And where, and what it may; half a place is none."""
    lines = configctl.lines("whoami")
    assert [line.split()[-1] for line in lines[:2]] == [stack.url, "developer"]
    assert configctl("whoami", "payments").code == 2
    unknown = configctl("whoami", CONFIGSVC_TOKEN="cfg_nobody_nothing")
    assert (unknown.code, "`configctl login` again" in unknown.err) == (4, True)


def test_the_trail_is_searched(configctl: Configctl, namespace: str) -> None:
    """By place, actor, action and time; the table is cut, and says so."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    configctl.lines("set", namespace, "limit", "2")
    events = configctl.json("audit", namespace, "limit", "--actor", "developer", "--all")["items"]
    assert sorted(each["action"] for each in events) == ["key.declare", "release.edit", "release.edit"]
    since = ("audit", namespace, "--since", events[0]["created_at"])
    assert [each["id"] for each in configctl.json(*since)["items"]] == [events[0]["id"]]
    cut = configctl("audit", namespace, "--action", "release", "--limit", "1")
    assert (cut.code, "more with --limit or --all" in cut.err, len(cut.out.splitlines())) == (0, True, 2)
    assert configctl.json("audit", namespace, "--env", "production")["items"] == []


def test_the_trail_is_followed(configctl: Configctl, terminal: Terminal, namespace: str) -> None:
    """What was, then what happens, one line each, until Ctrl-C."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    session = terminal("audit", namespace, "--follow", "-o", "json")
    session.expect_exact('"action": "release.edit"')
    configctl.lines("unset", namespace, "limit")
    session.expect_exact('"action": "release.edit"')
    session.sendintr()
    assert ended(session)[0] == 0
    assert configctl("audit", "--follow", "--all").code == 2


def test_ops_break_the_glass(
    configctl: Configctl, terminal: Terminal, namespace: str, ops: dict[str, str], tmp_path: Path
) -> None:
    """A protected environment is written at once, with a reason that the trail shows; a person is asked first."""
    production = ("--env", "production", "--break-glass", "INC-1")
    session = terminal("set", namespace, "limit", "1", "--type", "int", *production, **ops)
    session.expect_exact("production is protected. Write this without a review? [y/N]: ")
    session.sendline("y")
    assert ended(session)[0] == 0
    (tmp_path / "a.json").write_text('{"limit": 2, "other": 3}')
    configctl.lines("import", tmp_path / "a.json", "--namespace", namespace, *production, **ops)
    assert configctl.values(namespace, "--env", "production") == {"limit": 2, "other": 3}
    events = configctl.json("audit", namespace, "--env", "production", "--action", "release")["items"]
    assert ["INC-1" in json.dumps(each["details"]) for each in events] == [True, True]
    assert configctl("set", namespace, "limit", "9", *production).code == 4

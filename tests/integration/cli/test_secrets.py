"""Secrets: never an argument, never shown, and revealed to whoever has a reason."""

from pathlib import Path

import pytest

from .conftest import Configctl, Terminal, ended

SECRET = "correct horse battery"


def revealed(configctl: Configctl, namespace: str, key: str, ops: dict[str, str]) -> list[str]:
    """What a secret is."""
    return configctl.lines("reveal", namespace, key, "--reason", "a test", **ops)


def test_a_secret_comes_from_standard_input_or_a_file(
    configctl: Configctl, namespace: str, ops: dict[str, str], tmp_path: Path
) -> None:
    """--secret declares it; an argument is refused, and so is leaving it out where nobody can be asked."""
    first = configctl("set", namespace, "pw", "-", "--secret", stdin=f"{SECRET}\n")
    assert (first.code, f"{namespace}/pw  (unset) → (secret)" in first.out) == (0, True)
    assert revealed(configctl, namespace, "pw", ops) == [SECRET]
    argument = configctl("set", namespace, "pw", SECRET)
    assert (argument.code, "leave the value out to be asked" in argument.err) == (2, True)
    assert configctl("set", namespace, "new", SECRET, "--secret").code == 2
    assert configctl("set", namespace, "pw").code == 2
    (tmp_path / "pw").write_text("from a file")
    configctl.lines("set", namespace, "pw", "--value-file", tmp_path / "pw")
    assert revealed(configctl, namespace, "pw", ops) == ["from a file"]
    assert [key["key"] for key in configctl.json("keys", "list", namespace)["items"]] == ["pw"]


def test_a_person_is_asked_and_sees_nothing(
    configctl: Configctl, terminal: Terminal, namespace: str, ops: dict[str, str]
) -> None:
    """What is typed is not echoed, nor is it in what is shown before the write."""
    session = terminal("set", namespace, "pw", "--secret")
    session.expect_exact(f"Value of {namespace}/pw: ")
    session.sendline(SECRET)
    code, rest = ended(session)
    assert (code, SECRET in rest, "(secret)" in rest) == (0, False, True)
    assert revealed(configctl, namespace, "pw", ops) == [SECRET]
    session = terminal("reveal", namespace, "pw", **ops)
    session.expect_exact(f"Why do you need to see {namespace}/pw: ")
    session.sendline("INC-4711")
    assert ended(session)[1].endswith(f"{SECRET}\r\n")
    [event] = configctl.json("audit", namespace, "--action", "secret.reveal", "--limit", "1")["items"]
    assert event["details"]["reason"] == "INC-4711"


def test_errors_repeat_nothing_of_a_secret(configctl: Configctl, namespace: str) -> None:
    """A value of another type is refused without it, and a plain key is not a secret because somebody says so."""
    configctl.lines("keys", "create", namespace, "pin", "--type", "json", "--secret")
    wrong = configctl("set", namespace, "pin", "-", stdin='{"hunter2": 1, "hunter2": 2}')
    assert (wrong.code, "hunter2" in wrong.err, "the secret is not valid JSON" in wrong.err) == (6, False, True)
    configctl.lines("set", namespace, "plain", "1", "--type", "int")
    plain = configctl("set", namespace, "plain", "-", "--secret", stdin="2")
    assert (plain.code, f"configctl keys update {namespace} plain --secret" in plain.err) == (5, True)
    turned = configctl("keys", "update", namespace, "plain", "--secret")
    assert (turned.code, "stays readable in history" in turned.err) == (0, True)
    assert configctl.json("list", namespace)["values"]["plain"]["secret"]


@pytest.mark.parametrize("name", ["secrets.env", "secrets.json"])
def test_import_sets_the_secrets_that_are_named(
    configctl: Configctl, namespace: str, ops: dict[str, str], tmp_path: Path, name: str
) -> None:
    """By pattern, declared as such and never shown; without a name none is set, and export leaves them out."""
    file = tmp_path / name
    file.write_text(
        'DB_PASSWORD="01234"\nPORT=80\n' if name.endswith("env") else '{"DB_PASSWORD": "01234", "PORT": 80}'
    )
    first = configctl("import", file, "--namespace", namespace, "--secret", "*_PASSWORD")
    assert (first.code, "01234" in first.out + first.err) == (0, False)
    assert f"{namespace}/DB_PASSWORD  (unset) → (secret)  new key, secret string" in first.out
    assert revealed(configctl, namespace, "DB_PASSWORD", ops) == ["01234"]
    again = configctl("import", file, "--namespace", namespace, "--secret", "*_PASSWORD")
    assert (again.code, again.err) == (0, "1 change, 1 same\n")
    unnamed = configctl("import", file, "--namespace", namespace)
    assert (unnamed.code, "only `set` and `import --secret` set it" in unnamed.err) == (6, True)
    exported = configctl("export", namespace, "--format", "env")
    assert (exported.out, f"left out, as secrets: {namespace}/DB_PASSWORD" in exported.err) == ("PORT=80\n", True)


def test_a_slip_leaves_no_secret_readable(configctl: Configctl, namespace: str, tmp_path: Path) -> None:
    """A pattern that fits nothing is an error; a name that sounds like a secret, and is none, is named."""
    file = tmp_path / "a.env"
    file.write_text("API_KEY=abc\n")
    slip = configctl("import", file, "--namespace", namespace, "--secret", "APIKEY")
    assert (slip.code, "nothing in the file is named APIKEY" in slip.err) == (2, True)
    warned = configctl("import", file, "--namespace", namespace)
    assert (warned.code, "could read API_KEY; --secret keeps secrets" in warned.err) == (0, True)


def test_get_says_who_shows_a_secret(configctl: Configctl, namespace: str) -> None:
    """A developer may not, and is told."""
    configctl.lines("set", namespace, "pw", "-", "--secret", stdin=SECRET)
    refused = configctl("get", namespace, "pw")
    assert (refused.code, "configctl reveal" in refused.err) == (4, True)
    assert configctl("reveal", namespace, "pw", "--reason", "curious").code == 4
    assert configctl("reveal", namespace, "pw").code == 2


def test_the_way_back_to_a_secret_is_not_proposed_as_another_value(
    configctl: Configctl, namespace: str, ops: dict[str, str]
) -> None:
    """Nobody is shown the earlier one, so no request could hold it; in an emergency it is put back unseen."""
    production = ("--env", "production")
    configctl.lines("keys", "create", namespace, "pin", "--type", "json", "--secret")
    for value in ("1", "2"):
        configctl.lines("set", namespace, "pin", "-", *production, "--break-glass", "a test", stdin=value, **ops)
    back = ("rollback", namespace, "pin", "--to-version", "1", *production)
    refused = configctl(*back, "--yes", **ops)
    assert (refused.code, "propose the value itself" in refused.err) == (5, True)
    assert configctl.json("requests", "list", "--namespace", namespace)["items"] == []
    configctl.lines(*back, "--break-glass", "a test", **ops)
    assert configctl.lines("reveal", namespace, "pin", *production, "--reason", "a test", **ops) == ["1"]

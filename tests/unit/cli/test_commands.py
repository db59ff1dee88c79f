"""configctl against a scripted service: what it asks for, what it prints, how it ends."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from configclient.cli._app import PLACES, cli, run
from configclient.cli._errors import EXIT_CODES, Exit

from .conftest import HANG_UP, TOKEN, Configctl, Service

KEY = "/v1/namespaces/payments/keys/rate_limit"
SCOPE = "/v1/namespaces/payments/envs/development"
CONFIG = f"{SCOPE}/config"
ITEM = f"{CONFIG}/rate_limit"


def declared(service: Service, type_: str = "int") -> None:
    """The key is declared."""
    service.on("GET", KEY, {"key": "rate_limit", "type": type_, "secret": False})


def holds(service: Service, value: Any, version: int, type_: str = "int") -> None:
    """The key has a value."""
    service.on("GET", ITEM, {"value": value, "type": type_, "version": version, "secret": False})


def replaced(service: Service, revision: int, value: Any = None) -> None:
    """What a release replaced, as history tells it; without a value the key was unset."""
    before = None if value is None else {"version": 1, "value": value}
    row = {"key": "rate_limit", "type": "int", "from": before, "to": None}
    service.on("GET", f"{SCOPE}/diff?from={revision - 1}&to={revision}", {"changes": [row]})


def takes(service: Service, value: Any, version: int, revision: int, *, changed: bool = True) -> None:
    """The service accepts a write."""
    change = {"namespace": "payments", "key": "rate_limit", "type": "int", "value": value, "version": version}
    answer = {"env": "development", "revision": revision, "cursor": f"{revision}.0", "changed": changed}
    service.on("PUT", ITEM, answer | {"changes": [change] if changed else []})


def test_set_reads_the_value_as_the_declared_type(service: Service, configctl: Configctl) -> None:
    """100 is sent as a number for an int, and the line says what changed."""
    declared(service)
    takes(service, 200, version=4, revision=7)
    replaced(service, 7, 100)
    outcome = configctl("set", "payments", "rate_limit", "200", "--note", "Black Friday")
    assert outcome.out == "payments/rate_limit  100 → 200  development revision 7\n"
    assert (outcome.code, outcome.err) == (0, "")
    (put,) = service.sent("PUT")
    assert put.body == {"value": 200, "note": "Black Friday"}
    assert put.headers["Authorization"] == f"Bearer {TOKEN}"


def test_set_with_a_type_declares_the_key(service: Service, configctl: Configctl) -> None:
    """--type goes with the value; nothing is asked about a key that may not exist yet."""
    takes(service, "100", version=1, revision=1)
    replaced(service, 1)
    outcome = configctl("set", "payments", "rate_limit", "100", "--type", "string")
    assert outcome.out == 'payments/rate_limit  (unset) → "100"  development revision 1\n'
    assert service.sent("PUT")[0].body == {"value": "100", "note": "", "type": "string"}


def test_set_says_when_nothing_changed(service: Service, configctl: Configctl) -> None:
    """A no-op is success, and called what it is."""
    declared(service)
    takes(service, 200, version=4, revision=7, changed=False)
    outcome = configctl("set", "payments", "rate_limit", "200")
    assert (outcome.code, outcome.out) == (0, "payments/rate_limit  200  unchanged, development revision 7\n")


def test_a_write_that_is_done_is_success_even_if_nothing_is_heard_after_it(
    service: Service, configctl: Configctl
) -> None:
    """Where the service goes away right after the write, the line leaves out what was before."""
    declared(service)
    takes(service, 200, version=5, revision=8)
    service.on("GET", f"{SCOPE}/diff?from=7&to=8", None, status=HANG_UP)
    outcome = configctl("set", "payments", "rate_limit", "200")
    assert (outcome.code, outcome.out) == (0, "payments/rate_limit  → 200  development revision 8\n")


@pytest.mark.parametrize("args", [("-5",), ("--", "-5")])
def test_set_takes_negative_numbers(service: Service, configctl: Configctl, args: tuple[str, ...]) -> None:
    """-5 is a value, with or without --; options may stand before it."""
    declared(service)
    takes(service, -5, version=1, revision=1)
    outcome = configctl("set", "--env", "development", "payments", "rate_limit", "--note", "-7", *args)
    assert (outcome.code, outcome.err) == (0, "")
    assert service.sent("PUT")[0].body == {"value": -5, "note": "-7"}


def test_set_takes_options_after_a_negative_number(service: Service, configctl: Configctl) -> None:
    """What follows -5 is still an option."""
    takes(service, -5, version=1, revision=1)
    assert configctl("set", "payments", "rate_limit", "-5", "--type", "int").code == 0


def test_an_unknown_option_is_no_value(service: Service, configctl: Configctl) -> None:
    """A mistyped option is a usage error, and nothing is sent."""
    outcome = configctl("set", "payments", "rate_limit", "--tpye")
    assert outcome.code == Exit.USAGE
    assert "--tpye" in outcome.err
    assert not service.requests


@pytest.mark.parametrize("source", ["stdin", "file"])
def test_set_reads_large_values_from_a_file(
    service: Service, configctl: Configctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    """- and --value-file read UTF-8 text and drop the one newline that `get` would have added."""
    declared(service, "string")
    takes(service, "…", version=1, revision=1)
    data = "zwei\nZeilen: ü\n\n".encode()
    (tmp_path / "value").write_bytes(data)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    args = ["-"] if source == "stdin" else ["--value-file", str(tmp_path / "value")]
    assert configctl("set", "payments", "rate_limit", *args).code == 0
    assert service.sent("PUT")[0].body["value"] == "zwei\nZeilen: ü\n"


@pytest.mark.parametrize(("data", "word"), [(b"\xff", "UTF-8"), (b"x" * (2**20 + 1), "longer")])
def test_a_file_that_is_no_value_is_refused(
    service: Service, configctl: Configctl, tmp_path: Path, data: bytes, word: str
) -> None:
    """Bytes that are no text, or too many, never leave the machine."""
    (tmp_path / "value").write_bytes(data)
    outcome = configctl("set", "payments", "rate_limit", "--value-file", str(tmp_path / "value"))
    assert outcome.code == Exit.INVALID
    assert word in outcome.err
    assert not service.requests


def test_set_needs_one_value(service: Service, configctl: Configctl, tmp_path: Path) -> None:
    """No value, and two values, are usage errors."""
    (tmp_path / "value").write_text("1")
    assert configctl("set", "payments", "rate_limit").code == Exit.USAGE
    assert configctl("set", "payments", "rate_limit", "1", "--value-file", str(tmp_path / "value")).code == Exit.USAGE


def test_a_bad_value_is_refused_before_anything_is_written(service: Service, configctl: Configctl) -> None:
    """An int that is none costs one line and exit code 6."""
    declared(service)
    outcome = configctl("set", "payments", "rate_limit", "9223372036854775808")
    assert outcome.code == Exit.INVALID
    assert outcome.err.count("\n") == 1
    assert not service.sent("PUT")


def test_a_new_key_needs_a_type(service: Service, configctl: Configctl) -> None:
    """The line for an undeclared key says how to declare it."""
    outcome = configctl("set", "payments", "rate_limit", "1")
    assert outcome.code == Exit.NOT_FOUND
    assert "--type string|int|float|bool|json" in outcome.err


def test_unset_says_what_it_took_away(service: Service, configctl: Configctl) -> None:
    """The old value is in the line, for the one who erred."""
    replaced(service, 8, 200)
    change = {"namespace": "payments", "key": "rate_limit", "type": "int", "deleted": True, "version": 5}
    answer = {"env": "development", "revision": 8, "cursor": "8.0", "changed": True, "changes": [change]}
    service.on("DELETE", ITEM, answer)
    assert configctl("unset", "payments", "rate_limit").out == (
        "payments/rate_limit  200 → (unset)  development revision 8\n"
    )


@pytest.mark.parametrize(
    ("value", "printed"), [("a b", "a b\n"), (5.0, "5.0\n"), (True, "true\n"), ({"ü": [1]}, '{"ü": [1]}\n')]
)
def test_get_prints_the_bare_value(service: Service, configctl: Configctl, value: object, printed: str) -> None:
    """A string comes as it is, everything else as JSON, and nothing around it."""
    holds(service, value, version=1)
    assert configctl("get", "payments", "rate_limit").out == printed


def test_get_never_prints_nothing_for_a_secret(service: Service, configctl: Configctl) -> None:
    """A masked secret is a failure, so that $(configctl get …) is never silently empty."""
    service.on("GET", ITEM, {"type": "string", "version": 1, "secret": True, "fingerprint": "ab12"})
    outcome = configctl("get", "payments", "rate_limit")
    assert (outcome.code, outcome.out) == (Exit.FORBIDDEN, "")


def test_list_prints_a_table(service: Service, configctl: Configctl) -> None:
    """Sorted by key; secrets are named, not shown."""
    values = {
        "rate_limit": {"value": 100, "type": "int", "version": 3, "secret": False},
        "db.password": {"type": "string", "version": 1, "secret": True},
    }
    body = {"namespace": "payments", "env": "development", "revision": 7, "cursor": "7.0", "values": values}
    service.on("GET", CONFIG, body)
    assert configctl("list", "payments").out.splitlines() == [
        "KEY          TYPE    VALUE     VERSION",
        "db.password  string  (secret)  1",
        "rate_limit   int     100       3",
    ]
    assert json.loads(configctl("list", "payments", "-o", "json").out) == body


def test_json_output_is_the_answer_of_the_service(service: Service, configctl: Configctl) -> None:
    """-o json gives programs what the API gives."""
    holds(service, "ü", version=1)
    assert json.loads(configctl("get", "payments", "rate_limit", "-o", "json").out)["value"] == "ü"


@pytest.mark.timeout(30)
def test_a_write_that_is_sent_again_carries_the_same_key(service: Service, configctl: Configctl) -> None:
    """A lost connection and a 503 are tried again, and the service can tell that it is the same write.

    However long the service asks to wait: nobody sits in front of a silent command for that long.
    """
    declared(service)
    service.on("PUT", ITEM, None, status=HANG_UP)
    service.on("PUT", ITEM, {"code": "unavailable", "detail": "starting"}, status=503, headers={"Retry-After": "3600"})
    takes(service, 1, version=1, revision=1)
    assert configctl("set", "payments", "rate_limit", "1").code == 0
    assert configctl("set", "payments", "rate_limit", "1").code == 0
    first, second, third, other = (request.headers["Idempotency-Key"] for request in service.sent("PUT"))
    assert first == second == third != other


def test_a_service_that_stays_away_is_one_line(service: Service, configctl: Configctl) -> None:
    """Retries end; the last answer is reported."""
    service.on("GET", CONFIG, {"code": "unavailable", "detail": "Postgres is away"}, 503, {"Retry-After": "2"})
    outcome = configctl("list", "payments")
    assert (outcome.code, outcome.err) == (1, "configctl: Postgres is away; try again in 2 s\n")


def test_nobody_there_is_one_line(configctl: Configctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection names the address and the reason."""
    monkeypatch.setenv("CONFIGSVC_URL", "http://127.0.0.1:1")
    outcome = configctl("list", "payments")
    assert outcome.code == 1
    assert "http://127.0.0.1:1 (Connection refused)" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"[]"), (502, b"Bad gateway"), (200, b"{}")])
def test_an_answer_of_something_else_is_one_line(
    service: Service, configctl: Configctl, status: int, body: bytes
) -> None:
    """A login page, a proxy's error, an empty object: exit code 1, one line, no stack trace."""
    service.on("GET", CONFIG, body, status)
    outcome = configctl("list", "payments")
    assert (outcome.code, outcome.err.count("\n"), outcome.out) == (1, 1, "")


def test_a_redirect_is_not_followed(service: Service, configctl: Configctl) -> None:
    """The token goes to the address that was named, and to no other."""
    service.on("GET", CONFIG, b"", 302, {"Location": "/elsewhere"})
    service.on("GET", "/elsewhere", {"values": {}})
    assert configctl("list", "payments").code == 1
    assert [request.path for request in service.requests] == [CONFIG]


@pytest.mark.parametrize("missing", ["CONFIGSVC_URL", "CONFIGSVC_TOKEN", "CONFIGSVC_ENV"])
def test_a_missing_setting_is_named(configctl: Configctl, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Where, who and which environment: whichever is missing, the line names it."""
    monkeypatch.delenv(missing)
    outcome = configctl("list", "payments")
    assert outcome.code == Exit.USAGE
    assert missing in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("url", ["localhost:8400", "http://", "http://[", "http://u:p@h", "http://h?x", "ftp://h"])
def test_a_wrong_address_is_refused(configctl: Configctl, url: str) -> None:
    """Addresses that cannot be the service's are named as such, without a stack trace."""
    outcome = configctl("list", "payments", "--url", url)
    assert (outcome.code, outcome.err.count("\n")) == (Exit.USAGE, 1)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "naïve"])
def test_a_token_is_never_repeated(configctl: Configctl, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """A token that was copied wrongly is refused without printing it."""
    monkeypatch.setenv("CONFIGSVC_TOKEN", token)
    outcome = configctl("list", "payments")
    assert outcome.code == Exit.USAGE
    assert token not in outcome.err


@pytest.mark.parametrize("name", ["..", "a/b", "Payments", "", "a?b", "x" * 101])
def test_a_name_cannot_bend_the_path(service: Service, configctl: Configctl, name: str) -> None:
    """What is no namespace is refused before anything is asked."""
    assert configctl("list", name).code == Exit.USAGE
    assert not service.requests


@pytest.mark.parametrize("args", [["--help"], [], ["--version"], *([name, "-h"] for name in PLACES)])
def test_help_needs_nothing(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help and version work without any setting."""
    for name in ("CONFIGSVC_URL", "CONFIGSVC_TOKEN", "CONFIGSVC_ENV"):
        monkeypatch.delenv(name, raising=False)
    assert run(args) == 0
    assert "configctl" in capsys.readouterr().out


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Each command by the words that name it, those of groups one by one."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {each}", below) for each, below in command.commands.items())
        else:
            yield name, command


def test_every_command_shows_how_it_is_used() -> None:
    """Its help ends with examples of that very command, and begins with a sentence."""
    for name, command in every_command():
        assert "Examples:" in (command.epilog or ""), name
        assert f"configctl {name}" in (command.epilog or ""), name
        assert (command.help or "").partition("\n")[0].endswith((".", ":")), name


def test_the_help_lists_the_exit_codes() -> None:
    """All of them."""
    for code in Exit:
        assert f"  {code.value}  " in EXIT_CODES


def test_a_command_loads_only_what_it_needs() -> None:
    """Asking for help, as shells do while somebody types, loads no file format, no keyring, no terminal library."""
    heavy = "{'rich', 'ruamel.yaml', 'keyring', 'javaproperties', 'dotenv', 'tomli_w', 'redis'}"
    program = (
        "import sys; from configclient.cli._app import run; code = run(['get', '--help']) or run(['--help']);"
        f"sys.exit(code or sorted({heavy} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_slip_is_answered_with_what_was_meant(configctl: Configctl) -> None:
    """Of commands and of their parts; a group alone prints its help."""
    assert configctl("reqests").err == (
        "configctl: No such command 'reqests'. Did you mean 'requests'? see configctl --help\n"
    )
    assert "Did you mean 'create'?" in configctl("tokens", "creat").err
    group = configctl("tokens")
    assert (group.code, group.err, "revoke" in group.out) == (0, "", True)

"""What is declared, and who listens: namespaces, envs, keys, watchers; and the forms that answers are printed in."""

import json
import shlex
import subprocess
import time
from typing import Any

import pytest
from ruamel.yaml import YAML

from configclient import ConfigClient

from .conftest import Configctl, Terminal, ended

WAIT_S = 10.0


def test_a_namespace_is_made_and_listed(configctl: Configctl, admin: dict[str, str], fresh_name: str) -> None:
    """An admin makes it; making it again is a conflict; who may not is told."""
    create = ("namespaces", "create", fresh_name, "--description", "of a test")
    assert configctl(*create).code == 4
    assert configctl(*create, **admin).out == f"namespace {fresh_name} created\n"
    assert configctl(*create, **admin).code == 5
    line = next(line for line in configctl.lines("namespaces", "list") if line.startswith(fresh_name))
    assert line.split() == [fresh_name, "admin", "of", "a", "test"]


def test_an_environment_is_made_protected_and_opened(configctl: Configctl, admin: dict[str, str]) -> None:
    """What is said about it is what is listed; what is not said stays."""
    assert configctl("envs", "create", "canary", "--description", "few", "--protected", **admin).code == 0
    assert configctl("envs", "update", "canary", "--approvals", "2", **admin).code == 0
    [line] = [line for line in configctl.lines("envs", "list") if line.startswith("canary")]
    assert line.split() == ["canary", "0", "2", "to", "approve", "few"]
    assert configctl("envs", "update", "canary", "--open", **admin).code == 0
    [canary] = [item for item in configctl.json("envs", "list")["items"] if item["name"] == "canary"]
    assert (canary["review_required"], canary["approvals"], canary["description"]) == (False, 2, "few")
    assert configctl("envs", "update", "canary", **admin).code == 2


def test_a_key_lives_from_declaration_to_deletion(configctl: Configctl, namespace: str) -> None:
    """Declared with a schema, described, changed, deleted; each says what happened."""
    made = configctl(
        *("keys", "create", namespace, "burst", "--type", "int", "--description", "At once", "--schema-file", "-"),
        stdin='{"minimum": 1}',
    )
    assert (made.code, made.out) == (0, f"{namespace}/burst declared as int\n")
    assert configctl("set", namespace, "burst", "0").code == 6
    described = dict(line.split(None, 1) for line in configctl.lines("keys", "describe", namespace, "burst"))
    assert (described["type"], described["schema"], described["description"]) == ("int", '{"minimum": 1}', "At once")
    assert configctl("keys", "update", namespace, "burst", "--no-schema").code == 0
    assert configctl.lines("keys", "list", namespace)[1].split()[:4] == ["burst", "int", "-", "-"]
    assert configctl("keys", "update", namespace, "burst").code == 2
    assert configctl.lines("keys", "delete", namespace, "burst") == [f"{namespace}/burst deleted"]
    assert configctl("keys", "describe", namespace, "burst").code == 3


def test_a_list_of_keys_is_read_to_its_end(
    configctl: Configctl, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pages it has."""
    monkeypatch.setattr("configclient.cli._states.PAGE_ITEMS_MAX", 2)
    for number in range(5):
        assert configctl("keys", "create", namespace, f"k{number}", "--type", "int").code == 0
    assert [line.split()[0] for line in configctl.lines("keys", "list", namespace)[1:]] == [
        "k4",
        "k3",
        "k2",
        "k1",
        "k0",
    ]


def test_watchers_are_listed(configctl: Configctl, stack: Any, namespace: str) -> None:
    """Each live client with the revision that it shows."""
    with ConfigClient("checkout", "development", [namespace], url=stack.url, token=stack.tokens["service"]):
        deadline = time.monotonic() + WAIT_S  # its first report is written soon after its first sync
        while len(lines := configctl.lines("watchers", namespace)) < 2:
            assert time.monotonic() < deadline
    head, line = lines
    assert head.split()[:3] == ["SERVICE", "PROCESS", "REVISION"]
    assert line.split()[0] == "checkout"
    assert configctl.lines("watchers", namespace, "--env", "staging")[1:] == []


def test_programs_read_json_yaml_and_variables(configctl: Configctl, namespace: str) -> None:
    """The three forms hold the same values, whatever is in them."""
    values = {"a.limit": ("int", "5"), "text": ("string", "it's\n$HOME"), "map": ("json", '{"ü": [1, null]}')}
    for key, (type_, value) in values.items():
        assert configctl("set", namespace, key, value, "--type", type_).code == 0
    answer = configctl.json("list", namespace)
    assert YAML(typ="safe", pure=True).load("\n".join(configctl.lines("list", namespace, "-o", "yaml"))) == answer
    script = configctl("list", namespace, "-o", "env").out + 'printf "%s|%s|%s" "$A_LIMIT" "$TEXT" "$MAP"'
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed == "5|it's\n$HOME|" + values["map"][1]
    assert configctl.lines("get", namespace, "a.limit", "-o", "env") == ["A_LIMIT=5"]
    assert shlex.split(configctl("get", namespace, "text", "-o", "env").out) == ["TEXT=it's\n$HOME"]
    assert json.loads(configctl("get", namespace, "map", "-o", "json").out)["value"] == {"ü": [1, None]}


def test_two_keys_with_one_name_are_no_variables(configctl: Configctl, namespace: str) -> None:
    """The line names both; nothing is printed of either."""
    for key in ("a.b", "a-b"):
        assert configctl("set", namespace, key, "1", "--type", "int").code == 0
    outcome = configctl("list", namespace, "-o", "env")
    assert (outcome.code, outcome.out) == (6, "")
    assert f"{namespace}/a-b and {namespace}/a.b would both be A_B" in outcome.err


def test_colours_are_for_terminals_alone(configctl: Configctl, terminal: Terminal, namespace: str) -> None:
    """A person sees them, unless NO_COLOR is set; a pipe never does."""
    assert "\x1b" not in configctl("set", namespace, "limit", "1", "--type", "int").out
    assert "\x1b[1m" in ended(terminal("list", namespace))[1]
    assert "\x1b" not in ended(terminal("list", namespace, NO_COLOR="1"))[1]

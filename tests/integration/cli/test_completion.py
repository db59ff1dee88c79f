"""Shells complete commands, options, and names that the service has."""

import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from .conftest import COMMAND, Configctl


def complete(environ: Mapping[str, str], *words: str, **more: str) -> list[str]:
    """What bash would offer for the last of these words."""
    variables = {
        "_CONFIGCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("configctl", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        COMMAND, env=dict(environ) | variables | more, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.split()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(configctl: Configctl, shell: str) -> None:
    """It calls the command back."""
    script = configctl("completion", shell).out
    assert "_CONFIGCTL_COMPLETE" in script
    assert "configctl" in script


def test_names_come_from_the_service(configctl: Configctl, environ: Mapping[str, str], namespace: str) -> None:
    """Commands, environments, namespaces, and a namespace's keys."""
    configctl("set", namespace, "rate_limit", "1", "--type", "int")
    assert complete(environ, "und") == ["undo"]
    assert complete(environ, "list", "--env", "prod") == ["production"]
    assert complete(environ, "list", namespace[:-1]) == [namespace]
    assert complete(environ, "get", namespace, "rate") == ["rate_limit"]


def test_profiles_are_completed_from_their_file(configctl: Configctl, environ: Mapping[str, str], stack: Any) -> None:
    """Wherever one is named."""
    configctl("login", "--profile", "test", "--no-keyring", stdin=stack.tokens["developer"])
    for words in (("list", "--profile", "te"), ("logout", "--profile", ""), ("profiles", "--default", "t")):
        assert complete(environ, *words) == ["test"]


def test_nothing_is_said_where_nobody_answers(environ: Mapping[str, Any]) -> None:
    """No error, no names, no wait."""
    assert complete(environ, "list", "pay", CONFIGSVC_URL="http://127.0.0.1:1") == []
    assert complete(environ, "list", "pay", CONFIGSVC_TOKEN="") == []

"""Settings as code: a directory of YAML is the desired state."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from .conftest import Configctl, Terminal, ended
from .test_writes import approve_all

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "settings-as-code.md").read_text(encoding="utf-8")
ENVIRONMENTS = "environments: [development, staging]\n"
KEYS = """\
keys:
  limit:
    type: int
    description: Requests a second
    schema: {minimum: 1}
    values: {development: 1, staging: 2}
  names:
    type: json
    values:
      development: [a]
"""

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes a directory: namespaces by name."""
    directory = tmp_path / "settings"
    directory.mkdir()

    def write(environments: str = ENVIRONMENTS, **namespaces: str) -> Path:
        (directory / "configctl.yaml").write_text(environments)
        for name, text in namespaces.items():
            (directory / f"{name}.yaml").write_text(text)
        return directory

    return write


def test_apply_makes_one_release_for_each_environment_once(configctl: Configctl, namespace: str, tree: Tree) -> None:
    """plan shows exactly what apply does, and afterwards nothing."""
    directory = tree(**{namespace: KEYS})
    lines = [
        f"{namespace}/limit  new key, int",
        f"{namespace}/names  new key, json",
        f"{namespace}/limit  (unset) → 1  development",
        f'{namespace}/names  (unset) → ["a"]  development',
        f"{namespace}/limit  (unset) → 2  staging",
    ]
    assert configctl.lines("plan", directory) == lines
    applied = configctl.lines("apply", directory, "--note", "as code")
    assert applied[:5] == lines
    assert [line.split()[0] for line in applied[5:]] == ["development", "staging"]
    assert configctl.values(namespace) == {"limit": 1, "names": ["a"]}
    assert configctl.values(namespace, "--env", "staging") == {"limit": 2}
    described = configctl.json("keys", "describe", namespace, "limit")
    assert (described["description"], described["schema"]) == ("Requests a second", {"minimum": 1})
    assert [release["note"] for release in configctl.json("history", namespace)["items"]] == ["as code"]
    again = configctl("apply", directory)
    assert (again.code, again.out, again.err) == (0, "", "no difference\n")


def test_drift_has_an_exit_code(configctl: Configctl, namespace: str, tree: Tree) -> None:
    """0 no difference, 2 some, 1 every failure, as pipelines know it from elsewhere."""
    directory = tree(**{namespace: KEYS})
    plan = ("plan", directory, "--detailed-exitcode")
    assert configctl(*plan).code == 2
    configctl.lines("apply", directory)
    assert configctl(*plan).code == 0
    configctl.lines("set", namespace, "limit", "5")
    drifted = configctl(*plan)
    assert (drifted.code, drifted.out) == (2, f"{namespace}/limit  5 → 1  development\n")
    assert configctl("plan", directory).code == 0
    assert configctl(*plan, "--env", "staging").code == 0
    assert configctl(*plan, CONFIGSVC_URL="http://127.0.0.1:1").code == 1
    assert configctl(*plan, CONFIGSVC_TOKEN="cfg_nobody_nothing").code == 1
    assert configctl(*plan, "--nonsense").code == 1
    tree(**{namespace: "keys: ["})
    assert configctl(*plan).code == 1
    assert configctl("plan", directory).code == 6


def test_what_is_not_in_the_directory_goes_only_with_prune(configctl: Configctl, namespace: str, tree: Tree) -> None:
    """Values are unset and keys deleted; other namespaces and other environments keep theirs."""
    directory = tree(**{namespace: KEYS})
    configctl.lines("apply", directory)
    configctl.lines("set", namespace, "names", "[1]", "--env", "staging")
    configctl.lines("set", namespace, "stray", "1", "--type", "int")
    left = configctl("plan", directory, "--detailed-exitcode")
    assert (left.code, left.out) == (0, "")
    assert f"left alone without --prune: {namespace}/stray in development, {namespace}/names in staging" in left.err
    pruned = configctl.lines("apply", directory, "--prune")
    assert pruned[:3] == [
        f"{namespace}/stray  delete the key",
        f"{namespace}/stray  1 → (unset)  development",
        f"{namespace}/names  [1] → (unset)  staging",
    ]
    assert configctl.values(namespace, "--env", "staging") == {"limit": 2}
    assert {key["key"] for key in configctl.json("keys", "list", namespace)["items"]} == {"limit", "names"}
    assert configctl("plan", directory, "--prune", "--detailed-exitcode").code == 0


def test_schemas_are_tightened_after_values_and_loosened_before(
    configctl: Configctl, namespace: str, tree: Tree
) -> None:
    """In both directions the directory can be applied at one go."""
    directory = tree(**{namespace: KEYS})
    configctl.lines("apply", directory)
    tight = KEYS.replace("minimum: 1", "minimum: 10").replace("development: 1,", "development: 10,")
    tree(**{namespace: tight.replace("staging: 2", "staging: 20")})
    configctl.lines("apply", directory)
    assert configctl.values(namespace)["limit"] == 10
    assert configctl("set", namespace, "limit", "9").code == 6
    tree(**{namespace: KEYS})
    configctl.lines("apply", directory)
    assert configctl("plan", directory, "--detailed-exitcode").code == 0


def test_a_schema_that_takes_a_review_is_proposed(
    configctl: Configctl, stack: Any, ops: dict[str, str], namespace: str, tree: Tree
) -> None:
    """That of a key with a value in a protected environment; after its value, where both change."""
    both = "environments: [production]\n"
    keys = "keys: {{limit: {{type: int, schema: {{minimum: {0}}}, values: {{production: {0}}}}}}}"
    directory = tree(both, **{namespace: keys.format(1)})
    configctl.lines("apply", directory, "--break-glass", "INC-1", **ops)
    tree(both, **{namespace: keys.format(2)})
    first = configctl("apply", directory, "--yes", **ops)
    assert (first.code, "apply again for its schema" in first.err) == (0, True)
    approve_all(stack, namespace)
    assert configctl("apply", directory, "--yes", **ops).code == 0
    approve_all(stack, namespace)
    assert configctl("plan", directory, "--detailed-exitcode").code == 0
    assert configctl.json("keys", "describe", namespace, "limit")["schema"] == {"minimum": 2}


def test_a_script_says_that_it_proposes(configctl: Configctl, ops: dict[str, str], namespace: str, tree: Tree) -> None:
    """Without --yes nothing is written where an environment is protected, the open ones included."""
    text = "keys: {limit: {type: int, values: {staging: 1, production: 1}}}"
    directory = tree("environments: [staging, production]\n", **{namespace: text})
    refused = configctl("apply", directory, **ops)
    assert (refused.code, "production is protected; --yes proposes it" in refused.err) == (5, True)
    assert configctl.json("keys", "list", namespace)["items"] == []


def test_a_value_that_one_environment_refuses_is_written_to_none(
    configctl: Configctl, namespace: str, tree: Tree
) -> None:
    """Each environment checks its release before the first is made."""
    directory = tree(**{namespace: KEYS.replace("staging: 2", "staging: 0")})
    refused = configctl("apply", directory)
    assert refused.code == 6
    assert configctl.values(namespace) == {}


def test_a_type_never_changes(configctl: Configctl, namespace: str, tree: Tree) -> None:
    """Where the service has another one, the line says so, and nothing is written."""
    configctl.lines("set", namespace, "limit", "x", "--type", "string")
    outcome = configctl("apply", tree(**{namespace: KEYS}))
    assert outcome.code == 5
    assert f"{namespace}/limit is declared as string, and the file says int" in outcome.err
    assert configctl.values(namespace) == {"limit": "x"}


def test_namespaces_are_made_by_those_who_may(
    configctl: Configctl, admin: dict[str, str], fresh_name: str, tree: Tree
) -> None:
    """plan shows them to everybody."""
    directory = tree(**{fresh_name: "description: new here\n" + KEYS})
    assert configctl.lines("plan", directory)[0] == f"{fresh_name}  new namespace"
    assert configctl("apply", directory).code == 4
    assert configctl("apply", directory, **admin).code == 0
    assert configctl.values(fresh_name) == {"limit": 1, "names": ["a"]}


def test_programs_read_the_difference(configctl: Configctl, namespace: str, tree: Tree) -> None:
    """As JSON, with the releases after apply; a dry run writes nothing."""
    directory = tree(**{namespace: KEYS})
    dry = configctl.json("apply", directory, "--dry-run")
    assert [step["action"] for step in dry["declarations"]] == ["new", "new"]
    assert configctl.values(namespace) == {}
    done = configctl.json("apply", directory)
    assert done["environments"]["staging"] == [
        {"action": "set", "namespace": namespace, "key": "limit", "type": "int", "value": 2}
    ]
    assert [release["env"] for release in done["releases"]] == ["development", "staging"]


def test_every_mistake_is_named_by_file_and_line(configctl: Configctl, tree: Tree) -> None:
    """All of them at once."""
    text = """\
keys:
  a b: {type: int}
  x:
    type: integer
  y:
    type: int
    valuse: {}
    values:
      development: 1.5
      prod: 1
  z:
    type: string
    secret: true
    values:
      development: hidden
  n: {type: float, values: {development: .nan}}
  m: {type: json, schema: 5, description: [1]}
"""
    outcome = configctl("plan", tree(payments=text, **{"Not-A-Name": "", "broken": "keys:\n  - ["}))
    assert (outcome.code, outcome.err.count("\n")) == (6, 1)
    for words in (
        "payments.yaml:2: 'a b' is no name for a key",
        "payments.yaml:4: type must be string or int or float or bool or json",
        "payments.yaml:7: 'valuse' is unknown here; there may be description, schema, secret, type, values",
        "payments.yaml:9: the value for development is not of type int",
        "payments.yaml:10: prod is not among the environments of configctl.yaml",
        "payments.yaml:14: a secret's values do not belong into files",
        "payments.yaml:16: nan is no number in JSON",
        "payments.yaml:17: schema must be a map, true or false",
        "payments.yaml:17: description must be text",
        "Not-A-Name.yaml: 'Not-A-Name' is no name for a namespace",
        "broken.yaml: line 2: ",
    ):
        assert words in outcome.err
    assert "hidden" not in outcome.err


@pytest.mark.parametrize(
    ("root", "word"),
    [
        ("", "configctl.yaml:1: environments must be a list of names"),
        ("environments: [Prod]", "configctl.yaml:1: environments must be a list of names"),
        ("environments: [development]\nother: 1", "configctl.yaml:2: 'other' is unknown here"),
        ("[1]", "configctl.yaml:1: the file must be a map"),
    ],
)
def test_the_root_file_says_which_environments(configctl: Configctl, tree: Tree, root: str, word: str) -> None:
    """And nothing else."""
    outcome = configctl("plan", tree(root))
    assert (outcome.code, word in outcome.err) == (6, True), outcome.err


def test_a_directory_without_a_root_file_is_none(configctl: Configctl, tmp_path: Path, tree: Tree) -> None:
    """The line says what to write; an environment that it does not name can't be chosen."""
    assert "configctl.yaml is missing" in configctl("plan", tmp_path).err
    assert configctl("plan", tree(), "--env", "production").code == 2


def test_a_file_by_another_ending_is_a_slip(configctl: Configctl, tree: Tree) -> None:
    """It would go unseen, and with it all that it wants."""
    directory = tree()
    (directory / "other.yml").write_text("keys: {}\n")
    slip = configctl("plan", directory)
    assert (slip.code, "other.yml: name it .yaml" in slip.err) == (6, True)
    (directory / "other.yml").rename(directory / "other.yaml").write_bytes(b"keys:\n  \xff\n")
    assert "other.yaml:2: this is not UTF-8" in configctl("plan", directory).err


def test_a_person_is_asked_before_production(
    configctl: Configctl, terminal: Terminal, stack: Any, ops: dict[str, str], namespace: str, tree: Tree
) -> None:
    """Once, before anything is written; then it is proposed."""
    directory = tree("environments: [production]\n", **{namespace: "keys: {x: {type: int, values: {production: 1}}}"})
    session = terminal("apply", directory, **ops)
    session.expect_exact("production is protected. Propose this? [y/N]: ")
    session.sendline("n")
    assert ended(session)[0] == 130
    assert configctl.json("keys", "list", namespace)["items"] == []
    session = terminal("apply", directory, **ops)
    session.expect_exact("[y/N]: ")
    session.sendline("y")
    assert ended(session)[0] == 0
    approve_all(stack, namespace)
    assert configctl.values(namespace, "--env", "production") == {"x": 1}


def test_the_pipeline_of_the_documentation(
    configctl: Configctl, environ: Mapping[str, str], stack: Any, tmp_path: Path
) -> None:
    """The page's files and script, as they stand there: proposed, applied, checked at night, and found adrift."""
    for name, text in re.findall(r"^```yaml (\S+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    [script] = re.findall(r"^```sh \S+\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    variables = dict(environ) | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CONFIGSVC_TOKEN": stack.tokens["admin"],
        "COMMIT": "ab12cd",
    }

    def job(name: str) -> "subprocess.CompletedProcess[str]":
        command = ["bash", "-euc", script, "pipeline", name]
        return subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=False
        )

    proposed = job("pull-request")
    assert (proposed.returncode, "payments/currencies  new key, json\n" in proposed.stdout) == (0, True), proposed
    assert job("nightly").returncode == 2
    applied = job("main")
    assert applied.returncode == 0, applied
    assert job("nightly").returncode == 2, "production waits for somebody else"
    approve_all(stack, "payments", by="ops")
    assert job("nightly").returncode == 0
    production = configctl.json("list", "payments", "--env", "production")["values"]
    assert {key: entry["value"] for key, entry in production.items()} == {
        "rate_limit": 100,
        "currencies": ["EUR", "USD"],
    }
    assert configctl.json("history", "payments", "--env", "production")["items"][0]["note"] == "commit ab12cd"
    assert configctl("set", "payments", "rate_limit", "11").code == 0
    adrift = job("nightly")
    assert (adrift.returncode, adrift.stdout) == (2, "payments/rate_limit  11 → 10  development\n")

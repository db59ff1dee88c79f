"""Both wheels, each installed alone into an empty environment, as a user has them."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest

from tests.fix_database import Database

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"configsvc": ROOT, "configclient": ROOT / "configclient"}
# What the client's three dependencies themselves pull in, on this Python or another.
DEPENDENCIES_OF_DEPENDENCIES = {"cffi", "pycparser", "async-timeout", "typing-extensions"}
INSTALL_TIMEOUT_S = 240

# One worker builds and installs; making two environments twice would double the time.
pytestmark = [pytest.mark.long, pytest.mark.timeout(300), pytest.mark.xdist_group("wheels")]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Distribution → its wheel, built from this checkout."""
    built = {}
    for name, folder in DISTRIBUTIONS.items():
        target = tmp_path_factory.mktemp(f"{name}-wheel")
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
        [built[name]] = target.glob("*.whl")
    return built


def environment_with(wheel: Path, folder: Path) -> Path:
    """Makes an environment that holds this wheel and what it pulls in; returns its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--retries", "1", "--constraint", "constraints.txt"]
    done = subprocess.run([*pip, str(wheel)], cwd=ROOT, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    if "connection broken" in done.stderr and not os.environ.get("CI"):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture(scope="module")
def service(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds configsvc alone."""
    return environment_with(wheels["configsvc"], tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def client(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds configclient alone."""
    return environment_with(wheels["configclient"], tmp_path_factory.mktemp("client"))


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Runs a program away from the checkout, without this environment's settings; returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_services_wheel_carries_its_sql(wheels: dict[str, Path]) -> None:
    """Every file of sql/ is in configsvc's wheel, and nothing of the client, the tests or the tools."""
    names = set(zipfile.ZipFile(wheels["configsvc"]).namelist())
    expected = {f"configsvc/{path.relative_to(ROOT)}" for path in (ROOT / "sql").rglob("*.sql")}
    assert expected
    assert expected <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"configsvc"}


def test_the_clients_wheel_holds_the_client_alone(wheels: dict[str, Path]) -> None:
    """configclient's wheel has its typed package and not the root's redirect of the same name."""
    wheel = zipfile.ZipFile(wheels["configclient"])
    assert "configclient/py.typed" in wheel.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in wheel.namelist()} == {"configclient"}
    assert wheel.read("configclient/__init__.py") != (ROOT / "configclient" / "__init__.py").read_bytes()


def test_the_client_pulls_in_three_packages(client: Path) -> None:
    """An application that installs configclient gets redis, urllib3, cryptography, and what those need."""
    listed = run(client / "python", "-m", "pip", "list", "--format=json", cwd=client)
    installed = {package["name"].lower() for package in json.loads(listed)} - {"pip", "setuptools", "configclient"}
    direct = {"redis", "urllib3", "cryptography"}
    assert direct <= installed
    assert installed - direct <= DEPENDENCIES_OF_DEPENDENCIES


def test_the_client_imports_by_itself(client: Path, tmp_path: Path) -> None:
    """`import configclient` works from the wheel, far from the checkout, and gives the client."""
    program = "import configclient; print(configclient.__file__); print(configclient.ConfigClient.__name__)"
    path, name = run(client / "python", "-c", program, cwd=tmp_path).splitlines()
    assert Path(path).is_relative_to(client.parent)
    assert name == "ConfigClient"


def test_the_service_explains_itself(service: Path, tmp_path: Path) -> None:
    """`configsvc --help` from the wheel names the commands."""
    told = run(service / "configsvc", "--help", cwd=tmp_path)
    for command in ("dev", "serve", "migrate", "relay", "token", "keys"):
        assert command in told


def test_the_service_migrates_from_its_wheel(service: Path, tmp_path: Path, empty_database: Database) -> None:
    """`configsvc migrate` finds the SQL inside the installed package; a second run changes nothing and succeeds."""
    for _ in range(2):
        run(service / "configsvc", "migrate", cwd=tmp_path, CONFIGSVC_MIGRATE_DATABASE_URL=empty_database.superuser_url)
    with psycopg.connect(empty_database.superuser_url) as connection:
        environments = connection.execute("SELECT name FROM environment ORDER BY name").fetchall()
    assert environments == [("development",), ("production",), ("staging",)]


def test_the_service_makes_a_signing_key(service: Path, tmp_path: Path) -> None:
    """`configsvc keys new-signing-key FILE` writes a key that its owner alone can read, and never over another."""
    key = tmp_path / "signing.key"
    run(service / "configsvc", "keys", "new-signing-key", key, cwd=tmp_path)
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    again = subprocess.run([service / "configsvc", "keys", "new-signing-key", key], capture_output=True, text=True)
    assert again.returncode != 0
    assert len(again.stderr.splitlines()) == 1
    assert key.read_bytes() == before

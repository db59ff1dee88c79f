"""Clients' accounts in a real Redis, set up by a real relay: what each may hear, and that it may do nothing else."""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.retry import Retry

from configsvc.crypto import signing
from configsvc.crypto.signing import Signer
from configsvc.delivery import relay
from configsvc.delivery.accounts import PushAccounts
from configsvc.dev import binaries, ports
from configsvc.dev.process import Program
from configsvc.dev.supervisor import Supervisor
from configsvc.settings import Settings
from configsvc.store import catalog
from configsvc.store.database import Database as Pool
from tests.delivery import ENVS, Listener, gets_in, wait_until

STOP_TIMEOUT_S = 10.0
HEARD_TIMEOUT_S = 10.0
ENV, OTHER_ENV = "development", "production"
#: What a client of ENV may not do.
FORBIDDEN: list[tuple[str, ...]] = [
    ("SUBSCRIBE", f"config:releases:{OTHER_ENV}"),
    ("SUBSCRIBE", f"config:changes:payments:{OTHER_ENV}"),
    ("SUBSCRIBE", f"config:releases:{ENV}", f"config:releases:{OTHER_ENV}"),
    ("SUBSCRIBE", "anything"),
    ("PSUBSCRIBE", "*"),
    ("PSUBSCRIBE", f"config:releases:{OTHER_ENV}"),
    ("PSUBSCRIBE", f"config:changes:*:{ENV}"),
    ("SSUBSCRIBE", f"config:releases:{OTHER_ENV}"),
    ("PUBLISH", f"config:releases:{ENV}", "forged"),
    ("SPUBLISH", f"config:releases:{ENV}", "forged"),
    ("PUBSUB", "CHANNELS"),
    ("GET", "a"),
    ("SET", "a", "b"),
    ("KEYS", "*"),
    ("EVAL", "return 1", "0"),
    ("MULTI",),
    ("CLIENT", "LIST"),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", f"client-{ENV}", "+@all"),
    ("FLUSHALL",),
    ("MONITOR",),
]


def accounts(settings: Settings) -> PushAccounts:
    """As sync hands them out."""
    assert settings.push_redis_url is not None
    return PushAccounts(settings.push_redis_url, Signer.load(settings.signing_key_file))


def connect(url: str) -> redis.Redis:
    """A connection that fails at once. By the third protocol, a SUBSCRIBE that is let through would have no answer."""
    return redis.Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0))


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """A relay inside, which leads once nobody else does."""
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_TIMEOUT_S)
        assert not thread.is_alive()


@contextmanager
def listening(url: str, *channels: str) -> Iterator[PubSub]:
    """A client that has subscribed."""
    with connect(url) as connection, connection.pubsub() as listener:
        listener.subscribe(*channels)
        for _ in channels:
            message = listener.get_message(timeout=HEARD_TIMEOUT_S)
            assert message
            assert message["type"] == "subscribe"
        yield listener


def hear(listener: PubSub, number: int) -> None:
    """Return when the client has heard this many messages; its connection must not have been replaced meanwhile."""
    for _ in range(number):
        message = listener.get_message(timeout=HEARD_TIMEOUT_S)
        assert message
        assert message["type"] == "message"


@pytest.fixture
def clients_url(settings: Settings) -> Iterator[str]:
    """The account of development's clients, once a relay has set up all."""
    of = accounts(settings)
    with connect(settings.redis_url) as admin:
        admin.acl_deluser(*(f"client-{env}" for env in (*ENVS, "brand-new")))  # the server outlives a test
    with running(settings):
        wait_until(lambda: all(gets_in(of.url(env)) for env in ENVS))
        yield of.url(ENV)


def test_a_client_hears_its_environment_as_long_as_it_likes(clients_url: str) -> None:
    """It hears headers and the parts of any namespace, and setting the accounts up again and again cuts nobody off."""
    with listening(clients_url, f"config:changes:pay.x:{ENV}", f"config:releases:{ENV}") as listener:
        hear(listener, 3)


def test_a_client_can_do_nothing_else(clients_url: str) -> None:
    """No other environment, no publishing, no data, no looking around: the server refuses."""
    with connect(clients_url) as connection:
        for command in FORBIDDEN:
            with pytest.raises(redis.exceptions.NoPermissionError):
                connection.execute_command(*command)


def test_no_account_can_publish_but_the_services(settings: Settings, clients_url: str) -> None:
    """Of all environments' accounts none can, nor does one's password open another's."""
    of = accounts(settings)
    for env in ENVS:
        with connect(of.url(env)) as connection, pytest.raises(redis.exceptions.NoPermissionError):
            connection.publish(f"config:releases:{env}", "forged")
    assert not gets_in(clients_url.replace(f"client-{ENV}", f"client-{OTHER_ENV}"))


def test_an_environment_gets_its_account_when_it_appears(settings: Settings, clients_url: str) -> None:
    """There is none for an environment that is not there; soon after it was made there is."""
    url = accounts(settings).url("brand-new")
    assert gets_in(clients_url)
    assert not gets_in(url)
    pool = Pool(settings.database_url)
    new = {"name": "brand-new", "description": "", "review_required": False, "approvals": 1, "actor": "test"}
    with pool.connection() as connection:
        catalog.create_environment(connection, **new)
    pool.close()
    wait_until(lambda: gets_in(url))


def test_what_somebody_else_has_changed_is_put_right(settings: Settings, clients_url: str) -> None:
    """An account that was deleted is back soon; another password and another right on it are gone."""
    with connect(settings.redis_url) as admin:
        admin.acl_deluser(f"client-{ENV}")
        admin.execute_command("ACL SETUSER", f"client-{OTHER_ENV}", "on", ">easy", "+publish")
        wait_until(lambda: gets_in(clients_url))
        wait_until(lambda: "publish" not in str(admin.execute_command("ACL GETUSER", f"client-{OTHER_ENV}")))
    easy = urlsplit(clients_url)._replace(
        netloc=f"client-{OTHER_ENV}:easy@{urlsplit(clients_url).netloc.split('@')[1]}"
    )
    assert not gets_in(easy.geturl())


def test_a_signing_key_is_replaced_and_nobody_notices(settings: Settings, tmp_path: Path) -> None:
    """In every step the addresses of before and after open the account, and who listens goes on listening.

    When the old key is gone from the file, what was handed out with it opens nothing any more.
    """
    old, new = tmp_path / "old.pem", tmp_path / "new.pem"
    for file in (old, new):
        signing.generate(file)
    key_file = tmp_path / "signing-key.pem"
    own = settings.model_copy(update={"signing_key_file": key_file})
    old_url, new_url = (
        accounts(settings.model_copy(update={"signing_key_file": file})).url(ENV) for file in (old, new)
    )
    steps: list[tuple[list[Path], str, Callable[[], bool]]] = [
        ([old], old_url, lambda: gets_in(old_url) and not gets_in(new_url)),
        ([old, new], old_url, lambda: gets_in(old_url) and gets_in(new_url)),
        ([new, old], new_url, lambda: gets_in(old_url) and gets_in(new_url)),
        ([new], new_url, lambda: gets_in(new_url) and not gets_in(old_url)),
    ]
    with connect(settings.redis_url) as admin:
        admin.acl_deluser(f"client-{ENV}")
        listeners: list[PubSub] = []
        for files, handed_out, as_expected in steps:
            key_file.write_bytes(b"".join(file.read_bytes() for file in files))
            key_file.chmod(0o600)
            with running(own):
                wait_until(as_expected)
                assert accounts(own).url(ENV) == handed_out
                if not listeners:
                    listener = connect(handed_out).pubsub()
                    listener.subscribe(f"config:releases:{ENV}")
                    assert listener.get_message(timeout=HEARD_TIMEOUT_S)["type"] == "subscribe"
                    listeners.append(listener)
                hear(listeners[0], 1)
        listeners[0].close()


@pytest.fixture
def silent_redis() -> Iterator[str]:
    """An address where connections are taken and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://admin:hush@127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize("fault", ["refused", "silent", "away"])
def test_publishing_does_not_need_the_admin_account(
    settings: Settings, silent_redis: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with it, heartbeats go out every second; one warning says what is to be done, no password."""
    host = urlsplit(settings.redis_url).netloc.rpartition("@")[2]
    admin_url = {
        "refused": f"redis://nobody:hush@{host}/0",
        "silent": silent_redis,
        "away": f"redis://admin:hush@127.0.0.1:{ports.free_port()}/0",
    }[fault]
    listener = Listener(settings.redis_url, Signer.load(settings.signing_key_file).public_keys)
    with running(settings.model_copy(update={"redis_admin_url": admin_url})):
        listener.until(lambda: len(listener.headers(ENV)) >= 3)
    listener.close()
    said = [r.getMessage() for r in caplog.records if r.name.startswith("configsvc") and r.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "accounts in Redis fails" in said[0]
    assert "CONFIGSVC_REDIS_ADMIN_URL has to name an account that may ACL SETUSER" in said[0]
    assert "hush" not in said[0]


def test_what_the_command_prints_is_an_acl_file(settings: Settings, tmp_path: Path) -> None:
    """A server that reads those lines lets clients in to their environment; they hold no password."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
    command = [sys.executable, "-m", "configsvc", "redis-accounts"]
    done = subprocess.run(
        command, env=environ | settings.to_environ(), capture_output=True, text=True, check=True, timeout=30
    )
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["user", f"client-{env}"] for env in ENVS]
    port = ports.free_port()
    assert settings.push_redis_url is not None
    template = urlsplit(settings.push_redis_url)._replace(netloc=f"client-{{env}}:{{password}}@127.0.0.1:{port}")
    url = accounts(settings.model_copy(update={"push_redis_url": template.geturl()})).url(ENV)
    assert urlsplit(url).password not in done.stdout
    (tmp_path / "users.acl").write_text("user default off\n" + done.stdout)
    config = f"bind 127.0.0.1\nport {port}\nsave ''\naclfile {tmp_path / 'users.acl'}\n"
    server = Program(
        "valkey", [str(binaries.valkey_server()), "-"], lambda: _answers(url), stdin=config.encode(), cwd=tmp_path
    )
    with Supervisor(tmp_path, print) as supervisor:
        supervisor.start(server)
        with listening(url, f"config:releases:{ENV}"):
            pass
        with connect(url) as connection, pytest.raises(redis.exceptions.NoPermissionError):
            connection.execute_command("SUBSCRIBE", f"config:releases:{OTHER_ENV}")


def _answers(url: str) -> bool:
    try:
        return gets_in(url)
    except redis.ConnectionError:
        return False

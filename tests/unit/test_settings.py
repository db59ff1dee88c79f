"""CONFIGSVC_* variables: what is read, what is refused and how it is said."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from configsvc.domain.policy import Grant
from configsvc.errors import SetupError
from configsvc.settings import Settings, read_database_url, read_keys

GIVEN = {
    "CONFIGSVC_DATABASE_URL": "postgresql://configsvc_service:hunter2@db/configsvc",
    "CONFIGSVC_REDIS_URL": "redis://configsvc:hunter3@redis:6379/0",
    "CONFIGSVC_SIGNING_KEY_FILE": "/etc/configsvc/signing-key.pem",
}
EXAMPLE = "postgresql://configsvc_service:password@localhost:5432/configsvc"
KEY_COMMAND = "`configsvc keys new-signing-key FILE`"


def _lines(**changed: str) -> list[str]:
    environ = {**GIVEN, **{f"CONFIGSVC_{name.upper()}": value for name, value in changed.items()}}
    with pytest.raises(SetupError) as caught:
        Settings.from_environ(environ)
    return str(caught.value).splitlines()


def test_three_variables_are_enough() -> None:
    """The rest has defaults, and other programs' variables are none of our business."""
    settings = Settings.from_environ({**GIVEN, "PATH": "/bin", "REDIS_URL": "x"})
    assert settings.signing_key_file == Path("/etc/configsvc/signing-key.pem")
    assert (settings.host, settings.port, settings.workers, settings.log_level) == ("127.0.0.1", 8400, 2, "info")
    assert settings.push_redis_url is None
    assert settings.next_sync_s == 30


def test_a_child_process_gets_the_same_settings() -> None:
    """to_environ() and from_environ() are each other's opposite."""
    settings = Settings.from_environ({**GIVEN, "CONFIGSVC_PORT": "9000", "CONFIGSVC_PUSH_REDIS_URL": "redis://p@r"})
    assert Settings.from_environ(settings.to_environ()) == settings


def test_settings_do_not_change() -> None:
    """They are frozen: who needs others makes others."""
    settings = Settings.from_environ(GIVEN)
    with pytest.raises(ValidationError):
        settings.port = 1


def test_each_missing_variable_is_named_with_an_example() -> None:
    """One line each, and an empty variable is a missing one."""
    assert _lines(database_url="", signing_key_file="") == [
        f"CONFIGSVC_DATABASE_URL is missing: set it, for instance to {EXAMPLE}",
        f"CONFIGSVC_SIGNING_KEY_FILE is missing: set it to the file that {KEY_COMMAND} has written",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", "http", "CONFIGSVC_PORT is wrong: input should be a valid integer"),
        ("port", "70000", "CONFIGSVC_PORT is wrong: input should be less than or equal to 65535"),
        ("workers", "0", "CONFIGSVC_WORKERS is wrong: input should be greater than or equal to 1"),
        ("log_level", "loud", "CONFIGSVC_LOG_LEVEL is wrong: input should be 'debug', 'info', 'warning' or 'error'"),
        ("host", "http://x", "CONFIGSVC_HOST has to be the address to listen on"),
        ("redis_url", "redis.example:6379", "CONFIGSVC_REDIS_URL is no Redis address; it looks like redis://"),
        ("redis_url", "redis+sentinel://a:26379", "CONFIGSVC_REDIS_URL is no Redis address: write special"),
        ("redis_url", "redis://a:1,/0", "CONFIGSVC_REDIS_URL is no Redis address: write special"),
        ("keys", "keys.json", "CONFIGSVC_KEYS names no place for keys; it looks like file:/etc/configsvc/keys.json"),
        ("other_keys", "keys.json", "CONFIGSVC_OTHER_KEYS names no place for keys; it looks like file:/etc/"),
        ("other_keys", "file:/k", "CONFIGSVC_OTHER_KEYS is read beside CONFIGSVC_KEYS, which is missing"),
        ("database_url", "mysql://x/y", "CONFIGSVC_DATABASE_URL is no Postgres address; it looks like postgresql://"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_right(name: str, value: str, said: str) -> None:
    """One line that says what would be accepted."""
    (line,) = _lines(**{name: value})
    assert line.startswith(said)


def test_an_unknown_variable_is_named_with_a_close_match() -> None:
    """A slip of the finger is not silently a default."""
    assert _lines(databse_url="x") == [
        "CONFIGSVC_DATABSE_URL is no setting of configsvc: did you mean CONFIGSVC_DATABASE_URL?"
    ]
    (line,) = _lines(xyzzy="x")
    assert line.startswith("CONFIGSVC_XYZZY is no setting of configsvc: unset it")
    (line,) = _lines(token_request_per_s="x")
    assert line.endswith("did you mean CONFIGSVC_TOKEN_REQUESTS_PER_S?")


TEMPLATE = "redis://client-{env}:{password}@redis:6379/0"


def test_accounts_per_environment_are_set_up_by_an_admin() -> None:
    """Both addresses together, or the template alone where somebody else sets the accounts up."""
    alone = Settings.from_environ({**GIVEN, "CONFIGSVC_PUSH_REDIS_URL": TEMPLATE})
    assert alone.redis_admin_url is None
    both = Settings.from_environ({**alone.to_environ(), "CONFIGSVC_REDIS_ADMIN_URL": "redis://admin:hunter4@redis"})
    assert Settings.from_environ(both.to_environ()) == both
    assert "hunter" not in repr(both)


@pytest.mark.parametrize(
    ("admin", "push", "said"),
    [
        ("admin", "", "CONFIGSVC_REDIS_ADMIN_URL sets up an account per environment, and CONFIGSVC_PUSH_REDIS_URL has"),
        ("admin", "redis://all:hunter5@r", "CONFIGSVC_REDIS_ADMIN_URL sets up an account per environment"),
        ("admin", "redis://c-{env}:hunter5@r", "CONFIGSVC_PUSH_REDIS_URL may hold {env} in the user's name"),
        ("client-a", TEMPLATE, "CONFIGSVC_PUSH_REDIS_URL must not name the account of CONFIGSVC_REDIS_ADMIN_URL"),
        (
            "",
            "redis://d{env}:{password}@r",
            "CONFIGSVC_PUSH_REDIS_URL must not name the account of CONFIGSVC_REDIS_ADM",
        ),
        ("admin", "redis://co{env}:{password}@r", "CONFIGSVC_PUSH_REDIS_URL must not name the account of CONFIGSVC_RE"),
    ],
)
def test_addresses_of_accounts_that_do_not_fit(admin: str, push: str, said: str) -> None:
    """One line says what is wrong: no environment may take over the admin's or the relay's account."""
    (line,) = _lines(redis_admin_url=f"redis://{admin}:hunter4@redis", push_redis_url=push)
    assert line.startswith(said)
    assert "hunter" not in line


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_read_from_its_variable(name: str) -> None:
    """It takes effect, or is refused; CONFIGSVC_TOKEN_REQUESTS_PER_S is no CONFIGSVC_TOKEN."""
    try:
        settings = Settings.from_environ({**GIVEN, f"CONFIGSVC_{name.upper()}": "7"})
    except SetupError:
        return
    assert str(getattr(settings, name)) == "7"


@pytest.mark.parametrize(
    "name", ["URL", "TOKEN", "TOKEN_ADMIN", "TOKEN_OPS", "ENV", "PROFILE", "CACHE", "TEST_DATABASE_URL"]
)
def test_the_variables_of_the_client_and_the_tests_pass(name: str) -> None:
    """A shell that has sourced .dev/env can start the service."""
    Settings.from_environ({**GIVEN, f"CONFIGSVC_{name}": "anything"})


@pytest.mark.parametrize("address", ["host=a,b dbname=c target_session_attrs=read-write", "postgresql://a:1,b:2/c"])
def test_several_hosts_and_keyword_addresses_are_postgres_addresses(address: str) -> None:
    """Whatever libpq understands is understood."""
    assert Settings.from_environ({**GIVEN, "CONFIGSVC_DATABASE_URL": address}).database_url == address


def test_passwords_show_neither_in_repr_nor_in_errors() -> None:
    """Settings may be logged, and errors are read over shoulders."""
    shown = repr(Settings.from_environ({**GIVEN, "CONFIGSVC_PUSH_REDIS_URL": "redis://c:hunter4@r"}))
    said = _lines(database_url="postgresql://u:hunter5@h:no:port/%zz", redis_url="http://u:hunter6@h", port="x")
    assert len(said) == 3
    assert "hunter" not in shown + " ".join(said)


@pytest.mark.parametrize(
    "password", ["h0p/7zq", "h0p@7zq", "h0p#7zq", "h0p?7zq", "h0p%7zq", "12/7zq", "12#7zq", "12?7zq"]
)
@pytest.mark.parametrize("name", ["database_url", "redis_url", "push_redis_url"])
def test_no_part_of_a_password_is_taken_for_a_host(name: str, password: str) -> None:
    """It is read whole, or refused with what to do: an error on connecting would show a part of it."""
    scheme = "postgresql" if name == "database_url" else "redis"
    address = f"{scheme}://u:{password}@db.example:6000/0"
    try:
        given = getattr(Settings.from_environ({**GIVEN, f"CONFIGSVC_{name.upper()}": address}), name)
    except SetupError as refusal:
        said = str(refusal)
    else:
        said = "address"
        read = conninfo_to_dict(given)["host"] if name == "database_url" else urlsplit(given).hostname
        assert read == "db.example"
    assert "address" in said
    assert not any(part in said for part in ("h0p", "7zq"))


def test_migrations_take_the_owners_address_when_there_is_one() -> None:
    """`migrate` uses its own variable, else the service's; it needs no other."""
    only = {"CONFIGSVC_DATABASE_URL": "postgresql://service@db/c"}
    both = {**only, "CONFIGSVC_MIGRATE_DATABASE_URL": "postgresql://owner@db/c"}
    assert read_database_url(only, for_migrations=True) == "postgresql://service@db/c"
    assert read_database_url(both, for_migrations=True) == "postgresql://owner@db/c"
    assert read_database_url(both) == "postgresql://service@db/c"
    with pytest.raises(SetupError, match="CONFIGSVC_DATABASE_URL is missing"):
        read_database_url({})
    with pytest.raises(SetupError, match="did you mean CONFIGSVC_MIGRATE_DATABASE_URL"):
        read_database_url({**only, "CONFIGSVC_MIGRATE_DATABSE_URL": "x"})


OIDC = {
    "oidc_issuer": "https://id.example",
    "oidc_client_id": "configsvc",
    "oidc_redirect_url": "https://config.example/ui/openid/back",
    "oidc_grants": '{"run": [{"role": "admin"}], "shop": [{"role": "ops", "namespaces": "s*", "envs": ["staging"]}]}',
}


def test_an_openid_provider_is_four_variables() -> None:
    """The rest has defaults; a child process gets the same; without any there is none."""
    environ = {**GIVEN, **{f"CONFIGSVC_{name.upper()}": value for name, value in OIDC.items()}}
    settings = Settings.from_environ(environ)
    assert Settings.from_environ(settings.to_environ()) == settings
    assert settings.oidc is not None
    assert settings.oidc.may["shop"] == {Grant("ops", "s*", frozenset({"staging"}))}
    assert Settings.from_environ(GIVEN).oidc is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("client_id", "", "CONFIGSVC_OIDC_CLIENT_ID missing: signing in by OpenID Connect needs issuer, client id"),
        ("issuer", "http://id.example", "CONFIGSVC_OIDC_ISSUER is no address that begins with https://"),
        ("issuer", "https://u:p@id.example", "CONFIGSVC_OIDC_ISSUER is no address that begins with https://"),
        ("issuer", "https://[", "CONFIGSVC_OIDC_ISSUER is no address that begins with https://"),
        ("redirect_url", "https://config.example/", "CONFIGSVC_OIDC_REDIRECT_URL has to end with /ui/openid/back"),
        ("scopes", "profile", "CONFIGSVC_OIDC_SCOPES has to hold the word openid"),
        ("grants", "admins=admin", "CONFIGSVC_OIDC_GRANTS is no JSON"),
        ("grants", "{}", "CONFIGSVC_OIDC_GRANTS has to say what whom may do"),
        ("grants", '{"a": {"role": "ops"}}', "CONFIGSVC_OIDC_GRANTS has no list of grants under a"),
        ("grants", '{"a": ["ops"]}', "CONFIGSVC_OIDC_GRANTS has a grant under a that is none"),
        ("grants", '{"a": [{"role": "boss"}]}', "CONFIGSVC_OIDC_GRANTS has a grant under a whose role is none of"),
        ("grants", '{"a": [{"role": []}]}', "CONFIGSVC_OIDC_GRANTS has a grant under a whose role is none of"),
        (
            "grants",
            '{"a": [{"role": "ops", "namespaces": "A"}]}',
            "CONFIGSVC_OIDC_GRANTS has a grant under a whose nam",
        ),
        ("grants", '{"a": [{"role": "ops", "envs": []}]}', "CONFIGSVC_OIDC_GRANTS has a grant under a whose envs"),
        ("grants", '{"a": [{"role": "ops", "envs": [1]}]}', "CONFIGSVC_OIDC_GRANTS has a grant under a whose envs"),
    ],
)
def test_a_provider_that_is_half_there_or_wrong_is_said(name: str, value: str, said: str) -> None:
    """In one line, before anything starts."""
    (line,) = _lines(**{**OIDC, f"oidc_{name}": value})
    assert line.startswith(said)


def test_a_secret_alone_makes_no_provider() -> None:
    """All that is missing is named."""
    (line,) = _lines(oidc_client_secret_file="/run/secret")
    assert all(f"CONFIGSVC_{name.upper()}" in line for name in OIDC)


def test_commands_that_look_after_keys_are_told_where_they_are() -> None:
    """The one setting is needed, the other is not; what names no place is refused by its name."""
    keys, others = "file:/etc/configsvc/keys.json", "file:/etc/configsvc/old.json"
    assert read_keys({"CONFIGSVC_KEYS": keys}) == (keys, None)
    assert read_keys({"CONFIGSVC_KEYS": keys, "CONFIGSVC_OTHER_KEYS": others}) == (keys, others)
    with pytest.raises(SetupError, match="CONFIGSVC_KEYS"):
        read_keys({})
    with pytest.raises(SetupError, match="CONFIGSVC_OTHER_KEYS"):
        read_keys({"CONFIGSVC_KEYS": keys, "CONFIGSVC_OTHER_KEYS": "under the mat"})

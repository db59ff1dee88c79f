"""What configsvc is told by its surroundings: the CONFIGSVC_* variables, each checked, each error one line."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from configsvc.domain import claims, key_sources, push_accounts, redis_addresses
from configsvc.domain.policy import ROLES, Grant
from configsvc.errors import SetupError
from configsvc.logs import LogFormat

PREFIX = "CONFIGSVC_"
#: Belong to clients, to `make dev`'s tokens and to the tests; they are often in the same shell.
_OTHERS = re.compile(rf"{PREFIX}(URL|TOKEN(_({'|'.join(ROLES).upper()}))?|ENV|PROFILE|CACHE|TEST_\w+)")
#: What pydantic puts before our own words.
_VALUE_ERROR = "Value error, "
_ENCODE = "write special characters of the password as %40 (@), %2F (/), %3A (:), %23 (#), %3F (?), %25 (%)"
#: One for each host, or one for all.
_PORTS = re.compile(r"[0-9,]*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: The page that an OpenID provider sends browsers back to.
OIDC_PATH = "/ui/openid/back"
_OIDC_NEEDED = ("oidc_issuer", "oidc_client_id", "oidc_redirect_url", "oidc_grants")
_OIDC_ALL = "issuer, client id, redirect URL and grants (docs/operations.md)"
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")


def _postgres_url(value: str) -> str:
    try:
        parts = conninfo_to_dict(value)
    except psycopg.ProgrammingError:
        # libpq repeats the text in its message, and the text may hold a password.
        raise ValueError(
            "is no Postgres address; it looks like postgresql://user:password@host:5432/database"
        ) from None
    # Else half a password is taken for a host, port or database, which errors and logs do name.
    names = f"{parts.get('host') or ''} {parts.get('dbname') or ''}"
    if "@" in names.removeprefix("@") or not _PORTS.fullmatch(str(parts.get("port") or "")):
        raise ValueError(f"is no Postgres address: {_ENCODE}")
    return value


def _redis_url(value: str) -> str:
    if not value.startswith(_REDIS_SCHEMES):
        raise ValueError("is no Redis address; it looks like redis://user:password@host:6379/0")
    if not redis_addresses.is_one(value):
        raise ValueError(
            f"is no Redis address: {_ENCODE}; sentinels look like redis+sentinel://user:password@a:26379,b:26379/main/0"
        )
    return value


def _host(value: str) -> str:
    if not value or "/" in value or any(character.isspace() for character in value):
        raise ValueError("has to be the address to listen on, such as 127.0.0.1 or 0.0.0.0")
    return value


def _keys(value: str) -> str:
    key_sources.parse(value)
    return value


def _grants(value: str) -> str:
    claims.parse_grants(value)
    return value


def _https(value: str) -> str:
    """Return an address that may be trusted with who somebody is: plain HTTP stays on this machine."""
    try:
        parts = urlsplit(value)
        good = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        good = good and bool(parts.hostname) and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        good = False
    if not good:
        raise ValueError("is no address that begins with https://")
    return value


def _scopes(value: str) -> str:
    if "openid" not in value.split():
        raise ValueError("has to hold the word openid, as in openid profile email")
    return value


def _redirect(value: str) -> str:
    if not _https(value).endswith(OIDC_PATH):
        raise ValueError(f"has to end with {OIDC_PATH}, as in https://config.example{OIDC_PATH}")
    return value


LogLevel = Literal["debug", "info", "warning", "error"]
_PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]
_RedisUrl = Annotated[str, AfterValidator(_redis_url)]
_PushRedisUrl = Annotated[_RedisUrl, AfterValidator(push_accounts.check_template)]


@dataclass(frozen=True)
class Oidc:
    """An OpenID provider and how its claims are read. ``may``: grants by the values of the roles' claim."""

    issuer: str
    client_id: str
    client_secret_file: Path | None
    redirect_url: str
    provider_name: str
    scopes: str
    name_claim: str
    roles_claim: str
    may: Mapping[str, frozenset[Grant]]
    only: bool


class Settings(BaseModel):
    """The settings of one configsvc process. The variable of a field is its name in capitals after ``CONFIGSVC_``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # The addresses carry passwords: they are never in ``repr``.
    database_url: _PostgresUrl = Field(repr=False)
    redis_url: _RedisUrl = Field(repr=False)
    #: The subscribe-only accounts that clients get (``domain/push_accounts.py``). Without them they poll.
    push_redis_url: _PushRedisUrl | None = Field(default=None, repr=False)
    #: An account that may ACL SETUSER: by it the leading relay sets up those of the clients.
    redis_admin_url: _RedisUrl | None = Field(default=None, repr=False)
    #: The Ed25519 key (PEM) that push messages are signed with.
    signing_key_file: Path
    #: Where the key-encryption keys of secrets are kept.
    keys: Annotated[str, AfterValidator(_keys)] | None = None
    #: While they move: where they have been kept so far, or will be. What ``keys`` has no key for is read with these.
    other_keys: Annotated[str, AfterValidator(_keys)] | None = None
    #: A role that may create roles and own tables, for `configsvc migrate` alone.
    migrate_database_url: _PostgresUrl | None = Field(default=None, repr=False)
    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    port: int = Field(default=8400, ge=1, le=65535)
    workers: int = Field(default=2, ge=1, le=64)
    log_level: LogLevel = "info"
    #: For a collector, or for people.
    log_format: LogFormat = "json"
    #: Whether there is a line for each request.
    access_log: bool = False
    #: Of one token, in each worker.
    token_requests_per_s: int = Field(default=2_000, ge=1, le=1_000_000)
    token_held_max: int = Field(default=10_000, ge=0, le=1_000_000)
    #: How many proxies in front write the caller's address into X-Forwarded-For.
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    #: How often a client with a healthy push connection is asked to sync, as report and anti-entropy.
    next_sync_s: int = Field(default=30, ge=1, le=300)

    #: Signing in at an OpenID provider; all of the first four, or none.
    oidc_issuer: Annotated[str, AfterValidator(_https)] | None = None
    oidc_client_id: str | None = None
    oidc_redirect_url: Annotated[str, AfterValidator(_redirect)] | None = None
    oidc_grants: Annotated[str, AfterValidator(_grants)] | None = None
    #: None: the provider knows us by PKCE alone.
    oidc_client_secret_file: Path | None = None
    oidc_provider_name: str = Field(default="OpenID Connect", max_length=40)
    oidc_scopes: Annotated[str, AfterValidator(_scopes)] = "openid profile email"
    oidc_name_claim: str = "preferred_username"
    oidc_roles_claim: str = "groups"
    #: Whether nobody signs in by password or API token: who approves is then one person for each at the provider.
    oidc_only: bool = False

    @property
    def oidc(self) -> Oidc | None:
        """The OpenID provider, if there is one."""
        if not (self.oidc_issuer and self.oidc_client_id and self.oidc_redirect_url and self.oidc_grants):
            return None
        return Oidc(
            self.oidc_issuer,
            self.oidc_client_id,
            self.oidc_client_secret_file,
            self.oidc_redirect_url,
            self.oidc_provider_name,
            self.oidc_scopes,
            self.oidc_name_claim,
            self.oidc_roles_claim,
            claims.parse_grants(self.oidc_grants),
            self.oidc_only,
        )

    @model_validator(mode="after")
    def _oidc_whole(self) -> Self:
        fields = {name: field for name, field in type(self).model_fields.items() if name.startswith("oidc_")}
        given = {name for name, field in fields.items() if getattr(self, name) != field.default}
        if given and (missing := [name for name in _OIDC_NEEDED if name not in given]):
            names = " and ".join(PREFIX + name.upper() for name in missing)
            raise ValueError(f"{names} missing: signing in by OpenID Connect needs {_OIDC_ALL}")
        return self

    @model_validator(mode="after")
    def _keys_before_others(self) -> Self:
        if self.other_keys is not None and self.keys is None:
            raise ValueError("CONFIGSVC_OTHER_KEYS is read beside CONFIGSVC_KEYS, which is missing")
        return self

    @model_validator(mode="after")
    def _accounts_fit(self) -> Self:
        if self.redis_admin_url is None:
            return self
        if self.push_redis_url is None or not push_accounts.is_template(self.push_redis_url):
            raise ValueError(
                "CONFIGSVC_REDIS_ADMIN_URL sets up an account per environment, and CONFIGSVC_PUSH_REDIS_URL "
                "has to name them: redis://client-{env}:{password}@host:6379/0"
            )
        for name, url in (("REDIS_URL", self.redis_url), ("REDIS_ADMIN_URL", self.redis_admin_url)):
            user = unquote(urlsplit(url).username or "") or "default"
            if push_accounts.names(self.push_redis_url, user):
                raise ValueError(
                    f"CONFIGSVC_PUSH_REDIS_URL must not name the account of {PREFIX}{name}: an environment could"
                )
        return self

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read ``CONFIGSVC_*``. An empty variable counts as missing.

        Raises:
            SetupError: a variable is missing, wrong or unknown; one line for each.
        """
        given = _ours(os.environ if environ is None else environ)
        problems = [_unknown(name) for name in given if _field(name) not in cls.model_fields]
        known = {_field(name): value for name, value in given.items() if _field(name) in cls.model_fields}
        try:
            settings = cls.model_validate(known)
        except ValidationError as error:
            problems += [_explain(part["loc"], part["type"], part["msg"]) for part in error.errors()]
        else:
            if not problems:
                return settings
        raise SetupError("\n".join(problems))

    def to_environ(self) -> dict[str, str]:
        """The variables that give a child process these settings; paths are absolute."""
        values = self.model_dump(exclude_none=True)
        values |= {name: path.absolute() for name, path in values.items() if isinstance(path, Path)}
        return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def read_database_url(environ: Mapping[str, str] | None = None, *, for_migrations: bool = False) -> str:
    """The database's address alone, for commands that need nothing else; for migrations its owner's, if there is one.

    Raises:
        SetupError: it is not set, it is no address, or a variable is unknown.
    """
    given = _ours(os.environ if environ is None else environ)
    if unknown := [_unknown(name) for name in given if _field(name) not in Settings.model_fields]:
        raise SetupError("\n".join(unknown))
    names = ["CONFIGSVC_MIGRATE_DATABASE_URL"] * for_migrations + ["CONFIGSVC_DATABASE_URL"]
    name = next((name for name in names if name in given), None)
    if name is None:
        raise SetupError(_explain(["database_url"], "missing", ""))
    try:
        return _postgres_url(given[name])
    except ValueError as error:
        raise SetupError(f"{name} {error}") from None


def read_keys(environ: Mapping[str, str] | None = None) -> tuple[str, str | None]:
    """Where the keys of secrets are kept, and where others of them are; for commands that look after them.

    Raises:
        SetupError: it is not set, or names no place for keys.
    """
    given = _ours(os.environ if environ is None else environ)
    if "CONFIGSVC_KEYS" not in given:
        raise SetupError(_explain(["keys"], "missing", ""))
    for name in {"CONFIGSVC_KEYS", "CONFIGSVC_OTHER_KEYS"} & given.keys():
        try:
            _keys(given[name])
        except ValueError as error:
            raise SetupError(f"{name} {error}") from None
    return given["CONFIGSVC_KEYS"], given.get("CONFIGSVC_OTHER_KEYS")


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and not _OTHERS.fullmatch(name) and value
    }


def _field(name: str) -> str:
    return name.removeprefix(PREFIX).lower()


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(_field(name), Settings.model_fields, n=1)
    hint = f"did you mean {PREFIX}{close[0].upper()}?" if close else "unset it (docs/operations.md lists all there are)"
    return f"{name} is no setting of configsvc: {hint}"


def _explain(location: Sequence[object], kind: str, message: str) -> str:
    if not location:  # about several variables, which the message names
        return message.removeprefix(_VALUE_ERROR)
    field = str(location[0])
    name = PREFIX + field.upper()
    if kind == "missing":
        return f"{name} is missing: set it{_EXAMPLES.get(field, '')}"
    if kind == "value_error":
        return f"{name} {message.removeprefix(_VALUE_ERROR)}"
    return f"{name} is wrong: {message[:1].lower()}{message[1:]}"


_EXAMPLES = {
    "database_url": ", for instance to postgresql://configsvc_service:password@localhost:5432/configsvc",
    "keys": " to where the service has them, for instance to file:/etc/configsvc/keys.json",
    "redis_url": ", for instance to redis://:password@localhost:6379/0",
    "signing_key_file": " to the file that `configsvc keys new-signing-key FILE` has written",
}

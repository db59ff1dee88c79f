"""What CONFIGSVC_KEYS may say: where key-encryption keys are kept."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, parse_qsl, urlsplit

_FORMS = (
    "file:/etc/configsvc/keys.json, aws-kms:alias/configsvc?region=eu-central-1 "
    "or vault-transit:https://vault:8200/transit/configsvc"
)
_NO_TRANSIT = "names no transit key; it looks like vault-transit:https://vault:8200/transit/configsvc"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class FileKeys:
    """A key file on this machine."""

    path: PurePosixPath


@dataclass(frozen=True)
class KmsKeys:
    """A key of AWS KMS: its id, ARN or alias. Without a region, what AWS's own settings say."""

    key: str
    region: str | None = None


@dataclass(frozen=True)
class TransitKeys:
    """A key of a Vault transit engine. Without a token file, VAULT_TOKEN holds the token."""

    url: str
    mount: str
    name: str
    token_file: PurePosixPath | None = None
    namespace: str | None = None


def parse(text: str) -> FileKeys | KmsKeys | TransitKeys:
    """Read an address of keys.

    Raises:
        ValueError: it is none; the message says what would be, and does not repeat it.
    """
    scheme, _, rest = text.partition(":")
    match scheme:
        case "file":
            return FileKeys(_absolute(rest, "the key file"))
        case "aws-kms":
            return _kms(rest)
        case "vault-transit":
            return _transit(rest)
    raise ValueError(f"names no place for keys; it looks like {_FORMS}")


def _kms(rest: str) -> KmsKeys:
    # Not a URL: an ARN is full of colons.
    key, _, query = rest.partition("?")
    options = _options(query, {"region"})
    if not key or "//" in key or "@" in key:
        raise ValueError("names no key of AWS KMS; it looks like aws-kms:alias/configsvc?region=eu-central-1")
    return KmsKeys(key, options.get("region"))


def _transit(rest: str) -> TransitKeys:
    try:
        url = urlsplit(rest)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError(_NO_TRANSIT) from None
    mount, _, name = url.path.strip("/").rpartition("/")
    if not host or not mount or not name or url.fragment:
        raise ValueError(_NO_TRANSIT)
    _refuse_open_doors(url, host)
    options = _options(url.query, {"token_file", "namespace"})
    token_file = options.get("token_file")
    host = f"[{host}]" if ":" in host else host
    return TransitKeys(
        f"{url.scheme}://{host}" + (f":{port}" if port else ""),
        mount,
        name,
        _absolute(token_file, "token_file") if token_file is not None else None,
        options.get("namespace"),
    )


def _refuse_open_doors(url: SplitResult, host: str) -> None:
    if url.username is not None or url.password is not None:
        raise ValueError("must hold no password: Vault's token comes from ?token_file=FILE or from VAULT_TOKEN")
    if url.scheme != "https" and not (url.scheme == "http" and host in _LOOPBACK):
        raise ValueError("has to reach Vault by https: keys and the token would cross the network in clear")


def _options(query: str, known: set[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("has options that can't be read; they look like ?name=value&name=value") from None
    options = dict(pairs)
    if len(options) < len(pairs) or not options.keys() <= known or not all(options.values()):
        raise ValueError(f"may have these options, each once and with a value: {', '.join(sorted(known))}")
    return options


def _absolute(path: str, what: str) -> PurePosixPath:
    if not path.startswith("/") or path.startswith("//") or path.endswith("/"):
        raise ValueError(f"has to name {what} by its whole path, such as /etc/configsvc/keys.json")
    return PurePosixPath(path)

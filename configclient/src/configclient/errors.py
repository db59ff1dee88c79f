"""Everything the client raises. All of it is a `ConfigError`; the names say whose fault it is."""


class ConfigError(Exception):
    """Base of every error of this package."""


class InvalidSettings(ConfigError, ValueError):
    """The client was constructed with something missing or malformed; the message says what to set."""


class ConfigUnavailable(ConfigError):
    """The first load did not succeed within `start_timeout_s`, and there is no cache to start from."""


class AccessDenied(ConfigError):
    """The service answered 401, 403 or 404 to the first load: a wrong token, no grant, or no such name."""


class ConfigRejected(ConfigError):
    """The application's own `accept` function refused the very first snapshot."""


class MissingKey(ConfigError, LookupError):
    """A strict client was asked for a key that has no value here."""


class SecretUnavailable(MissingKey):
    """A client was asked, without a default, for a secret that is set, but not known here.

    The token may not read it, or the client was started from its disk cache, which never holds secrets.
    """


class WrongType(ConfigError, TypeError):
    """A strict client was asked for a key as another type than it was declared with."""

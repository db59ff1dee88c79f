"""configclient: settings in memory, changed by push within milliseconds, never torn."""

from ._board import Change, Listener, Live
from ._client import ConfigClient
from ._getters import Snapshot
from ._status import Status
from .errors import (
    AccessDenied,
    ConfigError,
    ConfigRejected,
    ConfigUnavailable,
    InvalidSettings,
    MissingKey,
    SecretUnavailable,
    WrongType,
)

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "Change",
    "ConfigClient",
    "ConfigError",
    "ConfigRejected",
    "ConfigUnavailable",
    "InvalidSettings",
    "Listener",
    "Live",
    "MissingKey",
    "SecretUnavailable",
    "Snapshot",
    "Status",
    "WrongType",
    "__version__",
]

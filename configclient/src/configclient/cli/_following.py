"""The SDK as configctl uses it: a client whose failures are lines with exit codes."""

from collections.abc import Sequence

from configclient import ConfigClient, ConfigError, InvalidSettings
from configclient.cli._errors import CliError, Exit
from configclient.cli._paths import config_path
from configclient.cli._target import Target


def follow(target: Target, namespaces: Sequence[str]) -> ConfigClient:
    """A client that follows these namespaces. Raises :class:`CliError`."""
    try:
        return ConfigClient("configctl", target.env, list(namespaces), url=target.url, token=target.token)
    except InvalidSettings as error:
        raise CliError(str(error), Exit.USAGE) from None
    except ConfigError as error:
        reason = str(error)
    for namespace in namespaces:  # fails likewise, in the words and with the exit code of all other commands
        target.api().get(config_path(target.env, namespace))
    raise CliError(reason, Exit.UNAVAILABLE)

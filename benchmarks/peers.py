"""Peers that serve values in process, each loaded with one value by its own means, without a network.

Runs in a .venv of their own (`make bench` makes it), and so measures the floor once more. Prints one JSON line each:
name, nanoseconds of a call, and why not, for what is not installed.
"""

import json
import logging
import os
import tempfile
import timeit
from collections.abc import Callable
from typing import Any

Read = Callable[[], Any]

INT, FLAG = "int7", "flag7"
REPEAT, CALLS = 15, 1_000


class Floor:
    """The least that a getter can do."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[tuple[str, str], Any]) -> None:
        self._values = values

    def get(self, namespace: str, key: str, default: Any = None) -> Any:
        """One look-up."""
        return self._values.get((namespace, key), default)


def main() -> None:
    """Measure all that are there."""
    logging.disable(logging.CRITICAL)
    for name, make in CONTENDERS.items():
        try:
            read = make()
        except ImportError as error:
            print(json.dumps((name, 0, f"{error.name} is not installed")))
        else:
            ns = min(timeit.repeat(read, number=CALLS, repeat=REPEAT)) / CALLS * 1e9
            print(json.dumps((name, ns, "")))


def _floor() -> Read:
    floor = Floor({("bench", INT): 7})
    return lambda: floor.get("bench", INT, 50)


def _launchdarkly() -> Read:
    import ldclient
    from ldclient.config import Config
    from ldclient.integrations.test_data import TestData

    data = TestData.data_source()
    data.update(data.flag(INT).variations(7).variation_for_all(0))
    ldclient.set_config(Config("sdk-key", update_processor_class=data, send_events=False, diagnostic_opt_out=True))
    client, context = ldclient.get(), ldclient.Context.builder("somebody").build()
    assert client.variation(INT, context, 50) == 7
    return lambda: client.variation(INT, context, 50)


def _unleash() -> Read:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    cache = FileCache("bench", directory=tempfile.mkdtemp(prefix="bench-unleash-"))
    strategy = {"name": "default", "parameters": {}}
    feature = {"name": FLAG, "enabled": True, "strategies": [strategy]}
    cache.bootstrap_from_dict({"version": 2, "features": [feature]})
    client = UnleashClient("http://127.0.0.1:9", "bench", cache=cache, disable_metrics=True, disable_registration=True)
    client.initialize_client(fetch_toggles=False)
    assert client.is_enabled(FLAG)
    return lambda: client.is_enabled(FLAG)


def _growthbook() -> Read:
    from growthbook import GrowthBook

    client = GrowthBook(attributes={"id": "somebody"}, features={INT: {"defaultValue": 7}})
    assert client.get_feature_value(INT, 50) == 7
    return lambda: client.get_feature_value(INT, 50)


def _dynaconf() -> Read:
    from dynaconf import Dynaconf

    os.environ["BENCH_INT7"] = "7"
    settings = Dynaconf(envvar_prefix="BENCH")
    assert settings.get(INT, 50) == 7
    return lambda: settings.get(INT, 50)


CONTENDERS: dict[str, Callable[[], Read]] = {
    "floor": _floor,
    "LaunchDarkly variation": _launchdarkly,
    "Unleash is_enabled": _unleash,
    "GrowthBook get_feature_value": _growthbook,
    "dynaconf get": _dynaconf,
}

if __name__ == "__main__":
    main()
    os._exit(0)  # some of them leave threads that would not end

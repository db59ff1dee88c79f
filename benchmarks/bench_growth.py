"""What namespaces and clients cost that a call is not about: a small service beside one with many of them.

Databases of one Postgres: 20 namespaces of 10 keys, 10,000 of them, and the small one once more, whose 10,000 clients
have just reported. The same statements as the service's, on its own role, in turns.

    python -m benchmarks.bench_growth
"""

import time
from contextlib import ExitStack

from benchmarks.bench_history import Call, calls, database, medians_us, postgres_url
from benchmarks.results import Figure, note, verdict
from configsvc.store import catalog, watch
from configsvc.store.database import Database
from configsvc.store.watch import Reach, Report

FEW, MANY, KEYS = 20, 10_000, 10
CLIENTS, CLIENTS_AT_ONCE = 10_000, 500
#: 1 within what two databases in one server differ anyway.
GROWTH_MAX = 1.25
ENV, NAMESPACE, OTHER = "development", "ns-7", "ns-8"
LIVE_S = 3_600.0
#: What looks at every client of the environment, once a second and once a question: no target, a figure to know.
OF_ALL_CLIENTS = ("report: one client", "who has it")


def main() -> None:
    """Measure and print."""
    with postgres_url() as url, ExitStack() as cleanup:
        small, crowded = (cleanup.enter_context(database(url, FEW * KEYS, FEW, KEYS)) for _ in range(2))
        large = cleanup.enter_context(database(url, MANY * KEYS, MANY, KEYS))
        began = time.perf_counter()
        for first in range(0, CLIENTS, CLIENTS_AT_ONCE):
            watch.report(crowded, [(_client(number), 0.0) for number in range(first, first + CLIENTS_AT_ONCE)], LIVE_S)
        print(f"{CLIENTS:,} clients reported in {time.perf_counter() - began:.2f} s; median of a call, in µs")
        few = _calls(small, FEW * KEYS)
        for name, other in _calls(large, MANY * KEYS).items():
            _print(f"{MANY:,} namespaces", name, few[name], other)
        for name, other in _calls(crowded, FEW * KEYS).items():
            _print(f"{CLIENTS:,} clients", name, few[name], other)


def _client(number: int) -> Report:
    """One of many that follow another namespace."""
    cursor = "200.0123456789abcdef"
    return Report(
        f"client-{number}",
        ENV,
        [OTHER],
        f"service-{number % 50}",
        f"host-{number}",
        1,
        "bench",
        "redis",
        200,
        cursor,
        None,
        False,
        "token",
    )


def _calls(service: Database, revision: int) -> dict[str, Call]:
    """What all do all day, without the calls that are about history."""
    usual = {
        name: call for name, call in calls(service, revision).items() if "list" not in name and "behind" not in name
    }

    def resolve() -> object:
        with service.connection() as connection:
            return catalog.resolve_keys(connection, ENV, [(NAMESPACE, "key-3")])

    return usual | {
        "write: look-up of a key": resolve,
        "list: namespaces": lambda: catalog.namespaces(service, 10**9, FEW),
        "report: one client": lambda: watch.report(service, [(_mine(), 0.0)], LIVE_S),
        "who has it": lambda: watch.followers(service, Reach(1, revision, (NAMESPACE,))),
    }


def _mine() -> Report:
    return Report(
        "mine", ENV, [NAMESPACE], "mine", "host", 1, "bench", "redis", 200, "200.0123456789abcdef", None, False, "token"
    )


def _print(what: str, name: str, base: Call, other: Call) -> None:
    few, many = medians_us(base, other)
    ratio = many / few
    met = None if name in OF_ALL_CLIENTS and "clients" in what else ratio <= GROWTH_MAX
    reach, said = ("", "") if met is None else (f"≤ {GROWTH_MAX}", f" ({verdict(met)})")
    note(Figure(f"What {what} cost, of {FEW} and none", name, ratio, "x", reach=reach, met=met))
    print(f"{what:<18} {name:<28} few {few:7.0f}   many {many:7.0f}   ratio {ratio:.2f}{said}", flush=True)


if __name__ == "__main__":
    main()

"""A namespace's page, against the API's answer about one of its scopes, in turns; and what it transfers.

    snapshot   GET S/config of 1,000 keys, from memory
    1,000      the page of 1,000 keys in two environments, compressed as a browser gets it
    search     the same, narrowed by the server to one key
    5,000      the page of 5,000 keys

One connection, so that an answer's time is the server's own.

    python -m benchmarks.bench_pages
"""

import gzip
import http.client
import statistics
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.bench_reads import send
from benchmarks.load import Request, measure
from configsvc.dev.stack import Stack
from configsvc.service import accounts

SIZES = (1_000, 5_000)
ENVS = ("development", "staging")
ROUNDS, TURN_S, WARM_UP_S = 7, 1.5, 1.0
#: Of one answer with 1,000 keys, and of all that a first visit transfers.
PAGE_MS, VISIT_BYTES = 100, 200 * 1024
ASSETS: tuple[str, ...] = ("bootstrap.css", "static/theme.js", "static/pages.css", "static/icon.svg", "static/live.js")
ASSETS += ("static/refresh.js", "static/search.js", "static/keys.js")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(folder / "data", workers=1) as stack:
            for size in SIZES:
                prepare(stack, size)
            cookie = _sign_in(stack)
            viewer = f"Bearer {stack.tokens['viewer']}"
            path = f"/v1/namespaces/{namespace_of(1_000)}/envs/development/config"
            pages = {
                "1,000": namespace_of(1_000),
                "search": f"{namespace_of(1_000)}?q=setting.77",
                "5,000": namespace_of(5_000),
            }
            requests = {"snapshot": Request.of(stack.url, "GET", path, 200, Authorization=viewer)} | {
                name: Request.of(stack.url, "GET", f"/ui/namespaces/{page}", 200, Cookie=cookie, Accept_Encoding="gzip")
                for name, page in pages.items()
            }
            _report(requests)
            _report_bytes(stack, cookie)


def namespace_of(size: int) -> str:
    """Name the namespace that has so many keys."""
    return f"bench-{size}"


def prepare(stack: Stack, size: int) -> None:
    """Make a namespace of so many keys, with values that look like real ones, and a tenth of them that differ."""
    name = namespace_of(size)
    send(stack, "admin", "POST", "/v1/namespaces", {"name": name})
    keys = [
        {"key": f"service.{n % 40}.setting.{n}", "type": "int", "description": f"Of part {n % 97} of the service"}
        for n in range(size)
    ]
    send(stack, "ops", "PATCH", f"/v1/namespaces/{name}/keys", {"keys": keys})
    for env in ENVS:
        changes = [
            {"key": key["key"], "value": n * 7_919 % 100_003 + (env == "staging" and n % 10 == 0)}
            for n, key in enumerate(keys)
        ]
        send(stack, "ops", "PATCH", f"/v1/namespaces/{name}/envs/{env}/config", {"changes": changes})


def _sign_in(stack: Stack) -> str:
    """Return the cookie of somebody who has signed in with a link."""
    link = accounts.link(stack.database_url, "viewer", actor="bench")
    answer = _http(stack, "POST", link, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode({}))
    return answer.headers["Set-Cookie"].partition(";")[0]


def _http(stack: Stack, method: str, path: str, headers: dict[str, str], body: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    if answer.status >= 400:
        raise SystemExit(f"{method} {path}: {answer.read()!r}")
    return answer


def _report(requests: dict[str, Request]) -> None:
    times: dict[str, list[float]] = {name: [] for name in requests}
    for request in requests.values():
        measure(request, 1, WARM_UP_S)
    for _ in range(ROUNDS):
        for name, request in requests.items():
            times[name].append(statistics.median(measure(request, 1, TURN_S).latencies_ms))
    for name, each in times.items():
        line = f"{name:<9} {statistics.median(each):7.1f} ms"
        if name != "snapshot":
            ratio = statistics.median(own / bare for own, bare in zip(each, times["snapshot"], strict=True))
            line += f"   {ratio:5.1f} snapshots"
        if name == "1,000":
            line += f"   (target {PAGE_MS} ms: {'ok' if statistics.median(each) < PAGE_MS else 'missed'})"
        print(line, flush=True)


def _report_bytes(stack: Stack, cookie: str) -> None:
    """Print what the page of 1,000 keys transfers, with style and scripts."""
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
    sizes = {}
    for path in (f"namespaces/{namespace_of(1_000)}", *ASSETS):
        sizes[path] = len(_http(stack, "GET", f"/ui/{path}", headers).read())
    page = sizes[f"namespaces/{namespace_of(1_000)}"]
    total = sum(sizes.values())
    verdict = "ok" if total <= VISIT_BYTES else "missed"
    print(f"bytes     {page / 1024:7.1f} KiB, with style and scripts {total / 1024:.1f} KiB (target 200: {verdict})")
    rest = len(gzip.decompress(_http(stack, "GET", f"/ui/namespaces/{namespace_of(1_000)}", headers).read()))
    print(f"          {rest / 1024:7.1f} KiB before compression")


if __name__ == "__main__":
    main()

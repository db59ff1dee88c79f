"""The page of a namespace with 5,000 keys in a real browser: what somebody at it waits for.

    ready    from asking for the page to the frame that shows it, with the scripts at work
    typing   from a key that is pressed in the search field to the frame after it, and to the rows that it leaves
    scroll   from frame to frame, while a wheel turns
    live     from the answer to a PUT by somebody else to the frame that shows the value

The same of ten keys is the floor: what browser and machine take anyway, busy as they are.

Chromium without a window, and without a graphics card, draws with the processor: a laptop is quicker. It is skipped
where there is no chromium.

    python -m benchmarks.bench_browser
"""

import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.bench_pages import ENVS, namespace_of, prepare
from benchmarks.bench_reads import send
from configsvc.dev.stack import Stack
from configsvc.service import accounts

SIZE, FLOOR, VISITS, CHANGES, TURNS = 5_000, 10, 7, 7, 120
READY_MS, TYPING_MS, FRAME_MS, LIVE_MS = 1_000, 50, 50, 1_000
#: Typed key by key, and taken away again: what leaves few rows, many, and none.
WORDS = ("setting.77", "service.7.", "of part 12", "100", "nowhere", "e", "int", "setting.4", "differs")
#: Of somebody who types quickly.
BETWEEN_KEYS_MS = 60
WHEEL_PX = 400
_MEASURE = """
() => {
  const painted = (then) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => then(performance.now());
    channel.port2.postMessage(null);
  });
  window.measured = { frames: [], rows: [] };
  const status = document.querySelector("[data-shown]");
  document.querySelector("input[type=search]").addEventListener("keydown", () => {
    const pressed = performance.now();
    painted((at) => measured.frames.push(at - pressed));
    const seen = new MutationObserver(() => {
      seen.disconnect();
      painted((at) => measured.rows.push(at - pressed));
    });
    seen.observe(status, { childList: true, characterData: true, subtree: true });
  }, true);
  window.frames_while = async (turns) => {
    const times = [];
    let last = performance.now();
    for (let turn = 0; turn < turns; turn += 1) {
      scrollBy(0, WHEEL_PX);
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      times.push(now - last);
      last = now;
    }
    return times;
  };
  window.shown = (href, text) => new Promise((done) => {
    const look = () => {
      if (document.querySelector(`a[href="${href}"]`)?.textContent !== text) { requestAnimationFrame(look); return; }
      painted(() => done(Date.now()));
    };
    look();
  });
}
""".replace("WHEEL_PX", str(WHEEL_PX))


def main() -> None:
    """Measure and print."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("skipped: there is no chromium")
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name, sync_playwright() as playwright:
        folder = Path(name)
        folder.chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(folder / "data", workers=1) as stack:
            prepare(stack, FLOOR)
            prepare(stack, SIZE)
            # As root chromium has no sandbox; it opens our own pages alone.
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_context(base_url=stack.url, viewport={"width": 1280, "height": 800}).new_page()
            page.goto(accounts.link(stack.database_url, "viewer", actor="bench"))
            page.get_by_role("button", name="Sign in").click()
            floor, floor_typed = _ready(page, FLOOR), _type(page)
            ready, typed = _ready(page, SIZE), _type(page)
            _say("ready", ready, READY_MS, floor)
            _say("typing", typed["frames"], TYPING_MS, floor_typed["frames"], worst=True)
            _say("  to rows", typed["rows"], TYPING_MS, floor_typed["rows"], worst=True)
            _say("scroll", page.evaluate("frames_while", TURNS), FRAME_MS, worst=True)
            page.evaluate("scrollTo(0, 0)")
            _say("live", _live(page, stack), LIVE_MS)
            browser.close()


def _ready(page: Page, size: int) -> list[float]:
    times = []
    for _ in range(VISITS):
        page.goto(f"/ui/namespaces/{namespace_of(size)}")
        times.append(page.evaluate("new Promise((done) => requestAnimationFrame(() => done(performance.now())))"))
    return times


def _type(page: Page) -> dict[str, Any]:
    page.evaluate(_MEASURE)
    page.get_by_label("Find a setting").focus()
    for word in WORDS:
        for key in (*word, *["Backspace"] * len(word)):
            page.keyboard.press(key)
            page.wait_for_timeout(BETWEEN_KEYS_MS)
    measured: dict[str, Any] = page.evaluate("measured")
    return measured


def _live(page: Page, stack: Stack) -> list[float]:
    """Let somebody else change a value that is in sight, again and again."""
    key, times = "service.0.setting.0", []
    scope = f"/v1/namespaces/{namespace_of(SIZE)}/envs/{ENVS[0]}/config/{key}"
    address = f"/ui/namespaces/{namespace_of(SIZE)}/{ENVS[0]}/{key}"
    for number in range(1, CHANGES + 1):
        page.evaluate(f"window.change = shown({address!r}, '{number}'); null")
        send(stack, "ops", "PUT", scope, {"value": number})
        answered = page.evaluate("Date.now()")
        times.append(page.evaluate("change") - answered)
    return times


def _say(name: str, times: list[float], target_ms: float, floor: Sequence[float] = (), *, worst: bool = False) -> None:
    """Print median and the worst of a hundred, those of the floor, and whether the target is met."""
    median, p99 = _both(times)
    judged = p99 if worst else median
    verdict = "ok" if judged <= target_ms else "missed"
    which = "p99" if worst else "median"
    beside = "   floor {:.0f} ms, p99 {:.0f} ms".format(*_both(floor)) if floor else ""
    print(
        f"{name:<9} {median:5.0f} ms, p99 {p99:5.0f} ms of {len(times)}{beside}",
        f"  (target {which} {target_ms} ms: {verdict})",
        flush=True,
    )


def _both(times: Sequence[float]) -> tuple[float, float]:
    return statistics.median(times), sorted(times)[int(len(times) * 0.99)]


if __name__ == "__main__":
    main()

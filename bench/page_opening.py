"""How the page opens in a browser: two versions of the program, in turns within one run.

`python bench/page_opening.py [--app BEFORE/app.py --app AFTER/app.py] [--rounds 5]` opens the page
of each in Chromium, with an empty cache, in a window 1440 and 390 wide. Beside them stands a Gradio
page with one text box: what Gradio itself takes. Each studio has been opened before and has the
demo sample. Medians of:

- paint: first contentful paint, in seconds
- usable: Generate can be pressed (Gradio alone: the text box can be seen)
- blocked: by how much tasks of the page were longer than 50 ms, together, until 2 s after that
- shift: the sum of layout shifts (Layout Instability API), the same time
- requests and MB (as sent) until it is usable

STUDIO_CHROMIUM names the browser where it is not /usr/bin/chromium.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import APP, running_studio
from bench.start_up import chromium

WIDTHS = (1440, 390)
DEMO_WITHIN_S = 120
SETTLED_MS = 2000
WATCH = """
window.shift = 0; window.blocked = 0;
new PerformanceObserver(list => list.getEntries().forEach(entry => {
  if (!entry.hadRecentInput) window.shift += entry.value;
})).observe({ type: 'layout-shift', buffered: true });
new PerformanceObserver(list => list.getEntries().forEach(entry => {
  window.blocked += entry.duration - 50;
})).observe({ type: 'longtask', buffered: true });
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime / 1000"


def measure(browser: Any, url: str, width: int, ready: Any) -> dict[str, float]:
    """Opens the page once in a window of that width, with nothing in the browser's cache."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sent = {"requests": 0, "bytes": 0}

    def count(_event: Any) -> None:
        sent["requests"] += 1

    def add(event: Any) -> None:
        sent["bytes"] += int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", count)
    session.on("Network.loadingFinished", add)
    start = time.monotonic()
    page.goto(url, wait_until="commit", timeout=120_000)
    ready(page)
    usable, requests, nbytes = time.monotonic() - start, sent["requests"], sent["bytes"]
    page.wait_for_timeout(SETTLED_MS)
    figures = {
        "paint s": page.evaluate(PAINT),
        "usable s": usable,
        "blocked s": page.evaluate("window.blocked") / 1000,
        "shift": page.evaluate("window.shift"),
        "requests": float(requests),
        "MB": nbytes / 1e6,
    }
    context.close()
    return figures


def wait_for_generate(page: Any) -> None:
    button = page.get_by_role("button", name="Generate", exact=True).locator("visible=true").first
    button.wait_for(timeout=120_000)
    usable = "one => !one.disabled && !one.closest('[inert]')"
    page.wait_for_function(usable, arg=button.element_handle(), timeout=120_000)


def wait_for_text_box(page: Any) -> None:
    page.get_by_label("Text").wait_for(timeout=120_000)


def serve_bare_gradio() -> str:
    """A Gradio page with one text box, in a thread of this process; returns its address."""
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox(label="Text")
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    return str(url)


def await_demo(url: str) -> None:
    """Returns once the studio has made its demo sample, and after it nothing else."""
    end = time.monotonic() + DEMO_WITHIN_S
    while time.monotonic() < end:
        voices = httpx.get(f"{url}/v1/audio/voices", timeout=30).text
        if "Demo" in voices:
            break
        time.sleep(1)
    time.sleep(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--app", type=Path, action="append", help="app.py of a version; repeatable")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    apps = [app.resolve() for app in arguments.app or [APP]]
    found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        pages = [("Gradio alone", serve_bare_gradio(), wait_for_text_box)]
        for app in apps:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url, _ = stack.enter_context(running_studio(root, app))
            await_demo(url)
            measure(browser, url, WIDTHS[0], wait_for_generate)  # the page is built now
            pages.append((app.parent.name, url, wait_for_generate))
        for number in range(arguments.rounds):
            for name, url, ready in pages[number % len(pages) :] + pages[: number % len(pages)]:
                for width in WIDTHS:
                    found[name, width].append(measure(browser, url, width, ready))
    names = list(next(iter(found.values()))[0])
    print("| page | width | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 2) + "|")
    for (name, width), rounds in found.items():
        medians = [statistics.median(figures[key] for figures in rounds) for key in names]
        print(f"| {name} | {width} | " + " | ".join(f"{median:.2f}" for median in medians) + " |")


if __name__ == "__main__":
    main()

"""How long the studio takes from the start of its process until it can be used.

`python bench/start_up.py [--app A/app.py --app B/app.py] [--rounds 5]` starts each copy of the
program in turns, twice a round: once for the page and once for the first sound. Seconds from the
start of the process, median and range over the rounds:

- health: /health answers
- page: / answers with 200
- tab: Chromium shows the first tab and its Generate button can be pressed
- sound: the first bytes of a sentence of Kokoro, asked for as soon as /health answers, arrive from
  /v1/audio/speech; the model is loaded for it

The data root of each copy has been in use before. Chromium runs already; STUDIO_CHROMIUM names it
where it is not /usr/bin/chromium, `--no-browser` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import APP, running_studio

CHROMIUM = os.environ.get("STUDIO_CHROMIUM", "/usr/bin/chromium")
SENTENCE = {"input": "The harbour was quiet before dawn.", "voice": "af_heart", "seed": 1}
_LONGEST_S = 120.0


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless=new", "--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def time_page(app: Path, root: Path, browser: Any) -> dict[str, float]:
    """Seconds until health, page and, with a browser, tab."""
    start = time.monotonic()
    with running_studio(root, app) as (url, _):
        taken = {"health": time.monotonic() - start}
        httpx.get(url, timeout=_LONGEST_S).raise_for_status()
        taken["page"] = time.monotonic() - start
        if browser is not None:
            page = browser.new_page()
            page.set_default_timeout(_LONGEST_S * 1000)
            page.goto(url)
            generate = page.get_by_role("button", name="Generate", exact=True)
            generate.locator("visible=true").first.click(trial=True)  # waits until it is enabled
            taken["tab"] = time.monotonic() - start
            page.close()
    return taken


def time_sound(app: Path, root: Path) -> dict[str, float]:
    """Seconds until the first bytes of a spoken sentence."""
    body = {**SENTENCE, "response_format": "pcm", "stream": True}
    start = time.monotonic()
    with (
        running_studio(root, app) as (url, _),
        httpx.stream("POST", f"{url}/v1/audio/speech", json=body, timeout=_LONGEST_S) as answer,
    ):
        answer.raise_for_status()
        next(answer.iter_raw())
        return {"sound": time.monotonic() - start}


def use_once(app: Path, root: Path) -> None:
    """Starts the studio for the first time, and waits until it has made its demo sample."""
    with running_studio(root, app) as (url, _):
        httpx.post(f"{url}/v1/audio/speech", json=SENTENCE, timeout=_LONGEST_S).raise_for_status()
        end = time.monotonic() + _LONGEST_S
        while not any((root / "samples").glob("*.wav")) and time.monotonic() < end:
            time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--app", type=Path, action="append", help="an app.py; this copy's if none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--json", action="store_true", help="all seconds, not the table")
    given = parser.parse_args()
    apps = [app.resolve() for app in given.app or [APP]]
    taken: dict[str, dict[str, list[float]]] = {
        str(app): defaultdict(list) for app in dict.fromkeys(apps)
    }
    with ExitStack() as stack:
        browser = None if given.no_browser else stack.enter_context(chromium())
        roots = {app: Path(stack.enter_context(tempfile.TemporaryDirectory())) for app in set(apps)}
        for app, root in roots.items():
            use_once(app, root)
        for _ in range(given.rounds):
            for app in apps:
                found = {**time_page(app, roots[app], browser), **time_sound(app, roots[app])}
                for name, seconds in found.items():
                    taken[str(app)][name].append(round(seconds, 3))
    if given.json:
        print(json.dumps(taken, indent=2))
        return
    print("| program | until | median s | range s |\n|---|---|---|---|")
    for app_name, figures in taken.items():
        for name, seconds in figures.items():
            middle = statistics.median(seconds)
            print(f"| {app_name} | {name} | {middle:.2f} | {min(seconds):.2f}–{max(seconds):.2f} |")


if __name__ == "__main__":
    main()

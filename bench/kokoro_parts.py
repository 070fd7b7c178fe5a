"""How long Kokoro's parts take: creating a pipeline for each language, and loading voices.

    python bench/kokoro_parts.py --models base_models

Every pipeline is created in a process of its own, since the languages share packages: first what
the imports and dictionaries cost, then a second pipeline of the same language. Voices: each of the
folder read from the disk, the same again from memory, and a mix of three. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.ai_models.engines.kokoro.voices import VoiceFolder

_CREATE = """
import json, sys, time
from modules.core_components.ai_models.engines.kokoro.pipeline import KokoroPipeline
def seconds(make):
    began = time.perf_counter()
    make()
    return time.perf_counter() - began
code = sys.argv[1]
first, second = (seconds(lambda: KokoroPipeline(code, model=False)) for _ in range(2))
spoken = seconds(lambda: list(KokoroPipeline(code, model=False)("1", model=False)))
print(json.dumps([first, second, spoken]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| language | pipeline, first | second | first text read |\n|---|---|---|---|")
    for code in LANGUAGES:
        runs = [_create(code) for _ in range(arguments.rounds)]
        cells = [
            f"{statistics.median(column) * 1000:,.1f} ms" for column in zip(*runs, strict=True)
        ]
        print("|" + "|".join([code, *cells]) + "|", flush=True)
    folder = arguments.models / "kokoro/v1_0/voices"
    first = VoiceFolder(folder)
    names = first.names()
    mix = f"{names[0]}(2)+{names[1]}(1)+{names[2]}(1)"
    times = {
        "a voice from the disk": [_seconds(lambda n=name: first.pack(n)) for name in names],
        "the same from memory": [_seconds(lambda n=name: first.pack(n)) for name in names],
        "a mix of three": [_seconds(lambda: first.pack(mix)) for _ in range(10)],
    }
    print(f"\n| {len(names)} voices | median | longest |\n|---|---|---|")
    for what, found in times.items():
        middle, longest = statistics.median(found) * 1000, max(found) * 1000
        print(f"|{what}|{middle:.2f} ms|{longest:.2f} ms|")


def _create(code: str) -> list[float]:
    command = [sys.executable, "-c", _CREATE, code]
    root = Path(__file__).resolve().parents[1]
    outcome = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(outcome.stdout.splitlines()[-1])
    return found


def _seconds(load: Callable[[], object]) -> float:
    began = time.perf_counter()
    load()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

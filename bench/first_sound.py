"""How long until the first sound: two versions of the program, in turns within one run.

`python bench/first_sound.py ../before` compares this checkout with another one. Each has a studio
of its own, with Kokoro loaded; a round asks both for each text, the one that begins changing. It
prints the seconds from the request to the first sound (pcm, streamed), how long a listener then
waits in gaps, and the seconds until the whole is there. Set ONEDNN_MAX_CPU_ISA=AVX2 and
ATEN_CPU_CAPABILITY=avx2 for an older processor. Needs the starter models (VOICE_STUDIO_MODELS).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import APP, running_studio

BYTES_PER_SECOND = 48_000
_STORY = (
    "The lighthouse keeper had not spoken to anyone for eleven days. He counted the waves, he "
    "mended the nets, and in the evening he lit the lamp as his father had done. On the twelfth "
    "day a small boat came round the northern rocks, and a girl with a yellow umbrella stepped "
    "ashore as if nothing here could be more ordinary. "
)
TEXTS = {
    "12 words": "Nobody had seen the yellow umbrella since Thursday, and nobody asked why.",
    "12, no comma": "My younger brother sailed a small wooden boat across the lake yesterday.",
    "61 words": _STORY,
    "295 words": " ".join((_STORY * 5).split()[:295]) + ".",
    "40, no comma": (
        "The people who lived in the houses along the old canal had always believed that the water "
        "would never rise above the third step of the stone stairs that led from the market down "
        "to the small wooden landing stage."
    ),
}


@dataclass(frozen=True)
class Timing:
    """Of one request, in seconds."""

    first: float
    gaps: float
    whole: float


def time_request(http: httpx.Client, text: str) -> Timing:
    body = {"input": text, "voice": "af_heart", "model": "kokoro", "response_format": "pcm"}
    start = time.monotonic()
    first, gaps, received = 0.0, 0.0, 0
    with http.stream("POST", "/v1/audio/speech", json=body, timeout=300) as answer:
        answer.raise_for_status()
        for content in answer.iter_raw():
            now = time.monotonic() - start
            first = first or now
            played_to = first + gaps + received / BYTES_PER_SECOND
            if received:
                gaps += max(0.0, now - played_to)
            received += len(content)
    return Timing(first, gaps, time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", type=Path, help="another checkout of the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", nargs="*", choices=TEXTS, default=list(TEXTS))
    given = parser.parse_args()
    apps = {"before": given.before.resolve() / "app.py", "now": APP}
    found: dict[tuple[str, str], list[Timing]] = defaultdict(list)
    with ExitStack() as stack:
        clients = {}
        for name, app in apps.items():
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url, _ = stack.enter_context(running_studio(Path(folder), app))
            clients[name] = stack.enter_context(httpx.Client(base_url=url))
            time_request(clients[name], "Hello there.")  # loads the model
        for number in range(given.rounds):
            order = list(clients) if number % 2 == 0 else list(clients)[::-1]
            for text in given.texts:
                for name in order:
                    timing = time_request(clients[name], TEXTS[text].strip())
                    found[text, name].append(timing)
                    print(f"{number + 1} {text:13} {name:7} {timing}", flush=True)
    print("medians, in seconds: first sound, gaps, whole; share: of the pairs' first sounds")
    for text in given.texts:
        before, now = found[text, "before"], found[text, "now"]
        share = statistics.median(n.first / b.first for b, n in zip(before, now, strict=True))
        print(f"{text:13} before {_medians(before)}  now {_medians(now)}  share {share:.2f}")


def _medians(timings: list[Timing]) -> str:
    columns = zip(*((t.first, t.gaps, t.whole) for t in timings), strict=True)
    return " ".join(f"{statistics.median(column):6.2f}" for column in columns)


if __name__ == "__main__":
    main()

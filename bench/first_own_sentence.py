"""How long the first sentence in an own voice takes, from the request to the first sound.

`python bench/first_own_sentence.py sample.wav [--rounds 5]` adds the recording to a new data root
in each round, opens the studio, waits until the speaking model is loaded (as it is by default once
the page is open), and asks /v1/audio/speech for a sentence in the sample's voice: first with a
stock voice, then twice with the sample. Seconds until the first bytes of wav, median and range:

- stock: in a stock voice
- first: in the sample's voice, which is matched for it
- second: the same again, while the refinement runs in the background
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import running_studio
from modules.core_components.values import Consent
from modules.tools.services import open_services
from modules.tools.voices.samples import add_sample

SENTENCE = "Nobody had seen the yellow umbrella since Thursday, and nobody asked."
NAME = "Me"


def seconds_to_sound(http: httpx.Client, voice: str) -> float:
    """From the request to the first bytes of the stream; the rest is read as well."""
    body = {"input": SENTENCE, "voice": voice, "model": "kokoro", "response_format": "wav"}
    start = time.monotonic()
    with http.stream("POST", "/v1/audio/speech", json=body, timeout=300) as answer:
        answer.raise_for_status()
        content = answer.iter_bytes()
        received = b""
        while len(received) <= 44:  # the header is no sound
            received += next(content)
        taken = time.monotonic() - start
        for _ in content:
            pass
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sample", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    taken: dict[str, list[float]] = defaultdict(list)
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            services = open_services(Path(folder))
            add_sample(services, arguments.sample, NAME, Consent(NAME, True))
            services.close()
            with (
                running_studio(Path(folder)) as (url, _),
                httpx.Client(base_url=url) as http,
            ):
                seconds_to_sound(http, "af_heart")  # loads the model
                for name, voice in (("stock", "af_heart"), ("first", NAME), ("second", NAME)):
                    taken[name].append(seconds_to_sound(http, voice))
        print(f"round {number + 1}: " + ", ".join(f"{n} {v[-1]:.2f}" for n, v in taken.items()))
    for name, values in taken.items():
        middle = statistics.median(values)
        print(f"{name:8} {middle:6.2f} s  ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()

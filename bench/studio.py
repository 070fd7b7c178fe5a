"""How fast the studio is on this machine, as ratios within one run.

`python bench/studio.py [--data-root DIR]` speaks the same text three ways and listens to it twice,
so that every figure has something to stand beside. It prints a markdown table; nothing is asserted,
since a machine that is busy tells nothing about the code.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import prepare_environment

prepare_environment()

from modules.core_components.ai_models.engines.base import parse_options  # noqa: E402
from modules.core_components.progress import CancelToken, no_progress  # noqa: E402
from modules.core_components.settings import app_folder  # noqa: E402
from modules.core_components.values import Speech  # noqa: E402
from modules.tools.listening.transcribe import transcribe_speech  # noqa: E402
from modules.tools.services import Services, open_services  # noqa: E402

TEXT = (
    "The harbour was quiet before dawn. A single lamp burned above the customs house, and the "
    "fishermen, who had been awake for hours, were already mending their nets. Nobody spoke of "
    "the storm. It had passed in the night, as storms do, and left the water smooth as glass."
)


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median wall time of `work` in seconds."""
    taken = []
    for _ in range(repeats):
        start = time.monotonic()
        work()
        taken.append(time.monotonic() - start)
    return statistics.median(taken)


def speak(services: Services, voice: str) -> list[tuple[float, Speech]]:
    """Every piece of TEXT with the seconds until it came."""
    engine = services.tts.get(services.settings.tts_model)
    options = parse_options(engine.options_type, {"language": "en-us", "seed": 1})
    start = time.monotonic()
    return [
        (time.monotonic() - start, piece)
        for piece in engine.stream(TEXT, voice, options, CancelToken())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=app_folder())
    parser.add_argument("--voice", default="af_heart")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    services = open_services(given.data_root)

    cold_s = seconds(lambda: speak(services, given.voice), 1)
    pieces = speak(services, given.voice)
    spoken_s = sum(piece.duration_s for _, piece in pieces)
    warm_s = seconds(lambda: speak(services, given.voice), given.repeats)
    import numpy as np

    speech = Speech(np.concatenate([piece.samples for _, piece in pieces]), 24_000)

    print("| what | seconds | of real time |")
    print("|---|---|---|")
    print(f"| speak {spoken_s:.1f} s, first time in the process | {cold_s:.1f} | |")
    print(f"| speak it again | {warm_s:.1f} | {warm_s / spoken_s:.2f} |")
    print(f"| until the first piece sounds | {pieces[0][0]:.2f} | |")
    for model_id in ("whisper-tiny.en", "whisper-base"):
        if not services.asr.available(model_id):
            continue

        def listen(model_id: str = model_id) -> object:
            return transcribe_speech(services, speech, model_id, "en", no_progress, CancelToken())

        listen()
        heard_s = seconds(listen, given.repeats)
        print(f"| read it with {model_id} | {heard_s:.1f} | {heard_s / spoken_s:.2f} |")
    services.close()


if __name__ == "__main__":
    main()

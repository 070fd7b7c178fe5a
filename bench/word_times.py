"""How exact the word times of transcriptions are, on recordings whose words have known places.

    python -m bench.word_times RECORDINGS TEXTS --models base_models [--model base tiny.en]

RECORDINGS and TEXTS as in bench/dataset.py: Debian's Asterisk prompts. Their silence is cut off
(40 dB below the loud frames, in steps of 20 ms) and they are joined with pauses, in two ways:
prompts of one word 0.05 to 0.6 s apart, so that each has a known start and end; and prompts of
several words 0.6 to 2 s apart, of which the start of the first word and the end of the last are
known. What was recognized is matched with what was said, word by word; only words that match are
measured. Both are measured as the model gives them, and drawn to the regions of speech, as
transcripts and datasets have them. Prints a row of Markdown for each.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.dataset import Prompt, read_prompts
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.measure import sounding_span_s
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.text.word_errors import normalize_words
from modules.core_components.values import Segment, Speech, Word
from modules.tools.listening.transcribe import fitted_segments
from modules.tools.models.model_names import find_model
from modules.tools.services import Services, open_services

RATE_HZ = 16_000
WORD_PAUSES_S, SENTENCE_PAUSES_S = (0.05, 0.6), (0.6, 2.0)


@dataclass(frozen=True)
class Said:
    """A word that was said; None where its start or end is not known."""

    word: str
    start_s: float | None
    end_s: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--model", nargs="+", default=["base", "tiny.en"])
    parser.add_argument("--words", type=int, default=120)
    parser.add_argument("--sentences", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    prompts = read_prompts(asked.recordings, asked.texts)
    rng = random.Random(asked.seed)
    rng.shuffle(prompts)
    counted = [(prompt, len(normalize_words(prompt.text, "en"))) for prompt in prompts]
    single = [prompt for prompt, count in counted if count == 1][: asked.words]
    several = [prompt for prompt, count in counted if 4 <= count <= 20][: asked.sentences]
    made = {
        "single words": joined(single, WORD_PAUSES_S, rng),
        "sentences": joined(several, SENTENCE_PAUSES_S, rng),
    }
    print(
        "| model | recording | times | words found | start: median, 95th percentile (ms) | "
        "end: median, 95th percentile (ms) |\n|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as root:
        services = open_services(Path(root), {"models_folder": str(asked.models.absolute())})
        for model in asked.model:
            for name, (speech, said) in made.items():
                given = model_segments(services, speech, find_model(services.asr, model))
                drawn = fitted_segments(given, speech)
                for kind, segments in (("of the model", given), ("drawn to speech", drawn)):
                    words = [word for segment in segments for word in segment.words]
                    print(f"| {model} | {name} | {kind} | {errors(words, said)} |", flush=True)
        services.close()


def joined(
    prompts: Sequence[Prompt], pauses_s: tuple[float, float], rng: random.Random
) -> tuple[Speech, list[Said]]:
    """The prompts in one recording, and their words."""
    pieces, said, at_s = [np.zeros(RATE_HZ, np.float32)], [], 1.0
    for prompt in prompts:
        speech = read_speech(prompt.path, RATE_HZ)
        start_s, end_s = sounding_span_s(speech)
        sound = speech.samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
        pause = np.zeros(round(rng.uniform(*pauses_s) * RATE_HZ), np.float32)
        words = normalize_words(prompt.text, "en")
        ends_s = at_s + len(sound) / RATE_HZ
        for index, word in enumerate(words):
            is_last = index == len(words) - 1
            said.append(Said(word, None if index else at_s, ends_s if is_last else None))
        pieces += [sound, pause]
        at_s = ends_s + len(pause) / RATE_HZ
    return Speech(np.concatenate(pieces), RATE_HZ), said


def model_segments(services: Services, speech: Speech, model_id: str) -> tuple[Segment, ...]:
    engine = services.asr.get(model_id)
    options = parse_options(engine.options_type, {"language": "en", "word_timestamps": True})
    return tuple(engine.transcribe(speech, options, no_progress, CancelToken()).segments)


def errors(words: Sequence[Word], said: Sequence[Said]) -> str:
    """Cells of the table: how many words were found, and the errors of starts and ends."""
    parts = [(part, word) for word in words for part in normalize_words(word.text, "en")]
    matcher = SequenceMatcher(
        None, [part for part, _ in parts], [one.word for one in said], autojunk=False
    )
    starts, ends, found = [], [], 0
    for first, second, size in matcher.get_matching_blocks():
        found += size
        for (_, word), one in zip(
            parts[first : first + size], said[second : second + size], strict=True
        ):
            if one.start_s is not None:
                starts.append(abs(word.start_s - one.start_s))
            if one.end_s is not None:
                ends.append(abs(word.end_s - one.end_s))
    cells = [f"{found} of {len(said)}"]
    for differences in (starts, ends):
        median, high = np.percentile(differences, [50, 95]) * 1000
        cells.append(f"{median:.0f}, {high:.0f}")
    return " | ".join(cells)


if __name__ == "__main__":
    main()

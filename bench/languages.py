"""Speaks a paragraph in each of Kokoro's languages and has Whisper read it back.

    python -m bench.languages [CODE ...] [--words 60] [--listener base]

Prints one JSON object: for each language whether all phonemes were spoken, how long it took, and
the character error rate of what Whisper understood (letters and digits, in lower case), and the
same of the phonemes that both are read with.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.kokoro.engine import KokoroOptions
from modules.core_components.ai_models.engines.kokoro.pipeline import plan_chunks
from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.settings import app_folder
from modules.core_components.values import Speech
from modules.tools.services import Services, open_services

PARAGRAPHS = app_folder() / "tests" / "languages"
VOICES = {
    "en-us": "af_heart",
    "en-gb": "bf_emma",
    "es": "ef_dora",
    "fr-fr": "ff_siwis",
    "hi": "hf_alpha",
    "it": "if_sara",
    "ja": "jf_alpha",
    "pt-br": "pf_dora",
    "zh": "zf_xiaoxiao",
}


def main() -> None:
    """Runs the languages named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", metavar="CODE")
    parser.add_argument("--words", type=int, default=0, help="only about that many; 0 speaks all")
    parser.add_argument("--listener", default="base", help="a size of Whisper")
    parser.add_argument("--data-root", type=Path, default=app_folder())
    given = parser.parse_args()
    services = open_services(given.data_root)
    for code in given.languages or LANGUAGES:
        found = measured(services, code, given.words, given.listener)
        print(json.dumps({code: found}, ensure_ascii=False), flush=True)
    services.close()


def measured(services: Services, code: str, words: int, listener: str) -> dict[str, Any]:
    """One language."""
    text = (PARAGRAPHS / f"{code}.txt").read_text(encoding="utf-8").strip()
    if words:
        text = beginning(text, words, LANGUAGES[code].parted_by_spaces)
    engine = services.tts.get_kokoro("v1.0")
    sentences = [sentence.phonemes for sentence in engine.phonemize(text, KokoroOptions(code))]
    chunks = [chunk.phonemes for chunk in plan_chunks(sentences)]
    start = time.monotonic()
    options = engine.options_type(language=code, seed=1)
    pieces = list(engine.stream(text, VOICES[code], options, CancelToken()))
    took_s = time.monotonic() - start
    speech = Speech(np.concatenate([piece.samples for piece in pieces]), engine.sample_rate_hz)
    heard = read_back(services, speech, code, listener)
    return {
        "voice": VOICES[code],
        "characters": len(text),
        "phonemes_in": len("".join(sentences).replace(" ", "")),
        "phonemes_spoken": len("".join(chunks).replace(" ", "")),
        "chunks_spoken": len(pieces),
        "longest_chunk": max(map(len, chunks)),
        "word_times": sum(len(piece.words) for piece in pieces),
        "audio_s": round(speech.duration_s, 1),
        "took_s": round(took_s, 1),
        "character_error_rate": round(character_error_rate(text, heard), 4),
        "phoneme_error_rate": phoneme_error_rate(engine, code, text, heard),
        "heard": heard,
    }


def beginning(text: str, words: int, parted_by_spaces: bool) -> str:
    """About the first `words` words, to the end of a word; a word of Chinese is two characters."""
    if not parted_by_spaces:
        return text[: 2 * words]
    return " ".join(itertools.islice(text.split(), words))


def read_back(services: Services, speech: Speech, code: str, listener: str) -> str:
    """What Whisper understands of it in this language."""
    whisper = services.asr.get_whisper(listener)
    options = whisper.options_type(language=code.split("-")[0])
    found = whisper.transcribe(speech, options, no_progress, CancelToken())
    return "".join(segment.text for segment in found.segments).strip()


def character_error_rate(said: str, heard: str) -> float:
    """Edit distance of the letters and digits by the number of those said."""
    import jiwer

    return float(jiwer.cer(plain(said), plain(heard)))


def phoneme_error_rate(engine: Any, code: str, said: str, heard: str) -> float | None:
    """The same of how both are read: blind to homophones, numerals and traditional characters.

    None where Whisper wrote what the language cannot be read with.
    """
    import jiwer

    options = KokoroOptions(code)
    try:
        one, other = (
            plain("".join(sentence.phonemes for sentence in engine.phonemize(text, options)))
            for text in (said, heard)
        )
    except BadInputError:
        return None
    return round(float(jiwer.cer(one, other)), 4)


def plain(text: str) -> str:
    """Letters, marks and digits alone, in lower case and one width."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LMN")


if __name__ == "__main__":
    main()

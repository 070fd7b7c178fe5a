"""Every row as the trainer will see it: the real tokenizer on its text, the header of its audio.

The rules are those of `XTTSDataset.load_item` and `__getitem__` (coqui-tts 0.28): what breaks one
of them is dropped there in silence, and another row trained on in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.preflight.checks import RejectedRow
from modules.core_components.ai_models.engines.xtts.training.rows import TrainingRow
from modules.core_components.dataset.values import (
    LONGEST_SAMPLES,
    MOST_TEXT_TOKENS,
    SAMPLE_RATE_HZ,
)
from modules.core_components.errors import BadInputError, CorruptFileError

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

# The trainer calls shorter clips useless; the engine itself takes a third of a second.
SHORTEST_TRAINED_S = 0.5
UNKNOWN = "[UNK]"


@dataclass(frozen=True)
class ExaminedRows:
    """`kept` can be trained on, `seconds` is their sound; `other_rates` of them are resampled."""

    kept: tuple[TrainingRow, ...]
    rejected: tuple[RejectedRow, ...]
    seconds: float
    longest_s: float
    other_rates: int


def load_tokenizer(vocab_file: Path) -> VoiceBpeTokenizer:
    """The tokenizer of a base. Raises CorruptFileError for a file that is none."""
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

    try:
        return VoiceBpeTokenizer(str(vocab_file))
    except Exception as error:  # the tokenizers library raises bare Exception
        raise CorruptFileError(
            f"{vocab_file} is no vocabulary: {error}.", "Download the base model again."
        ) from error


def check_language(tokenizer: VoiceBpeTokenizer, language: str) -> None:
    """Raises BadInputError for a language that this vocabulary or its reader cannot take."""
    token = f"[{'zh-cn' if language == 'zh' else language}]"
    if tokenizer.tokenizer.token_to_id(token) is None:
        raise BadInputError(
            f"The vocabulary of this base has no token {token} for the language.",
            "Choose XTTS v2.0.3, which has 17 languages, or a dataset in another language.",
        )
    try:
        tokenizer.preprocess_text("1", language)
    except ImportError as error:
        raise BadInputError(
            f"A package that reads this language is missing ({error}).",
            "Run the installer again; it brings coqui-tts with its languages.",
        ) from error
    except (KeyError, NotImplementedError) as error:
        raise BadInputError(
            f"coqui-tts cannot read texts in this language ({error}).",
            "Choose a dataset in one of the languages of XTTS.",
        ) from error


def examine_rows(
    rows: Iterable[TrainingRow],
    folder: Path,
    tokenizer: VoiceBpeTokenizer,
    language: str,
    max_clip_s: float,
) -> ExaminedRows:
    """Sorts the rows of a dataset in `folder` into those that will be trained on and the others."""
    kept, rejected = [], []
    seconds, longest_s, other_rates = 0.0, 0.0, 0
    most_samples = min(LONGEST_SAMPLES, int(max_clip_s * SAMPLE_RATE_HZ))
    for row in rows:
        reason = text_fault(tokenizer, row.text, language)
        duration_s, rate_hz = 0.0, SAMPLE_RATE_HZ
        if not reason:
            duration_s, rate_hz, reason = _heard(folder / row.audio_file, most_samples)
        if reason:
            rejected.append(RejectedRow(row.clip_id, row.text, reason))
            continue
        kept.append(row)
        seconds += duration_s
        longest_s = max(longest_s, duration_s)
        other_rates += rate_hz != SAMPLE_RATE_HZ
    return ExaminedRows(tuple(kept), tuple(rejected), seconds, longest_s, other_rates)


def text_fault(tokenizer: VoiceBpeTokenizer, text: str, language: str) -> str:
    """Why the trainer would drop a row with this text; "" if it would not."""
    if not text.strip():
        return "it has no text"
    try:
        tokens = tokenizer.encode(text, language)
    except Exception as error:  # noqa: BLE001 - the trainer drops a row for any of them
        return f"its text cannot be read in this language ({error})"
    if tokenizer.tokenizer.token_to_id(UNKNOWN) in tokens:
        return f"the tokenizer does not know {_unknown_characters(tokenizer, text, language)}"
    if len(tokens) > MOST_TEXT_TOKENS:
        return f"its text has {len(tokens)} tokens, more than {MOST_TEXT_TOKENS}"
    return ""


def _unknown_characters(tokenizer: VoiceBpeTokenizer, text: str, language: str) -> str:
    cleaned = tokenizer.preprocess_text(text, language)
    unknown = tokenizer.tokenizer.token_to_id(UNKNOWN)
    odd = [
        character
        for character in dict.fromkeys(cleaned)
        if not character.isspace() and unknown in tokenizer.tokenizer.encode(character).ids
    ]
    return " ".join(odd) or "a part of its text"


def _heard(path: Path, most_samples: int) -> tuple[float, int, str]:
    """Length in seconds, rate in Hz, and what is wrong with the recording."""
    import soundfile

    if not path.is_file():
        return 0.0, SAMPLE_RATE_HZ, "its recording is missing"
    try:
        header: Any = soundfile.info(str(path))
    except (OSError, RuntimeError) as error:
        return 0.0, SAMPLE_RATE_HZ, f"its recording cannot be read ({error})"
    duration_s, rate_hz = header.frames / header.samplerate, int(header.samplerate)
    if duration_s < SHORTEST_TRAINED_S:
        return duration_s, rate_hz, f"it is shorter than {SHORTEST_TRAINED_S:g} s"
    if duration_s * SAMPLE_RATE_HZ > most_samples:
        longest_s = most_samples / SAMPLE_RATE_HZ
        return duration_s, rate_hz, f"it is longer than {longest_s:.1f} s ({duration_s:.1f} s)"
    return duration_s, rate_hz, ""

"""What the studies of voice match share: sentences, speakers, word errors. For benchmarks only."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import jiwer
import librosa
import numpy as np
import torch

from bench.voice_judges import FloatArray
from modules.core_components.ai_models import ASRManager, TTSManager
from modules.core_components.ai_models.engines.kokoro.fit.inputs import transcribe_sample
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import Transcribe
from modules.core_components.ai_models.engines.kokoro.wrapper import KokoroV1Wrapper
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.progress import CancelToken
from modules.core_components.settings import load_settings

NEW_SENTENCES = (
    "A quick judgment may hide the truth from those who seek it.",
    "We spent the whole afternoon repairing the roof of the wooden cabin.",
    "Their voices echoed through the empty station long after midnight.",
    "My uncle bought three green chairs and a small glass table yesterday.",
)
PART_S = 16.0


def speak(
    kokoro: KokoroV1Wrapper,
    phonemize: Callable[[str], str],
    pack: torch.Tensor,
    offsets: torch.Tensor | None,
) -> list[FloatArray]:
    """The new sentences at 16 kHz, as the studio speaks them."""
    spoken = []
    for number, sentence in enumerate(NEW_SENTENCES):
        phonemes = phonemize(sentence)
        style = pack[len(phonemes) - 1]
        audio = kokoro.synthesize(phonemes, style, seed=number, layer_offsets=offsets).samples
        spoken.append(librosa.resample(audio, orig_sr=24_000, target_sr=16_000))
    return spoken


class Encoder(Protocol):
    """A speaker encoder: GE2E, CAM++."""

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray: ...


def encoded_closeness(encoder: Encoder, a: list[FloatArray], b: list[FloatArray]) -> float:
    """Cosine between the mean embeddings of two sets of 16 kHz clips."""
    means = [np.mean([encoder.embed(clip, 16_000) for clip in clips], axis=0) for clips in (a, b)]
    return float(means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1]))


def trimmed(clips: list[FloatArray]) -> list[FloatArray]:
    """The 16 kHz clips without their silences."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=200, speech_pad_ms=60)
    result = []
    for clip in clips:
        spans = get_speech_timestamps(clip, options)
        parts = [clip[span["start"] : span["end"]] for span in spans]
        result.append(np.concatenate(parts) if parts else clip)
    return result


def load_speaker(folder: Path) -> tuple[FloatArray, list[FloatArray]]:
    """The first clips in a folder as one, 16 kHz, up to 16 s; and as many to judge by."""
    from faster_whisper.audio import decode_audio

    paths = sorted(path for path in folder.iterdir() if path.is_file())
    parts: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for path in paths:
        clip = np.asarray(decode_audio(str(path)), dtype=np.float32)
        full = [sum(map(len, part)) / 16_000 >= PART_S for part in parts]
        if full[1]:
            break
        parts[1 if full[0] else 0].append(clip)
    if not parts[1]:  # a short speaker: the last clip is for judging
        parts[1].append(parts[0].pop())
    return np.concatenate(trimmed(parts[0])), trimmed(parts[1])


def make_listener(folder: Path) -> Callable[[list[FloatArray]], float]:
    """The word error rate of the new sentences, spoken in order, by the Whisper in `folder`."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)

    def plain(text: str) -> str:
        return re.sub(r"[^a-z' ]", "", text.lower()).strip()

    def word_error_rate(clips: list[FloatArray]) -> float:
        texts = []
        for clip in clips:
            segments, _ = model.transcribe(clip, language="en", beam_size=5)
            texts.append(plain(" ".join(segment.text for segment in segments)))
        return float(jiwer.wer([plain(s) for s in NEW_SENTENCES], texts))

    return word_error_rate


def make_phonemizer() -> Callable[[str], str]:
    """Kokoro's phonemes of an American English text."""
    from modules.core_components.ai_models.engines.kokoro.reading.english import EnglishG2P

    g2p = EnglishG2P(british=False)
    return lambda text: str(g2p(text)[0])


def make_transcriber(models: Path, work: Path) -> Transcribe:
    """As the studio writes a sample down, in a language that it finds out."""
    here = {"device": "cpu", "models_folder": str(models.absolute())}
    settings, pool = load_settings(work, here), ModelPool({"cpu": 4 * 2**30})
    kokoro: Any = TTSManager(settings, pool).get("kokoro-v1.0")
    engine = ASRManager(settings, pool).context.engine
    return partial(transcribe_sample, engine, "", kokoro._phonemes, CancelToken())

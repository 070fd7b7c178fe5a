"""From a sample to a voice that Kokoro can speak with (see `voice_fit`)."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.ai_models.engines.kokoro.fit.inputs import (
    FitOptions,
    TranscribedSample,
)
from modules.core_components.ai_models.engines.kokoro.voices import (
    OFFSETS_TENSOR,
    STYLE_TENSOR,
    VoiceFolder,
)
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.speech_regions import trim_to_speech
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.values import Sample, Speech, VoicePrompt

if TYPE_CHECKING:
    from torch import Tensor

# Increased whenever the same parameters would give another voice: old prompts are not found then.
_ALGORITHM = 5
_MATCHING = 2
_SCAN = "stock_voices.safetensors"
# A minute is what the fit uses; longer pauses than trimming leaves take some of the recording.
_LONGEST_RECORDING_S = 30 * 60.0


def matching_parameters() -> Mapping[str, Any]:
    """Everything besides the sample that shapes the voice matched at once."""
    return {"matched": _MATCHING}


def fitting_parameters(steps: int) -> Mapping[str, Any]:
    """Everything besides the sample that shapes the fitted voice, as plain values."""
    return {"algorithm": _ALGORITHM, **FitOptions(steps=steps).shaping()}


@dataclass(frozen=True)
class FitResources:
    """What a fit works with.

    `kmodel`, `ge2e` and `campplus` are the loaded modules, on the CPU; `phonemize` turns English
    text into phonemes, `transcribe` speech into words. Checkpoints and the embeddings of the stock
    voices are kept in `fits_folder`. `check` is called several times a second; it may wait, or
    raise.
    """

    kmodel: Any
    ge2e: Any
    campplus: Any
    phonemize: Callable[[str], str]
    transcribe: Callable[[Speech], TranscribedSample]
    voices: VoiceFolder
    whisper_folder: Path
    fits_folder: Path
    threads: int
    steps: int
    check: Callable[[], None]


def match_sample(
    sample: Sample,
    prompt: VoicePrompt,
    voices: VoiceFolder,
    campplus: Any,
    whisper_folder: Path,
    cancel: CancelToken,
) -> VoicePrompt:
    """`prompt` with the voice that is found at once, without rendering.

    `campplus` is the loaded encoder. The similarities in `info` are CAM++ cosines with the sample:
    of the nearest stock voice, of the match as it is expected to sound, and of the sample's halves.
    Raises as `match_instantly` does, and JobCancelled.
    """
    from modules.core_components.ai_models.engines.kokoro.fit.instant_match import match_instantly
    from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
        TimbreEncoder,
        load_projection,
        whisper_statistics,
    )
    from modules.core_components.ai_models.engines.whisper_features import load_whisper_features

    began = time.monotonic()
    speech = _read_sample(sample)
    cancel.raise_if_cancelled()
    features = load_whisper_features(whisper_folder, cancel.raise_if_cancelled)
    matched = match_instantly(
        TimbreEncoder(partial(whisper_statistics, features), load_projection()),
        campplus,
        _stock_packs(voices),
        speech.samples,
        speech.sample_rate_hz,
    )
    return dataclasses.replace(
        prompt,
        tensors={STYLE_TENSOR: matched.pack},
        info={
            "refined": False,
            "encoder": "CAM++",
            "start_voice": matched.start_voice,
            "mix": dict(matched.shares),
            "start_similarity": matched.similarity_start,
            "expected_similarity": matched.similarity_expected,
            "self_similarity": matched.similarity_self,
            "seconds": time.monotonic() - began,
        },
    )


def fit_sample(
    sample: Sample,
    prompt: VoicePrompt,
    resources: FitResources,
    progress: Progress,
    cancel: CancelToken,
) -> VoicePrompt:
    """`prompt` with the voice that was fitted to the sample.

    What is done so far is kept under the prompt's key, and the next call resumes from it. The
    similarities in `info` are CAM++ cosines with the held-out part of the sample: of the match (or
    the stock voice that the fit started from), the fitted voice, and the rest of the sample.
    Raises as `fit_voice` does.
    """
    from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import fit_voice

    speech = _read_sample(sample)
    cancel.raise_if_cancelled()
    checkpoint = resources.fits_folder / f"{prompt.key}.safetensors"
    fitted = fit_voice(
        resources.kmodel,
        resources.phonemize,
        resources.ge2e,
        resources.campplus,
        _stock_packs(resources.voices),
        speech.samples,
        speech.sample_rate_hz,
        FitOptions(steps=resources.steps, threads=resources.threads),
        progress,
        cancel,
        checkpoint,
        scan_cache=resources.fits_folder / _SCAN,
        whisper_folder=resources.whisper_folder,
        transcribe=resources.transcribe,
        check=resources.check,
    )
    # The fit's decoder, a gigabyte with its spectra, refers to itself: only the collector frees it.
    gc.collect()
    checkpoint.unlink(missing_ok=True)
    before = "matched_similarity" if fitted.from_match else "start_similarity"
    return dataclasses.replace(
        prompt,
        tensors={
            STYLE_TENSOR: np.asarray(fitted.pack, np.float32),
            OFFSETS_TENSOR: np.asarray(fitted.layer_offsets, np.float32),
        },
        info={
            "refined": True,
            "start_voice": fitted.start_voice,
            "speed": fitted.speaking_rate,
            before: fitted.similarity_start,
            "held_out_similarity": fitted.similarity_fitted,
            "self_similarity": fitted.similarity_self,
            "encoder": "CAM++",
            "seconds": fitted.report["seconds"],
            "report": dict(fitted.report),
        },
    )


def _read_sample(sample: Sample) -> Speech:
    return trim_to_speech(read_speech(sample.path, max_duration_s=_LONGEST_RECORDING_S))


def _stock_packs(voices: VoiceFolder) -> Mapping[str, Tensor]:
    import torch

    return {name: torch.from_numpy(voices.pack(name).copy()) for name in voices.names()}

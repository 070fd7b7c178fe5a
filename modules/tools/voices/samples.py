"""Samples: bringing in a voice, saying whose it is, writing down what it says."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.base import parse_options
from modules.core_components.ai_models.engines.kokoro.voices import save_pack, voice_of_prompt
from modules.core_components.audio.files import encode_speech, read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.values import Consent, Sample, Speech
from modules.tools.listening.transcribe import transcribe_speech
from modules.tools.services import Services

logger = logging.getLogger(__name__)


def add_sample(
    services: Services,
    audio: Path,
    name: str,
    consent: Consent,
    ref_text: str = "",
    language: str = "",
) -> tuple[Sample, tuple[str, ...]]:
    """Keeps a recording as a sample; returns it with warnings about its quality.

    Raises BadInputError for what is no usable recording, and without the owner's consent.
    """
    if not consent.agreed:
        raise BadInputError(
            "A voice may only be cloned when its owner agreed.",
            "Confirm that it is your voice, or that the speaker agreed to this use.",
        )
    sample = services.samples.add(audio, name or audio.stem, ref_text, language, consent)
    return sample, tuple(sample.info.get("warnings", ()))


def write_reference_text(
    services: Services,
    name: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    model_id: str = "",
) -> Sample:
    """Transcribes a sample and keeps the words as its reference text."""
    sample = services.samples.get(name)
    transcript = transcribe_speech(
        services,
        read_speech(sample.path),
        model_id=model_id,
        language=sample.language,
        progress=progress,
        cancel=cancel or CancelToken(),
    )
    if not transcript.text:
        raise BadInputError("No words were heard in the sample.", "Type the reference text.")
    return services.samples.update(
        name, ref_text=transcript.text, language=sample.language or transcript.language
    )


def export_voice(
    services: Services,
    name: str,
    target: Path,
    engine: str = "kokoro-v1.0",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Writes a sample's fitted voice as a Kokoro voice pack (.pt or .safetensors by suffix)."""
    sample = services.samples.get(name)
    prompt, _ = services.tts.prepare_voice(engine, sample, progress, cancel or CancelToken())
    target.parent.mkdir(parents=True, exist_ok=True)
    return save_pack(voice_of_prompt(prompt).pack, target)


# The one sample that the studio makes for itself, so that the first page is not empty.


NAME = "Demo voice (synthetic)"
MODEL_ID = "kokoro-v1.0"
# A mix, so that it is nobody's voice, not even one of the model's own.
VOICE = "af_heart(3)+bf_emma(2)+am_michael(1)"
LANGUAGE = "en-us"
TEXT = (
    "Hello, and welcome to the studio. This voice does not belong to anybody: the computer mixed "
    "it from a few others, so that you have something to try. Pick it, type a sentence, and "
    "listen. Then bring a recording of your own voice, and hear the difference it makes."
)
_SEED = 2024
_MARKER = ".demo_sample_made"


def demo_sample_wanted(services: Services) -> bool:
    """Whether the sample was never made, and can be."""
    made = (services.settings.samples_folder / _MARKER).exists()
    return not made and services.tts.available(MODEL_ID)


def ensure_demo_sample(
    services: Services, progress: Progress = no_progress, cancel: CancelToken | None = None
) -> Sample | None:
    """Speaks the demo sample once in the life of a samples folder; deleted, it stays away.

    None when it was made before, when there are other samples already, or while the model that
    would speak it is not on this machine.
    """
    marker = services.settings.samples_folder / _MARKER
    if marker.exists():
        return None
    if services.samples.list():
        marker.touch()
        return None
    if not services.tts.available(MODEL_ID):
        return None
    engine = services.tts.get(MODEL_ID)
    options: Any = parse_options(engine.options_type, {"language": LANGUAGE, "seed": _SEED})
    progress(0.0, "Speaking the demo sample")
    pieces = engine.stream(TEXT, VOICE, options, cancel or CancelToken())
    samples = np.concatenate([piece.samples for piece in pieces])
    sample = services.samples.add(
        encode_speech(Speech(samples, engine.sample_rate_hz), "wav"),
        NAME,
        ref_text=TEXT,
        language=LANGUAGE,
        consent=Consent(
            speaker="nobody: a synthetic voice",
            agreed=True,
            note="Spoken by the studio itself with a mix of Kokoro's voices.",
        ),
        info={
            "synthetic": True,
            "model_id": engine.model_id,
            "model_revision": engine.model_revision,
            "voice": VOICE,
            "seed": _SEED,
        },
    )
    marker.touch()
    logger.info("Made the demo sample %r", sample.name)
    progress(1.0, "Done")
    return sample

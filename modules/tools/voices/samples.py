"""Samples: bringing in a voice, saying whose it is, writing down what it says."""

from __future__ import annotations

from pathlib import Path

from modules.core_components.ai_models.engines.kokoro.speaking_voice import voice_of_prompt
from modules.core_components.ai_models.engines.kokoro.voice_packs import save_pack
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.values import Consent, Sample
from modules.tools.listening.transcribe import transcribe_speech
from modules.tools.services import Services


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

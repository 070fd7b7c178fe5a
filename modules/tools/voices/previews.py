"""Voice previews: one short sentence in the language of the voice, spoken once and kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.audio.files import write_speech
from modules.core_components.jobs import Job, JobContext
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.speech import CHARACTERS_PER_SECOND
from modules.tools.voices.own_voices import fixed_voice
from modules.tools.voices.preset_voices import nearest_language

# About a tenth of a megabyte each: the stock voices, and room for mixes that are being tried out.
KEPT_PREVIEWS = 300
SENTENCES: Mapping[str, str] = {
    "de": "Hallo! So klinge ich, wenn ich dir etwas vorlese.",
    "en": "Hello! This is how I sound when I read something to you.",
    "es": "¡Hola! Así suena mi voz cuando te leo algo.",
    "fr": "Bonjour ! Voici ma voix quand je vous lis quelque chose.",
    "hi": "नमस्ते! जब मैं आपके लिए पढ़ता हूँ, तो मेरी आवाज़ ऐसी लगती है।",
    "it": "Ciao! Ecco come suona la mia voce quando ti leggo qualcosa.",
    "ja": "こんにちは。これが私の声です。",
    "ko": "안녕하세요! 제 목소리는 이렇게 들립니다.",
    "pt": "Olá! É assim que soa a minha voz quando leio para você.",
    "ru": "Здравствуйте! Вот так я звучу, когда читаю вам вслух.",
    "zh": "你好！这就是我朗读时的声音。",
}


def find_preview(services: Services, model_id: str, voice: str, language: str = "") -> Path | None:
    """The kept preview of a voice or mix, if any; raises as `make_preview`."""
    engine = services.tts.get(model_id)
    path = _path(services, engine, fixed_voice(engine, voice), _spoken(services, engine, language))
    if not path.exists():
        return None
    os.utime(path)
    return path


def make_preview(
    services: Services,
    model_id: str,
    voice: str,
    language: str = "",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """A wav file of the voice or mix; "" is the default language.

    It is kept under the hash of voice, model and sentence. Raises BadInputError for an unknown
    voice, and JobCancelled.
    """
    engine = services.tts.get(model_id)
    language = _spoken(services, engine, language)
    prompt = fixed_voice(engine, voice)
    path = _path(services, engine, prompt, language)
    sentence = example_sentence(language)
    options: Any = parse_options(engine.options_type, {"language": language, "seed": 0})
    pieces, spoken_s, expected_s = [], 0.0, len(sentence) / CHARACTERS_PER_SECOND
    for piece in engine.stream(sentence, prompt, options, cancel or CancelToken()):
        pieces.append(piece.samples)
        spoken_s += piece.duration_s
        progress(min(spoken_s / expected_s, 0.95), _("Speaking"))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_speech(path, Speech(np.concatenate(pieces), engine.sample_rate_hz))
    _forget_oldest(path.parent)
    return path


def _spoken(services: Services, engine: TTSEngine, language: str) -> str:
    wanted = language or services.settings.language
    return nearest_language(engine, wanted) or engine.languages[0]


def example_sentence(language: str) -> str:
    """What previews say in a language; English where there is nothing in it."""
    return SENTENCES.get(language[:2], SENTENCES["en"])


def _path(services: Services, engine: TTSEngine, voice: VoicePrompt | str, language: str) -> Path:
    key = voice if isinstance(voice, str) else voice.key
    made_of = (key, engine.model_id, engine.model_revision, language, example_sentence(language))
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    return services.previews_folder / f"{digest[:32]}.wav"


def _forget_oldest(folder: Path) -> None:
    previews = sorted(folder.glob("[!.]*.wav"), key=lambda path: path.stat().st_mtime)
    for path in previews[:-KEPT_PREVIEWS]:
        path.unlink(missing_ok=True)


# A preview as a job.

PREVIEW = "preview_voice"


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_preview(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        job.progress(0.0, _("Loading the model"))
        model_id, voice, language = payload["model"], payload["voice"], payload["language"]
        file = make_preview(services, model_id, voice, language, job.progress, job.cancel)
        return {"voice": voice, "file": str(file)}

    services.jobs.register(PREVIEW, run_preview, lane="preview")


def submit_preview(services: Services, model_id: str, voice: str, language: str) -> Job:
    """Queues a preview of a voice or mix."""
    payload = {"model": model_id, "voice": voice, "language": language}
    return services.jobs.submit(PREVIEW, _("Preview of {voice}", voice=voice), payload)

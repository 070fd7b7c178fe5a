"""Whether a recording is in the language it is transcribed in.

Whisper writes fluent text in the language that was chosen, also of speech in another one: it
translates, or invents. What it would have detected is asked here, of the first half minute of
speech: one pass of the encoder.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.base import ASREngine
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.speech_regions import speech_regions
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.remotes import remote_of
from modules.core_components.text.detected_language import DetectedLanguage
from modules.core_components.text.languages import base_language, language_name
from modules.core_components.texts import _
from modules.core_components.values import Speech
from modules.tools.models.ready_models import listening_models
from modules.tools.services import Services

logger = logging.getLogger(__name__)

# What is listened to: so much speech, looked for in the first minutes, a minute at a time.
_EXCERPT_S, _WITHIN_S, _STEP_S = 30.0, 600.0, 60.0
# Of less speech a guess says little: of 280 telephone prompts in five languages, most under 5 s,
# Whisper base took 72 for another one, 6 of them with 0.8 or more. Of 249 that were joined to 5,
# 10 and 20 s it took none for another one with 0.7 or more; 92 % (5 s) and 98 % (longer) were right
# with 0.8 or more.
LEAST_S = 5.0


def language_detector(services: Services) -> ASREngine:
    """An installed model that detects languages; the default one if it can.

    Raises StudioError where there is none.
    """
    ids = [
        entry.id
        for entry in listening_models(services)
        if not remote_of(entry.id) and "speakers" not in entry.abilities
    ]
    ids.sort(key=lambda model_id: model_id != services.settings.asr_model)
    for model_id in ids:
        listener = services.asr.get(model_id)
        if len(listener.languages) > 1:
            return listener
    raise StudioError(
        _("No transcription model that knows several languages is installed."),
        _("Get one on the Models tab: Whisper base is small."),
    )


def detect_language(
    listener: ASREngine, recording: Speech | Path, cancel: CancelToken
) -> DetectedLanguage | None:
    """What a model takes a recording for; None where it hears no speech."""
    speech = recording if isinstance(recording, Speech) else read_speech(recording)
    options: Any = parse_options(listener.options_type, {"language": "auto"})
    running = listener.transcribe(speech, options, no_progress, cancel)
    close = getattr(running.segments, "close", None)  # the words are not wanted
    if close is not None:
        close()
    found = running.info
    if not found.language:
        return None
    return DetectedLanguage(found.language, found.language_probability)


def other_language(
    services: Services, speech: Speech, chosen: str, cancel: CancelToken
) -> DetectedLanguage | None:
    """The language of a recording, if that surely is not the chosen one ("": none was chosen).

    None too where it cannot be said: no model that detects languages, too little speech, a
    language that the model does not know.
    """
    code = base_language(chosen)
    if not code:
        return None
    try:
        listener = language_detector(services)
        if code not in listener.languages:
            return None
        excerpt = _speech_only(speech, cancel)
        found = None if excerpt is None else detect_language(listener, excerpt, cancel)
    except StudioError as error:  # a check must not keep what was asked for
        logger.info("The language was not checked: %s", error.message)
        return None
    return found if found is not None and found.contradicts(code) else None


def language_note(
    services: Services, listener: ASREngine, speech: Speech, language: str, cancel: CancelToken
) -> str:
    """What a reader of a transcript by this model must know of its language; "" if nothing."""
    english_only = tuple(listener.languages) == ("en",)
    chosen = language or ("en" if english_only else "")
    found = other_language(services, speech, chosen, cancel)
    if found is None:
        return ""
    name = language_name(found.language)
    remedy = (
        _(
            "{label} knows English only: if it is {name}, choose a model without .en.",
            label=listener.label,
            name=name,
        )
        if english_only
        else _(
            "If it is {name}, transcribe it again with that language, or with Detect.", name=name
        )
    )
    warning = found.warning(_("The recording"), chosen)
    return f"{warning} {remedy}"


def _speech_only(speech: Speech, cancel: CancelToken) -> Speech | None:
    """The first half minute of speech without its pauses; None where there is too little."""
    rate_hz = speech.sample_rate_hz
    pieces: list[Any] = []
    held = 0
    step = round(_STEP_S * rate_hz)
    for begin in range(0, min(len(speech.samples), round(_WITHIN_S * rate_hz)), step):
        part = Speech(speech.samples[begin : begin + step], rate_hz)
        for start_s, end_s in speech_regions(part, cancel):
            pieces.append(part.samples[round(start_s * rate_hz) : round(end_s * rate_hz)])
            held += len(pieces[-1])
        if held >= _EXCERPT_S * rate_hz:
            break
    if held < LEAST_S * rate_hz:
        return None
    return Speech(np.concatenate(pieces)[: round(_EXCERPT_S * rate_hz)], rate_hz)

"""Speech that is streamed to a listener, piece by piece, and not kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.models.fallback import ModelChoice
from modules.tools.services import Services
from modules.tools.speaking.request import (
    CompletedSpeech,
    PauseStep,
    SpeechRequest,
    check_api_text,
    complete_speech,
)
from modules.tools.voices.own_voices import fixed_voice
from modules.tools.voices.refinement import refine_later


def complete_live_speech(
    services: Services, request: SpeechRequest, choice: ModelChoice | None = None
) -> CompletedSpeech:
    """As `complete_speech`, for a listener who waits.

    A text of only emoji and punctuation is a short silence: programs send a chat sentence by
    sentence. Raises BadInputError also for a text above the limit of the API.
    """
    check_api_text(services, request.text)
    return complete_speech(services, replace(request, may_be_silent=True), choice)


def open_live_speech(
    services: Services, request: CompletedSpeech, cancel: CancelToken
) -> Generator[Speech, None, None]:
    """The speech piece by piece, each made when it is asked for; sample by sample that of a take.

    Raises, before it returns, BadInputError for text or voice that the engine cannot speak; while
    it runs, JobCancelled between two pieces once `cancel` is set.
    """
    engine = services.tts.get(request.model_id)
    voice = voice_to_speak_with(services, request, cancel)
    # All are opened first, so that what cannot be spoken is found before the first sound.
    spoken = [
        iter((step.speech(engine.sample_rate_hz),))
        if isinstance(step, PauseStep)
        else engine.stream(step.text, voice, step.options, cancel)
        for step in request.steps
    ]
    return _joined(spoken, cancel)


def voice_to_speak_with(
    services: Services, request: CompletedSpeech, cancel: CancelToken | None = None
) -> VoicePrompt | str:
    """The voice as the engine takes it; a sample is prepared here where it has not been."""
    if request.kind != "sample":
        return fixed_voice(services.tts.get(request.model_id), request.voice)
    sample = services.samples.voice(request.voice)
    prompt, _ = services.tts.prepare_voice(request.model_id, sample, cancel=cancel)
    refine_later(services, request.model_id, sample.name)
    return prompt


def _joined(
    passages: Sequence[Iterator[Speech]], cancel: CancelToken
) -> Generator[Speech, None, None]:
    try:
        for passage in passages:
            for piece in passage:
                cancel.raise_if_cancelled()
                yield piece
    finally:
        # Closed now and not when the error that ended it is collected: it may hold a model.
        for passage in passages:
            if isinstance(passage, Generator):
                passage.close()

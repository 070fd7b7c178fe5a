"""Speech for somebody who is listening already: piece by piece, kept nowhere."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.models.ready_models import is_voice_match
from modules.tools.services import Services
from modules.tools.speaking.plan import Silence, spoken_steps
from modules.tools.speaking.speech import SpeechRequest, complete_request
from modules.tools.voices.own_voices import fixed_voice


def check_live_request(services: Services, request: SpeechRequest) -> SpeechRequest:
    """The request with everything filled in that was left open; no model is loaded.

    Raises BadInputError or NotFoundError: for a text above `api_max_text_characters`, for a sample
    that its model would take minutes to prepare, and for all that `complete_request` refuses.
    """
    check_text_length(services, request.text)
    request = complete_request(services, request)
    if request.kind == "sample" and is_voice_match(services.tts.entry(request.engine)):
        _prepared(services, request)
    return request


def check_text_length(services: Services, text: str) -> None:
    """Raises BadInputError for a text above `api_max_text_characters`."""
    limit, length = services.settings.api_max_text_characters, len(text.strip())
    if length > limit:
        raise BadInputError(
            f"The text has {length:,} characters; the limit is {limit:,}.",
            "Send it in parts, or raise api_max_text_characters in the settings.",
            "text",
        )


def open_live_speech(
    services: Services, request: SpeechRequest, cancel: CancelToken
) -> Generator[Speech, None, None]:
    """The speech of a checked request, piece by piece, each made when it is asked for.

    A take made from the same request says the same, sample by sample. Raises, before it returns,
    BadInputError for whatever in the text or voice the engine cannot speak; while it runs,
    JobCancelled between two pieces once `cancel` is set.
    """
    engine = services.tts.get(request.engine)
    voice = voice_to_speak_with(services, request, cancel)
    steps = spoken_steps(engine, request.text, request.language, request.seed or 0, request.options)
    # All are opened first: what cannot be spoken must not be found after the first sound.
    spoken = [
        iter((step.speech(engine.sample_rate_hz),))
        if isinstance(step, Silence)
        else engine.stream(step.text, voice, step.options, cancel)
        for step in steps
    ]
    return _joined(spoken, cancel)


def voice_to_speak_with(
    services: Services, request: SpeechRequest, cancel: CancelToken | None = None
) -> VoicePrompt | str:
    """The voice of a checked request, as its engine takes it. Raises as `check_live_request`.

    A model that clones in a second does so here.
    """
    if request.kind != "sample":
        return fixed_voice(services.tts.get(request.engine), request.voice)
    if is_voice_match(services.tts.entry(request.engine)):
        return _prepared(services, request)
    sample = services.samples.voice(request.voice)
    prompt, _ = services.tts.prepare_voice(request.engine, sample, cancel=cancel)
    return prompt


def _prepared(services: Services, request: SpeechRequest) -> VoicePrompt:
    """A voice match takes minutes: longer than a listener waits."""
    sample = services.samples.voice(request.voice)
    prompt = services.tts.prepared_voice(request.engine, sample)
    if prompt is None:
        raise BadInputError(
            f"The voice {sample.name} is not prepared for {request.engine} yet.",
            "Make one take with it on the Voice Clone tab; after that it speaks here at once.",
            "voice",
        )
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
        # At once, and not when the error that ended it is forgotten: it may hold a model.
        for passage in passages:
            if isinstance(passage, Generator):
                passage.close()

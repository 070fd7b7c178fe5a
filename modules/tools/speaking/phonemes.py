"""Phonemes of a text, and speech from phonemes."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

from modules.core_components.ai_models.engines.base import PhonemeEngine, PhonemeSentence
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _
from modules.core_components.values import Speech
from modules.tools.services import Services
from modules.tools.speaking.live_speech import voice_to_speak_with
from modules.tools.speaking.pronunciations import with_pronunciations
from modules.tools.speaking.reading import AS_WRITTEN, steps_of
from modules.tools.speaking.request import (
    CompletedSpeech,
    Passage,
    check_api_text,
    engine_options,
    language_to_speak,
    plan_steps,
)


def check_phonemize(
    services: Services, model_id: str, text: str, language: str, as_written: str = ""
) -> str:
    """The code of the text's language ("" is the default one); no model is loaded.

    Raises BadInputError for a model without phonemes, for a text or language that it refuses, and
    as `steps_of`.
    """
    engine = phoneme_engine(services, model_id)
    check_api_text(services, text)
    if not text.strip():
        raise BadInputError(
            _("There is no text."), _("Send the text to show the phonemes of."), "text"
        )
    steps_of(engine, as_written)
    return language_to_speak(services, engine, language)


def phonemize(
    services: Services, model_id: str, text: str, language: str, as_written: str = ""
) -> Sequence[PhonemeSentence]:
    """The sentences of a text, without its markup, with their phonemes.

    Words in the pronunciation dictionary have the sounds given there; `as_written` names the steps
    of the reading that are left out. Raises BadInputError as speaking would.
    """
    engine = phoneme_engine(services, model_id)
    given = {AS_WRITTEN: as_written} if as_written else {}
    given = with_pronunciations(services, engine, language, text, given)
    steps = plan_steps(engine, text, engine_options(engine, given, language, 0))
    passages = (step for step in steps if isinstance(step, Passage))
    return tuple(
        one for passage in passages for one in engine.phonemize(passage.text, passage.options)
    )


def open_phoneme_speech(
    services: Services, request: CompletedSpeech, cancel: CancelToken
) -> Generator[Speech, None, None]:
    """As `open_live_speech`, for a request whose text are phonemes."""
    engine = phoneme_engine(services, request.model_id)
    voice = voice_to_speak_with(services, request)
    yield from engine.stream_phonemes(request.text, voice, request.options, cancel)


def phoneme_engine(services: Services, model_id: str) -> PhonemeEngine:
    """The engine of a model that takes phonemes. Raises BadInputError for one that does not."""
    engine = services.tts.get(model_id)
    if not isinstance(engine, PhonemeEngine):
        raise BadInputError(
            _("{label} does not work with phonemes.", label=engine.label),
            _("Choose a model that does, such as Kokoro."),
            "model",
        )
    return engine


def timed_from_the_start(pieces: Iterable[Speech]) -> Generator[Speech, None, None]:
    """The pieces, the times of their words counted from the start of the first piece."""
    before_s = 0.0
    for piece in pieces:
        words = tuple(
            replace(word, start_s=word.start_s + before_s, end_s=word.end_s + before_s)
            for word in piece.words
        )
        before_s += piece.duration_s
        yield replace(piece, words=words)

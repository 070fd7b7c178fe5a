"""Phonemes: what a model makes of a text, and speech from phonemes written by hand."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

from modules.core_components.ai_models.engines.base import PhonemeEngine, PhonemeSentence
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, Word
from modules.tools.services import Services
from modules.tools.speaking.live_speech import check_text_length, voice_to_speak_with
from modules.tools.speaking.plan import engine_options, passages, spoken_steps
from modules.tools.speaking.speech import SpeechRequest, language_to_speak


def check_phonemize(services: Services, model_id: str, text: str, language: str) -> str:
    """The language that will be read, "" being the one in the settings; no model is loaded.

    Raises BadInputError for a model without phonemes and for a text or language that it refuses.
    """
    engine = phoneme_engine(services, model_id)
    check_text_length(services, text)
    if not text.strip():
        raise BadInputError("There is no text.", "Write what the phonemes are wanted of.", "text")
    return language_to_speak(services, engine, language)


def phonemize(
    services: Services, model_id: str, text: str, language: str
) -> Sequence[PhonemeSentence]:
    """The sentences of a text, markup left out, with their phonemes.

    Raises BadInputError as speaking would.
    """
    engine = phoneme_engine(services, model_id)
    steps = spoken_steps(engine, text, language, 0, {})
    return tuple(one for part in passages(steps) for one in engine.phonemize(part.text, language))


def open_phoneme_speech(
    services: Services, request: SpeechRequest, cancel: CancelToken
) -> Generator[Speech, None, None]:
    """The speech of a checked live request whose text are phonemes; see `open_live_speech`."""
    engine = phoneme_engine(services, request.engine)
    voice = voice_to_speak_with(services, request)
    options = engine_options(engine, request.options, request.language, request.seed or 0)
    yield from engine.stream_phonemes(request.text, voice, options, cancel)


def phoneme_engine(services: Services, model_id: str) -> PhonemeEngine:
    """The engine of a model that takes phonemes. Raises BadInputError for one that does not."""
    engine = services.tts.get(model_id)
    if not isinstance(engine, PhonemeEngine):
        raise BadInputError(
            f"{engine.label} does not work with phonemes.",
            "Choose a model that does, such as Kokoro.",
            "model",
        )
    return engine


# When each word is said, in a speech that comes in pieces.


def timed_from_the_start(pieces: Iterable[Speech]) -> Generator[Speech, None, None]:
    """The pieces, their words' times counted from the start of the first piece."""
    before_s = 0.0
    for piece in pieces:
        words = tuple(_moved(word, before_s) for word in piece.words)
        before_s += piece.duration_s
        yield replace(piece, words=words)


def _moved(word: Word, seconds: float) -> Word:
    return replace(word, start_s=word.start_s + seconds, end_s=word.end_s + seconds)

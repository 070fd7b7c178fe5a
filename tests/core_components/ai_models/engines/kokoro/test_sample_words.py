"""Who is asked what a sample says, and what becomes of it."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.ai_models.engines.base import Transcription, TranscriptionInfo
from modules.core_components.ai_models.engines.kokoro.fit.inputs import (
    TranscribedSample,
    get_kokoro_language,
    transcribe_sample,
)
from modules.core_components.ai_models.engines.whisper import WhisperOptions
from modules.core_components.errors import ModelMissingError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.values import Segment, Speech, Word

SPEECH = Speech(np.zeros(16_000, np.float32), 16_000)
SEGMENT = Segment("Buongiorno.", 0.0, 1.0, (Word("Buongiorno.", 0.0, 1.0),))


class FakeListener:
    """Hears `SEGMENT` in one language in everything."""

    options_type = WhisperOptions

    def __init__(self, languages: tuple[str, ...], hears: str, sure: float = 0.9) -> None:
        self.languages, self._hears, self._sure = languages, hears, sure
        self.asked: list[str] = []
        self.is_here = True

    def transcribe(
        self, speech: Speech, options: WhisperOptions, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        if not self.is_here:
            raise ModelMissingError("whisper")
        assert options.word_timestamps
        self.asked.append(options.language)
        info = TranscriptionInfo(self._hears, self._sure, 1.0, 1.0)
        return Transcription(info, iter([SEGMENT]))


def ask(base: FakeListener, tiny: FakeListener, language: str = "") -> TranscribedSample:
    listeners = {"whisper-base": base, "whisper-tiny.en": tiny}

    def phonemes(code: str, text: str) -> str:
        return f"{code}: {text}"

    return transcribe_sample(listeners.__getitem__, language, phonemes, CancelToken(), SPEECH)


@pytest.fixture
def tiny() -> FakeListener:
    return FakeListener(("en",), "en")


def test_the_larger_listener_is_asked_first_and_its_language_is_read(tiny: FakeListener) -> None:
    base = FakeListener(("en", "it"), "it")
    heard = ask(base, tiny)
    assert heard.segments == (SEGMENT,)
    assert heard.phonemize("ciao") == "it: ciao"
    assert (base.asked, tiny.asked) == (["auto"], [])


def test_the_language_of_the_sample_is_not_guessed_again(tiny: FakeListener) -> None:
    base = FakeListener(("en", "it"), "it", sure=0.1)
    assert ask(base, tiny, "it").segments
    assert base.asked == ["it"]


def test_without_the_larger_one_the_english_one_listens_to_english(tiny: FakeListener) -> None:
    base = FakeListener(("en", "it"), "it")
    base.is_here = False
    assert ask(base, tiny).phonemize("hello") == "en-us: hello"
    assert not ask(base, tiny, "it").segments
    assert tiny.asked == ["auto"]


def test_an_uncertain_or_unreadable_language_gives_no_words(tiny: FakeListener) -> None:
    assert not ask(FakeListener(("it",), "it", sure=0.3), tiny).segments
    assert not ask(FakeListener(("ru",), "ru"), tiny).segments


def test_languages_by_their_plain_codes() -> None:
    assert get_kokoro_language("en") == "en-us"
    assert get_kokoro_language("pt") == "pt-br"
    assert get_kokoro_language("ru") == ""

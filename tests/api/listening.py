"""A listener without weights that can do all that the API can ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.engines.base import Transcription, TranscriptionInfo
from modules.core_components.ai_models.engines.options import option
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.values import Segment, Speech, Word

LISTENER = "ear-1"


@dataclass(frozen=True)
class ListenerOptions:
    language: str = option("auto", "Language", "Of the recording.")
    task: str = option("transcribe", "Task", "What to do.", choices=("transcribe", "translate"))
    word_timestamps: bool = option(False, "Word times", "Also find them.")
    initial_prompt: str = option("", "Prompt", "What to expect.")
    temperature: float = option(0.0, "Temperature", "Of the words.", minimum=0.0, maximum=1.0)


class Listener:
    """Hears "Good morning." and "How are you?", in English if it is to translate."""

    model_id = LISTENER
    model_revision = "r1"
    label = "Ear 1"
    languages = ("en", "it")
    options_type = ListenerOptions

    def __init__(self) -> None:
        self.asked: list[ListenerOptions] = []
        self.heard: list[Speech] = []

    def load(self, cancel: CancelToken | None = None) -> None:
        """An ear needs no weights."""

    def transcribe(
        self, speech: Speech, options: Any, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        self.asked.append(options)
        self.heard.append(speech)
        info = TranscriptionInfo("it", 0.98, speech.duration_s, speech.duration_s)
        return Transcription(info, self._segments(speech.duration_s, options, cancel))

    def _segments(
        self, duration_s: float, options: ListenerOptions, cancel: CancelToken
    ) -> Iterator[Segment]:
        english = options.task == "translate"
        texts = ("Good morning.", "How are you?") if english else ("Buon giorno.", "Come stai?")
        for number, text in enumerate(texts):
            start_s = number * duration_s / 2
            step_s = duration_s / 2 / len(text.split())
            words = tuple(
                Word(word, start_s + place * step_s, start_s + (place + 1) * step_s)
                for place, word in enumerate(text.split())
            )
            with_words = words if options.word_timestamps else ()
            yield Segment(text, start_s, start_s + duration_s / 2, with_words)

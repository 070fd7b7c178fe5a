"""coqui's tokenizer, with Amharic besides its own languages. Importing this takes seconds."""

from __future__ import annotations

from pathlib import Path

from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

from modules.core_components.ai_models.engines.xtts.text_form import LANGUAGE, language_token
from modules.core_components.text.amharic.front_end import AmharicFrontEnd
from modules.core_components.text.reading.front_end import spoken_form


class StudioTokenizer(VoiceBpeTokenizer):
    """Amharic goes through `front_end`, every other language through coqui's cleaners."""

    def __init__(self, vocab_file: Path, front_end: AmharicFrontEnd | None = None) -> None:
        super().__init__(str(vocab_file))
        self.front_end = front_end

    def preprocess_text(self, txt: str, lang: str) -> str:
        """The text as its letters go to the model."""
        if self.front_end is not None and lang == LANGUAGE:
            return self.front_end.prepare(txt).text
        return str(super().preprocess_text(txt, lang))

    def encode(self, txt: str, lang: str) -> list[int]:
        """The numbers of the tokens, that of the language first."""
        if self.front_end is None or lang.split("-")[0] != LANGUAGE:
            return list(super().encode(txt, lang))
        text = self.preprocess_text(txt, LANGUAGE).replace(" ", "[SPACE]")
        return list(self.tokenizer.encode(f"{language_token(self.front_end)}{text}").ids)


class TrainingTokenizer(StudioTokenizer):
    """For texts as they are written. The engine reads a text by the studio's front end before it
    gets here; in a training this does, so that a number is learned as it will be spoken."""

    def preprocess_text(self, txt: str, lang: str) -> str:
        """The text as its letters go to the model."""
        if self.front_end is None or lang != LANGUAGE:
            txt = spoken_form(txt, lang)
        return super().preprocess_text(txt, lang)

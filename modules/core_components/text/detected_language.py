"""The language that a speech recognizer takes a recording for."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.text.languages import base_language, language_name
from modules.core_components.texts import _

# Measured with Whisper base, see tools/listening/language_check.py.
SURE = 0.8
# Codes that Whisper hardly tells apart.
_ALIKE = ({"zh", "yue"}, {"hi", "ur"}, {"hr", "sr", "bs"}, {"no", "nn", "da"}, {"id", "ms"})


@dataclass(frozen=True)
class DetectedLanguage:
    """What a recording sounds like: ISO 639-1, and how probable that is, 0 to 1."""

    language: str
    probability: float

    def contradicts(self, chosen: str) -> bool:
        """Whether it surely is another language than the chosen one ("": none was chosen)."""
        code = base_language(chosen)
        if not code or self.language == code or self.probability < SURE:
            return False
        return not any({code, self.language} <= alike for alike in _ALIKE)

    def warning(self, name: str, chosen: str) -> str:
        """A sentence about a recording that was transcribed in the chosen language."""
        return _(
            "{name} sounds like {language} ({probability:.0%} sure) but was transcribed as "
            "{chosen}: the text may be translated or invented.",
            name=name,
            language=language_name(self.language),
            probability=self.probability,
            chosen=language_name(base_language(chosen)),
        )

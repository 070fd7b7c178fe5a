"""Amharic as an engine is trained on it and as it is spoken later: one way for both.

A text is put in one form (NFC), read as it is said (numbers, dates, abbreviations), cleared of what
cannot be said, and written in one of two ways: in Latin letters by its sounds, for vocabularies
without Ethiopic signs, or in Ethiopic signs, one for each sound. What was left out is reported.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import regex

from modules.core_components.errors import BadInputError
from modules.core_components.text.amharic.backends import Backend, open_backend
from modules.core_components.text.amharic.phonemes import to_latin
from modules.core_components.text.amharic.syllables import BOTH, GEMINATION, LENGTH, homophones
from modules.core_components.text.reading.front_end import (
    spoken_form,
    steps_without,
    without_sound,
)
from modules.core_components.text.reading.words import UNSPOKEN, unspoken_characters
from modules.core_components.texts import _, mark

LANGUAGE = "am"
NAME = "amharic"
# Changes with whatever changes the text that an engine gets: models remember it.
VERSION = 1
LATIN, ETHIOPIC = "latin", "ethiopic"
ABOUT: Mapping[str, str] = {
    LATIN: mark("written in Latin letters by its sounds"),
    ETHIOPIC: mark("written in Ethiopic signs, one for each sound"),
}
# What no spelling of Amharic shows.
NOT_WRITTEN = mark("Long consonants are not written in Amharic; they are spoken like short ones.")

_MARKS = str.maketrans({
    "።": ". ", "፣": ", ", "፤": "; ", "፥": ", ", "፦": ": ", "፧": "? ", "፡": " ", "፠": ". ",
    "፨": ". ",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": '"', "›": '"', "‘": "'", "’": "'",
    "–": "-", "—": "-", "−": "-", "…": ".", "/": " ", "\\": " ", "[": "(", "]": ")",
    "{": "(", "}": ")",
})  # fmt: skip
_FULL_STOP = "፡፡"  # two word spaces, as typed where no key has ።
_PREFACE = regex.compile("፡[-–—]")
_SPACES = regex.compile(r"\s+")
_SPACE_BEFORE_MARK = regex.compile(r"\s+(?=[.,;:?!])")
_LETTER = regex.compile(r"\p{L}")
_ETHIOPIC = regex.compile(r"\p{Ethiopic}")
_READ_BEFORE = steps_without(UNSPOKEN)
_LENGTHS = regex.compile(f"[{GEMINATION}{LENGTH}{BOTH}]")


@dataclass(frozen=True)
class PreparedText:
    """`text` as the engine takes it; `dropped` characters, with how often, cannot be said."""

    text: str
    dropped: Mapping[str, int]

    @property
    def dropped_in_words(self) -> str:
        """ "2 x U+1F600 (GRINNING FACE), ..."; "" for nothing."""
        return ", ".join(
            f"{count} x U+{ord(one):04X} ({unicodedata.name(one, 'without a name')})"
            for one, count in self.dropped.items()
        )


@dataclass(frozen=True)
class AmharicFrontEnd:
    """`way` is "latin" or "ethiopic", `backend` reads the words for the Latin way."""

    way: str
    backend: Backend | None = None

    @classmethod
    def of(cls, way: str) -> AmharicFrontEnd:
        """With the preferred backend of those that are here."""
        return cls(way, open_backend() if way == LATIN else None)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> AmharicFrontEnd | None:
        """That of `record`; None where the record is of another front end.

        Raises BadInputError for a version or backend that would write texts otherwise than the
        model learned them.
        """
        if record.get("name") != NAME:
            return None
        if record.get("version") != VERSION or record.get("way") not in ABOUT:
            raise BadInputError(
                _(
                    "This model was trained with another version of the Amharic front end "
                    "({version!r}, {way!r}).",
                    version=record.get("version"),
                    way=record.get("way"),
                ),
                _(
                    "This studio has version {version}; use the version that trained it.",
                    version=VERSION,
                ),
            )
        if record["way"] == ETHIOPIC:
            return cls(ETHIOPIC)
        backend = open_backend(str(record.get("backend")))
        if backend.version != record.get("backend_version"):
            raise BadInputError(
                _(
                    "This model was trained on Amharic as {name} {trained} reads it; here is "
                    "{version}.",
                    name=backend.name,
                    trained=record.get("backend_version"),
                    version=backend.version,
                ),
                _(
                    "Install {name}=={version}.",
                    name=backend.name,
                    version=record.get("backend_version"),
                ),
            )
        return cls(LATIN, backend)

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """All that has to be the same in speaking as in training, as plain JSON."""
        own = {"name": NAME, "version": VERSION, "way": self.way}
        if self.backend is None:
            return own
        return {**own, "backend": self.backend.name, "backend_version": self.backend.version}

    @property
    def about(self) -> str:
        """What happens to a text, for people."""
        how = _(ABOUT[self.way])
        said = (
            _("Amharic is {how} by {reader}.", how=how, reader=self.backend.label)
            if self.backend
            else _("Amharic is {how}.", how=how)
        )
        return f"{said} {_(NOT_WRITTEN)}"

    def check(self, text: str) -> None:
        """Raises BadInputError for a text whose letters are all of another script.

        Amharic that is written in Latin letters already could be spelled in many ways, and the
        model knows but one.
        """
        if _LETTER.search(text) and not _ETHIOPIC.search(text):
            raise BadInputError(
                _(
                    "This model takes Amharic in Ethiopic script, and this text has not one "
                    "letter of it."
                ),
                _(
                    "Write it in Ethiopic (ሰላም), or choose another language. It is brought "
                    "into the form that the model learned: {about}.",
                    about=_(ABOUT[self.way]),
                ),
                "text",
            )

    def prepare(self, text: str) -> PreparedText:
        """The text as the model takes it. Applied to its own result it changes nothing."""
        text = unicodedata.normalize("NFC", text)
        # "፡፡" is a full stop, and ":" a clock's mark only between digits.
        text = _PREFACE.sub("፦", text.replace(_FULL_STOP, "።"))
        read = spoken_form(text, LANGUAGE, _READ_BEFORE)
        kept, dropped = unspoken_characters(read)
        kept = kept.translate(_MARKS)
        if self.way == LATIN and self.backend is not None:
            written = to_latin(kept, self.backend.read_word)
        else:
            written = kept.translate(homophones())
        # Latin letters show length; a mark that is left there belongs to no sign.
        dropped = {**without_sound(text), **dropped, **Counter(_LENGTHS.findall(written))}
        written = _LENGTHS.sub("", written)
        written = _SPACES.sub(" ", written).strip().lower()
        return PreparedText(_SPACE_BEFORE_MARK.sub("", written), dropped)

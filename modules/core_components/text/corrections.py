"""What a reader corrected in a transcript: words, and the names of its speakers.

The transcript itself stays as it was recognized; corrections are kept apart from it and applied
when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.text.segments import spoken_words
from modules.core_components.texts import _
from modules.core_components.values import Segment, Transcript, Word

# In place of the number of a word: the text of a segment whose words have no times.
WHOLE = -1
MOST_CHARACTERS = 1000
Place = tuple[int, int]


@dataclass(frozen=True)
class Corrections:
    """Corrections by the numbers of a transcript's segments, counted from 0.

    `words` are new texts of (segment, word), the word being one of `segment_words`; "" is a word
    that was not said. `speakers` are the names of speakers by what the model called them,
    `turns` the names of who speaks in single segments.
    """

    words: Mapping[Place, str] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    turns: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.speakers or self.turns)

    def speaker_of(self, number: int, segment: Segment) -> str:
        """Who speaks in a segment, by name; "" where that is not known."""
        label = segment.speaker or ""
        return self.turns.get(number) or self.speakers.get(label) or label

    def text_of(self, number: int, index: int, segment: Segment) -> str | None:
        """The corrected text of a word of a segment (see `segment_words`), None for none."""
        return self.words.get((number, index if spoken_words(segment) else WHOLE))


def segment_words(segment: Segment) -> list[tuple[str, Word]]:
    """What can be corrected in a segment: its words with their punctuation, or, without word times,
    the whole text with the times of the segment."""
    spoken = spoken_words(segment)
    if spoken:
        return spoken
    text = " ".join(segment.text.split())
    return [(text, Word(text, segment.start_s, segment.end_s))] if text else []


def corrected(transcript: Transcript, corrections: Corrections) -> Transcript:
    """The transcript with the corrections; a segment of which no word is left is left out."""
    if corrections.is_empty:
        return transcript
    segments = []
    for number, segment in enumerate(transcript.segments):
        new = _corrected_segment(number, segment, corrections)
        if new.text or not segment.text.strip():
            segments.append(new)
    text = " ".join(filter(None, (segment.text.strip() for segment in segments)))
    return replace(
        transcript, text=text if corrections.words else transcript.text, segments=tuple(segments)
    )


def _corrected_segment(number: int, segment: Segment, corrections: Corrections) -> Segment:
    segment = replace(segment, speaker=corrections.speaker_of(number, segment) or None)
    if not any(place == number for place, _unused in corrections.words):
        return segment
    if not spoken_words(segment):
        return replace(segment, text=corrections.words.get((number, WHOLE), segment.text), words=())
    pieces, words = [], []
    for index, (piece, word) in enumerate(spoken_words(segment)):
        new = corrections.words.get((number, index))
        if new is None:
            pieces.append(piece)
            words.append(word)
        elif new:
            pieces.append(new + piece[len(piece.rstrip()) :])
            words.append(replace(word, text=new, probability=1.0))
    return replace(segment, text="".join(pieces).strip(), words=tuple(words))


def correct_word(
    transcript: Transcript, corrections: Corrections, number: int, index: int, text: str
) -> Corrections:
    """`corrections` with another text for a word (see `segment_words`; its number counts from 0).

    The recognized text takes the correction back. Raises NotFoundError for a word that is not
    there, BadInputError for more than 1,000 characters.
    """
    segment = _segment(transcript, number)
    known = segment_words(segment)
    if not 0 <= index < len(known):
        raise NotFoundError(_("There is no such word in this transcript."), _("Open it again."))
    text = " ".join(text.split())
    if len(text) > MOST_CHARACTERS:
        raise BadInputError(
            _(
                "A correction has at most {most_characters:,} characters.",
                most_characters=MOST_CHARACTERS,
            ),
            _("Write less."),
            "text",
        )
    place = (number, index if spoken_words(segment) else WHOLE)
    words = {key: value for key, value in corrections.words.items() if key != place}
    if text != known[index][0].strip():
        words[place] = text
    return replace(corrections, words=words)


def name_speaker(
    transcript: Transcript,
    corrections: Corrections,
    number: int,
    name: str,
    everywhere: bool = True,
) -> Corrections:
    """`corrections` with a name for who speaks in a segment: in all segments that show the same
    speaker, or in this one alone. "" brings back what the model called them.

    Raises NotFoundError for a segment that is not there, BadInputError for a name of more than
    1,000 characters.
    """
    shown = corrections.speaker_of(number, _segment(transcript, number))
    name = " ".join(name.split())
    if len(name) > MOST_CHARACTERS:
        raise BadInputError(_("The name is too long."), _("Write a shorter one."), "name")
    turns, speakers = dict(corrections.turns), dict(corrections.speakers)
    same = [
        (index, segment)
        for index, segment in enumerate(transcript.segments)
        if (everywhere and corrections.speaker_of(index, segment) == shown) or index == number
    ]
    for index, segment in same:
        if not everywhere or index in turns:
            turns[index] = name
        else:
            speakers[segment.speaker or ""] = name
    return replace(
        corrections,
        speakers={label: given for label, given in speakers.items() if given and given != label},
        turns={index: given for index, given in turns.items() if given},
    )


def _segment(transcript: Transcript, number: int) -> Segment:
    if not 0 <= number < len(transcript.segments):
        raise NotFoundError(_("There is no such part in this transcript."), _("Open it again."))
    return transcript.segments[number]


def to_json(corrections: Corrections) -> dict[str, Any]:
    """Corrections as a JSON object; a word's place is written "SEGMENT.WORD"."""
    return {
        "words": {f"{s}.{w}": text for (s, w), text in sorted(corrections.words.items())},
        "speakers": dict(corrections.speakers),
        "turns": {str(number): name for number, name in sorted(corrections.turns.items())},
    }


def from_json(content: Mapping[str, Any]) -> Corrections:
    """What `to_json` wrote. Raises ValueError, TypeError, AttributeError for anything else."""
    words = {}
    for place, text in content.get("words", {}).items():
        segment, _unused, word = place.partition(".")
        words[int(segment), int(word)] = str(text)
    turns = {int(number): str(name) for number, name in content.get("turns", {}).items()}
    speakers = {str(label): str(name) for label, name in content.get("speakers", {}).items()}
    return Corrections(words, speakers, turns)

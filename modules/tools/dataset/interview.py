"""Recordings of several speakers in a dataset: one of them is taken, or each as a speaker.

On disk: `<dataset>/speakers.json`, the voices by name, so that a speaker has one name in all
recordings of the dataset, also when it is built in several runs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.core_components import atomic
from modules.core_components.dataset.cutting import Piece
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.speaker_turns import word_speakers
from modules.core_components.texts import _, mark
from modules.core_components.values import FloatArray, Speech, Turn, Word
from modules.tools.listening.speaker_voices import same_voices
from modules.tools.listening.speakers import diarize, parse_speakers, require_models
from modules.tools.listening.transcripts import named_voices
from modules.tools.services import Services

logger = logging.getLogger(__name__)

# Which speakers of a recording become clips: who speaks most in the first one, or everybody; any
# other word is the name that somebody gave to a voice in a transcript.
MAIN, EACH = "main", "each"
TWO_VOICES, OTHER_SPEAKER = mark("two voices"), mark("another speaker")
# Somebody else may be heard in a clip for so long: an edge of a turn, not a word.
_UNHEARD_S = 0.1
_FILE = "speakers.json"


@dataclass(frozen=True)
class Speakers:
    """The speakers of one recording: its turns by their names in the dataset.

    `taken` are those whose speech becomes clips, with what the clips call them ("" is the
    dataset's speaker).
    """

    turns: tuple[Turn, ...]
    taken: Mapping[str, str]

    def of_words(self, words: Sequence[Word]) -> list[str | None]:
        """Who says each word."""
        return word_speakers(words, self.turns)

    def of_piece(self, piece: Piece) -> tuple[str, str]:
        """What a clip of this piece calls its speaker, and why there is to be no clip, or ""."""
        names = set(self.of_words(piece.words))
        others_s = {name: self._seconds(name, piece) for name in {t.speaker for t in self.turns}}
        if len(names) != 1 or sum(s for n, s in others_s.items() if n not in names) > _UNHEARD_S:
            return "", TWO_VOICES
        (name,) = names
        if name is None or name not in self.taken:
            return "", OTHER_SPEAKER
        return self.taken[name], ""

    def _seconds(self, name: str, piece: Piece) -> float:
        return sum(
            max(0.0, min(turn.end_s, piece.end_s) - max(turn.start_s, piece.start_s))
            for turn in self.turns
            if turn.speaker == name
        )


class Interviews:
    """Tells apart the speakers of a dataset's recordings. Raises BadInputError, ModelMissingError.

    `speakers` is as `parse_speakers` reads it; `take` is MAIN, EACH, or a speaker's name.
    """

    def __init__(self, services: Services, folder: Path, speakers: str, take: str) -> None:
        count = parse_speakers(speakers)
        if count is None:
            raise BadInputError(
                _("Speakers are taken only where they are told apart."),
                _("Give the number of speakers, or auto."),
                "speakers",
            )
        require_models(services)
        self._services, self._count = services, count
        self._take = take or MAIN
        self._path = folder / _FILE
        self._known = _read_voices(self._path)
        self._named = tuple(named_voices(services))
        if self._take not in (MAIN, EACH, *self._known, *(name for name, _unused in self._named)):
            raise BadInputError(
                _("No speaker is called {take!r}.", take=take),
                _(
                    "Give {main}, {each}, or the name of a speaker in one of the transcripts.",
                    main=MAIN,
                    each=EACH,
                ),
                "take",
            )

    def described(self) -> dict[str, str]:
        """What the clips depend on."""
        bounds = f"{self._count.least}-{self._count.most}"
        return {"speakers": bounds, "take": self._take}

    def listen(self, speech: Speech, progress: Progress, cancel: CancelToken) -> Speakers:
        """The speakers of a recording, by the names they have in the dataset."""
        found = diarize(self._services, speech, self._count, progress, cancel)
        seconds: dict[str, float] = {}
        for turn in found.turns:
            seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + turn.end_s - turn.start_s
        names = self._names(found.voices, seconds)
        turns = tuple(Turn(t.start_s, t.end_s, names[t.speaker]) for t in found.turns)
        present = dict.fromkeys(turn.speaker for turn in turns)
        if self._take == EACH:
            return Speakers(turns, {name: name for name in present})
        wanted = next(iter(self._known), "") if self._take == MAIN else self._take
        return Speakers(turns, {wanted: ""})

    def _names(
        self, voices: Mapping[str, FloatArray], seconds: Mapping[str, float]
    ) -> dict[str, str]:
        """The name of each voice: the dataset's own, one from a transcript, or a new number.

        Who speaks most comes first: in the first recording that is the main speaker.
        """
        names = same_voices(voices, self._known.items())
        rest = {label: voice for label, voice in voices.items() if label not in names}
        others = [(name, voice) for name, voice in self._named if name not in self._known]
        names |= same_voices(rest, others)
        for label in sorted(voices, key=lambda one: -seconds.get(one, 0.0)):
            name = names.setdefault(label, self._new_name(names))
            self._known.setdefault(name, voices[label])
        rounded = {name: [round(float(x), 5) for x in v] for name, v in self._known.items()}
        atomic.write_json(self._path, {"voices": rounded})
        return names

    def _new_name(self, taken: Mapping[str, str]) -> str:
        used = {*self._known, *taken.values()}
        return next(name for n in range(1, 10_000) if (name := f"Speaker {n}") not in used)


def _read_voices(path: Path) -> dict[str, FloatArray]:
    try:
        voices = json.loads(path.read_text(encoding="utf-8"))["voices"]
        return {str(name): np.asarray(voice, np.float32) for name, voice in voices.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s could not be read (%s); speakers are counted anew", path, error)
        return {}

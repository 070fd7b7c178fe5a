"""A script in parts that several speakers speak in one go; each part is a script itself."""

from __future__ import annotations

from collections.abc import Iterable

from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import Pause, parse_markup
from modules.core_components.text.passages import split_passages
from modules.core_components.text.script import ScriptLine, labelled, with_style


def split_script(lines: Iterable[ScriptLine], language: str, longest: int) -> tuple[str, ...]:
    """The script in parts of at most `longest` characters of speech, cut between lines; a line
    longer than that is cut between its sentences, and its speaker goes on in the next part.

    A pause ends its part, since nobody can keep silent for just so long in one go: it stands there
    as markup (see `edge_pauses`). Raises BadInputError for markup that cannot be read, and for a
    change of speed.
    """
    parts = _Parts(longest)
    for line in lines:
        style = line.style
        for piece in parse_markup(line.text):
            if isinstance(piece, Pause):
                parts.pause(piece.seconds)
                continue
            if piece.speed != 1.0:
                raise BadInputError(
                    f"Line {line.number}, {line.speaker}: a script that is spoken in one go has "
                    "one speed.",
                    "Leave the [speed:…] out, or have it spoken line by line.",
                    "script",
                )
            for words in split_passages(piece.text, language, longest):
                parts.say(labelled(line.speaker, with_style(words, style)), len(words))
                style = ""
    return parts.finish()


class _Parts:
    """Collects the lines of parts, of which the last can still grow unless it ended in a pause."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts: list[list[str]] = [[]]
        self._characters = 0
        self._has_ended = False

    def say(self, line: str, characters: int) -> None:
        is_full = self._characters and self._characters + characters > self._longest
        if self._has_ended or is_full:
            self._parts.append([])
            self._characters = 0
        self._parts[-1].append(line)
        self._characters += characters
        self._has_ended = False

    def pause(self, seconds: float) -> None:
        self._parts[-1].append(f"[pause:{round(seconds, 3):g}s]")
        self._has_ended = self._characters > 0  # a pause before all words is part of the first

    def finish(self) -> tuple[str, ...]:
        return tuple("\n".join(lines) for lines in self._parts)

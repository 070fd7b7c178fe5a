"""Parses a script for several speakers: who says what, and how.

    Anna: Good morning.                    a speaker and what they say
    [2] (softly): Good morning, Anna.      numbers and names, in brackets or without
    Anna: (laughs) You are late.           how a line is spoken, before its words
      I have waited                        an indented line, or one without a speaker, continues
    (They sit down.)                       a line in parentheses is not spoken
    [pause:1.5s]                           silence, see `markup`

After an empty line the speaker goes on in a new line. Words before the first speaker belong to
the narrator.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import Pause, parse_markup, without_markup
from modules.core_components.text.sentences import split_passages
from modules.core_components.texts import _, mark

# Who speaks words before the first name; earlier versions called them "1".
NO_NAME, FORMER_NO_NAME = mark("Narrator"), "1"
MOST_LINES = 5_000

# A name is short, and a colon that belongs to a time or an address has no space behind it.
_LABEL = re.compile(
    r"(?:\[(?P<bracketed>[^\[\]:/]{1,40})\]|(?P<plain>\w[\w.'’-]*(?: [\w.'’-]+){0,2}))"
    r" ?(?:\((?P<style>[^()/][^()]*)\))? ?(?::(?= |$)|：) ?(?P<text>.*)"
)
_LONGEST_NAME = 40
_STYLE = re.compile(r"\((?P<style>[^()/][^()]*)\)\s*(?P<text>.*)", re.DOTALL)
# How other programs write a pause.
_BREAK = re.compile(r"\[(?:break|pause)=([\d.]+)s?\]", re.IGNORECASE)


@dataclass(frozen=True)
class ScriptLine:
    """What one speaker says at once.

    `text` may hold markup; `style` is what stood in parentheses before it, or "". `number` is the
    line of the script where it begins, from 1.
    """

    speaker: str
    text: str
    style: str = ""
    number: int = 0


def parse_script(script: str) -> tuple[ScriptLine, ...]:
    """The spoken lines in order. The case of a speaker's name is that of their first line.

    Raises BadInputError for a script without words and for one of more than `MOST_LINES` lines.
    """
    reader = _Reader()
    for number, line in enumerate(script.splitlines(), start=1):
        reader.read(_BREAK.sub(r"[pause:\1s]", line), number)
    lines = reader.finish()
    if not lines:
        raise BadInputError(
            _("There is nothing to speak in this script."),
            _("Write lines like “Anna: Good morning.”"),
            "script",
        )
    if len(lines) > MOST_LINES:
        raise BadInputError(
            _(
                "The script has {count:,} lines; the limit is {most_lines:,}.",
                count=len(lines),
                most_lines=MOST_LINES,
            ),
            _("Make several conversations of it."),
            "script",
        )
    return lines


def speakers_of(lines: Iterable[ScriptLine]) -> tuple[str, ...]:
    """Who speaks, in the order of the first words."""
    return tuple(dict.fromkeys(line.speaker for line in lines))


def split_style(text: str) -> tuple[str, str]:
    """(style, words) of a text that may begin with a style in parentheses."""
    found = _STYLE.match(text.strip())
    return (found["style"].strip(), found["text"].strip()) if found else ("", text.strip())


def with_style(text: str, style: str) -> str:
    """The line as its author writes it; `split_style` undoes it."""
    return f"({style}) {text}" if style else text


def labelled(speaker: str, text: str) -> str:
    """A line of a script in which that speaker says the text."""
    plain = f"{speaker}: {text}"
    found = _label(plain)
    return plain if found is not None and found["plain"] == speaker else f"[{speaker}]: {text}"


def edge_pauses(text: str) -> tuple[float, float]:
    """Seconds of silence that the markup asks for before the first and after the last word."""
    parts = parse_markup(text)
    words = [index for index, part in enumerate(parts) if not isinstance(part, Pause)]
    if not words:
        return (sum(part.seconds for part in parts if isinstance(part, Pause)), 0.0)
    before, after = parts[: words[0]], parts[words[-1] + 1 :]
    return _seconds(before), _seconds(after)


def _seconds(parts: Iterable[object]) -> float:
    return float(sum(part.seconds for part in parts if isinstance(part, Pause)))


class _Reader:
    """Collects lines; what is read last can still grow."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._lines: list[ScriptLine] = []
        self._speaker = NO_NAME
        self._is_open = False
        self._pause_before = ""

    def read(self, line: str, number: int) -> None:
        text = line.strip()
        if not text:
            self._is_open = False
        elif (label := _label(line)) is not None:
            self._begin(label, number)
        elif _is_direction(text):
            return
        elif not _has_words(text):
            self._add_pause(text)
        elif self._is_open:
            self._lines[-1] = _longer(self._lines[-1], text)
        else:
            self._add(*split_style(text), number)

    def finish(self) -> tuple[ScriptLine, ...]:
        spoken: list[ScriptLine] = []
        for line in self._lines:
            if _has_words(line.text):
                spoken.append(line)
            elif spoken and line.text:
                spoken[-1] = _longer(spoken[-1], line.text)
        return tuple(spoken)

    def _begin(self, label: re.Match[str], number: int) -> None:
        name = (label["bracketed"] or label["plain"]).strip()
        self._speaker = self._names.setdefault(_same(name), name)
        style, text = (label["style"] or "").strip(), label["text"].strip()
        if not style:
            style, text = split_style(text)
        self._add(style, text, number)

    def _add(self, style: str, text: str, number: int) -> None:
        pause, self._pause_before = self._pause_before, ""
        self._lines.append(ScriptLine(self._speaker, f"{pause}{text}", style, number))
        self._is_open = True

    def _add_pause(self, text: str) -> None:
        """A pause that stands alone follows what was said before it."""
        if self._lines:
            self._lines[-1] = _longer(self._lines[-1], text)
        else:
            self._pause_before = f"{self._pause_before}{text} "


def _label(line: str) -> re.Match[str] | None:
    """Who speaks from here on. Indented lines and several small words are no name."""
    if line[:1].isspace() or line.startswith("\\"):
        return None
    found = _LABEL.fullmatch(" ".join(line.split()))
    if found is None or not _has_words(found["bracketed"] or found["plain"]):
        return None
    plain = found["plain"] or ""
    if len(plain) > _LONGEST_NAME or (" " in plain and plain[0].islower()):
        return None
    return found


def _is_direction(text: str) -> bool:
    found = _STYLE.fullmatch(text)
    return found is not None and not found["text"]


def _longer(line: ScriptLine, text: str) -> ScriptLine:
    return replace(line, text=f"{line.text} {text.removeprefix(chr(92))}".strip())


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in without_markup(text))


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def split_script(lines: Iterable[ScriptLine], language: str, longest: int) -> tuple[str, ...]:
    """The script in parts of at most `longest` characters of speech, cut between lines; a line
    longer than that is cut between its sentences, and its speaker goes on in the next part.

    A pause ends its part, since a model cannot keep silent for an exact time: it is recorded there
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
                    _(
                        "Line {number}, {speaker}: a script that is spoken in one go has one "
                        "speed.",
                        number=line.number,
                        speaker=line.speaker,
                    ),
                    _("Leave the [speed:…] out, or have it spoken line by line."),
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

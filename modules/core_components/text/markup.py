"""Markup in a text: `[pause:1.5s]`, `[speed:1.2]`, `[word](/phonemes/)`.

A pause lasts seconds ("1.5s", "2") or milliseconds ("500ms"). A speed holds up to the next one or
to the end and multiplies that of the request; `[speed:1]` ends it. What begins like such a tag and
has no closing bracket on its line is ordinary text; a tag whose value cannot be read is an error,
since it would otherwise be read out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import regex

from modules.core_components.errors import BadInputError
from modules.core_components.text.reading.formatting import without_formatting
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.texts import _

LONGEST_PAUSE_S = 60.0
LONGEST_PAUSES_S = 600.0  # of one text together
SLOWEST, FASTEST = 0.25, 4.0

# Neither part of a link reaches over a line's end, so that no search runs far.
LINK = r"\[(?P<word>[^\[\]\n]+)\]\(/(?P<phonemes>[^/\n]*)/\)"
_LINK = re.compile(LINK)
_TAG = re.compile(
    r"\[(pause|speed):([^\[\]\n]*)\]|<break\b(?P<attributes>[^<>\n]*)>(?:</break>)?", re.IGNORECASE
)
# SSML's pauses: by their time, or by their strength (seconds; SSML leaves them to the engine).
_BREAK_TIME = re.compile(r"time\s*=\s*[\"']?([^\"'\s/>]*)", re.IGNORECASE)
_BREAK_STRENGTH = re.compile(r"strength\s*=\s*[\"']?([a-z-]+)", re.IGNORECASE)
_STRENGTHS_S = {
    "none": 0.0,
    "x-weak": 0.1,
    "weak": 0.25,
    "medium": 0.5,
    "strong": 0.8,
    "x-strong": 1.2,
}
_PAUSE = re.compile(r"(\d{1,6}(?:\.\d{0,6})?)\s*(s|ms)?", re.IGNORECASE)
_SPEED = re.compile(r"\d{1,3}(?:\.\d{0,6})?")
_MAY_SOUND = regex.compile(r"[\p{L}\p{N}\p{S}&%#@]")


@dataclass(frozen=True)
class SpokenPart:
    """Text without tags, spoken `speed` times as fast as the request says."""

    text: str
    speed: float = 1.0


@dataclass(frozen=True)
class Pause:
    """Silence of that many seconds."""

    seconds: float


def parse_markup(text: str) -> tuple[SpokenPart | Pause, ...]:
    """The text's parts in order; one, the text itself, where it has no tags.

    Links stay in the parts: engines that know phonemes read them. Raises BadInputError for a pause
    or speed that is no number or outside its bounds.
    """
    if not has_markup(text):
        return (SpokenPart(text),)
    parts: list[SpokenPart | Pause] = []
    position, speed = 0, 1.0
    for tag in _TAG.finditer(text):
        _add(parts, text[position : tag.start()], speed)
        if tag[1] is None:
            parts.append(Pause(_break_seconds(tag)))
        elif tag[1].lower() == "pause":
            parts.append(Pause(_seconds(tag[0], tag[2])))
        else:
            speed = _speed(tag)
        position = tag.end()
    _add(parts, text[position:], speed)
    total_s = sum(part.seconds for part in parts if isinstance(part, Pause))
    if total_s > LONGEST_PAUSES_S:
        raise BadInputError(
            _("The pauses in this text last {total_s:,.0f} seconds together.", total_s=total_s),
            _("At most {longest_pauses_s:.0f} are possible.", longest_pauses_s=LONGEST_PAUSES_S),
            "text",
        )
    return tuple(parts)


def has_markup(text: str) -> bool:
    """Whether a pause or a speed stands in the text."""
    return _TAG.search(text) is not None


def without_markup(text: str) -> str:
    """The words alone, as they are spoken."""
    return _LINK.sub(lambda link: link["word"], _TAG.sub(" ", text))


def plain_words(text: str) -> str:
    """As `without_markup`, with one space between the words."""
    return " ".join(without_markup(text).split())


def tag_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the pauses and speeds stand."""
    yield from (tag.span() for tag in _TAG.finditer(text))


def link_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the links stand, which no cut may part."""
    if "](/" in text:
        yield from (link.span() for link in _LINK.finditer(text))


def _add(parts: list[SpokenPart | Pause], text: str, speed: float) -> None:
    """Adds the text; marks alone belong to what was said before them, whatever the speed."""
    last = parts[-1] if parts else None
    # "<speak>" alone is no word.
    plain = without_formatting(OffsetText.of(text)).text if "<" in text else text
    sounds = _MAY_SOUND.search(plain) is not None
    if isinstance(last, SpokenPart) and (last.speed == speed or not sounds):
        parts[-1] = SpokenPart(last.text + text, last.speed)
    elif sounds:
        parts.append(SpokenPart(text, speed))


def _break_seconds(tag: re.Match[str]) -> float:
    """The seconds of `<break time="1s"/>`, of a strength, or of a break without either."""
    if time := _BREAK_TIME.search(tag["attributes"]):
        return _seconds(tag[0], time[1])
    strength = _BREAK_STRENGTH.search(tag["attributes"])
    return _STRENGTHS_S.get(strength[1].lower() if strength else "", _STRENGTHS_S["medium"])


def _seconds(tag: str, given: str) -> float:
    value = _PAUSE.fullmatch(given.strip())
    if value is None:
        raise BadInputError(
            _("{tag} names no time.", tag=tag),
            _("Write a pause like [pause:1.5s] or [pause:500ms]."),
            "text",
        )
    seconds = float(value[1]) / (1000 if (value[2] or "").lower() == "ms" else 1)
    if seconds > LONGEST_PAUSE_S:
        raise BadInputError(
            _("{tag} is too long.", tag=tag),
            _(
                "A pause lasts at most {longest_pause_s:.0f} seconds.",
                longest_pause_s=LONGEST_PAUSE_S,
            ),
            "text",
        )
    return seconds


def _speed(tag: re.Match[str]) -> float:
    value = tag[2].strip()
    speed = float(value) if _SPEED.fullmatch(value) else 0.0
    if not SLOWEST <= speed <= FASTEST:
        raise BadInputError(
            _("{tag} is no possible speed.", tag=tag[0]),
            _(
                "Write a number from {slowest} to {fastest}, like [speed:1.2].",
                slowest=SLOWEST,
                fastest=FASTEST,
            ),
            "text",
        )
    return speed


# Pronunciations as text, one a line: `Nguyen = /nwˈɪn/`, or words that sound right.

LONGEST_WORD, LONGEST_SOUND = 100, 300
MOST_ENTRIES = 5000
_NOT_IN_WORDS = "=[]\n"


def parse_pronunciations(text: str) -> dict[str, str]:
    """The entries of the text. Raises BadInputError that names the line which is none."""
    entries = {}
    for line in filter(str.strip, text.splitlines()):
        word, sign, sound = (part.strip() for part in line.partition("="))
        if not sign:
            raise BadInputError(
                _("“{line}” says nothing about a pronunciation.", line=line[:60]),
                _("Write a line like: Nguyen = /nwˈɪn/"),
                "pronunciations",
            )
        check_entry(word, sound)
        entries[word] = sound
    if len(entries) > MOST_ENTRIES:
        raise BadInputError(
            _("{count:,} pronunciations are too many.", count=len(entries)),
            _("At most {most_entries:,} are possible.", most_entries=MOST_ENTRIES),
            "pronunciations",
        )
    return entries


def format_pronunciations(entries: Mapping[str, str]) -> str:
    """The entries as text, always in the same order."""
    return "\n".join(f"{word} = {sound}" for word, sound in sorted(entries.items()))


def is_phonemes(sound: str) -> bool:
    """Whether a pronunciation is phonemes between slashes, and not other words."""
    return len(sound) > 1 and sound[0] == sound[-1] == "/"


def used_in(text: str, entries: Mapping[str, str]) -> dict[str, str]:
    """The entries whose words stand in the text, in whatever case, alone or within others."""
    folded = text.casefold()
    return {word: sound for word, sound in entries.items() if word.casefold() in folded}


def check_entry(word: str, sound: str) -> None:
    """Raises BadInputError for a word or a pronunciation that cannot be kept."""
    if not any(map(str.isalnum, word)) or any(letter in word for letter in _NOT_IN_WORDS):
        raise BadInputError(
            _("“{word}” is no word to be pronounced.", word=word[:60]),
            _("Give one or more words with letters or digits, without = and square brackets."),
            "pronunciations",
        )
    if not any(map(str.isalpha, sound)) or "\n" in sound:
        raise BadInputError(
            _("“{sound}” does not say how to pronounce {word}.", sound=sound[:60], word=word[:60]),
            _("Give phonemes between slashes (/nwˈɪn/), or words that sound right (win)."),
            "pronunciations",
        )
    if len(word) > LONGEST_WORD or len(sound) > LONGEST_SOUND:
        raise BadInputError(
            _("The pronunciation of “{word}” is too long.", word=word[:60]),
            _(
                "A word has at most {longest_word} characters, its pronunciation {longest_sound}.",
                longest_word=LONGEST_WORD,
                longest_sound=LONGEST_SOUND,
            ),
            "pronunciations",
        )

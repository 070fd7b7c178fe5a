"""Words and how to say them, as one piece of text: a line each, `Nguyen = /nwˈɪn/`.

What stands right of the sign is phonemes between slashes, or other words that sound right.
"""

from __future__ import annotations

from collections.abc import Mapping

from modules.core_components.errors import BadInputError

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
                f"“{line[:60]}” says nothing about a pronunciation.",
                "Write a line like: Nguyen = /nwˈɪn/",
                "pronunciations",
            )
        check_entry(word, sound)
        entries[word] = sound
    if len(entries) > MOST_ENTRIES:
        raise BadInputError(
            f"{len(entries):,} pronunciations are too many.",
            f"At most {MOST_ENTRIES:,} are possible.",
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
            f"“{word[:60]}” is no word to be pronounced.",
            "Give one or more words with letters or digits, without = and square brackets.",
            "pronunciations",
        )
    if not any(map(str.isalpha, sound)) or "\n" in sound:
        raise BadInputError(
            f"“{sound[:60]}” does not say how to pronounce {word[:60]}.",
            "Give phonemes between slashes (/nwˈɪn/), or words that sound right (win).",
            "pronunciations",
        )
    if len(word) > LONGEST_WORD or len(sound) > LONGEST_SOUND:
        raise BadInputError(
            f"The pronunciation of “{word[:60]}” is too long.",
            f"A word has at most {LONGEST_WORD} characters, its pronunciation {LONGEST_SOUND}.",
            "pronunciations",
        )

"""Text that is cleaned up step by step and keeps the offsets of its characters in the original."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OffsetText:
    """`text`, whose character i was made of `original[starts[i]:ends[i]]`.

    Both are in ascending order; characters that were made together have the same offsets.
    """

    original: str
    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str) -> OffsetText:
        """A text before any change."""
        return cls(text, text, range(len(text)), range(1, len(text) + 1))

    def as_written(self, start: int, end: int) -> str:
        """`original[start:end]` without what the changes took out.

        A space that stands for more ("](address)\n") is a space; other replacements show what
        they replaced.
        """
        first, last = bisect_left(self.starts, start), bisect_left(self.starts, end)
        characters = zip(
            self.text[first:last], self.starts[first:last], self.ends[first:last], strict=True
        )
        places = dict.fromkeys(
            (a, b, character if character.isspace() else "") for character, a, b in characters
        )
        return "".join(space or self.original[a:b] for a, b, space in places)

    def replaced(self, pattern: Any, replacement: str | Callable[[Any], str]) -> OffsetText:
        """With the matches of `pattern` (of `re` or `regex`) replaced, by a plain string or what
        a function makes of the match."""
        return self.with_changes(
            (match.start(), match.end(), new)
            for match in pattern.finditer(self.text)
            if (new := replacement if isinstance(replacement, str) else replacement(match))
            != match[0]
        )

    def with_changes(self, changes: Iterable[tuple[int, int, str]]) -> OffsetText:
        """With `text[start:end]` (not empty) replaced for each (start, end, new), in order."""
        texts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        position = 0
        for start, end, new in changes:
            texts += (self.text[position:start], new)
            starts.extend(self.starts[position:start])
            ends.extend(self.ends[position:start])
            starts.extend([self.starts[start]] * len(new))
            ends.extend([self.ends[end - 1]] * len(new))
            position = end
        if not texts:
            return self
        starts.extend(self.starts[position:])
        ends.extend(self.ends[position:])
        return OffsetText(self.original, "".join((*texts, self.text[position:])), starts, ends)

    def translated(self, table: Mapping[int, str | int]) -> OffsetText:
        """With single characters replaced by single others."""
        return OffsetText(self.original, self.text.translate(table), self.starts, self.ends)

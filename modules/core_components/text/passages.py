"""Long texts in passages: pieces that are spoken, and kept, one after the other."""

from __future__ import annotations

from modules.core_components.text.sentences import split_sentences


def split_passages(text: str, language: str, longest: int) -> list[str]:
    """Whole sentences packed into passages of at most `longest` characters.

    A paragraph always begins a new passage if the last one is at least half full. A sentence
    longer than `longest` becomes a passage of its own: an engine cuts it where it must.
    """
    passages: list[str] = []
    for paragraph in (part.strip() for part in text.splitlines()):
        if not paragraph:
            continue
        fresh = True
        for sentence in split_sentences(paragraph, language):
            last = passages[-1] if passages else ""
            full = len(last) + len(sentence) + 1 > longest
            if not last or full or (fresh and len(last) >= longest / 2):
                passages.append(sentence)
            else:
                passages[-1] = f"{last}{_joint(fresh, last, language)}{sentence}"
            fresh = False
    return passages


def _joint(new_paragraph: bool, last: str, language: str) -> str:
    if new_paragraph:
        return "\n"
    return "" if language[:2] in ("zh", "ja", "th") else " "

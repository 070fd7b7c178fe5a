"""Recordings of a dataset that are in another language than their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modules.core_components.dataset.report import BAD, Finding
from modules.core_components.dataset.values import Dataset
from modules.core_components.text.detected_language import DetectedLanguage
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _

# In the `made_with` of a source that sounds like another language than that of its text: the
# language (ISO 639-1) and its probability.
OTHER_LANGUAGE = "other_language"
_MOST_NAMES = 3


@dataclass(frozen=True)
class LanguageDoubt:
    """A recording that surely is in another language than the one it was transcribed in."""

    recording: str
    language: str
    probability: float

    def message(self, chosen: str) -> str:
        """A sentence that says so."""
        return DetectedLanguage(self.language, self.probability).warning(self.recording, chosen)


def language_doubts(dataset: Dataset) -> tuple[LanguageDoubt, ...]:
    """The doubtful recordings of which there still are clips."""
    return tuple(
        LanguageDoubt(source.name, str(found[0]), float(found[1]))
        for source in dataset.sources
        if (found := source.made_with.get(OTHER_LANGUAGE))
        and any(not clip.dropped for clip in source.clips)
    )


def summarize_doubts(doubts: Sequence[LanguageDoubt], chosen: str) -> str:
    """How many recordings sound like which other language, in a sentence; one is named."""
    if len(doubts) == 1:
        return doubts[0].message(chosen)
    counts = Counter(doubt.language for doubt in doubts).most_common()
    languages = ", ".join(f"{language_name(code)} ({count})" for code, count in counts)
    if len(counts) == 1:
        languages = language_name(counts[0][0])
    names = ", ".join(doubt.recording for doubt in doubts[:_MOST_NAMES])
    if len(doubts) > _MOST_NAMES:
        names = _("{names} and {more} more", names=names, more=len(doubts) - _MOST_NAMES)
    return _(
        "{count} recordings sound like {languages} but were transcribed as "
        "{language_name}: {names}. Their texts may be translated or "
        "invented.",
        count=len(doubts),
        languages=languages,
        language_name=language_name(chosen),
        names=names,
    )


def language_remedy(doubts: Sequence[LanguageDoubt], chosen: str) -> str:
    """What to do about recordings in another language."""
    names = _(" or ").join(dict.fromkeys(language_name(doubt.language) for doubt in doubts))
    return _(
        "Play a clip. If it is {names}, add the recording to a dataset of that "
        "language and exclude its clips here. If it is {language_name}, all is "
        "well.",
        names=names,
        language_name=language_name(chosen),
    )


def language_findings(dataset: Dataset) -> Iterator[Finding]:
    """One finding of the dataset for all doubtful recordings."""
    doubts = language_doubts(dataset)
    if doubts:
        message = summarize_doubts(doubts, dataset.language)
        remedy = language_remedy(doubts, dataset.language)
        yield Finding("", "language", BAD, message, remedy, 19)

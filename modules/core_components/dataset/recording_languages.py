"""Recordings of a dataset that are in another language than their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from modules.core_components.dataset.report import BAD, Finding
from modules.core_components.dataset.values import Dataset
from modules.core_components.text.detected_language import DetectedLanguage
from modules.core_components.text.languages import base_language, language_name
from modules.core_components.texts import _, ngettext

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
    """The doubtful recordings of which there still are clips; the language of the dataset may have
    been changed since they were looked at."""
    return tuple(
        LanguageDoubt(source.name, str(found[0]), float(found[1]))
        for source in dataset.sources
        if (found := source.made_with.get(OTHER_LANGUAGE))
        and found[0] != dataset.language
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


def transcribed_otherwise(dataset: Dataset) -> Mapping[str, int]:
    """By language: how many recordings were transcribed in it, and not in that of the dataset, as
    it was changed afterwards. Those of which every text was corrected or excluded are well."""
    languages = (
        source.made_with.get("options", {}).get("language", "")
        for source in dataset.sources
        if source.made_with.get("text") == "heard"
        and any(not clip.dropped and not clip.edited for clip in source.clips)
    )
    codes = (base_language(str(code)) for code in languages)
    return Counter(code for code in codes if code not in ("", "auto", dataset.language))


def language_findings(dataset: Dataset) -> Iterator[Finding]:
    """What is wrong with the language of recordings: findings of the dataset."""
    for code, count in transcribed_otherwise(dataset).items():
        message = ngettext(
            "{count} recording was transcribed in {language}: its text may be wrong.",
            "{count} recordings were transcribed in {language}: their texts may be wrong.",
            count,
            language=language_name(code),
        )
        hint = _(
            "If the recordings are in {language_name}, transcribe their clips again or add them "
            "anew: app.py dataset add {name} … --again.",
            language_name=language_name(dataset.language),
            name=repr(dataset.name),
        )
        yield Finding("", "language", BAD, message, hint, 19)
    doubts = language_doubts(dataset)
    if doubts:
        message = summarize_doubts(doubts, dataset.language)
        remedy = language_remedy(doubts, dataset.language)
        yield Finding("", "language", BAD, message, remedy, 19)

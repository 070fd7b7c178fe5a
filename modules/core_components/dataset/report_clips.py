"""Problems of single clips, in sound and text, and what to do about them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from modules.core_components.audio.measure import (
    AUDIBLE_CLIPPING,
    bandwidth_hz,
    clipping_fraction,
    loudness_lufs,
    signal_to_noise_db,
)
from modules.core_components.dataset.repetition import repetition_findings
from modules.core_components.dataset.report import (
    BAD,
    NOTE,
    UNUSABLE,
    WARN,
    ClipFacts,
    ClipMeasures,
    Finding,
    Usual,
)
from modules.core_components.dataset.values import LONGEST_SAMPLES, SAMPLE_RATE_HZ, SHORTEST_S, Clip
from modules.core_components.text.languages import language_name
from modules.core_components.text.word_errors import normalize_words, word_error_rate
from modules.core_components.texts import _, mark
from modules.core_components.values import Speech

# Counts in the keys of kept measures: raise it when a figure is computed otherwise.
VERSION = 1
# Clipped tops ripple a little once they were resampled to the clip's rate.
_FULL_SCALE_RESAMPLED = 0.98
_CLEAR_DB, _CLEAR_CLIPPING = 20.0, 0.001


@dataclass(frozen=True)
class SoundMeasures:
    """See ClipMeasures for the units."""

    duration_s: float
    loudness_lufs: float | None
    signal_to_noise_db: float | None
    clipping: float
    bandwidth_hz: float


def measure_sound(speech: Speech, gain_db: float = 0.0) -> SoundMeasures:
    """The figures of a clip; `gain_db` was applied when it was cut.

    Clipping is looked for at the level of the recording: a clip that was made quieter afterwards
    is as distorted as before.
    """
    recorded = Speech(speech.samples / 10 ** (gain_db / 20), speech.sample_rate_hz)
    return SoundMeasures(
        duration_s=speech.duration_s,
        loudness_lufs=loudness_lufs(speech),
        signal_to_noise_db=signal_to_noise_db(speech),
        clipping=clipping_fraction(recorded, _FULL_SCALE_RESAMPLED),
        bandwidth_hz=bandwidth_hz(speech),
    )


def is_clear(sound: SoundMeasures) -> bool:
    """Whether there is sound, without much noise or distortion."""
    noise = sound.signal_to_noise_db
    audible = sound.loudness_lufs is not None and noise is not None
    return audible and (noise or 0.0) >= _CLEAR_DB and sound.clipping <= _CLEAR_CLIPPING


# Letters beyond a to z, for the languages of XTTS that are written in Latin script.
_LATIN_EXTRAS = {
    "en": "",
    "es": "áéíóúüñ",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "de": "äöüß",
    "it": "àèéìíîòóùú",
    "pt": "áâãàçéêíóôõúü",
    "pl": "ąćęłńóśźż",
    "tr": "çğıiöşüâîû",
    "nl": "áéíóúàèëïöüĳ",
    "cs": "áčďéěíňóřšťúůýž",
    "hu": "áéíóöőúüű",
}
# Beginnings of Unicode's character names.
_SCRIPTS = {
    "ru": ("CYRILLIC",),
    "ar": ("ARABIC",),
    "hi": ("DEVANAGARI",),
    "zh": ("CJK",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
    "ko": ("HANGUL",),
}
_PLAIN = frozenset(" .,!?;:'\"()-–—…’‘“”„«»‹›¿¡%&$€£°@#+/") | frozenset(
    "،؛؟۔।॥。，、！？；：「」『』（）《》〈〉・ー～"
)
# What separates and breaks the rows of the metadata.
_BREAKS_ROWS = re.compile(r"[|\r\n\u0085\u2028\u2029]")


class TextFault(Protocol):
    """Asks the engine's real tokenizer about a text."""

    def __call__(self, text: str, language: str) -> str:
        """Why the trainer would drop a row with this text; "" if it would not."""
        ...


def odd_characters(text: str, language: str) -> tuple[str, ...]:
    """The characters that a text of this language (ISO 639-1) should not have, each once.

    Digits and common punctuation are fine everywhere; a language that is not known here gets
    every letter passed.
    """
    language = language.lower().split("-")[0]
    odd = (c for c in unicodedata.normalize("NFC", text) if not _belongs(c, language))
    return tuple(dict.fromkeys(odd))


def _belongs(character: str, language: str) -> bool:
    if character in _PLAIN or character.isdigit():
        return True
    if unicodedata.category(character)[0] not in "LM":
        return False
    if language in _LATIN_EXTRAS:
        lower = character.lower()
        return "a" <= lower <= "z" or lower in _LATIN_EXTRAS[language] or lower == "i\u0307"
    scripts = _SCRIPTS.get(language)
    return scripts is None or unicodedata.name(character, "").startswith(scripts)


def breaks_rows(text: str) -> bool:
    """Whether the text has a `|` or a line break, which the metadata cannot hold."""
    return bool(_BREAKS_ROWS.search(text))


def faulty_words(text: str, language: str, text_fault: TextFault) -> tuple[str, ...]:
    """The words that are at fault by themselves; none where only the text as a whole is."""
    return tuple(word for word in dict.fromkeys(text.split()) if text_fault(word, language))


def same_texts(clips: Iterable[Clip], language: str) -> Mapping[str, tuple[Clip, ...]]:
    """The clips that say the same words as another, by those words."""
    saying: dict[str, list[Clip]] = {}
    for clip in clips:
        if words := normalize_words(clip.text, language):
            saying.setdefault(" ".join(words), []).append(clip)
    return {words: tuple(same) for words, same in saying.items() if len(same) > 1}


def letters_per_second(clip: Clip, duration_s: float, language: str) -> float | None:
    """How quickly the text must have been spoken, numbers counted as words; None without words.

    Pauses at the clip's ends do not count where its word times are known.
    """
    letters = sum(len(word) for word in normalize_words(clip.text, language))
    spoken_s = clip.words[-1].end_s - clip.words[0].start_s if clip.words else duration_s
    return letters / spoken_s if letters and spoken_s > 0 else None


TELEPHONE_HZ = 4_200

_NOISY_DB, _VERY_NOISY_DB = 15.0, 8.0
_BADLY_CLIPPED = 0.01
_LOUDER_OR_QUIETER_LU = 6.0
_RAISED_DB = 25.0
_RATE_SPREADS, _RATE_FACTOR = 3.5, 1.5
_SURE_OF_LANGUAGE = 0.6
_HEARD_OTHERWISE, _HEARD_AS_ANOTHER = 0.1, 0.3

_LISTEN = mark("Listen to it; drop it if you hear it too.")


def clip_findings(facts: ClipFacts, usual: Usual, language: str) -> Iterator[Finding]:
    """Everything about one clip; `language` is the dataset's."""
    clip = facts.clip
    yield from _text_findings(facts, language)
    yield from repetition_findings(facts, usual)
    if facts.measures is None:
        yield Finding(
            clip.id,
            "missing",
            BAD,
            facts.problem,
            _("Drop the clip, or build the dataset again."),
            UNUSABLE,
        )
        return
    yield from _sound_findings(facts.measures, usual, clip.gain_db)
    yield from _voice_findings(facts, language)
    yield from _rate_findings(facts.measures, usual)
    yield from _heard_findings(facts, language)


def _text_findings(facts: ClipFacts, language: str) -> Iterator[Finding]:
    clip_id, text = facts.clip.id, facts.clip.text
    if not text.strip():
        message, hint = _("It has no text."), _("Transcribe it again, or drop it.")
        yield Finding(clip_id, "text", BAD, message, hint, UNUSABLE)
        return
    if breaks_rows(text):
        yield Finding(
            clip_id,
            "text",
            BAD,
            _("Its text has a | or a line break."),
            _("Take it out of the text."),
            UNUSABLE,
        )
    if facts.text_fault:
        message = _("The trainer would drop it: {text_fault}.", text_fault=facts.text_fault)
        if facts.unknown_words:
            words = ", ".join(facts.unknown_words[:5])
            message = _("{message} Words: {words}.", message=message, words=words)
        hint = _("Write it another way, or drop it.")
        yield Finding(clip_id, "tokenizer", BAD, message, hint, UNUSABLE)
    if odd := odd_characters(text, language):
        message = _(
            "Unusual in {language_name}: {odd}",
            language_name=language_name(language),
            odd=" ".join(odd[:8]),
        )
        hint = _("Write these as they are spoken, or take them out.")
        yield Finding(clip_id, "characters", WARN, message, hint, min(len(odd), 10))


def _sound_findings(found: ClipMeasures, usual: Usual, gain_db: float) -> Iterator[Finding]:
    clip_id = found.clip_id
    samples = round(found.duration_s * SAMPLE_RATE_HZ)
    if samples > LONGEST_SAMPLES or found.duration_s < SHORTEST_S:
        message = _(
            "It is {duration_s:.2f} s long: the engine takes 0.33 to 11.6 s.",
            duration_s=found.duration_s,
        )
        yield Finding(clip_id, "length", BAD, message, _("Trim it, or drop it."), UNUSABLE)
    if found.loudness_lufs is None and found.duration_s > SHORTEST_S:
        message = _("There is hardly any sound in it.")
        yield Finding(clip_id, "silence", BAD, message, _("Drop it."), UNUSABLE)
        return
    if found.clipping > AUDIBLE_CLIPPING:
        severity = BAD if found.clipping > _BADLY_CLIPPED else WARN
        message = _("It is overdriven: {clipping:.1%} of it is clipped.", clipping=found.clipping)
        hint = _("Record it at a lower level, or drop it.")
        yield Finding(clip_id, "clipping", severity, message, hint, min(50 * found.clipping, 10))
    noise = found.signal_to_noise_db
    if noise is not None and noise < _NOISY_DB:
        severity = BAD if noise < _VERY_NOISY_DB else WARN
        weight = min(10 * (1 - noise / _NOISY_DB), 10)
        message = _("It is noisy: the speech is only {noise:.0f} dB above the noise.", noise=noise)
        hint = _("Drop it, or take the noise out of the recording and build again.")
        yield Finding(clip_id, "noise", severity, message, hint, weight)
    if found.bandwidth_hz < TELEPHONE_HZ < 0.75 * usual.bandwidth_hz:
        message = _(
            "It sounds duller than the rest: nothing above {bandwidth_hz:.1f} kHz.",
            bandwidth_hz=found.bandwidth_hz / 1000,
        )
        yield Finding(
            clip_id, "bandwidth", WARN, message, _("Was it a telephone? Then drop it."), 1
        )
    yield from _loudness_findings(found, usual, gain_db)


def _loudness_findings(found: ClipMeasures, usual: Usual, gain_db: float) -> Iterator[Finding]:
    if found.loudness_lufs is not None:
        apart = found.loudness_lufs - usual.loudness_lufs
        if abs(apart) > _LOUDER_OR_QUIETER_LU:
            message = (
                _("It is {apart:.0f} LU louder than the rest.", apart=apart)
                if apart > 0
                else _("It is {apart:.0f} LU quieter than the rest.", apart=-apart)
            )
            hint = _("Is it whispered, shouted, or far away? Then drop it.")
            yield Finding(found.clip_id, "loudness", WARN, message, hint, min(abs(apart) / 3, 10))
    if gain_db > _RAISED_DB:
        message = _("It was recorded very quietly (raised by {gain_db:.0f} dB).", gain_db=gain_db)
        yield Finding(found.clip_id, "loudness", NOTE, message, _(_LISTEN), gain_db / 10)


def _voice_findings(facts: ClipFacts, language: str) -> Iterator[Finding]:
    clip_id = facts.clip.id
    likeness = facts.measures.voice if facts.measures else None
    if facts.group and likeness is not None:
        severity = BAD if facts.stranger else WARN
        message = _(
            "It sounds like another person (likeness {likeness:.2f} to the main voice).",
            likeness=likeness,
        )
        weight = min(10 * (1 - likeness), 10)
        yield Finding(clip_id, "voice", severity, message, _(_LISTEN), weight)
    if facts.language is not None:
        code, sure = facts.language
        if code != language and sure >= _SURE_OF_LANGUAGE:
            message = _(
                "It sounds like {language_name} ({sure:.0%} sure).",
                language_name=language_name(code),
                sure=sure,
            )
            hint = _("Drop it if it is not {language_name}.", language_name=language_name(language))
            yield Finding(clip_id, "language", BAD, message, hint, 10 * sure)


def _rate_findings(found: ClipMeasures, usual: Usual) -> Iterator[Finding]:
    if found.letters_per_s is None:
        return
    factor = found.letters_per_s / usual.letters_per_s
    spreads = abs(usual.rate_deviation(found.letters_per_s))
    if spreads > _RATE_SPREADS and max(factor, 1 / factor) > _RATE_FACTOR:
        rate = found.letters_per_s
        message = (
            _("{rate:.0f} characters/s, more than usual.", rate=rate)
            if factor > 1
            else _("{rate:.0f} characters/s, fewer than usual.", rate=rate)
        )
        hint = _("Often the text says more or less than is heard: compare them.")
        yield Finding(found.clip_id, "rate", WARN, message, hint, min(spreads, 10))


def _heard_findings(facts: ClipFacts, language: str) -> Iterator[Finding]:
    if facts.heard is None:
        return
    rate = word_error_rate(facts.clip.text, facts.heard, language)
    if rate >= _HEARD_OTHERWISE:
        severity = BAD if rate >= _HEARD_AS_ANOTHER else WARN
        message = _("Transcribed again, it says: “{heard}”", heard=facts.heard)
        hint = _("Listen, and correct the text.")
        yield Finding(facts.clip.id, "heard", severity, message, hint, 10 * min(rate, 1.0))

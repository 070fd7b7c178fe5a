"""Is there enough speech, and is it all in one language?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from modules.core_components.ai_models.engines.xtts.preflight.checks import OK, STOP, WARN, Check
from modules.core_components.text.language_guess import foreign_texts
from modules.core_components.text.language_names import language_name

AMOUNT, LANGUAGE = "Amount of speech", "Language"
# Below two minutes today's tools refuse; below ten a fine-tuning mostly learns by heart.
LEAST_S, FEW_S = 120.0, 600.0
# A quoted title is no second language; this share of the rows is.
_FOREIGN_SHARE, _FOREIGN_ROWS = 0.05, 3


def check_amount(seconds: float) -> Check:
    """`seconds` of the rows that can be trained on and evaluated with."""
    words = f"{seconds / 60:.1f} minutes of speech."
    if seconds < LEAST_S:
        short = f"Only {seconds:.0f} s of speech can be used; the least is two minutes."
        return Check(
            AMOUNT,
            STOP,
            short,
            "Add recordings on the Dataset tab. For less, clone the voice from a sample instead.",
        )
    if seconds < FEW_S:
        return Check(AMOUNT, WARN, words, "Fifteen minutes or more give a much better voice.")
    return Check(AMOUNT, OK, words)


def check_one_language(language: str, recorded: Collection[str], texts: Sequence[str]) -> Check:
    """`recorded` are the languages its recordings were heard in, `texts` those of its rows."""
    others = sorted({code for code in recorded if code and code != language})
    if others:
        names = ", ".join(language_name(code) for code in others)
        return _two(language, f"recordings in {names} are among it")
    foreign = foreign_texts(texts, language)
    rows = sum(map(len, foreign.values()))
    if rows >= max(_FOREIGN_ROWS, _FOREIGN_SHARE * len(texts)):
        code = max(foreign, key=lambda other: len(foreign[other]))
        return _two(
            language,
            f"{rows} of {len(texts)} rows read like {language_name(code)}, "
            f"such as “{foreign[code][0][:60]}”",
        )
    return Check(LANGUAGE, OK, f"All in {language_name(language)}.")


def _two(language: str, what: str) -> Check:
    return Check(
        LANGUAGE,
        STOP,
        f"This dataset is in {language_name(language)}, but {what}.",
        "Drop those clips on the Dataset tab, or make a dataset of its own for each language.",
    )

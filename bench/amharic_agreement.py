"""How far the studio's rules for Amharic agree with CLDR's transform and with epitran.

    python bench/amharic_agreement.py [--epitran PYTHON]

CLDR's `am-am_FONIPA` is run by ICU's `uconv` (Debian: icu-devtools). epitran is run in the
environment of PYTHON, if given, so that it need not be in the studio's. The words are those of
CLDR's Amharic names of languages, countries and currencies, 200 of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import regex

sys.path.insert(0, str(Path(__file__).parents[1]))

from modules.core_components.text.amharic.phonemes import word_to_ipa
from modules.core_components.text.amharic.syllables import syllables

WORDS = 200
_EPITRAN = """
import sys, epitran
reader = epitran.Epitran("amh-Ethi")
print("\\n".join(reader.transliterate(word) for word in sys.stdin.read().split("\\n")))
"""


def amharic_words(most: int) -> list[str]:
    """Different words of CLDR's Amharic names, spread over all of them."""
    from babel import Locale

    locale = Locale.parse("am")
    names = " ".join([*locale.languages.values(), *locale.territories.values(),
                      *locale.currencies.values()])  # fmt: skip
    words = sorted(set(regex.findall(r"[\u1200-\u135a]+", names)))
    step = max(1, len(words) // most)
    return words[::step][:most]


def by_cldr(words: Sequence[str]) -> list[str]:
    """By ICU's copy of CLDR's transform; one word a line."""
    done = subprocess.run(
        ["uconv", "-x", "am-am_FONIPA"],
        input="\n".join(words), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.strip() for line in done.stdout.split("\n")]


def by_epitran(words: Sequence[str], python: str) -> list[str]:
    """By epitran in another environment."""
    done = subprocess.run(
        [python, "-c", _EPITRAN], input="\n".join(words), capture_output=True, text=True, check=True
    )
    return done.stdout.rstrip("\n").split("\n")


def broad(ipa: str) -> str:
    """Without what is only another way to write the same sound."""
    plain = regex.sub(r"[.\u0361ˈ\s]", "", ipa)
    for written, same in (("ʷ", "w"), ("ʲ", "j"), ("ʕ", "ʔ"), ("tsʼ", "sʼ"), ("ɾ", "r")):
        plain = plain.replace(written, same)
    return plain


def without_reduced(ipa: str) -> str:
    """Without ɨ: what is left does not depend on where it is said."""
    return broad(ipa).replace("ɨ", "")


def without_first_order(ipa: str) -> str:
    """Besides, with አ as ə, as both others read it by its order; epitran has no ʔ, and hə."""
    plain = without_reduced(ipa)
    return plain.replace("ʔa", "ə").replace("ʔ", "").replace("hə", "ha")


LEVELS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("as they are", broad),
    ("without ɨ", without_reduced),
    ("without ɨ and first-order gutturals", without_first_order),
)


def report(name: str, words: Sequence[str], own: Sequence[str], theirs: Sequence[str]) -> None:
    """Prints the share that agrees at each level, and what differs after the last one."""
    print(f"{name}: {len(words)} words")
    for level, form in LEVELS:
        same = sum(form(a) == form(b) for a, b in zip(own, theirs, strict=True))
        print(f"  {level}: {same} of {len(words)} agree ({100 * same / len(words):.1f} %)")
    for word, a, b in zip(words, own, theirs, strict=True):
        if without_first_order(a) != without_first_order(b):
            print(f"    {word}: ours {a}, {name} {b}")


def compare_signs() -> None:
    """Every syllable by itself against CLDR."""
    signs = list(syllables())
    theirs = by_cldr(signs)
    kinds: Counter[str] = Counter()
    for sign, other in zip(signs, theirs, strict=True):
        one = syllables()[sign]
        own = broad(one.consonant + one.vowel)
        if own == broad(other):
            kinds["the same"] += 1
        elif other == sign:
            kinds["not in CLDR"] += 1
        elif own.replace("ʔa", "ʔə") == broad(other):
            kinds["አ and ዐ: a, in CLDR ə"] += 1
        else:
            kinds[f"{sign} ours {own}, CLDR {broad(other)}"] += 1
    print(f"signs: {len(signs)}")
    for kind, count in kinds.most_common():
        print(f"  {count} {kind}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epitran", default="", help="a Python with epitran")
    arguments = parser.parse_args()
    compare_signs()
    words = amharic_words(WORDS)
    own = [word_to_ipa(word) for word in words]
    report("CLDR", words, own, by_cldr(words))
    if arguments.epitran:
        report("epitran", words, own, by_epitran(words, arguments.epitran))


if __name__ == "__main__":
    main()

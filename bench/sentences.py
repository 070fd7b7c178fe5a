"""How many texts each splitter cuts into the right sentences, by language.

    python bench/sentences.py

The texts are those of tests/data/sentence_cases.toml. Ours is `text/sentences.py`, spaCy its blank
pipeline of the language with the sentencizer, pysbd its segmenter. A splitter without the language
has no figure. Prints Markdown, then what ours gets wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.core_components.text.languages import is_spaceless
from modules.core_components.text.sentences import split_sentences

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = Path(__file__).resolve().parents[1] / "tests/data/sentence_cases.toml"
Splitter = Callable[[str], Sequence[str]]


def cases() -> Mapping[str, Sequence[Sequence[str]]]:
    """The sentences of each text by language."""
    return tomllib.loads(CASES.read_text(encoding="utf-8"))


def joined(sentences: Sequence[str], language: str) -> str:
    """The text of a case."""
    return ("" if is_spaceless(language) else " ").join(sentences)


def by_spacy(language: str) -> Splitter | None:
    import spacy

    try:
        pipeline = spacy.blank(language)
    except ImportError:  # no such language, or its tokenizer is a package that is not installed
        return None
    pipeline.add_pipe("sentencizer")
    return lambda text: [sentence.text.strip() for sentence in pipeline(text).sents]


def by_pysbd(language: str) -> Splitter | None:
    import pysbd

    try:
        segmenter = pysbd.Segmenter(language=language, clean=False)
    except ValueError:
        return None
    return lambda text: [sentence.strip() for sentence in segmenter.segment(text)]


def right(splitter: Splitter | None, texts: Sequence[Sequence[str]], language: str) -> str:
    """How many of the texts come out right; "" without a splitter."""
    if splitter is None:
        return ""
    found = [list(splitter(joined(text, language))) == list(text) for text in texts]
    return f"{sum(found)}"


def main() -> None:
    print("| language | texts | ours | spaCy | pysbd |\n|---|---|---|---|---|")
    totals = [0, 0, 0, 0]
    wrong = []
    for language, texts in cases().items():

        def ours(text: str, language: str = language) -> list[str]:
            return split_sentences(text, language)

        splitters = (ours, by_spacy(language), by_pysbd(language))
        figures = [str(len(texts)), *(right(one, texts, language) for one in splitters)]
        totals = [total + int(figure or 0) for total, figure in zip(totals, figures, strict=True)]
        print(f"| {language} | {' | '.join(figures)} |")
        cuts = ((ours(joined(text, language)), list(text)) for text in texts)
        wrong += [f"{language}: {cut}" for cut, text in cuts if cut != text]
    print(f"| all | {' | '.join(map(str, totals))} |\n")
    print("\n".join(wrong))


if __name__ == "__main__":
    main()

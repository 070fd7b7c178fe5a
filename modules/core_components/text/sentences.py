"""Cutting text into sentences, passages and chunks, in any script, without losing a character.

The cutting is ours, because it was measured to be better than the libraries': of the 139 texts in
25 languages of tests/data/sentence_cases.toml spaCy's blank pipelines with the sentencizer get 54
right, pysbd 45, and this 103 before those texts and spaCy's lists filled up its abbreviations
(bench/sentences.py; pysbd had its last release in 2021). What spaCy knows better is used: the
abbreviations of languages that have no list here, from its tokenizers. It is imported at the
first full stop that needs it.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import is_spaceless
from modules.core_components.text.markup import link_spans
from modules.core_components.texts import _

logger = logging.getLogger(__name__)

# Abbreviations: their full stop does not, or not always, end a sentence. All lower-case.


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# By language (ISO 639-1); a name goes on after them, so they never end a sentence.
ABBREVIATIONS: Mapping[str, frozenset[str]] = {
    "en": _words(
        "mr mrs ms mx dr prof st mt ft rev hon gen col lt capt sgt sen rep gov pres messrs vs fig "
        "figs vol ch sec pp eq e.g i.e cf ca approx viz dept est jan feb mar apr jun jul aug sep "
        "sept oct nov dec"
    ),
    "de": _words(
        "dr prof hr fr frl st bzw ca vgl z.b d.h u.a s.o s.u abs art bd geb ggf inkl evtl max min "
        "mio mrd sog str tel i.d.r o.ä z b d h u abb aufl nr hrsg jh"
    ),
    "fr": _words("m mm mme mlle dr pr st ste av bd p.ex cf env chap fig vol art"),
    "es": _words(
        "sr sra srta sres dr dra d dña prof ing lic st sto sta av pág ej p.ej aprox vol ee ud uds"
    ),
    "it": _words("sig sigg sig.ra dott dott.ssa prof ing avv on st pag vol fig cfr es p.es ca"),
    "pt": _words("sr sra srta dr dra prof profa eng d av pág ex p.ex vol fig"),
    "nl": _words("dhr mevr mw dr prof ir ing drs st bijv ca blz d.w.z o.a t.a.v m.b.t afb"),
    "pl": _words("dr prof inż mgr św ul al np tj tzn ok godz im zob str rys"),
    "ru": _words("г гг ул пр д стр рис см ср проф акад им т.е т.к т.н т.д тыс млн млрд"),
}

# What spaCy's tokenizers lack of languages whose other abbreviations are theirs.
_BESIDES_SPACY: Mapping[str, frozenset[str]] = {
    "cs": _words("ul např obr str ing mgr bc čís tzv tj tel"),
    "da": _words("f.eks bl.a kl osv"),
    "el": _words("κ κα σελ εικ καθ π.χ δρ λ.χ κλπ βλ τηλ"),
    "fi": _words("esim ks kuv mm klo tri"),
    "hi": _words("डॉ प्रो श्री पं"),
    "hr": _words("npr ul str sl cca dr tzv sv god"),
    "ro": _words("dl dna str pag fig ex nr dvs"),
    "sv": _words("storg kl bl.a t.ex"),
    "tr": _words("cad bkz örn sok mah"),
    "uk": _words("проф вул м р рр див рис стор ім акад грн тис млн млрд напр"),
}

# "No. 5", but "No. I said so."
BEFORE_NUMBERS = _words("no nos nr núm n° n p s r")

# May end a sentence; it goes on unless a word follows that begins sentences.
AMBIGUOUS = _words("etc inc ltd co corp jr sr bros a.m p.m u.s u.k u.n d.c ph.d usw")

BEGINNERS = _words(
    "a an and any as at both but by do does each either every everyone few for from he her here "
    "his how i if in it its let many most my neither no nobody none not now of on one only or "
    "our she so some such that the their then there these they this those to today we what when "
    "where which while who why with yes you your "
    "der die das ein eine er sie es wir ihr ich und aber dann doch danach"
)

# There a number with a full stop is an ordinal: "am 3. Oktober".
ORDINAL_LANGUAGES = _words("de da nb no nn cs sk fi hu et lv")


# Marks that end a sentence whatever follows: CJK, Devanagari, Arabic, Urdu, Ethiopic, Khmer,
# Burmese, Armenian.
_ALWAYS = "。！？｡।॥؟۔።។။։፧፨"
# Right after a mark every quotation mark closes, also those that open in other languages.
_CLOSERS = "\"'”’“‘»›«‹)]）」』】》〉"
_OPENERS = "\"'“”‘«»‹„‚(¿¡[（「『【《〈-–—*_"
# No look-ahead in it: a failing one would make long runs of marks quadratic.
# Two Ethiopic word spaces stand for a full stop where no key has one.
_MARKS = rf"(?:[.!?…{_ALWAYS}]|፡፡)+"
_END = re.compile(rf"{_MARKS}[{re.escape(_CLOSERS)}]*|\n\s*\n")
_END_FRENCH = re.compile(rf"{_MARKS}(?:[ \u00a0\u202f]?»|[{re.escape(_CLOSERS)}])*|\n\s*\n")
# The Greek question mark looks like a semicolon, and is typed as one.
_END_GREEK = re.compile(_END.pattern.replace("[.!?", "[.!?;\u037e", 1))
_LONGEST_TOKEN = 40
_DASHES = ("-", "–", "—")


def split_sentences(text: str, language: str) -> list[str]:
    """The sentences in order, trimmed; none is empty.

    Their characters without white space are those of `text` without white space. A blank line
    always ends a sentence, and nothing within `[word](/phonemes/)`. Where it is unclear whether a
    full stop ends one (after initials, abbreviations, before a small letter), it does not: a pause
    in the wrong place is worse than a long sentence. Takes time linear in the length.
    """
    spans = _spans(text, language.lower().split("-")[0])
    return [sentence for start, end in spans if (sentence := text[start:end].strip())]


def _spans(text: str, language: str) -> Iterator[tuple[int, int]]:
    start = 0
    pattern = {"fr": _END_FRENCH, "el": _END_GREEK}.get(language, _END)
    links = deque(link_spans(text))
    for mark in pattern.finditer(text):
        while links and links[0][1] <= mark.start():
            links.popleft()
        if links and links[0][0] < mark.start():
            continue
        if _ends_sentence(text, start, mark, language):
            yield start, mark.end()
            start = mark.end()
    yield start, len(text)


def _ends_sentence(text: str, start: int, mark: re.Match[str], language: str) -> bool:
    marks = mark.group()
    if marks.isspace() or any(character in _ALWAYS for character in marks):
        return True
    following = text[mark.end() : mark.end() + _LONGEST_TOKEN]
    if not following:
        return True
    if not following[0].isspace():
        return marks[0] != "." and _is_ideographic(following[0])
    words = following.split(maxsplit=2)
    if len(words) > 1 and words[0] in _DASHES and "\n" not in following.partition(words[0])[0]:
        del words[0]  # "«Стой!» — крикнул он.", but not the dash of a list
    next_word = words[0].lstrip(_OPENERS) if words else ""
    if next_word[:1].islower():
        return False
    if marks.rstrip(f"{_CLOSERS} \u00a0\u202f") != ".":
        return True
    token = text[max(start, mark.start() - _LONGEST_TOKEN) : mark.start()].split()
    alone = len(token) == 1 and mark.start() - start <= _LONGEST_TOKEN
    return _full_stop_ends(token[-1] if token else "", alone, next_word, language)


def _full_stop_ends(token: str, alone: bool, next_word: str, language: str) -> bool:
    """Whether the stop after `token` ends the sentence; `alone`: it is all there is so far."""
    word = token.strip(_OPENERS + _CLOSERS).casefold().rpartition("'")[2].rpartition("’")[2]
    if alone and (word.isdigit() or len(word) == 1):
        return False  # "1. First point"
    if word.isdigit() and len(word) <= 2 and language in ORDINAL_LANGUAGES:
        return False  # "am 3. Oktober"
    if word in BEFORE_NUMBERS and next_word[:1].isdigit():
        return False
    if word in ABBREVIATIONS.get(language, ABBREVIATIONS["en"]):
        return False
    if language == "de" and word.endswith("str"):
        return False  # "Hauptstr. 5"
    if language not in ABBREVIATIONS and (
        word in _BESIDES_SPACY.get(language, ()) or _spacy_keeps(word, language)
    ):
        return False
    initial = len(word) == 1 and word.isalpha() and word != "i"
    if initial or word in AMBIGUOUS or re.fullmatch(r"(?:\w\.)+\w", word):
        return next_word.rstrip(",.;:!?").casefold() in BEGINNERS
    return True


@lru_cache(maxsize=4096)
def _spacy_keeps(word: str, language: str) -> bool:
    """Whether spaCy's tokenizer of the language takes the word and its full stop for one word."""
    if len(word) < 2 or not word.replace(".", "").isalpha() or len(word) > _LONGEST_TOKEN:
        return False
    with _SPACY_LOCK:
        tokenizer = _spacy_tokenizer(language)
        forms = (word, word.capitalize())
        return tokenizer is not None and any(len(tokenizer(f"{form}.")) == 1 for form in forms)


_SPACY_LOCK = threading.Lock()


@lru_cache(maxsize=32)
def _spacy_tokenizer(language: str) -> Any:
    """None for a language that spaCy does not have, or only with another package."""
    try:
        import spacy

        return spacy.blank(language).tokenizer
    except Exception as error:  # noqa: BLE001 - ImportError for most, its own kinds for some
        logger.info("spaCy has no tokenizer for %r: %s", language, error)
        return None


def _is_ideographic(character: str) -> bool:
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff"


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
    return "" if is_spaceless(language) else " "


# Chunks for models that speak a few sentences at once.

_CLAUSE_END = re.compile(r"[,;:，、；：،؛–—][\s\u200b]*|[)\]”»]\s+")


@dataclass(frozen=True)
class Piece:
    """What is spoken in one go; `ends_paragraph` asks for a longer pause after it."""

    text: str
    ends_paragraph: bool = False


def plan_pieces(text: str, language: str, limit: int) -> tuple[Piece, ...]:
    """Whole sentences, packed up to `limit` characters; longer ones are cut at clauses.

    What has no letter or digit is left out: the models make noises of it. Raises BadInputError
    when nothing is left.
    """
    pieces: list[Piece] = []
    for paragraph in filter(str.strip, text.splitlines()):
        packed = _packed(paragraph, language, limit)
        pieces += [Piece(part, number == len(packed)) for number, part in enumerate(packed, 1)]
    if not pieces:
        raise BadInputError(
            _("There is nothing in the text that can be spoken."),
            _("Type words or numbers."),
            "text",
        )
    return tuple(pieces)


def cut_evenly(sentence: str, limit: int) -> list[str]:
    """Parts of at most `limit` characters and about the same length, cut after clauses, else
    between words, else anywhere. Their characters without white space are those of `sentence`."""
    parts = []
    while len(sentence) > limit:
        wanted = math.ceil(len(sentence) / math.ceil(len(sentence) / limit))
        end = _best_cut(sentence, wanted, limit)
        parts.append(sentence[:end].strip())
        sentence = sentence[end:].strip()
    return [part for part in [*parts, sentence] if part]


def _packed(paragraph: str, language: str, limit: int) -> list[str]:
    joint = "" if is_spaceless(language) else " "
    packed: list[str] = []
    for sentence in split_sentences(paragraph, language):
        for part in cut_evenly(sentence, limit):
            if not any(character.isalnum() for character in part):
                continue
            if packed and len(packed[-1]) + len(joint) + len(part) <= limit:
                packed[-1] += joint + part
            else:
                packed.append(part)
    return packed


def _best_cut(sentence: str, wanted: int, limit: int) -> int:
    """The end of the clause, else of the word, that is nearest to `wanted`; never above `limit`."""
    for ends in (
        [match.end() for match in _CLAUSE_END.finditer(sentence, 0, limit)],
        [match.end() for match in re.finditer(r"\s+", sentence[:limit])],
    ):
        near = [end for end in ends if end >= wanted / 2]
        if near:
            return min(near, key=lambda end: abs(end - wanted))
    return wanted

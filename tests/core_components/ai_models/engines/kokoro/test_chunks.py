"""The chunker: nothing lost, nothing too long, a short start, cuts where they hurt least."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.ai_models.engines.kokoro.pipeline import (
    FIRST,
    LONGEST,
    Chunk,
    Ending,
    plan_chunks,
    size_after,
)
from tests.helpers.tiny_kokoro import SYMBOLS

WORD = "wˈɜɹld"


def words(count: int, end: str = ".") -> str:
    return " ".join([WORD] * count) + end


def without_spaces(parts: list[str]) -> str:
    return "".join(parts).replace(" ", "")


phoneme_text = st.text(alphabet=SYMBOLS, min_size=1, max_size=700).filter(lambda text: text.strip())
wordy = st.lists(
    st.sampled_from(["ə", WORD, "ˌɪntəɹnˈæʃənəl,", "nˈoʊ.", "mɛ̃", "—", "jˈɛs;", "“ɪt”"]), min_size=1
).map(" ".join)


@given(st.lists(st.one_of(phoneme_text, wordy), max_size=30))
@settings(max_examples=300, deadline=None)
def test_nothing_is_lost_and_nothing_is_too_long(sentences: list[str]) -> None:
    chunks = [chunk.phonemes for chunk in plan_chunks(sentences)]
    assert without_spaces(chunks) == without_spaces(sentences)
    assert all(0 < len(chunk) <= LONGEST for chunk in chunks)
    assert all(chunk == chunk.strip() for chunk in chunks)


def test_the_longest_chunk_fits_into_the_model() -> None:
    assert LONGEST < 510


@given(st.lists(wordy, min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_playing_a_chunk_outlasts_computing_the_next(sentences: list[str]) -> None:
    lengths = [len(chunk.phonemes) for chunk in plan_chunks(sentences)]
    assert lengths[0] <= FIRST.most
    for before, after in pairwise(lengths):
        assert after <= max(130, 2.2 * before + 20)


def test_chunks_grow_to_the_length_at_which_kokoro_sounds_best() -> None:
    lengths = [len(chunk.phonemes) for chunk in plan_chunks([words(7, ","), *[words(9)] * 60])]
    assert 40 <= lengths[0] <= 60
    assert all(175 <= length <= 250 for length in lengths[3:-1])


def test_a_short_text_is_one_chunk() -> None:
    assert list(plan_chunks([words(3), words(2)])) == [
        Chunk(f"{words(3)} {words(2)}", Ending.SENTENCE)
    ]


def test_no_text_is_no_chunk() -> None:
    assert list(plan_chunks([])) == []


def test_the_first_chunk_ends_at_an_early_clause() -> None:
    sentence = f"{words(6, ',')} {words(20)}"
    first, *_ = plan_chunks([sentence])
    assert first == Chunk(words(6, ","), Ending.CLAUSE)


def test_the_first_clause_comes_before_the_rest_of_its_sentence() -> None:
    sentence = f"{words(5, ',')} {words(5)}"
    assert list(plan_chunks([sentence])) == [
        Chunk(words(5, ","), Ending.CLAUSE),
        Chunk(words(5), Ending.SENTENCE),
    ]


def test_a_short_first_sentence_is_not_cut_at_its_clause() -> None:
    sentence = f"{words(3, ',')} {words(2)}"
    assert list(plan_chunks([sentence])) == [Chunk(sentence, Ending.SENTENCE)]


def test_the_second_chunk_is_short_too() -> None:
    first, second, *_ = plan_chunks([words(4, ","), *[words(5, ",")] * 40])
    assert len(first.phonemes) <= 36
    assert len(second.phonemes) <= 2.2 * len(first.phonemes) + 20


def test_a_first_sentence_without_clauses_is_not_torn() -> None:
    sentence = words(14)
    assert FIRST.wanted < len(sentence) <= FIRST.most
    assert next(plan_chunks([sentence, words(20)])) == Chunk(sentence, Ending.SENTENCE)


def test_a_sentence_without_marks_is_cut_between_words() -> None:
    *cut, last = plan_chunks([words(200)])
    assert {chunk.ending for chunk in cut} == {Ending.WORD}
    assert last.ending is Ending.SENTENCE
    assert all(set(chunk.phonemes.split()) <= {WORD, f"{WORD}."} for chunk in (*cut, last))


def test_whole_sentences_stay_together_after_the_start() -> None:
    sentences = [words(8)] * 30
    for chunk in list(plan_chunks(sentences))[1:]:
        assert chunk.ending is Ending.SENTENCE
        assert chunk.phonemes.endswith(".")


def test_an_endless_word_is_cut_before_no_length_mark_and_no_tilde() -> None:
    chunks = list(plan_chunks(["ɑːɛ̃" * 200]))
    assert len(chunks) > 1
    assert all(chunk.phonemes[0] not in "ː\u0303" for chunk in chunks)


def test_a_very_short_sentence_is_not_spoken_alone() -> None:
    chunks = list(plan_chunks(["hˈI.", words(30), words(30), "bˈI."]))
    assert min(len(chunk.phonemes) for chunk in chunks) >= 20


def test_chunks_come_before_the_text_is_known_to_its_end() -> None:
    read = []

    def sentences() -> Iterator[str]:
        for number in range(1000):
            read.append(number)
            yield words(10)

    next(plan_chunks(sentences()))
    assert len(read) <= 2


def test_work_grows_with_the_length_only() -> None:
    """Counted, not timed: how often the text is looked at, for a text without a single mark."""

    class Watched(str):
        __slots__ = ()
        looks = 0

        def __getitem__(self, key: object) -> str:
            Watched.looks += 1
            return str.__getitem__(self, key)  # type: ignore[index]

    def looks(length: int) -> int:
        Watched.looks = 0
        size = size_after(LONGEST)
        from modules.core_components.ai_models.engines.kokoro.pipeline import _cut

        text, start = Watched("a" * 7 + " b" * length), 0
        while len(text) - start > size.whole:
            start, _ = _cut(text, start, size)
        return Watched.looks

    assert looks(20_000) <= 2.2 * looks(10_000)

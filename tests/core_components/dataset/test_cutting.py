"""Cutting words into clips: nothing lost, nothing twice, limits kept, every second told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.dataset.cutting import (
    SILENCE,
    TOO_LONG,
    TOO_SHORT,
    UNHEARD,
    Cut,
    CutRules,
    cut_words,
)
from modules.core_components.dataset.split import estimated_tokens
from modules.core_components.dataset.values import LONGEST_SAMPLES, SAMPLE_RATE_HZ, SHORTEST_S
from modules.core_components.values import Word


def said(text: str, begin_s: float = 0.5, word_s: float = 0.4, gap_s: float = 0.1) -> list[Word]:
    """Words at a steady rate; `|` in the text is a second of silence."""
    words, at_s = [], begin_s
    for part in text.split():
        if part == "|":
            at_s += 1.0
            continue
        words.append(Word(part, at_s, at_s + word_s))
        at_s += word_s + gap_s
    return words


def texts(cut: Cut) -> list[str]:
    return [piece.text for piece in cut.pieces]


def cut(words: list[Word], language: str = "en", **rules: float) -> Cut:
    end_s = words[-1].end_s + 1.0 if words else 1.0
    return cut_words(words, end_s, language, rules=CutRules(**rules))  # type: ignore[arg-type]


def test_sentences_become_clips() -> None:
    made = cut(said("This is the first of them. And here comes the second one! Is it?"))
    assert texts(made) == ["This is the first of them.", "And here comes the second one! Is it?"]


def test_words_after_the_last_mark_are_kept() -> None:
    assert texts(cut(said("It was late at night. | then he went away"))) == [
        "It was late at night.",
        "then he went away",
    ]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("你 好 世 界 。 今 天 天 气 。", "zh", ["你好世界。", "今天天气。"]),
        ("मैं घर जा रहा हूँ। वह भी आ गया।", "hi", ["मैं घर जा रहा हूँ।", "वह भी आ गया।"]),
        ("هل أنت هنا الآن اليوم؟ نعم أنا هنا معك الآن.", "ar", None),
        ("ሰላም ለዓለም እንዴት ነህ ዛሬ። ደህና ነኝ አንተስ እንዴት ነህ።", "am", None),
    ],
)
def test_every_script_has_its_marks(text: str, language: str, expected: list[str] | None) -> None:
    made = texts(cut(said(text), language))
    assert len(made) == 2
    assert expected is None or made == expected


def test_an_abbreviation_ends_no_sentence() -> None:
    made = cut(said("We saw Mr. Miller in the house. He was there all day long."))
    assert texts(made) == ["We saw Mr. Miller in the house.", "He was there all day long."]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    made = cut(said("one two three four five six seven eight nine ten eleven twelve, " * 3))
    assert all(text.endswith("twelve,") for text in texts(made))
    assert len(made.pieces) == 3


def test_a_long_clause_is_cut_at_its_longest_pause() -> None:
    words = said(" ".join(chr(ord("A") + i) for i in range(30)))
    late = [Word(w.text, w.start_s + 0.4, w.end_s + 0.4) for w in words[13:]]
    made = cut([*words[:13], *late])
    assert [piece.words[0].text for piece in made.pieces] == ["A", "N"]


def test_short_sentences_join_the_nearer_neighbour() -> None:
    near = said("The door was open to all. Yes. | He went in without a word.")
    assert texts(cut(near)) == ["The door was open to all. Yes.", "He went in without a word."]
    alone = said("The door was open to all. | Yes. | He went in without a word.")
    assert texts(cut(alone))[1] == "Yes."


def test_padding_goes_to_the_midpoint_of_a_pause_at_most() -> None:
    words = [Word("This.", 1.0, 4.0), Word("That.", 4.1, 7.0)]
    first, second = cut_words(words, 20.0, "en").pieces
    assert first.start_s == pytest.approx(0.8, abs=1e-4)
    assert first.end_s == second.start_s == pytest.approx(4.05, abs=1e-4)
    assert second.end_s == pytest.approx(7.2, abs=1e-4)


def test_a_word_that_swallowed_a_pause_is_drawn_back_to_the_speech() -> None:
    words = [Word("This", 0.0, 3.0), Word("is.", 3.0, 3.5)]
    made = cut_words(words, 4.0, "en", speech=[(2.5, 3.6)])
    assert made.pieces[0].start_s == pytest.approx(2.3, abs=1e-4)


def test_what_is_in_no_clip_has_its_reason() -> None:
    words = [
        Word("Hm.", 1.0, 1.01),
        *said("This is quite a long sentence.", begin_s=5.0),
        Word("Oooh!", 20.0, 35.0),
    ]
    speech = [(5.0, 8.0), (12.0, 14.0), (20.0, 35.0)]
    made = cut_words(words, 40.0, "en", speech, CutRules(least_s=0.5, padding_s=0.1))
    assert texts(made) == ["This is quite a long sentence."]
    reasons = [gap.reason for gap in made.dropped]
    assert reasons == [SILENCE, TOO_SHORT, SILENCE, SILENCE, UNHEARD, SILENCE, TOO_LONG, SILENCE]


def test_a_text_of_too_many_tokens_is_cut() -> None:
    words = said("a1, b2, c3, d4", word_s=1.0)
    made = cut_words(words, 10.0, "en", rules=CutRules(most_tokens=18, shortest_s=0.5))
    assert all(estimated_tokens(text) <= 18 for text in texts(made))
    assert len(made.pieces) > 1


def test_nothing_heard_is_one_silence() -> None:
    made = cut_words([], 3.0, "en")
    assert (made.pieces, [gap.reason for gap in made.dropped]) == ((), [SILENCE])


MARKS = st.sampled_from(["", "", "", "", ",", ".", "!", "?", "。", "،", "…", '."'])
LETTERS = st.text(alphabet="abcXYZ你好이дé", min_size=1, max_size=12)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Word], float, list[tuple[float, float]]]:
    """Words with any times, good or absurd, as listeners deliver them."""
    words, at_s = [], 0.0
    count = draw(st.integers(0, 60))
    for _ in range(count):
        at_s += draw(st.floats(-0.3, 2.5))
        length_s = draw(st.floats(0.0, 1.2) | st.floats(0.0, 20.0))
        words.append(Word(draw(LETTERS) + draw(MARKS), at_s, at_s + length_s))
        at_s += length_s
    edges = sorted(draw(st.lists(st.floats(0.0, 90.0), max_size=12)))
    duration_s = draw(st.floats(0.1, 120.0))
    return words, duration_s, list(zip(edges[::2], edges[1::2], strict=False))


@settings(max_examples=80, deadline=None)
@given(recordings(), st.sampled_from([CutRules(), CutRules(longest_s=4.0, most_tokens=25)]))
def test_no_word_is_lost_or_twice_and_every_second_is_told(
    recording: tuple[list[Word], float, list[tuple[float, float]]], rules: CutRules
) -> None:
    words, duration_s, speech = recording
    made = cut_words(words, duration_s, "en", speech, rules)

    kept = [word.text for piece in made.pieces for word in piece.words]
    everything = iter(word.text for word in words)
    assert all(text in everything for text in kept)  # in order, none twice
    if not any(gap.reason in (TOO_SHORT, TOO_LONG) for gap in made.dropped):
        lost = len(words) - len(kept)
        assert lost == 0 or _zero_length_at_an_edge(words, duration_s)

    for piece in made.pieces:
        samples = round((piece.end_s - piece.start_s) * SAMPLE_RATE_HZ)
        assert SHORTEST_S * SAMPLE_RATE_HZ <= samples <= LONGEST_SAMPLES
        assert piece.end_s - piece.start_s <= rules.longest_s
        assert estimated_tokens(piece.text) <= rules.most_tokens

    covered = sorted(
        [(piece.start_s, piece.end_s) for piece in made.pieces]
        + [(gap.start_s, gap.end_s) for gap in made.dropped]
    )
    end_s = round(duration_s * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    assert covered[0][0] == 0.0
    assert covered[-1][1] == end_s
    assert all(before[1] == after[0] for before, after in pairwise(covered))


def _zero_length_at_an_edge(words: list[Word], duration_s: float) -> bool:
    """Words that a listener puts at or past the end have no second of their own to account for."""
    return any(word.end_s >= duration_s - 1e-3 or word.start_s <= 1e-3 for word in words)

"""What remains of a clip's sound, words and text when it is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modules.core_components.dataset.trimming import cut_sound, kept_text, trimmed_clip
from modules.core_components.dataset.values import TRAIN, Clip
from modules.core_components.errors import BadInputError
from modules.core_components.values import Word

WORDS = tuple(
    Word(text, 0.2 + 0.5 * i, 0.7 + 0.5 * i)
    for i, text in enumerate(["Good", "morning,", "dear", "friends."])
)
CLIP = Clip("a", "s", 10.0, 12.4, "Good morning, dear friends.", "", WORDS, TRAIN, "Anna")


def test_the_words_whose_middle_is_kept_remain() -> None:
    cut = trimmed_clip(CLIP, 0.5, 1.8)
    assert cut.text == "morning, dear"
    assert [word.text for word in cut.words] == ["morning,", "dear"]
    assert (cut.start_s, cut.end_s) == pytest.approx((10.5, 11.8))
    assert cut.words[0].start_s == pytest.approx(0.2)
    assert cut.edited
    assert cut.subset == CLIP.subset


def test_a_trim_of_silence_leaves_the_text_alone() -> None:
    mended = replace(CLIP, text="Good morning, dear Fred!")
    assert trimmed_clip(mended, 0.1, 2.3).text == "Good morning, dear Fred!"


def test_without_word_times_the_text_stays() -> None:
    assert trimmed_clip(replace(CLIP, words=()), 1.0, 2.0).text == CLIP.text


@pytest.mark.parametrize(
    ("text", "first", "last", "kept"),
    [
        ("Good morning, my dear friends.", 1, 4, "morning, my dear friends."),
        ("Good evening, dear fiends!", 2, 4, "dear fiends!"),
        ("Good evening, dear fiends!", 0, 2, "Good evening,"),
        ("Well – good morning, dear friends.", 0, 2, "Well – good morning,"),
        ("GOOD MORNING DEAR FRIENDS", 3, 4, "FRIENDS"),
    ],
)
def test_a_mended_text_is_cut_where_its_words_are(
    text: str, first: int, last: int, kept: str
) -> None:
    assert kept_text(text, WORDS, first, last) == kept


def test_a_language_without_spaces_is_cut_by_characters() -> None:
    words = tuple(Word(text, i, i + 1.0) for i, text in enumerate(["你好", "，", "世界"]))
    assert kept_text("你好，世界。", words, 2, 3) == "世界。"
    assert kept_text("你好，世界。", words, 0, 1) == "你好"


@pytest.mark.parametrize(
    ("start_s", "end_s", "words"),
    [
        (0.0, 0.3, "too short"),
        (-1.0, 2.0, "cannot be cut"),
        (0.0, 9.0, "cannot be cut"),
        (2.0, 1.0, "cannot be cut"),
        (float("nan"), 2.0, "no times"),
        (1.9, 2.4, "No word"),
    ],
)
def test_a_bad_trim_is_refused(start_s: float, end_s: float, words: str) -> None:
    last = replace(CLIP, words=WORDS[:3])
    with pytest.raises(BadInputError, match=words):
        trimmed_clip(last, start_s, end_s)


def test_the_sound_is_faded_only_where_it_was_cut() -> None:
    samples = np.ones(22_050, np.float32)
    cut = cut_sound(samples, 22_050, 0.25, 1.0)
    assert len(cut) == 22_050 - round(0.25 * 22_050)
    assert cut[0] == 0.0
    assert cut[200] == 1.0
    assert cut[-1] == 1.0
    assert samples.min() == 1.0

"""A vocabulary with Amharic added: old languages as before, new tokens really used, rows kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import regex
import torch

from modules.core_components.ai_models.engines.xtts.checkpoint import (
    TEXT_EMBEDDING,
    check_pair,
    read_json,
    read_vocabulary,
    read_weights,
)
from modules.core_components.ai_models.engines.xtts.text_form import NEW_TOKENS, front_end_for
from modules.core_components.ai_models.engines.xtts.tokenizer import StudioTokenizer
from modules.core_components.ai_models.engines.xtts.vocabulary import (
    extended_vocabulary,
    with_new_rows,
)
from modules.core_components.errors import CorruptFileError
from modules.core_components.text.judging_sentences import judging_sentences
from modules.core_components.text.reading.front_end import spoken_form
from tests.helpers.tiny_xtts import LANGUAGES

FRONT_END = front_end_for("am", NEW_TOKENS)
HEAD, BIAS = "gpt.text_head.weight", "gpt.text_head.bias"


def amharic_words(count: int) -> list[str]:
    """Different words of CLDR's names and of numbers."""
    from babel import Locale

    locale = Locale.parse("am")
    names = [
        *locale.languages.values(),
        *locale.territories.values(),
        *locale.currencies.values(),
        *locale.scripts.values(),
        *(spoken_form(str(number), "am") for number in range(1000)),
    ]
    words = sorted(set(regex.findall(r"\p{Ethiopic}+", " ".join(map(str, names)))))
    assert len(words) >= count
    return words[:count]


@pytest.fixture(scope="module")
def base(tiny_xtts: Path) -> dict[str, Any]:
    return read_json(tiny_xtts / "vocab.json")


@pytest.fixture(scope="module")
def vocabulary(base: dict[str, Any]) -> dict[str, Any]:
    assert FRONT_END is not None
    return extended_vocabulary(base, (FRONT_END.prepare(word).text for word in amharic_words(1000)))


@pytest.fixture(scope="module")
def tokenizer(
    vocabulary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> StudioTokenizer:
    file = tmp_path_factory.mktemp("vocabulary") / "vocab.json"
    file.write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    return StudioTokenizer(file, FRONT_END)


def test_1000_words_have_no_unknown_token_and_fewer_tokens_than_signs(
    tokenizer: StudioTokenizer,
) -> None:
    unknown = tokenizer.tokenizer.token_to_id("[UNK]")
    used = []
    for word in amharic_words(1000):
        first, *rest = tokenizer.encode(word, "am")
        assert tokenizer.tokenizer.id_to_token(first) == "[am]"
        assert unknown not in rest, word
        used += [tokenizer.tokenizer.id_to_token(number) for number in rest]
    longer = {token for token in used if len(token) > 1 and regex.match(r"\p{Ethiopic}", token)}
    assert len(longer) > 100
    assert len(used) < 0.8 * sum(map(len, amharic_words(1000)))


def test_every_sign_is_known_whether_it_was_in_the_texts_or_not(
    tokenizer: StudioTokenizer,
) -> None:
    unknown = tokenizer.tokenizer.token_to_id("[UNK]")
    for code in (*range(0x1200, 0x1380), *range(0x2D80, 0x2DE0), *range(0xAB00, 0xAB30)):
        assert unknown not in tokenizer.encode(chr(code), "am"), hex(code)


def test_old_languages_have_the_same_tokens_as_before(
    tokenizer: StudioTokenizer, tiny_xtts: Path
) -> None:
    before = StudioTokenizer(tiny_xtts / "vocab.json")
    for language in (one.split("-")[0] for one in LANGUAGES if one != "ja"):
        for sentence in judging_sentences(language):
            assert tokenizer.encode(sentence, language) == before.encode(sentence, language)


def test_new_numbers_follow_the_old_ones_without_a_gap(
    base: dict[str, Any], vocabulary: dict[str, Any]
) -> None:
    old, new = base["model"]["vocab"], vocabulary["model"]["vocab"]
    assert {token: new[token] for token in old} == old
    assert sorted(new.values()) == list(range(len(new)))
    assert vocabulary["model"]["merges"][: len(base["model"]["merges"])] == base["model"]["merges"]
    (own,) = [token for token in vocabulary["added_tokens"] if token["content"] == "[am]"]
    assert own["id"] == new["[am]"]
    assert own["special"]


def test_merges_are_written_as_the_base_has_them(base: dict[str, Any]) -> None:
    as_text = json.loads(json.dumps(base))
    as_text["model"]["merges"] = [
        pair if isinstance(pair, str) else " ".join(pair) for pair in base["model"]["merges"]
    ]
    merges = extended_vocabulary(as_text, ["ሰላም ሰላም ሰላም"])["model"]["merges"]
    assert {type(pair) for pair in merges} == {str}
    assert merges[-1].replace(" ", "") == "ሰላም"


def test_as_many_tokens_as_wanted_and_no_more(base: dict[str, Any]) -> None:
    assert FRONT_END is not None
    texts = [FRONT_END.prepare(word).text for word in amharic_words(1000)]
    grown = extended_vocabulary(base, texts, most_tokens=400)
    assert len(grown["model"]["vocab"]) - len(base["model"]["vocab"]) == 400


def test_old_rows_stay_and_new_ones_begin_as_their_letters(
    tiny_xtts: Path, vocabulary: dict[str, Any], tmp_path: Path
) -> None:
    weights = read_weights(tiny_xtts / "model.pth")
    grown = with_new_rows(weights, vocabulary, seed=1)
    numbers = vocabulary["model"]["vocab"]
    old = len(weights[TEXT_EMBEDDING])
    for name in (TEXT_EMBEDDING, HEAD, BIAS):
        assert len(grown[name]) == len(numbers)
        assert torch.equal(grown[name][:old], weights[name])
        assert grown[name].dtype == weights[name].dtype
    rows = grown[TEXT_EMBEDDING]
    near = 0.3 * rows[:old].std()
    expected = (rows[numbers["l"]] + rows[numbers["o"]]) / 2
    if "lo" in numbers:  # a merge of the base
        expected = rows[numbers["lo"]]
    assert (rows[numbers["ሎ"]] - expected).abs().max() < near
    assert (rows[numbers["[am]"]] - rows[numbers["[tr]"]]).abs().max() < near
    new = rows[old:]
    assert len(torch.unique(new, dim=0)) == len(new)
    assert torch.equal(with_new_rows(weights, vocabulary, seed=1)[HEAD], grown[HEAD])
    file = tmp_path / "vocab.json"
    file.write_text(json.dumps(vocabulary), encoding="utf-8")
    assert len(read_vocabulary(file)) == len(numbers)
    check_pair(grown, tiny_xtts / "model.pth", file)
    with pytest.raises(CorruptFileError, match="different versions"):
        check_pair(weights, tiny_xtts / "model.pth", file)


def test_what_is_no_vocabulary_is_refused() -> None:
    for nothing in ({}, {"model": {}}, {"model": {"vocab": {"a": 1}, "merges": []}}):
        with pytest.raises(CorruptFileError):
            extended_vocabulary(nothing, ["ሰላም"])

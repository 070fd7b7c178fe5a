"""What XTTS reads of a text: the same in a training and when it speaks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modules.core_components.ai_models.engines.xtts.engine import XttsEngine
from modules.core_components.ai_models.engines.xtts.network import XttsNetwork
from modules.core_components.ai_models.engines.xtts.options import BASE_LANGUAGES, XttsOptions
from modules.core_components.ai_models.engines.xtts.preflight.data import (
    check_language,
    load_tokenizer,
)
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.text.judging_sentences import judging_sentences
from modules.core_components.text.reading.front_end import spoken_form
from tests.helpers.tiny_xtts import SPEAKERS

# Besides the usual sentences: numbers, a capital that is small in its own way, Latin letters.
NUMBERS = "25; 1984; 3,5."
MORE = {"tr": "İstanbul'da ÖNÜ.", "ja": "NHKのニュース。"}


def tokens(engine: XttsEngine, text: str, language: str) -> list[int]:
    """As the engine speaks it."""
    with engine._context.pool.lease(engine.model_spec()) as network:
        assert isinstance(network, XttsNetwork)
        return network.tokens(spoken_form(text, language), language)


@pytest.mark.parametrize("language", BASE_LANGUAGES)
def test_a_text_of_a_training_is_read_as_it_is_spoken(
    engine: XttsEngine, tiny_xtts: Path, language: str
) -> None:
    trained = load_tokenizer(tiny_xtts / "vocab.json", None)
    texts = [*judging_sentences(language), NUMBERS, MORE.get(language, NUMBERS)]
    assert [trained.encode(text, language) for text in texts] == [
        tokens(engine, text, language) for text in texts
    ]


@pytest.mark.parametrize(("language", "package"), [("ja", "cutlet"), ("zh", "pypinyin")])
def test_a_reader_that_is_not_installed_is_said_before_speaking_and_training(
    engine: XttsEngine,
    tiny_xtts: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    package: str,
) -> None:
    with engine._context.pool.lease(engine.model_spec()) as network:
        network.model.tokenizer.__dict__.pop("katsu", None)  # what is open stays open
    monkeypatch.setitem(sys.modules, package, None)
    text = judging_sentences(language)[0]
    with pytest.raises(BadInputError, match=r"reads this language is missing.*installer"):
        list(engine.stream(text, SPEAKERS[0], XttsOptions(language=language), CancelToken()))
    with pytest.raises(BadInputError, match=r"reads this language is missing.*installer"):
        check_language(load_tokenizer(tiny_xtts / "vocab.json", None), language)

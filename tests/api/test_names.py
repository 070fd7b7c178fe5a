"""OpenAI's names for voices."""

from __future__ import annotations

from modules.api.voices import OPENAI_VOICES
from modules.tools.services import Services

PRESENT = "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse"


def test_each_of_openais_voices_stands_for_a_stock_voice_of_its_own(services: Services) -> None:
    files = services.catalog.entry("kokoro-v1.0").files
    stock = {file.name.rpartition("/")[2].removesuffix(".pt") for file in files}
    assert sorted(OPENAI_VOICES) == PRESENT.split()
    assert set(OPENAI_VOICES.values()) <= stock
    assert len(set(OPENAI_VOICES.values())) == len(OPENAI_VOICES)

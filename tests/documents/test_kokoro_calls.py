"""The calls of docs/python.md on Kokoro, run as printed on a tiny random checkpoint."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.core_components import ai_models
from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines.kokoro.pipeline import KokoroPipeline
from modules.core_components.ai_models.engines.kokoro.symbols import all_symbols
from modules.core_components.ai_models.engines.kokoro.wrapper import KokoroV1Wrapper
from modules.core_components.ai_models.kokoro_models import ModelManager
from modules.core_components.errors import BadInputError
from tests.documents.pages import blocks
from tests.helpers.open_catalog import open_catalog
from tests.helpers.tiny_kokoro import build_tiny_kokoro

BY_VERSION, BY_HAND = blocks("python.md", "python", "Kokoro")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a tiny Kokoro v1.0 and all its voices, which sound alike."""
    models = tmp_path_factory.mktemp("models")
    kokoro = build_tiny_kokoro(models / "kokoro" / "v1_0")
    (one, *_) = (kokoro / "voices").glob("*.pt")
    catalog = Catalog.load(open_catalog(models, ["kokoro-v1.0"]), models)
    for file in catalog.entry("kokoro-v1.0").files:
        if not (kokoro / file.name).exists():
            shutil.copy(one, kokoro / file.name)
    return models


@pytest.fixture
def studio(tiny: Path, monkeypatch: pytest.MonkeyPatch, user_config: dict[str, object]) -> None:
    """The studio whose models those are."""
    monkeypatch.setenv("VOICE_STUDIO_CATALOG", str(tiny / "models.toml"))
    ai_models.get_tts_manager({**user_config, "models_folder": str(tiny)})


@pytest.fixture
def in_its_folder(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(tiny / "kokoro" / "v1_0", tmp_path / "by hand")
    (folder / "kokoro-v1_0.pth").rename(folder / "model.pth")
    monkeypatch.chdir(folder)


def run(code: str, **names: Any) -> dict[str, Any]:
    """Runs a block that may await at its top level, as a notebook does."""
    compiled = compile(code, "docs/python.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waiting = eval(compiled, names)  # noqa: S307 - the page's own example
    if inspect.iscoroutine(waiting):
        asyncio.run(waiting)
    return names


def check_audio(chunks: list[torch.Tensor]) -> None:
    assert chunks
    for audio in chunks:
        assert isinstance(audio, torch.FloatTensor)
        assert audio.ndim == 1
        assert len(audio) > 1000


@pytest.mark.usefixtures("studio")
def test_the_usage_example_by_version() -> None:
    chunks: list[torch.Tensor] = []
    names = run(BY_VERSION, process_audio=chunks.append)
    check_audio(chunks)
    assert names["manager"].models == {"v1.0": names["model"]}
    assert names["model"].engine is ai_models.get_tts_manager().get_kokoro()


@pytest.mark.usefixtures("in_its_folder")
def test_the_usage_example_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    chunks: list[torch.Tensor] = []
    names = run(BY_HAND, process_audio=chunks.append)
    check_audio(chunks)
    assert names["model"].pipelines["en"] is names["pipeline"]
    assert names["pipeline"].language == "en-us"
    printed = capsys.readouterr().out.strip()
    assert printed.startswith("Hello world ")
    assert "wˈɜɹld" in printed


@pytest.mark.usefixtures("in_its_folder")
def test_both_ways_and_quiet_calls_have_the_same_phonemes_and_audio() -> None:
    text = "Hello world. " * 20
    model = KokoroV1Wrapper("config.json", "model.pth")
    pipeline = model.get_pipeline("en")
    spoken = list(pipeline(text, voice="af_bella"))
    assert len(spoken) > 1
    quiet = list(pipeline(text, model=False))
    assert all(result.audio is None for result in quiet)
    joined = "".join(result.phonemes for result in spoken).replace(" ", "")
    assert joined == "".join(result.phonemes for result in quiet).replace(" ", "")
    assert " ".join(result.graphemes for result in spoken).split().count("world") == 20
    again = list(pipeline(text, voice="af_bella"))
    assert all(torch.equal(a.audio, b.audio) for a, b in zip(spoken, again, strict=True))

    async def forwarded() -> list[torch.Tensor]:
        return [audio async for audio in model.forward(text, "af_bella", "en")]

    for one, other in zip(spoken, asyncio.run(forwarded()), strict=True):
        assert one.audio is not None
        assert torch.equal(one.audio, other)


@pytest.mark.usefixtures("in_its_folder")
def test_a_quiet_pipeline_speaks_with_the_model_of_the_call() -> None:
    model = KokoroV1Wrapper("config.json", "model.pth")
    quiet = KokoroPipeline("b", model=False)
    (result,) = quiet("Hello.", voice="af_bella", model=model)
    assert result.audio is not None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("fr-fr", "Un bon vin blanc."),
        ("pt-br", "Não, mãe, põe o pão."),
        ("ja", "不満は富士山の麓まで。"),
        ("zh", "春眠不觉晓，处处闻啼鸟。"),
        ("hi", "हाँ, मैं यहाँ हूँ।"),
        ("es", "¿Qué año?"),
        ("it", "Gli gnocchi, perché no?"),
    ],
)
def test_a_quiet_pipeline_reads_every_language(code: str, text: str) -> None:
    """It knows all symbols that the readers write, as Kokoro v1.0's vocabulary does."""
    (result,) = KokoroPipeline(code, model=False)(text)
    assert any(map(str.isalpha, result.phonemes))


@pytest.mark.e2e
def test_a_quiet_pipeline_knows_the_vocabulary_of_the_real_model(starter_models: Path) -> None:
    config = starter_models / "kokoro/v1_0/config.json"
    assert set(json.loads(config.read_text("utf-8"))["vocab"]) <= all_symbols()


@pytest.mark.usefixtures("studio")
def test_what_cannot_be_spoken_is_refused_before_the_first_chunk() -> None:
    async def speak(**changed: str) -> None:
        model = await ModelManager().get_model("v1.0")
        given = {"text": "Hello", "voice": "af_bella", "lang_code": "en", **changed}
        async for _ in model.forward(**given):
            raise AssertionError("it spoke")

    for changed in ({"text": " "}, {"voice": "nobody"}, {"lang_code": "xx"}):
        with pytest.raises(BadInputError):
            asyncio.run(speak(**changed))
    with pytest.raises(BadInputError, match=r"v2\.0"):
        asyncio.run(ModelManager().get_model("v2.0"))

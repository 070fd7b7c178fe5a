"""The recipes of docs/adding-a-model.md for loader methods, followed as printed, in two sizes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from modules.core_components import ai_models
from modules.core_components.ai_models import ASRManager, TTSManager
from modules.core_components.ai_models.model_pool import get_model_pool
from tests.documents.pages import blocks

HEADING = "The loader methods of earlier versions"
TTS_METHOD, TTS_USE, ASR_METHOD, ASR_USE = blocks("adding-a-model.md", "python", HEADING)


class NewModel(torch.nn.Linear):
    """A model as transformers would give it: it refuses one attention and loads with the next."""

    loads: list[dict[str, Any]]

    @classmethod
    def from_pretrained(cls, name: str, **given: Any) -> NewModel:
        if given["attn_implementation"] == "sdpa":
            raise ValueError("it does not support scaled_dot_product_attention")
        cls.loads.append({"name": name, **given})
        model = cls(4, 4)
        model.name = name
        return model

    def generate(self, text: str) -> str:
        return f"{text} by {self.name}"

    def transcribe(self, path: str) -> dict[str, str]:
        return {"text": f"{path} by {self.name}"}


@pytest.fixture
def added(user_config: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of the recipes; each method is added to its manager, and nothing else."""
    monkeypatch.setattr(NewModel, "loads", [], raising=False)
    names: dict[str, Any] = {
        "torch": torch,
        "NewTTSModelClass": NewModel,
        "NewASRModelClass": NewModel,
        "text": "hello",
    }
    for code in (TTS_METHOD, ASR_METHOD):
        exec(code, names)  # noqa: S102 - the page's own example
    for manager, method in ((TTSManager, "get_new_tts_model"), (ASRManager, "get_new_asr_model")):
        monkeypatch.setattr(manager, method, names[method], raising=False)
    ai_models.get_tts_manager(user_config)
    ai_models.get_asr_manager(user_config)
    return names


def test_the_tools_use_the_new_models(added: dict[str, Any]) -> None:
    exec(TTS_USE, added)  # noqa: S102 - the page's own example
    assert added["audio"] == "hello by namespace/NewTTS-default"
    exec(ASR_USE, added)  # noqa: S102 - the page's own example
    assert added["result"] == {"text": "audio.wav by namespace/NewASR-large"}


@pytest.mark.parametrize(
    ("manager", "method", "source", "call"),
    [
        ("get_tts_manager", "get_new_tts_model", "NewTTS", lambda m: m.generate("hi")),
        ("get_asr_manager", "get_new_asr_model", "NewASR", lambda m: m.transcribe("hi")["text"]),
    ],
)
def test_each_size_is_the_model_of_that_size(
    added: dict[str, Any], manager: str, method: str, source: str, call: Callable[[Any], str]
) -> None:
    get = getattr(getattr(ai_models, manager)(), method)
    small, large = get("small"), get("large")
    for size, model in (("small", small), ("large", large), ("small", get("small"))):
        assert call(model) == f"hi by namespace/{source}-{size}"
    assert get("large") is large
    assert get("small") is small
    assert [load["name"] for load in NewModel.loads] == [
        f"namespace/{source}-small",
        f"namespace/{source}-large",
    ]
    residents = {one.key.partition("@")[0] for one in get_model_pool().snapshot()}
    assert {one.removeprefix(source.lower().replace("new", "new_") + "_") for one in residents} == {
        "small",
        "large",
    }


def test_threads_that_ask_for_different_sizes_get_their_own(added: dict[str, Any]) -> None:
    manager: Any = ai_models.get_tts_manager()
    together = threading.Barrier(4)

    def ask(size: str) -> str:
        together.wait()
        return str(manager.get_new_tts_model(size).generate("hi"))

    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            sizes = ["small", "large", "small", "huge"]
            said = list(threads.map(ask, sizes))
            assert said == [f"hi by namespace/NewTTS-{size}" for size in sizes]


def test_the_model_goes_where_this_machine_can_and_as_the_settings_say(
    added: dict[str, Any], user_config: dict[str, object]
) -> None:
    manager: Any = ai_models.get_tts_manager({**user_config, "low_cpu_mem_usage": True})
    manager.get_new_tts_model("small")
    (load,) = NewModel.loads
    here = "cuda:0" if torch.cuda.is_available() else "cpu"
    assert load["device_map"] == here
    assert load["dtype"] is torch.bfloat16
    assert load["low_cpu_mem_usage"] is True


def test_new_settings_load_anew_and_old_handles_go_on(
    added: dict[str, Any], user_config: dict[str, object]
) -> None:
    manager: Any = ai_models.get_tts_manager()
    before = manager.get_new_tts_model("small")
    ai_models.get_tts_manager({**user_config, "offline_mode": True})
    after = manager.get_new_tts_model("small")
    assert after is not before
    assert before.generate("hi") == after.generate("hi")
    manager.unload_all()
    assert before.generate("hi") == "hi by namespace/NewTTS-small"


def test_an_attribute_that_is_set_to_none_first_works_too(added: dict[str, Any]) -> None:
    """As in the managers of the first versions, which declared every model in `__init__`."""
    manager: Any = ai_models.get_tts_manager()
    manager._new_tts_model = None
    small, large = manager.get_new_tts_model("small"), manager.get_new_tts_model("large")
    assert (small.generate("a"), large.generate("a")) == (
        "a by namespace/NewTTS-small",
        "a by namespace/NewTTS-large",
    )
    manager._new_tts_model = None  # what their own code for unloading did
    assert manager.get_new_tts_model("large") is not large


def test_other_unknown_attributes_are_errors_as_ever(user_config: dict[str, object]) -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = ai_models.get_tts_manager(user_config).no_such_thing  # type: ignore[attr-defined]

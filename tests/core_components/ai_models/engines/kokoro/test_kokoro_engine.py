"""The Kokoro engine on a tiny random model: the real loading, chunking and speaking code."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.kokoro import engine as module
from modules.core_components.ai_models.engines.kokoro.engine import (
    KokoroEngine,
    KokoroOptions,
    create,
)
from modules.core_components.ai_models.engines.kokoro.fit.layers import adain_layers
from modules.core_components.ai_models.engines.kokoro.voices import pack_bytes, voice_of_prompt
from modules.core_components.ai_models.engines.options import describe_options, parse_options
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    ModelMissingError,
)
from modules.core_components.library import VoiceLibrary
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, VoicePrompt
from tests.helpers.errors import detailed

TEXT = "Hello there. This is a sentence that goes on for a while, and then it comes to an end."
LONG_TEXT = " ".join(f"This is sentence number {number}, one of many." for number in range(7))


def speech_of(pieces: Iterator[Speech]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def say(
    engine: KokoroEngine, text: str = TEXT, voice: Any = "af_one", **options: Any
) -> np.ndarray:
    return speech_of(engine.stream(text, voice, KokoroOptions(**options), CancelToken()))


def fitted_prompt(**info: Any) -> VoicePrompt:
    pack = np.random.default_rng(9).normal(0, 0.1, (510, 1, 256)).astype(np.float32)
    return VoicePrompt("0" * 64, "kokoro", "kokoro-v1.0", "r", {"style": pack}, info)


def test_it_is_a_speaking_engine(engine: KokoroEngine) -> None:
    assert isinstance(engine, TTSEngine)
    assert engine.voices() == ("af_one", "am_two")
    assert len(engine.languages) == 9
    assert engine.label == "Kokoro 82M v1.0"


def test_its_options_draw_and_check_themselves() -> None:
    names = [item.name for item in describe_options(KokoroOptions)]
    assert names == ["language", "speed", "seed", "pronunciations", "as_written"]
    with pytest.raises(BadInputError, match="Speed"):
        parse_options(KokoroOptions, {"speed": 99})
    with pytest.raises(BadInputError, match="Language"):
        parse_options(KokoroOptions, {"language": "ko"})
    with pytest.raises(BadInputError, match="Seed"):
        parse_options(KokoroOptions, {"seed": -1})


def test_it_can_be_loaded_ahead(engine: KokoroEngine, pool: ModelPool) -> None:
    engine.load()
    (resident,) = pool.snapshot()
    assert resident.key.startswith(engine.model_id)
    assert resident.holders == ()


def test_it_speaks_piece_by_piece(engine: KokoroEngine) -> None:
    pieces = list(engine.stream(LONG_TEXT, "af_one", KokoroOptions(), CancelToken()))
    assert len(pieces) > 2
    assert {piece.sample_rate_hz for piece in pieces} == {24_000}
    assert all(piece.samples.dtype == np.float32 for piece in pieces)
    assert pieces[0].duration_s < pieces[-2].duration_s


def test_the_same_seed_gives_the_same_bits(engine: KokoroEngine) -> None:
    first = say(engine, LONG_TEXT, seed=7)
    torch.rand(13)  # whatever others draw meanwhile
    assert np.array_equal(say(engine, LONG_TEXT, seed=7), first)
    assert not np.array_equal(say(engine, LONG_TEXT, seed=8), first)


def test_other_threads_do_not_disturb_the_bits(engine: KokoroEngine) -> None:
    alone = {voice: say(engine, LONG_TEXT, voice, seed=3) for voice in ("af_one", "am_two")}
    together: dict[str, np.ndarray] = {}
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set():
            torch.rand(1000, generator=torch.Generator().manual_seed(1))

    def work(voice: str) -> None:
        together[voice] = say(engine, LONG_TEXT, voice, seed=3)

    noise = threading.Thread(target=draw)
    threads = [threading.Thread(target=work, args=(voice,)) for voice in alone]
    for thread in (noise, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    noise.join()
    assert all(np.array_equal(together[voice], alone[voice]) for voice in alone)


def test_it_leaves_the_global_generator_alone(engine: KokoroEngine) -> None:
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    say(engine)
    assert torch.equal(torch.rand(4), expected)


def test_faster_is_shorter(engine: KokoroEngine) -> None:
    assert len(say(engine, speed=2.0)) < 0.8 * len(say(engine))


@pytest.mark.parametrize(
    ("text", "voice", "options", "reason"),
    [
        ("", "af_one", {}, "nothing to speak"),
        ("😀", "af_one", {}, "nothing to speak"),
        ("Fine. " * 300 + "你好", "af_one", {}, "你, 好"),
        ("Hello", "af_nobody", {}, "af_nobody"),
        ("Hello", "af_one(", {}, "mix"),
        ("Hello", "af_one", {"language": "xx"}, "'xx'"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_anything_is_loaded(
    engine: KokoroEngine, pool: ModelPool, text: str, voice: str, options: Any, reason: str
) -> None:
    with pytest.raises(BadInputError, match=reason):
        engine.stream(text, voice, KokoroOptions(**options), CancelToken())
    assert pool.snapshot() == ()


def test_cancelling_stops_before_the_next_chunk(engine: KokoroEngine) -> None:
    cancel = CancelToken()
    pieces = engine.stream(LONG_TEXT, "af_one", KokoroOptions(), cancel)
    next(pieces)
    cancel.cancel()
    with pytest.raises(JobCancelled):
        next(pieces)


def test_nothing_is_held_between_chunks(engine: KokoroEngine, pool: ModelPool) -> None:
    pieces = engine.stream(LONG_TEXT, "af_one", KokoroOptions(), CancelToken())
    next(pieces)
    (resident,) = pool.snapshot()
    assert resident.holders == ()
    pool.unload_all()
    assert pool.snapshot() == ()
    assert next(pieces).duration_s > 0  # loaded again


def test_a_mix_is_a_voice_of_its_own(engine: KokoroEngine) -> None:
    mixed = say(engine, voice="af_one(2)+am_two(1)")
    assert not np.array_equal(mixed, say(engine, voice="af_one"))
    assert np.array_equal(mixed, say(engine, voice="af_one(4)+am_two(2)"))


def test_a_fitted_voice_is_spoken_at_its_own_pace(engine: KokoroEngine) -> None:
    usual = say(engine, voice=fitted_prompt())
    assert not np.array_equal(usual, say(engine))
    assert len(say(engine, voice=fitted_prompt(speed=2.0))) == len(
        say(engine, voice=fitted_prompt(), speed=2.0)
    )


def test_a_fitted_voice_leaves_the_model_as_it_was(engine: KokoroEngine) -> None:
    before = say(engine)
    prompt = fitted_prompt()
    with engine.borrowed("a test", CancelToken()) as model:
        layers = len(adain_layers(model.model.decoder))
    offsets = np.full((layers, 128), 0.3, np.float32)
    colored = dataclasses.replace(prompt, tensors={**prompt.tensors, "layer_offsets": offsets})
    assert not np.array_equal(say(engine, voice=colored), say(engine, voice=prompt))
    assert np.array_equal(say(engine), before)


@pytest.mark.parametrize(
    "prompt",
    [
        dataclasses.replace(fitted_prompt(), engine="xtts"),
        dataclasses.replace(fitted_prompt(), tensors={}),
        dataclasses.replace(fitted_prompt(), tensors={"style": np.zeros((3, 256), np.float32)}),
    ],
    ids=["another engine's", "empty", "misshapen"],
)
def test_a_prompt_of_another_engine_is_refused(engine: KokoroEngine, prompt: VoicePrompt) -> None:
    with pytest.raises(BadInputError):
        engine.stream("Hello", prompt, KokoroOptions(), CancelToken())


def test_two_at_once_load_one_model(engine: KokoroEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    build = module.BUILDS["1.0"]

    class Counted(build.wrapper):  # type: ignore[name-defined, misc]
        def __init__(self, *arguments: Any) -> None:
            loads.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(engine, "_build", dataclasses.replace(build, wrapper=Counted))
    threads = [threading.Thread(target=say, args=(engine,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_a_model_that_is_not_here_is_missed_by_name(context: EngineContext, tmp_path: Path) -> None:
    catalog = Catalog(context.catalog.entries(), tmp_path / "nothing")
    engine = create(catalog.entry("kokoro-v1.0"), dataclasses.replace(context, catalog=catalog))
    assert engine.voices() == ()
    with pytest.raises(ModelMissingError):
        engine.stream("Hello", "af_one", KokoroOptions(), CancelToken())


def test_damaged_weights_are_told_and_leave_nothing_behind(
    context: EngineContext, tiny_kokoro: Path, tmp_path: Path, pool: ModelPool
) -> None:
    folder = tmp_path / "models" / "kokoro" / "v1_0"
    shutil.copytree(tiny_kokoro, folder)
    catalog = Catalog(context.catalog.entries(), tmp_path / "models")
    damaged = dataclasses.replace(context, catalog=catalog, ensure_model=lambda model_id: folder)
    engine = create(catalog.entry("kokoro-v1.0"), damaged)
    weights = folder / "kokoro-v1_0.pth"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    with pytest.raises(CorruptFileError, check=detailed(r"kokoro-v1_0\.pth")):
        say(engine)
    assert pool.snapshot() == ()
    weights.write_bytes(whole)
    assert len(say(engine)) > 0


def test_the_key_of_a_prompt_knows_the_parameters_of_the_fit(engine: KokoroEngine) -> None:
    parameters = engine.refining_parameters()
    assert parameters["algorithm"] >= 1
    assert "steps" in parameters
    assert "threads" not in parameters
    assert "steps" not in engine.prompt_parameters(), "no step shapes the match"


def test_phonemes_are_shown_as_they_will_be_spoken(engine: KokoroEngine, pool: ModelPool) -> None:
    first, second = engine.phonemize("Hello world! It works.", KokoroOptions())
    assert (first.text, first.phonemes) == ("Hello world!", "həlˈO wˈɜɹld!")
    assert second.text == "It works."
    assert pool.snapshot() == ()  # the vocabulary is enough


def test_its_own_phonemes_can_be_spoken(engine: KokoroEngine) -> None:
    phonemes = "\n".join(
        sentence.phonemes for sentence in engine.phonemize(LONG_TEXT, KokoroOptions())
    )
    pieces = engine.stream_phonemes(phonemes, "af_one", KokoroOptions(seed=7), CancelToken())
    assert np.array_equal(speech_of(pieces), say(engine, LONG_TEXT, seed=7))


@pytest.mark.parametrize(("phonemes", "reason"), [("hˈI ₤", "₤"), (" ", "nothing to speak")])
def test_phonemes_that_cannot_be_spoken_are_refused_at_once(
    engine: KokoroEngine, phonemes: str, reason: str
) -> None:
    with pytest.raises(BadInputError, match=reason):
        engine.stream_phonemes(phonemes, "af_one", KokoroOptions(), CancelToken())


def test_a_pronunciation_is_spoken_and_part_of_the_options(engine: KokoroEngine) -> None:
    usual = say(engine, "Ask Nguyen.")
    entry = "Nguyen = /wˈɪn/"
    assert not np.array_equal(say(engine, "Ask Nguyen.", pronunciations=entry), usual)
    assert np.array_equal(
        say(engine, "Ask Smith.", pronunciations=entry), say(engine, "Ask Smith.")
    )
    with pytest.raises(BadInputError, match="₤"):
        say(engine, "Ask Nguyen.", pronunciations="nguyen = /₤a/")


def test_words_come_with_their_times(engine: KokoroEngine) -> None:
    pieces = list(engine.stream(LONG_TEXT, "af_one", KokoroOptions(), CancelToken()))
    words = [word.text for piece in pieces for word in piece.words]
    assert words == LONG_TEXT.replace(",", "").replace(".", "").split()
    for piece in pieces:
        times = [time for word in piece.words for time in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert 0 <= times[0] < times[-1] <= piece.duration_s


def test_a_preset_stays_what_it_was_when_its_file_is_replaced(
    context: EngineContext, tmp_path: Path
) -> None:
    context = dataclasses.replace(context, voices_folder=tmp_path / "voices")
    engine = create(context.catalog.entry("kokoro-v1.0"), context)
    stock = [voice_of_prompt(engine.preset_prompt(name)).pack for name in ("af_one", "am_two")]
    own = VoiceLibrary(tmp_path / "voices").add("mine", pack_bytes(stock[0]), engine.model_id)
    assert engine.voices() == ("af_one", "am_two", "mine")
    fixed = engine.preset_prompt("mine")
    assert fixed.key == engine.preset_prompt("af_one").key
    own.path.write_bytes(pack_bytes(stock[1]))
    assert engine.preset_prompt("mine").key == engine.preset_prompt("am_two").key
    np.testing.assert_array_equal(say(engine, "Hello.", fixed), say(engine, "Hello.", "af_one"))

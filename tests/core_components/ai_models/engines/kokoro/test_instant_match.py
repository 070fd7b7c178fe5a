"""The instant match, with the model that ships and the real weights where speech is heard."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from modules.core_components.ai_models.engines.campplus_network import load_campplus
from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder
from modules.core_components.ai_models.engines.kokoro.fit import stock_voices
from modules.core_components.ai_models.engines.kokoro.fit.inputs import FitOptions
from modules.core_components.ai_models.engines.kokoro.fit.instant_match import (
    MIDDLE_ROW,
    WEIGHTS_FILE,
    InstantMatch,
    load_instant_model,
    match_instantly,
)
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import StockVoices
from modules.core_components.ai_models.engines.kokoro.fit.target import split_sample
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    TimbreEncoder,
    load_projection,
    whisper_statistics,
)
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import (
    find_start,
    measure_sample,
)
from modules.core_components.ai_models.engines.kokoro.reading.english import EnglishG2P
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    WEIGHTS_FILE as KOKORO_FILE,
)
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features
from modules.core_components.errors import BadInputError, CorruptFileError, StudioError
from tests.helpers.errors import detailed

RATE_HZ = 24_000


class Studio:
    """The real weights: speaks in a pack, and matches."""

    def __init__(self, models: Path) -> None:
        folder = models / "kokoro/v1_0"
        self._kokoro = KokoroV1Wrapper(folder / CONFIG_FILE, folder / KOKORO_FILE)
        text = "Bright stars shone above the quiet valley, and nobody was awake."
        self._phonemes = str(EnglishG2P(british=False)(text)[0])
        features = load_whisper_features(models / "whisper/tiny.en")
        self._timbre = TimbreEncoder(partial(whisper_statistics, features), load_projection())
        self._campplus = load_campplus(models / "campplus/campplus_cn_en_common.pt")
        self.voices = {
            path.stem: torch.load(path, weights_only=True) for path in folder.glob("voices/*.pt")
        }

    def speak(self, pack: Any) -> np.ndarray:
        style = torch.as_tensor(pack)[len(self._phonemes) - 1]
        return self._kokoro.synthesize(self._phonemes, style, seed=0).samples

    def match(
        self, samples: np.ndarray, voices: Any = None, rate_hz: int = RATE_HZ
    ) -> InstantMatch:
        known = voices or self.voices
        return match_instantly(self._timbre, self._campplus, known, samples, rate_hz)

    def start_of_a_fit(self, speech: np.ndarray, options: FitOptions) -> torch.Tensor:
        """The pack that a fit to `speech` (16 kHz) starts from."""
        kept = load_file(stock_voices.SHIPPED)
        names = tuple(sorted(self.voices))
        stock = StockVoices(names, kept["ge2e"], kept["campplus"], self._timbre, kept["ear"])
        target = measure_sample(speech, SpeakerEncoder(8, 1), self._campplus, stock)
        return find_start(target, stock, self.voices, self._campplus, speech, options)[1]

    def distance(self, a: Any, b: Any) -> float:
        """Between two packs, in standard deviations of the stock voices."""
        middles = torch.stack([pack[MIDDLE_ROW, 0] for pack in self.voices.values()])
        difference = torch.as_tensor(a)[MIDDLE_ROW, 0] - torch.as_tensor(b)[MIDDLE_ROW, 0]
        return float((difference / (middles.std(dim=0) + 1e-3)).square().mean().sqrt())


@pytest.fixture(scope="module")
def studio(starter_models: Path) -> Studio:
    return Studio(starter_models)


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["af_bella", "bm_george"])
def test_a_stock_voices_own_speech_leads_back_to_it(studio: Studio, name: str) -> None:
    found = studio.match(studio.speak(studio.voices[name]))
    assert found.start_voice == name
    assert next(iter(found.shares)) == name
    away = {other: studio.distance(found.pack, pack) for other, pack in studio.voices.items()}
    assert min(away, key=lambda other: away[other]) == name


@pytest.mark.e2e
def test_a_mix_is_found_better_than_by_the_nearest_stock_voice(studio: Studio) -> None:
    mix = 0.5 * studio.voices["am_puck"] + 0.5 * studio.voices["bf_isabella"]
    found = studio.match(studio.speak(mix))
    nearest = min(studio.distance(mix, pack) for pack in studio.voices.values())
    assert studio.distance(mix, found.pack) < 0.9 * nearest
    assert found.similarity_expected > found.similarity_start


@pytest.mark.e2e
def test_a_fit_starts_from_the_match_of_enough_speech(studio: Studio) -> None:
    sample = studio.speak(0.5 * studio.voices["am_puck"] + 0.5 * studio.voices["bf_isabella"])
    speech = librosa.resample(sample, orig_sr=RATE_HZ, target_sr=16_000)
    matched = studio.match(speech, rate_hz=16_000).pack
    assert np.array_equal(studio.start_of_a_fit(speech, FitOptions()).numpy(), matched)
    short = studio.start_of_a_fit(speech[: int(1.7 * 16_000)], FitOptions())
    plain = studio.start_of_a_fit(speech, FitOptions(from_match=0))
    for start in (short, plain):
        assert any(torch.equal(start, pack) for pack in studio.voices.values())


@pytest.mark.e2e
def test_the_same_sample_gives_the_same_bits(studio: Studio) -> None:
    sample = studio.speak(studio.voices["am_adam"])
    first, second = studio.match(sample), studio.match(sample)
    assert first.pack.dtype == np.float32
    assert first.pack.shape == (510, 1, 256)
    assert np.array_equal(first.pack, second.pack)
    assert first.shares == second.shares
    assert sum(first.shares.values()) == pytest.approx(1)


@pytest.mark.e2e
def test_voices_that_were_never_learned_are_refused(studio: Studio) -> None:
    sample = studio.speak(studio.voices["am_adam"])
    others = {name: pack + 0.1 for name, pack in studio.voices.items()}
    with pytest.raises(StudioError, match="none of these voices"):
        studio.match(sample, others)


def test_too_short_a_sample_is_refused_as_by_the_fit() -> None:
    sample = np.full(RATE_HZ, 0.1, np.float32)
    with pytest.raises(BadInputError) as by_the_fit:
        split_sample(sample, RATE_HZ, 0.15)
    with pytest.raises(BadInputError) as instantly:
        match_instantly(None, None, {}, sample, RATE_HZ)  # type: ignore[arg-type]
    assert str(instantly.value) == str(by_the_fit.value)
    assert instantly.value.hint == by_the_fit.value.hint


def saved(path: Path, **changes: Any) -> Path:
    """The shipped model with other tensors, or with another `key`."""
    with safe_open(WEIGHTS_FILE, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    metadata["key"] = changes.pop("key", metadata["key"])
    save_file({**tensors, **changes}, path, metadata=metadata)
    return path


def test_a_harmed_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    whole = load_instant_model()
    load_instant_model(saved(path))  # unchanged, it is taken
    path.write_bytes(WEIGHTS_FILE.read_bytes()[:-1000])
    with pytest.raises(CorruptFileError, check=detailed(r"model\.safetensors")):
        load_instant_model(path)
    with pytest.raises(CorruptFileError, check=detailed("finite")):
        load_instant_model(saved(path, gain=torch.full(whole.gain.shape, float("nan"))))
    with pytest.raises(CorruptFileError, check=detailed("fit together")):
        load_instant_model(saved(path, basis=torch.zeros(7, 256)))
    with pytest.raises(CorruptFileError, check=detailed("another timbre encoder")):
        load_instant_model(saved(path, key="0"))
    with pytest.raises(CorruptFileError, check=detailed("is damaged")):
        load_instant_model(saved(path, surplus=torch.zeros(1)))
    with pytest.raises(CorruptFileError):
        load_instant_model(tmp_path / "missing.safetensors")

"""Saving, importing and exporting voices, over the files of a tiny Kokoro."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.kokoro.voices import (
    PACK_SHAPE,
    load_pack,
    save_pack,
)
from modules.core_components.errors import BadInputError, ModelMissingError
from modules.core_components.values import FloatArray, VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.history import make_again
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.tools.speaking.voice_lookup import find_voice, voices_to_choose
from modules.tools.voices.own_voices import export_preset, import_voice, save_mix
from modules.tools.voices.preset_voices import preset_voices
from tests.helpers.fakes import SINE, SineEngine, add_noise, fake_studio

KOKORO = "kokoro-v1.0"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    for index, name in enumerate(("af_one", "bm_two")):
        folder = tmp_path / "models" / "kokoro" / "v1_0" / "voices"
        folder.mkdir(parents=True, exist_ok=True)
        save_pack(filled(index), folder / f"{name}.pt")
    services, _ = fake_studio(tmp_path)
    yield services
    services.close()
    reset_managers()


def filled(value: float) -> FloatArray:
    return np.full(PACK_SHAPE, value, np.float32)


def test_a_saved_mix_is_a_voice_like_the_others(services: Services, tmp_path: Path) -> None:
    kept = save_mix(services, " bm_two(3)-af_one ", "Deep - voice")
    assert (kept.name, kept.language) == ("Deep_voice", "en-gb")
    assert kept.made_from == "bm_two(3)-af_one"
    engine = services.tts.get(KOKORO)
    assert engine.voices() == ("af_one", "bm_two", "Deep_voice")
    assert find_voice(services, engine, "Deep_voice").language == "en-gb"
    assert find_voice(services, engine, "Deep_voice(2)+af_one").language == "en-gb"
    shown = preset_voices(services, engine)[-1]
    assert (shown.label, shown.is_own) == ("Deep - voice · your own", True)
    assert [voice.is_own for voice in voices_to_choose(services, KOKORO)] == [False, False, True]
    for suffix in (".pt", ".safetensors", ".bin"):
        written = export_preset(services, "Deep_voice", tmp_path / "out" / f"deep{suffix}")
        assert np.array_equal(load_pack(written), filled(1.5))


def test_a_voice_is_imported_under_its_own_or_another_name(
    services: Services, tmp_path: Path
) -> None:
    file = save_pack(filled(0.25), tmp_path / "my-friend.pt")
    assert import_voice(services, file).name == "my_friend"
    kept = import_voice(services, file, "Anna", "it")
    assert (kept.name, kept.language, kept.made_from) == (
        "Anna",
        "it",
        "imported from my-friend.pt",
    )
    assert np.array_equal(load_pack(kept.path), filled(0.25))


def test_what_cannot_be_kept_is_refused(services: Services, tmp_path: Path) -> None:
    add_noise(services, "Anna")
    good = save_pack(filled(0.25), tmp_path / "good.pt")
    for label in ("af_one", "AF_ONE", "anna"):
        with pytest.raises(BadInputError, match="already"):
            import_voice(services, good, label)
    with pytest.raises(BadInputError, match="does not speak"):
        import_voice(services, good, "new", "xx")
    with pytest.raises(BadInputError, match="af_three"):
        save_mix(services, "af_one+af_three", "new")
    with pytest.raises(BadInputError, match="cannot be mixed"):
        export_preset(services, "high", tmp_path / "high.pt", SINE)
    (tmp_path / "bad.pt").write_bytes(b"not a voice")
    with pytest.raises(BadInputError, match=r"bad\.pt"):
        import_voice(services, tmp_path / "bad.pt")
    assert services.voices.list() == ()


def test_a_model_that_is_not_here_is_told(services: Services, tmp_path: Path) -> None:
    for path in (tmp_path / "models").rglob("*.pt"):
        path.unlink()
    with pytest.raises(ModelMissingError, match="Kokoro"):
        find_voice(services, services.tts.get(KOKORO), "af_one")


class PackSine(SineEngine):
    """A sine whose voices can change; `pack` is what they are made of now."""

    pack = "1"

    def preset_prompt(self, voice: str) -> VoicePrompt:
        pitch_hz = np.array([300.0 + int(self.pack)])
        return VoicePrompt(f"{voice}-{self.pack}", "sine", SINE, "r1", {"hz": pitch_hz})


def test_a_take_knows_its_voice_and_is_not_made_again_with_another(tmp_path: Path) -> None:
    services, _ = fake_studio(tmp_path)
    engine = PackSine()
    services.tts._handles[SINE] = engine
    take = speak(services, SpeechRequest("one two", "high", "preset", SINE, seed=1, score=False))
    assert take.prompt_key == "high-1"
    assert make_again(services, take.id).identical
    engine.pack = "2"
    with pytest.raises(BadInputError, match="'high' is now a different one"):
        make_again(services, take.id)
    services.close()
    reset_managers()

"""Voices from a description: designing, hearing, keeping."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from modules.core_components.ai_models.engines.options import option
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.history import make_again
from modules.tools.speaking.live_speech import complete_live_speech, open_live_speech
from modules.tools.speaking.request import SpeechRequest, complete_speech
from modules.tools.speaking.speech import speak
from modules.tools.voices.design import DesignRequest, design_voice, keep_voice, submit_design
from tests.helpers.fakes import SINE, SineEngine, SineOptions, fake_entry

DESIGNER = "designer-1"
LIKE = "A calm old man from the coast."
TEXT = "These are the words [pause:200ms] that the new voice says, and a few more to make it long."


@dataclasses.dataclass(frozen=True)
class DesignerOptions(SineOptions):
    language: str = option("auto", "Language", "Of the text.")


class Designer(SineEngine):
    """Speaks every description in a pitch of its own, with something like syllables."""

    model_id = DESIGNER
    can_clone = False
    options_type = DesignerOptions
    languages = ("auto", "en-us", "it")
    notes: tuple[str, ...] = ()

    def voices(self) -> tuple[str, ...]:
        return ()

    def stream(
        self, text: str, voice: VoicePrompt | str, options: SineOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        assert isinstance(voice, str)
        for piece in self._speak(text, 120.0 + len(voice), options, cancel):
            overtones = sum(np.roll(piece.samples, shift) for shift in range(0, 40, 7))
            yield dataclasses.replace(
                piece, samples=(overtones / 7).astype(np.float32), notes=self.notes
            )


@pytest.fixture
def designer(services: Services) -> Designer:
    engine = Designer()
    entry = fake_entry(DESIGNER, "text-to-speech", ("voice-design",))
    services.tts.register_engine(DESIGNER, lambda entry, context: engine, entry)
    return engine


@pytest.fixture(autouse=True)
def any_sound_is_speech(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    monkeypatch.setattr(services.samples, "_check", lambda speech: ())


def request(**changes: object) -> DesignRequest:
    return dataclasses.replace(
        DesignRequest(LIKE, TEXT, DESIGNER, "en-us", seed=5),
        **changes,  # type: ignore[arg-type]
    )


@pytest.mark.usefixtures("designer")
def test_a_designed_voice_is_a_take_that_can_be_made_again(services: Services) -> None:
    heard: list[Speech] = []
    take = design_voice(services, request(), on_piece=heard.append)
    assert (take.kind, take.voice, take.seed, take.path.suffix) == ("description", LIKE, 5, ".wav")
    assert sum(len(piece.samples) for piece in heard) == read_speech(take.path).samples.size
    assert make_again(services, take.id).identical
    live = complete_live_speech(services, request().spoken())
    spoken = np.concatenate(
        [piece.samples for piece in open_live_speech(services, live, CancelToken())]
    )
    np.testing.assert_array_equal(spoken, np.concatenate([piece.samples for piece in heard]))


@pytest.mark.usefixtures("designer")
def test_a_kept_voice_knows_where_it_is_from(services: Services) -> None:
    take = design_voice(services, request())
    sample = keep_voice(services, take.id, "Old Tom")
    kept = services.samples.get("Old Tom")
    assert kept.ref_text.split() == TEXT.replace("[pause:200ms]", "").split()
    assert kept.language == "en-us"
    assert kept.consent is not None
    assert "designed voice" in kept.consent.speaker
    design = kept.info["design"]
    assert (design["description"], design["seed"], design["text"]) == (LIKE, 5, TEXT)
    assert (design["model"], design["revision"]) == (DESIGNER, "r1")
    np.testing.assert_array_equal(read_speech(sample.path).samples, read_speech(take.path).samples)
    spoken = speak(services, SpeechRequest("Hello.", "Old Tom", engine=SINE, language="it"))
    assert spoken.sample_sha256 == kept.audio_sha256


@pytest.mark.usefixtures("designer")
def test_the_language_of_an_automatic_voice_is_found(services: Services) -> None:
    text = "Questa è la voce che non era ancora mai stata sentita, e anche questo è un testo."
    take = design_voice(services, request(text=text, language="auto"))
    assert keep_voice(services, take.id, "Aldo").language == "it"


@pytest.mark.usefixtures("designer")
def test_as_a_job(services: Services) -> None:
    job = services.jobs.wait(submit_design(services, request(seed=None)).id, 20.0)
    assert job.state == "done"
    take = services.takes.get((job.result or {})["take"])
    assert take.seed == job.payload["seed"]
    assert keep_voice(services, take.id, "Tom").info["design"]["seed"] == take.seed


def test_what_was_cut_off_is_told_and_not_kept(services: Services, designer: Designer) -> None:
    designer.notes = ("Cut off after 3 seconds.",)
    take = design_voice(services, request(text="One."))
    assert services.takes.get(take.id).notes == designer.notes
    with pytest.raises(BadInputError, match="does not say all of its text"):
        keep_voice(services, take.id, "Half a man")


@pytest.mark.usefixtures("designer")
def test_who_cannot_and_what_is_missing(services: Services) -> None:
    take = speak(services, SpeechRequest("Hello.", "high", "preset", SINE, "it"))
    with pytest.raises(BadInputError, match="not made from a description"):
        keep_voice(services, take.id, "Nobody")
    with pytest.raises(BadInputError, match="cannot make a voice from a description"):
        design_voice(services, request(engine=SINE))
    with pytest.raises(BadInputError, match="can only make a voice from a description"):
        complete_speech(services, SpeechRequest("Hello.", "high", "preset", DESIGNER, "en-us"))
    designed = design_voice(services, request())
    with pytest.raises(BadInputError, match="no name yet"):
        keep_voice(services, designed.id, " ")

"""A sample's voice speaks at once and becomes better in the background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modules.core_components.audio.files import read_speech
from modules.core_components.errors import StudioError
from modules.core_components.jobs.job import CANCELLED, DONE
from modules.core_components.progress import CancelToken
from modules.core_components.settings import change
from modules.core_components.values import Take
from modules.tools.jobs import register_job_kinds
from modules.tools.services import Services, open_services
from modules.tools.speaking.history import make_again
from modules.tools.speaking.live_speech import complete_live_speech, open_live_speech
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak, submit_speech
from modules.tools.voices.refinement import (
    REFINE,
    is_being_refined,
    resume_refinements,
    submit_refinement,
)
from modules.tools.voices.samples import export_voice
from tests.helpers.fakes import MATCH, SINE, MatchEngine, add_match, add_noise

SOON_S = 10.0


@pytest.fixture
def engine(services: Services) -> MatchEngine:
    add_noise(services)
    return add_match(services)


def wish(**fields: object) -> SpeechRequest:
    steady = {"steady": True}
    return SpeechRequest("Some words", "Anna", engine=MATCH, options=steady, **fields)  # type: ignore[arg-type]


def spoken_by_job(services: Services) -> Take:
    job = services.jobs.wait(submit_speech(services, wish()).id, SOON_S)
    assert job.state == DONE, job.error
    return services.takes.get(str((job.result or {})["take"]))


def finish_refinements(services: Services) -> list[str]:
    return [services.jobs.wait(job.id, SOON_S).state for job in services.jobs.list(kind=REFINE)]


def pitch_hz(take: Take) -> float:
    speech = read_speech(take.path)
    spectrum = np.abs(np.fft.rfft(speech.samples))
    return float(np.argmax(spectrum) * speech.sample_rate_hz / len(speech.samples))


def test_a_first_take_waits_for_no_refinement_and_later_ones_have_it(
    services: Services, engine: MatchEngine
) -> None:
    engine.may_refine.clear()
    first = spoken_by_job(services)
    assert not engine.refined
    assert is_being_refined(services, MATCH, "Anna")
    assert not is_being_refined(services, MATCH, "Ben")
    engine.may_refine.set()
    assert finish_refinements(services) == [DONE]
    assert not is_being_refined(services, MATCH, "Anna")
    second = spoken_by_job(services)
    assert pitch_hz(second) == pytest.approx(2 * pitch_hz(first), rel=0.02)
    assert first.prompt_key != second.prompt_key
    assert finish_refinements(services) == [DONE], "it is refined once"


def test_takes_of_each_state_are_made_again_with_it(
    services: Services, engine: MatchEngine
) -> None:
    engine.may_refine.clear()
    first = spoken_by_job(services)
    engine.may_refine.set()
    finish_refinements(services)
    second = spoken_by_job(services)
    for take in (first, second):
        assert make_again(services, take.id).identical
    services.tts.prompts.clear()  # and when the prompts have to be made anew
    for take in (first, second):
        assert make_again(services, take.id).identical


def test_a_changed_reference_text_has_no_earlier_state(
    services: Services, engine: MatchEngine
) -> None:
    take = spoken_by_job(services)
    finish_refinements(services)
    services.samples.update("Anna", ref_text="Other words.")
    services.tts.prompts.clear()
    again = make_again(services, take.id)
    assert again.take.prompt_key not in ("", take.prompt_key)


def test_what_the_settings_forbid_or_the_user_cancelled_is_not_done_by_itself(
    services: Services, engine: MatchEngine
) -> None:
    services.settings = change(services.settings, refine_voices=False)
    spoken_by_job(services)
    assert not services.jobs.list(kind=REFINE)
    services.settings = change(services.settings, refine_voices=True)
    engine.may_refine.clear()
    spoken_by_job(services)
    (job,) = services.jobs.list(kind=REFINE)
    services.jobs.cancel(job.id)
    assert finish_refinements(services) == [CANCELLED]
    engine.may_refine.set()
    spoken_by_job(services)
    assert finish_refinements(services) == [CANCELLED]
    wanted = submit_refinement(services, MATCH, services.samples.get("Anna"))
    assert wanted is not None
    assert services.jobs.wait(wanted.id, SOON_S).state == DONE
    assert submit_refinement(services, MATCH, services.samples.get("Anna")) is None


def test_a_voice_whose_prompt_is_gone_is_refined_again(
    services: Services, engine: MatchEngine
) -> None:
    spoken_by_job(services)
    finish_refinements(services)
    services.tts.prompts.clear()
    spoken_by_job(services)
    assert finish_refinements(services) == [DONE, DONE]
    assert engine.refined == 2


def test_a_sample_deleted_meanwhile_costs_no_take(
    services: Services, engine: MatchEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.may_speak.clear()
    job = submit_speech(services, wish())
    assert engine.speaking.wait(SOON_S)
    services.samples.delete("Anna")
    engine.may_speak.set()
    assert services.jobs.wait(job.id, SOON_S).state == DONE
    assert "is not refined" in caplog.text
    assert not services.jobs.list(kind=REFINE)


def test_a_model_that_refines_nothing_queues_nothing(
    services: Services, engine: MatchEngine
) -> None:
    sample = services.samples.get("Anna")
    assert submit_refinement(services, SINE, sample) is None
    assert services.tts.refine_voice(SINE, sample)[0] == services.tts.prepare_voice(SINE, sample)[0]


def test_a_program_hears_a_sample_at_once_and_starts_the_refinement(
    services: Services, engine: MatchEngine
) -> None:
    engine.may_refine.clear()
    request = complete_live_speech(services, wish())
    assert list(open_live_speech(services, request, CancelToken()))
    (job,) = services.jobs.list(kind=REFINE)
    assert job.is_active
    engine.may_refine.set()
    assert finish_refinements(services) == [DONE]


def test_a_command_without_a_studio_refines_nothing_behind_it(
    services: Services, engine: MatchEngine
) -> None:
    speak(services, wish())
    assert not services.jobs.list(kind=REFINE)


def test_a_command_may_wait_for_the_refined_voice(services: Services, engine: MatchEngine) -> None:
    first = speak(services, wish())
    second = speak(services, wish(refined=True))
    assert pitch_hz(second) == pytest.approx(2 * pitch_hz(first), rel=0.02)
    assert speak(services, wish()).prompt_key == second.prompt_key, "it is kept"


def test_an_export_is_refined(services: Services, engine: MatchEngine, tmp_path: Path) -> None:
    with pytest.raises(StudioError):  # a sine is no pack
        export_voice(services, "Anna", tmp_path / "anna.pt", MATCH)
    assert engine.refined == 1


def test_the_next_start_goes_on(services: Services, engine: MatchEngine) -> None:
    engine.may_refine.clear()
    spoken_by_job(services)
    services.jobs.shutdown()
    root = services.settings.root
    with_same_jobs = open_services(root, services.overrides)
    register_job_kinds(with_same_jobs)
    engine.may_refine.set()
    resume_refinements(with_same_jobs)
    assert finish_refinements(with_same_jobs) == [DONE]
    assert engine.refined == 1
    with_same_jobs.close()

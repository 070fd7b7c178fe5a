"""A new sample's voice is prepared in the background, and gives way to what the user asks for."""

from __future__ import annotations

import threading

import pytest

from modules.core_components.jobs.job import CANCELLED, DONE, RUNNING
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.settings import change
from modules.core_components.values import Sample, VoicePrompt
from modules.tools.jobs import register_job_kinds
from modules.tools.services import Services, open_services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import submit_speech
from modules.tools.voices.preparation import (
    PREPARE,
    cloning_model,
    is_preparing,
    prepare_later,
    resume_preparations,
)
from tests.helpers.fakes import (
    LARGE_TONE,
    MATCH,
    SINE,
    SineEngine,
    add_match,
    add_noise,
    add_tones,
    fake_entry,
)
from tests.helpers.waiting import eventually

SOON_S = 10.0
SLOW = "slow-1"


class SlowEngine(SineEngine):
    """Prepares a voice once it may; counts how often it began."""

    model_id = SLOW

    def __init__(self) -> None:
        super().__init__()
        self.may_prepare = threading.Event()
        self.preparing = threading.Event()
        self.begun = 0

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        self.begun += 1
        self.preparing.set()
        while not self.may_prepare.wait(0.01):
            cancel.raise_if_cancelled()
        return super().prepare_voice(sample, progress, cancel)


@pytest.fixture
def engine(services: Services) -> SlowEngine:
    add_noise(services)
    slow = SlowEngine()
    services.tts.register_engine(
        SLOW, lambda entry, context: slow, fake_entry(SLOW, "text-to-speech", ("clone",))
    )
    return slow


def is_prepared(services: Services, model_id: str = SLOW) -> bool:
    return services.tts.prepared_voice(model_id, services.samples.get("Anna")) is not None


def test_a_voice_is_prepared_once_for_the_usual_model(services: Services) -> None:
    add_noise(services)
    assert cloning_model(services) == SINE
    job = prepare_later(services, "Anna")
    assert job is not None
    assert job.title == "Prepare the voice of Anna"
    assert services.jobs.wait(job.id, SOON_S).state == DONE
    assert is_prepared(services, SINE)
    assert prepare_later(services, "Anna") is None


def test_the_setting_turns_it_off(services: Services) -> None:
    add_noise(services)
    services.settings = change(services.settings, prepare_voices=False)
    assert prepare_later(services, "Anna") is None
    assert not services.jobs.list(kind=PREPARE)


def test_without_a_model_or_a_sample_nothing_is_queued(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    assert prepare_later(services, "Nobody") is None
    assert "is not prepared" in caplog.text
    assert not services.jobs.list(kind=PREPARE)


def test_it_stops_for_other_work_and_begins_anew(services: Services, engine: SlowEngine) -> None:
    job = prepare_later(services, "Anna", SLOW)
    assert job is not None
    assert engine.preparing.wait(SOON_S)
    assert is_preparing(services, "Anna")
    sine = services.tts.get(SINE)
    assert isinstance(sine, SineEngine)
    sine.may_speak.clear()
    engine.preparing.clear()
    other = submit_speech(services, SpeechRequest("Some words", "high", kind="preset"))
    assert sine.speaking.wait(SOON_S)
    eventually(lambda: "Others compute" in "\n".join(services.jobs.get(job.id).log))
    engine.may_prepare.set()
    assert services.jobs.get(other.id).state == RUNNING
    assert engine.begun == 1
    assert not is_prepared(services)
    sine.may_speak.set()
    assert services.jobs.wait(job.id, SOON_S).state == DONE
    assert engine.begun == 2
    assert is_prepared(services)


def test_a_take_in_the_same_voice_shares_the_work(services: Services, engine: SlowEngine) -> None:
    job = prepare_later(services, "Anna", SLOW)
    assert job is not None
    assert engine.preparing.wait(SOON_S)
    take = submit_speech(services, SpeechRequest("Some words", "Anna", engine=SLOW))
    eventually(lambda: services.jobs.get(take.id).state == RUNNING)
    assert services.jobs.wait(job.id, 0.5).state == RUNNING, "it does not give way to that"
    engine.may_prepare.set()
    assert services.jobs.wait(take.id, SOON_S).state == DONE
    assert services.jobs.wait(job.id, SOON_S).state == DONE
    assert engine.begun == 1


def test_the_user_can_cancel_it(services: Services, engine: SlowEngine) -> None:
    job = prepare_later(services, "Anna", SLOW)
    assert job is not None
    assert prepare_later(services, "Anna", SLOW) is None, "it is queued already"
    assert engine.preparing.wait(SOON_S)
    services.jobs.cancel(job.id)
    assert services.jobs.wait(job.id, SOON_S).state == CANCELLED
    assert not is_preparing(services, "Anna")


def test_it_does_not_wait_for_a_refinement(services: Services, engine: SlowEngine) -> None:
    from modules.tools.voices.refinement import submit_refinement

    match = add_match(services)
    match.may_refine.clear()
    assert submit_refinement(services, MATCH, services.samples.get("Anna")) is not None
    engine.may_prepare.set()
    job = prepare_later(services, "Anna", SLOW)
    assert job is not None
    assert services.jobs.wait(job.id, SOON_S).state == DONE
    match.may_refine.set()


def test_no_model_leaves_memory_for_it(services: Services) -> None:
    add_noise(services)
    add_tones(services, {"cpu": 800})
    services.tts.get(LARGE_TONE).load()
    job = prepare_later(services, "Anna", SINE)
    assert job is not None
    services.jobs.wait(job.id, SOON_S)
    assert [one.key.partition("@")[0] for one in services.tts.pool.snapshot()] == [LARGE_TONE]


def test_the_next_start_goes_on(services: Services, engine: SlowEngine) -> None:
    assert prepare_later(services, "Anna", SLOW) is not None
    assert engine.preparing.wait(SOON_S)
    services.jobs.shutdown()
    same = open_services(services.settings.root, services.overrides)
    register_job_kinds(same)
    engine.may_prepare.set()
    resume_preparations(same)
    (job,) = same.jobs.list(kind=PREPARE)
    assert same.jobs.wait(job.id, SOON_S).state == DONE
    same.close()

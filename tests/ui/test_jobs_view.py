from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from modules.core_components.jobs import Job
from modules.tools.listening.transcribe import TRANSCRIBE
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import SPEAK, submit_speech
from modules.ui.widgets.jobs_view import JobsView, job_html
from tests.ui.conftest import Fake

WAIT_S = 20.0


@pytest.fixture
def view(services: Services) -> Iterator[JobsView]:
    with gr.Blocks():
        yield JobsView(services, (SPEAK,))


def submit(services: Services, text: str) -> Job:
    return submit_speech(services, SpeechRequest(text, "high", "preset", seed=1, score=False))


def shown(view: JobsView, job_id: str) -> dict[str, Any]:
    names = ("job_id", "finished", "panel", "cancel", "resume", "dismiss", "timer")
    return dict(zip(names, view._show(job_id), strict=True))


def test_a_running_job_is_followed_until_its_result(fake: Fake, view: JobsView) -> None:
    services, engine = fake
    engine.may_speak.clear()
    job = submit(services, "one two")
    assert engine.speaking.wait(WAIT_S)
    running = shown(view, job.id)
    assert "one two" in running["panel"]["value"]
    assert running["cancel"]["visible"]
    assert running["timer"].active
    engine.may_speak.set()
    assert services.jobs.wait(job.id, WAIT_S).state == "done"
    done = shown(view, job.id)
    assert done["finished"] == job.id
    assert not done["panel"]["visible"]
    assert not done["timer"].active


def test_a_look_at_work_that_goes_on_changes_its_words_only(fake: Fake, view: JobsView) -> None:
    services, engine = fake
    engine.may_speak.clear()
    job = submit(services, "one two")
    assert engine.speaking.wait(WAIT_S)
    words, seen = view._poll(job.id)
    assert "one two" in words["value"]
    assert view._poll(job.id)[1] == seen
    view._services.jobs.cancel(job.id)
    words, stopping = view._poll(job.id)
    assert set(words) == set(gr.skip())
    engine.may_speak.set()
    services.jobs.wait(job.id, WAIT_S)
    ended = view._poll(job.id)[1]
    services.jobs.dismiss(job.id)
    assert len({seen, stopping, ended, view._poll(job.id)[1]}) == 4  # each is shown in full


def test_cancel_stops_the_work_itself(fake: Fake, view: JobsView) -> None:
    services, engine = fake
    engine.may_speak.clear()
    job = submit(services, "one two")
    assert engine.speaking.wait(WAIT_S)
    view._cancel_job(job.id)
    assert services.jobs.wait(job.id, WAIT_S).state == "cancelled"
    assert services.takes.list() == ()
    assert shown(view, job.id)["resume"]["value"] == "Try again"


def test_the_next_in_line_is_shown_with_its_place(fake: Fake, view: JobsView) -> None:
    services, engine = fake
    engine.may_speak.clear()
    first, second, third = (submit(services, text) for text in ("one", "two", "three"))
    assert engine.speaking.wait(WAIT_S)
    seen = shown(view, third.id)
    assert seen["job_id"] == first.id
    assert "2 more in the queue" in seen["panel"]["value"]
    assert "number 2 in the queue" in job_html(services.jobs.get(third.id), 2)
    services.jobs.cancel(first.id)
    services.jobs.wait(first.id, WAIT_S)
    engine.may_speak.set()
    assert services.jobs.wait(second.id, WAIT_S).state == "done"


def test_a_failure_stays_until_dismissed_and_is_escaped(fake: Fake, view: JobsView) -> None:
    services, _ = fake
    job = submit_speech(services, SpeechRequest("hello", "<i>nobody</i>", "preset", seed=1))
    assert services.jobs.wait(job.id, WAIT_S).state == "failed"
    seen = shown(view, job.id)
    assert "&lt;i&gt;nobody" in seen["panel"]["value"]
    assert "<i>" not in seen["panel"]["value"]
    assert seen["dismiss"]["visible"]
    assert view._dismiss_job(job.id)[0] == ""
    assert services.jobs.list() == ()


def test_a_reloaded_page_finds_the_running_job(fake: Fake, view: JobsView) -> None:
    services, engine = fake
    assert view.find() == ""
    engine.may_speak.clear()
    job = submit(services, "one")
    assert engine.speaking.wait(WAIT_S)
    assert view.find() == job.id
    engine.may_speak.set()
    services.jobs.wait(job.id, WAIT_S)
    assert view.find() == job.id, "a job that was just done is shown with its result"


def test_a_job_dismissed_elsewhere_is_no_error(fake: Fake, view: JobsView) -> None:
    services, _ = fake
    job = submit_speech(services, SpeechRequest("hello", "nobody", "preset", seed=1))
    assert services.jobs.wait(job.id, WAIT_S).state == "failed"
    services.jobs.dismiss(job.id)
    gone = shown(view, job.id)
    assert gone["job_id"] == ""
    assert not gone["panel"]["visible"]
    assert not gone["timer"].active


def test_a_failure_is_shown_before_what_was_done_since(services: Services) -> None:
    with gr.Blocks():
        usual = JobsView(services, (SPEAK,))
        careful = JobsView(services, (SPEAK,), failures_first=True)
    failed = submit_speech(services, SpeechRequest("hello", "nobody", "preset", seed=1))
    assert services.jobs.wait(failed.id, WAIT_S).state == "failed"
    done = submit(services, "one")
    assert services.jobs.wait(done.id, WAIT_S).state == "done"
    assert (usual.find(), careful.find()) == (done.id, failed.id)


def test_an_interrupted_job_is_offered_again(fake: Fake, view: JobsView) -> None:
    services, engine = fake
    engine.may_speak.clear()
    job = submit(services, "one")
    assert engine.speaking.wait(WAIT_S)
    services.jobs.shutdown(WAIT_S)
    assert services.jobs.get(job.id).state == "interrupted"
    assert view.find() == job.id
    seen = shown(view, job.id)
    assert seen["resume"]["value"] == "Resume"
    assert "The studio was closed while this ran" in seen["panel"]["value"]


def test_other_kinds_are_none_of_its_business(services: Services, view: JobsView) -> None:
    job = Job("x", TRANSCRIBE, "A recording", "running", 0.0, {}, eta_s=75.0, fraction=0.5)
    assert "50% · about 1:15 min left" in job_html(job)
    assert "Cancelling" in job_html(dataclasses.replace(job, cancel_requested=True))
    assert view.find() == ""

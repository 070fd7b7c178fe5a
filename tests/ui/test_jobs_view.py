"""How the page follows jobs, on the Voice Clone tab over fakes: one studio for all tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from fastapi.testclient import TestClient

from modules.core_components.ai_models import reset_managers
from modules.core_components.jobs import Job, submitted_by
from modules.tools.listening.transcribe import TRANSCRIBE
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import SPEAK, submit_speech
from modules.ui.pages import Pages, asked_by
from modules.ui.server import create_app
from modules.ui.widgets.jobs_view import JobsView, job_html
from tests.helpers.fakes import SineEngine, fake_studio
from tests.ui.page_client import HERE, Page

WAIT_S = 20.0
TAB = "Voice Clone"
MINE = "the page of the tests"


@pytest.fixture(scope="module")
def studio(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Services, SineEngine, TestClient]]:
    root: Path = tmp_path_factory.mktemp("jobs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setenv("GRADIO_TEMP_DIR", str(root / "page"))
        services, engine = fake_studio(root)
        with TestClient(create_app(services), base_url=HERE) as client:
            yield services, engine, client
        engine.may_speak.set()
        services.close()
        reset_managers()


@pytest.fixture
def client(studio: tuple[Services, SineEngine, TestClient]) -> Iterator[TestClient]:
    services, engine, client = studio
    engine.speaking.clear()
    yield client
    engine.may_speak.set()
    for job in services.jobs.list():
        services.jobs.wait(job.id, WAIT_S)
        services.jobs.dismiss(job.id)


@pytest.fixture
def services(studio: tuple[Services, SineEngine, TestClient]) -> Services:
    return studio[0]


@pytest.fixture
def engine(studio: tuple[Services, SineEngine, TestClient]) -> SineEngine:
    return studio[1]


def submit(services: Services, text: str, voice: str = "high", page: str = MINE) -> Job:
    request = SpeechRequest(text, voice, "preset", seed=1, score=False)
    with submitted_by(page):
        return submit_speech(services, request)


def opened_on(client: TestClient, page_id: str = MINE) -> Page:
    page = Page(client, TAB, page_id)
    page.reload()
    return page


def speaking(services: Services, engine: SineEngine, text: str, page: str = MINE) -> Job:
    """A job in the middle of its work."""
    engine.may_speak.clear()
    job = submit(services, text, page=page)
    assert engine.speaking.wait(WAIT_S)
    return job


def test_a_running_job_is_followed_until_its_result(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    job = speaking(services, engine, "one two")
    page = opened_on(client)
    assert "one two" in page.text
    assert "Cancel" in page.labels("button")
    assert "Your takes appear here." in page.text
    engine.may_speak.set()
    assert services.jobs.wait(job.id, WAIT_S).state == "done"
    page.tick()
    assert "Cancel" not in page.labels("button")
    assert "Your takes appear here." not in page.text
    assert "Seed 1" in page.text
    before = page.fired
    page.tick()
    assert page.fired == before, "nothing is polled any more"


def test_work_that_goes_on_is_polled_with_one_event(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    job = speaking(services, engine, "one two")
    page = opened_on(client)
    page.tick()
    before = page.fired
    page.tick()
    assert page.fired == before + 1
    services.jobs.cancel(job.id)
    services.jobs.wait(job.id, WAIT_S)
    page.tick()
    assert page.fired > before + 2, "a change is shown in full"
    assert "Cancelled." in page.text


def test_cancel_stops_the_work_itself(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    job = speaking(services, engine, "one two")
    takes = len(services.takes.list())
    page = opened_on(client)
    page.click("Cancel")
    assert services.jobs.wait(job.id, WAIT_S).state == "cancelled"
    assert len(services.takes.list()) == takes
    page.tick()
    assert "Try again" in page.labels("button")


def test_the_next_in_line_is_shown_with_its_place(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    first = speaking(services, engine, "one")
    second, third = submit(services, "two"), submit(services, "three")
    page = opened_on(client)
    assert "2 more in the queue" in page.text
    assert services.jobs.ahead(third.id) == 2
    assert "2 ahead of you" in job_html(services.jobs.get(third.id), 2)
    services.jobs.cancel(first.id)
    services.jobs.wait(first.id, WAIT_S)
    page.tick()
    assert "high: two" in page.text
    engine.may_speak.set()
    assert services.jobs.wait(second.id, WAIT_S).state == "done"


def test_a_page_shows_its_own_jobs_and_others_only_as_ahead_of_it(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    one, other = opened_on(client, "one"), opened_on(client, "other")
    first = speaking(services, engine, "the first", "one")
    second = submit(services, "the second", page="other")
    one.reload()
    other.reload()
    assert "the first" in one.text
    assert "more in the queue" not in one.text
    assert "the second" in other.text
    assert "1 ahead of you" in other.text
    other.click("Cancel")
    assert services.jobs.get(second.id).state == "cancelled"
    engine.may_speak.set()
    assert services.jobs.wait(first.id, WAIT_S).state == "done"
    one.tick()
    other.tick()
    assert "the first" in one.text or "Seed 1" in one.text
    assert "Seed 1" not in other.text
    other.click("Dismiss")
    assert "the first" not in other.text


def test_the_job_of_a_closed_page_is_offered_to_one_that_is_opened(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    one, other = opened_on(client, "will close"), opened_on(client, "stays")
    own = submit(services, "my own", "nobody", page="stays")
    assert services.jobs.wait(own.id, WAIT_S).state == "failed"
    other.reload()
    speaking(services, engine, "the text", "will close")
    other.reload()
    assert "the text" not in other.text
    one.close()
    other.click("Dismiss")
    assert "the text" not in other.text, "the page may just be reloading"
    other.reload()
    assert "the text" in other.text
    one.reload()
    assert "the text" in one.text


def test_the_take_of_a_closed_page_comes_before_what_all_pages_share(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    """The demo sample was done after it, and hid it."""
    engine.may_speak.set()
    services.jobs.register("shared", lambda payload, job: {})
    with gr.Blocks():
        view = JobsView(services, (SPEAK, "shared"), shared=("shared",))
    take = services.jobs.wait(submit(services, "the text", page="closed").id, WAIT_S)
    shared = services.jobs.wait(services.jobs.submit("shared", "Shared", {}).id, WAIT_S)
    assert (take.state, shared.state) == ("done", "done")
    pages = Pages()
    with asked_by(pages, "new"):
        assert view.find() == take.id
    pages.open("session", "closed")
    with asked_by(pages, "new"):
        assert view.find() == shared.id


def test_what_a_program_queued_is_followed_by_no_page(
    services: Services, engine: SineEngine, client: TestClient
) -> None:
    speaking(services, engine, "the text", page="")
    mine = submit(services, "another", page="one")
    page = opened_on(client, "one")
    assert "strong>high: the text" not in page.text
    assert "1 ahead of you" in page.text
    services.jobs.cancel(mine.id)


def test_a_failure_stays_until_dismissed_and_is_escaped(
    services: Services, client: TestClient
) -> None:
    job = submit(services, "hello", "<i>nobody</i>")
    assert services.jobs.wait(job.id, WAIT_S).state == "failed"
    page = opened_on(client)
    assert "&lt;i&gt;nobody" in page.text
    assert "<i>" not in page.text
    page.click("Dismiss")
    assert "nobody" not in page.text
    assert services.jobs.list() == ()


def test_a_retry_that_fails_before_the_next_poll_is_shown_as_failed(
    services: Services, client: TestClient
) -> None:
    job = submit(services, "hello", "nobody")
    assert services.jobs.wait(job.id, WAIT_S).state == "failed"
    page = opened_on(client)
    for _ in range(2):  # the second time the page has seen one fail already
        page.click("Try again")
        assert services.jobs.wait(job.id, WAIT_S).state == "failed"
        page.tick()
        assert "Waiting" not in page.text
        assert "There is no voice" in page.text


def test_a_job_that_was_just_done_is_shown_with_its_result(
    services: Services, client: TestClient
) -> None:
    job = submit(services, "one")
    assert services.jobs.wait(job.id, WAIT_S).state == "done"
    assert "Seed 1" in opened_on(client).text


def test_a_job_dismissed_on_another_page_is_no_error(
    services: Services, client: TestClient
) -> None:
    job = submit(services, "hello", "nobody")
    assert services.jobs.wait(job.id, WAIT_S).state == "failed"
    page = opened_on(client)
    assert "Dismiss" in page.labels("button")
    services.jobs.dismiss(job.id)
    page.reload()
    assert page.errors == []
    assert "Dismiss" not in page.labels("button")


def test_a_failure_is_shown_before_what_was_done_since(
    services: Services, client: TestClient
) -> None:
    with gr.Blocks():
        usual = JobsView(services, (SPEAK,))
        careful = JobsView(services, (SPEAK,), failures_first=True)
    failed = submit(services, "hello", "nobody")
    assert services.jobs.wait(failed.id, WAIT_S).state == "failed"
    done = submit(services, "one")
    assert services.jobs.wait(done.id, WAIT_S).state == "done"
    assert (usual.find(), careful.find()) == (done.id, failed.id)


def test_jobs_of_other_kinds_are_not_followed(services: Services, client: TestClient) -> None:
    job = Job("x", TRANSCRIBE, "A recording", "running", 0.0, {}, eta_s=75.0, fraction=0.5)
    assert "50% · about 1:15 min left" in job_html(job)
    assert "Done" not in job_html(dataclasses.replace(job, fraction=1.0, message="Done"))
    assert "Cancelling" in job_html(dataclasses.replace(job, cancel_requested=True))
    with gr.Blocks():
        assert JobsView(services, (TRANSCRIBE,)).find() == ""
    submitted = submit(services, "one")
    services.jobs.wait(submitted.id, WAIT_S)
    with gr.Blocks():
        assert JobsView(services, (TRANSCRIBE,)).find() == ""
        assert JobsView(services, (SPEAK,)).find() == submitted.id

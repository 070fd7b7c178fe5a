"""A job that the studio was closed over, as the next page shows it."""

from __future__ import annotations

from modules.core_components.jobs import submitted_by
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import submit_speech
from tests.ui.conftest import Fake
from tests.ui.page_client import opened

WAIT_S = 20.0


def test_an_interrupted_job_is_offered_again(fake: Fake) -> None:
    services, engine = fake
    engine.may_speak.clear()
    request = SpeechRequest("one", "high", "preset", seed=1, score=False)
    with submitted_by("a page that is closed"):
        job = submit_speech(services, request)
    assert engine.speaking.wait(WAIT_S)
    services.jobs.shutdown(WAIT_S)
    assert services.jobs.get(job.id).state == "interrupted"
    with opened(services, "Voice Clone") as page:
        page.reload()
        assert "Resume" in page.labels("button")
        assert "The studio was closed while this ran" in page.text

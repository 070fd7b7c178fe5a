"""The list of all jobs, what is done with one, and the count that the navigation shows."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.ui.server import create_app
from modules.ui.widgets.jobs_view import progress_text
from tests.ui.conftest import Fake
from tests.ui.page_client import HERE, Page
from tests.ui.test_jobs_view import WAIT_S, submit


def test_jobs_of_every_page_are_listed_with_their_origin(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Activity", "first")
        page.reload()
        assert "Nothing has been started yet." in page.text
        jobs = [
            submit(services, f"text of {origin or 'a program'}", page=origin)
            for origin in ("first", "second", "")
        ]
        for job in jobs:
            services.jobs.wait(job.id, WAIT_S)
        page.open_tab()
        for origin in ("this page", "another page", "elsewhere"):
            assert f"<td>{origin}</td>" in page.text
        assert page.text.index("text of a program") < page.text.index("text of first")  # latest
        assert page.errors == []


def test_a_job_of_another_page_is_cancelled_resumed_and_removed(fake: Fake) -> None:
    services, engine = fake
    engine.may_speak.clear()
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Activity")
        first = submit(services, "first text", page="another")
        second = submit(services, "second text", page="another")
        page.open_tab()
        assert page.text.index("first text") < page.text.index("second text")
        page.choose_row(second.id)
        assert "Waiting: 1 ahead of you." in page.text
        page.click("Cancel")
        assert services.jobs.get(second.id).state == "cancelled"
        assert "Cancelled." in page.text
        page.click("Try again")
        assert services.jobs.get(second.id).state == "queued"
        engine.may_speak.set()
        for job in (first, second):
            assert services.jobs.wait(job.id, WAIT_S).state == "done"
        page.open_tab()
        page.choose_row(second.id)
        page.click("Remove from the list")
        assert [job.id for job in services.jobs.list()] == [first.id]
        assert "second text" not in page.text
        assert page.errors == []


def test_the_navigation_learns_how_much_is_being_done(fake: Fake) -> None:
    services, engine = fake
    engine.may_speak.clear()
    with TestClient(create_app(services), base_url=HERE) as client:
        idle = client.get("/live").json()
        assert re.fullmatch(r"[\d.]+ [MG]iB of [\d.]+ GiB of memory free", idle.pop("memory"))
        nothing = {"running": 0, "waiting": 0, "title": "", "doing": "", "fraction": 0.0}
        assert idle == nothing
        first, _ = submit(services, "first text"), submit(services, "second text")
        while services.jobs.get(first.id).state == "queued":
            pass
        answer = client.get("/live").json()
        assert (answer["running"], answer["waiting"]) == (1, 1)
        assert "first text" in answer["title"]
        assert answer["doing"] == progress_text(services.jobs.get(first.id))
        engine.may_speak.set()
    with TestClient(create_app(services, password="secret"), base_url=HERE) as client:
        assert client.get("/live").status_code == 401

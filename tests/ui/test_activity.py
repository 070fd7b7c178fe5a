"""The list of all jobs, what is done with one, and the count that the navigation shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.tools.work.executor import Tally, Work, WorkItem
from modules.tools.work.under_way import Node, published_state
from modules.ui.server import create_app
from modules.ui.tabs.activity.tab import jobs_in_order, speed_text
from modules.ui.widgets.jobs_view import progress_text
from tests.ui.conftest import Fake
from tests.ui.page_client import HERE, Page, opened
from tests.ui.test_jobs_view import WAIT_S, submit


def test_jobs_of_every_page_are_listed_with_their_origin(
    services: Services, tmp_path: Path
) -> None:
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
        assert "tasks running" not in page.text
        with heavy_work(services, tmp_path):
            page.open_tab()
            shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
            for words in (
                "Heavy work Speak &lt;40&gt; texts By the cluster",
                "Done 1 of 40, 1 failed",
                "big 16 cores, 2 GPUs; 2 workers, 1 task running",
                "&lt;small&gt; has left",
                "n17 1 core, no GPUs; no workers, no tasks running And 12 more machines",
            ):
                assert words in shown
        page.open_tab()
        assert "tasks running" not in page.text
        assert page.errors == []


@contextmanager
def heavy_work(services: Services, folder: Path) -> Iterator[None]:
    """Work of forty items on a cluster of 32 machines, one of which has left."""
    items = tuple(WorkItem(f"item {n}", {}, folder / f"{n}.json") for n in range(40))
    tally = Tally(Work("", {}, items), lambda *_: None, lambda *_: None)
    tally.finish(0)
    tally.fail(1, "It is no good.")
    with published_state(services, "Speak <40> texts", "the cluster", tally) as state_file:
        big = Node("big", "10.0.0.1", True, 16, 2, workers=2, busy=1)
        left = Node("<small>", "10.0.0.2", False, 0, 0)
        others = [Node(f"n{n}", "10.0.0.3", True, 1, 0) for n in range(30)]
        state_file.update([big, left, *others])
        yield


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


def test_what_runs_comes_first_then_what_waits_then_what_ended_last(fake: Fake) -> None:
    services, engine = fake
    done = [submit(services, "early text"), submit(services, "late text")]
    for job in done:
        services.jobs.wait(job.id, WAIT_S)
    engine.speaking.clear()
    engine.may_speak.clear()
    again = submit(services, "again text")
    services.jobs.cancel(again.id)
    services.jobs.wait(again.id, WAIT_S)
    running = submit(services, "running text")
    waiting = submit(services, "waiting text")
    services.jobs.resume(again.id)  # it was queued before the others, and comes after them
    while services.jobs.get(running.id).state == "queued":
        pass
    order = [running.id, waiting.id, again.id, done[1].id, done[0].id]
    assert [job.id for job in jobs_in_order(services)] == order
    engine.may_speak.set()
    for job in (running, waiting, again):
        services.jobs.wait(job.id, WAIT_S)
    order = [again.id, waiting.id, running.id, done[1].id, done[0].id]
    assert [job.id for job in jobs_in_order(services)] == order
    with opened(services, "Activity") as page:
        places = [page.text.index(f'data-id="{job_id}"') for job_id in order]
        assert places == sorted(places)
        assert "<small>ended " in page.text


def test_a_speed_is_told_in_the_unit_in_which_it_is_at_least_one() -> None:
    assert [speed_text(a_second) for a_second in (2.5, 0.5, 0.001)] == [
        "2.5 items a second",
        "30.0 items a minute",
        "3.6 items an hour",
    ]


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

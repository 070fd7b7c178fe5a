"""The takes below the one on show, and another one with a new seed."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from modules.core_components.jobs.job import DONE
from modules.tools.services import Services
from modules.tools.voices.previews import example_sentence
from modules.ui.server import create_app
from tests.ui.page_client import HERE, Page
from tests.ui.test_jobs_view import WAIT_S, submit


def finish_jobs(services: Services) -> None:
    for job in services.jobs.list():
        assert services.jobs.wait(job.id, WAIT_S).state == DONE


def test_another_take_differs_in_its_seed_only(services: Services) -> None:
    submit(services, "hello there")
    finish_jobs(services)
    (first,) = services.takes.list()
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Voice Presets")
        page.reload()
        page.choose_row(first.id)
        page.click("Another take")
        finish_jobs(services)
        page.tick()
        second = services.takes.list()[0]
        assert page.errors == []
        # The newest is shown, and both can be chosen.
        assert f'data-id="{second.id}" tabindex="0" class="chosen"' in page.text
        assert f'data-id="{first.id}"' in page.text
        page.choose_row(first.id)
        assert f"Seed {first.seed}" in page.text
    assert second.seed != first.seed
    same = ("text", "voice", "kind", "model_id", "language")
    assert [getattr(second, name) for name in same] == [getattr(first, name) for name in same]
    assert {**second.options, "seed": 0} == {**first.options, "seed": 0}


def test_several_takes_at_once_have_seeds_of_their_own(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Voice Presets")
        page.reload()
        page.fill("Text to speak", "hello there")
        page.fill("Takes at once", 3)
        page.fill("Seed", 5)
        page.click("Generate")
        finish_jobs(services)
        assert {take.seed for take in services.takes.list()} == {5, 6, 7}
        page.fill("Seed", -1)
        page.click("Generate")
        finish_jobs(services)
        assert len({take.seed for take in services.takes.list()}) == 6
        # The last of three would have a seed that there is not: then there are none.
        page.fill("Seed", 2**31 - 2)
        page.click("Generate")
        assert "The seed is 2147483648" in page.errors[-1]
        assert len(services.jobs.list()) == 6


def test_an_example_text_is_offered_while_nothing_is_typed(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Voice Clone")
        page.reload()
        page.click("Example text")
        assert page.value("Text to speak") == example_sentence("en")
        page.fill("Text to speak", "My own words.")
        page.click("Example text")
        assert page.value("Text to speak") == "My own words."
        assert page.errors == []


def test_a_take_that_was_deleted_elsewhere_is_reported(services: Services) -> None:
    submit(services, "hello there")
    finish_jobs(services)
    (take,) = services.takes.list()
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Voice Clone")
        page.reload()
        services.takes.delete(take.id)
        page.choose_row(take.id)
        assert "There is no take" in page.errors[0]
        page.reload()
        assert f'data-id="{take.id}"' not in page.text


def take_rows(page: Page) -> list[str]:
    return re.findall(r'<tr data-id="(\d{8}-[^"]+)"', page.text)


def test_takes_are_marked_compared_and_deleted_where_they_were_made(services: Services) -> None:
    for text in ("hello there", "good evening", "see you soon"):
        submit(services, text)
        finish_jobs(services)
    newest, middle, oldest = services.takes.list()
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Voice Presets")
        page.reload()
        page.choose_row(middle.id)
        # The take on show is not offered for a comparison with itself.
        assert page.text.count('data-act="compare"') == 2
        page.send("Latest takes", {"act": "compare", "id": oldest.id})
        assert "Settings that differ" in page.text
        assert page.text.index("good evening</p>") < page.text.index("hello there</p>")
        page.send("Latest takes", {"act": "star", "id": oldest.id, "on": True})
        assert services.takes.get(oldest.id).favourite
        assert "Settings that differ" in page.text

        page.send("Latest takes", {"act": "delete", "id": oldest.id})
        assert take_rows(page) == [newest.id, middle.id]
        # A comparison with what is gone is closed; what was on show stays.
        assert "Settings that differ" not in page.text
        assert f"Seed {middle.seed}" in page.text
        page.send("Latest takes", {"act": "undo"})
        assert take_rows(page) == [newest.id, middle.id, oldest.id]
        assert services.takes.get(oldest.id).favourite

        page.send("Latest takes", {"act": "delete", "id": middle.id})
        assert "Your takes appear here." in page.text
        assert f"Seed {middle.seed}" not in page.text
        page.send("Latest takes", {"act": "undo"})
        assert f"Seed {middle.seed}" in page.text
        for take in (middle, newest, oldest):
            page.send("Latest takes", {"act": "delete", "id": take.id})
        assert take_rows(page) == []
        page.send("The take is in the trash.", {"act": "undo"})
        assert take_rows(page) == [oldest.id]
        assert page.errors == []


def test_a_comparison_with_a_take_that_is_gone_is_refused(services: Services) -> None:
    for text in ("hello there", "good evening"):
        submit(services, text)
        finish_jobs(services)
    newest, oldest = services.takes.list()
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Voice Presets")
        page.reload()
        page.choose_row(newest.id)
        services.takes.delete(oldest.id)
        for action in ("compare", "delete", "star"):
            page.send("Latest takes", {"act": action, "id": oldest.id, "on": True})
        assert len(page.errors) == 3
        assert all("There is no take" in error for error in page.errors)
        assert f"Seed {newest.seed}" in page.text

"""What is typed stays when a job ends, when the tab is shown again, and beside the demo sample."""

from __future__ import annotations

from modules.tools.services import Services
from modules.tools.voices.samples import NAME
from tests.helpers.fakes import add_noise
from tests.helpers.small_datasets import babble, make_dataset
from tests.helpers.waiting import eventually
from tests.ui.page_client import opened

TYPED = "Half of a new sen"


def test_a_half_typed_text_outlives_the_check_of_its_dataset(services: Services) -> None:
    make_dataset(services, [("one two three", babble(3.0)), ("four five six", babble(3.0, 1))])
    with opened(services, "Dataset") as page:
        page.open_tab()
        page.choose_row("aa_0000")
        assert page.value("Text") == "one two three"
        page.fill("Text", TYPED)
        page.click("Check all clips")
        eventually(lambda: not any(job.is_active for job in services.jobs.list()), 30.0)
        page.tick()
        assert page.value("Text") == TYPED
        page.open_tab()
        assert page.value("Text") == TYPED
        page.click("Save text")
        assert services.datasets.get("Anna").rows[0].text == TYPED
        assert page.value("Text") == TYPED


def test_another_clip_shows_its_own_text(services: Services) -> None:
    make_dataset(services, [("one two three", babble(3.0)), ("four five six", babble(3.0, 1))])
    with opened(services, "Dataset") as page:
        page.open_tab()
        page.choose_row("aa_0000")
        page.fill("Text", TYPED)
        page.choose_row("aa_0001")
        assert page.value("Text") == "four five six"


def test_the_demo_sample_is_not_chosen_over_the_users_own(services: Services) -> None:
    own, demo = add_noise(services, "Aunt Anna"), add_noise(services, NAME)
    assert demo.created >= own.created
    with opened(services, "Voice Clone") as page:
        page.open_tab()
        assert page.value("Sample") == "Aunt Anna"

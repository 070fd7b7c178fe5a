"""The language of a dataset is changed on the page."""

from __future__ import annotations

from modules.tools.services import Services
from tests.helpers.small_datasets import babble, make_dataset
from tests.ui.page_client import opened


def test_the_language_is_changed_on_the_page(services: Services) -> None:
    make_dataset(services, [("one two three", babble(3.0)), ("four five six", babble(3.0, 1))])
    with opened(services, "Dataset") as page:
        page.open_tab()
        assert page.value("Spoken in") == "en"
        page.fill("Spoken in", "it")
        page.click("Change")
        assert services.datasets.get("Anna").language == "it"
        assert page.value("Spoken in") == "it"

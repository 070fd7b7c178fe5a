"""History: finding, marking, comparing, exporting and deleting takes through the page's events."""

from __future__ import annotations

import re

import pytest

from modules.core_components.values import Take
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.ui.tabs.history.filters import wanted
from tests.helpers.fakes import add_noise
from tests.ui.page_client import Page, opened


@pytest.fixture
def takes(services: Services) -> tuple[Take, ...]:
    sample = add_noise(services, "Anna")
    requests = (
        SpeechRequest("Good <b>morning</b>.", sample.name, seed=1),
        SpeechRequest("Good evening.", "high", "preset", seed=2),
        SpeechRequest("Good night.", "low", "preset", seed=3),
    )
    return tuple(speak(services, request) for request in requests)


def act(page: Page, name: str, take: Take | None = None, on: bool = True) -> None:
    """What the list's script sends."""
    page.send("Tick takes" if "Tick takes" in page.text else "selected", _sent(name, take, on))


def _sent(name: str, take: Take | None, on: bool) -> dict[str, object]:
    return {"act": name, "id": take.id if take else "", "on": on}


def listed(page: Page, takes: tuple[Take, ...]) -> list[str]:
    shown = re.findall(r'data-id="([^"]+)"', page.text)
    return [take.text for take in takes if take.id in shown]


def test_takes_are_found_by_each_filter(services: Services, takes: tuple[Take, ...]) -> None:
    first, second, third = (take.text for take in takes)
    with opened(services, "History") as page:
        assert listed(page, takes) == [first, second, third]
        page.fill("Search", "evening")
        assert listed(page, takes) == [second]
        page.fill("Search", "")
        page.fill("Made in", "preset")
        assert listed(page, takes) == [second, third]
        page.fill("Voice", "low")
        assert listed(page, takes) == [third]
        page.fill("Made in", "")
        page.fill("Voice", "")
        page.fill("Made", "today")
        page.fill("Engine", takes[0].engine)
        assert listed(page, takes) == [first, second, third]
        page.fill("Favourites only", True)
        assert listed(page, takes) == []
        assert "No take matches" in page.text
        assert page.errors == []


def test_a_star_is_kept_with_the_take(services: Services, takes: tuple[Take, ...]) -> None:
    with opened(services, "History") as page:
        act(page, "star", takes[1])
        assert page.text.count("★") == 1
        page.fill("Favourites only", True)
        assert listed(page, takes) == [takes[1].text]
        act(page, "star", takes[1], on=False)
        assert listed(page, takes) == []
    assert not services.takes.get(takes[1].id).favourite


def test_two_takes_are_compared_side_by_side(services: Services, takes: tuple[Take, ...]) -> None:
    with opened(services, "History") as page:
        act(page, "mark", takes[0])
        assert "Compare (tick two takes)" in page.labels("button")
        assert page.is_disabled("Compare (tick two takes)")
        act(page, "mark", takes[1])
        assert "2 selected" in page.text
        assert not page.is_disabled("Compare")
        page.click("Compare")
        assert page.text.count("<studio-wave") == 2
        assert "Good &lt;b&gt;morning&lt;/b&gt;." in page.text
        assert re.search(r"Voice</th>\s*<td>Anna</td>\s*<td>high</td>", page.text)
        page.send("Close comparison", {"act": "close"})
        assert "<studio-wave" not in page.text
        assert page.errors == []


def test_a_take_is_closed_when_the_address_names_it_no_more(
    services: Services, takes: tuple[Take, ...]
) -> None:
    with opened(services, "History") as page:
        page.choose_row(takes[0].id)
        assert f'href="#/history" data-take="{takes[0].id}"' in page.text
        assert "<studio-wave" in page.text
        act(page, "close")
        assert "<studio-wave" not in page.text
        assert "data-take" not in page.text
        assert 'class="chosen"' not in page.text
        assert listed(page, takes) == [take.text for take in takes]
        assert page.errors == []


def test_several_are_exported(services: Services, takes: tuple[Take, ...]) -> None:
    with opened(services, "History") as page:
        page.click("Download zip")
        assert "No takes are selected" in page.errors.pop()
        for take in takes:
            act(page, "mark", take)
        page.click("Download zip")
        page.click("Download joined")
        assert page.errors == []
    suffixes = {path.suffix for path in services.exports_folder.iterdir()}
    assert suffixes == {".zip", ".wav"}


def test_deleting_is_undone(services: Services, takes: tuple[Take, ...]) -> None:
    with opened(services, "History") as page:
        page.choose_row(takes[0].id)
        for take in takes[:2]:
            act(page, "mark", take)
        page.click("Delete selected")
        assert listed(page, takes) == [takes[2].text]
        assert "2 takes are in the trash." in page.text
        assert "0 selected" not in page.text
        act(page, "undo")
        assert listed(page, takes) == [take.text for take in takes]
        assert "in the trash." not in page.text
        page.choose_row(takes[0].id)
        page.click("Delete take")
        page.click("Delete")
        assert "The take is in the trash." in page.text
        act(page, "undo")
        assert page.errors == []
    assert services.takes.count() == 3


def test_days_begin_at_midnight_here() -> None:
    today, week = wanted("", "", "", "", "today", False), wanted("", "", "", "", "7", False)
    assert today.since is not None
    assert week.since is not None
    assert (today.since.hour, today.since.minute) == (0, 0)
    assert today.since.tzinfo is not None
    assert (today.since - week.since).days == 7
    assert wanted(" ", "", "", "", "", False).since is None

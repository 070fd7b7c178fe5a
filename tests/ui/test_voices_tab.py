"""The Voices view: its grid, the sheet of a voice, what is done with them, and their files."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.tools.voices.voice_cards import list_cards
from modules.ui.server import create_app
from tests.helpers.fakes import SINE, add_noise
from tests.ui.page_client import HERE, Page, opened

ANNA, HIGH = "sample:Anna", f"stock:{SINE}:high"


@pytest.fixture
def anna(services: Services) -> Services:
    add_noise(services, "Anna")
    return services


def act(page: Page, action: str, key: str = "", **data: Any) -> None:
    (number, *_) = (n for n in page._visible("html") if "studio-voices" in page._value(n))
    page._trigger(number, "select", {"action": action, "key": key, "shown": "", **data})


def test_the_grid_has_every_voice_and_says_what_cannot_be_done(anna: Services) -> None:
    with opened(anna, "Voices") as page:
        assert page.text.count('<li class="card"') == len(list_cards(anna)) == 3
        assert "Anna" in page.text
        assert "not prepared yet" in page.text
        stock = page.text.partition(f'data-key="{HIGH}"')[2]
        assert "cannot be renamed" in stock
        assert "cannot be exported" in stock
        assert 'data-action="rename"' not in stock


def test_a_studio_without_voices_says_where_they_come_from(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.ui.tabs.voices.tab.list_cards", lambda services: ())
    with opened(services, "Voices") as page:
        assert "No voices yet." in page.text


def test_what_is_deleted_can_be_undone_at_once(anna: Services) -> None:
    with opened(anna, "Voices") as page:
        act(page, "delete", ANNA, shown=ANNA)
        assert "Anna is in the trash." in page.text
        assert f'data-key="{ANNA}"' not in page.text
        (trash_id,) = anna.samples.trash.ids()
        act(page, "undo", trash_id)
        assert f'data-key="{ANNA}"' in page.text
        assert page.errors == []


def test_a_voice_is_renamed_and_marked(anna: Services) -> None:
    with opened(anna, "Voices") as page:
        act(page, "rename", ANNA, name="<b>Anna</b> K.")
        assert "&lt;b&gt;Anna&lt;/b&gt; K." in page.text
        act(page, "favourite", HIGH, on=True)
        assert anna.favourites.keys() == {HIGH}
        act(page, "rename", HIGH, name="Mine")
        assert "cannot be renamed" in page.errors[-1]


def test_the_address_of_a_voice_shows_its_sheet(anna: Services) -> None:
    with opened(anna, "Voices") as page:
        act(page, "list", shown=ANNA)
        assert "studio-voices sheet" in page.text
        for heading in ("Recordings", "Words", "Consent", "Likeness", "Speaks with", "Files"):
            assert f"<h3>{heading}</h3>" in page.text
        act(page, "list", shown="sample:Nobody")
        assert '<ul class="cards"' in page.text, "the grid, where there is no such voice"


def test_use_chooses_the_voice_in_the_view_that_speaks_with_it(anna: Services) -> None:
    add_noise(anna, "Zoe")
    with opened(anna, "Voices") as page:
        tabs = {p["label"]: n for n, p in page._props.items() if p["kind"] == "tabitem"}
        act(page, "use", ANNA)
        page._tab = tabs["Voice Clone"]
        page.open_tab()
        assert page.value("Kind of voice") == "sample"
        assert page.value("Sample") == "Anna"
        page._tab = tabs["Voices"]
        act(page, "use", f"stock:{SINE}:low")
        page._tab = tabs["Voice Presets"]
        page.open_tab()
        assert "Voice: low" in page.text
        assert page.value("Engine") == SINE
        assert page.errors == []


def test_recordings_and_files_are_given_by_key(anna: Services) -> None:
    with TestClient(create_app(anna), base_url=HERE) as client:
        sound = client.get(f"/voices/{quote(ANNA)}/sound")
        assert sound.status_code == 200
        assert sound.content == anna.samples.get("Anna").path.read_bytes()
        file = client.get(f"/voices/{quote(ANNA)}/file", params={"suffix": ".wav"})
        assert 'filename="Anna.wav"' in file.headers["content-disposition"]
        assert client.get(f"/voices/{quote(HIGH)}/sound").status_code == 200, "its preview"
        for key, suffix, status in (
            ("sample:Nobody", ".wav", 404),
            (HIGH, ".pt", 409),
            (HIGH, ".zip", 404),
            ("..%2F..%2Fetc%2Fpasswd", ".wav", 404),
        ):
            refused = client.get(f"/voices/{key}/file", params={"suffix": suffix})
            assert refused.status_code == status, key


def test_with_a_password_nobody_else_hears_a_voice(anna: Services) -> None:
    with TestClient(create_app(anna, password="open sesame"), base_url=HERE) as client:
        client.get("/")
        for name in ("sound", "file?suffix=.wav"):
            assert client.get(f"/voices/{quote(ANNA)}/{name}").status_code == 401

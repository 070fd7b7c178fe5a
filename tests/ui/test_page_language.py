"""No English word is left where the page speaks another language.

The translations here are no language: each message comes back between marks, so that a text that
did not go through `_` stands out wherever it is.
"""

from __future__ import annotations

import gettext
import html
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from modules.core_components.text.languages import language_name
from modules.core_components.texts import ENGLISH, LANGUAGES, use_translations
from modules.tools.services import Services
from modules.tools.voices.preset_voices import preset_voices
from modules.ui.server import create_app
from modules.ui.studio import TITLE
from tests.helpers.fakes import SINE, add_noise
from tests.ui.page_client import FORM, HERE, open_page

LEFT, RIGHT = "⟦", "⟧"
# What a component shows, by the name of its property; in HTML, what these attributes say.
SHOWN = ("label", "info", "placeholder", "value", "choices", "headers", "submit_btn", "stop_btn")
SAID = re.compile(r"""\b(?:aria-label|title|placeholder|alt)=(?:"([^"]*)"|'([^']*)')""")
WORD = re.compile(r"[A-Za-z]{2,}")


class Marked(gettext.NullTranslations):
    """Each message between marks."""

    def gettext(self, message: str) -> str:
        return f"{LEFT}{message}{RIGHT}"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


@pytest.fixture
def marked() -> Iterator[None]:
    use_translations(ENGLISH, Marked())
    yield
    use_translations(ENGLISH, gettext.NullTranslations())


def without_marked(text: str) -> str:
    """What stands outside of all marks."""
    depth, left = 0, []
    for character in text:
        depth += (character == LEFT) - (character == RIGHT)
        left.append(character if depth == 0 and character != RIGHT else " ")
    return "".join(left)


def texts_of(value: Any) -> Iterator[str]:
    """What can be read in the value of a property: in HTML its text and what is read aloud."""
    if isinstance(value, str):
        said = [html.unescape(one or other) for one, other in SAID.findall(value)]
        yield from said
        value = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", value, flags=re.DOTALL)
        yield from (html.unescape(part) for part in re.split(r"<[^>]*>", value))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from texts_of(one)


def choices_of(choices: Any) -> list[str]:
    return [str(one[0] if isinstance(one, (list, tuple)) else one) for one in choices or ()]


def shown_by(props: dict[str, Any]) -> Iterator[str]:
    """What a component with these properties shows."""
    for name in SHOWN:
        value = props.get(name)
        yield from texts_of(choices_of(value) if name == "choices" else value)
    form = FORM.search(props.get("js_on_load") or "")
    for kind in json.loads(form[1].removesuffix(";")).values() if form else ():
        for field in kind:
            yield from (field["label"], field["help"])


def names_in_no_language(services: Services) -> set[str]:
    """What is a name, and so the same in every language."""
    entries = services.catalog.entries()
    names = {name for entry in entries for name in (entry.label, entry.id, entry.licence.name)}
    names |= {language_name(code) for entry in entries for code in entry.languages}
    names |= {voice.name for voice in preset_voices(services, services.tts.get(SINE))[0:]}
    return names | {TITLE, *LANGUAGES.values(), "noise"}


def test_every_text_of_the_page_is_translated(services: Services, marked: None) -> None:
    add_noise(services)
    names = names_in_no_language(services)
    shown: dict[str, str] = {}
    with TestClient(create_app(services), base_url=HERE) as client:
        for component in client.get("/config").json()["components"]:
            shown |= dict.fromkeys(shown_by(component["props"]), component["type"])
        for outcome in open_page(client):
            for answer in outcome["output"].get("data") or ():
                texts = shown_by(answer) if isinstance(answer, dict) else texts_of(answer)
                shown |= dict.fromkeys(texts, "an answer")
    assert sum(LEFT in text for text in shown) > 300
    left = {text: without_marked(text) for text in shown}
    english = [
        f"{shown[text]}: {text}"
        for text in shown
        if left[text].strip() not in names and WORD.search(left[text])
    ]
    assert not english, "\n".join(english)

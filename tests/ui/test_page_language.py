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

from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.text.languages import language_name
from modules.core_components.texts import ENGLISH, LANGUAGES, use_translations
from modules.tools.services import Services
from modules.tools.voices.design import SUGGESTED_TEXT
from modules.tools.voices.preset_voices import preset_voices
from modules.ui.server import create_app
from modules.ui.studio import TITLE
from tests.helpers.fakes import SINE, add_noise
from tests.ui.page_client import FORM, HERE, open_page
from tests.ui.test_words_on_the_page import OPTIONS

LEFT, RIGHT = "⟦", "⟧"
# What a component shows, by the name of its property; in HTML, what these attributes say.
SHOWN = ("label", "info", "placeholder", "headers")
# Their value is a choice, which is shown by its label, or no text at all.
CHOOSE = {"radio", "dropdown", "checkboxgroup", "checkbox", "number", "slider", "state", "api"}
SAID = re.compile(r"""\b(?:aria-label|title|placeholder|alt)=(?:"([^"]*)"|'([^']*)')""")
WORD = re.compile(r"[A-Za-z]\w+")
# Units, formats, and names that are no words of a language.
NAMES = {
    *("GB", "MB", "GiB", "MiB", "kHz", "Hz", "dB", "ms", "min", "GPU", "CPU", "XTTS", "Kokoro"),
    *("bf16", "fp32", "adamw", "adamw8bit", "safetensors", "SRT", "VTT", "JSON", "Whisper"),
    # Of the fake studio.
    *("Anna", "noise", "sine", "echo", "SineOptions", "TrainingPlan", "high", "low", "cpu"),
    # Values of boxes and examples in them.
    *("af_heart", "standard", "big", "pc", "hf_"),
}
ADDRESS = re.compile(r"(?<!\S)(/|https?:/)\S+")


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


def shown_by(kind: str, props: dict[str, Any]) -> Iterator[str]:
    """What a component of that kind with these properties shows."""
    if kind == "api" or "studio-hidden" in (props.get("elem_classes") or ()):
        return
    for name in SHOWN:
        yield from texts_of(props.get(name))
    yield from choices_of(props.get("choices"))
    if kind not in CHOOSE:
        yield from texts_of(props.get("value"))
    form = FORM.search(props.get("js_on_load") or "")
    for kind in json.loads(form[1].removesuffix(";")).values() if form else ():
        for field in kind:
            yield from (field["label"], field["help"])


def names_in_no_language(services: Services) -> set[str]:
    """What is a name, and so the same in every language."""
    entries = services.catalog.entries()
    names = {name for entry in entries for name in (entry.label, entry.id, entry.licence.name)}
    names |= {language_name(code) for entry in entries for code in entry.languages}
    names |= {voice.name for voice in preset_voices(services, services.tts.get(SINE))}
    names |= {option.default for kind in OPTIONS for option in describe_options(kind)}
    return names | {TITLE, SUGGESTED_TEXT, *LANGUAGES.values(), *NAMES}


def test_every_text_of_the_page_is_translated(services: Services, marked: None) -> None:
    add_noise(services)
    names = names_in_no_language(services)
    shown: dict[str, str] = {}
    with TestClient(create_app(services), base_url=HERE) as client:
        config = client.get("/config").json()
        kinds = {component["id"]: component["type"] for component in config["components"]}
        for component in config["components"]:
            shown |= dict.fromkeys(
                shown_by(component["type"], component["props"]), component["type"]
            )
        outputs = {event["id"]: event["outputs"] for event in config["dependencies"]}
        for event_id, outcome in open_page(client).items():
            for number, answer in zip(
                outputs[event_id], outcome["output"].get("data", ()), strict=True
            ):
                kind = kinds[number]
                props = answer if isinstance(answer, dict) else {"value": answer}
                shown |= dict.fromkeys(shown_by(kind, props), f"an answer for {kind}")
    assert sum(LEFT in text for text in shown) > 400
    left = [
        f"{kind}: {text}"
        for text, kind in shown.items()
        if text not in names
        and any(
            part.strip() not in names and set(WORD.findall(part)) - NAMES
            for part in ADDRESS.sub("", without_marked(text)).split(", ")
        )
    ]
    assert not left, "\n".join(left)

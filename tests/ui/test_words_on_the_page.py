"""What the page says has labels, names that users gave, and what to press: nothing from inside.

No field name of a setting or an option, hash, id, environment variable, command of the terminal or
temporary file. Those are in an error's `details`, which the terminal and the log have.
"""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import pytest

from modules.core_components.ai_models.engines.kokoro.engine import KokoroOptions
from modules.core_components.ai_models.engines.omnivoice.options import OmniVoiceOptions
from modules.core_components.ai_models.engines.pocket_tts.engine import PocketOptions
from modules.core_components.ai_models.engines.qwen3_tts.options import CloneOptions, StyleOptions
from modules.core_components.ai_models.engines.vibevoice.script import VibeVoiceOptions
from modules.core_components.ai_models.engines.whisper import WhisperOptions
from modules.core_components.ai_models.engines.xtts.options import XttsOptions
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.errors import ModelMissingError
from modules.core_components.settings import Settings, describe_settings
from modules.tools.models import library
from modules.tools.services import Services
from modules.ui.tabs.models.tab import _about_html
from tests.helpers.fakes import add_noise
from tests.helpers.source import error_classes, trees
from tests.ui.page_client import Page, opened

# Errors for programs, and those of the terminal.
NOT_ON_THE_PAGE = ("api", "cli")
OPTIONS = (
    *(
        KokoroOptions,
        PocketOptions,
        OmniVoiceOptions,
        CloneOptions,
        StyleOptions,
        VibeVoiceOptions,
        WhisperOptions,
        XttsOptions,
    ),
    TrainingPlan,
)
FIELDS = {
    name
    for name in (*Settings.model_fields, *(f.name for kind in OPTIONS for f in fields(kind)))
    if "_" in name
}
FORBIDDEN = {
    "a field's name": re.compile(rf"\b({'|'.join(sorted(FIELDS))})\b"),
    "an environment variable": re.compile(r"\b[A-Z][A-Z0-9]+(_[A-Z0-9]+)+\b"),
    "a command of the terminal": re.compile(r"`|\b(models|train|dataset) (download|token|list)\b"),
    "a hash or an id": re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b|\b[0-9a-f]{12}_\d{4}\b"),
    "the id of a source": re.compile(r"\b(registry|hub):[\w.-]+"),
    "a unit that few know": re.compile(r"\bLUFS\b"),
    "a figure of the computation": re.compile(r"\b(distance|loss) \(?-?\d"),
    "the id of a model": re.compile(
        r"(?<![\w/-])(whisper-(tiny|base|small|medium|large)|kokoro-v\d)\b"
    ),
    "the id of a stock voice": re.compile(r"\b[abefhijpz][fm]_[a-z]+\b"),
    "a temporary file": re.compile(r"(/tmp/|\binbox/|\bgradio/)"),
}
# What is put into a message by such an expression is no word for people.
INSIDE = re.compile(r"sha256|digest|commit|revision|clip_id|clip\.id|exit_code|!r\}.*Error")
# Values that the page shows: these calls, and arguments of these names.
SHOWN_BY = {
    *("notify", "warn", "note", "title", "empty_html", "card_html", "note_html", "error_html"),
    *("Check", "Refused", "Finding", "Availability", "option", "_setting"),
    *("Button", "Textbox", "Checkbox", "Dropdown", "Accordion", "Tab", "File", "Radio", "Info"),
}
TRANSLATE = ("_", "ngettext", "mark")
SHOWN_AS = ("hint", "label", "info", "placeholder", "value")


def faults(text: str) -> list[str]:
    """What in a text is from inside, with what it is."""
    text = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return [
        f"{found.group()!r} is {what}"
        for what, pattern in FORBIDDEN.items()
        for found in pattern.finditer(text)
    ]


@dataclass(frozen=True)
class Said:
    """A text in the source; the values put into it stand in braces."""

    place: str
    text: str


def said_in_the_source() -> Iterator[Said]:
    """Messages and hints of errors, and what the page is built of."""
    errors = error_classes()
    for place, tree in trees().items():
        # The example of a mix has ids: they are what is typed there.
        if place.parts[0] in NOT_ON_THE_PAGE or (
            place.name == "voices.py" and "kokoro" in place.parts
        ):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name not in errors and name not in SHOWN_BY and name not in TRANSLATE:
                continue
            if name in TRANSLATE:
                yield Said(f"{place}:{node.lineno}", text_of(node))
                continue
            # The first of a setting is its default, which is shown by its label.
            given = node.args[1:] if name == "_setting" else node.args[:2]
            shown = [*given, *(k.value for k in node.keywords if k.arg in SHOWN_AS)]
            for text in shown:
                yield Said(f"{place}:{text.lineno}", text_of(text))


def text_of(node: ast.expr) -> str:
    """The constant parts, with the expressions between them in braces; "" for no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.FormattedValue):
        # Expressions hold names in the code, which FORBIDDEN is not about.
        return "{" + ("inside" if INSIDE.search(ast.unparse(node)) else "…") + "}"
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body)} {text_of(node.orelse)}"
    if isinstance(node, ast.Call) and ast.unparse(node.func) in TRANSLATE:
        values = {k.arg or "": ast.unparse(k.value) for k in node.keywords}
        message = " ".join(text_of(one) for one in node.args)
        return re.sub(r"\{(\w+)[^}]*\}", lambda found: _place(values, found[1]), message)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return ""


def _place(values: Mapping[str, str], name: str) -> str:
    return "{inside}" if INSIDE.search(f"{{{values.get(name, '')}}}") else "{…}"


def test_the_source_has_no_text_for_users_with_internals_in_it() -> None:
    said = list(said_in_the_source())
    assert len(said) > 2000
    wrong = [f"{one.place}: {fault}" for one in said for fault in faults(one.text)]
    wrong += [f"{one.place}: {one.text}" for one in said if "{inside}" in one.text]
    assert not wrong, "\n".join(wrong)


def test_a_setting_that_an_error_names_has_that_label() -> None:
    labels = {item.label for item in describe_settings()}
    named = {
        (one.place, label)
        for one in said_in_the_source()
        for label in re.findall(r"“([^”{]+)” (?:in the settings|on the Settings tab)", one.text)
    }
    assert len(named) >= 4
    assert {label for _place, label in named} <= labels, named


@pytest.mark.parametrize(
    "text",
    [
        "max_text_characters is 0.",
        "Set VOICE_STUDIO_MODELS to a folder.",
        "It came from registry:int8-dequantized-1.",
        "fake.wav: 3fad77aa0199bc.wav is no recording.",
        "Clip 4f4f970e5865_0000 is left out.",
        "Run `models download kokoro`.",
        "-25 LUFS",
        "Fitting, step 3 of 60 (distance 0.39)",
        "<dd>whisper-base</dd>",
        "af_alloy: Good evening.",
    ],
)
def test_what_is_from_inside_is_found(text: str) -> None:
    assert faults(text)


# The page itself, with bad input.


def check_page(page: Page, services: Services) -> None:
    for shown in (*page.errors, page.text):
        # Where a user's own files lie is theirs to know.
        assert not faults(shown.replace(str(services.settings.root), "")), shown


def test_settings_out_of_range_are_refused_by_their_labels(services: Services) -> None:
    numbers = [item for item in describe_settings() if item.maximum is not None]
    with opened(services, "Settings") as page:
        for item in numbers:
            before = page.value(item.label)
            page.fill(item.label, item.maximum + 1)
            page.click("Save")
            assert item.label in page.errors[-1]
            page.fill(item.label, before)
        assert len(page.errors) == len(numbers)
        page.fill("Allowed host names", "http://example.org/")
        page.click("Save")
        check_page(page, services)


def test_models_are_described_without_ids_hashes_and_file_names(services: Services) -> None:
    for model in library.list_models(services):
        shown = str(_about_html(model))
        assert not faults(shown.replace(str(model.folder), "")), shown
        if model.state != "installed" and model.entry.task != "support":
            with pytest.raises(ModelMissingError) as missing:
                services.downloader.verify(model.entry.id)
            assert not faults(str(missing.value))
            assert not any(file.name in str(missing.value) for file in model.entry.files)


def test_forms_that_are_sent_empty_and_unknown_things_are_answered_in_words(
    services: Services,
) -> None:
    add_noise(services, "Anna")
    presses = {
        "Voice Clone": ("Add sample", "Generate", "Transcribe sample"),
        "Voice Presets": ("Generate",),
        "Transcribe": ("Transcribe",),
        "Dataset": ("Create dataset", "Add to dataset"),
        "Train XTTS": ("Run preflight", "Judge checkpoints"),
        "Models": ("Import", "Run benchmark"),
    }
    for tab, buttons in presses.items():
        with opened(services, tab) as page:
            for button in buttons:
                page.click(button)
            assert page.errors or tab == "Train XTTS", tab
            check_page(page, services)


def test_a_take_is_described_in_words(services: Services) -> None:
    with opened(services, "Voice Clone") as page:
        page.fill("Text to speak", "Good morning.")
        page.fill("Kind of voice", "preset")
        page.click("Generate")
        jobs = services.jobs.list()
        services.jobs.wait(jobs[0].id, 60)
    (take,) = services.takes.list()
    with opened(services, "History") as page:
        page.choose_row(take.id)
        check_page(page, services)
        assert "Speed" in page.text
        assert f"<dd>{take.id}" not in page.text

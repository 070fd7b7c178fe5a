"""Voices: every voice in one grid, and a sheet for each with all that is known of it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs.job import ACTIVE
from modules.core_components.texts import _, mark
from modules.tools.models.tuned_models import EXPORT_TUNED, submit_export
from modules.tools.services import Services
from modules.tools.voices import voice_cards
from modules.tools.voices.samples import EXPORT
from modules.tools.voices.samples import submit_export as submit_sample_export
from modules.tools.voices.voice_cards import (
    DESIGNED,
    KINDS,
    MIXED,
    NO_CONSENT,
    NO_MODEL,
    PREPARING,
    READY,
    SAMPLE,
    STOCK,
    TRAINED,
    UNPREPARED,
    VoiceCard,
    list_cards,
)
from modules.tools.voices.voice_sheet import describe_voice
from modules.ui.events import listen, notify, script, warn
from modules.ui.render import empty_html, part, render
from modules.ui.views import Studio
from modules.ui.widgets.parts import LOADING, hidden_text, panel

SEQUENCE = "voices"
KIND_WORDS = {
    SAMPLE: (mark("Sample"), mark("Samples")),
    DESIGNED: (mark("Designed"), mark("Designed")),
    MIXED: (mark("Mixed"), mark("Mixed")),
    TRAINED: (mark("Trained"), mark("Trained")),
    STOCK: (mark("Stock voice"), mark("Stock voices")),
}
NO_LANGUAGE = {
    kind: mark("Any language") if kind == STOCK else mark("Language not known") for kind in KINDS
}
# What stands on a card, how it looks, and what it means.
STATE_WORDS = {
    READY: (mark("ready"), "good", mark("It speaks at once.")),
    PREPARING: (mark("preparing…"), "plain", mark("It is being prepared in the background.")),
    UNPREPARED: (
        mark("not prepared yet"),
        "plain",
        mark("Its first take takes some seconds longer."),
    ),
    NO_MODEL: (
        mark("needs a model"),
        "warn",
        mark("Download a speech model in the Models view first."),
    ),
    NO_CONSENT: (mark("no consent"), "bad", mark("Its owner did not agree.")),
}
NO_VOICES = mark(
    "No voices yet. Stock voices come with a speech model (Models view; Kokoro is small); your own "
    "begin with a recording in the Voice Clone view."
)
CLONE_VIEW, PRESETS_VIEW = "voice-clone", "voice-presets"
PACK = ".safetensors"


class VoicesTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        self._choosers = {view: studio.choosers[view] for view in (CLONE_VIEW, PRESETS_VIEW)}
        self._panel = panel(part("loading", _(LOADING)), script=script("voice_grid"))
        leads_to = hidden_text()
        chosen = [output for one in self._choosers.values() for output in one.outputs]
        self._unchanged = [gr.skip()] * len(chosen)
        studio.on_address(tab, self._show, [self._panel], SEQUENCE)
        # Each action is answered, in their order.
        acted = listen(
            self._panel.select, self._act, [], [self._panel, leads_to, *chosen], sequence=SEQUENCE
        )
        listen(acted.success, None, [leads_to], [], js=script("go_to_view"), queue=False)

    def _show(self, key: str, deleted: tuple[str, str] | None = None) -> Markup:
        """The sheet of a voice, or the grid; `deleted` are the name and trash id to undo."""
        if key:
            try:
                return sheet_html(self._services, key)
            except NotFoundError as error:  # the grid is shown all the same
                warn([f"{error.message} {error.hint}"])
        return grid_html(list_cards(self._services), deleted)

    def _act(self, done: gr.EventData) -> list[Any]:
        """What was done on a card or a sheet; `shown` is the key of the sheet on show, if any."""
        data = done._data if isinstance(done._data, dict) else {}
        action, key = str(data.get("action", "")), str(data.get("key", ""))
        shown = str(data.get("shown", ""))
        if action == "use":
            return [gr.skip(), *self._use(key)]
        if action == "favourite":
            voice_cards.mark_favourite(self._services, key, bool(data.get("on")))
            return [gr.skip(), "", *self._unchanged]
        deleted = None
        if action == "rename":
            voice_cards.rename(self._services, key, str(data.get("name", "")))
        elif action == "delete":
            name = voice_cards.find_card(self._services, key).name
            deleted = (name, voice_cards.delete(self._services, key))
            shown = ""
        elif action == "undo":
            notify(_("{name} is back.", name=voice_cards.restore(self._services, key)))
        elif action == "export":
            self._export(key)
        return [self._show(shown, deleted), "", *self._unchanged]

    def _use(self, key: str) -> list[Any]:
        """The view that speaks with the voice, and the voice chosen in it."""
        card = voice_cards.find_card(self._services, key)
        target = CLONE_VIEW if card.kind in (SAMPLE, DESIGNED) else PRESETS_VIEW
        values: list[Any] = []
        for view, chooser in self._choosers.items():
            if view == target:
                values += chooser.values(card.voice, card.model_id, card.language)
            else:
                values += [gr.skip()] * len(chooser.outputs)
        return [target, *values]

    def _export(self, key: str) -> None:
        card = voice_cards.find_card(self._services, key)
        if card.kind == TRAINED:
            submit_export(self._services, card.model_id)
        else:
            submit_sample_export(self._services, card.voice, card.model_id, PACK)
        notify(
            _("{name} is being exported.", name=card.name),
            _("The Activity view shows how far it is."),
        )


def grid_html(cards: tuple[VoiceCard, ...], deleted: tuple[str, str] | None = None) -> Markup:
    """All voices; the browser searches and filters them."""
    counts = {kind: sum(card.kind == kind for card in cards) for kind in KINDS}
    if not cards and deleted is None:
        return empty_html(_(NO_VOICES))
    return render(
        "voice_grid",
        cards=cards,
        counts=counts,
        deleted=deleted,
        kinds=KIND_WORDS,
        states=STATE_WORDS,
        no_language=NO_LANGUAGE,
    )


def sheet_html(services: Services, key: str) -> Markup:
    """One voice with all that is known of it. Raises NotFoundError."""
    sheet = describe_voice(services, key)
    card = sheet.card
    entry = services.tts.entry(card.model_id) if card.model_id else None
    exports = services.jobs.list(ACTIVE, EXPORT_TUNED if card.kind == TRAINED else EXPORT)
    names = (card.voice, card.key.partition(":")[2])
    return render(
        "voice_sheet",
        sheet=sheet,
        card=card,
        kinds=KIND_WORDS,
        states=STATE_WORDS,
        no_language=NO_LANGUAGE,
        is_kokoro=entry is not None and entry.family == "kokoro",
        is_exporting=any(
            job.payload.get("sample", job.payload.get("name")) in names for job in exports
        ),
        is_own=card.kind in (SAMPLE, DESIGNED),
        is_mix=card.kind == MIXED,
    )

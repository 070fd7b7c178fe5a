"""Settings: a control for every setting, drawn from its description in `tools`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import gradio as gr

from modules.core_components.settings import PAGE_GROUP, USER_FILE
from modules.core_components.text.languages import language_name
from modules.core_components.texts import AUTOMATIC, LANGUAGES, _
from modules.tools.first_steps import show_first_steps_again
from modules.tools.models.library import access_token
from modules.tools.settings_fields import SettingField, change_settings, setting_fields
from modules.ui.events import listen, notify
from modules.ui.views import Studio
from modules.ui.widgets.parts import note, title


class SettingsTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        fields = setting_fields(self._services)
        entries = self._services.catalog.entries()
        self._labels = {entry.id: entry.label for entry in entries}
        for item in fields:
            if item.about.name == "language":
                self._labels |= {code: language_name(code) for code in item.choices}
            elif item.about.name == "page_language":
                self._labels |= {AUTOMATIC: _("auto"), **LANGUAGES}
        self._names = [item.about.name for item in fields]
        note(_("Your settings are saved in {root}.", root=self._services.settings.root / USER_FILE))
        self._controls: list[Any] = []
        for group, items in groupby(fields, key=lambda item: item.about.group):
            self._build_group(group, list(items))
            if group == PAGE_GROUP:
                again = gr.Button(_("Show the first steps again"), size="sm")
                listen(again.click, self._show_first_steps, [], [])
        self._build_token()
        with gr.Row(elem_classes=["studio-save"]):
            save = gr.Button(_("Save"), variant="primary", size="lg")
            discard = gr.Button(_("Discard changes"), size="lg")
        # The values as they were read; compared with those shown, they say what the user changed.
        read = gr.State(None)
        shown = [*self._controls, read]
        studio.on_show(tab, self._first_values, [read], shown, unlocks=[*self._controls, save])
        listen(save.click, self._save, shown, shown)
        listen(discard.click, self._values, [], shown)

    def _build_group(self, group: str, items: list[SettingField]) -> None:
        title(_(group))
        for start in range(0, len(items), 2):
            with gr.Row(equal_height=True):
                self._controls += [
                    setting_control(item, self._labels) for item in items[start : start + 2]
                ]

    def _build_token(self) -> None:
        """The access token is written, never read back: the page does not get it."""
        title(_("Access to gated models"))
        with gr.Row(equal_height=True):
            token = gr.Textbox(
                label=_("Access token of the Hugging Face hub"),
                info=_(
                    "For models whose terms have to be accepted there, such as Pocket TTS. "
                    "Kept in a file that only you can read, and never shown."
                ),
                type="password",
                placeholder="hf_…",
            )
            with gr.Column():
                keep = gr.Button(_("Save the token"))
                forget = gr.Button(_("Remove the token"))
        listen(keep.click, self._save_token, [token], [token])
        listen(forget.click, self._remove_token, [], [token])

    def _show_first_steps(self) -> None:
        show_first_steps_again(self._services)
        notify(
            _("The first steps are on Voice Clone again."), _("They stay until you dismiss them.")
        )

    def _save_token(self, given: str) -> str:
        access_token(self._services).save(given or "")
        notify(_("The access token is saved."))
        return ""

    def _remove_token(self) -> str:
        removed = access_token(self._services).remove()
        notify(_("The access token is removed.") if removed else _("No access token was saved."))
        return ""

    def _first_values(self, read: list[Any] | None) -> list[Any]:
        """Only once: unsaved changes are kept while another tab is open."""
        return self._values() if read is None else [gr.skip()] * (1 + len(read))

    def _values(self) -> list[Any]:
        """A value for each control, and all of them once more."""
        values = [shown_value(item) for item in setting_fields(self._services)]
        return [*values, values]

    def _save(self, *shown: Any) -> list[Any]:
        *values, read = shown
        # What was not touched may have been changed elsewhere since.
        compared = zip(self._names, values, read, strict=True)
        given = {name: _from_table(value) for name, value, before in compared if value != before}
        waiting = change_settings(self._services, given)
        notify(
            _("Saved."),
            _("After a restart: {waiting}.", waiting=", ".join(waiting)) if waiting else "",
        )
        return self._values()


def setting_control(item: SettingField, labels: Mapping[str, str]) -> Any:
    """A checkbox, menu, number, text box or table; the ranges are too wide for sliders."""
    about, value = item.about, shown_value(item)
    restart = _("Takes effect after a restart.") if about.needs_restart else ""
    info = f"{about.meaning} {restart}".strip()
    if isinstance(value, list):
        return gr.Dataframe(
            value,
            label=f"{about.label}. {info}",
            headers=[_("GPU"), _("Gigabytes")],
            datatype=["str", "number"],
            type="array",
            row_count=len(value),
        )
    common = {"label": about.label, "info": info, "value": value}
    if isinstance(value, bool):
        return gr.Checkbox(**common)
    if item.choices:
        return gr.Dropdown([(labels.get(key) or _(key), key) for key in item.choices], **common)
    if isinstance(value, (int, float)):
        return gr.Number(precision=0 if isinstance(value, int) else None, **common)
    return gr.Textbox(**common)


def shown_value(item: SettingField) -> Any:
    """The value as its control shows it: a table as rows, with an empty one to write into."""
    if isinstance(item.value, dict):
        return [[name, number] for name, number in item.value.items()] or [["", ""]]
    return item.value


def _from_table(value: Any) -> Any:
    """Rows of a table as a dictionary, without the empty ones; other values as they are."""
    return {row[0]: row[1] for row in value if any(row)} if isinstance(value, list) else value

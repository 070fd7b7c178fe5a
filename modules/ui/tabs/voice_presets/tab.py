"""Voice Presets: listen to every voice, mix them, save mixes as voices, generate speech."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _
from modules.tools.models.ready_models import has_stock_voices
from modules.tools.speaking.history import AGAIN
from modules.tools.speaking.speech import SPEAK_PRESET
from modules.tools.speaking.voice_lookup import find_voice
from modules.tools.voices.own_voices import has_packs, save_mix
from modules.ui.events import listen, notify
from modules.ui.tabs.voice_presets.voice_mixer import VoiceMixer, checked_mix
from modules.ui.tabs.voice_presets.voices import (
    VoiceFiles,
    VoiceImport,
    VoiceList,
    VoicePreview,
    has_models,
)
from modules.ui.views import Studio, VoiceChooser
from modules.ui.widgets.parts import title
from modules.ui.widgets.take_panel import LATEST, GeneratePanel

SEQUENCE = "voice-presets"
ONE, MIX = "one", "mix"


class VoicePresetsTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._build_voice()
            with gr.Column(scale=7, min_width=340):
                self._generate = GeneratePanel(studio, tab, (SPEAK_PRESET, AGAIN), "preset-take")
        self._engine = self._generate.engine
        with self._file_place:
            self._files = VoiceFiles(self._services, self._engine.ready, self._list.chosen)
        with self._import_place:
            self._import = VoiceImport(self._services, self._engine.ready)
        self._listen(studio, tab)
        groups = [self._one_group, self._mix_group, self._save_group, self._file_place]
        chosen = [self._kind, self._list.chosen, self._list.kept, self._engine.ready]
        menus = [self._engine.engine, self._engine.language]
        chooser = VoiceChooser([*chosen, *menus, *groups], self._choose_voice)
        studio.choosers[str(tab.id)] = chooser
        voice = {"kind": self._kind, "voice": self._list.kept, **self._mixer.fields}
        studio.keep(tab, **voice, **self._generate.fields)

    def _build_voice(self) -> None:
        title(_("Voice"))
        kinds = [(_("One voice"), ONE), (_("Mix of voices"), MIX)]
        self._kind = gr.Radio(kinds, value=ONE, label=_("Kind of voice"), show_label=False)
        with gr.Column() as self._one_group:
            self._list = VoiceList(self._services)
        with gr.Column(visible=False) as self._mix_group:
            self._mixer = VoiceMixer()
            self._play_mix = gr.Button(_("Play mix"))
        self._preview = VoicePreview(self._services)
        self._file_place = gr.Column()
        with gr.Column(visible=False) as self._save_group:
            self._name = gr.Textbox(
                value="", label=_("Name of the new voice"), placeholder=_("Name")
            )
            self._save = gr.Button(_("Save as voice"), size="sm")
        self._import_place = gr.Column()

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        engine, language = self._engine.engine, self._engine.language
        ready, chosen, mix = self._engine.ready, self._list.chosen, self._mixer.mix
        listed = [ready, self._list.language, chosen]
        shown = [*self._list.outputs, *self._mixer.menus, self._files.own_tools]
        studio.on_show(
            tab,
            self._models,
            [engine, language],
            self._engine.outputs,
            unchecked=True,
            unlocks=[self._generate.button],
        )
        kept = [ready, self._list.language, self._list.kept]
        studio.on_show(tab, self._show, kept, shown, sequence=SEQUENCE)
        listen(engine.input, self._models, [engine, language], self._engine.outputs, unchecked=True)
        listen(ready.change, self._show, listed, shown, sequence=SEQUENCE)
        listen(self._list.language.input, self._show, listed, shown, sequence=SEQUENCE)
        listen(
            self._list.rows.select,
            self._choose,
            [ready],
            [chosen, language, self._files.own_tools, *self._preview.outputs],
            sequence=SEQUENCE,
        )
        groups = [self._one_group, self._mix_group, self._save_group, self._file_place]
        listen(self._kind.change, _show_kind, [self._kind], groups, queue=False)
        packs = [self._kind, *groups, self._import_place]
        studio.on_show(tab, self._show_packs, [ready, self._kind], packs, sequence=SEQUENCE)
        listen(ready.change, self._show_packs, [ready, self._kind], packs, sequence=SEQUENCE)
        listen(
            self._play_mix.click, self._preview_mix, [ready, mix, language], self._preview.outputs
        )
        kept = listen(
            self._save.click, self._save_mix, [ready, mix, self._name], [chosen, self._name]
        )
        listen(kept.success, self._show, listed, shown, sequence=SEQUENCE)
        arrived = listen(
            self._import.kept.change, lambda kept: kept or gr.skip(), [self._import.kept], [chosen]
        )
        listen(arrived.success, self._show, listed, shown, sequence=SEQUENCE)
        deleted = [chosen, ready, self._list.language]
        self._files.on_deleted(self._deleted, deleted, shown, SEQUENCE)
        self._generate.name_voice(studio, [self._kind, chosen, ready], self._chosen_voice)
        asked = [self._kind, chosen, mix, *self._generate.inputs]
        listen(self._generate.button.click, self._submit, asked, self._generate.followed)
        self._generate.jobs.on_finished(self._generate.show, [], self._generate.outputs, LATEST)

    def _models(self, engine: str | None, language: str | None) -> list[Any]:
        return self._engine.show(has_stock_voices, engine, language, is_cloning=False)

    def _show(self, model_id: str, language: str, chosen: str) -> list[Any]:
        """The list, the mixer's menus and the tools for the selected voice."""
        found, *rest = self._list.show(model_id, language, chosen)
        voices = self._list.voices(model_id)
        return [found, *rest, *self._mixer.offer(voices), self._own_tools(model_id, found)]

    def _show_packs(self, model_id: str, kind: str) -> list[Any]:
        """Mixing and voice files, where the model's voices are packs of numbers."""
        if not model_id or has_packs(self._services, model_id):
            return [gr.update(visible=True), *_show_kind(kind), gr.update(visible=True)]
        one, mix, save, _unused = _show_kind(ONE)
        hidden = gr.update(visible=False)
        return [gr.update(value=ONE, visible=False), one, mix, save, hidden, hidden]

    def _own_tools(self, model_id: str, name: str) -> Any:
        return gr.update(visible=self._list.is_own(model_id, name))

    def _choose(self, model_id: str, row: gr.EventData) -> list[Any]:
        """Selects a voice, sets the text's language to its own, and plays its preview."""
        voice = find_voice(self._services, self._services.tts.get(model_id), row.id)
        language = gr.update(value=voice.language) if voice.language else gr.skip()
        preview = self._preview.play(model_id, voice.name, voice.language)
        return [voice.name, language, self._own_tools(model_id, voice.name), *preview]

    def _choose_voice(self, voice: str, model_id: str, language: str) -> list[Any]:
        """Chooses a voice of a model from outside, before the menus have their choices."""
        engine = [(self._services.tts.entry(model_id).label, model_id)]
        spoken = [(language_name(language), language)]
        return [
            *(ONE, voice, voice, model_id),
            gr.update(choices=engine, value=model_id),
            gr.update(choices=spoken, value=language) if language else gr.skip(),
            *_show_kind(ONE),
        ]

    def _preview_mix(self, model_id: str, mix: str, language: str) -> list[Any]:
        return self._preview.play(model_id, checked_mix(mix), language)

    def _save_mix(self, model_id: str, mix: str, name: str) -> list[Any]:
        if not name.strip():
            raise BadInputError(
                _("The voice has no name yet."), _("Type one above the button."), "name"
            )
        kept = save_mix(self._services, checked_mix(mix), name, model_id=model_id)
        notify(
            _("{label} is saved as {name}.", label=kept.label, name=kept.name),
            _("It is the first in the list of voices."),
        )
        return [kept.name, ""]

    def _deleted(self, name: str, model_id: str, language: str) -> list[Any]:
        notify(_("{name} is deleted.", name=name))
        return self._show(model_id, language, "")

    def _chosen_voice(self, kind: str, chosen: str, model_id: str) -> str:
        if kind == MIX:
            return _("Voice: the mix")
        if not model_id and has_models(self._services):
            return ""  # they have not arrived
        labels = {voice.name: voice.label for voice in self._list.voices(model_id)}
        if labels and not chosen:
            return ""  # the list has not
        return (
            _("Voice: {voice}", voice=labels[chosen])
            if chosen in labels
            else _("No voice is chosen yet.")
        )

    def _submit(self, kind: str, chosen: str, mix: str, *values: Any) -> list[Any]:
        voice = checked_mix(mix) if kind == MIX else chosen
        return self._generate.submit(voice, "preset", values, SPEAK_PRESET)


def _show_kind(kind: str) -> tuple[Any, ...]:
    one, mix = gr.update(visible=kind == ONE), gr.update(visible=kind == MIX)
    return one, mix, mix, one

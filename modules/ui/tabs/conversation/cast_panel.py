"""The voice of each speaker: a row of menus for every speaker that the script names.

The rows are built once, eight of them, and shown as needed. `gr.render` would build them anew,
with their listeners, on each change of the script: a menu that is open at that moment would close,
and a choice just made in it be lost, while the script is typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import BadInputError
from modules.core_components.library.conversations import CastMember
from modules.core_components.text.languages import language_name
from modules.core_components.text.script import (
    FORMER_NO_NAME,
    NO_NAME,
    parse_script,
    speakers_of,
)
from modules.core_components.texts import _, mark
from modules.tools.conversation.cast import CastVoice, style_option_of
from modules.tools.models.ready_models import (
    can_clone,
    has_stock_voices,
    is_voice_match,
    option_types,
    speaking_models,
    speaks_scripts,
)
from modules.tools.services import Services
from modules.tools.voices.preset_voices import preset_voices, usual_language
from modules.ui.events import listen
from modules.ui.render import card_html, empty_html, excerpt, note_html
from modules.ui.widgets.engine_panel import EVERYWHERE
from modules.ui.widgets.option_form import Form, OptionForm
from modules.ui.widgets.parts import NO_TTS_MODEL, menu, menu_update, mirror, panel

MOST_SPEAKERS = 8
# Of the listeners that change the cast or the conversation on show.
CAST = "cast"
LINE_BY_LINE, IN_ONE_GO = mark("Line by line"), mark("In one go")
ABOUT_WAYS = mark(
    "Line by line: each speaker has an engine of their own, and each line can be generated again. "
    "In one go: one engine speaks the whole script, each speaker in the voice of a sample, and "
    "sets the pauses itself."
)
NO_SPEAKER = mark("None")
OWN_LANGUAGE = mark("Language of the voice")
NO_SPEAKERS = mark("The speakers appear here as soon as the script names them.")
NO_SCRIPT_MODEL = mark(
    "No model that speaks a script in one go is installed yet. Download VibeVoice on the Models "
    "tab, or choose line by line."
)

# What the page remembers of a speaker: "engine", "voice" (see `_key`), "language", "options".
Choice = dict[str, Any]


class CastPanel:
    """Menus for up to eight speakers; `cast` remembers what was chosen for each, also for those
    that the script does not name at the moment. In one go, all share engine, language and
    options."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.way = gr.Radio(
            [(_(way), way) for way in (LINE_BY_LINE, IN_ONE_GO)],
            value=LINE_BY_LINE,
            label=_("Generate"),
            info=_(ABOUT_WAYS),
        )
        self.cast = gr.State({})
        self.kept = mirror(self.cast)
        self._speakers = gr.State([])
        self._note = panel(empty_html(_(NO_SPEAKERS)))
        self._rows: list[Any] = []
        self._engines: list[Any] = []
        self._voices: list[Any] = []
        for _unused in range(MOST_SPEAKERS):
            with gr.Row(visible=False) as row:
                # Custom values: a mix is typed, and a voice in the menu may be deleted by now.
                self._voices.append(
                    gr.Dropdown(
                        [], label=_("Voice"), allow_custom_value=True, min_width=190, scale=3
                    )
                )
                self._engines.append(menu(_("Engine"), min_width=190))
            self._rows.append(row)
        with gr.Accordion(_("Language and options"), open=False, visible=False) as self._more:
            with gr.Row():
                self._speaker = menu(_("Speaker"))
                self._language = menu(_("Language"), _(OWN_LANGUAGE))
            self._styles = panel()
            self._options = OptionForm(option_types(services), leave_out=EVERYWHERE)
        # What `read` takes.
        self.inputs = [self._speakers, self.cast, self.way]
        fixed = [self._more, self._speaker, self._language, self._styles]
        self._editor = [*fixed, self._options.component]
        menus = [*self._rows, *self._voices, *self._engines]
        self.outputs = [self.cast, self._speakers, self._note, *menus, *self._editor]
        self._listen()

    def show(self, script: str, cast: Mapping[str, Choice], way: str) -> list[Any]:
        """A row for each speaker of the script, with what was chosen for them or a proposal."""
        return self._show(_speakers(script), cast, way)

    def _show(
        self, speakers: list[str], cast: Mapping[str, Choice], way: str, speaker: str = ""
    ) -> list[Any]:
        models = [model_id for _unused, model_id in self._models(way)]
        cast = self._complete(speakers, cast, way, models)
        shown = speakers[:MOST_SPEAKERS]
        rows = [gr.update(visible=bool(models) and n < len(shown)) for n in range(MOST_SPEAKERS)]
        choices = [cast.get(_fold(name), {}) for name in shown] if models else []
        voices = [
            self._voice_menu(name, choice) for name, choice in zip(shown, choices, strict=False)
        ]
        engines = [
            self._engine_menu(name, choice, way, name == shown[0])
            for name, choice in zip(shown, choices, strict=False)
        ]
        rest = [gr.skip()] * (MOST_SPEAKERS - len(voices))
        return [
            cast,
            speakers,
            _note(speakers, models, way),
            *rows,
            *voices,
            *rest,
            *engines,
            *rest,
            *self._edit(speakers, cast if models else {}, way, speaker),
        ]

    def update(
        self, script: str, speakers: Sequence[str], cast: Mapping[str, Choice], way: str
    ) -> list[Any] | Any:
        """As `show`, but nothing changes while the script names the same speakers as before."""
        return gr.skip() if _speakers(script) == list(speakers) else self.show(script, cast, way)

    def read(self, speakers: Sequence[str], cast: Mapping[str, Choice]) -> dict[str, CastVoice]:
        """The voices of the speakers; those without a choice are left out."""
        chosen = {name: cast[_fold(name)] for name in speakers if _fold(name) in cast}
        return {name: _cast_voice(choice) for name, choice in chosen.items()}

    @staticmethod
    def remembered(cast: Sequence[CastMember]) -> dict[str, Choice]:
        """What `cast` holds after the choices of an earlier conversation."""
        choices: dict[str, Choice] = {
            _fold(member.speaker): {
                "engine": member.engine,
                "voice": _key(member.kind, member.voice),
                "language": member.language,
                "options": dict(member.options),
            }
            for member in cast
        }
        if FORMER_NO_NAME in choices:
            choices.setdefault(_fold(NO_NAME), choices[FORMER_NO_NAME])
        return choices

    def _listen(self) -> None:
        known = self.inputs
        listen(self.way.input, self._show, known, self.outputs, sequence=CAST)
        for number in range(MOST_SPEAKERS):
            listen(
                self._voices[number].input,
                partial(_keep_voice, number),
                [*known, self._voices[number]],
                [self.cast],
                sequence=CAST,
            )
            listen(
                self._engines[number].input,
                partial(self._keep_engine, number),
                [*known, self._engines[number], self._speaker],
                self.outputs,
                sequence=CAST,
            )
        listen(
            self._speaker.input, self._edit, [*known, self._speaker], self._editor, sequence=CAST
        )
        values = [self._language, self._options.component]
        for component in values:
            listen(
                component.input,
                self._keep_options,
                [*known, self._speaker, *values],
                [self.cast],
                sequence=CAST,
            )

    def _keep_engine(
        self,
        number: int,
        speakers: list[str],
        cast: dict[str, Choice],
        way: str,
        engine: str,
        speaker: str,
    ) -> list[Any]:
        name = speakers[number]
        others = {key: choice for key, choice in cast.items() if key != _fold(name)}
        cast = {**cast, _fold(name): self._proposal(name, number, engine, others)}
        return self._show(speakers, cast, way, speaker)

    def _keep_options(
        self,
        speakers: list[str],
        cast: dict[str, Choice],
        way: str,
        speaker: str,
        language: str,
        form: Form,
    ) -> dict[str, Choice]:
        choice = cast.get(_fold(speaker), {})
        if not choice:  # the script does not name them any more
            return cast
        kind = self._services.tts.get(choice["engine"]).options_type
        options = self._options.read(kind, form)
        keys = [_fold(name) for name in (speakers if way == IN_ONE_GO else [speaker])]
        return cast | {key: {**cast[key], "language": language, "options": options} for key in keys}

    def _edit(
        self, speakers: list[str], cast: Mapping[str, Choice], way: str, speaker: str
    ) -> list[Any]:
        """The language and the options of one speaker, or in one go of all."""
        speaker = speaker if speaker in speakers else (speakers[0] if speakers else "")
        choice = cast.get(_fold(speaker), {})
        engine = choice.get("engine", "")
        if not engine:
            return [gr.update(visible=False), *[gr.skip()] * 4]
        handle = self._services.tts.get(engine)
        people = [(name, name) for name in speakers]
        if way == IN_ONE_GO:
            people = [(_("All speakers"), speaker)]
        own = _(OWN_LANGUAGE)
        languages = [(own, ""), *((language_name(c), c) for c in handle.languages)]
        return [
            gr.update(visible=True),
            menu_update(people, speaker, _(NO_SPEAKER)),
            menu_update(languages, choice.get("language", ""), own),
            _styles_note(handle.label, bool(style_option_of(handle))),
            self._options.show(handle.options_type, choice.get("options", {})),
        ]

    def _complete(
        self, speakers: Sequence[str], cast: Mapping[str, Choice], way: str, models: Sequence[str]
    ) -> dict[str, Choice]:
        """The choices, with a proposal for each speaker who has none that is possible."""
        cast = {**cast}
        if not (speakers and models):
            return cast
        usual = self._services.settings.tts_model
        engine = usual if usual in models else models[0]
        first = _fold(speakers[0])
        if way == IN_ONE_GO:
            chosen = cast.get(first, {}).get("engine", "")
            engine = chosen if chosen in models else engine
            models = [engine]
        for number, name in enumerate(speakers):
            if cast.get(_fold(name), {}).get("engine") not in models:
                cast[_fold(name)] = self._proposal(name, number, engine, cast)
        if way == IN_ONE_GO:
            shared = {name: cast[first][name] for name in ("language", "options")}
            cast |= {_fold(name): {**cast[_fold(name)], **shared} for name in speakers}
        return cast

    def _proposal(self, name: str, number: int, engine: str, cast: Mapping[str, Choice]) -> Choice:
        """A voice that bears the speaker's name, or else a free one of their language."""
        offered = [value for _unused, value in self._offered(engine)]
        named = [value for value in offered if _fold(value.partition(":")[2]) == _fold(name)]
        handle = self._services.tts.get(engine)
        language = usual_language(self._services, handle)
        presets = preset_voices(self._services, handle)
        near = [_key("preset", v.name) for v in presets if v.language in ("", language)] or offered
        taken = {choice.get("voice") for choice in cast.values()}
        free = [value for value in near if value not in taken]
        # Neighbours in the list, which is sorted by sex, sound alike.
        spread = free[number % 2 * 2 * len(free) // 3 :]
        voice = next(iter([*named, *spread, *near]), "")
        return {"engine": engine, "voice": voice, "language": "", "options": {}}

    def _offered(self, engine: str) -> list[tuple[str, str]]:
        """The voices that a model can speak with: labels and keys."""
        handle = self._services.tts.get(engine)
        presets = [
            (voice.label, _key("preset", voice.name))
            for voice in preset_voices(self._services, handle)
        ]
        entry = self._services.tts.entry(engine)
        if not can_clone(entry):
            return presets
        how = _("sample, voice match") if is_voice_match(entry) else _("sample")
        samples = self._services.samples.list()
        return [*((f"{s.name} ({how})", _key("sample", s.name)) for s in samples), *presets]

    def _voice_menu(self, name: str, choice: Choice) -> Any:
        offered = self._offered(choice["engine"])
        voice = choice["voice"]
        if voice not in (key for _unused, key in offered):  # a mix is shown as it was typed
            voice = voice.removeprefix("preset:")
        return gr.update(label=_("Voice of {name}", name=name), choices=offered, value=voice)

    def _engine_menu(self, name: str, choice: Choice, way: str, is_first: bool) -> Any:
        label = (
            _("Engine of all speakers") if way == IN_ONE_GO else _("Engine of {name}", name=name)
        )
        return gr.update(
            label=label,
            choices=self._models(way),
            value=choice["engine"],
            visible=is_first or way != IN_ONE_GO,
        )

    def _models(self, way: str) -> list[tuple[str, str]]:
        """The installed models that have voices, or take those of samples; in one go, those that
        several speakers can talk with."""
        entries = speaking_models(self._services)
        if way == IN_ONE_GO:
            return [(e.label, e.id) for e in entries if speaks_scripts(e)]
        return [(e.label, e.id) for e in entries if can_clone(e) or has_stock_voices(e)]


def _keep_voice(
    number: int, speakers: list[str], cast: dict[str, Choice], way: str, voice: str | None
) -> dict[str, Choice]:
    key = _fold(speakers[number])
    # The language goes with the voice: another voice speaks its own. In one go all have one.
    language = cast[key]["language"] if way == IN_ONE_GO else ""
    return {**cast, key: {**cast[key], "voice": voice or "", "language": language}}


def _speakers(script: str) -> list[str]:
    try:
        return list(speakers_of(parse_script(script)))
    except BadInputError:
        return []


def _cast_voice(choice: Choice) -> CastVoice:
    kind, mark, name = choice["voice"].partition(":")
    if not mark or kind not in ("preset", "sample"):
        kind, name = "", choice["voice"]
    return CastVoice(name, choice["engine"], kind, choice["language"], choice["options"])


def _key(kind: str, name: str) -> str:
    """What stands for a voice in a menu: a sample and a preset may have one name."""
    return f"{kind}:{name}"


def _fold(name: str) -> str:
    return name.casefold()


def _note(speakers: Sequence[str], models: Sequence[str], way: str) -> Any:
    if not models:
        words = NO_SCRIPT_MODEL if way == IN_ONE_GO else NO_TTS_MODEL
        return gr.update(value=empty_html(_(words)), visible=True)
    if not speakers:
        return gr.update(value=empty_html(_(NO_SPEAKERS)), visible=True)
    if len(speakers) <= MOST_SPEAKERS:
        return gr.update(visible=False)
    names = excerpt(", ".join(speakers[MOST_SPEAKERS:]), 200)
    words = _(
        "The script has {count} speakers, and only {most_speakers} voices can be "
        "chosen. {names} get proposed ones. Begin a line that names no speaker "
        "with a space.",
        count=len(speakers),
        most_speakers=MOST_SPEAKERS,
        names=names,
    )
    return gr.update(value=card_html(words, kind="warn"), visible=True)


def _styles_note(label: str, has_styles: bool) -> Markup:
    words = (
        _("{label} speaks in the style given in parentheses at the start of a line.", label=label)
        if has_styles
        else _(
            "{label} has no styles: parentheses at the start of a line are ignored.", label=label
        )
    )
    return note_html(words)

"""Model, language and options: what every tab that generates speech asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import OptionField, describe_options
from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import language_name
from modules.tools.models.fallback import choose_speaking_model
from modules.tools.models.ready_models import is_voice_match, option_types, speaking_models
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.voices.preset_voices import usual_language
from modules.ui.render import card_html, empty_html, note_html
from modules.ui.widgets.parts import NO_TTS_MODEL, menu, menu_update, panel, require_model

# A slider with more steps than this, or over a larger factor, cannot be set by hand.
_WIDEST_SLIDER = 1000
# Part of every request, with controls of their own next to the engine's; pronunciations come from
# the dictionary.
EVERYWHERE = ("language", "seed", "pronunciations")


class OptionControls:
    """The controls of several kinds of options, of which those of the chosen one are visible.

    Models of one family share their options, and so their controls: one that is installed later
    has them at once. `components` goes into a handler's inputs; `read` turns their values back.
    """

    def __init__(self, options_types: Sequence[type], chosen: type | None) -> None:
        self._fields: dict[type, list[OptionField]] = {}
        self._groups: dict[type, Any] = {}
        self._drawn: dict[type, dict[str, Any]] = {}
        self.components: list[Any] = []
        for options_type in options_types:
            fields = [
                item for item in describe_options(options_type) if item.name not in EVERYWHERE
            ]
            self._fields[options_type] = fields
            with gr.Group(visible=options_type is chosen) as group:
                drawn = {item.name: option_control(item) for item in fields}
            self.components += drawn.values()
            self._drawn[options_type] = drawn
            self._groups[options_type] = group
        # One group for each kind, in the order of `show`.
        self.groups = list(self._groups.values())

    def named(self, name: str) -> dict[type, Any]:
        """The component of the option of that name, for each kind that has it."""
        return {kind: drawn[name] for kind, drawn in self._drawn.items() if name in drawn}

    def by_name(self) -> dict[str, Any]:
        """All components, by names that stay the same from one version to the next."""
        return {
            f"{kind.__name__}.{name}": component
            for kind, drawn in self._drawn.items()
            for name, component in drawn.items()
        }

    def show(self, chosen: type | None) -> list[Any]:
        """Updates for `groups`: only those of the chosen kind are visible."""
        return [gr.update(visible=options_type is chosen) for options_type in self._groups]

    def read(self, chosen: type, values: Sequence[Any]) -> dict[str, Any]:
        """The options of that kind from the values of all `components`."""
        start = 0
        for options_type, fields in self._fields.items():
            if options_type is chosen:
                own = values[start : start + len(fields)]
                return {item.name: value for item, value in zip(fields, own, strict=True)}
            start += len(fields)
        return {}

    def values(self, chosen: type, options: Mapping[str, Any]) -> list[Any]:
        """Values for `components`: the given options of the chosen kind; all others' defaults."""
        return [
            options.get(item.name, item.default) if options_type is chosen else item.default
            for options_type, fields in self._fields.items()
            for item in fields
        ]


def option_control(item: OptionField, value: Any = None) -> Any:
    """The component that fits an option: its kind follows from default, range and choices."""
    about = {
        "label": item.label,
        "info": item.help,
        "value": item.default if value is None else value,
    }
    if isinstance(item.default, bool):
        return gr.Checkbox(**about)
    if item.choices:
        return gr.Dropdown(choices=list(item.choices), **about)
    if isinstance(item.default, (int, float)):
        whole = isinstance(item.default, int)
        step = item.step or (1 if whole else 0.05)
        if item.minimum is None or item.maximum is None or _too_fine_for_a_slider(item, step):
            return gr.Number(precision=0 if whole else None, **about)
        return gr.Slider(item.minimum, item.maximum, step=step, **about)
    return gr.Textbox(**about)


def _too_fine_for_a_slider(item: OptionField, step: float) -> bool:
    low, high = item.minimum or 0.0, item.maximum or 0.0
    spans_decades = item.step is None and low > 0 and high / low > _WIDEST_SLIDER
    return spans_decades or high - low > _WIDEST_SLIDER * step


NONE = "None installed"
VOICE_MATCH = (
    "{label} cannot clone a voice; the studio moves its nearest stock voice towards your sample, "
    "at once, and better in the background after the first take. The similarity score of the take "
    "says how close it is. “Recommended engines” has those that clone truly."
)
TRUE_CLONE = "{label} clones the voice directly from the sample."


class EnginePanel:
    """Menus of models and languages, and the chosen model's options.

    `ready` is the id of the model whose choices are shown.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.ready = gr.State("")
        with gr.Row():
            self.engine = menu("Engine")
            self.language = menu("Language")
        self._about = panel()
        with gr.Accordion("Options", open=False):
            self._seed = gr.Number(
                label="Seed",
                info="The same seed gives the same take. Empty or -1: a new one each time.",
                value=-1,
                precision=0,
            )
            self._options = OptionControls(option_types(services), None)
        self.outputs = [self.ready, self.engine, self.language, self._about, *self._options.groups]
        # What `request` reads.
        self.inputs = [self.engine, self.language, self._seed, *self._options.components]
        menus = {"engine": self.engine, "language": self.language, "seed": self._seed}
        # The same by name, for `Studio.keep`.
        self.fields = {**menus, **self._options.by_name()}

    def option(self, name: str) -> dict[type, Any]:
        """The component of an option, for each kind of options that has it."""
        return self._options.named(name)

    def show(
        self,
        fits: Callable[[ModelEntry], bool],
        engine: str | None,
        language: str | None,
        is_cloning: bool,
    ) -> list[Any]:
        """The models that fit, and what the chosen one offers; the first value is its id."""
        models = {item.id: item for item in speaking_models(self._services) if fits(item)}
        usual = choose_speaking_model(self._services)
        model_id = next((name for name in (engine, usual.model_id, *models) if name in models), "")
        engines = [(_label(entry, is_cloning), entry.id) for entry in models.values()]
        if not model_id:
            nothing = menu_update([], "", NONE)
            return ["", nothing, nothing, empty_html(NO_TTS_MODEL), *self._options.show(None)]
        handle = self._services.tts.get(model_id)
        wanted = language if language in handle.languages else ""
        return [
            model_id,
            menu_update(engines, model_id, NONE),
            menu_update(
                [(language_name(code), code) for code in handle.languages],
                wanted or usual_language(self._services, handle),
                NONE,
            ),
            card_html(usual.note if model_id == usual.model_id else "", kind="warn")
            + (_about_html(models[model_id]) if is_cloning else Markup()),
            *self._options.show(handle.options_type),
        ]

    def request(
        self, text: str, voice: str | None, kind: str, values: Sequence[Any]
    ) -> SpeechRequest:
        """A request to speak `text`; `values` are those of `inputs`. Raises BadInputError."""
        engine, language, seed, *options = values
        require_model(engine, "speech")
        if not voice:
            raise BadInputError(
                "No voice is selected.", "Select or add a sample, or choose a stock voice."
            )
        return SpeechRequest(
            text=text,
            voice=voice,
            kind=kind,
            engine=engine,
            language=language or "",
            seed=None if seed is None else int(seed),
            options=self._options.read(self._services.tts.get(engine).options_type, options),
            score=self._services.settings.score_takes,
        )


def _label(entry: ModelEntry, is_cloning: bool) -> str:
    return f"{entry.label} (voice match)" if is_cloning and is_voice_match(entry) else entry.label


def _about_html(entry: ModelEntry) -> Markup:
    words = VOICE_MATCH if is_voice_match(entry) else TRUE_CLONE
    return note_html(words.format(label=entry.label))

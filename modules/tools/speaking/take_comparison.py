"""Two takes side by side: what differs in how they were made, and how good each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, fill
from modules.core_components.values import Take
from modules.tools.services import Services
from modules.tools.speaking.scores import heard_words
from modules.tools.voices.preset_voices import voice_in_words

NOTHING = "–"


@dataclass(frozen=True)
class Difference:
    """A setting or a score of two takes, as people read it; "–" where one has none."""

    label: str
    first: str
    second: str


@dataclass(frozen=True)
class TakeComparison:
    """Two takes, the settings that differ, and all scores that either has."""

    first: Take
    second: Take
    settings: tuple[Difference, ...]
    scores: tuple[Difference, ...]


def compare_takes(services: Services, first_id: str, second_id: str) -> TakeComparison:
    """Raises NotFoundError, and BadInputError for a take and itself."""
    if first_id == second_id:
        raise BadInputError(_("These are one and the same take."), _("Select another one."))
    first, second = services.takes.get(first_id), services.takes.get(second_id)
    settings = _pairs(take_settings(services, first), take_settings(services, second))
    differing = tuple(pair for pair in settings if pair.first != pair.second)
    return TakeComparison(first, second, differing, _pairs(_scores(first), _scores(second)))


def take_settings(services: Services, take: Take) -> dict[str, str]:
    """What a take was made with, by labels: voice, engine, language, seed, and every option."""
    known = {
        _("Voice"): voice_in_words(take.voice),
        _("Engine"): take.engine,
        _("Language"): language_name(take.language) if take.language else "",
        _("Seed"): str(take.seed),
        _("Reference text"): take.ref_text,
    }
    options = option_texts(services, take, leave_out=("seed", "language"))
    return {name: text for name, text in {**known, **options}.items() if text}


def option_texts(
    services: Services, take: Take, leave_out: Sequence[str] = ("seed",)
) -> dict[str, str]:
    """The options that a take was made with, by their labels; {} where its model is gone."""
    try:
        about = describe_options(services.tts.get(take.model_id).options_type)
    except StudioError:  # a fine-tuned model that was deleted since
        return {}
    known = ((item, take.options.get(item.name)) for item in about if item.name not in leave_out)
    return {item.label: _option_text(value) for item, value in known if value is not None}


def _option_text(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return fill("{:g}", value) if isinstance(value, float) else str(value)


def _scores(take: Take) -> dict[str, str]:
    scores, heard = take.scores, heard_words(take)
    known: Mapping[str, tuple[float | None, Callable[[float], str]]] = {
        _("Similarity to the sample"): (scores.similarity, partial(fill, "{:.2f}")),
        _("Loudness"): (scores.loudness_lufs, partial(fill, "{:.0f} dB")),
        _("Silence"): (scores.silence_fraction, partial(fill, "{:.0%}")),
        _("Generated in"): (sum(take.timings_s.values()) or None, partial(fill, "{:.1f} s")),
    }
    measured = {label: form(value) for label, (value, form) in known.items() if value is not None}
    understood = {} if heard is None else {_("Understood by Whisper"): heard.figure}
    return {_("Length"): fill("{:.1f} s", take.duration_s), **understood, **measured}


def _pairs(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[Difference, ...]:
    labels = dict.fromkeys([*first, *second])
    return tuple(
        Difference(label, first.get(label, NOTHING), second.get(label, NOTHING)) for label in labels
    )

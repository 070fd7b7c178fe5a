"""What a user chooses for one model alone; everything else holds for all models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.core_components.errors import BadInputError

PRECISIONS = ("auto", "float32", "bfloat16")
ATTENTIONS = ("auto", "flash_attention_2", "sdpa", "eager")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "precision": ("", *PRECISIONS),
    "attention_mechanism": ("", *ATTENTIONS),
}


@dataclass(frozen=True)
class ModelSettings:
    """How one model is loaded; "" is as for all models.

    With `keep_loaded` it stays in memory however long nobody uses it, with `preload` it is
    brought in when the studio starts.
    """

    device: str = ""
    precision: str = ""
    attention_mechanism: str = ""
    keep_loaded: bool = False
    preload: bool = False

    def chosen(self) -> dict[str, Any]:
        """What differs from the defaults, as plain JSON."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}


def parse_model_settings(given: Mapping[str, Any]) -> dict[str, ModelSettings]:
    """The settings by model id, from plain JSON. Raises BadInputError that names the model."""
    return {model_id: _parsed(model_id, own) for model_id, own in given.items()}


def _parsed(model_id: str, own: Any) -> ModelSettings:
    if not isinstance(own, Mapping):
        raise BadInputError(f"The settings of {model_id} must be names with values, not {own!r}.")
    kinds = {item.name: type(item.default) for item in dataclasses.fields(ModelSettings)}
    for name, value in own.items():
        if name not in kinds:
            raise BadInputError(
                f"There is no setting {name!r} of {model_id}.", f"There are: {', '.join(kinds)}."
            )
        if type(value) is not kinds[name]:
            raise BadInputError(
                f"The setting {name} of {model_id} must be a {kinds[name].__name__}, not {value!r}."
            )
        if value not in _CHOICES.get(name, (value,)):
            raise BadInputError(
                f"The setting {name} of {model_id} cannot be {value!r}.",
                f"Choose {', '.join(_CHOICES[name][1:])}, or nothing.",
                name,
            )
    return ModelSettings(**own)

"""Three ways to begin. A preset is a set of values to start from, never more than it says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modules.core_components.ai_models.engines.base import describe_options
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan

QUICK, STANDARD, CAREFUL = "quick", "standard", "careful"

# Learning rates: 5e-6 is what coqui's recipe for fine-tuning takes; twice as much for a first
# impression, a third for long trainings, where a constant rate makes evaluation rise again.
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        QUICK: MappingProxyType(
            {"epochs": 3, "learning_rate": 1e-5, "early_stopping": 0, "keep_checkpoints": 2}
        ),
        STANDARD: MappingProxyType(
            {"epochs": 10, "learning_rate": 5e-6, "early_stopping": 3, "keep_checkpoints": 3}
        ),
        CAREFUL: MappingProxyType(
            {
                "epochs": 30,
                "learning_rate": 2e-6,
                "warmup_steps": 100,
                "accumulation": 4,
                "early_stopping": 5,
                "keep_checkpoints": 5,
            }
        ),
    }
)
ABOUT: Mapping[str, str] = MappingProxyType(
    {
        QUICK: "A first impression: is this dataset worth a longer training?",
        STANDARD: "Right for ten minutes to an hour of speech.",
        CAREFUL: "Small steps, many epochs and more checkpoints to choose from.",
    }
)


def with_preset(name: str) -> dict[str, Any]:
    """Every option of a plan as the preset has it: its own values, defaults for the others."""
    defaults = {item.name: item.default for item in describe_options(TrainingPlan)}
    return {**defaults, **PRESETS[name]}


def switched(before: str, after: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options when the preset changes: what its user had set himself stays as he set it."""
    old, new = with_preset(before), with_preset(after)
    return {
        name: options[name] if options.get(name, old[name]) != old[name] else value
        for name, value in new.items()
    }


def departures(name: str, options: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where `options` differ from the preset: by label, its value and theirs."""
    labels = {item.name: item.label for item in describe_options(TrainingPlan)}
    return {
        labels[key]: (value, options[key])
        for key, value in with_preset(name).items()
        if key in options and options[key] != value
    }

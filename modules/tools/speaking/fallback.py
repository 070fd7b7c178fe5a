"""Another model in place of one that cannot be used: chosen in the settings, and always told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.engines.base import describe_options, parse_options
from modules.core_components.ai_models.engines.xtts.tuned import check_tuned
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    ModelMissingError,
    NotFoundError,
    StudioError,
)
from modules.core_components.settings import NO_FALLBACK
from modules.tools.services import Services

# What is wrong with a model itself, and not with what was asked of it.
UNUSABLE = (ModelMissingError, CorruptFileError)


@dataclass(frozen=True)
class ModelChoice:
    """The model to use. `note` says why it is not the one that was asked for; "" where it is."""

    model_id: str
    note: str = ""


def choose_speaking_model(services: Services, wanted: str = "") -> ModelChoice:
    """The model asked for ("": the settings'), or the fallback where that one cannot be used.

    Not usable is what is not on the disk, lacks a package, or has files that are not whole. With no
    usable fallback either, it is the model asked for, whose first use then says what is wrong.
    """
    default, fallback = services.settings.tts_model, services.settings.fallback_tts_model
    return _choose(services, services.tts, wanted, default, fallback)


def choose_listening_model(services: Services, wanted: str = "") -> ModelChoice:
    """As `choose_speaking_model`, for models that listen."""
    default, fallback = services.settings.asr_model, services.settings.fallback_asr_model
    return _choose(services, services.asr, wanted, default, fallback)


def instead_of_broken(
    services: Services, manager: BaseManager, model_id: str, error: StudioError
) -> ModelChoice | None:
    """The fallback for a model of which only loading it showed that it is broken, if any."""
    settings = services.settings
    speaks = manager is services.tts
    fallback = settings.fallback_tts_model if speaks else settings.fallback_asr_model
    if fallback in (NO_FALLBACK, model_id) or _problem(services, manager, fallback):
        return None
    return _replacing(manager, fallback, error.message)


def fitting_options(
    options_type: type, given: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Those of another model's options that this one has, too, and the names of the others."""
    known = {item.name for item in describe_options(options_type)}
    fitting = {name: value for name, value in given.items() if name in known}
    for name in tuple(fitting):
        try:
            parse_options(options_type, {name: given[name]})
        except BadInputError:  # it has the option, but not this value
            del fitting[name]
    return fitting, tuple(name for name in given if name not in fitting)


@contextmanager
def told_of(choice: ModelChoice) -> Iterator[None]:
    """Says of what the fallback is asked in vain that it is the fallback that was asked."""
    try:
        yield
    except BadInputError as error:
        if not choice.note:
            raise
        message = f"{choice.note} But that one cannot do this: {error.message}"
        raise BadInputError(message, error.hint, error.about) from error


def without(left_out: tuple[str, ...]) -> str:
    """A sentence about options that the fallback does not have; "" for none."""
    return f" Left out, as it has no such settings: {', '.join(left_out)}." if left_out else ""


def _choose(
    services: Services, manager: BaseManager, wanted: str, default: str, fallback: str
) -> ModelChoice:
    wanted = wanted or default
    # A name that nobody knows is a mistake; the default may be a model of one's own, deleted.
    known = wanted == default or wanted in manager.engine_ids()
    if fallback in (NO_FALLBACK, wanted) or not known:
        return ModelChoice(wanted)
    problem = _problem(services, manager, wanted)
    if not problem or _problem(services, manager, fallback):
        return ModelChoice(wanted)
    return _replacing(manager, fallback, problem)


def _replacing(manager: BaseManager, fallback: str, problem: str) -> ModelChoice:
    return ModelChoice(fallback, f"{problem} {manager.entry(fallback).label} is used instead.")


def _problem(services: Services, manager: BaseManager, model_id: str) -> str:
    """Why a model cannot be used; "" when, by its files, it can."""
    try:
        state = manager.availability(model_id)
        tuned = services.tts.tuned_model(model_id)
        if state.ready and tuned:
            check_tuned(tuned.folder)
        elif state.ready and manager.entry(model_id).sources:
            manager.downloader.verify(model_id)
    except (NotFoundError, BadInputError, *UNUSABLE) as error:
        return error.message
    return state.message

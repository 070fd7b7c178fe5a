"""The model that is used in place of one that cannot be: named in the settings, always reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.engines.base import RemoteEngine
from modules.core_components.ai_models.engines.options import describe_options, parse_options
from modules.core_components.ai_models.engines.xtts.tuned import check_tuned
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    ModelMissingError,
    NotFoundError,
    RemoteError,
    StudioError,
)
from modules.core_components.settings import NO_FALLBACK
from modules.core_components.texts import _
from modules.tools.models.model_names import find_model
from modules.tools.services import Services

# Errors of the model itself; all others are about the request.
UNUSABLE = (ModelMissingError, CorruptFileError, RemoteError)


@dataclass(frozen=True)
class ModelChoice:
    """The model to use. `note` says why it is not the one that was asked for; "" where it is."""

    model_id: str
    note: str = ""


def choose_speaking_model(services: Services, wanted: str = "") -> ModelChoice:
    """The model asked for ("": the default), or the fallback if that one cannot be used: its files
    are missing or damaged, or a package is.

    If the fallback cannot be used either, it is the model asked for, whose first use raises.
    Raises NotFoundError for a name that no model has.
    """
    default, fallback = services.settings.tts_model, services.settings.fallback_tts_model
    return _choose(services, services.tts, wanted, default, fallback)


def choose_listening_model(services: Services, wanted: str = "") -> ModelChoice:
    """As `choose_speaking_model`, for listening models."""
    default, fallback = services.settings.asr_model, services.settings.fallback_asr_model
    return _choose(services, services.asr, wanted, default, fallback)


def replace_broken_model(
    services: Services, manager: BaseManager, model_id: str, error: StudioError
) -> ModelChoice | None:
    """The fallback, if any, for a model that turned out to be broken while it was loaded."""
    settings = services.settings
    speaks = manager is services.tts
    fallback = settings.fallback_tts_model if speaks else settings.fallback_asr_model
    if fallback in (NO_FALLBACK, model_id) or _find_problem(services, manager, fallback):
        return None
    return _fall_back(manager, fallback, error.message)


def fit_options(
    options_type: type, given: Mapping[str, Any], choice: ModelChoice
) -> tuple[dict[str, Any], str]:
    """The options that the fallback has too, and a note that names those it has not."""
    known = {item.name for item in describe_options(options_type)}
    fitting: dict[str, Any] = {}
    for name in known & given.keys():
        try:
            parse_options(options_type, {name: given[name]})
        except BadInputError:  # it has the option, but not this value
            continue
        fitting[name] = given[name]
    dropped = ", ".join(name.replace("_", " ") for name in given if name not in fitting)
    left_out = (
        _(" Left out, as it has no such options: {dropped}.", dropped=dropped) if dropped else ""
    )
    return fitting, choice.note + left_out


@contextmanager
def fallback_mentioned(choice: ModelChoice) -> Iterator[None]:
    """Adds to an error about the request that it was the fallback that could not do it."""
    try:
        yield
    except BadInputError as error:
        if not choice.note:
            raise
        message = _(
            "{note} But that one cannot do this: {problem}", note=choice.note, problem=error.message
        )
        raise type(error)(message, error.hint, error.about, details=error.details) from error


def _choose(
    services: Services, manager: BaseManager, wanted: str, default: str, fallback: str
) -> ModelChoice:
    wanted = wanted or default
    # The default may be a fine-tuned model that was deleted since; any other name must exist.
    if wanted != default:
        wanted = find_model(manager, wanted)
    if fallback in (NO_FALLBACK, wanted):
        return ModelChoice(wanted)
    problem = _find_problem(services, manager, wanted)
    if not problem or _find_problem(services, manager, fallback):
        return ModelChoice(wanted)
    return _fall_back(manager, fallback, problem)


def _fall_back(manager: BaseManager, fallback: str, problem: str) -> ModelChoice:
    return ModelChoice(
        fallback,
        _(
            "{problem} {label} is used instead.",
            problem=problem,
            label=manager.entry(fallback).label,
        ),
    )


def _find_problem(services: Services, manager: BaseManager, model_id: str) -> str:
    """Why a model cannot be used; "" if its files say that it can, or its remote delivers."""
    try:
        state = manager.availability(model_id)
        tuned = services.tts.tuned_model(model_id)
        if state.ready and tuned:
            check_tuned(tuned.folder)
        elif state.ready and manager.entry(model_id).sources:
            manager.downloader.verify(model_id)
        elif state.ready and isinstance(engine := manager.get(model_id), RemoteEngine):
            return engine.health.problem
    except (NotFoundError, BadInputError, *UNUSABLE) as error:
        return error.message
    return state.message

"""The options of an engine: a dataclass whose fields carry their label, range and help."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.core_components.validation import KIND_NAMES, unknown_name

OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True)
class OptionField:
    """One parameter of an engine, enough to draw a slider, check a request or fill a help text."""

    name: str
    label: str
    help: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()


def option(
    default: Any,
    label: str,
    help: str,  # noqa: A002 - the field's own word
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries its range and its help; see `describe_options`."""
    about = {
        "label": label,
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "step": step,
        "choices": choices,
    }
    return field(default=default, metadata=about)


def as_written_option() -> Any:
    """The option of engines whose text goes through the front end; see `steps_without` there."""
    return option(
        "",
        "Leave as written",
        "Steps of the reading that are left out, with commas: money, units. See docs/text.md.",
    )


def describe_options(options_type: type) -> tuple[OptionField, ...]:
    """The parameters of an engine's options dataclass, in their order and the page's language."""
    return tuple(
        OptionField(name=item.name, default=item.default, **_translated(item.metadata))
        for item in dataclasses.fields(options_type)
    )


def _translated(about: Mapping[str, Any]) -> dict[str, Any]:
    return {**about, "label": _(about["label"]), "help": _(about["help"])}


def parse_options(options_type: type[OptionsT], given: Mapping[str, Any]) -> OptionsT:
    """Fills the dataclass from user input, once for page, API and command line.

    Raises BadInputError for an unknown name, a wrong type, or a value outside its range.
    """
    fields = {item.name: item for item in describe_options(options_type)}
    for name in given:
        if name not in fields:
            raise unknown_name(mark("option"), name, list(fields))
    return options_type(**{name: _checked(fields[name], value) for name, value in given.items()})


def _checked(about: OptionField, value: Any) -> Any:
    kind = type(about.default)
    try:
        if kind is bool and not isinstance(value, bool):
            raise ValueError
        value = kind(value)
    except (TypeError, ValueError):
        raise BadInputError(
            _(
                "{label} must be {kind_names}, not {value!r}.",
                label=about.label,
                kind_names=_(KIND_NAMES[kind]),
                value=value,
            ),
            about.help,
            about.name,
        ) from None
    if about.choices and value not in about.choices:
        raise BadInputError(
            _("{label} cannot be {value!r}.", label=about.label, value=value),
            _("Choose one of {choices}.", choices=", ".join(about.choices)),
            about.name,
        )
    below = about.minimum is not None and value < about.minimum
    above = about.maximum is not None and value > about.maximum
    if below or above or value != value:  # the last is NaN
        raise BadInputError(
            _("{label} is {value}.", label=about.label, value=value),
            _(
                "It must lie between {minimum} and {maximum}.",
                minimum=about.minimum,
                maximum=about.maximum,
            ),
            about.name,
        )
    return value

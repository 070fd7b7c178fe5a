"""What a value may not be, as the one sentence that page, API and terminal all show."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark

# What a value of a type is called; `_` translates it where it is shown.
KIND_NAMES: Mapping[type, str] = {
    bool: mark("yes or no"),
    int: mark("a whole number"),
    float: mark("a number"),
    str: mark("text"),
}
_TABLE = mark("a table of names and values")
_KINDS = {
    "bool_type": KIND_NAMES[bool],
    "string_type": KIND_NAMES[str],
    "is_instance_of": KIND_NAMES[str],  # a folder
    "int_type": KIND_NAMES[int],
    "int_from_float": KIND_NAMES[int],
    "float_type": KIND_NAMES[float],
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "finite_number": KIND_NAMES[float],
}


def label_of(model: type[BaseModel], name: str) -> str:
    """What users call a field, in the language of the page: its title, or its name without one."""
    field = model.model_fields.get(name)
    return _(field.title) if field and field.title else name


def refused(message: str, hint: str) -> ValueError:
    """For a validator of a pydantic model: `bad_input` makes message and hint of it again."""
    return ValueError(f"{message}\n{hint}")


def bad_input(
    error: ValidationError, model: type[BaseModel], noun: str, internal: Sequence[str] = ()
) -> BadInputError:
    """The faults of `error` in words, for each field the first one.

    `noun` is what a field is called: "setting", "option", marked for translation; `internal` fields
    are never named.
    """
    first: dict[str, BadInputError] = {}
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        if name not in first:
            first[name] = _in_words(fault, name, model, noun, internal)
    faults = list(first.values())
    if len(faults) == 1:
        return faults[0]
    return BadInputError(" ".join(map(str, faults)), about=faults[0].about, faults=faults)


def _in_words(
    fault: Mapping[str, Any], name: str, model: type[BaseModel], noun: str, internal: Sequence[str]
) -> BadInputError:
    given, kind = fault.get("input"), fault["type"]
    label = label_of(model, name)
    context: Mapping[str, Any] = fault.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_name(noun, name, [n for n in model.model_fields if n not in internal])
    if given is None:
        return BadInputError(_("{label} is empty.", label=label), _("Give a value."), name)
    if kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ")
        choices = choices.replace('""', _("nothing"))
        return BadInputError(
            _("{label} cannot be {given!r}.", label=label, given=given),
            _("Choose {choices}.", choices=choices),
            name,
        )
    if kind in ("greater_than_equal", "less_than_equal"):
        low, high = bounds_of(model, name)
        return BadInputError(
            _("{label} is {given}.", label=label, given=given),
            _("It must lie in {low} to {high}.", low=low, high=high),
            name,
        )
    if kind in _KINDS:
        return BadInputError(
            _(
                "{label} must be {kind}, not {given!r}.",
                label=label,
                kind=_(_KINDS[kind]),
                given=given,
            ),
            about=name,
        )
    cause = context.get("error")
    if isinstance(cause, Exception):
        message, _unused, hint = str(cause).partition("\n")
        return BadInputError(f"{label}: {message}", hint, name)
    return BadInputError(f"{label}: {fault['msg']}.", about=name)


def unknown_name(noun: str, name: str, known: Sequence[str]) -> BadInputError:
    """For a name that does not exist; the hint lists the near ones, or all."""
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)
    return BadInputError(
        _("There is no {noun} {name!r}.", noun=_(noun), name=name),
        _("There are: {near}.", near=", ".join(near)),
        name,
    )


def bounds_of(model: type[BaseModel], name: str) -> tuple[float | None, float | None]:
    """The least and the greatest value of a numeric field, None where it has no bound."""
    low = high = None
    for rule in model.model_fields[name].metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
    return low, high

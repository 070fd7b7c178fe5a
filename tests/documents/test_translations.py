"""The catalogs of the page's languages are whole, and the code can be translated."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from modules.core_components.texts import CATALOGS, ENGLISH, LANGUAGES
from tests.helpers.source import error_classes, trees

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [code for code in LANGUAGES if code != ENGLISH]
PLACE = re.compile(r"\{[^{}]*\}")
ENDS = re.compile(r"[.:…?]?\s*$")
# Their own words are English: for programs, and for the terminal.
NOT_TRANSLATED = ("api", "cli")


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", ROOT / "configs/translations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def wanted() -> Catalog:
    return script().wanted_messages()


@cache
def catalog(language: str) -> Catalog:
    with (CATALOGS / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def forms(message: Message) -> Iterator[tuple[str, str]]:
    """Each English form with its translation."""
    if isinstance(message.id, tuple):
        yield from zip(message.id, message.string, strict=True)
    else:
        yield message.id, message.string


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalog_has_every_text_of_the_studio_and_no_other(language: str) -> None:
    here = {message.id for message in catalog(language) if message.id}
    needed = {message.id for message in wanted() if message.id}
    assert len(needed) > 1500
    assert needed - here == set(), "run `python configs/translations.py`, then translate"
    assert here - needed == set(), "run `python configs/translations.py`"


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language: str) -> None:
    missing = [one for m in catalog(language) if m.id for one, other in forms(m) if not other]
    assert not missing, "\n".join(missing)
    assert not [m.id for m in catalog(language) if m.id and m.fuzzy]


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_values_and_the_end_of_its_text(language: str) -> None:
    wrong = []
    for message in filter(lambda one: one.id, catalog(language)):
        for english, other in forms(message):
            # A form for one may leave the number out.
            if set(PLACE.findall(english)) - {"{count}"} != set(PLACE.findall(other)) - {"{count}"}:
                wrong.append(f"values: {english!r} is {other!r}")
            if ENDS.search(english)[0] != ENDS.search(other)[0]:  # type: ignore[index]
                wrong.append(f"its end: {english!r} is {other!r}")
            if english[:1].isspace() != other[:1].isspace():
                wrong.append(f"its beginning: {english!r} is {other!r}")
    assert not wrong, "\n".join(wrong)


def test_texts_are_constants_that_can_be_found() -> None:
    wrong = []
    for place, tree in trees().items():
        inside = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("_", "ngettext", "mark"):
                if id(node) in inside and any(isinstance(one, ast.Constant) for one in node.args):
                    wrong.append(f"{place}:{node.lineno}: stands in an f-string")
                if any(isinstance(one, ast.JoinedStr) for one in node.args):
                    wrong.append(f"{place}:{node.lineno}: is an f-string")
    assert not wrong, "\n".join(wrong)


def test_a_text_is_given_the_values_that_it_names() -> None:
    wrong = []
    for place, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("_", "ngettext"):
                continue
            given = {keyword.arg for keyword in node.keywords}
            given |= {"count"} if ast.unparse(node.func) == "ngettext" else set()
            texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
            named = {
                name
                for text in texts
                if isinstance(text, str)
                for name in re.findall(r"\{(\w+)", text)
            }
            if (
                texts
                and None not in given
                and node.keywords
                and given - {"count"} != named - {"count"}
            ):
                wrong.append(
                    f"{place}:{node.lineno}: {sorted(named)}, not {sorted(map(str, given))}"
                )
    assert not wrong, "\n".join(wrong)


def test_the_function_that_translates_is_never_overwritten() -> None:
    wrong = [
        f"{place}:{node.lineno}"
        for place, tree in trees().items()
        if any(
            isinstance(node, ast.ImportFrom) and any(name.name == "_" for name in node.names)
            for node in ast.walk(tree)
        )
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.arg) and node.arg == "_")
    ]
    assert not wrong


def constant_parts(text: ast.Constant | ast.JoinedStr) -> str:
    values = text.values if isinstance(text, ast.JoinedStr) else [text]
    return " ".join(str(one.value) for one in values if isinstance(one, ast.Constant))


def test_errors_are_translated() -> None:
    """Message and hint of whatever a user can meet."""
    errors = error_classes()
    assert len(errors) > 15
    wrong = [
        f"{place}:{text.lineno}: {ast.unparse(text)}"
        for place, tree in trees().items()
        if place.parts[0] not in NOT_TRANSLATED
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in errors
        for text in [
            *node.args[:2],
            *(k.value for k in node.keywords if k.arg in ("message", "hint")),
        ]
        if isinstance(text, (ast.Constant, ast.JoinedStr))
        and re.search(r"[A-Za-z]{3}", constant_parts(text))
    ]
    assert not wrong, "\n".join(wrong)

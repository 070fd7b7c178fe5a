"""`read`: how a text will be read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modules.cli.common import Json, output, plain, read_text_file, studio
from modules.core_components.errors import BadInputError

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.base import PhonemeSentence
    from modules.tools.speaking.reading import Reading


def read(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(help="The text; @FILE reads it from a file, - from standard input.")
    ] = "-",
    file: Annotated[Path | None, typer.Option(help="A UTF-8 text file to read instead.")] = None,
    language: Annotated[
        str, typer.Option(help="Language code, such as es; empty: that of the voice.")
    ] = "",
    voice: Annotated[str, typer.Option(help="A voice; it decides the language only.")] = "",
    engine: Annotated[
        str, typer.Option(help="A model: its languages and steps apply. Empty: all steps.")
    ] = "",
    skip: Annotated[str, typer.Option(help="Steps to leave out, such as money,units.")] = "",
    steps: Annotated[bool, typer.Option("--steps", help="Print what each step replaced.")] = False,
    phonemes: Annotated[
        bool, typer.Option("--phonemes", help="Print the phonemes of each sentence (Kokoro).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prints the words in which a text will be said. Nothing is spoken."""
    with studio(context, as_json) as services:
        from modules.tools.models.model_names import find_model
        from modules.tools.speaking.phonemes import phonemize
        from modules.tools.speaking.reading import language_to_read, read_text

        written = _written(text, file)
        model_id = find_model(services.tts, engine) if engine else ""
        if phonemes:
            model_id = model_id or services.settings.tts_model
        code = language_to_read(services, language, model_id, voice)
        reading = read_text(services, written, code, model_id, skip)
        sentences = phonemize(services, model_id, written, code, skip) if phonemes else ()
    record: dict[str, Any] = {"spoken": reading.spoken, **plain(reading)}
    del record["segments"]
    if phonemes:
        record["sentences"] = [
            {"text": sentence.text, "phonemes": sentence.phonemes} for sentence in sentences
        ]
    lines = [reading.spoken, *(_step_lines(reading) if steps else ()), *_phoneme_lines(sentences)]
    output(as_json, record, *lines)


def _written(text: str, file: Path | None) -> str:
    if file is not None:
        return read_text_file(file)
    if text.startswith("@"):
        return read_text_file(Path(text[1:]))
    if text != "-":
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"Standard input is not UTF-8 text ({error}).", "Send UTF-8.", "text"
        ) from error


def _step_lines(reading: Reading) -> Iterator[str]:
    """What each step replaced, and the words with sounds of their own."""
    for change in reading.changes:
        yield f"\n{change.step}: {change.about}"
        for segment in change.replaced:
            yield f"  {segment.written.strip()} → {segment.spoken.strip() or '(nothing)'}"
    if reading.pronounced:
        yield "\npronunciations"
        for segment in reading.pronounced:
            yield f"  {segment.written} → {segment.spoken}"


def _phoneme_lines(sentences: Sequence[PhonemeSentence]) -> Iterator[str]:
    if sentences:
        yield ""
    for sentence in sentences:
        yield sentence.phonemes

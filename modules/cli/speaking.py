"""`clone`, `speak`, `design` and `export-voice`."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modules.cli.common import (
    Cluster,
    FileFailures,
    Json,
    Language,
    Parameters,
    audio_format_of,
    check_folder,
    check_out,
    output,
    parse_parameters,
    plain,
    print_json,
    read_text_file,
    working_studio,
)
from modules.core_components.errors import BadInputError

if TYPE_CHECKING:
    from modules.core_components.values import Take
    from modules.tools.speaking.speak_many import SpokenBatch

logger = logging.getLogger(__name__)

Text = Annotated[str, typer.Option(help="What to say; @FILE reads it from a file.")]
Out = Annotated[Path, typer.Option(help="The audio to write: .wav, .flac or .mp3.")]
Engine = Annotated[str, typer.Option(help="The model to speak with; see 'models list'.")]
Seed = Annotated[int, typer.Option(help="-1 draws one; the take says which.")]
Speed = Annotated[float, typer.Option(help="1.0 is the voice's own rate.")]
Refine = Annotated[
    bool, typer.Option(help="Refine the voice of a sample first: minutes, once, where engines can.")
]
Scores = Annotated[bool, typer.Option(help="Measure similarity and word errors afterwards.")]


def clone(
    context: typer.Context,
    sample: Annotated[Path, typer.Option(help="A recording of the voice.")],
    text: Text,
    out: Out,
    engine: Engine = "",
    language: Language = "",
    seed: Seed = -1,
    speed: Speed = 1.0,
    speaker: Annotated[str, typer.Option(help="The speaker's name; else the sample's.")] = "",
    ref_text: Annotated[str, typer.Option(help="What is said in the sample.")] = "",
    parameters: Parameters = None,
    refine: Refine = False,
    scores: Scores = True,
    as_json: Json = False,
) -> None:
    """Speaks a text in the voice of a recording.

    By running it you confirm that it is your voice, or that the speaker agreed to this use.
    """
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.core_components.values import Consent
        from modules.tools.speaking import speech
        from modules.tools.speaking.request import SpeechRequest
        from modules.tools.voices.samples import add_sample

        words, output_format = _read_text(text), audio_format_of(out)
        check_out(out, speech.expected_bytes(words))
        consent = Consent(speaker, True, "confirmed by running the clone command")
        kept, warnings = add_sample(services, sample, sample.stem, consent, ref_text)
        for warning in warnings:
            logger.warning(warning)
        request = SpeechRequest(
            text=words,
            voice=kept.name,
            engine=engine,
            language=language,
            seed=seed,
            options=_options(speed, parameters),
            score=scores,
            output_format=output_format,
            refined=refine,
        )
        _deliver(speech.speak(services, request, progress, cancel), out, as_json)


def speak(
    context: typer.Context,
    voice: Annotated[str, typer.Option(help="A voice (see 'voices list'), a mix, or a sample.")],
    out: Annotated[
        Path,
        typer.Option(help="The audio to write: .wav, .flac or .mp3; with --from-file a folder."),
    ],
    text: Text = "",
    from_file: Annotated[
        Path | None,
        typer.Option(help="Speak each line of a file, or each .txt file of a folder."),
    ] = None,
    fmt: Annotated[
        str, typer.Option("--format", help="With --from-file: wav, flac or mp3.")
    ] = "wav",
    engine: Engine = "",
    language: Language = "",
    seed: Seed = -1,
    speed: Speed = 1.0,
    parameters: Parameters = None,
    refine: Refine = False,
    scores: Scores = False,
    cluster: Cluster = "",
    as_json: Json = False,
) -> None:
    """Speaks a text with a stock voice or with a sample that is already in the library.

    With --from-file it speaks many, each into a file of its own; the same command goes on where it
    was stopped.
    """
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.speaking import speech
        from modules.tools.speaking.request import SpeechRequest

        if bool(text) == (from_file is not None):
            raise BadInputError(
                "Say either what to speak or where it stands.", "Give --text or --from-file."
            )
        request = SpeechRequest(
            text="",
            voice=voice,
            kind="",
            engine=engine,
            language=language,
            seed=seed,
            options=_options(speed, parameters),
            score=scores,
            output_format=fmt,
            refined=refine,
        )
        if from_file is not None:
            from modules.tools.speaking import speak_many as many
            from modules.tools.work.places import choose_executor

            check_folder(out)
            texts = many.read_texts(from_file)
            executor = choose_executor(services, cluster)
            batch = many.speak_many(services, executor, texts, request, out, progress, cancel)
            _describe(batch, out, as_json)
            return
        if cluster:
            raise BadInputError("One text is spoken here.", "Use --cluster with --from-file.")
        words, output_format = _read_text(text), audio_format_of(out)
        check_out(out, speech.expected_bytes(words))
        request = replace(request, text=words, output_format=output_format)
        _deliver(speech.speak(services, request, progress, cancel), out, as_json)


def _describe(batch: SpokenBatch, out: Path, as_json: bool) -> None:
    """Prints what became of many texts; exit code 1 if some failed."""
    failures = FileFailures(len(batch.spoken) + len(batch.failures))
    for failure in batch.failures:
        failures.add(failure.item.name, failure.message, failure.hint)
    if as_json:
        spoken = [
            {"name": one.name, "written": one.written, "was_there": one.was_there, **one.about()}
            for one in batch.spoken
        ]
        print_json({"spoken": spoken, "failed": failures.records})
    else:
        there = sum(one.was_there for one in batch.spoken)
        before = f"; {there} were there before" if there else ""
        typer.echo(f"{len(batch.spoken)} recordings in {out}{before}.")
    failures.report()


def design(
    context: typer.Context,
    describe: Annotated[str, typer.Option(help="What the voice is like: age, sex, timbre, mood.")],
    out: Out,
    text: Annotated[str, typer.Option(help="What it says; @FILE reads it from a file.")] = "",
    keep: Annotated[str, typer.Option(help="Keep the voice as a sample of this name.")] = "",
    engine: Annotated[str, typer.Option(help="A model that designs voices.")] = "",
    language: Language = "",
    seed: Seed = -1,
    parameters: Parameters = None,
    scores: Scores = False,
    as_json: Json = False,
) -> None:
    """Makes a voice from a description; another seed makes another voice."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.voices import design as tool

        audio_format_of(out)
        request = tool.DesignRequest(
            description=describe,
            text=_read_text(text) or tool.SUGGESTED_TEXT,
            engine=engine,
            language=language,
            seed=seed,
            options=parse_parameters(parameters),
            score=scores,
        )
        take = tool.design_voice(services, request, progress, cancel)
        kept = tool.keep_voice(services, take.id, keep) if keep else None
        _deliver(take, out, as_json)
    if kept is not None and not as_json:
        typer.echo(f"Kept as the sample {kept.name}.")


def export_voice(
    context: typer.Context,
    sample: Annotated[str, typer.Option(help="The name of a sample in the library.")],
    out: Annotated[Path, typer.Option(help="The pack to write: .pt, .safetensors or .bin.")],
    as_json: Json = False,
) -> None:
    """Writes a sample's refined voice as a Kokoro voice pack; refining it takes minutes once."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.voices import samples

        check_out(out)
        written = samples.export_voice(services, sample, out, progress=progress, cancel=cancel)
    output(as_json, {"out": written}, f"Written: {written}")


def _read_text(text: str) -> str:
    return read_text_file(Path(text[1:])) if text.startswith("@") else text


def _options(speed: float, parameters: list[str] | None) -> dict[str, Any]:
    """1.0 is left out: it is every engine's own speed, and some have no other."""
    own: dict[str, Any] = {} if speed == 1.0 else {"speed": speed}
    return own | parse_parameters(parameters)


def _deliver(take: Take, out: Path, as_json: bool) -> None:
    from modules.tools.speaking.history import copy_take
    from modules.tools.speaking.scores import explain_similarity, explain_words

    written = copy_take(take, out)
    for note in take.notes:
        logger.warning(note)
    lines = [f"Written: {written} ({take.duration_s:.1f} s, seed {take.seed})"]
    if take.scores.similarity is not None:
        lines.append(f"Similarity: {explain_similarity(take.scores)}")
    if take.scores.word_error_rate is not None:
        lines.append(f"Words: {explain_words(take)}")
    output(as_json, {**plain(take), "out": str(written)}, *lines)

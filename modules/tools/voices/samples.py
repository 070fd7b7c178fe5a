"""Samples: adding a recording with consent, transcribing it, exporting its fitted voice."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.kokoro.voices import (
    SUFFIXES,
    save_pack,
    voice_of_prompt,
)
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.audio.files import encode_speech, read_speech
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark
from modules.core_components.values import Consent, Sample, Speech
from modules.tools.listening.language_check import other_language
from modules.tools.listening.transcribe import transcribe_speech
from modules.tools.services import Services
from modules.tools.voices.sample_check import sample_findings

logger = logging.getLogger(__name__)


def add_sample(
    services: Services,
    audio: Path,
    name: str,
    consent: Consent,
    ref_text: str = "",
    language: str = "",
    track: int = 0,
) -> tuple[Sample, tuple[str, ...]]:
    """Adds a recording as a sample; returns it with warnings about its quality.

    `track` is its audio track, counted from 1; 0 is the file's default.

    Raises BadInputError for a recording that cannot be used, and without the owner's consent.
    """
    if not consent.agreed:
        raise BadInputError(
            _("A voice may only be cloned when its owner agreed."),
            _("Confirm that it is your voice, or that the speaker agreed to this use."),
            "consent",
        )
    sample = services.samples.add(
        audio, name or audio.stem, ref_text, language, consent, track=track
    )
    warnings = list(sample.info.get("warnings", ()))
    # What is only found with a speaker encoder.
    warnings += [
        finding.sentence
        for finding in sample_findings(services, sample)
        if finding.sentence not in warnings
    ]
    return sample, tuple(warnings)


@dataclass(frozen=True)
class AddedSamples:
    """What became of several recordings; `refused` has each that cannot be used, and why."""

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...]
    refused: tuple[tuple[Path, StudioError], ...]


def add_samples(
    services: Services,
    recordings: Sequence[Path],
    name: str,
    consent: Consent,
    ref_text: str = "",
    language: str = "",
    track: int = 0,
) -> AddedSamples:
    """Adds recordings of one speaker as samples, named as their files unless there is a `name`.

    One that cannot be used does not hold up the others. Raises what `add_sample` raises for a
    single recording, and BadInputError for a reference text that would be that of several.
    """
    several = len(recordings) > 1
    if several and ref_text.strip():
        raise BadInputError(
            _("A reference text is what is said in one recording."),
            _("Leave it empty, and transcribe each sample once it is added."),
            "ref_text",
        )
    added: list[Sample] = []
    warnings: list[str] = []
    refused: list[tuple[Path, StudioError]] = []
    for recording in recordings:
        try:
            sample, heard = add_sample(
                services, recording, name, consent, ref_text, language, track
            )
        except StudioError as error:
            if not several or not consent.agreed:
                raise
            refused.append((recording, error))
            continue
        added.append(sample)
        warnings += [f"{sample.name}: {warning}" if several else warning for warning in heard]
    return AddedSamples(tuple(added), tuple(warnings), tuple(refused))


def write_reference_text(
    services: Services,
    name: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    model_id: str = "",
) -> Sample:
    """Transcribes a sample and keeps the words as its reference text."""
    sample = services.samples.get(name)
    transcript = transcribe_speech(
        services,
        read_speech(sample.path),
        model_id=model_id,
        language=sample.language,
        progress=progress,
        cancel=cancel or CancelToken(),
    )
    if not transcript.text:
        raise BadInputError(
            _("No words were recognized in {name}.", name=name), _("Type the reference text.")
        )
    return services.samples.update(
        name, ref_text=transcript.text, language=sample.language or transcript.language
    )


def language_warning(services: Services, sample: Sample, cancel: CancelToken) -> str:
    """What to say of a sample that sounds like another language than the one it was given, in which
    it is transcribed; "" if nothing."""
    found = other_language(services, read_speech(sample.path), sample.language, cancel)
    if found is None:
        return ""
    name = language_name(found.language)
    return _(
        "{warning} If it is {name}, add the recording again with that language under “More”.",
        warning=found.warning(sample.name, sample.language),
        name=name,
    )


def export_voice(
    services: Services,
    name: str,
    target: Path,
    engine: str = "kokoro-v1.0",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Writes a sample's refined voice as a Kokoro voice pack (.pt or .safetensors by suffix).

    It is refined first where it has not been, which takes minutes.
    """
    sample = services.samples.get(name)
    prompt, _unused = services.tts.refine_voice(engine, sample, progress, cancel or CancelToken())
    target.parent.mkdir(parents=True, exist_ok=True)
    return save_pack(voice_of_prompt(prompt).pack, target)


# The demo sample, so that the first page is not empty.
NAME = mark("Demo voice (synthetic)")
MODEL_ID = "kokoro-v1.0"
# A mix, so that it is no person's voice and none of the model's own.
VOICE = "af_heart(3)+bf_emma(2)+am_michael(1)"
LANGUAGE = "en-us"
TEXT = (
    "Hello, and welcome to the studio. This voice does not belong to anybody: the computer mixed "
    "it from a few others, so that you have something to try. Pick it, type a sentence, and "
    "listen. Then bring a recording of your own voice, and hear the difference it makes."
)
_SEED = 2024
_MARKER = ".demo_sample_made"


def is_demo_sample(sample: Sample) -> bool:
    """Whether the studio made it, and not the user."""
    return sample.name in (NAME, _(NAME))


def demo_sample_wanted(services: Services) -> bool:
    """Whether the sample was never made, and can be."""
    made = (services.settings.samples_folder / _MARKER).exists()
    return not made and services.tts.available(MODEL_ID)


def ensure_demo_sample(
    services: Services, progress: Progress = no_progress, cancel: CancelToken | None = None
) -> Sample | None:
    """Speaks the demo sample, once for each samples folder.

    None if it was made before, if there are other samples, or if its model is not installed.
    """
    marker = services.settings.samples_folder / _MARKER
    if marker.exists():
        return None
    if services.samples.list():
        marker.touch()
        return None
    if not services.tts.available(MODEL_ID):
        return None
    engine = services.tts.get(MODEL_ID)
    options: Any = parse_options(engine.options_type, {"language": LANGUAGE, "seed": _SEED})
    progress(0.0, _("Speaking the demo sample"))
    pieces = engine.stream(TEXT, VOICE, options, cancel or CancelToken())
    samples = np.concatenate([piece.samples for piece in pieces])
    sample = services.samples.add(
        encode_speech(Speech(samples, engine.sample_rate_hz), "wav"),
        _(NAME),
        ref_text=TEXT,
        language=LANGUAGE,
        consent=Consent(
            speaker=mark("synthetic demo voice"),
            agreed=True,
            note=mark("Spoken by the studio itself with a mix of Kokoro's voices."),
        ),
        info={
            "synthetic": True,
            "model_id": engine.model_id,
            "model_revision": engine.model_revision,
            "voice": VOICE,
            "seed": _SEED,
        },
    )
    marker.touch()
    logger.info("Made the demo sample %r", sample.name)
    progress(1.0, _("Done"))
    return sample


# Work on samples as jobs.

REFERENCE, EXPORT, DEMO = "reference_text", "export_voice", "demo_sample"


def register(services: Services) -> None:
    """Registers the jobs of this file."""

    def run_reference(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        sample = write_reference_text(services, payload["sample"], job.progress, job.cancel)
        warning = language_warning(services, sample, job.cancel)
        if warning:
            job.log(warning)
        return {"sample": sample.name, "language_warning": warning}

    def run_export(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        name, target = payload["sample"], Path(payload["target"])
        file = export_voice(services, name, target, payload["engine"], job.progress, job.cancel)
        return {"sample": name, "file": str(file)}

    def run_demo(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        sample = ensure_demo_sample(services, job.progress, job.cancel)
        return {"sample": sample.name if sample else ""}

    services.jobs.register(REFERENCE, run_reference)
    services.jobs.register(EXPORT, run_export)
    services.jobs.register(DEMO, run_demo)


def submit_demo_sample(services: Services) -> None:
    """Queues making the demo sample if this is the first start."""
    pending = services.jobs.list(states=("queued", "running"), kind=DEMO)
    if demo_sample_wanted(services) and not pending:
        services.jobs.submit(DEMO, _("Make the demo sample"), {})


def submit_reference_text(services: Services, sample_name: str) -> Job:
    """Queues transcribing a sample."""
    sample = services.samples.get(sample_name)
    return services.jobs.submit(
        REFERENCE, _("Transcribe {name}", name=sample.name), {"sample": sample.name}
    )


def submit_export(services: Services, sample_name: str, engine: str, suffix: str) -> Job:
    """Queues writing a sample's fitted voice as a voice pack (see `load_pack`)."""
    sample = services.samples.get(sample_name)
    if suffix not in SUFFIXES:
        raise BadInputError(
            _("A voice cannot be a {suffix!r} file.", suffix=suffix),
            _("Choose {suffixes}.", suffixes=", ".join(SUFFIXES)),
        )
    target = services.exports_folder / f"{sample.path.stem}{suffix}"
    payload = {"sample": sample.name, "engine": engine, "target": str(target)}
    return services.jobs.submit(EXPORT, _("Export {name}", name=sample.name), payload)

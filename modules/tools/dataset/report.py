"""A report on a dataset: figures of every clip, and problems to fix, worst first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.xtts.preflight.data import (
    load_tokenizer,
    text_fault,
)
from modules.core_components.ai_models.engines.xtts.text_form import (
    LANGUAGE,
    TRANSLITERATION,
    front_end_for,
)
from modules.core_components.dataset.recording_languages import language_findings
from modules.core_components.dataset.report import (
    ClipFacts,
    ClipMeasures,
    ContentCache,
    DatasetReport,
    Finding,
    describe_noise_removed,
    usual_among,
    worst_first,
)
from modules.core_components.dataset.report_clips import (
    TextFault,
    clip_findings,
    faulty_words,
    letters_per_second,
)
from modules.core_components.dataset.report_whole import (
    dataset_findings,
    group_voices,
    repeated_findings,
)
from modules.core_components.dataset.values import EVAL, Clip, Dataset
from modules.core_components.errors import ModelMissingError, StudioError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.progress import CancelToken, Progress, no_progress, phase
from modules.core_components.speaker_scale import speaker_scale
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.texts import ENGLISH, _, page_language
from modules.tools.dataset.report_measures import (
    MeasuredClip,
    MeasuredClips,
    detect_languages,
    embed_clips,
    heard_before,
    listen_again,
    measure_clips,
)
from modules.tools.services import Services

_VOCABULARY = "vocab.json"


def text_faults(
    services: Services, clips: Sequence[Clip], language: str, cache: ContentCache, quick: bool
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Why the trainer would drop a text, and the words at fault; by clip id, those at fault only.

    `quick` takes only what is known already. Raises ModelMissingError where no base is installed.
    """
    base = _installed_base(services)
    what = f"tokens:{language}:{base.id}:{services.catalog.revision(base)}"
    if page_language() != ENGLISH:  # the faults are sentences
        what = f"{what}:{page_language()}"
    ask: TextFault | None = None
    found = {}
    for clip in clips:
        sha256 = text_sha256(clip)
        kept = cache.get(what, sha256)
        if kept is None:
            if quick:
                continue
            ask = ask or load_text_fault(services, base)
            fault = ask(clip.text, language)
            kept = [fault, faulty_words(clip.text, language, ask) if fault else []]
            cache.put(what, sha256, kept)
        if kept[0]:
            found[clip.id] = (str(kept[0]), tuple(kept[1]))
    return found


def text_sha256(clip: Clip) -> str:
    """Under what the tokenizer's answer is kept."""
    return hashlib.sha256(clip.text.encode("utf-8", errors="backslashreplace")).hexdigest()


def load_text_fault(services: Services, base: ModelEntry) -> TextFault:
    """Asks the tokenizer of an installed base. The first call imports coqui's package: seconds."""
    vocabulary = services.catalog.folder(base) / _VOCABULARY
    # Amharic in letters that every vocabulary has; a vocabulary of its own knows every sign.
    front_end = front_end_for(LANGUAGE, TRANSLITERATION)
    return partial(text_fault, load_tokenizer(vocabulary, front_end))


def _installed_base(services: Services) -> ModelEntry:
    """The newest, which the catalog lists last."""
    for entry in reversed(services.catalog.entries("text-to-speech")):
        if entry.family == "xtts" and (services.catalog.folder(entry) / _VOCABULARY).is_file():
            return entry
    raise ModelMissingError(
        _("no base model of XTTS is installed."), _("Get XTTS v2.0.3 on the Models tab.")
    )


# So many clips are measured while a click waits.
QUICK_CLIPS = 20


def report_of(
    services: Services,
    dataset_name: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    second_listener: str = "",
    quick: bool = False,
) -> DatasetReport:
    """Measures what is new in a dataset and says what is wrong with it.

    Everything about a clip is kept by its content, so a second report takes moments, and one that
    was cancelled goes on where it was. `second_listener` is the id of a listening model that hears
    every clip once more. What needs a model that is not installed is left out and named in
    `not_checked`. A `quick` report asks no model and measures a few clips at most; the others count
    as `waiting`. Raises NotFoundError, JobCancelled, DiskFullError.
    """
    cancel = cancel or CancelToken()
    dataset = services.datasets.get(dataset_name)
    cache = ContentCache(services.settings.cache_folder / "reports" / f"{dataset.folder.name}.json")
    try:
        most = QUICK_CLIPS if quick else None
        measured = measure_clips(dataset, cache, phase(progress, 0.0, 0.3), cancel, most)
        clips = list(measured.clips.values())
        if second_listener:
            part = phase(progress, 0.7, 1.0)
            listen_again(services, clips, dataset.language, second_listener, cache, part, cancel)
        asked = _ask(services, dataset, clips, cache, progress, cancel, quick)
        if not quick:  # a clip that was dropped just now may come back
            texts = {text_sha256(clip) for clip in dataset.rows}
            cache.drop_all_but(texts | {item.sha256 for item in clips})
    finally:
        cache.save()
    progress(1.0, _("Looked at every clip"))
    return _report(dataset, measured, asked)


@dataclass(frozen=True)
class _Answers:
    """The models' answers by clip id; `voices` holds similarity to the main voice, and group.

    `encoder` measured the similarities.
    """

    voices: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    speakers: int | None = None
    languages: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    not_checked: tuple[str, ...] = ()
    encoder: str = ""


def _ask(
    services: Services,
    dataset: Dataset,
    clips: Sequence[MeasuredClip],
    cache: ContentCache,
    progress: Progress,
    cancel: CancelToken,
    quick: bool,
) -> _Answers:
    language = dataset.language
    not_checked = []
    voices: Mapping[str, tuple[float, int]] = {}
    speakers, languages, faults = None, {}, {}
    encoder = services.asr.get_speaker_encoder()
    try:
        part = phase(progress, 0.3, 0.6)
        embeddings = embed_clips(services, encoder, clips, cache, part, cancel, quick)
        if embeddings:
            groups = group_voices(
                np.stack(list(embeddings.values())), speaker_scale(encoder.model_id).same_group
            )
            voices = dict(zip(embeddings, groups.by_clip(), strict=True))
            speakers = groups.speakers
    except StudioError as error:
        not_checked.append(_("Whether one person speaks: {reason}", reason=error.message))
    try:
        part = phase(progress, 0.6, 0.7)
        languages = detect_languages(services, clips, cache, part, cancel, quick)
    except StudioError as error:
        not_checked.append(_("Whether it is one language: {reason}", reason=error.message))
    try:
        faults = text_faults(services, dataset.rows, language, cache, quick)
    except StudioError as error:
        not_checked.append(_("What the tokenizer knows: {reason}", reason=error.message))
    words = heard_before(clips, language, cache)
    return _Answers(
        voices, speakers, languages, words, faults, tuple(not_checked), encoder.model_id
    )


def _report(dataset: Dataset, measured: MeasuredClips, answers: _Answers) -> DatasetReport:
    rows, language = dataset.rows, dataset.language
    looked_at = [clip for clip in rows if clip.id not in measured.waiting]
    facts = [_facts(clip, language, measured, answers) for clip in looked_at]
    measures = tuple(item.measures for item in facts if item.measures is not None)
    usual = usual_among(measures)
    minutes = sum(clip.duration_s for clip in rows) / 60
    in_other_language = list(language_findings(dataset))
    findings: list[Finding] = [
        *in_other_language,
        *(
            finding
            for finding in dataset_findings(facts, usual, language, minutes, answers.speakers)
            if finding.kind != "language" or not in_other_language
        ),
        *repeated_findings(facts, language),
    ]
    for item in facts:
        findings += clip_findings(item, usual, language)
    left_out = [clip for clip in dataset.clips if clip.dropped]
    return DatasetReport(
        name=dataset.name,
        language=language,
        minutes=minutes,
        clips=len(rows),
        eval_clips=sum(clip.subset == EVAL for clip in rows),
        dropped_minutes=sum(clip.duration_s for clip in left_out) / 60,
        dropped_clips=len(left_out),
        speakers=answers.speakers,
        measures=measures,
        findings=worst_first(findings),
        not_checked=answers.not_checked,
        heard=answers.words,
        waiting=len(measured.waiting),
        speaker_encoder=answers.encoder,
        noise_removed=describe_noise_removed(dataset),
    )


def _facts(
    clip: Clip,
    language: str,
    measured: MeasuredClips,
    answers: _Answers,
) -> ClipFacts:
    found = measured.clips.get(clip.id)
    fault, words = answers.faults.get(clip.id, ("", ()))
    return ClipFacts(
        clip=clip,
        measures=_measures(found, language, answers) if found else None,
        sound_sha256=found.sha256 if found else "",
        problem=measured.problems.get(clip.id, ""),
        text_fault=fault,
        unknown_words=words,
        language=answers.languages.get(clip.id),
        heard=answers.words.get(clip.id),
        group=answers.voices[clip.id][1] if clip.id in answers.voices else None,
        stranger=_is_stranger(clip, answers),
    )


def _is_stranger(clip: Clip, answers: _Answers) -> bool:
    if clip.id not in answers.voices:
        return False
    similarity, _unused = answers.voices[clip.id]
    return similarity < speaker_scale(answers.encoder).stranger


def _measures(found: MeasuredClip, language: str, answers: _Answers) -> ClipMeasures:
    clip, sound = found.clip, found.sound
    loudness, words = sound.loudness_lufs, answers.words.get(clip.id)
    return ClipMeasures(
        clip_id=clip.id,
        duration_s=sound.duration_s,
        loudness_lufs=loudness,
        recorded_lufs=None if loudness is None else loudness - clip.gain_db,
        signal_to_noise_db=sound.signal_to_noise_db,
        clipping=sound.clipping,
        bandwidth_hz=sound.bandwidth_hz,
        letters_per_s=letters_per_second(clip, sound.duration_s, language),
        voice=answers.voices[clip.id][0] if clip.id in answers.voices else None,
        heard_otherwise=None if words is None else word_error_rate(clip.text, words, language),
    )


# The report as a job.

REPORT_DATASET = "report_dataset"


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_report(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        report = report_of(
            services,
            payload["dataset"],
            job.progress,
            job.cancel,
            payload["second_listener"],
        )
        return {"dataset": report.name, "findings": len(report.findings)}

    services.jobs.register(REPORT_DATASET, run_report)


def submit_report(services: Services, dataset_name: str, second_listener: str = "") -> Job:
    """Queues a report, or returns the job that makes it already. Raises NotFoundError."""
    name = services.datasets.get(dataset_name).name
    payload = {"dataset": name, "second_listener": second_listener}
    for job in services.jobs.list(states=("queued", "running"), kind=REPORT_DATASET):
        if job.payload == payload:
            return job
    return services.jobs.submit(REPORT_DATASET, _("Check {name}", name=name), payload)

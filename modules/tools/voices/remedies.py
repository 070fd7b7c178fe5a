"""Copies of a sample in which something is better; the original stays as it is.

Each is a sample of its own with the language and the consent of the original. Its `info` says what
was done, and how it measured before and afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from modules.core_components.audio.denoise import METHOD, remove_noise
from modules.core_components.audio.files import encode_speech, read_speech
from modules.core_components.audio.joining import faded
from modules.core_components.audio.sample_quality import DENOISE, LEVEL, ONE_VOICE, SHORTEN
from modules.core_components.audio.speech_regions import speech_regions, trim_to_speech
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _, mark
from modules.core_components.values import Sample, Speech
from modules.tools.listening.cleaning import Figures, changes, measure, with_loudness
from modules.tools.services import Services
from modules.tools.voices.sample_check import voice_windows

# In the info of a copy: the name of the sample it was made from.
CLEANED_FROM = "cleaned_from"
LOUDNESS_LUFS = -20.0
_SHORT_S = 30.0
_MARGIN_S = 0.1


@dataclass(frozen=True)
class Remedy:
    """What can be done about a finding: its button, what is in the name of the copy, and whether
    what is said stays the same."""

    button: str
    suffix: str
    keeps_words: bool = True


REMEDIES: Mapping[str, Remedy] = {
    DENOISE: Remedy(mark("Remove noise"), mark("noise removed")),
    LEVEL: Remedy(mark("Raise the level"), mark("level raised")),
    SHORTEN: Remedy(mark("Keep half a minute"), mark("shortened"), keeps_words=False),
    ONE_VOICE: Remedy(mark("Keep the main voice"), mark("one voice"), keeps_words=False),
}


def improve_sample(
    services: Services,
    name: str,
    remedy: str = DENOISE,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Sample:
    """A copy of a sample with a remedy of `REMEDIES` applied.

    Raises BadInputError for an unknown remedy, and where too little speech is left.
    """
    sample = services.samples.get(name)
    about = _remedy(remedy)
    original = read_speech(sample.path)
    changed, step = _WAYS[remedy](services, original, progress, cancel or CancelToken())
    return services.samples.add(
        encode_speech(changed, "wav"),
        f"{sample.name} ({_(about.suffix)})",
        sample.ref_text if about.keeps_words else "",
        sample.language,
        sample.consent,
        info={
            # Where its voice comes from stays true: a description, or the studio itself.
            **{key: value for key, value in sample.info.items() if key not in _OWN_INFO},
            CLEANED_FROM: sample.name,
            "source_sha256": sample.audio_sha256,
            "steps": [*sample.info.get("steps", ()), step],
            "before": asdict(measure(original)),
            "after": asdict(measure(changed)),
        },
    )


def original_of(services: Services, sample: Sample) -> Sample | None:
    """The sample that a copy was made from; None for no copy, and where that one is gone."""
    name = sample.info.get(CLEANED_FROM)
    if not name:
        return None
    try:
        original = services.samples.get(str(name))
    except NotFoundError:
        return None
    return original if original.audio_sha256 == sample.info.get("source_sha256") else None


def what_changed(sample: Sample) -> str:
    """What was done to a copy and what that changed, in a line; "" for a sample that is none."""
    steps = ", ".join(map(str, sample.info.get("steps", ())))
    try:
        before, after = (Figures(**sample.info[when]) for when in ("before", "after"))
    except (KeyError, TypeError):  # of an earlier version, or no copy
        figures = ""
    else:
        figures = changes(before, after)
    line = "; ".join(filter(None, [steps, figures]))
    return f"{line[:1].upper()}{line[1:]}." if line else ""


_OWN_INFO = ("warnings", "steps", "before", "after", "original_sha256")


def _remedy(name: str) -> Remedy:
    if name not in REMEDIES:
        raise BadInputError(_("Nothing called {name!r} can be done to a sample.", name=name))
    return REMEDIES[name]


_Way = Callable[[Services, Speech, Progress, CancelToken], tuple[Speech, str]]


def _without_noise(
    services: Services, speech: Speech, progress: Progress, cancel: CancelToken
) -> tuple[Speech, str]:
    return remove_noise(speech, progress, cancel), _("removed noise ({method})", method=METHOD)


def _louder(
    services: Services, speech: Speech, progress: Progress, cancel: CancelToken
) -> tuple[Speech, str]:
    changed, step, note = with_loudness(speech, LOUDNESS_LUFS)
    if not step:
        raise BadInputError(note)
    return changed, step


def _shorter(
    services: Services, speech: Speech, progress: Progress, cancel: CancelToken
) -> tuple[Speech, str]:
    """The half minute in which most is said, from pause to pause."""
    regions = speech_regions(speech, cancel)
    best, most_s = (0.0, speech.duration_s), 0.0
    for index, (start_s, _unused) in enumerate(regions):
        inside = [r for r in regions[index:] if r[1] <= start_s + _SHORT_S]
        spoken_s = sum(end - start for start, end in inside)
        if spoken_s > most_s:
            best, most_s = (start_s, inside[-1][1]), spoken_s
    if not most_s:  # one stretch without a pause
        best = (regions[0][0], regions[0][0] + _SHORT_S) if regions else best
    rate_hz = speech.sample_rate_hz
    first, end = (round(at_s * rate_hz) for at_s in (best[0] - _MARGIN_S, best[1] + _MARGIN_S))
    kept = faded(speech.samples[max(first, 0) : end], rate_hz)
    return Speech(kept, rate_hz), _(
        "kept {kept_s:.0f} of {duration_s:.0f} s",
        kept_s=len(kept) / rate_hz,
        duration_s=speech.duration_s,
    )


def _one_voice(
    services: Services, speech: Speech, progress: Progress, cancel: CancelToken
) -> tuple[Speech, str]:
    """What is the main voice's in every window that it is in."""
    spoken = trim_to_speech(speech)
    windows = voice_windows(services, spoken, cancel)
    is_kept = np.ones(len(spoken.samples), dtype=bool)
    for (first, end), number in windows:
        if number:
            is_kept[first:end] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_kept, [False]]).astype(np.int8)))
    pieces = [
        faded(spoken.samples[first:end], spoken.sample_rate_hz)
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]
    kept = replace(spoken, samples=np.concatenate([np.zeros(0, np.float32), *pieces]))
    step = _(
        "kept the main voice, {kept_s:.0f} of {spoken_s:.0f} s of speech",
        kept_s=kept.duration_s,
        spoken_s=spoken.duration_s,
    )
    return kept, step


_WAYS: Mapping[str, _Way] = {
    DENOISE: _without_noise,
    LEVEL: _louder,
    SHORTEN: _shorter,
    ONE_VOICE: _one_voice,
}


# As a job. Its kind is that of earlier versions, which only removed noise.

IMPROVE = "clean_sample"


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_improve(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        remedy = payload.get("remedy", DENOISE)
        copy = improve_sample(services, payload["sample"], remedy, job.progress, job.cancel)
        return {"sample": copy.name, CLEANED_FROM: payload["sample"]}

    services.jobs.register(IMPROVE, run_improve)


def submit_remedy(services: Services, sample_name: str, remedy: str = DENOISE) -> Job:
    """Queues a remedy for a sample. Raises NotFoundError, BadInputError."""
    sample = services.samples.get(sample_name)
    title = f"{_(_remedy(remedy).button)}: {sample.name}"
    return services.jobs.submit(IMPROVE, title, {"sample": sample.name, "remedy": remedy})

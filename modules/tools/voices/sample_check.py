"""What is not ideal about a sample: its sound, its length, and whether one person speaks in it."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.sample_quality import ONE_VOICE, SampleFinding, check_sample
from modules.core_components.audio.speech_regions import trim_to_speech
from modules.core_components.dataset.report_whole import group_voices
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.speaker_scale import speaker_scale
from modules.core_components.texts import _, page_language
from modules.core_components.values import Sample, Speech
from modules.tools.services import Services

logger = logging.getLogger(__name__)

# Counts in the names of kept answers: raise it when something is judged otherwise.
_VERSION = 1
# A voice is recognised in windows of this length; a second voice must fill two of them, and not
# be a word said otherwise.
_WINDOW_S, _STEP_S = 2.0, 1.0
_FEWEST_WINDOWS = 2
_MOST_WINDOWS = 60
# These make one voice many to a speaker encoder; a copy without them is looked at again.
_UNCLEAR = ("noise", "reverberation", "clipping")


def sample_findings(services: Services, sample: Sample) -> tuple[SampleFinding, ...]:
    """What is not ideal about a sample, worst first; kept in the cache by its sound and by the
    language of the page."""
    kept = _kept_at(services, sample)
    try:
        return tuple(SampleFinding(**item) for item in json.loads(kept.read_text("utf-8"))["found"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there yet, or damaged
    found = _look(services, read_speech(sample.path))
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        atomic.write_json(kept, {"found": [asdict(finding) for finding in found]})
    except (OSError, StudioError) as error:  # the sample is checked all the same
        logger.warning("What was found in %s could not be kept: %s", sample.name, error)
    return found


def are_findings_known(services: Services, sample: Sample) -> bool:
    """Whether `sample_findings` answers without a look at the sound."""
    return _kept_at(services, sample).is_file()


def voice_windows(
    services: Services,
    speech: Speech,
    cancel: CancelToken | None = None,
    at_most: int | None = None,
) -> list[tuple[tuple[int, int], int]]:
    """Windows of 2 s as (first, end) in samples, each with the number of its voice; 0 is the voice
    that speaks most. `at_most` so many, spread over the recording.

    `speech` should hold no pauses. Raises StudioError where no speaker encoder can be used.
    """
    rate_hz = speech.sample_rate_hz
    length, last = round(_WINDOW_S * rate_hz), len(speech.samples) - round(_WINDOW_S * rate_hz)
    if last < 0:
        return []
    count = math.ceil(last / rate_hz / _STEP_S) + 1
    count = count if at_most is None else min(count, at_most)
    starts = [int(start) for start in np.linspace(0, last, count)]
    handle = services.asr.get_speaker_encoder()
    with handle.borrowed(cancel) as encoder:
        embeddings = []
        for start in starts:
            if cancel is not None:
                cancel.raise_if_cancelled()
            embeddings.append(encoder.embed(speech.samples[start : start + length], rate_hz))
    voices = group_voices(np.stack(embeddings), speaker_scale(handle.model_id).same_group)
    numbers = [number for _unused, number in voices.by_clip()]
    return [((start, start + length), n) for start, n in zip(starts, numbers, strict=True)]


def _look(services: Services, speech: Speech) -> tuple[SampleFinding, ...]:
    try:
        found = check_sample(speech)
    except BadInputError as error:  # put into the folder by hand
        return (SampleFinding("unusable", f"{error.message} {error.hint}"),)
    if any(finding.kind in _UNCLEAR for finding in found):
        return found
    try:
        numbers = [
            number
            for _unused, number in voice_windows(
                services, trim_to_speech(speech), at_most=_MOST_WINDOWS
            )
        ]
    except StudioError as error:
        logger.info("Whether one person speaks was not looked at: %s", error)
        return found
    people = sum(numbers.count(number) >= _FEWEST_WINDOWS for number in set(numbers))
    if people < 2:
        return found
    others = sum(number != 0 for number in numbers) / len(numbers)
    sentence = _(
        "{people} people seem to speak in it ({others:.0%} of it is not the main "
        "voice); keep the main voice only, or a clone becomes a mixture.",
        people=people,
        others=others,
    )
    return (SampleFinding("speakers", sentence, ONE_VOICE), *found)


def _kept_at(services: Services, sample: Sample) -> Path:
    # Once a speaker encoder is there, it is looked at again.
    encoder = services.asr.get_speaker_encoder().model_id
    state = services.catalog.state(services.catalog.entry(encoder))
    with_voices = encoder if state == "installed" else "none"
    name = f"{sample.audio_sha256[:32]}-{_VERSION}-{with_voices}-{page_language()}.json"
    return services.settings.cache_folder / "sample_checks" / name

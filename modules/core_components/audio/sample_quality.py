"""Whether a recording is good enough to clone a voice from: refusals and warnings."""

from __future__ import annotations

from modules.core_components.audio.measure import (
    AUDIBLE_CLIPPING,
    bandwidth_hz,
    clipping_fraction,
    loud_level_dbfs,
)
from modules.core_components.audio.speech_regions import speech_seconds
from modules.core_components.errors import BadInputError
from modules.core_components.values import Speech

MIN_SPEECH_S = 2.0

_GOOD_SPEECH_S = 10.0
_LONG_SPEECH_S = 120.0
_SILENT_DBFS = -60.0
_QUIET_DBFS = -38.0
_NARROW_HZ = 4_200


def check_sample(speech: Speech) -> tuple[str, ...]:
    """What is not ideal about the recording, in sentences for its owner; often nothing.

    Raises BadInputError where it cannot be used: silence, no speech, less than 2 s of speech.
    """
    level_dbfs = loud_level_dbfs(speech)
    if level_dbfs < _SILENT_DBFS:
        raise BadInputError("The recording is silent.", "Check the microphone and record it again.")
    spoken_s = speech_seconds(speech)
    if spoken_s == 0:
        raise BadInputError(
            "There is no speech in this recording.",
            f"Give at least {MIN_SPEECH_S:g} seconds of clear speech by one person.",
        )
    if spoken_s < MIN_SPEECH_S:
        raise BadInputError(
            f"The recording holds only {spoken_s:.1f} seconds of speech.",
            f"At least {MIN_SPEECH_S:g} seconds are needed, {_GOOD_SPEECH_S:g} or more are better.",
        )
    warnings = []
    if spoken_s < _GOOD_SPEECH_S:
        warnings.append(
            f"It holds {spoken_s:.1f} seconds of speech; {_GOOD_SPEECH_S:g} or more give a "
            "better likeness."
        )
    if spoken_s > _LONG_SPEECH_S:
        warnings.append(
            f"It holds {spoken_s / 60:.0f} minutes of speech; half a minute in the voice's usual "
            "tone is enough, and quicker."
        )
    if (clipped := clipping_fraction(speech)) > AUDIBLE_CLIPPING:
        warnings.append(
            f"It is overdriven ({clipped:.1%} of it is clipped); record it at a lower level."
        )
    if level_dbfs < _QUIET_DBFS:
        warnings.append(f"It is very quiet ({level_dbfs:.0f} dBFS); record it at a higher level.")
    if (band_hz := bandwidth_hz(speech)) < _NARROW_HZ:
        warnings.append(
            f"It sounds like a telephone: nothing above {band_hz / 1000:.1f} kHz; a recording "
            "with a better microphone brings more of the voice."
        )
    return tuple(warnings)

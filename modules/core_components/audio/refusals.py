"""Why a recording is refused, in the same words wherever that happens."""

from __future__ import annotations

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _


def silent(name: str = "", about: str = "") -> BadInputError:
    """For a recording without a sound; `name` is what its owner calls it."""
    return BadInputError(
        _("{name} is silent.", name=name or _("The recording")),
        _("Play it, or check the microphone and record it again."),
        about,
    )


def no_speech() -> BadInputError:
    """For a recording in which something sounds, but no one speaks."""
    return BadInputError(
        _("There is no speech in this recording."),
        _("Choose one with at least a few seconds of clear speech."),
    )

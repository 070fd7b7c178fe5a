"""A voice from a description, and keeping it as a sample.

What a designed voice says is a take like any other. The model makes a different voice for every
seed; one that is kept as a sample can be cloned by every engine that clones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.languages import guess_language
from modules.core_components.text.markup import without_markup
from modules.core_components.texts import _, mark
from modules.core_components.values import Consent, Sample, Take
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import DESIGN, Listener, ignore_piece, speak, submit_speech

MODEL = "qwen3-tts-1.7b-voice-design"
KIND = "description"
# Long enough for a sample that clones well: about ten seconds.
SUGGESTED_TEXT = (
    "Every morning I walk down to the harbour, buy a coffee, and watch the boats come in. Some of "
    "them have been out all night. What would you like to hear about them?"
)
DESIGNED = Consent(
    speaker=mark("designed voice"),
    agreed=True,
    note=mark("Designed voice: made by a model from a description."),
)


@dataclass(frozen=True)
class DesignRequest:
    """The description of a voice, and a text. The rest as in `SpeechRequest`."""

    description: str
    text: str = SUGGESTED_TEXT
    engine: str = MODEL
    language: str = ""
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    score: bool = False

    def spoken(self) -> SpeechRequest:
        """As a request to speak; never as mp3, since it may become a sample."""
        return SpeechRequest(
            text=self.text,
            voice=self.description.strip(),
            kind=KIND,
            engine=self.engine or MODEL,
            language=self.language,
            seed=self.seed,
            options=self.options,
            score=self.score,
            output_format="wav",
        )


def design_voice(
    services: Services,
    request: DesignRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    on_piece: Listener = ignore_piece,
) -> Take:
    """Speaks the text in the voice that is described; raises as `speak`.

    `read_take` gives its audio, `keep_voice` keeps the voice.
    """
    return speak(services, request.spoken(), progress, cancel, on_piece)


def keep_voice(services: Services, take_id: str, name: str) -> Sample:
    """Keeps the voice of a designed take as a sample: its audio, its words, and where it is from.

    `Sample.info["design"]` says with what it could be made again. Raises NotFoundError, and
    BadInputError for a take that was not designed, that was cut off (its words would not be what
    it says), that is too short for a sample, and for an empty name.
    """
    take = services.takes.get(take_id)
    if take.kind != KIND:
        raise BadInputError(
            _("This take was not made from a description."), _("Design a voice, then keep it.")
        )
    if take.notes:
        raise BadInputError(
            _("The voice does not say all of its text. {notes}", notes=" ".join(take.notes)),
            _("Design it again with a shorter text or another seed."),
        )
    if not name.strip():
        raise BadInputError(_("The voice has no name yet."), _("Write a name."), "name")
    words = without_markup(take.text)
    return services.samples.add(
        take.path,
        name,
        ref_text=words,
        language=guess_language(words) if take.language == "auto" else take.language,
        consent=DESIGNED,
        info={
            "synthetic": True,
            "design": {
                "description": take.voice,
                "text": take.text,
                "model": take.model_id,
                "revision": take.model_revision,
                "seed": take.seed,
                "language": take.language,
                "options": dict(take.options),
                "take": take.id,
            },
        },
    )


def submit_design(services: Services, request: DesignRequest, live: bool = False) -> Job:
    """Completes the request and queues it; a resumed job repeats it with the same seed.

    The job's result is the take. The speech of a `live` job can be played while it is made.
    """
    return submit_speech(services, request.spoken(), live, DESIGN)
